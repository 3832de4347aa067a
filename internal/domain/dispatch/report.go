package dispatch

import (
	"context"
	"encoding/json"
	"net/http"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/answer"
	"sextant/internal/domain/dispatch/outcome"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/identity"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	maxLogPost = 2 << 20
	maxOffset  = 1 << 50 // bytes of output of a row
)

// Output stores live output that a plugin sends about a call of its own.
func (s *Service) Output(ctx context.Context, key string, batch wire.LogBatch) error {
	r, c, err := s.owns(ctx, key, identity.From(ctx).ID)
	if err != nil {
		return err
	}
	mask, err := s.maskOf(ctx, key, r, c)
	if err != nil {
		return err
	}
	var pieces []wire.LogChunk
	var rows []string
	for _, piece := range batch.Chunks {
		if min(piece.Offset, piece.Lost, piece.Lines) < 0 || max(piece.Offset, piece.Lost, piece.Lines) > maxOffset || len(piece.Row) > 190 {
			return errs.New(errs.Invalid, "dispatch.log", "the output has the row %.40q, the offset %d and %d lost bytes",
				piece.Row, piece.Offset, piece.Lost)
		}
		rows = append(rows, piece.Row)
	}
	strange, err := s.foreign(ctx, r, c, rows)
	if err != nil {
		return err
	}
	defer s.streams.Turn(key)()
	for _, piece := range batch.Chunks {
		if strange[piece.Row] {
			continue
		}
		pieces = append(pieces, s.streams.Take(key, piece, mask)...)
	}
	if len(pieces) > 0 || len(strange) == 0 {
		if err := s.keepOutput(r.Run, r.ID, c.Round, pieces); err != nil {
			return err
		}
	}
	return s.refuse(ctx, r, key, strange)
}

// keepOutput stores pieces of output and tells who follows.
func (s *Service) keepOutput(run, job int64, round int, pieces []wire.LogChunk) error {
	if err := s.Store.Keep(run, job, round, pieces); err != nil {
		return err
	}
	s.followers.Poke(state.Key(job))
	s.Changed(state.Key(run))
	return nil
}

// Progress notes how far a row of a plugin's call is.
func (s *Service) Progress(ctx context.Context, key string, p wire.Progress) error {
	r, c, err := s.owns(ctx, key, identity.From(ctx).ID)
	if err != nil {
		return err
	}
	mask, err := s.maskOf(ctx, key, r, c)
	if err != nil {
		return err
	}
	strange, err := s.foreign(ctx, r, c, []string{p.Row})
	if err == nil {
		err = s.refuse(ctx, r, key, strange)
	}
	if err != nil {
		return err
	}
	p.Message = mask.Text(p.Message)
	s.progress.Set(state.Key(r.ID), p)
	s.progressed(state.Key(r.Run), state.Key(r.ID))
	return nil
}

// Result takes the call-back of an accepted call. A second one, and one of a
// round that is over, is Gone.
func (s *Service) Result(ctx context.Context, key string, resp wire.Response) error {
	r, c, err := s.owns(ctx, key, identity.From(ctx).ID)
	if err != nil {
		return err
	}
	answered := errs.New(errs.Gone, "dispatch.answered", "the call %s has its answer already", key)
	if c.Answered {
		return answered
	}
	svc, err := s.Plugins.Resolve(r.Service)
	if err != nil {
		return err
	}
	all, err := record.Rows(ctx, s.DB, r.ID)
	if err != nil {
		return err
	}
	t := &task{Step: outcome.Step{Svc: svc, Rows: all}}
	rows := t.answers(c).Outcomes(resp)
	strange, err := s.foreign(ctx, r, c, answer.Named(resp, rows))
	if err != nil {
		return err
	}
	mask, err := s.maskOf(ctx, key, r, c)
	if err != nil {
		return err
	}
	answer.Hide(mask, rows)
	stored := false
	if len(rows) > 0 {
		err = s.DB.Do(ctx, func(tx *db.Tx) error {
			var err error
			stored, err = s.Records.StoreAnswer(tx, r.Run, r.ID, c, rows)
			return err
		})
	}
	if err != nil {
		return err
	}
	if !stored {
		return answered
	}
	s.wait.Poke(key)
	s.changed(state.Key(r.Run), state.Key(r.ID), rows...)
	return s.refuse(ctx, r, key, strange) // its own rows are known, though
}

