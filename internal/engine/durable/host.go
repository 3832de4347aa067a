package durable

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

type scanner = *sql.Rows

// ErrNoRun is returned for a run that is over or was never started.
var ErrNoRun = errors.New("the run is not active")

// Job is work offered to a worker. Variables are read with Host.Read.
type Job struct {
	Key      state.Key
	Run      state.Key
	Element  state.Key
	Type     string
	Retries  int32
	Round    int32
	Override json.RawMessage
	Program  *program.Program
	Node     *program.Node
	// New says that the job was never offered before: its step has just begun.
	New bool
}

// Worker takes jobs. Both methods are called on a shard's loop and must return
// at once.
type Worker interface {
	// Offer hands a job over. After a restart or a failure it comes again.
	Offer(Job)
	// Withdraw says that nobody waits for a job any more.
	Withdraw(job state.Key)
}

// Change is what one step did, for the read side.
type Change struct {
	Run     state.Key
	Program *program.Program
	Now     time.Time
	Seq     int64 // number of the history chunk that holds Facts
	engine.Result
}

// Projector keeps the read side: it writes within the transaction of the step.
type Projector interface {
	Project(tx *db.Tx, c *Change) error
}

// Deps is what a host needs.
type Deps struct {
	DB    *db.DB
	Clock clock.Clock
	Log   *slog.Logger
	// Programs gives the program with a key; it must not block for long.
	Programs func(key int64) (*program.Program, error)
	Zone     func(name string) (*time.Location, error)
	// Workers take the jobs, the first that accepts a type has it. A job whose
	// type nobody accepts stays in the state.
	Workers []Subscription
	// Projector may be nil.
	Projector Projector
	// Calls finds what call activities call; without it they stop with an incident.
	Calls Calls
	// Budget is what one run may use, Moves how many tokens it moves before others
	// have their turn; what is 0 has its default.
	Budget engine.Budget
	Moves  int
	// Marks is the file that tells after a crash which runs were at work; empty for
	// none.
	Marks string
}

// Subscription hands the jobs of the types that Accepts likes to a worker.
type Subscription struct {
	Accepts func(jobType string) bool
	Worker  Worker
}

// Host runs processes durably. It is safe for concurrent use.
type Host struct {
	deps   Deps
	marks  *marks
	held   holds
	shards []*shard
	timers *timers
	wg     sync.WaitGroup
	begun  sync.Map // runs whose first turn is still to come, for Began
	closed atomic.Bool
	over   chan struct{} // closed with the host
	asked  atomic.Uint64 // keys of runs, from a random number
	stop   context.CancelFunc
}

// Open loads the active runs and prepares their jobs and timers. Nothing moves
// before Start.
func Open(ctx context.Context, deps Deps) (*Host, error) {
	deps.Moves = cmp.Or(deps.Moves, movesPerTurn)
	h := &Host{deps: deps, over: make(chan struct{})}
	h.timers = newTimers(deps.Clock, h.due)
	h.asked.Store(rand.Uint64N(Shards * neighbours))
	for i := range Shards {
		h.shards = append(h.shards, newShard(h, i))
	}
	if err := reserveAll(ctx, deps.DB, h.shards); err != nil {
		return nil, err
	}
	var err error
	if h.marks, err = openMarks(deps.Marks); err != nil {
		return nil, err
	}
	return h, h.recover(ctx)
}

// Start begins to work: recovered jobs are offered, timers run.
func (h *Host) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	h.settleHolds(ctx)
	for _, s := range h.shards {
		h.wg.Go(s.loop)
	}
	h.wg.Go(func() { h.timers.run(ctx) })
	for _, s := range h.shards {
		s.push(command{recovered: true})
	}
}

// WaitsFor reports whether a run waits for a job, or is set aside so that nobody
// knows. It may be asked before Start alone.
func (h *Host) WaitsFor(run, job state.Key) bool {
	if _, held := h.held.get(run); held {
		return true
	}
	i := ShardOf(run)
	if i < 0 || i >= Shards {
		return false
	}
	r := h.shards[i].runs[run]
	return r != nil && r.state.JobHolder(job) != nil
}

// Close stops the loops after what was queued. State is on disk already.
func (h *Host) Close() {
	if h.closed.Swap(true) {
		return
	}
	close(h.over)
	if h.stop != nil {
		h.stop()
	}
	for _, s := range h.shards {
		s.close()
	}
	h.wg.Wait()
	h.marks.close()
}

// neighbours is how many runs that are asked for one after the other share a shard.
// What they write lies side by side then, and a commit of many takes few pages.
const neighbours = 16

// NewKey gives the key for a run that is about to start.
func (h *Host) NewKey() state.Key {
	return h.shards[h.asked.Add(1)/neighbours%Shards].keys.take()
}

// StartRun is a run to start.
type StartRun struct {
	Key       state.Key // from NewKey
	Program   int64     // key of the program
	Variables engine.Variables
	Mandate   []byte // what the process cannot reach: who acts, on what
	Event     string // id of the start event, empty for the one without a trigger
}

