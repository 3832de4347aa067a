package program

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/when"
)

// Compile compiles the process of the model with the given id, or its only
// executable process where id is empty. The error is a *bpmn.Error with every
// problem found, those of the model first.
func Compile(m *bpmn.Model, id string, opts ...Option) (*Program, error) {
	proc, err := choose(m, id)
	if err != nil {
		return nil, refusal(m, err.Problems)
	}
	p, problems := compile(m, proc, opts)
	if err := refusal(m, problems); err != nil {
		return nil, err
	}
	return p, nil
}

// All compiles every executable process of the model. The programs are there also
// where the error says that they cannot be executed, so that the rest can be checked.
func All(m *bpmn.Model, opts ...Option) ([]*Program, error) {
	var all []*Program
	var problems []bpmn.Problem
	for _, proc := range m.Processes {
		if proc.Executable {
			p, found := compile(m, proc, opts)
			all, problems = append(all, p), append(problems, found...)
		}
	}
	if len(all) == 0 {
		_, err := choose(m, "")
		problems = append(problems, err.Problems...)
	}
	return all, refusal(m, problems)
}

// refusal joins the problems of the model and those of its processes; nil for none.
func refusal(m *bpmn.Model, problems []bpmn.Problem) error {
	all := append(slices.Clone(m.Problems), problems...)
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b bpmn.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &bpmn.Error{Problems: bpmn.Bounded(all)}
}

func compile(m *bpmn.Model, proc *bpmn.Process, opts []Option) (*Program, []bpmn.Problem) {
	c := &compiler{model: m, process: proc.ID, ids: map[*bpmn.Node]string{}}
	for _, opt := range opts {
		opt(c)
	}
	c.p = &Program{ProcessID: proc.ID, Name: proc.Name, VersionTag: proc.Ext.VersionTag, byID: map[string]int32{}}
	root := c.add(&Node{ID: proc.ID, Name: proc.Name, Kind: Process, Line: proc.Node.Line, Scope: None, Ext: proc.Ext})
	c.scope(root, proc.Scope, proc.Node)
	c.fill()
	return c.p, c.problems
}

func choose(m *bpmn.Model, id string) (*bpmn.Process, *bpmn.Error) {
	var found []*bpmn.Process
	for _, p := range m.Processes {
		if (id == "" && p.Executable) || (id != "" && p.ID == id) {
			found = append(found, p)
		}
	}
	one := bpmn.Problem{Line: 1, Column: 1, Code: "process.none"}
	switch {
	case len(found) == 1 && found[0].Executable:
		return found[0], nil
	case len(found) == 1:
		one.Element, one.Line = found[0].ID, found[0].Node.Line
		one.Message = `the process is not executable: set isExecutable="true"`
	case len(found) > 1:
		one.Code, one.Message = "process.many", "the file holds several executable processes: name the one to use"
	case id != "":
		one.Message = fmt.Sprintf("the file holds no process with id %q", id)
	default:
		one.Message = `the file holds no executable process: set isExecutable="true" on one`
	}
	return nil, &bpmn.Error{Problems: []bpmn.Problem{one}}
}

// Option changes how a process is compiled.
type Option func(*compiler)

// Zones finds the time zones that timers name, so that one that does not exist is
// refused.
func Zones(zones when.Zones) Option { return func(c *compiler) { c.zones = zones } }

type compiler struct {
	zones    when.Zones
	ids      map[*bpmn.Node]string // those that were made for flows without one
	model    *bpmn.Model
	process  string
	nodes    numbering
	flows    numbering
	p        *Program
	problems []bpmn.Problem
}

