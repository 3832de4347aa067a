package program

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/rolling"
)

const (
	defaultRetries = "3"
	pluginJob      = "plugin:" // begins the job types that plugins serve
)

// element compiles one element, and what lies within it.
func (c *compiler) element(owner *Node, e *bpmn.Element) *Node {
	n := c.add(&Node{ID: e.ID, Name: e.Name, Line: e.Node.Line, Scope: owner.Index, Interrupting: e.Interrupting, Ext: e.Ext,
		refused: e.Refused, event: strings.HasSuffix(e.Type, "Event"), begins: e.Type == "startEvent" || e.Node.Attr("instantiate") == "true"})
	n.Inputs = c.mappings(e.Node, "input mapping", e.Ext.Inputs)
	n.Outputs = c.mappings(e.Node, "output mapping", e.Ext.Outputs)
	switch e.Type {
	case "startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent":
		c.event(n, e)
	case "serviceTask":
		c.serviceTask(n, e)
	case "userTask":
		c.userTask(n, e)
	case "scriptTask":
		c.scriptTask(n, e)
	case "exclusiveGateway":
		n.Kind = ExclusiveGateway
	case "parallelGateway":
		n.Kind = ParallelGateway
	case "task", "manualTask":
		n.Kind = PlainTask
	case "sendTask":
		c.serviceTask(n, e)
	case "businessRuleTask":
		c.decisionTask(n, e)
	case "receiveTask":
		n.Kind, n.Event = ReceiveTask, c.message(e, e.MessageRef, true)
	case "eventBasedGateway":
		n.Kind = EventGateway
	case "callActivity":
		c.callActivity(n, e)
	case "subProcess":
		c.subProcess(owner, n, e)
	default:
		c.refuse(n, e, "<%s> is not executed", e.Type)
		if e.Scope != nil {
			n.free = true
			c.scope(n, e.Scope, e.Node)
		}
	}
	c.loop(n, e)
	c.services(n, e)
	c.places(n, e)
	c.reserved(n, e.Node)
	c.begin(n, e)
	return n
}

func (c *compiler) subProcess(owner, n *Node, e *bpmn.Element) {
	n.Kind = SubProcess
	if e.TriggeredByEvent {
		n.Kind = EventSubProcess
		owner.Handlers = append(owner.Handlers, n.Index)
	}
	c.scope(n, e.Scope, e.Node)
}

// places refuses extensions that the schema allows on an element which does nothing
// with them.
func (c *compiler) places(n *Node, e *bpmn.Element) {
	if n.refused {
		return
	}
	if e.Ext.HasTask && n.event && n.Kind != ServiceTask {
		c.problem(e.Node, "bpmn.extension.place",
			"<zeebe:taskDefinition> has no effect on this <%s>: jobs are service tasks, send tasks, and events that throw a message", e.Type)
	}
	mapped := len(n.Inputs)+len(n.Outputs) > 0
	switch n.Kind {
	case StartEvent, StartByEvent:
		mapped = len(n.Inputs) > 0 // nothing is there yet that an input could be local to
	case EndEvent, ErrorEnd, TerminateEnd, PassEvent:
	default:
		mapped = false
	}
	if mapped {
		c.problem(e.Node, "bpmn.extension.place", "<zeebe:ioMapping> has no effect on this <%s>: nothing happens there", e.Type)
	}
}

// refuse says that an element is not executed, unless that has been said.
func (c *compiler) refuse(n *Node, e *bpmn.Element, format string, args ...any) {
	// A start event of an event sub-process goes with it.
	if !n.refused && !(e.Type == "startEvent" && c.p.Nodes[n.Scope].free) {
		c.problem(e.Node, "process.unsupported", format, args...)
	}
	n.refused = true
}

func (c *compiler) userTask(n *Node, e *bpmn.Element) {
	n.Kind = UserTask
	if e.Ext.FormKey != "" && e.Ext.FormID != "" {
		c.problem(e.Node, "process.form", "the task has a formKey and a formId: remove one")
	}
	n.Human = &Human{Assignee: c.value(e.Node, "assignee", e.Ext.Assignee),
		CandidateGroups: c.value(e.Node, "candidate groups", e.Ext.CandidateGroups),
		CandidateUsers:  c.value(e.Node, "candidate users", e.Ext.CandidateUsers),
		Form:            c.value(e.Node, "form", e.Ext.FormKey+e.Ext.FormID), Documentation: strings.TrimSpace(document(e.Node)),
		Due: c.date(e.Node, "due date", e.Ext.Due), FollowUp: c.date(e.Node, "follow-up date", e.Ext.FollowUp)}
}

