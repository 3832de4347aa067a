package durable

import (
	"context"
	"errors"
	"math/rand/v2"
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

// pending is what a wave does to one run: the steps of some commands, stored by
// one write.
type pending struct {
	run      *run
	commands []*command
	res      engine.Result
	wait     <-chan error
}

// takes reports whether a command may join: its step has no write of its own
// that could fail alone.
func (p *pending) takes(c *command) bool {
	return c.event != nil && c.with == nil && p.commands[0].with == nil
}

// wave handles commands up to the first that cannot share the wave: the steps of
// each run become one write, all writes are queued and share a commit, then each
// command is answered.
func (s *shard) wave(commands []command) int {
	touched := make(map[state.Key]*pending, min(len(commands), waveLength))
	var open []*pending
	n := 0
	for i := range commands {
		c := &commands[i]
		p := touched[c.run]
		if p != nil && !p.takes(c) || n >= waveLength {
			break
		}
		n++
		if c.event == nil {
			s.plain(c)
			continue
		}
		if p = s.begin(c, p); p != nil && touched[c.run] == nil {
			touched[c.run] = p
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

// begin steps a run. It gives the pending work that the command belongs to, which
// is p where there was some, and nil for a command that was refused first.
func (s *shard) begin(c *command, p *pending) *pending {
	r := s.runs[c.run]
	if r == nil {
		c.answer(ErrNoRun)
		return p
	}
	res, err := s.step(r, c.event)
	if err != nil {
		c.answer(err)
		return p
	}
	if p == nil {
		p = &pending{run: r}
	}
	p.commands = append(p.commands, c)
	p.res.Effects = append(p.res.Effects, res.Effects...)
	p.res.Facts = append(p.res.Facts, res.Facts...)
	return p
}

// submit queues the write of pending work.
func (s *shard) submit(p *pending) {
	w, with := s.write(p.run, p.res), p.commands[0].with
	wait, err := s.host.deps.DB.Submit(context.Background(), func(tx *db.Tx) error {
		if err := w.store(tx); err != nil || with == nil {
			return err
		}
		return with(tx)
	})
	if err != nil {
		failed := make(chan error, 1)
		failed <- err
		wait = failed
	}
	p.wait = wait
}

// settle answers once the write is stored. Where it was not, the run is read
// back; commands that shared the write are then done one by one, so that none
// fails for another.
func (s *shard) settle(p *pending) {
	err := <-p.wait
	if err != nil {
		s.reload(p.run)
		if len(p.commands) > 1 {
			for _, c := range p.commands {
				if one := s.begin(c, nil); one != nil {
					s.submit(one)
					s.settle(one)
				}
			}
			return
		}
		s.refuse(p.commands[0], err)
		return
	}
	if p.run.state.Root() == nil {
		delete(s.runs, p.run.key)
		s.active.Add(-1)
	}
	s.release(p.run, p.res.Effects)
	for _, c := range p.commands {
		c.answer(nil)
	}
}

// refuse answers a command whose step could not be stored; a timer comes again.
func (s *shard) refuse(c *command, err error) {
	if c.reply == nil && c.done == nil {
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
	env := engine.Env{Program: r.program, Now: s.host.deps.Clock.Now(), Zone: s.host.deps.Zone, Random: rand.Uint64, NextKey: s.keys.take}
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