// JobState is what is known of a job: its rows and how far they are.
type JobState struct {
	Job      string                   `json:"job"`
	Element  string                   `json:"element"`
	Service  string                   `json:"service"`
	Version  string                   `json:"version" doc:"Version of the plugin that was asked"`
	Round    int                      `json:"round"`
	Tries    int                      `json:"tries"`
	Rows     []*record.Row            `json:"rows"`
	Progress map[string]wire.Progress `json:"progress,omitempty"`
	Waits    []*control.Lock          `json:"waits,omitempty" doc:"What stands against its claims: who holds it, and who came first"`
	id       int64
}

// Jobs lists what is known of the jobs of a run, oldest first.
func (s *Service) Jobs(ctx context.Context, run state.Key) ([]JobState, error) {
	return s.jobsOf(ctx, run, "r.outputs")
}

// Outcomes is Jobs without the outputs of the rows, for who only counts.
func (s *Service) Outcomes(ctx context.Context, run state.Key) ([]JobState, error) {
	return s.jobsOf(ctx, run, "'{}'")
}

func (s *Service) jobsOf(ctx context.Context, run state.Key, outputs string) ([]JobState, error) {
	jobs, err := record.JobsOf(ctx, s.DB, int64(run))
	if err != nil || len(jobs) == 0 {
		return []JobState{}, err
	}
	rows, err := record.RowsOfRun(ctx, s.DB, int64(run), outputs)
	if err != nil {
		return nil, err
	}
	all := make([]JobState, 0, len(jobs))
	for _, j := range jobs {
		job, err := s.jobOf(ctx, j, rows[j.ID])
		if err != nil {
			return nil, err
		}
		all = append(all, job)
	}
	return all, nil
}

func (s *Service) jobOf(ctx context.Context, j record.Job, rows []*record.Row) (JobState, error) {
	job := state.Key(j.ID)
	waits, err := s.waitsOf(ctx, job)
	return JobState{Job: itoa(j.ID), Element: j.Node, Service: j.Service, Version: j.Version, Round: j.Round, Tries: j.Tries,
		Rows: append([]*record.Row{}, rows...), Progress: s.progress.Of(job), Waits: waits, id: j.ID}, err
}

// waitsOf is what stands against the claims of a job, as far as the subject of ctx may
// know it.
func (s *Service) waitsOf(ctx context.Context, job state.Key) ([]*control.Lock, error) {
	all := s.waits.Of(job)
	if len(all) == 0 {
		return nil, nil
	}
	return s.door.Told(ctx, all)
}

// reported takes what a plugin reports about a call.
func reported(w http.ResponseWriter, r *http.Request, most int64, into any, take func() error) error {
	data, err := api.ReadBody(w, r, most)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return errs.New(errs.Malformed, "dispatch.garbage", "the body is not what a plugin reports here: %s", err)
	}
	if err := take(); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Routes adds the endpoints for plugins, and those that show output.
func (s *Service) Routes(a *api.API) {
	type CallKey struct {
		Key string `path:"key" maxLength:"64" doc:"The Idempotency-Key of the call"`
	}
	// Output comes fast: it is read once, and not looked at sign by sign.
	a.Handle(api.Endpoint{ID: "reportLog", Tag: "jobs", Summary: "Live output of a call",
		Method: http.MethodPost, Path: "/api/v1/jobs/{key}/log", Permission: "job.report"}, func(w http.ResponseWriter, r *http.Request) error {
		var batch wire.LogBatch
		return reported(w, r, maxLogPost, &batch, func() error { return s.Output(r.Context(), r.PathValue("key"), batch) })
	})
	type progressIn struct {
		CallKey
		Body wire.Progress
	}
	api.Register(a, api.Endpoint{ID: "reportProgress", Method: http.MethodPost,
		Path: "/api/v1/jobs/{key}/progress", Tag: "jobs", Summary: "How far a row is", Permission: "job.report", Status: http.StatusNoContent},
		func(ctx context.Context, in *progressIn) (*struct{}, error) {
			return nil, s.Progress(ctx, in.Key, in.Body)
		})
	a.Handle(api.Endpoint{ID: "reportResult", Tag: "jobs", Summary: "Call-back of an accepted call", Method: http.MethodPost,
		Path: "/api/v1/jobs/{key}/result", Permission: "job.report"}, func(w http.ResponseWriter, r *http.Request) error {
		var resp wire.Response
		return reported(w, r, api.MaxBody, &resp, func() error { return s.Result(r.Context(), r.PathValue("key"), resp) })
	})
	s.Store.Routes(a, s)
	s.rowRoute(a)
}
