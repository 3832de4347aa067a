package bpmn

import (
	"fmt"
	"slices"
	"strings"
)

// Read lifts the processes out of a document. The error is an *Error that lists
// every problem; the model then holds what could be read, so that the rest can be
// checked as well, and is nil for a file that is no BPMN.
func Read(doc *Document) (*Model, error) {
	r := &reader{model: &Model{Errors: map[string]ErrorRef{}, Escalations: map[string]EscalationRef{}, Messages: map[string]MessageRef{},
		Signals: map[string]SignalRef{}}, ids: map[string]*Node{}, taken: map[string]bool{}, refused: map[*Node]bool{}, own: map[string]bool{}}
	if !doc.Root.Is(NamespaceBPMN, "definitions") {
		r.problem(doc.Root, "bpmn.root", "the root element is <%s>, not <definitions> of %s", doc.Root.Local, NamespaceBPMN)
		return nil, &Error{Problems: r.problems}
	}
	for _, a := range doc.Root.Attrs {
		if a.Prefix == "xmlns" && a.Value == doc.Root.Attr("targetNamespace") {
			r.own[a.Local+":"] = true
		}
	}
	doc.Root.Walk(func(n *Node) {
		r.taken[n.Attr("id")] = true
		r.executable = r.executable || n.Is(NamespaceBPMN, "process") && n.Attr("isExecutable") == "true"
	})
	r.survey(doc.Root, "Definitions", doc.Root)
	if id := doc.Root.Attr("id"); id != "" {
		r.ids[id] = doc.Root // ids are those of the whole file: modelers draw nothing where two are alike
	}
	for _, n := range doc.Root.Elements() {
		switch {
		case n.Is(NamespaceBPMN, "process"):
			if r.reads(n) {
				r.process(n)
			}
		case n.Is(NamespaceBPMN, "error"):
			r.model.Errors[n.Attr("id")] = ErrorRef{ID: n.Attr("id"), Name: n.Attr("name"), Code: n.Attr("errorCode")}
		case n.Is(NamespaceBPMN, "message"):
			r.model.Messages[n.Attr("id")] = MessageRef{ID: n.Attr("id"), Name: n.Attr("name"), Correlation: r.extensions(n).Correlation, Node: n}
		case n.Is(NamespaceBPMN, "signal"):
			r.model.Signals[n.Attr("id")] = SignalRef{ID: n.Attr("id"), Name: n.Attr("name")}
		case n.Is(NamespaceBPMN, "escalation"):
			r.model.Escalations[n.Attr("id")] = EscalationRef{ID: n.Attr("id"), Name: n.Attr("name"), Code: n.Attr("escalationCode")}
		}
	}
	r.model.Warnings = Bounded(r.model.Warnings)
	if len(r.problems) > 0 {
		r.model.Problems = r.problems
		return r.model, &Error{Problems: Bounded(r.problems)}
	}
	return r.model, nil
}

// maxProblems is how many problems or warnings of a file are told.
const maxProblems = 1000

// Bounded keeps as many problems as anybody reads, and says how many more there are.
func Bounded(all []Problem) []Problem {
	if len(all) <= maxProblems {
		return all
	}
	more := all[maxProblems]
	more.Message = fmt.Sprintf("there are %d more from here on", len(all)-maxProblems)
	return append(slices.Clone(all[:maxProblems]), more)
}

type reader struct {
	model    *Model
	ids      map[string]*Node
	taken    map[string]bool // every id of the file
	refused  map[*Node]bool  // what the survey refused
	problems []Problem
	// executable is whether any process of the file is.
	executable bool
	own        map[string]bool // prefixes of the file's own namespace, with their colon
}

// ref reads a reference to what the file defines: a name that may have a prefix
// (BPMN 2.0, 15.3.2).
func (r *reader) ref(n *Node, local string) string {
	name := n.Attr(local)
	if i := strings.IndexByte(name, ':'); i >= 0 && r.own[name[:i+1]] {
		return name[i+1:]
	}
	return name
}

