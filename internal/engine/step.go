package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/feel"
)

// Kinds of incidents that the engine raises by itself.
const (
	IncidentJob       = "job_no_retries"
	IncidentUnhandled = "unhandled_error"
	IncidentMapping   = "io_mapping"
	IncidentCondition = "condition"
	IncidentValue     = "extract_value"
	IncidentLimit     = "limit"
	IncidentDeadlock  = "deadlock"
	IncidentBudget    = "engine.budget"
	IncidentDecision  = "decision"
	IncidentCalled    = "called_run"
)

// Env is what a step may know of the world.
type Env struct {
	Program *program.Program
	Now     time.Time
	Zone    func(name string) (*time.Location, error)
	// Random gives random bits to expressions; what came of them stays in the state.
	Random func() uint64
	// NextKey gives keys for what the step creates.
	NextKey func() state.Key
	// Caller tells whether what leaves the run by an error or an escalation is caught
	// where it was called, and whether that ends the run; nil for one that was not.
	Caller func(code string, escalation bool) (caught, interrupts bool)
	// Budget bounds what the run may use in all.
	Budget Budget
	// Moves is how many tokens may move before the step stops half-way, without
	// end where it is 0; Tired, which may be nil, ends it earlier.
	Moves int
	Tired func() bool
	// Still stops the step before its first expression.
	Still bool
}

// Result is what a step calls for.
type Result struct {
	Effects []Effect
	Facts   []Fact
	// More says that the step has stopped half-way: the state holds what is left,
	// and Continue with the Turn goes on.
	More bool
	Turn Turn
}

// Step applies an event to a run. On an error (ErrGone, ErrRefused) the state is
// unchanged.
func Step(env *Env, run *state.Run, event Event) (Result, error) {
	s := &stepper{env: env, p: env.Program, run: run, budget: env.Budget.WithDefaults()}
	if err := event.apply(s); err != nil {
		return Result{}, err
	}
	s.drive()
	s.settle()
	s.run.Count(len(s.res.Facts))
	return s.res, nil
}

// move is a token about to enter a node of a scope.
// With iterate there is no token: the scope goes on by itself, as a multi-instance
// with its next iteration or a process that has not begun.
type move struct {
	node    int32
	scope   *state.Element
	flow    int32
	iterate bool
}

type stepper struct {
	env     *Env
	p       *program.Program
	run     *state.Run
	res     Result
	queue   []move
	budget  Budget
	visits  map[int32]int
	moves   int // of this step
	carried int // moves of the steps before since the run last waited
	before  []counted
	among   map[*state.Element]bool // the elements of before, once there are many
	ended   bool
	warned  []feel.Warning // why the last expression became null
}

func (s *stepper) fact(f Fact) {
	f.Time = s.env.Now
	s.res.Facts = append(s.res.Facts, f)
}

func (s *stepper) effect(e Effect) { s.res.Effects = append(s.res.Effects, e) }

// counted remembers the child count that is stored for an element, so that an
// element whose count comes back to it is not written.
type counted struct {
	el       *state.Element
	children int32
}

// fewCounted is up to how many elements a look at each is the fastest.
const fewCounted = 16

func (s *stepper) counted(el *state.Element) bool {
	if len(s.before) < fewCounted {
		return slices.ContainsFunc(s.before, func(c counted) bool { return c.el == el })
	}
	if s.among == nil {
		s.among = make(map[*state.Element]bool, 4*fewCounted)
		for _, c := range s.before {
			s.among[c.el] = true
		}
	}
	return s.among[el]
}

// count changes the number of children of an element.
func (s *stepper) count(el *state.Element, by int32) {
	if !s.counted(el) {
		s.before = append(s.before, counted{el, el.Children})
		if len(s.before) > fewCounted {
			s.among[el] = true
		}
	}
	el.Children += by
}

// settle marks the elements whose number of children has changed.
func (s *stepper) settle() {
	for _, c := range s.before {
		if c.el.Children != c.children && s.run.Elements[c.el.Key] == c.el {
			s.run.Touch(c.el)
		}
	}
}

// spawn puts a token in front of a node.
func (s *stepper) spawn(node int32, scope *state.Element) {
	s.send(move{node: node, scope: scope, flow: program.None})
}

func (s *stepper) send(m move) {
	s.count(m.scope, 1)
	s.queue = append(s.queue, m)
}

// consume takes a token out of a scope, which may complete by it.
func (s *stepper) consume(scope *state.Element) {
	s.count(scope, -1)
	if scope.Children > 0 || s.ended {
		return
	}
	if scope.Tokens > 0 {
		s.stuck(scope)
		return
	}
	s.finish(scope)
}

func (s *stepper) move(m move) {
	if s.ended || s.run.Elements[m.scope.Key] != m.scope {
		return // the scope was terminated while the token was on its way
	}
	if m.iterate {
		s.continued(m.scope)
		return
	}
	node := s.p.Nodes[m.node]
	if s.tooOften(m.node) {
		el := s.create(node, m.scope)
		s.incident(el, IncidentLimit, fmt.Sprintf("the element was entered %d times without a wait: the process loops", MaxVisits))
		return
	}
	of(node).enter(s, node, m)
}

// passed tells that a token went through a node.
func (s *stepper) passed(node *program.Node, scope *state.Element) {
	s.fact(Fact{Kind: FactPassed, Node: node.Index, Key: scope.Key})
}

func (s *stepper) tooOften(node int32) bool {
	if s.carried+s.moves <= MaxVisits {
		return false
	}
	if s.visits == nil {
		s.visits = map[int32]int{}
	}
	s.visits[node]++
	return s.visits[node] > MaxVisits
}

// pass moves the token that entered a node on to all its outgoing flows.
func (s *stepper) pass(node *program.Node, scope *state.Element) {
	for _, f := range node.Outgoing {
		s.take(f, scope)
	}
	s.consume(scope)
}

func (s *stepper) take(flow int32, scope *state.Element) {
	f := s.p.Flows[flow]
	s.fact(Fact{Kind: FactFlow, Node: f.Index, Key: scope.Key})
	s.send(move{node: f.Target, scope: scope, flow: flow})
}

// create makes the element instance that a token becomes; the token is counted
// in the scope already.
func (s *stepper) create(node *program.Node, scope *state.Element) *state.Element {
	el := &state.Element{Key: s.env.NextKey(), Parent: scope.Key, Node: node.Index, Body: node.Loop != nil}
	s.run.Put(el)
	s.entered(el)
	return el
}

// entered tells that an element instance began, and within which one.
func (s *stepper) entered(el *state.Element) {
	f := Fact{Kind: FactEntered, Node: el.Node, Key: el.Key}
	if el.Parent != s.run.Key {
		f.Data = s.offset(el.Parent)
	}
	s.fact(f)
}

// offset is a key relative to that of the run, as facts refer to others.
func (s *stepper) offset(key state.Key) json.RawMessage {
	return strconv.AppendInt(nil, int64(key-s.run.Key), 10)
}

func (s *stepper) setAll(scope state.Key, vars Variables) {
	for _, name := range sortedNames(vars) {
		s.set(scope, name, vars[name])
	}
}

func (s *stepper) set(scope state.Key, name string, value json.RawMessage) {
	s.run.Set(scope, name, value, s.env.NextKey)
	s.fact(Fact{Kind: FactVariable, Key: scope, Text: name, Data: value})
}

func sortedNames(vars Variables) []string {
	names := make([]string, 0, len(vars))
	for n := range vars {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
