package bpmn

import "fmt"

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
		}
	}
	return x
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
	case "calledDecision":
		x.Decision = &CalledDecision{ID: n.Attr("decisionId"), Result: n.Attr("resultVariable")}
	case "calledElement":
		x.Called = &CalledElement{Process: n.Attr("processId"), Binding: n.Attr("bindingType"), VersionTag: n.Attr("versionTag"),
			ParentVariables: n.Attr("propagateAllParentVariables") != "false", ChildVariables: n.Attr("propagateAllChildVariables") != "false"}
	case "versionTag":
		x.VersionTag = n.Attr("value")
	case "subscription":
		x.Correlation = n.Attr("correlationKey")
	case "script":
		x.Script = &Script{Expression: n.Attr("expression"), ResultVariable: n.Attr("resultVariable")}
	case "userTask":
		x.UserTask = true
	case "formDefinition":
		x.FormKey, x.FormID = n.Attr("formKey"), n.Attr("formId")
	case "taskSchedule":
		x.Due, x.FollowUp = n.Attr("dueDate"), n.Attr("followUpDate")
	case "assignmentDefinition":
		x.Assignee, x.CandidateGroups, x.CandidateUsers = n.Attr("assignee"), n.Attr("candidateGroups"), n.Attr("candidateUsers")
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
			continue // told by the survey
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
		r.start(x, n)
	case "risk":
		x.Risk = n.Attr("level")
	}
}

// start reads <sextant:start> with its schema; where it stands and what it holds is
// seen to by the survey.
func (r *reader) start(x *Extensions, n *Node) {
	if x.Start != nil {
		return
	}
	x.Start = &StartSpec{Object: n.Attr("object"), Min: n.Attr("min"), Max: n.Attr("max"),
		Title: n.Attr("title"), OnBusy: n.Attr("onBusy"), Node: n}
	for _, c := range n.Elements() {
		switch {
		case c.Space != NamespaceSextant || c.Local != "schema":
		case x.Start.Schema != "":
			r.problem(c, "bpmn.extension.twice", "<%s> stands a second time in <%s>: one holds", c.Tag(), n.Tag())
		default:
			x.Start.Schema = c.Content()
		}
	}
}

// inputValue is the attribute value, or the text of the element where a value
// of several lines reads better there.
func inputValue(n *Node) string {
	if v, ok := n.LookupAttr("", "value"); ok {
		return v
	}
	return n.Content()
}

func (r *reader) problemOf(owner, n *Node, code, format string, args ...any) {
	r.problems = append(r.problems,
		Problem{Element: owner.Attr("id"), Line: n.Line, Column: n.Column, Code: code, Message: fmt.Sprintf(format, args...)})
}
