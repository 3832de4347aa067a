package durable

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	waveLength   = 256                    // commands of different runs that one wave handles
	movesPerTurn = 10_000                 // tokens that a run moves before others have their turn
	turnFor      = 100 * time.Millisecond // how long such a turn takes at most, but for one move
	stillMoves   = 100                    // tokens that a run moves in the write that starts it
	readAgain    = time.Second / 4        // until a run is read again while the database is away
)

// run is an active run in memory; only its shard's loop touches it.
type run struct {
	key        state.Key
	programKey int64
	program    *program.Program
	state      *state.Run
	caller     *state.Caller
	seq        int64        // number of the next history chunk
	turn       *engine.Turn // of a run whose turn was over; nil where it waits
	queued     bool         // its next turn is in the queue
	fresh      bool         // its first turn is still to come
	birth      *birth       // of a called run, until it is stored
}

// command is something for a shard's loop to do.
type command struct {
	run       state.Key
	event     engine.Event
	check     func(*db.Tx) error // comes before the write, with after it
	own       func(*db.Tx) error // comes before the write, too, and may share it with other commands
	with      func(*db.Tx) error
	reply     chan error
	done      func(error)
	read      func(*state.Run, *program.Program)
	adopt     *run
	res       engine.Result // with adopt
	offer     state.Key     // offer the job of this element again
	call      state.Key     // begin the run that this element calls
	dropped   bool          // the run was ended without its state: those that know it hear of that
	more      bool          // go on with a run whose turn was over
	recovered bool
}

func (c *command) answer(err error) {
	if c.reply != nil {
		c.reply <- err
	}
	if c.done != nil {
		c.done(err)
	}
}

type shard struct {
	host   *Host
	keys   *keys
	runs   map[state.Key]*run
	active atomic.Int64

	mu     sync.Mutex
	queue  []command
	wake   *sync.Cond
	closed bool
}

func newShard(h *Host, i int) *shard {
	s := &shard{host: h, keys: &keys{shard: i, db: h.deps.DB}, runs: map[state.Key]*run{}}
	s.wake = sync.NewCond(&s.mu)
	return s
}

func (s *shard) push(c command) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queue = append(s.queue, c)
	if len(s.queue) == 1 {
		s.wake.Signal()
	}
	return true
}

func (s *shard) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake.Signal()
}

// next waits for commands; nil means that the shard was closed.
func (s *shard) next(into []command) []command {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 {
		if s.closed {
			return nil
		}
		s.wake.Wait()
	}
	all := s.queue
	s.queue = into[:0]
	return all
}

func (s *shard) loop() {
	var spare []command
	for {
		all := s.next(spare)
		if all == nil {
			return
		}
		for rest := all; len(rest) > 0; {
			n := s.wave(rest)
			rest = rest[n:]
		}
		clear(all)
		spare = all
	}
}

// pending is what a wave does to one run and to those that it has called or that have
// called it: the steps of some commands, stored by one write.
type pending struct {
	parts    []part
	first    [1]part // room for parts
	commands []*command
	dropped  []state.Key // called runs that are set aside, and end
	wait     <-chan error
	poison   error     // the step of one more command broke off
	poisoned state.Key // the run that it was a step of
}

// part is what is done to one run.
type part struct {
	run  *run
	res  engine.Result
	born bool // it has just been called
}

func newPending() *pending {
	p := &pending{}
	p.parts = p.first[:0]
	return p
}

func (p *pending) add(r *run, res engine.Result, born bool) {
	for i := range p.parts {
		if at := &p.parts[i]; at.run == r {
			at.res.Effects = append(at.res.Effects, res.Effects...)
			at.res.Facts = append(at.res.Facts, res.Facts...)
			return
		}
	}
	p.parts = append(p.parts, part{r, engine.Result{Effects: res.Effects, Facts: res.Facts}, born})
}

// takes reports whether a command may join: its step has no write of its own
// that could fail alone.
func (p *pending) takes(c *command) bool {
	return c.steps() && c.shared() && p.poison == nil && p.commands[0].shared()
}

// shared reports whether a command has nothing of its own to store.
func (c *command) shared() bool { return c.with == nil && c.check == nil }

