package view

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/process/runs"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// Update is one message of a live view: the run as it is, and the steps that
// changed since the message before. The first message alone names the objects of
// the run.
type Update struct {
	Run   runs.Run   `json:"run"`
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
	view *view
	told int   // how much of the log of changes; -1 before the first look
	seq  int64 // how much of the history
	done bool
	// called is what the view was told of called runs.
	called []runs.CalledRun
	// rows is what the view was told of objects; nil where it did not ask.
	rows map[string]map[string]RowState
	look int // the last one of the view of which it was told
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
	r, err := v.s.Runs.Readable(ctx, v.key)
	if err != nil {
		return nil, false, err
	}
	u, fresh, err := v.changes(ctx, r, from)
	if err != nil {
		return nil, false, err
	}
	// The run is read again: it may have ended after the first look, and the
	// message that tells of its end has to say so.
	if r, err = v.s.Runs.Readable(ctx, v.key); err != nil {
		return nil, false, err
	}
	if len(u.Steps) == 0 && len(u.Rows) == 0 && !fresh && !r.Over() && slices.Equal(v.called, r.Called) {
		return nil, false, nil
	}
	v.called = r.Called
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
	return []api.Message{{ID: strconv.FormatInt(v.seq, 10), Event: "run", Data: data}}, v.done, nil
}

// changes gives what changed since the last look; fresh is true at the first.
func (v *watch) changes(ctx context.Context, r runs.Run, from int64) (u Update, fresh bool, err error) {
	fresh = v.told < 0
	v.view.mu.Lock()
	defer v.view.mu.Unlock()
	if v.view.fold == nil {
		p, err := v.s.Definitions.Program(r.Definition())
		if err != nil {
			return u, fresh, err
		}
		v.view.fold = newFold(r.Key, p)
	}
	f := v.view.fold
	if err := f.read(ctx, v.s); err != nil {
		return u, fresh, err
	}
	if err := v.view.dress(ctx); err != nil {
		return u, fresh, err
	}
	u.Steps = v.news(f, from)
	v.told, v.seq = len(f.log), f.seq
	u.Rows = v.moved()
	return u, fresh, nil
}

// news are copies of the steps that the view was not told of as they are: all that
// the history changed from a chunk on, and afterwards what is new in the log.
func (v *watch) news(f *fold, from int64) []*Step {
	var all []*Step
	if v.told < 0 {
		for _, step := range f.steps {
			if step.seq >= from || step.Rows != nil {
				known := *step
				all = append(all, &known)
			}
		}
		return all
	}
	seen := map[*Step]bool{}
	for _, step := range f.log[v.told:] {
		if !seen[step] {
			seen[step] = true
			known := *step
			all = append(all, &known)
		}
	}
	return all
}

// view is what all who watch a run share: its history is folded once.
type view struct {
	mu      sync.Mutex
	fold    *fold
	jobs    *dispatch.Watch
	looks   int
	order   []string // jobs, as they came
	known   map[string]*known
	dressed int // how much of the log of the fold
	users   int // counted by views
	leave   func()
}

// known is what is known of a job, and which look found it last.
type known struct {
	dispatch.JobState
	look int
}

// dress adds to the steps what is new of their rows, and to those that the history
// changed what is known of theirs.
func (v *view) dress(ctx context.Context) error {
	moved, err := v.jobs.Moved(ctx)
	if err != nil {
		return err
	}
	v.looks++
	for _, step := range moved {
		if v.known[step.Job] == nil {
			v.order = append(v.order, step.Job)
		}
		v.known[step.Job] = &known{step, v.looks}
	}
	for _, step := range v.fold.log[v.dressed:] {
		if k := v.known[step.Job]; k != nil && k.look != v.looks {
			moved = append(moved, k.JobState)
		}
	}
	v.fold.dress(moved)
	v.dressed = len(v.fold.log)
	return nil
}

// views are the runs that somebody watches.
type views struct {
	mu sync.Mutex
	of map[api.Key]*view
}

// open gives the view of a run; the function closes it for one who watches.
func (s *views) open(d *dispatch.Service, run api.Key) (*view, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.of[run]
	if v == nil {
		v = &view{known: map[string]*known{}}
		v.jobs, v.leave = d.Watch(run)
		if s.of == nil {
			s.of = map[api.Key]*view{}
		}
		s.of[run] = v
	}
	v.users++
	return v, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if v.users--; v.users == 0 {
			v.leave()
			delete(s.of, run)
		}
	}
}

// moved gives the objects that are further than the view was told.
func (v *watch) moved() []RowState {
	if v.rows == nil {
		return nil
	}
	var all []RowState
	for _, job := range v.view.order {
		k := v.view.known[job]
		if k.look <= v.look {
			continue
		}
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
	v.look = v.view.looks
	return all
}

// Events streams a run as server-sent events until it is over.
func (s *Service) events(a *api.API, w http.ResponseWriter, r *http.Request) error {
	key, err := strconv.ParseInt(r.PathValue("run"), 10, 64)
	if err != nil {
		return errs.New(errs.NotFound, "run.not_found", "there is no run %q", r.PathValue("run"))
	}
	news, stop := s.Runs.News(api.Key(key))
	defer stop()
	ends, forget := s.Runs.Ends(api.Key(key))
	defer forget()
	shared, leave := s.views.open(s.Dispatch, api.Key(key))
	defer leave()
	v := &watch{s: s, key: api.Key(key), view: shared, told: -1}
	if r.URL.Query().Get("rows") == "true" {
		v.rows = map[string]map[string]RowState{}
	}
	allowed := func(ctx context.Context) error {
		_, err := s.Runs.Readable(ctx, api.Key(key))
		return err
	}
	return a.Stream(w, r, api.Feed{After: v.after, News: news, Every: viewEvery, Last: ends, Allowed: allowed})
}