// date is a date and time that a task names, or an expression that gives one.
func (c *compiler) date(n *bpmn.Node, what, text string) Value {
	v := c.value(n, what, text)
	if text == "" || v.Expr != nil {
		return v
	}
	anywhere := func(string) (*time.Location, error) { return time.UTC, nil } // which zones there are is known when it runs
	if _, err := ParseDate(text, anywhere); err != nil {
		c.problem(n, "process.schedule", "the %s %q is no date and time such as 2026-01-31T08:00:00Z: %s", what, text, err)
	}
	return v
}

// services refuses what says how a service of a plugin is called where none is.
func (c *compiler) services(n *Node, e *bpmn.Element) {
	if !n.activity() { // told where it stands
		return
	}
	calls := n.Kind == ServiceTask && n.Task != nil && (n.Task.Type.Expr != nil || strings.HasPrefix(n.Task.Type.Static, pluginJob))
	if (len(e.Ext.ServiceInputs) > 0 || len(e.Ext.ServiceOutputs) > 0) && n.Kind == ServiceTask && !calls {
		c.problem(e.Node, "process.input_place",
			"<sextant:input> and <sextant:output> are for service tasks that call a plugin (job type plugin:…)")
	}
	if e.Ext.Bind != nil && !calls && (n.Loop == nil || n.Loop.Batch == nil) {
		c.problem(e.Node, "process.bind_place", "<sextant:bind> is for service tasks that call a plugin, and for activities that run in batches")
	}
}

func (c *compiler) serviceTask(n *Node, e *bpmn.Element) {
	n.Kind = ServiceTask
	if !e.Ext.HasTask || e.Ext.TaskType == "" {
		c.problem(e.Node, "process.no_type", "<%s> has no job type: add <zeebe:taskDefinition type=\"…\"/>", e.Type)
	}
	retries := e.Ext.TaskRetries
	if retries == "" {
		retries = defaultRetries
	}
	if times, err := strconv.ParseInt(retries, 10, 32); !strings.HasPrefix(retries, "=") && !foreign(retries) && (err != nil || times < 1) {
		c.problem(e.Node, "process.retries", "the retries %q are no whole number of at least 1", retries)
	}
	n.Task = &Task{Type: c.value(e.Node, "job type", e.Ext.TaskType), Retries: c.value(e.Node, "retries", retries), Headers: e.Ext.Headers}
	for _, in := range e.Ext.ServiceInputs {
		if in.From == "feel" {
			c.compile(e.Node, "input "+in.Name, strings.TrimPrefix(in.Value, "="))
		}
	}
}

// decisionTask compiles a business rule task: it calls a decision, or is a job.
func (c *compiler) decisionTask(n *Node, e *bpmn.Element) {
	d := e.Ext.Decision
	switch {
	case d != nil && e.Ext.HasTask:
		c.problem(e.Node, "process.decision", "the task has a called decision and a job type: remove one")
	case d == nil && e.Ext.HasTask:
		c.serviceTask(n, e)
		return
	case d == nil:
		c.problem(e.Node, "process.decision", "the task calls no decision: add <zeebe:calledDecision decisionId=\"…\" resultVariable=\"…\"/>")
		n.Kind = DecisionTask
		return
	}
	n.Kind, n.Decision = DecisionTask, &Decision{ID: c.value(e.Node, "decision id", d.ID), Result: d.Result}
	if d.ID == "" || d.Result == "" {
		c.problem(e.Node, "process.decision", "the called decision has no id or no resultVariable")
	}
}

// callActivity compiles a call of another process.
func (c *compiler) callActivity(n *Node, e *bpmn.Element) {
	n.Kind = CallActivity
	called := e.Ext.Called
	if called == nil || called.Process == "" {
		c.problem(e.Node, "process.call", "the call activity calls no process: add <zeebe:calledElement processId=\"…\"/>")
		return
	}
	n.Call = &Call{Process: c.value(e.Node, "process id", called.Process),
		Binding: Binding(called.Binding), Tag: called.VersionTag, In: called.ParentVariables, Out: called.ChildVariables}
	switch n.Call.Binding {
	case "", Latest:
		n.Call.Binding = Latest
	case Deployment:
		within := slices.ContainsFunc(c.model.Processes, func(p *bpmn.Process) bool { return p.Executable && p.ID == called.Process })
		if n.Call.Process.Expr == nil && !within {
			c.problem(e.Node, "process.call", "the process %q is bound to the same deployment, "+
				"and the file holds no executable process with that id: draw it in the file, or use bindingType=\"latest\"", called.Process)
		}
	case VersionTag:
		if called.VersionTag == "" {
			c.problem(e.Node, "process.call", "the process %q is bound to a version tag and none is named: add versionTag=\"…\"", called.Process)
		}
	default:
		c.problem(e.Node, "process.call", "the bindingType %q is not known: want latest, deployment or versionTag", called.Binding)
	}
	if n.Call.Binding != VersionTag && called.VersionTag != "" {
		c.problem(e.Node, "process.call", "the versionTag %q has no effect with bindingType=%q: write bindingType=\"versionTag\"",
			called.VersionTag, n.Call.Binding)
	}
}

