package runs

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/engine/durable"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Called finds what a call activity calls: a version of a process, which acts for whom
// and on what its caller does; within a batch on the rows of that.
func (s *Service) Called(c durable.Call) (durable.Called, error) {
	ctx := context.Background()
	m, err := control.ReadMandate(c.Mandate)
	if err != nil {
		return durable.Called{},
			errs.Wrap(err, errs.Invalid, "run.mandate", "it is not known on whose behalf the run acts: cancel it and start it again")
	}
	d, err := s.Definitions.Called(ctx, m.Project, c.Program, c.Node.Call, c.Process)
	if err != nil {
		return durable.Called{}, err
	}
	p, err := s.Definitions.Program(int64(d.Key))
	if err == nil {
		err = s.Definitions.Begins(p, c.Variables)
	}
	if err == nil {
		err = s.room(ctx, s.DB, m.Project)
	}
	if err == nil && c.Rows != nil {
		err = json.Unmarshal(c.Rows, &m.Objects)
	}
	if err != nil {
		return durable.Called{}, err
	}
	m.Rights = s.chosen(c, m.Rights)
	mandate, err := m.Encode()
	return durable.Called{Program: int64(d.Key), Mandate: mandate}, err
}

// chosen gives the rights with which a called run acts: those of its caller, and of
// those no others than each has had who gave what the process was chosen by.
func (s *Service) chosen(c durable.Call, own identity.Rights) identity.Rights {
	given, _ := s.Dispatch.Gifts.Of(c.Caller)
	x := c.Node.Call.Process.Expr
	if len(given) == 0 || x == nil {
		return own
	}
	p, err := s.Definitions.Program(c.Program)
	if err != nil { // the engine has it
		return identity.Rights{}
	}
	return gift.Bounded(own, x.Names(), given, p, s.Dispatch.Planner.Takes)
}

// Begin keeps a called run, in the write that begins it.
func (s *Service) Begin(tx *db.Tx, c durable.Call, called durable.Called, now time.Time) error {
	up, err := findRun(context.Background(), tx, c.Caller)
	if err != nil {
		return err
	}
	m, err := control.ReadMandate(called.Mandate)
	if err != nil {
		return err
	}
	run := Run{State: StateActive, Key: c.Run, Project: up.Project,
		Process: c.Process, Subject: up.Subject, Verdict: up.Verdict, Objects: m.Objects,
		Started: now, Parent: up.Key, Root: up.Key, Caller: c.Node.ID, definition: called.Program, places: up.places}
	if up.Root != 0 {
		run.Root = up.Root
	}
	s.where.add(c.Run, run.Project, run.Process)
	if err := insertRun(tx, run); err != nil {
		return err
	}
	if err := insertCall(tx, run, called.Mandate); err != nil {
		return err
	}
	if err := s.handOn(tx, up, run); err != nil {
		return err
	}
	s.family.add(int64(run.Key), ancestors{int64(run.Parent), int64(run.Root)}) // it may end in this write
	tx.AfterCommit(func() { s.active.Add(run.Project, 1) })
	return started.Publish(s.Bus, tx, about(run), Begun{run.Process, up.Key.String()})
}

// handOn keeps who gave what one run has and another gets of it: the one that it calls
// or that has called it.
func (s *Service) handOn(tx *db.Tx, from, to Run) error {
	given, _ := s.Dispatch.Gifts.Of(from.Key)
	if len(given) == 0 {
		return nil
	}
	p, err := s.Definitions.Program(from.definition)
	if err != nil {
		return err
	}
	return s.Dispatch.Gifts.Pass(tx, to.Key, p, s.Dispatch.Planner.Takes, given)
}

// endedCall does what the end of a called run brings for the one that has called it,
// which may only have waited for that.
func (s *Service) endedCall(tx *db.Tx, key api.Key, now time.Time) error {
	if s.family.of(int64(key)).root == 0 {
		return nil
	}
	r, err := findRun(context.Background(), tx, key)
	if err != nil {
		return err
	}
	tx.AfterCommit(func() {
		s.family.drop(int64(key))
		s.news.Poke(int64(r.Parent))
	})
	up, err := findRun(context.Background(), tx, r.Parent)
	if err != nil || up.Over() {
		return err
	}
	if up.State != StateStopping {
		return s.handOn(tx, r, up)
	}
	return s.stopped(context.Background(), tx, up.Key, now)
}

