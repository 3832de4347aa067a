package durable

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

const waveLength = 256 // commands of different runs that one wave handles

// run is an active run in memory; only its shard's loop touches it.
type run struct {
	key        state.Key
	programKey int64
	program    *program.Program
	state      *state.Run
	seq        int64 // number of the next history chunk
}

// command is something for a shard's loop to do.
type command struct {
	run       state.Key
	event     engine.Event
	with      func(*db.Tx) error
	reply     chan error
	done      func(error)
	read      func(*state.Run, *program.Program)
	adopt     *run
	res       engine.Result // with adopt
	offer     state.Key     // offer the job of this element again
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

type pending struct {
	command *command
	run     *run
	res     engine.Result
	wait    <-chan error
}

// wave handles commands up to the first that touches a run twice: all their
// writes are queued first and share a commit, then each is answered.
func (s *shard) wave(commands []command) int {
	touched := make(map[state.Key]bool, min(len(commands), waveLength))
	var open []pending
	n := 0
	for i := range commands {
		c := &commands[i]
		if touched[c.run] || len(open) >= waveLength {
			break
		}
		n++
		if c.event == nil {
			s.plain(c)
			continue
		}
		if p, ok := s.begin(c); ok {
			touched[c.run] = true
			open = append(open, p)
		}
	}
	for _, p := range open {
		s.settle(p)
	}
	return n
}

// plain handles a command that changes no state.
func (s *shard) plain(c *command) {
	switch {
	case c.recovered:
		for _, r := range s.runs {
			s.resume(r)
		}
	case c.adopt != nil:
		s.keep(c.adopt)
		s.release(c.adopt, c.res.Effects)
	case c.offer != 0:
		if r := s.runs[c.run]; r != nil {
			if el := r.state.Elements[c.offer]; el != nil && el.Job != nil && el.Incident == nil {
				s.offer(r, el.Key, el.Node, *el.Job)
			}
		}
	case c.read != nil:
		r := s.runs[c.run]
		if r == nil {
			c.answer(ErrNoRun)
			return
		}
		c.read(r.state, r.program)
		c.answer(nil)
	}
}

// begin steps a run and queues the write.
func (s *shard) begin(c *command) (pending, bool) {
	r := s.runs[c.run]
	if r == nil {
		c.answer(ErrNoRun)
		return pending{}, false
	}
	res, err := s.step(r, c.event)
	if err != nil {
		c.answer(err)
		return pending{}, false
	}
	w := s.write(r, res)
	wait, err := s.host.deps.DB.Submit(context.Background(), func(tx *db.Tx) error {
		if err := w.store(tx); err != nil || c.with == nil {
			return err
		}
		return c.with(tx)
	})
	if err != nil {
		failed := make(chan error, 1)
		failed <- err
		wait = failed
	}
	return pending{c, r, res, wait}, true
}

func (s *shard) settle(p pending) {
	err := <-p.wait
	if err != nil {
		s.reload(p.run)
		if p.command.reply == nil && p.command.done == nil {
			s.host.deps.Log.Error("a timer's step could not be stored; it is tried again", "run", p.run.key, "err", err)
			s.host.timers.retry(p.command.run, p.command.event)
		}
		p.command.answer(err)
		return
	}
	if p.run.state.Root() == nil {
		delete(s.runs, p.run.key)
		s.active.Add(-1)
	}
	s.release(p.run, p.res.Effects)
	p.command.answer(nil)
}

func (s *shard) keep(r *run) {
	if r.state.Root() == nil {
		return // it ended in its first step
	}
	s.runs[r.key] = r
	s.active.Add(1)
}

// reload puts the stored state of a run back in place of the one in memory.
func (s *shard) reload(r *run) {
	fresh, err := s.host.load(context.Background(), r.key)
	if err != nil {
		if !errors.Is(err, ErrNoRun) {
			s.host.deps.Log.Error("a run cannot be read back; it rests until the server is restarted", "run", r.key, "err", err)
		}
		if s.runs[r.key] == r {
			delete(s.runs, r.key)
			s.active.Add(-1)
		}
		return
	}
	s.runs[r.key] = fresh
}

func (s *shard) step(r *run, ev engine.Event) (engine.Result, error) {
	env := engine.Env{Program: r.program, Now: s.host.deps.Clock.Now(), Zone: s.host.deps.Zone, NextKey: s.keys.take}
	return engine.Step(&env, r.state, ev)
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
			s.offer(r, e.Element, e.Node, e.Job)
		case engine.JobGone:
			for _, w := range s.host.deps.Workers {
				w.Worker.Withdraw(e.Key)
			}
		case engine.TimerArmed:
			s.host.timers.add(entry{due: e.Due, run: r.key, element: e.Element, timer: e.Key})
		case engine.TimerGone, engine.TaskCreated, engine.TaskGone, engine.IncidentRaised, engine.IncidentGone, engine.RunEnded:
			// The projector has these; a stale timer finds nothing when it fires.
		}
	}
}

func (s *shard) offer(r *run, element state.Key, node int32, j state.Job) {
	if j.NotBefore.After(s.host.deps.Clock.Now()) {
		s.host.timers.add(entry{due: j.NotBefore, run: r.key, element: element, job: j.Key})
		return
	}
	if w := s.host.worker(j.Type); w != nil {
		w.Offer(Job{Key: j.Key, Run: r.key, Element: element, Type: j.Type, Retries: j.Retries, Round: j.Round, Override: j.Override, Program: r.program, Node: r.program.Nodes[node]})
	}
}

// resume offers the jobs and arms the timers of a run that was loaded.
func (s *shard) resume(r *run) {
	for _, el := range r.state.Sorted() {
		if el.Job != nil && el.Incident == nil {
			s.offer(r, el.Key, el.Node, *el.Job)
		}
		for _, t := range el.Timers {
			s.host.timers.add(entry{due: t.Due, run: r.key, element: el.Key, timer: t.Key})
		}
	}
}