func (c *compiler) scriptTask(n *Node, e *bpmn.Element) {
	n.Kind = ScriptTask
	if e.Ext.Script == nil && e.Node.Child(bpmn.NamespaceBPMN, "script") != nil {
		return // told of the script
	}
	if e.Ext.Script == nil {
		c.problem(e.Node, "process.script", "the script task holds no FEEL script: "+
			"add <zeebe:script expression=\"=…\" resultVariable=\"…\"/>; other script languages are not executed")
		return
	}
	n.Script = &Script{Expr: c.required(e.Node, "script", e.Ext.Script.Expression), Result: e.Ext.Script.ResultVariable}
	if n.Script.Result == "" {
		c.problem(e.Node, "process.script", "the script has no resultVariable")
	}
}

func (c *compiler) mappings(n *bpmn.Node, what string, in []bpmn.Mapping) []Mapping {
	out := make([]Mapping, 0, len(in))
	for _, m := range in {
		out = append(out, Mapping{Source: c.value(n, what, m.Source), Target: strings.Split(m.Target, ".")})
	}
	return out
}

func (c *compiler) loop(n *Node, e *bpmn.Element) {
	l := e.Loop
	if l == nil {
		return
	}
	if l.Standard {
		c.problem(e.Node, "process.unsupported", "a standard loop is not executed: draw it with an exclusive gateway")
		return
	}
	if n.refused && !n.activity() {
		return
	}
	if !n.activity() {
		c.problem(e.Node, "process.loop_place", "only tasks, sub-processes and call activities run many times")
		return
	}
	n.Loop = &Loop{Sequential: l.Sequential, InputElement: l.InputElement, OutputCollection: l.OutputCollection}
	optional := func(what, text string) {
		if text == "" {
			return
		}
		x := c.required(e.Node, what, text)
		switch what {
		case "input collection":
			n.Loop.Input = x
		case "output element":
			n.Loop.OutputElement = x
		case "completion condition":
			n.Loop.Completion = x
		case "loop cardinality":
			n.Loop.Cardinality = x
		}
	}
	optional("input collection", l.InputCollection)
	optional("output element", l.OutputElement)
	optional("completion condition", formal(l.CompletionCondition))
	optional("loop cardinality", formal(l.Cardinality))
	c.batch(n, e)
	if l.InputCollection != "" && l.Cardinality != "" {
		c.problem(e.Node, "process.loop", "the multi-instance has an input collection and a cardinality: remove one")
	}
	if l.InputElement != "" && l.InputCollection == "" && !l.Refused {
		c.problem(e.Node, "process.loop", "the multi-instance has an input element but no input collection")
	}
	if l.Batch == nil && l.InputCollection == "" && l.Cardinality == "" && !l.Refused {
		c.problem(e.Node, "process.loop", "the multi-instance has no input collection, cardinality or batch")
	}
	if (l.OutputCollection == "") != (l.OutputElement == "") {
		c.problem(e.Node, "process.loop", "output collection and output element belong together")
	}
}

// foreign reports whether a text is an expression of another language.
func foreign(text string) bool { return strings.HasPrefix(text, "${") || strings.HasPrefix(text, "#{") }

// formal gives an expression that is always one the "=" that it may lack; those of
// another language keep their signs.
func formal(text string) string {
	if text == "" || strings.HasPrefix(text, "=") || foreign(text) {
		return text
	}
	return "=" + text
}

func (c *compiler) batch(n *Node, e *bpmn.Element) {
	b := e.Loop.Batch
	if b == nil {
		return
	}
	plan, err := rolling.Parse(b.Expression)
	if err != nil {
		c.problem(e.Node, "process.batch", "the batch expression %q is not understood: %s", b.Expression, err)
		return
	}
	n.Loop.Batch = &plan
	if !e.Loop.Sequential {
		c.problem(e.Node, "process.batch", "batches run one after the other: set isSequential=\"true\"")
	}
	if e.Loop.InputCollection != "" || e.Loop.Cardinality != "" {
		c.problem(e.Node, "process.batch", "a batch cuts the bound rows: remove the input collection and the cardinality")
	}
	if e.Ext.Bind == nil {
		c.problem(e.Node, "process.batch", "a batch needs the rows to cut: add <sextant:bind path=\"…\"/>")
		return
	}
	n.Loop.Bind = e.Ext.Bind.Path
}