// StartTx starts a run within a write of the caller, so that whatever admitted
// it is stored in the same commit. Nothing is evaluated within that write: the run
// goes as far as it gets without, and on from there after the commit.
func (h *Host) StartTx(tx *db.Tx, start StartRun) error {
	prog, err := h.deps.Programs(start.Program)
	if err != nil {
		return err
	}
	s := h.shards[ShardOf(start.Key)]
	r := &run{key: start.Key, programKey: start.Program, program: prog, state: state.New(start.Key)}
	res, err := s.stepStill(r, engine.Start{Variables: start.Variables, Mandate: start.Mandate, Event: start.Event})
	if err != nil {
		return err
	}
	w := s.write(r, res)
	w.header = true
	if err := w.store(tx); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		if r.fresh = res.More; r.fresh {
			h.begun.Store(start.Key, true)
		}
		s.push(command{run: start.Key, adopt: r, res: res})
	})
	return nil
}

// Began returns once a run that was started has had its first turn, so that who
// started it finds what came of that. It waits for no other turn.
func (h *Host) Began(ctx context.Context, key state.Key) {
	if _, more := h.begun.Load(key); !more {
		return
	}
	// The run is adopted before the first look, its turn is queued by then, and is
	// stored before the third.
	for range 3 {
		if err := h.Read(ctx, key, func(*state.Run, *program.Program) {}); err != nil {
			return // it is over
		}
	}
}

// Start starts a run in a write of its own.
func (h *Host) StartOne(ctx context.Context, start StartRun) error {
	return h.deps.DB.Do(ctx, func(tx *db.Tx) error { return h.StartTx(tx, start) })
}

// Apply applies an event to a run and returns after the commit. What with
// writes shares the commit; its error undoes the event.
func (h *Host) Apply(ctx context.Context, runKey state.Key, ev engine.Event, with func(*db.Tx) error) error {
	if hold, ok := h.held.get(runKey); ok {
		return h.applyHeld(ctx, runKey, hold, ev, with)
	}
	c := command{run: runKey, event: ev, with: with, reply: make(chan error, 1)}
	if err := h.send(runKey, c); err != nil {
		return err
	}
	select {
	case err := <-c.reply:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ApplyIf is Apply with a check that comes first in the write: its error undoes the
// event, before anything of that is stored.
func (h *Host) ApplyIf(ctx context.Context, runKey state.Key, ev engine.Event, check, with func(*db.Tx) error) error {
	return h.await(ctx, runKey, command{run: runKey, event: ev, check: check, with: with, reply: make(chan error, 1)})
}

// await sends a command and waits for its answer.
func (h *Host) await(ctx context.Context, runKey state.Key, c command) error {
	if err := h.send(runKey, c); err != nil {
		return err
	}
	select {
	case err := <-c.reply:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Finish is Apply for who keeps something of its own with the event: it is written
// first. Other events of the run may share the write; where that fails each is done
// anew, alone. own may run more than once.
func (h *Host) Finish(ctx context.Context, runKey state.Key, ev engine.Event, own func(*db.Tx) error) error {
	return h.await(ctx, runKey, command{run: runKey, event: ev, own: own, reply: make(chan error, 1)})
}

// ApplyAsync is Apply for callers that do not wait; done is called on the
// shard's loop and must return at once.
func (h *Host) ApplyAsync(runKey state.Key, ev engine.Event, with func(*db.Tx) error, done func(error)) error {
	return h.send(runKey, command{run: runKey, event: ev, with: with, done: done})
}

// Read lets fn look at the state of a run on its shard's loop. fn must not keep
// or change the state.
func (h *Host) Read(ctx context.Context, runKey state.Key, fn func(*state.Run, *program.Program)) error {
	return h.await(ctx, runKey, command{run: runKey, read: fn, reply: make(chan error, 1)})
}

func (h *Host) send(runKey state.Key, c command) error {
	i := ShardOf(runKey)
	if i < 0 || i >= Shards {
		return ErrNoRun
	}
	if h.closed.Load() || !h.shards[i].push(c) {
		return errStopping()
	}
	return nil
}

func errStopping() error {
	return errs.New(errs.Unavailable, "engine.stopped", "the server is stopping")
}

// open lets some time go by. It reports whether the host is still open then.
func (h *Host) open(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-h.over:
		return false
	}
}

// due is called by the timers.
func (h *Host) due(e entry) {
	s := h.shards[ShardOf(e.run)]
	switch {
	case e.more:
		s.push(command{run: e.run, event: engine.Continue{}, more: true})
	case e.call:
		s.push(command{run: e.run, call: e.element})
	case e.job != 0:
		s.push(command{run: e.run, offer: e.element})
	default:
		s.push(command{run: e.run, event: engine.TimerFired{Element: e.element, Timer: e.timer}})
	}
}

func (h *Host) worker(jobType string) Worker {
	for _, s := range h.deps.Workers {
		if s.Accepts(jobType) {
			return s.Worker
		}
	}
	return nil
}

// Active counts the runs in memory.
func (h *Host) Active() int {
	n := int64(0)
	for _, s := range h.shards {
		n += s.active.Load()
	}
	return int(n)
}
