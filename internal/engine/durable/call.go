package durable

import (
	"encoding/json"
	"errors"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Call is what a call activity asks for.
type Call struct {
	Run     state.Key // that will be called
	Process string    // by the id in the model
	Caller  state.Key // the run that calls
	Program int64     // of the run that calls
	Node    *program.Node
	Mandate []byte
	// Variables are what the called run gets.
	Variables engine.Variables
	// Rows are those of the batch within which the process is called, nil for none.
	Rows json.RawMessage
}

// Called is what is called: a program, and the mandate with which it acts.
type Called struct {
	Program int64
	Mandate []byte
}

// Calls finds what is called and keeps the read side of called runs.
type Calls interface {
	// Called finds what a call activity calls. Its error is the incident of that; one
	// that is Internal or Unavailable has the call tried again. It must not block for long.
	Called(c Call) (Called, error)
	// Begin keeps a called run, in the write that begins it.
	Begin(tx *db.Tx, c Call, called Called, now time.Time) error
}

const calledNoMore = "the run that called it no longer waits for it"

// birth is how a called run comes to be.
type birth struct {
	call   Call
	called Called
}

// tree is the run at the top of those that call one another: what they do together is
// stored together.
func (s *shard) tree(key state.Key) state.Key {
	for {
		r := s.runs[key]
		if r == nil || r.caller == nil || s.runs[r.caller.Run] == nil {
			return key
		}
		key = r.caller.Run
	}
}

// callers makes sure that all who have called a run are in memory: what it does may
// have to be told to each. One that lost its caller can be ended.
func (s *shard) callers(r *run, ev engine.Event) error {
	if _, ends := ev.(engine.Cancel); ends {
		return nil
	}
	for at := r; at.caller != nil; at = s.runs[at.caller.Run] {
		if s.runs[at.caller.Run] == nil {
			return s.host.absent(at.caller.Run)
		}
	}
	return nil
}

// catches asks the run that has called another whether it catches what comes out.
func (s *shard) catches(c *state.Caller, code string, escalation bool) (caught, interrupts bool) {
	up := s.runs[c.Run]
	if up == nil {
		return false, false
	}
	return engine.Catches(s.env(up), up.state, c.Element, code, escalation)
}

// steps applies an event to a run, and what comes of that to those that it has called
// and that have called it.
func (s *shard) steps(p *pending, r *run, ev engine.Event) error {
	res, err := s.step(r, ev)
	if err != nil {
		if errors.Is(err, errPanicked) {
			p.parts, p.poisoned = append(p.parts, part{run: r}), r.key
		}
		return err
	}
	p.add(r, res, false)
	return s.relate(p, r, res.Effects)
}

// relate takes the effects of a step to the runs that they are about. An event for
// which a run has no use any more is no matter.
func (s *shard) relate(p *pending, r *run, effects []engine.Effect) error {
	for i := range effects {
		var err error
		switch e := &effects[i]; e.Kind {
		case engine.CallGone:
			err = s.uncall(p, e.Key)
		case engine.Escalated:
			err = s.tellCaller(p, r, engine.CallEscalated{Element: r.caller.Element, Run: r.key, Code: e.Code})
		case engine.RunEnded:
			if r.caller != nil {
				err = s.tellCaller(p, r, engine.CallEnded{Element: r.caller.Element,
					Run: r.key, State: e.State, Code: e.Code, Message: e.Message, Escalation: e.Escalation, Variables: e.Variables})
			}
		}
		if err != nil && !errors.Is(err, engine.ErrGone) {
			return err
		}
	}
	return nil
}

func (s *shard) tellCaller(p *pending, r *run, ev engine.Event) error {
	up := s.runs[r.caller.Run]
	if up == nil {
		return nil
	}
	return s.steps(p, up, ev)
}

// uncall ends a called run.
func (s *shard) uncall(p *pending, key state.Key) error {
	if r := s.runs[key]; r != nil {
		return s.steps(p, r, engine.Cancel{Reason: calledNoMore})
	}
	if _, held := s.host.held.get(key); held {
		p.dropped = append(p.dropped, key)
	}
	return nil
}

// call begins the run that an element instance has asked for. That it has begun is
// stored with its first step.
func (s *shard) call(p *pending, r *run, element state.Key) error {
	el := r.state.Elements[element]
	if el == nil || el.Call == nil || el.Call.Begun {
		return engine.ErrGone
	}
	b := &birth{call: Call{Run: el.Call.Run, Process: el.Call.Process, Caller: r.key,
		Program: r.programKey, Node: r.program.Nodes[el.Node], Mandate: r.state.Mandate, Variables: engine.Handed(r.program, r.state, element)}}
	if rows, batched := engine.Batch(r.state, r.program, element); batched {
		b.call.Rows = rows
	}
	prog, err := s.find(b)
	if errs.Is(err, errs.Internal) || errs.Is(err, errs.Unavailable) {
		s.host.deps.Log.Error("what a run calls cannot be found out; it is tried again", "run", r.key, "err", err)
		s.callAgain(r.key, element)
		return err
	}
	if err != nil {
		return s.steps(p, r, engine.CallFailed{Element: element, Run: el.Call.Run, Message: errs.As(err).Message})
	}
	c := &state.Caller{Run: r.key, Element: element, Depth: 1}
	if r.caller != nil {
		c.Depth = r.caller.Depth + 1
	}
	child := &run{key: el.Call.Run, programKey: b.called.Program, program: prog, state: state.New(el.Call.Run), caller: c, birth: b}
	res, err := s.step(child, engine.Start{Variables: b.call.Variables, Mandate: b.called.Mandate, Caller: c})
	if errors.Is(err, errPanicked) {
		return err // it is its caller that is set aside: nothing of it is stored
	}
	if err != nil {
		return s.steps(p, r,
			engine.CallFailed{Element: element, Run: el.Call.Run, Message: "the process " + el.Call.Process + " cannot begin: " + err.Error()})
	}
	s.runs[child.key] = child
	s.active.Add(1)
	p.add(child, res, true)
	if err := s.steps(p, r, engine.CallBegun{Element: element, Run: child.key}); err != nil {
		return err
	}
	return s.relate(p, child, res.Effects)
}

// find finds out what is called.
func (s *shard) find(b *birth) (*program.Program, error) {
	if s.host.deps.Calls == nil {
		return nil, errs.New(errs.Invalid, "engine.no_calls", "nothing here finds the process %s", b.call.Process)
	}
	var err error
	if b.called, err = s.host.deps.Calls.Called(b.call); err != nil {
		return nil, err
	}
	return s.host.deps.Programs(b.called.Program)
}

func (s *shard) callAgain(run, element state.Key) {
	s.host.timers.add(entry{due: s.host.deps.Clock.Now().Add(retryAfter), run: run, element: element, call: true})
}

// resumeCalls goes on with the calls of a run that was loaded. A call of which nothing
// is there stops; a run that was called by one which is no more is ended, and does not
// go on.
func (s *shard) resumeCalls(r *run) bool {
	gone := func(key state.Key) bool {
		_, held := s.host.held.get(key)
		return s.runs[key] == nil && !held
	}
	if r.caller != nil && gone(r.caller.Run) {
		s.push(command{run: r.key, event: engine.Cancel{Reason: "the run that called it is no more"}})
		return false
	}
	for _, el := range r.state.Sorted() {
		switch {
		case el.Call == nil:
		case !el.Call.Begun:
			s.push(command{run: r.key, call: el.Key})
		case gone(el.Call.Run):
			s.push(command{run: r.key, event: lost(el)})
		}
	}
	return true
}

func lost(el *state.Element) engine.Event {
	return engine.CallEnded{Element: el.Key, Run: el.Call.Run, State: engine.Cancelled, Code: "it was ended while it was set aside"}
}

// orphan tells those that know a run which was ended without its state: the one that
// has called it, and those that it has called.
func (s *shard) orphan(key state.Key) {
	for _, r := range s.runs {
		if r.caller != nil && r.caller.Run == key {
			s.push(command{run: r.key, event: engine.Cancel{Reason: "the run that called it is no more"}})
		}
		for _, el := range r.state.Elements {
			if el.Call != nil && el.Call.Begun && el.Call.Run == key {
				s.push(command{run: r.key, event: lost(el)})
			}
		}
	}
}
