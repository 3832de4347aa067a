package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// thrown is a BPMN error on its way outwards.
type thrown struct {
	code, message string
	vars          Variables
}

// throw looks for a boundary event that catches the error, from an element
// instance outwards, and takes it. At one activity an event that names the code
// goes before one that catches all.
func (s *stepper) throw(el *state.Element, t thrown) bool {
	for cur := el; cur != nil; cur = s.run.Elements[cur.Parent] {
		if cur.Index > 0 && !cur.Body {
			continue // the boundary events of an iteration sit on its body
		}
		if b := s.catcher(s.p.Nodes[cur.Node], t.code); b != nil {
			s.interrupt(cur, b, &t)
			return true
		}
	}
	return false
}

func (s *stepper) catcher(node *program.Node, code string) *program.Node {
	var all *program.Node
	for _, i := range node.Boundary {
		b := s.p.Nodes[i]
		switch {
		case b.Kind != program.BoundaryError:
		case b.ErrorCode == code:
			return b
		case b.ErrorCode == "" && all == nil:
			all = b
		}
	}
	return all
}

// interrupt ends an activity by one of its boundary events, which takes its
// token over.
func (s *stepper) interrupt(el *state.Element, boundary *program.Node, t *thrown) {
	scope := s.run.Elements[el.Parent]
	s.terminateBelow(el)
	s.clear(el)
	s.fact(Fact{Kind: FactTerminated, Node: el.Node, Key: el.Key})
	s.run.Remove(el)
	s.happen(boundary, scope, t)
}

// happen runs a boundary event whose token is counted in the scope already.
func (s *stepper) happen(boundary *program.Node, scope *state.Element, t *thrown) {
	event := s.create(boundary, scope)
	if t != nil {
		s.set(event.Key, "errorCode", quoted(t.code))
		s.set(event.Key, "errorMessage", quoted(t.message))
		s.results(event, t.vars)
	}
	s.begin(event)
}

func (s *stepper) errorEnd(node *program.Node, scope *state.Element) {
	if s.throw(scope, thrown{code: node.ErrorCode}) {
		return
	}
	s.end(s.run.Root(), Failed, node.ErrorCode)
}

func (s *stepper) incident(el *state.Element, kind, message string) {
	el.Incident = &state.Incident{Key: s.env.NextKey(), Kind: kind, Message: message, Since: s.env.Now}
	s.run.Touch(el)
	s.fact(Fact{Kind: FactIncident, Node: el.Node, Key: el.Incident.Key, Text: message, Data: s.offset(el.Key)})
	s.effect(Effect{Kind: IncidentRaised, Key: el.Incident.Key, Element: el.Key, Node: el.Node, Incident: *el.Incident})
}

func (s *stepper) dropIncident(el *state.Element) {
	if el.Incident == nil {
		return
	}
	s.effect(Effect{Kind: IncidentGone, Key: el.Incident.Key, Element: el.Key, Node: el.Node})
	el.Incident = nil
	s.run.Touch(el)
}

func (s *stepper) holder(incident state.Key) *state.Element {
	for _, el := range s.run.Elements {
		if el.Incident != nil && el.Incident.Key == incident {
			return el
		}
	}
	return nil
}

// takeUp goes on where an incident stopped an element instance.
func (s *stepper) takeUp(el *state.Element, inputs json.RawMessage) {
	node := s.p.Nodes[el.Node]
	switch {
	case el.Children == 0 && el.Tokens > 0:
		s.stuck(el)
	case el.Job != nil:
		el.Job.Retries, el.Job.NotBefore = max(el.Job.Retries, 1), time.Time{}
		if inputs != nil {
			el.Job.Round++
			el.Job.Override = inputs
		}
		s.run.Touch(el)
		s.offer(el)
	case el.Phase == state.Completing:
		s.finish(el)
	case s.unfinished(el):
		s.queue = append(s.queue, move{scope: el, iterate: true})
	case waits(node.Kind):
		s.begin(el)
	default: // a gateway or an event that tokens only pass
		scope := s.run.Elements[el.Parent]
		flow := program.None
		if len(node.Incoming) > 0 {
			flow = node.Incoming[0]
		}
		s.run.Remove(el)
		s.queue = append(s.queue, move{node: node.Index, scope: scope, flow: flow})
	}
}

// stuck raises an incident for a scope in which nothing is active any more while
// tokens wait at a join that can no longer fire.
func (s *stepper) stuck(scope *state.Element) {
	node := s.p.Nodes[s.p.Flows[scope.Joins[0].Flow].Target]
	s.incident(scope, IncidentDeadlock, fmt.Sprintf("the parallel gateway %s waits for a token that cannot come any more", node.ID))
}

func waits(kind program.Kind) bool { return Scoped(kind) }

// Scoped reports whether elements of a kind have variables of their own: those
// with which their incidents are resolved are set there.
func Scoped(kind program.Kind) bool {
	switch kind {
	case program.ServiceTask, program.UserTask, program.ScriptTask, program.SubProcess, program.TimerCatch, program.BoundaryError, program.BoundaryTimer:
		return true
	}
	return false
}

// arm sets the timers of an element instance: its own and those of its boundary
// events.
func (s *stepper) arm(el *state.Element, node *program.Node) bool {
	if len(el.Timers) > 0 {
		return true // taken up again after an incident
	}
	if node.Kind == program.TimerCatch && !s.armOne(el, node) {
		return false
	}
	for _, i := range node.Boundary {
		if s.p.Nodes[i].Kind == program.BoundaryTimer && !s.armOne(el, s.p.Nodes[i]) {
			return false
		}
	}
	return true
}

