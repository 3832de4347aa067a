package dispatch

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"sextant/internal/domain/dispatch/record"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// maxRounds is how many rounds of a row are shown, the newest.
const maxRounds = 20

// hidden stands in an answer where a secret input was sent.
var hidden = json.RawMessage(`"••••••"`)

// RowCall is one call that a row went out with.
type RowCall struct {
	Key      string    `json:"key" doc:"Idempotency-Key of the call"`
	Round    int       `json:"round"`
	Rows     int       `json:"rows" doc:"How many objects went out with it"`
	Sent     bool      `json:"sent"`
	Answered bool      `json:"answered"`
	Deadline time.Time `json:"deadline"`
	Inputs   wire.Row  `json:"inputs,omitempty" doc:"What the object's row was sent, without secrets; absent where the service is not known any more"`
}

// RowView is all that is known of an object in a step: what became of it and
// the calls that it went out with, the newest first.
type RowView struct {
	Row     *record.Row `json:"row"`
	Percent int         `json:"percent,omitempty"`
	Said    string      `json:"said,omitempty" doc:"What the plugin says it is doing"`
	Calls   []RowCall   `json:"calls"`
}

// Row looks an object of a job up.
func (s *Service) Row(ctx context.Context, job api.Key, object string) (RowView, error) {
	v := RowView{Calls: []RowCall{}}
	if _, err := s.RunOf(ctx, job); err != nil {
		return v, err
	}
	row, err := record.FindRow(ctx, s.DB, int64(job), object)
	if err != nil {
		return v, err
	}
	if row == nil {
		return v, errs.New(errs.NotFound, "job.row_not_found", "the job %d has no object %.190q", job, object)
	}
	v.Row = row
	if p := s.progress.Of(job)[object]; v.Row.Outcome == "" {
		v.Percent, v.Said = p.Percent, p.Message
	}
	v.Calls, err = s.callsOf(ctx, int64(job), object)
	return v, err
}

// callsOf reads the calls that a row went out with, one of each round.
func (s *Service) callsOf(ctx context.Context, job int64, row string) ([]RowCall, error) {
	r, err := record.Find(ctx, s.DB, job)
	if err != nil || r == nil {
		return nil, err
	}
	svc, unknown := s.Plugins.Resolve(r.Service)
	calls := []RowCall{}
	for round := r.Round; round >= 0 && round > r.Round-maxRounds; round-- {
		chunks, err := record.Chunks(ctx, s.DB, job, round)
		if err != nil {
			return nil, err
		}
		for _, c := range chunks {
			call, ok, err := callOf(job, c, row)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			if call.Inputs = shown(svc.Action.Input, call.Inputs); unknown != nil {
				call.Inputs = nil
			}
			calls = append(calls, call)
		}
	}
	return calls, nil
}

// callOf finds a row in a chunk.
func callOf(job int64, c *record.Chunk, row string) (RowCall, bool, error) {
	var req wire.Request
	if err := json.Unmarshal(c.Body, &req); err != nil {
		return RowCall{}, false, err
	}
	for _, in := range req.Inputs {
		if string(in[wire.FieldCallback]) == string(wire.Raw(row)) {
			return RowCall{callKey(job, c), c.Round, len(req.Inputs), c.Sent, c.Answered, c.Deadline, in}, true, nil
		}
	}
	return RowCall{}, false, nil
}

// shown is the inputs of a row as people may see them.
func shown(params []wire.Param, row wire.Row) wire.Row {
	out := wire.Row{}
	for _, p := range params {
		v, ok := row[p.Name]
		switch {
		case !ok:
		case p.Secret:
			out[p.Name] = hidden
		default:
			out[p.Name] = v
		}
	}
	return out
}

func (s *Service) rowRoute(a *api.API) {
	type in struct {
		Job    api.KeyParam `path:"job"`
		Object string       `query:"object" maxLength:"330" doc:"The object's reference, empty where the step acts on none"`
	}
	type out struct{ Body RowView }
	api.Register(a, api.Endpoint{ID: "getJobRow", Method: http.MethodGet, Path: "/api/v1/jobs/{job}/row",
		Tag: "jobs", Summary: "One object in a step: its outcome, and the calls it went out with", Permission: "run.read"},
		func(ctx context.Context, i *in) (*out, error) {
			v, err := s.Row(ctx, i.Job.Key, i.Object)
			return &out{v}, err
		})
}