// alone refuses what is done to the run that has called another one instead.
func (r Run) alone() error {
	if r.Root == 0 {
		return nil
	}
	return errs.New(errs.Conflict, "run.called", "the run %d was called by the run %d and ends with it: "+
		"cancel the run %d, or skip the step %s of the run %d", r.Key, r.Parent, r.Root, r.Caller, r.Parent).
		With("parent", r.Parent.String()).With("root", r.Root.String())
}

// family knows the runs that others have called and that go on.
type family struct {
	mu    sync.RWMutex
	all   map[int64]ancestors
	below map[int64]int // how many of them a run has called
}

// ancestors are the run that has called another one, and the run above all.
type ancestors struct{ parent, root int64 }

func (f *family) add(run int64, a ancestors) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all, f.below = map[int64]ancestors{}, map[int64]int{}
	}
	if _, known := f.all[run]; !known {
		f.below[a.parent]++
	}
	f.all[run] = a
}

func (f *family) drop(run int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, known := f.all[run]
	if !known {
		return
	}
	delete(f.all, run)
	if f.below[a.parent]--; f.below[a.parent] == 0 {
		delete(f.below, a.parent)
	}
}

// calls reports whether there may be runs that a run has called and that go on.
func (f *family) calls(run int64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.below[run] > 0
}

// of gives what has called a run; zeros for one that was asked for at the door.
func (f *family) of(run int64) ancestors {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.all[run]
}

// holder is the run that holds what a run needs.
func (f *family) holder(run int64) int64 {
	if a := f.of(run); a.root != 0 {
		return a.root
	}
	return run
}

// Door is the door as the steps of runs see it: a called run holds what it needs in the
// name of the run above it, until that ends.
func (s *Service) Door() Door { return Door{s.door, s} }

// Door is one that knows which runs others have called.
type Door struct {
	*control.Door
	s *Service
}

var (
	_ dispatch.Door = Door{}
	_ object.Guard  = Door{}
)

// Claim takes objects for a run.
func (d Door) Claim(ctx context.Context, h control.Holder, claims []control.Claim, told func([]*control.Lock)) error {
	h.Run = d.s.family.holder(h.Run)
	return d.Door.Claim(ctx, h, claims, told)
}

// Held tells with which fence a run holds what it has claimed.
func (d Door) Held(ctx context.Context, q db.Querier, run int64, claims []control.Claim) (map[string]int64, error) {
	return d.Door.Held(ctx, q, d.s.family.holder(run), claims)
}

// Claimed lists what a run holds.
func (d Door) Claimed(ctx context.Context, q db.Querier, run int64) ([]string, error) {
	return d.Door.Claimed(ctx, q, d.s.family.holder(run))
}

// Mandate reads with which rights and on what a run acts, after it is over too.
func (d Door) Mandate(ctx context.Context, run int64) (control.Mandate, error) {
	return d.s.mandate(ctx, d.s.DB, run)
}

// Edit admits a change of objects: a called run changes what the run above it holds.
func (d Door) Edit(ctx context.Context, project string, objects []string, reason string) (done func(), err error) {
	who := identity.From(ctx)
	if key, is := strings.CutPrefix(who.ID, runSubject); is {
		if run, err := strconv.ParseInt(key, 10, 64); err == nil {
			who.ID = runSubject + clock.Decimal(d.s.family.holder(run))
			ctx = identity.With(ctx, who)
		}
	}
	return d.Door.Edit(ctx, project, objects, reason)
}

const runSubject = "run/" // begins the id of a subject that is a run

// mandate reads with which rights and on what a run acts, after it is over too.
func (s *Service) mandate(ctx context.Context, q db.Querier, run int64) (control.Mandate, error) {
	called, err := callMandate(ctx, q, run)
	if err != nil {
		return control.Mandate{}, err
	}
	if called == nil {
		return s.door.MandateIn(ctx, q, run)
	}
	return control.ReadMandate(called)
}
