package program

import (
	"strconv"
	"strings"

	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/rolling"
)

const (
	defaultRetries = "3"
	pluginJob      = "plugin:" // begins the job types that plugins serve
)

// element compiles one element, and what lies within it.
func (c *compiler) element(owner *Node, e *bpmn.Element) *Node {
	n := c.add(&Node{ID: e.ID, Name: e.Name, Line: e.Node.Line, Scope: owner.Index, Interrupting: e.Interrupting, Ext: e.Ext, refused: e.Refused, begins: e.Type == "startEvent" || e.Node.Attr("instantiate") == "true"})
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
	n.Human = &Human{Assignee: c.value(e.Node, "assignee", e.Ext.Assignee), CandidateGroups: c.value(e.Node, "candidate groups", e.Ext.CandidateGroups),
		CandidateUsers: c.value(e.Node, "candidate users", e.Ext.CandidateUsers), Form: c.value(e.Node, "form", e.Ext.FormKey+e.Ext.FormID), Documentation: strings.TrimSpace(document(e.Node))}
}

// services refuses what says how a service of a plugin is called where none is.
func (c *compiler) services(n *Node, e *bpmn.Element) {
	if !n.activity() { // told where it stands
		return
	}
	calls := n.Kind == ServiceTask && n.Task != nil && (n.Task.Type.Expr != nil || strings.HasPrefix(n.Task.Type.Static, pluginJob))
	if (len(e.Ext.ServiceInputs) > 0 || len(e.Ext.ServiceOutputs) > 0) && n.Kind == ServiceTask && !calls {
		c.problem(e.Node, "process.input_place", "<sextant:input> and <sextant:output> are for service tasks that call a plugin (job type plugin:…)")
	}
	if e.Ext.Bind != nil && !calls && (n.Loop == nil || n.Loop.Batch == nil) {
		c.problem(e.Node, "process.bind_place", "<sextant:bind> is for service tasks that call a plugin, and for activities that run in batches")
	}
}

func (c *compiler) event(n *Node, e *bpmn.Element) {
	trigger := ""
	switch {
	case len(e.Events) > 1:
		c.refuse(n, e, "an event with several triggers is not executed")
		return
	case len(e.Events) == 1:
		trigger = e.Events[0].Type
	}
	handles := e.Type == "startEvent" && c.p.Nodes[n.Scope].Kind == EventSubProcess
	if e.Type == "startEvent" && !e.Interrupting && !handles {
		c.problem(e.Node, "process.start_place", "isInterrupting=\"false\" is for the start events of event sub-processes")
	}
	if !c.knownEvent(n, e, trigger, handles) {
		if trigger == "" {
			trigger = "none"
		}
		c.refuse(n, e, "<%s> with trigger %s is not executed", e.Type, trigger)
	}
}

// knownEvent compiles an event by its trigger, unless it is none that is executed.
func (c *compiler) knownEvent(n *Node, e *bpmn.Element, trigger string, handles bool) bool {
	switch e.Type + ":" + trigger {
	case "startEvent:":
		n.Kind = StartEvent
		if handles {
			c.problem(e.Node, "process.event_start", "the start event of an event sub-process has no trigger: give it a timer, an error or an escalation")
		}
	case "startEvent:timer":
		n.Kind, n.Timer = StartTimer, c.timer(e, !e.Interrupting)
		return handles
	case "startEvent:error":
		n.Kind = StartError
		n.Code = c.errorCode(e)
		c.interrupts(e)
		return handles
	case "startEvent:escalation":
		n.Kind = StartEscalation
		n.Code = c.escalationCode(e)
		return handles
	case "endEvent:":
		n.Kind = EndEvent
	case "endEvent:terminate":
		n.Kind = TerminateEnd
	case "endEvent:error":
		n.Kind = ErrorEnd
		n.Code = c.errorCode(e)
		if _, defined := c.model.Errors[e.Events[0].ErrorRef]; n.Code == "" && (defined || e.Events[0].ErrorRef == "") {
			c.problem(e.Node, "process.error_code", "the error end event throws no error with a code: refer to an <error> that has an errorCode")
		}
	case "endEvent:escalation", "intermediateThrowEvent:escalation":
		n.Kind = EscalationEnd
		if e.Type != "endEvent" {
			n.Kind = EscalationThrow
		}
		if n.Code = c.escalationCode(e); n.Code == "" {
			c.problem(e.Node, "process.escalation_code", "the event throws no escalation with a code: refer to an <escalation> that has an escalationCode")
		}
	case "intermediateThrowEvent:":
		n.Kind = PassEvent
	case "intermediateThrowEvent:link", "intermediateCatchEvent:link":
		n.Kind = PassEvent
		n.link = e.Events[0].Name
		if n.link == "" {
			c.problem(e.Node, "process.link", "the link has no name")
		}
	case "intermediateCatchEvent:timer":
		n.Kind, n.Timer = TimerCatch, c.timer(e, false)
	case "boundaryEvent:timer":
		n.Kind, n.Timer = BoundaryTimer, c.timer(e, !e.Interrupting)
	case "boundaryEvent:error":
		n.Kind = BoundaryError
		n.Code = c.errorCode(e)
		c.interrupts(e)
	case "boundaryEvent:escalation":
		n.Kind = BoundaryEscalation
		n.Code = c.escalationCode(e)
	default:
		return c.cancel(n, e, trigger)
	}
	return true
}