func (s *stepper) armOne(el *state.Element, node *program.Node) bool {
	t, err := s.timer(el, node)
	if err != nil {
		s.disarm(el)
		s.incident(el, IncidentValue, fmt.Sprintf("the timer of %s cannot be set: %s", node.ID, err))
		return false
	}
	el.Timers = append(el.Timers, t)
	s.run.Touch(el)
	s.effect(Effect{Kind: TimerArmed, Key: t.Key, Element: el.Key, Node: node.Index, Due: t.Due})
	return true
}

func (s *stepper) disarm(el *state.Element) {
	for _, t := range el.Timers {
		s.effect(Effect{Kind: TimerGone, Key: t.Key, Element: el.Key, Node: t.Node})
	}
	el.Timers = nil
}

func (s *stepper) timer(el *state.Element, node *program.Node) (state.Timer, error) {
	t := state.Timer{Key: s.env.NextKey(), Node: node.Index}
	text, err := s.text(node.Timer.Value, el.Key)
	if err != nil {
		return t, err
	}
	switch node.Timer.Kind {
	case program.TimerDate:
		t.Due, err = program.ParseDate(text, s.env.Zone)
		return t, err
	case program.TimerCycle:
		c, err := CheckCycle(text, s.budget.Cycle, s.env.Zone)
		if err != nil {
			return t, err
		}
		t.Repeat, t.Every = int32(max(c.Repeat-1, -1)), text
		t.Due, err = c.First(s.env.Now)
		return t, err
	}
	d, err := program.ParseDuration(text)
	if err != nil {
		return t, err
	}
	t.Due, err = d.After(s.env.Now)
	return t, err
}

// fire lets the i-th timer of an element instance happen.
func (s *stepper) fire(el *state.Element, i int) {
	t := el.Timers[i]
	node := s.p.Nodes[t.Node]
	if s.held() && t.Every != "" && s.again(el, i) {
		s.run.Touch(el) // a run that rests gathers no more to do
		return
	}
	s.fact(Fact{Kind: FactTimer, Node: t.Node, Key: t.Key})
	if node.Kind == program.BoundaryTimer && node.Interrupting {
		s.interrupt(el, node, nil)
		return
	}
	if !s.again(el, i) {
		el.Timers = append(el.Timers[:i:i], el.Timers[i+1:]...)
		s.effect(Effect{Kind: TimerGone, Key: t.Key, Element: el.Key, Node: t.Node})
	}
	s.run.Touch(el)
	if node.Kind == program.TimerCatch {
		s.dropIncident(el)
		s.finish(el)
		return
	}
	scope := s.run.Elements[el.Parent]
	s.count(scope, 1)
	s.happen(node, scope, nil)
}

// again arms a repeating timer for its next firing, counted from the last one.
func (s *stepper) again(el *state.Element, i int) bool {
	t := &el.Timers[i]
	if t.Every == "" || t.Repeat == 0 {
		return false
	}
	c, err := program.ParseCycle(t.Every, s.env.Zone)
	if err != nil {
		return false
	}
	due, err := s.following(t.Due, c)
	if err != nil {
		return false
	}
	if t.Repeat > 0 {
		t.Repeat--
	}
	t.Due = due
	s.effect(Effect{Kind: TimerArmed, Key: t.Key, Element: el.Key, Node: t.Node, Due: due})
	return true
}

// following is the first time after now in a row of times. What was missed while
// nobody looked has fired once, and does not fire again.
func (s *stepper) following(last time.Time, c program.Cycle) (time.Time, error) {
	now := s.env.Now
	if c.Cron != nil {
		if now.After(last) {
			last = now
		}
		return c.Next(last)
	}
	every := c.Every
	if every.Months == 0 {
		step := max(every.Time, s.budget.Cycle)
		if due := last.Add(step); due.After(now) {
			return due, nil
		}
		return last.Add(step * (now.Sub(last)/step + 1)), nil
	}
	if every.Negative() {
		return last, fmt.Errorf("the cycle goes back in time")
	}
	for n := int64(1); ; n++ { // from the last, so that the 31st stays the last of a month
		times := every
		times.Months, times.Time = every.Months*n, every.Time*time.Duration(n)
		due, err := times.After(last)
		if err != nil || due.After(now) {
			return due, err
		}
	}
}

// CheckCycle reads a repeating interval and refuses one that fires more often
// than every shortest, 1 s where that is 0. Without zones every name of one may be
// that of one.
func CheckCycle(text string, shortest time.Duration, zones func(string) (*time.Location, error)) (program.Cycle, error) {
	shortest = Budget{Cycle: shortest}.WithDefaults().Cycle
	if zones == nil {
		zones = func(string) (*time.Location, error) { return time.UTC, nil }
	}
	c, err := program.ParseCycle(text, zones)
	if err != nil {
		return c, err
	}
	if c.Repeat == 0 {
		return c, fmt.Errorf("the cycle %q repeats 0 times", text)
	}
	if c.Cron == nil && (c.Every.Negative() || c.Every.Months == 0 && c.Every.Time < shortest) {
		return c, fmt.Errorf("the cycle %q fires more often than every %s: make it slower, or lower the setting limits.cycle", text, shortest)
	}
	return c, nil
}