// steps reports whether a command changes the state of runs.
func (c *command) steps() bool { return c.event != nil || c.call != 0 }

// wave handles commands up to the first that cannot share the wave: the steps of
// each run become one write, all writes are queued and share a commit, then each
// command is answered.
func (s *shard) wave(commands []command) int {
	touched := make(map[state.Key]*pending, min(len(commands), waveLength))
	var open []*pending
	n, began := 0, s.host.deps.Clock.Now()
	for i := range commands {
		c := &commands[i]
		tree := s.tree(c.run)
		p := touched[tree]
		if p != nil && !p.takes(c) || n >= waveLength || n > 0 && s.host.deps.Clock.Now().Sub(began) > turnFor {
			break
		}
		n++
		if !c.steps() {
			s.plain(c)
			continue
		}
		if p = s.begin(c, p); p != nil && touched[tree] == nil {
			touched[tree] = p
			open = append(open, p)
		}
	}
	for _, p := range open {
		s.submit(p)
	}
	for _, p := range open {
		s.settle(p)
	}
	return n
}

// plain handles a command that changes no state.
func (s *shard) plain(c *command) {
	switch {
	case c.recovered && c.adopt == nil:
		for _, r := range s.runs {
			s.resume(r)
		}
	case c.adopt != nil:
		s.keep(c.adopt)
		if c.recovered {
			s.resume(c.adopt)
			return
		}
		s.release(c.adopt, c.res.Effects)
		s.goOn(c.adopt)
	case c.offer != 0:
		if r := s.runs[c.run]; r != nil {
			if el := r.state.Elements[c.offer]; el != nil && el.Job != nil && el.Incident == nil {
				s.offer(r, el.Key, el.Node, *el.Job, false)
			}
		}
	case c.dropped:
		s.orphan(c.run)
	case c.read != nil:
		r := s.runs[c.run]
		if r == nil {
			c.answer(s.host.absent(c.run))
			return
		}
		c.read(r.state, r.program)
		c.answer(nil)
	}
}

// begin steps a run. It gives the pending work that the command belongs to, which
// is p where there was some, and nil for a command that was refused first.
func (s *shard) begin(c *command, p *pending) *pending {
	r := s.runs[c.run]
	if r == nil {
		c.answer(s.host.absent(c.run))
		return p
	}
	if err := s.callers(r, c.event); err != nil {
		s.refuse(c, err)
		return p
	}
	event := c.event
	if c.more {
		r.queued = false
		if r.turn == nil {
			return p // it has been read back meanwhile, and goes on anew
		}
		event = engine.Continue{Turn: *r.turn}
	}
	into := p
	if into == nil {
		into = newPending()
	}
	var err error
	if c.call != 0 {
		err = s.call(into, r, c.call)
	} else {
		err = s.steps(into, r, event)
	}
	switch {
	case errors.Is(err, errPanicked):
		c.answer(errs.Wrap(err, errs.Internal, "internal", "internal error"))
		into.poison = err
		if into.poisoned == 0 {
			into.poisoned = r.key
		}
		return into
	case err != nil:
		c.answer(err)
		return p
	}
	into.commands = append(into.commands, c)
	return into
}

// submit queues the write of pending work.
func (s *shard) submit(p *pending) {
	if p.poison != nil {
		p.wait = failedWith(p.poison)
		return
	}
	// Those that were called go first: when a run ends, what it has called is over.
	slices.SortFunc(p.parts, func(a, b part) int { return cmp.Compare(b.run.key, a.run.key) })
	writes, check, with := make([]*write, len(p.parts)), p.commands[0].check, p.commands[0].with
	for i := range p.parts {
		at := &p.parts[i]
		s.host.marks.at(s.keys.shard, at.run)
		writes[i] = s.write(at.run, at.res)
		writes[i].header = at.born
	}
	s.host.marks.clear(s.keys.shard)
	wait, err := s.host.deps.DB.Submit(context.Background(), func(tx *db.Tx) error {
		if check != nil {
			if err := check(tx); err != nil {
				return err
			}
		}
		for _, c := range p.commands {
			if c.own == nil {
				continue
			}
			if err := c.own(tx); err != nil {
				return err
			}
		}
		for _, key := range p.dropped {
			if err := s.host.endIn(tx, key, calledNoMore); err != nil {
				return err
			}
		}
		for _, w := range writes {
			if err := w.store(tx); err != nil {
				return err
			}
		}
		if with == nil {
			return nil
		}
		return with(tx)
	})
	if err != nil {
		wait = failedWith(err)
	}
	p.wait = wait
}