func (c *compiler) problem(n *bpmn.Node, code, format string, args ...any) {
	id := n.Attr("id")
	if id == "" {
		id = c.ids[n]
	}
	c.problems = append(c.problems,
		bpmn.Problem{Element: id, Line: n.Line, Column: n.Column, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (c *compiler) add(n *Node) *Node {
	n.Index = c.nodes.take(n.ID)
	n.Default, n.Start, n.AttachedTo = None, None, None
	c.p.Nodes = put(c.p.Nodes, n.Index, n)
	c.p.byID[n.ID] = n.Index
	return n
}

// scope compiles the elements and flows of a process or sub-process.
func (c *compiler) scope(owner *Node, s *bpmn.Scope, xml *bpmn.Node) {
	owner.broken = s.Broken
	nodes := make([]*Node, len(s.Elements))
	for i, e := range s.Elements {
		nodes[i] = c.element(owner, e)
	}
	c.starts(owner, nodes, xml)
	for _, f := range s.Flows {
		c.ids[f.Node] = f.ID
		c.flow(f)
	}
	for i, e := range s.Elements {
		c.link(nodes[i], e)
	}
	c.links(nodes, s.Elements)
	for i, e := range s.Elements {
		c.race(nodes[i], e)
	}
}

// starts finds the start event of a scope. A process may have more that begin it
// with an event.
func (c *compiler) starts(owner *Node, nodes []*Node, xml *bpmn.Node) {
	starts, others := 0, 0 // others begin too, in ways that are not executed
	for _, n := range nodes {
		switch {
		case n.Kind == StartByEvent && !n.refused:
			c.p.Events = append(c.p.Events, n.Index)
			others++
		case n.starts() && !n.refused:
			starts++
			owner.Start = n.Index
		case n.begins:
			others++
		}
	}
	switch {
	case starts == 0 && others == 0 && !owner.free:
		c.problem(xml, "process.no_start", "there is no start event: add one %s", triggerOf(owner))
	case starts > 1 && !owner.free:
		c.problem(xml, "process.many_starts", "there are %d start events: one is executed, remove the others", starts)
	}
}

// starts reports whether a node is a start event that is executed.
func (n *Node) starts() bool {
	switch n.Kind {
	case StartEvent, StartTimer, StartError, StartEscalation, StartSubscribed, StartByEvent:
		return true
	}
	return false
}

func triggerOf(scope *Node) string {
	if scope.Kind == EventSubProcess {
		return "with a trigger"
	}
	return "without a trigger"
}

// race checks that each flow out of an event-based gateway leads to an event.
func (c *compiler) race(n *Node, e *bpmn.Element) {
	if n.Kind != EventGateway {
		return
	}
	if len(n.Outgoing) < 2 && !c.p.Nodes[n.Scope].broken {
		c.problem(e.Node, "process.event_gateway", "an event-based gateway chooses between events: draw at least two")
	}
	for _, f := range n.Outgoing {
		switch to := c.p.Nodes[c.p.Flows[f].Target]; {
		case to.refused:
		case to.Kind != EventCatch && to.Kind != TimerCatch && to.Kind != ReceiveTask:
			c.problem(e.Node, "process.event_gateway", "the flow %q leads from an event-based gateway to %q, "+
				"which waits for no event: want a message, signal or timer event, or a receive task", c.p.Flows[f].ID, to.ID)
		case len(to.Incoming) > 1 || len(to.Boundary) > 0 || to.Loop != nil:
			c.problem(e.Node, "process.event_gateway",
				"%q waits for the event-based gateway %q alone: it has no other flow that leads to it, no boundary event and no loop", to.ID, n.ID)
		}
	}
}

// links joins the events that throw a link with the one that catches it, by a flow
// that nobody has drawn.
func (c *compiler) links(nodes []*Node, elements []*bpmn.Element) {
	catches := map[string]*Node{}
	for i, e := range elements {
		n := nodes[i]
		if n.link == "" || e.Type != "intermediateCatchEvent" {
			continue
		}
		if other := catches[n.link]; other != nil {
			c.problem(e.Node, "process.link", "the link %q is caught by %q already: one event catches a link", n.link, other.ID)
		}
		catches[n.link] = n
	}
	for i, e := range elements {
		n := nodes[i]
		if n.link == "" || e.Type != "intermediateThrowEvent" {
			continue
		}
		to := catches[n.link]
		if to == nil {
			c.problem(e.Node, "process.link", "nothing catches the link %q in the same process or sub-process", n.link)
			continue
		}
		id := n.ID + " to " + to.ID
		flow := &Flow{Index: c.flows.take(id), ID: id, Source: n.Index, Target: to.Index}
		c.p.Flows = put(c.p.Flows, flow.Index, flow)
		n.Outgoing, to.Incoming = append(n.Outgoing, flow.Index), append(to.Incoming, flow.Index)
	}
}

func (c *compiler) flow(f *bpmn.Flow) {
	flow := &Flow{Index: c.flows.take(f.ID), ID: f.ID, Name: f.Name, Source: c.p.byID[f.Source], Target: c.p.byID[f.Target]}
	c.p.Flows = put(c.p.Flows, flow.Index, flow)
	source, target := c.p.Nodes[flow.Source], c.p.Nodes[flow.Target]
	source.Outgoing = append(source.Outgoing, flow.Index)
	target.Incoming = append(target.Incoming, flow.Index)
	if !f.HasCondition {
		return
	}
	flow.conditional = true
	if source.Kind != ExclusiveGateway && !source.refused {
		c.problem(f.Node, "process.condition_place",
			"a condition stands on a flow that leaves %q: conditions are executed on flows of exclusive gateways only", source.ID)
		return
	}
	if !f.Refused {
		flow.Condition = c.required(f.Node, "condition", f.Condition)
	}
}

func (c *compiler) link(n *Node, e *bpmn.Element) {
	if at, ok := c.p.byID[e.AttachedTo]; ok && at > 0 {
		n.AttachedTo = at
		host := c.p.Nodes[at]
		if n.cancels && !host.refused {
			c.problem(e.Node, "process.unsupported", "<boundaryEvent> with trigger cancel is not executed")
		}
		if !host.activity() && !host.refused {
			c.problem(e.Node, "process.boundary_place", "a boundary event sits on %q, which is no task or sub-process", host.ID)
		}
		host.Boundary = append(host.Boundary, n.Index)
	}
	if e.Default != "" {
		for _, i := range n.Outgoing {
			if c.p.Flows[i].ID == e.Default {
				n.Default = i
			}
		}
		if n.activity() && len(n.Outgoing) > 1 {
			c.problem(e.Node, "process.default_place",
				"the default flow %q leaves an activity with several flows, which are all taken: let it leave an exclusive gateway", e.Default)
		}
	}
	if !n.refused {
		c.degrees(n, e)
	}
}

// degrees checks how many flows enter and leave.
func (c *compiler) degrees(n *Node, e *bpmn.Element) {
	catches := n.link != "" && e.Type == "intermediateCatchEvent"
	switch {
	case n.starts() || n.AttachedTo != None || catches:
		if len(n.Incoming) > 0 {
			c.problem(e.Node, "process.incoming", "a flow leads into %q, which begins a path", n.ID)
		}
		if n.AttachedTo != None && len(n.Outgoing) == 0 && !c.p.Nodes[n.Scope].broken {
			c.problem(e.Node, "process.no_outgoing", "no flow leaves the boundary event")
		}
	case e.Type == "endEvent" || n.link != "":
		if len(n.Outgoing) > 0 {
			c.problem(e.Node, "process.outgoing", "a flow leaves %q, which ends a path", n.ID)
		}
	case n.Kind == EventSubProcess:
		if len(n.Incoming)+len(n.Outgoing) > 0 {
			c.problem(e.Node, "process.event_place", "a flow leads into or out of %q: an event sub-process begins with its event and ends by itself",
				n.ID)
		}
	case n.Kind == ExclusiveGateway:
		for _, i := range n.Outgoing {
			if len(n.Outgoing) > 1 && i != n.Default && !c.p.Flows[i].conditional {
				c.problem(e.Node, "process.no_condition", "the flow %q has no condition and is not the default flow", c.p.Flows[i].ID)
			}
		}
	}
	begins := n.starts() || e.Type == "boundaryEvent" || n.Kind == EventSubProcess || catches
	if !begins && len(n.Incoming) == 0 && !c.p.Nodes[n.Scope].free && !c.p.Nodes[n.Scope].broken {
		c.problem(e.Node, "process.unreachable", "no flow leads to this element")
	}
}

func (n *Node) activity() bool {
	switch n.Kind {
	case ServiceTask, UserTask, ScriptTask, PlainTask, ReceiveTask, DecisionTask, SubProcess, CallActivity:
		return !n.event // a message that is thrown is a job, and no task

	}
	return false
}

// required compiles a text that must be an expression with "=" before it.
func (c *compiler) required(n *bpmn.Node, what, text string) *feel.Expr {
	src, is := feel.IsExpression(strings.TrimSpace(text))
	if !is {
		c.problem(n, "process.expression", "the %s %q is no FEEL expression: write \"=\" before it", what, text)
		return nil
	}
	return c.compile(n, what, src)
}

// value compiles a text that is an expression where "=" stands before it.
func (c *compiler) value(n *bpmn.Node, what, text string) Value {
	if src, is := feel.IsExpression(text); is {
		return Value{Expr: c.compile(n, what, src)}
	}
	if foreign(text) {
		c.problem(n, "process.expression", "the %s %q is in another expression language: write it in FEEL with \"=\" before it", what, text)
	}
	return Value{Static: text}
}

func (c *compiler) compile(n *bpmn.Node, what, src string) *feel.Expr {
	x, err := feel.Compile(src)
	if err != nil {
		c.problem(n, "process.feel", "the %s %q does not read as FEEL: %s", what, src, err)
		return nil
	}
	for _, call := range x.Unknown() {
		c.problem(n, "process.feel", "the %s %q cannot be evaluated: %s", what, src, call)
	}
	return x
}
