package process

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"sextant/internal/domain/dispatch"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// Update is one message of a live view: the run as it is, and the steps that
// changed since the message before. The first message alone names the objects of
// the run.
type Update struct {
	Run   Run        `json:"run"`
	Steps []*Step    `json:"steps"`
	Rows  []RowState `json:"rows,omitempty" doc:"Objects of service steps that changed, where the view asked for them"`
}

// RowState is how far an object of a service step is.
type RowState struct {
	Job     string `json:"job"`
	Object  string `json:"object"`
	Outcome string `json:"outcome,omitempty" doc:"Empty while it is not known"`
	Percent int    `json:"percent,omitempty" doc:"How far it is, as its plugin says"`
}

const viewEvery = 100 * time.Millisecond // between two messages of a live view

// watch is one live view of a run. The id of a message is the number of history
// chunks that it and those before tell of; a view that resumes gets what came
// after, and the rows of all steps anew.
type watch struct {
	s    *Service
	key  api.Key
	fold *fold
	done bool
	// rows is what the view was told of objects; nil where it did not ask.
	rows map[string]map[string]RowState
}

// after reads what follows the id.
func (v *watch) after(ctx context.Context, id string) ([]api.Message, bool, error) {
	from := int64(0)
	if id != "" {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n < 0 {
			return nil, false, errs.New(errs.Malformed, "stream.last_event_id", "the Last-Event-ID %q is not one that was sent", id)
		}
		from = n
	}
	if v.done {
		return nil, true, nil
	}
	r, err := v.s.readable(ctx, v.key)
	if err != nil {
		return nil, false, err
	}
	u, fresh, err := v.changes(ctx, r, from)
	if err != nil {
		return nil, false, err
	}
	// The run is read again: it may have ended after the first look, and the
	// message that tells of its end has to say so.
	if r, err = v.s.readable(ctx, v.key); err != nil {
		return nil, false, err
	}
	if len(u.Steps) == 0 && len(u.Rows) == 0 && !fresh && !r.Over() {
		return nil, false, nil
	}
	if r.Over() {
		more, _, err := v.changes(ctx, r, from)
		if err != nil {
			return nil, false, err
		}
		u.Steps, u.Rows, v.done = append(u.Steps, more.Steps...), append(u.Rows, more.Rows...), true
	}
	if u.Run = r; !fresh {
		u.Run.Objects = nil // they never change: the first message has told of them
	}
	data, err := json.Marshal(u)
	if err != nil {
		return nil, false, err
	}
	return []api.Message{{ID: strconv.FormatInt(v.fold.seq, 10), Event: "run", Data: data}}, v.done, nil
}

// changes gives what changed since the last look; fresh is true at the first.
func (v *watch) changes(ctx context.Context, r Run, from int64) (u Update, fresh bool, err error) {
	if fresh = v.fold == nil; fresh {
		if v.fold, err = v.begin(ctx, r, from); err != nil {
			return u, true, err
		}
	}
	if u.Steps, err = v.fold.read(ctx, v.s); err != nil {
		return u, fresh, err
	}
	known, err := v.s.Dispatch.Outcomes(ctx, v.fold.run)
	if err != nil {
		return u, fresh, err
	}
	for _, step := range v.fold.dress(known) {
		if !contains(u.Steps, step) {
			u.Steps = append(u.Steps, step)
		}
	}
	u.Rows = v.moved(known)
	return u, fresh, nil
}

// moved gives the objects that are further than the view was told.
func (v *watch) moved(known []dispatch.Step) []RowState {
	if v.rows == nil {
		return nil
	}
	var all []RowState
	for _, k := range known {
		told := v.rows[k.Job]
		if told == nil {
			told = make(map[string]RowState, len(k.Rows))
			v.rows[k.Job] = told
		}
		for _, r := range k.Rows {
			now := RowState{k.Job, r.Object, string(r.Outcome), 0}
			if r.Outcome == "" {
				now.Percent = k.Progress[r.Object].Percent
			}
			if was, ok := told[r.Object]; !ok || was != now {
				told[r.Object] = now
				all = append(all, now)
			}
		}
	}
	return all
}

func contains(all []*Step, s *Step) bool {
	for _, o := range all {
		if o == s {
			return true
		}
	}
	return false
}

// begin folds the history up to where a resumed view left off.
func (v *watch) begin(ctx context.Context, r Run, from int64) (*fold, error) {
	p, err := v.s.Program(r.definition)
	if err != nil {
		return nil, err
	}
	f := newFold(r.Key, p)
	return f, f.readUntil(ctx, v.s, from)
}

// Events streams a run as server-sent events until it is over.
func (s *Service) events(a *api.API, w http.ResponseWriter, r *http.Request) error {
	key, err := strconv.ParseInt(r.PathValue("run"), 10, 64)
	if err != nil {
		return errs.New(errs.NotFound, "run.not_found", "there is no run %q", r.PathValue("run"))
	}
	news, stop := s.news.Listen(key)
	defer stop()
	v := &watch{s: s, key: api.Key(key)}
	if r.URL.Query().Get("rows") == "true" {
		v.rows = map[string]map[string]RowState{}
	}
	allowed := func(ctx context.Context) error {
		_, err := s.readable(ctx, api.Key(key))
		return err
	}
	return a.Stream(w, r, api.Feed{After: v.after, News: news, Every: viewEvery, Allowed: allowed})
}