func (r *reader) problem(n *Node, code, format string, args ...any) {
	r.problems = append(r.problems,
		Problem{Element: n.Attr("id"), Line: n.Line, Column: n.Column, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) claim(n *Node) string {
	id := n.Attr("id")
	if id == "" {
		r.problem(n, "bpmn.no_id", "<%s> has no id", n.Local)
		return ""
	}
	if other, taken := r.ids[id]; taken {
		r.problem(n, "bpmn.duplicate_id", "the id %q is used on line %d already", id, other.Line)
	}
	r.ids[id] = n
	return id
}

func (r *reader) process(n *Node) {
	p := &Process{ID: r.claim(n), Name: n.Attr("name"), Executable: n.Attr("isExecutable") == "true", Node: n}
	p.Ext = r.extensions(n)
	p.Scope = r.scope(n)
	r.model.Processes = append(r.model.Processes, p)
}

// ignored are the children of a scope that are drawing, documentation or data
// declarations without execution meaning.
var ignored = map[string]bool{
	"documentation": true, "extensionElements": true, "laneSet": true, "textAnnotation": true, "association": true,
	"group": true, "dataObject": true, "dataObjectReference": true, "dataStoreReference": true, "property": true,
	"incoming": true, "outgoing": true, "multiInstanceLoopCharacteristics": true, "standardLoopCharacteristics": true,
	"ioSpecification": true, "dataInputAssociation": true, "dataOutputAssociation": true, "auditing": true, "monitoring": true,
	"performer": true, "potentialOwner": true, "humanPerformer": true, "resourceRole": true, "category": true,
	"supportedInterfaceRef": true, "ioBinding": true, "correlationSubscription": true, "artifact": true,
	"categoryValueRef": true, "supports": true, "extensionDefinitions": true, "completionCondition": true, "boundaryEventRefs": true,
}

func (r *reader) scope(n *Node) *Scope {
	s := &Scope{}
	byID := map[string]*Element{}
	for _, c := range n.Elements() {
		switch {
		case c.Space != NamespaceBPMN || ignored[c.Local]:
		case c.Local == "sequenceFlow":
			s.Flows = append(s.Flows, r.flow(c))
		default:
			e := r.element(c)
			s.Elements = append(s.Elements, e)
			byID[e.ID] = e
		}
	}
	all := slices.Clone(s.Flows)
	s.Flows = slices.DeleteFunc(s.Flows, func(f *Flow) bool { return !r.connect(f, byID) })
	s.Broken = len(s.Flows) < len(all)
	for _, e := range s.Elements {
		r.checkElement(e, byID, all)
	}
	return s
}

func (r *reader) connect(f *Flow, byID map[string]*Element) bool {
	source, target := byID[f.Source], byID[f.Target]
	if source == nil {
		r.problem(f.Node, "bpmn.dangling_flow", "the flow comes from %q, which is no element of the same process or sub-process", f.Source)
	}
	if target == nil {
		r.problem(f.Node, "bpmn.dangling_flow", "the flow leads to %q, which is no element of the same process or sub-process", f.Target)
	}
	if source == nil || target == nil {
		return false
	}
	source.Outgoing = append(source.Outgoing, f)
	target.Incoming = append(target.Incoming, f)
	return true
}

func (r *reader) checkElement(e *Element, byID map[string]*Element, flows []*Flow) {
	if e.Type == "boundaryEvent" && byID[e.AttachedTo] == nil {
		r.problem(e.Node, "bpmn.boundary", "the boundary event is attached to %q, which is no activity of the same process or sub-process",
			e.AttachedTo)
	}
	if e.Default != "" {
		if slices.ContainsFunc(flows, func(f *Flow) bool { return f.ID == e.Default && f.Source == e.ID }) {
			return
		}
		r.problem(e.Node, "bpmn.default", "the default flow %q does not leave this element", e.Default)
	}
}

func (r *reader) flow(n *Node) *Flow {
	f := &Flow{ID: r.flowID(n), Name: n.Attr("name"), Source: n.Attr("sourceRef"), Target: n.Attr("targetRef"), Node: n}
	if c := n.Child(NamespaceBPMN, "conditionExpression"); c != nil {
		f.HasCondition, f.Condition, f.Refused = true, expression(c), r.refused[c]
	}
	return f
}

// flowID gives a flow that has no id one: nothing refers to it.
func (r *reader) flowID(n *Node) string {
	if n.Attr("id") != "" {
		return r.claim(n)
	}
	id := n.Attr("sourceRef") + "_to_" + n.Attr("targetRef")
	for i := 2; r.taken[id]; i++ {
		id = fmt.Sprintf("%s_to_%s_%d", n.Attr("sourceRef"), n.Attr("targetRef"), i)
	}
	r.taken[id], r.ids[id] = true, n
	return id
}

// expression is the text of an expression. One whose language is said to be FEEL is
// written without "=".
func expression(n *Node) string {
	text := n.Content()
	if text != "" && !strings.HasPrefix(text, "=") && strings.Contains(strings.ToLower(n.Attr("language")), "feel") {
		return "=" + text
	}
	return text
}

func (r *reader) element(n *Node) *Element {
	e := &Element{Type: n.Local, ID: r.claim(n), Name: n.Attr("name"), Node: n, Default: n.Attr("default"),
		AttachedTo: r.ref(n, "attachedToRef"), MessageRef: r.ref(n, "messageRef"), Interrupting: n.Attr("cancelActivity") != "false" &&
			n.Attr("isInterrupting") != "false", TriggeredByEvent: n.Attr("triggeredByEvent") == "true"}
	e.Ext, e.Refused = r.extensions(n), r.refused[n]
	for _, c := range n.Elements() {
		if c.Space != NamespaceBPMN {
			continue
		}
		if name, is := strings.CutSuffix(c.Local, "EventDefinition"); is {
			e.Events = append(e.Events, r.eventDefinition(name, c))
		}
		switch c.Local {
		case "multiInstanceLoopCharacteristics":
			e.Loop = r.loop(c)
		case "standardLoopCharacteristics":
			e.Loop = &Loop{Standard: true, Node: c}
		}
	}
	switch n.Local {
	case "subProcess", "transaction", "adHocSubProcess":
		e.Scope = r.scope(n)
	}
	return e
}

func (r *reader) eventDefinition(name string, n *Node) EventDefinition {
	d := EventDefinition{Type: name, ErrorRef: r.ref(n, "errorRef"), EscalationRef: r.ref(n, "escalationRef"),
		MessageRef: r.ref(n, "messageRef"), SignalRef: r.ref(n, "signalRef"), Name: n.Attr("name"), Node: n}
	text := func(local string) string {
		found := ""
		for _, c := range n.Elements() {
			if c.Is(NamespaceBPMN, local) {
				found = expression(c)
				d.Kinds++
			}
		}
		return found
	}
	d.Date, d.Duration, d.Cycle = text("timeDate"), text("timeDuration"), text("timeCycle")
	return d
}

func (r *reader) loop(n *Node) *Loop {
	l := &Loop{Sequential: n.Attr("isSequential") == "true", Node: n}
	if c := n.Child(NamespaceBPMN, "loopCardinality"); c != nil {
		l.Cardinality = expression(c)
	}
	if c := n.Child(NamespaceBPMN, "completionCondition"); c != nil {
		l.CompletionCondition = expression(c)
	}
	l.Refused = r.refused[n]
	for _, c := range n.Elements() {
		l.Refused = l.Refused || r.refused[c]
	}
	ext := n.Child(NamespaceBPMN, "extensionElements")
	if ext == nil {
		return l
	}
	for _, c := range ext.Elements() {
		switch {
		case c.Is(NamespaceZeebe, "loopCharacteristics"):
			l.InputCollection, l.InputElement = c.Attr("inputCollection"), c.Attr("inputElement")
			l.OutputCollection, l.OutputElement = c.Attr("outputCollection"), c.Attr("outputElement")
		case c.Is(NamespaceSextant, "batch"):
			l.Batch = &Batch{Expression: c.Attr("expression"), OnFail: c.Attr("onFail"), MaxFail: c.Attr("maxFail")}
		}
	}
	return l
}
