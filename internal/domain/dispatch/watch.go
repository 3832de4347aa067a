package dispatch

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/engine/state"
)

// watches are those who watch runs.
type watches struct {
	mu sync.Mutex
	of map[state.Key]map[*Watch]struct{}
}

// Watch follows the jobs of a run. It remembers what it has read, so that a look costs
// what has changed since the one before. Only one goroutine may use it at a time.
type Watch struct {
	s   *Service
	run state.Key

	mu    sync.Mutex // guards moved
	moved map[int64]*change

	known map[int64]*watched // nil before the first look
}

// change is what happened to a job since the last look.
type change struct {
	anew bool          // it has to be read
	rows []*record.Row // else those that are others now
}

// watched is a job as it was read, with the places of its rows by their objects.
type watched struct {
	JobState
	at map[string]int
}

// Watch follows a run until the function is called.
func (s *Service) Watch(run state.Key) (*Watch, func()) {
	w := &Watch{s: s, run: run, moved: map[int64]*change{}}
	all := &s.watches
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.of == nil {
		all.of = map[state.Key]map[*Watch]struct{}{}
	}
	if all.of[run] == nil {
		all.of[run] = map[*Watch]struct{}{}
	}
	all.of[run][w] = struct{}{}
	return w, func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		if delete(all.of[run], w); len(all.of[run]) == 0 {
			delete(all.of, run)
		}
	}
}

// changed tells that there is news of a job, once it can be read; rows are those that
// have changed where that is all.
func (s *Service) changed(run, job state.Key, rows ...*record.Row) {
	s.note(run, job, len(rows) == 0, rows)
	s.Changed(run)
}

// progressed tells that the rows of a job are further.
func (s *Service) progressed(run, job state.Key) {
	s.note(run, job, false, nil)
	s.Changed(run)
}

func (s *Service) note(run, job state.Key, anew bool, rows []*record.Row) {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	for w := range s.watches.of[run] {
		w.mu.Lock()
		c := w.moved[int64(job)]
		if c == nil {
			c = &change{}
			w.moved[int64(job)] = c
		}
		c.anew, c.rows = c.anew || anew, append(c.rows, rows...)
		w.mu.Unlock()
	}
}

// Moved gives what is known of the jobs that have changed since it was asked before,
// oldest first, without the outputs of their rows: at first of all.
func (w *Watch) Moved(ctx context.Context) ([]JobState, error) {
	w.mu.Lock()
	moved := w.moved
	w.moved = map[int64]*change{}
	w.mu.Unlock()
	if w.known == nil {
		return w.first(ctx)
	}
	var all []JobState
	for job, c := range moved {
		step, err := w.look(ctx, job, c)
		if err != nil {
			w.again(moved)
			return nil, err
		}
		if step != nil {
			all = append(all, *step)
		}
	}
	slices.SortFunc(all, func(a, b JobState) int { return cmp.Or(cmp.Compare(len(a.Job), len(b.Job)), cmp.Compare(a.Job, b.Job)) })
	return all, nil
}

// again has the next look find what this one could not read.
func (w *Watch) again(moved map[int64]*change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for job := range moved {
		w.moved[job] = &change{anew: true}
	}
}

func (w *Watch) first(ctx context.Context) ([]JobState, error) {
	all, err := w.s.Outcomes(ctx, w.run)
	if err != nil {
		return nil, err
	}
	w.known = map[int64]*watched{}
	for i := range all {
		w.keep(&all[i])
	}
	return all, nil
}

func (w *Watch) keep(step *JobState) *watched {
	k := &watched{*step, make(map[string]int, len(step.Rows))}
	for i, r := range step.Rows {
		k.at[r.Object] = i
	}
	w.known[step.id] = k
	return k
}

// look brings what is known of a job up to date; nil where it is not stored yet.
func (w *Watch) look(ctx context.Context, job int64, c *change) (*JobState, error) {
	k := w.known[job]
	for _, r := range c.rows {
		if k == nil || c.anew {
			break
		}
		i, ok := k.at[r.Object]
		if !ok {
			c.anew = true
			break
		}
		row := *r
		row.Outputs = nil
		k.Rows[i] = &row
	}
	if k == nil || c.anew {
		j, err := record.Find(ctx, w.s.DB, job)
		if err != nil || j == nil {
			return nil, err
		}
		rows, err := record.Outcomes(ctx, w.s.DB, job)
		if err != nil {
			return nil, err
		}
		step, err := w.s.jobOf(ctx, *j, rows)
		if err != nil {
			return nil, err
		}
		k = w.keep(&step)
	}
	waits, err := w.s.waitsOf(ctx, state.Key(job))
	k.Progress, k.Waits = w.s.progress.Of(state.Key(job)), waits
	return &k.JobState, err
}
