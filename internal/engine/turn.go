package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// Budget is what one run may use of the server; a field that is 0 has its default.
// A run that has used it up rests with an incident until somebody cancels it or
// gives it more.
type Budget struct {
	Elements int           // live elements and tokens: 100,000
	Bytes    int           // of all variables: 16 MiB
	Facts    int           // lines of history: 1,000,000
	Cycle    time.Duration // the shortest time between two firings of a timer: 1 s
	Depth    int           // runs that call one another: 100
}

// WithDefaults fills in what is not given.
func (b Budget) WithDefaults() Budget {
	return Budget{cmp.Or(b.Elements, 100_000), cmp.Or(b.Bytes, 16<<20), cmp.Or(b.Facts, 1_000_000),
		cmp.Or(b.Cycle, time.Second), cmp.Or(b.Depth, 100)}
}

// Turn is what a step that stopped half-way hands on to the next. The state is
// whole without it: it only tells loops that never wait.
type Turn struct {
	moves  int
	visits map[int32]int
}

// Continue goes on where a step has stopped half-way, see Result.More.
type Continue struct{ Turn Turn }

func (e Continue) apply(s *stepper) error {
	if s.run.Root() == nil {
		return ErrGone
	}
	s.carried, s.visits = e.Turn.moves, e.Turn.visits
	s.unpark()
	return nil
}

// drive moves tokens until none is left, until the turn is over or until the
// budget of the run is used up. What is left then waits in the state.
func (s *stepper) drive() {
	for len(s.queue) > 0 && !s.ended {
		switch {
		case s.held():
			s.park()
			return
		case s.tired() || s.env.Still && s.evaluates(s.queue[0]):
			s.park()
			s.res.More, s.res.Turn = true, Turn{s.carried + s.moves, s.visits}
			if !s.env.Still {
				s.run.Touch(s.run.Root()) // which keeps how much the run has used
			}
			return
		case s.over() != "":
			s.hold(s.over())
			return
		}
		m := s.queue[0]
		s.queue = s.queue[1:]
		s.moves++
		s.move(m)
	}
}

// tired reports whether the turn is over; each has at least one move.
func (s *stepper) tired() bool {
	return s.moves > 0 && (s.env.Moves > 0 && s.moves >= s.env.Moves || s.env.Tired != nil && s.env.Tired())
}

// over names the part of the budget that is used up.
func (s *stepper) over() string {
	switch b := &s.budget; {
	case len(s.run.Elements)+len(s.queue) > b.Elements:
		return fmt.Sprintf("more than %d elements are active at once", b.Elements)
	case s.run.Bytes() > b.Bytes:
		return fmt.Sprintf("its variables hold more than %d bytes", b.Bytes)
	case s.run.Facts+len(s.res.Facts) > b.Facts:
		return fmt.Sprintf("its history has more than %d lines", b.Facts)
	}
	return ""
}

// full reports whether the variables have used up their part of the budget,
// between two values of one element.
func (s *stepper) full(el *state.Element) bool {
	if s.run.Bytes() <= s.budget.Bytes {
		return false
	}
	s.incident(el, IncidentBudget, exhausted(s.over()))
	return true
}

func exhausted(what string) string {
	return "the run has used up its budget: " + what + "; cancel it, or raise the limit in the settings and try again"
}

// held reports whether the run rests because its budget is used up.
func (s *stepper) held() bool {
	root := s.run.Root()
	return root != nil && root.Incident != nil && root.Incident.Kind == IncidentBudget
}

// hold stops the run with one incident, however many tokens are on their way.
func (s *stepper) hold(what string) {
	s.park()
	root := s.run.Root()
	s.dropIncident(root)
	s.incident(root, IncidentBudget, exhausted(what))
}

// park puts the tokens that are on their way into the state. A body that has
// iterations to start shows it by itself.
func (s *stepper) park() {
	for _, m := range s.queue {
		if m.iterate || s.run.Elements[m.scope.Key] != m.scope {
			continue
		}
		el := &state.Element{Key: s.env.NextKey(), Parent: m.scope.Key, Node: m.node, Phase: state.Parked}
		if m.flow != program.None {
			el.Joins = []state.Join{{Flow: m.flow, Count: 1}}
		}
		s.run.Put(el)
	}
	s.queue = nil
}

// unpark takes up what park has left, in the same order.
func (s *stepper) unpark() {
	for _, el := range s.run.Sorted() {
		switch {
		case el.Phase == state.Parked:
			m := move{node: el.Node, scope: s.run.Elements[el.Parent], flow: program.None}
			if len(el.Joins) > 0 {
				m.flow = el.Joins[0].Flow
			}
			s.run.Remove(el)
			s.queue = append(s.queue, m)
		case s.unfinished(el):
			s.queue = append(s.queue, move{scope: el, iterate: true})
		}
	}
}

// continued lets an element instance go on that unfinished reports.
func (s *stepper) continued(el *state.Element) {
	if el.Body {
		s.iterate(el)
		return
	}
	s.begin(el)
}

// unfinished reports whether a body has iterations that nothing else will start, or
// a process has not begun.
func (s *stepper) unfinished(el *state.Element) bool {
	if el.Parent == 0 && el.Phase == state.Activating && el.Incident == nil {
		return true
	}
	if !el.Body || el.Loop == nil || el.Phase != state.Active || el.Incident != nil || el.Loop.Started >= el.Loop.Total {
		return false
	}
	return el.Children == 0 || !s.p.Nodes[el.Node].Loop.Sequential
}

// evaluates reports whether a move may evaluate an expression on its way to the
// next wait.
func (s *stepper) evaluates(m move) bool {
	if m.iterate {
		return true
	}
	n := s.p.Nodes[m.node]
	if evaluating(n) || slices.ContainsFunc(n.Boundary, func(b int32) bool { return evaluating(s.p.Nodes[b]) }) {
		return true
	}
	return len(n.Outgoing) == 0 && s.endEvaluates(m.scope) || of(n).evaluates(s, n, m)
}

// evaluating reports whether a node has an expression of its own.
func evaluating(n *program.Node) bool {
	mapped := func(m program.Mapping) bool { return m.Source.Expr != nil }
	if n.Loop != nil || n.Script != nil || slices.ContainsFunc(n.Inputs, mapped) || slices.ContainsFunc(n.Outputs, mapped) {
		return true
	}
	if n.Task != nil && (n.Task.Type.Expr != nil || n.Task.Retries.Expr != nil) || n.Timer != nil && n.Timer.Value.Expr != nil {
		return true
	}
	if n.Decision != nil && n.Decision.ID.Expr != nil || n.Call != nil && n.Call.Process.Expr != nil {
		return true
	}
	if n.Event != nil && (n.Event.Name.Expr != nil || n.Event.Correlation != nil) {
		return true
	}
	h := n.Human
	return h != nil && (h.Assignee.Expr != nil || h.CandidateGroups.Expr != nil || h.CandidateUsers.Expr != nil || h.Form.Expr != nil ||
		h.Due.Expr != nil || h.FollowUp.Expr != nil)
}

// Unfinished reports whether the state of a run holds what the turn before has
// left, so that Continue has to follow.
func Unfinished(p *program.Program, run *state.Run) bool {
	s := &stepper{p: p, run: run}
	if s.held() {
		return false
	}
	for _, el := range run.Elements {
		if el.Phase == state.Parked || s.unfinished(el) {
			return true
		}
	}
	return false
}