// cancel goes with its transaction, see link.
func (c *compiler) cancel(n *Node, e *bpmn.Element, trigger string) bool {
	switch {
	case trigger != "cancel":
		return false
	case e.Type == "boundaryEvent" && e.AttachedTo != "":
		n.refused, n.cancels = true, true
		return true
	case e.Type == "endEvent":
		n.refused = n.refused || c.p.Nodes[n.Scope].refused
	}
	return false
}

// interrupts refuses an event for errors that would go on.
func (c *compiler) interrupts(e *bpmn.Element) {
	if e.Interrupting {
		return
	}
	what, attribute := "an error boundary event", "cancelActivity"
	if e.Type == "startEvent" {
		what, attribute = "an event sub-process for an error", "isInterrupting"
	}
	c.problem(e.Node, "process.error_boundary", "%s always interrupts: remove %s=\"false\"", what, attribute)
}

func (c *compiler) escalationCode(e *bpmn.Element) string {
	ref := e.Events[0].EscalationRef
	if ref == "" {
		return ""
	}
	def, ok := c.model.Escalations[ref]
	if !ok {
		c.problem(e.Node, "process.escalation_ref", "the escalation %q is not defined in the file", ref)
	}
	if strings.HasPrefix(def.Code, "=") || foreign(def.Code) {
		c.problem(e.Node, "process.escalation_code", "the escalationCode %q of the escalation %q is an expression: codes are texts", def.Code, ref)
	}
	return def.Code
}

func (c *compiler) errorCode(e *bpmn.Element) string {
	ref := e.Events[0].ErrorRef
	if ref == "" {
		return ""
	}
	def, ok := c.model.Errors[ref]
	if !ok {
		c.problem(e.Node, "process.error_ref", "the error %q is not defined in the file", ref)
	}
	if strings.HasPrefix(def.Code, "=") || foreign(def.Code) {
		c.problem(e.Node, "process.error_code", "the errorCode %q of the error %q is an expression: codes are texts", def.Code, ref)
	}
	return def.Code
}

func (c *compiler) timer(e *bpmn.Element, repeats bool) *Timer {
	d := e.Events[0]
	t := &Timer{}
	var text string
	if d.Kinds > 1 {
		c.problem(e.Node, "process.timer", "the timer has several of duration, date and cycle: write one")
	}
	switch {
	case d.Duration != "":
		t.Kind, text = TimerDuration, d.Duration
	case d.Date != "":
		t.Kind, text = TimerDate, d.Date
	case d.Cycle != "" && repeats:
		t.Kind, text = TimerCycle, d.Cycle
	case d.Cycle != "":
		c.problem(e.Node, "process.timer", "a cycle is executed on boundary events and event sub-processes that do not interrupt only")
	default:
		c.problem(e.Node, "process.timer", "the timer has no duration, date or cycle")
	}
	t.Value = c.value(e.Node, "timer", text)
	if t.Value.Expr == nil && text != "" && !foreign(text) {
		if err := CheckTimer(t.Kind, text, c.zones); err != nil {
			c.problem(e.Node, "process.timer", "%s", err)
		}
	}
	return t
}

func (c *compiler) serviceTask(n *Node, e *bpmn.Element) {
	n.Kind = ServiceTask
	if !e.Ext.HasTask || e.Ext.TaskType == "" {
		c.problem(e.Node, "process.no_type", "the service task has no job type: add <zeebe:taskDefinition type=\"…\"/>")
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

func (c *compiler) scriptTask(n *Node, e *bpmn.Element) {
	n.Kind = ScriptTask
	if e.Ext.Script == nil && e.Node.Child(bpmn.NamespaceBPMN, "script") != nil {
		return // told of the script
	}
	if e.Ext.Script == nil {
		c.problem(e.Node, "process.script", "the script task holds no FEEL script: add <zeebe:script expression=\"=…\" resultVariable=\"…\"/>; other script languages are not executed")
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
		c.problem(e.Node, "process.loop_place", "only tasks and sub-processes run many times")
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
