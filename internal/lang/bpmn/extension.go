package bpmn

import "fmt"

// unsupportedZeebe are zeebe elements that ask for something not executed; they
// are handed on so that the program can refuse them by name.
var unsupportedZeebe = map[string]bool{
	"calledElement": true, "calledDecision": true, "executionListeners": true, "taskListeners": true, "subscription": true,
	"adHoc": true, "linkedResources": true, "conditionalFilter": true,
}

// harmlessZeebe are zeebe elements that only describe.
var harmlessZeebe = map[string]bool{"properties": true, "versionTag": true, "userTaskForm": true, "taskSchedule": true, "priorityDefinition": true}

func (r *reader) extensions(owner *Node) Extensions {
	var x Extensions
	ext := owner.Child(NamespaceBPMN, "extensionElements")
	if ext == nil {
		return x
	}
	for _, n := range ext.Elements() {
		switch n.Space {
		case NamespaceZeebe:
			r.zeebe(&x, n, owner)
		case NamespaceSextant:
			r.sextant(&x, n, owner)
		default:
			r.foreign(n)
		}
	}
	return x
}

// foreign notes an extension that is kept and has no meaning here, and refuses
// one that pretends to a namespace with a meaning.
func (r *reader) foreign(n *Node) {
	if n.Space == NamespaceZeebe || n.Space == NamespaceSextant {
		r.problem(n, "bpmn.extension.unknown", "the extension <%s> is not known in this place", n.Tag())
		return
	}
	r.model.Warnings = append(r.model.Warnings, Problem{Line: n.Line, Column: n.Column, Code: "bpmn.extension.kept",
		Message: fmt.Sprintf("the extension <%s> is kept but has no effect", n.Tag())})
}

func (r *reader) zeebe(x *Extensions, n, owner *Node) {
	switch n.Local {
	case "taskDefinition":
		x.HasTask, x.TaskType, x.TaskRetries = true, n.Attr("type"), n.Attr("retries")
	case "ioMapping":
		r.ioMapping(x, n, owner)
	case "taskHeaders":
		for _, h := range n.Elements() {
			x.Headers = append(x.Headers, Header{h.Attr("key"), h.Attr("value")})
		}
	case "script":
		x.Script = &Script{Expression: n.Attr("expression"), ResultVariable: n.Attr("resultVariable")}
	case "userTask":
		x.UserTask = true
	case "formDefinition":
		x.FormKey, x.FormID = n.Attr("formKey"), n.Attr("formId")
	case "assignmentDefinition":
		x.Assignee, x.CandidateGroups, x.CandidateUsers = n.Attr("assignee"), n.Attr("candidateGroups"), n.Attr("candidateUsers")
	default:
		switch {
		case unsupportedZeebe[n.Local]:
			x.Unsupported = append(x.Unsupported, n)
		case !harmlessZeebe[n.Local]:
			r.unknown(n, owner)
		}
	}
}

func (r *reader) ioMapping(x *Extensions, n, owner *Node) {
	for _, m := range n.Elements() {
		mapping := Mapping{Source: m.Attr("source"), Target: m.Attr("target"), Node: m}
		switch m.Local {
		case "input":
			x.Inputs = append(x.Inputs, mapping)
		case "output":
			x.Outputs = append(x.Outputs, mapping)
		default:
			r.unknown(m, owner)
			continue
		}
		if mapping.Target == "" {
			r.problemOf(owner, m, "bpmn.mapping", "the %s mapping has no target", m.Local)
		}
	}
}

// sources are the ways in which a service input may be given.
var sources = map[string]bool{"path": true, "feel": true, "step": true, "constant": true, "setting": true}

func (r *reader) sextant(x *Extensions, n, owner *Node) {
	switch n.Local {
	case "bind":
		x.Bind = &Bind{Path: n.Attr("path"), Dynamic: n.Attr("dynamic") == "true", Node: n}
		if x.Bind.Path == "" {
			r.problemOf(owner, n, "bpmn.bind", "<bind> has no path")
		}
	case "input":
		from := n.Attr("from")
		if !sources[from] {
			r.problemOf(owner, n, "bpmn.input", "the input %q comes from %q: want path, feel, step, constant or setting", n.Attr("name"), from)
		}
		x.ServiceInputs = append(x.ServiceInputs, ServiceInput{Name: n.Attr("name"), From: from, Value: inputValue(n), Node: n})
	case "output":
		x.ServiceOutputs = append(x.ServiceOutputs, ServiceOutput{Name: n.Attr("name"), To: n.Attr("to"), Node: n})
	case "start":
		r.start(x, n, owner)
	case "risk":
		x.Risk = n.Attr("level")
	default:
		r.unknown(n, owner)
	}
}

// start reads <sextant:start> with its schema.
func (r *reader) start(x *Extensions, n, owner *Node) {
	if owner.Local != "startEvent" || x.Start != nil {
		r.problemOf(owner, n, "bpmn.start", "<start> stands once, on a start event")
		return
	}
	x.Start = &StartSpec{Object: n.Attr("object"), Min: n.Attr("min"), Max: n.Attr("max"), Title: n.Attr("title"), OnBusy: n.Attr("onBusy"), Node: n}
	for _, c := range n.Elements() {
		if c.Space != NamespaceSextant || c.Local != "schema" || x.Start.Schema != "" {
			r.unknown(c, owner)
			continue
		}
		x.Start.Schema = c.Content()
	}
	for _, a := range n.Attrs {
		if a.Space == "" && !startAttributes[a.Local] {
			r.problemOf(owner, n, "bpmn.start", "<start> has no attribute %q; it has object, min, max, title and onBusy", a.Local)
		}
	}
}

var startAttributes = map[string]bool{"object": true, "min": true, "max": true, "title": true, "onBusy": true}

// inputValue is the attribute value, or the text of the element where a value
// of several lines reads better there.
func inputValue(n *Node) string {
	if v, ok := n.LookupAttr("", "value"); ok {
		return v
	}
	return n.Content()
}

func (r *reader) unknown(n, owner *Node) {
	r.problemOf(owner, n, "bpmn.extension.unknown", "the extension <%s> is not known: remove it or check its spelling", n.Tag())
}

func (r *reader) problemOf(owner, n *Node, code, format string, args ...any) {
	r.problems = append(r.problems, Problem{Element: owner.Attr("id"), Line: n.Line, Column: n.Column, Code: code, Message: fmt.Sprintf(format, args...)})
}
