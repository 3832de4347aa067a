package program

import (
	"strings"

	"sextant/internal/lang/bpmn"
)

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
	switch e.Type {
	case "startEvent":
		return c.startEvent(n, e, trigger, handles)
	case "boundaryEvent":
		return c.boundaryEvent(n, e, trigger)
	case "intermediateCatchEvent":
		return c.catchEvent(n, e, trigger)
	}
	return c.throwEvent(n, e, trigger)
}

// startEvent compiles what begins a scope. In an event sub-process it handles an
// event of the scope around.
func (c *compiler) startEvent(n *Node, e *bpmn.Element, trigger string, handles bool) bool {
	switch trigger {
	case "":
		n.Kind = StartEvent
		if handles {
			c.problem(e.Node, "process.event_start",
				"the start event of an event sub-process has no trigger: give it a timer, a message, a signal, an error or an escalation")
		}
		return true
	case "message", "signal":
		n.Kind = StartByEvent
		if handles {
			n.Kind = StartSubscribed
		} else if n.Scope != 0 {
			return false // a sub-process begins with its token
		}
		n.Event = c.subscribed(e, handles)
		return true
	case "timer":
		n.Kind, n.Timer = StartTimer, c.timer(e, !e.Interrupting)
	case "error":
		n.Kind, n.Code = StartError, c.errorCode(e)
		c.interrupts(e)
	case "escalation":
		n.Kind, n.Code = StartEscalation, c.escalationCode(e)
	default:
		return false
	}
	return handles
}

func (c *compiler) boundaryEvent(n *Node, e *bpmn.Element, trigger string) bool {
	switch trigger {
	case "timer":
		n.Kind, n.Timer = BoundaryTimer, c.timer(e, !e.Interrupting)
	case "error":
		n.Kind, n.Code = BoundaryError, c.errorCode(e)
		c.interrupts(e)
	case "escalation":
		n.Kind, n.Code = BoundaryEscalation, c.escalationCode(e)
	case "message", "signal":
		n.Kind, n.Event = BoundaryEvent, c.subscribed(e, true)
	default:
		return c.cancel(n, e, trigger)
	}
	return true
}

func (c *compiler) catchEvent(n *Node, e *bpmn.Element, trigger string) bool {
	switch trigger {
	case "timer":
		n.Kind, n.Timer = TimerCatch, c.timer(e, false)
	case "link":
		c.linkEvent(n, e)
	case "message", "signal":
		n.Kind, n.Event = EventCatch, c.subscribed(e, true)
	default:
		return false
	}
	return true
}

// throwEvent compiles an event that makes something happen, on the way or at its end.
func (c *compiler) throwEvent(n *Node, e *bpmn.Element, trigger string) bool {
	ends := e.Type == "endEvent"
	switch kind := func(end, way Kind) Kind {
		if ends {
			return end
		}
		return way
	}; trigger {
	case "":
		n.Kind = kind(EndEvent, PassEvent)
	case "message":
		c.serviceTask(n, e)
	case "signal":
		n.Kind, n.Event = kind(SignalEnd, SignalThrow), c.signal(e)
	case "escalation":
		n.Kind = kind(EscalationEnd, EscalationThrow)
		if n.Code = c.escalationCode(e); n.Code == "" {
			c.problem(e.Node, "process.escalation_code",
				"the event throws no escalation with a code: refer to an <escalation> that has an escalationCode")
		}
	case "terminate":
		n.Kind = TerminateEnd
		return ends
	case "error":
		n.Kind, n.Code = ErrorEnd, c.errorCode(e)
		if _, defined := c.model.Errors[e.Events[0].ErrorRef]; n.Code == "" && (defined || e.Events[0].ErrorRef == "") {
			c.problem(e.Node, "process.error_code", "the error end event throws no error with a code: refer to an <error> that has an errorCode")
		}
		return ends
	case "link":
		c.linkEvent(n, e)
		return !ends
	default:
		return c.cancel(n, e, trigger)
	}
	return true
}

func (c *compiler) linkEvent(n *Node, e *bpmn.Element) {
	n.Kind, n.link = PassEvent, e.Events[0].Name
	if n.link == "" {
		c.problem(e.Node, "process.link", "the link has no name")
	}
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
		c.problem(e.Node, "process.escalation_code", "the escalationCode %q of the escalation %q is an expression: codes are texts",
			def.Code, ref)
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

// subscribed compiles the message or signal that an event waits for.
func (c *compiler) subscribed(e *bpmn.Element, correlated bool) *Event {
	if e.Events[0].Type == "signal" {
		return c.signal(e)
	}
	return c.message(e, e.Events[0].MessageRef, correlated)
}

// message compiles a message. Where a run waits for it, a key says which.
func (c *compiler) message(e *bpmn.Element, ref string, correlated bool) *Event {
	def, ok := c.model.Messages[ref]
	switch {
	case ref == "":
		c.problem(e.Node, "process.message", "<%s> names no message: refer to a <message> of the file", e.Type)
	case !ok:
		c.problem(e.Node, "process.message", "the message %q is not defined in the file", ref)
	case def.Name == "":
		c.problem(e.Node, "process.message", "the message %q has no name", ref)
	case correlated && def.Correlation == "":
		c.problem(e.Node, "process.message",
			"the message %q has no correlation key, so that no run is found for it: add <zeebe:subscription correlationKey=\"=…\"/> to it", ref)
	}
	ev := &Event{Name: c.value(e.Node, "message name", def.Name)}
	if def.Correlation != "" && correlated {
		ev.Correlation = c.required(e.Node, "correlation key", def.Correlation)
	}
	if ev.Name.Expr != nil && !correlated {
		c.problem(e.Node, "process.message", "the name of the message %q is an expression: nothing is there yet that it could read", ref)
	}
	return ev
}

func (c *compiler) signal(e *bpmn.Element) *Event {
	ref := e.Events[0].SignalRef
	def, ok := c.model.Signals[ref]
	switch {
	case ref == "":
		c.problem(e.Node, "process.signal", "<%s> names no signal: refer to a <signal> of the file", e.Type)
	case !ok:
		c.problem(e.Node, "process.signal", "the signal %q is not defined in the file", ref)
	case def.Name == "":
		c.problem(e.Node, "process.signal", "the signal %q has no name", ref)
	case strings.HasPrefix(def.Name, "=") && e.Type == "startEvent" && c.p.Nodes[c.p.byID[e.ID]].Kind == StartByEvent:
		c.problem(e.Node, "process.signal", "the name of the signal %q is an expression: nothing is there yet that it could read", ref)
	}
	return &Event{Signal: true, Name: c.value(e.Node, "signal name", def.Name)}
}