func failedWith(err error) <-chan error {
	failed := make(chan error, 1)
	failed <- err
	return failed
}

// settle answers once the write is stored. Where it was not, the run is read
// back; commands that shared the write are then done one by one, so that none
// fails for another.
func (s *shard) settle(p *pending) {
	err := <-p.wait
	if err != nil {
		for _, at := range p.parts {
			s.reload(at.run)
		}
		if len(p.commands) > 1 || p.poison != nil {
			for _, c := range p.commands {
				if one := s.begin(c, nil); one != nil {
					s.submit(one)
					s.settle(one)
				}
			}
			if p.poison != nil {
				s.setAside(p.poisoned, p.poison)
			}
			return
		}
		s.refuse(p.commands[0], err)
		return
	}
	for _, at := range p.parts {
		if at.run.state.Root() == nil {
			delete(s.runs, at.run.key)
			s.active.Add(-1)
		}
	}
	for _, key := range p.dropped {
		s.host.held.drop(key)
		s.orphan(key)
	}
	for i := range p.parts {
		s.release(p.parts[i].run, p.parts[i].res.Effects)
	}
	for _, c := range p.commands {
		c.answer(nil)
	}
	for _, at := range p.parts {
		if at.run.fresh {
			at.run.fresh = false
			s.host.begun.Delete(at.run.key)
		}
		s.goOn(at.run)
	}
}

// goOn queues the next turn of a run, behind whatever else waits for the shard:
// a cancel is answered between two turns.
func (s *shard) goOn(r *run) {
	if r.turn != nil && s.runs[r.key] == r && !r.queued {
		r.queued = s.push(command{run: r.key, event: engine.Continue{}, more: true})
	}
}

// refuse answers a command whose step could not be stored; a timer comes again.
func (s *shard) refuse(c *command, err error) {
	if c.more {
		s.host.deps.Log.Error("a turn of a run could not be stored; it is tried again", "run", c.run, "err", err)
		s.host.timers.add(entry{due: s.host.deps.Clock.Now().Add(retryAfter), run: c.run, more: true})
	} else if c.call != 0 {
		s.host.deps.Log.Error("a called run could not be stored; it is tried again", "run", c.run, "err", err)
		s.callAgain(c.run, c.call)
	} else if c.reply == nil && c.done == nil {
		s.host.deps.Log.Error("a timer's step could not be stored; it is tried again", "run", c.run, "err", err)
		s.host.timers.retry(c.run, c.event)
	}
	c.answer(err)
}

func (s *shard) keep(r *run) {
	if r.state.Root() == nil {
		return // it ended in its first step
	}
	s.runs[r.key] = r
	s.active.Add(1)
}

// setAside takes a run out of the loop, whose stored state is kept.
func (s *shard) setAside(key state.Key, why error) {
	if s.runs[key] == nil {
		return // the reading back has failed, and has set it aside
	}
	delete(s.runs, key)
	s.active.Add(-1)
	s.host.holdSoon(key, HeldPoison, why)
}

// reload puts the stored state of a run back in place of the one in memory. That it
// cannot be read while the database is away says nothing of the run: it is read once
// that is back.
func (s *shard) reload(r *run) {
	fresh, err := s.host.load(context.Background(), r.key)
	for db.Unasked(err) && s.host.open(readAgain) {
		fresh, err = s.host.load(context.Background(), r.key)
	}
	if err != nil {
		if s.runs[r.key] == r {
			delete(s.runs, r.key)
			s.active.Add(-1)
		}
		if !errors.Is(err, ErrNoRun) && !db.Unasked(err) {
			s.host.holdSoon(r.key, HeldDamaged, err)
		}
		return
	}
	s.runs[r.key] = fresh
	s.goOn(fresh)
}

// step applies an event on the shard's loop, for one turn at most.
func (s *shard) step(r *run, ev engine.Event) (engine.Result, error) {
	s.host.marks.at(s.keys.shard, r)
	defer s.host.marks.clear(s.keys.shard)
	env := s.env(r)
	var began time.Time
	looks := 0
	env.Moves, env.Tired = s.host.deps.Moves, func() bool {
		if looks++; looks < 4 { // a short step does not look at the clock
			return false
		}
		now := s.host.deps.Clock.Now()
		if began.IsZero() {
			began = now
		}
		return now.Sub(began) > turnFor
	}
	return advance(env, r, ev)
}

// stepStill applies an event under the writer, as far as nothing is evaluated.
func (s *shard) stepStill(r *run, ev engine.Event) (engine.Result, error) {
	env := s.env(r)
	env.Moves, env.Still = stillMoves, true
	return advance(env, r, ev)
}

func (s *shard) env(r *run) *engine.Env {
	env := &engine.Env{Program: r.program, Now: s.host.deps.Clock.Now(), Zone: s.host.deps.Zone,
		Random: rand.Uint64, NextKey: s.keys.take, Budget: s.host.deps.Budget}
	if r.caller != nil {
		env.Caller = func(code string, escalation bool) (caught, interrupts bool) {
			return s.catches(r.caller, code, escalation)
		}
	}
	return env
}

// errPanicked marks a step that found a fault of the engine: the state in memory
// is not to be trusted, the stored one is.
var errPanicked = errors.New("the step broke off")

func advance(env *engine.Env, r *run, ev engine.Event) (res engine.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanicked, p, debug.Stack())
		}
	}()
	if res, err = engine.Step(env, r.state, ev); err != nil {
		return res, err
	}
	switch _, continued := ev.(engine.Continue); {
	case res.More:
		r.turn = &res.Turn
	case continued || r.state.Root() == nil:
		r.turn = nil
	}
	return res, nil
}

// release carries out the effects of a step that was stored.
func (s *shard) release(r *run, effects []engine.Effect) {
	for i := range effects {
		e := &effects[i]
		switch e.Kind {
		case engine.JobCreated:
			if el := r.state.Elements[e.Element]; el == nil || el.Job == nil || el.Job.Key != e.Key {
				continue // withdrawn in the same step
			}
			s.offer(r, e.Element, e.Node, e.Job, e.New)
		case engine.JobGone:
			for _, w := range s.host.deps.Workers {
				w.Worker.Withdraw(e.Key)
			}
		case engine.TimerArmed:
			s.host.timers.add(entry{due: e.Due, run: r.key, element: e.Element, timer: e.Key})
		case engine.CallAsked:
			s.push(command{run: r.key, call: e.Element})
		case engine.TimerGone, engine.TaskCreated, engine.TaskGone, engine.IncidentRaised, engine.IncidentGone, engine.RunEnded:
			// The projector has these; a stale timer finds nothing when it fires.
		}
	}
}

func (s *shard) offer(r *run, element state.Key, node int32, j state.Job, first bool) {
	if j.NotBefore.After(s.host.deps.Clock.Now()) {
		s.host.timers.add(entry{due: j.NotBefore, run: r.key, element: element, job: j.Key})
		return
	}
	if w := s.host.worker(j.Type); w != nil {
		w.Offer(Job{Key: j.Key, Run: r.key, Element: element, Type: j.Type, Retries: j.Retries,
			Round: j.Round, Override: j.Override, Program: r.program, Node: r.program.Nodes[node], New: first})
	}
}

// resume offers the jobs and arms the timers of a run that was loaded.
func (s *shard) resume(r *run) {
	if !s.resumeCalls(r) {
		return
	}
	for _, el := range r.state.Sorted() {
		if el.Job != nil && el.Incident == nil {
			s.offer(r, el.Key, el.Node, *el.Job, false)
		}
		for _, t := range el.Timers {
			s.host.timers.add(entry{due: t.Due, run: r.key, element: el.Key, timer: t.Key})
		}
	}
	s.goOn(r)
}
