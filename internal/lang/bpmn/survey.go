package bpmn

import (
	"fmt"
	"slices"
	"strings"
)

// Namespaces whose elements and attributes are of the drawing, of the tool that drew or
// of XML.
var plainSpaces = []string{"http://www.omg.org/spec/BPMN/20100524/DI",
	"http://www.omg.org/spec/DD/20100524/DI", "http://www.omg.org/spec/DD/20100524/DC",
	"http://camunda.org/schema/modeler/1.0", "http://www.w3.org/2001/XMLSchema-instance",
	"http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"}

// prefixes are how the table writes the namespaces of the extensions.
var prefixes = map[string]string{NamespaceZeebe: "zeebe:", NamespaceSextant: "sextant:"}

// survey goes through all that stands within an element that is executed, and refuses
// or lists whatever has no effect. owner is the nearest element with an id.
func (r *reader) survey(n *Node, typ string, owner *Node) {
	if n.Attr("id") != "" && n.Space == NamespaceBPMN {
		owner = n
	}
	r.attributes(n, typ, owner)
	for _, c := range n.Elements() {
		switch {
		case c.Is(NamespaceBPMN, "extensionElements"):
			r.attributes(c, "ExtensionElements", owner)
			r.surveyExtensions(c, typ, owner, triggered(n))
		case c.Space == NamespaceBPMN:
			r.surveyChild(c, typ, owner)
		case prefixes[c.Space] != "":
			r.problemOf(owner, c, "bpmn.extension.unknown", "the extension <%s> stands within <extensionElements> only", c.Tag())
		case !slices.Contains(plainSpaces, c.Space):
			r.foreign(c, owner)
		}
	}
}

func (r *reader) surveyChild(c *Node, typ string, owner *Node) {
	child, rule, ok := support.child(typ, c.Local)
	if !ok {
		if c.Attr("id") != "" {
			owner = c
		}
		r.refuse(c, owner, "bpmn.unknown", "<%s> is no element of BPMN", c.Local)
		return
	}
	if typ == "Definitions" && support.is(child, "EventDefinition") {
		rule.Verdict = Kept // nothing refers to it
	}
	if rule.Name == "Process" && !r.reads(c) {
		r.strangers(c, owner)
		return
	}
	switch rule.Verdict {
	case Executed:
		r.survey(c, child, owner)
	case Kept:
		r.kept(c, owner, "<"+c.Local+">", rule)
		r.strangers(c, owner)
	case Drawn:
		r.strangers(c, owner)
	case Refused:
		if own := strings.Contains(rule.Name, "/"); !own &&
			(support.is(child, "FlowNode") || support.is(child, "EventDefinition") || support.is(child, "LoopCharacteristics")) {
			r.below(c, child) // the program says so, with the trigger
			return
		}
		r.refuse(c, owner, "bpmn.unsupported", "<%s> is not executed%s", c.Local, remedy(rule))
		r.strangers(c, owner)
	}
}

// below goes through what lies within a scope that is refused itself, so that all is
// told at once.
func (r *reader) below(n *Node, typ string) {
	if !support.is(typ, "SubProcess") {
		r.strangers(n, n)
		return
	}
	for _, c := range n.Elements() {
		if child, _, ok := support.child(typ, c.Local); ok && c.Space == NamespaceBPMN && support.is(child, "FlowElement") {
			r.surveyChild(c, typ, n)
		}
	}
}

// strangers goes through what has no effect as a whole and looks for what pretends
// to have one.
func (r *reader) strangers(n, owner *Node) {
	for _, c := range n.Elements() {
		if prefix := prefixes[c.Space]; prefix != "" {
			if _, ok := support.byTag[prefix+c.Local]; !ok {
				r.unknown(c, owner)
			}
		}
		r.strangers(c, owner)
	}
}

func remedy(rule Rule) string {
	if rule.Remedy == "" {
		return ""
	}
	return ": " + rule.Remedy
}

// refuse notes a problem and that the node cannot be executed, so that nothing is
// said about what only follows from it.
func (r *reader) refuse(n, owner *Node, code, format string, args ...any) {
	r.refused[n] = true
	r.problemOf(owner, n, code, format, args...)
}

func (r *reader) kept(n, owner *Node, what string, rule Rule) {
	r.model.Warnings = append(r.model.Warnings, Problem{Element: owner.Attr("id"), Line: n.Line, Column: n.Column, Code: "bpmn.kept",
		Message: fmt.Sprintf("%s is kept but has no effect%s", what, remedy(rule))})
}

func (r *reader) attributes(n *Node, typ string, owner *Node) {
	for _, a := range n.Attrs {
		name := a.Local
		switch {
		case a.Prefix == "xmlns" || a.Prefix == "" && a.Local == "xmlns" || slices.Contains(plainSpaces, a.Space):
			continue
		case prefixes[a.Space] != "":
			name = prefixes[a.Space] + a.Local
			if a.Space == n.Space {
				name = a.Local
			}
		case a.Space != "":
			r.model.Warnings = append(r.model.Warnings,
				Problem{Element: owner.Attr("id"), Line: n.Line, Column: n.Column, Code: "bpmn.extension.kept",
					Message: fmt.Sprintf("the attribute %s:%s of <%s> is kept but has no effect", a.Prefix, a.Local, n.Tag())})
			continue
		}
		rule, ok := support.attribute(typ, name)
		switch {
		case !ok && (prefixes[n.Space] != "" || prefixes[a.Space] != ""):
			r.problemOf(owner, n, "bpmn.extension.unknown", "the attribute %s of <%s> is not known: remove it or check its spelling", name, n.Tag())
		case !ok:
			r.kept(n, owner, "the attribute "+name+" of <"+n.Tag()+">", Rule{Remedy: "it is none of BPMN"})
		case !rule.asks(a.Value):
		case rule.Verdict == Kept:
			r.kept(n, owner, fmt.Sprintf("the attribute %s=%q of <%s>", name, a.Value, n.Tag()), rule)
		case rule.Verdict == Refused:
			r.refuse(n, owner, "bpmn.unsupported", "the attribute %s=%q of <%s> is not executed%s", name, a.Value, n.Tag(), remedy(rule))
		}
	}
}

// triggered reports whether an event has a trigger that is not executed: what its
// extensions ask for goes with it.
func triggered(n *Node) bool {
	return slices.ContainsFunc(n.Elements(), func(c *Node) bool {
		typ, rule, ok := support.child("EndEvent", c.Local)
		return ok && c.Space == NamespaceBPMN && rule.Verdict == Refused && support.is(typ, "EventDefinition")
	})
}

// surveyExtensions goes through the extensions of an element; follows is whether the
// element is refused as a whole.
func (r *reader) surveyExtensions(ext *Node, typ string, owner *Node, follows bool) {
	seen := map[string]*Node{}
	for _, c := range ext.Elements() {
		prefix := prefixes[c.Space]
		if prefix == "" {
			r.foreign(c, owner)
			continue
		}
		tag := prefix + c.Local
		if first := seen[tag]; first != nil && tag != "sextant:input" && tag != "sextant:output" {
			r.problemOf(owner, c, "bpmn.extension.twice", "there is a second <%s>: the first one stands on line %d, remove one", c.Tag(), first.Line)
		}
		seen[tag] = c
		if rule := support.rules[support.byTag[tag]]; follows && rule.Verdict == Executed {
			continue
		}
		r.extension(c, typ, owner)
	}
}

func (r *reader) extension(c *Node, host string, owner *Node) {
	typ, ok := support.byTag[prefixes[c.Space]+c.Local]
	if !ok {
		r.unknown(c, owner)
		return
	}
	switch rule := support.rules[typ]; rule.Verdict {
	case Kept:
		r.kept(c, owner, "<"+c.Tag()+">", rule)
	case Refused:
		r.problemOf(owner, c, "process.unsupported", "<%s> is not executed%s%s", c.Tag(), listeners(c), remedy(rule))
	case Executed:
		if len(rule.On) > 0 && !slices.ContainsFunc(rule.On, func(on string) bool { return support.is(host, on) }) {
			if rule.Name == "zeebe:TaskDefinition" && support.is(host, "UserTask") { // Camunda 8 ignores it too
				r.kept(c, owner, "<"+c.Tag()+"> of a <userTask>", Rule{Remedy: "people complete user tasks, in the inbox"})
				return
			}
			if rule.Name == "zeebe:TaskHeaders" {
				r.kept(c, owner, "<"+c.Tag()+"> of a <"+tagOf(host)+">", rule)
				return
			}
			r.problemOf(owner, c, "bpmn.extension.place", "<%s> has no effect on <%s>%s", c.Tag(), tagOf(host), remedy(rule))
			return
		}
		r.attributes(c, typ, owner)
		for _, inner := range c.Elements() {
			if prefixes[inner.Space] == "" {
				r.foreign(inner, owner)
				continue
			}
			r.extension(inner, typ, owner)
		}
	}
}

// listeners names what would be told of an element, by job type and event.
func listeners(n *Node) string {
	var all []string
	for _, l := range n.Elements() {
		if l.Is(NamespaceZeebe, "executionListener") || l.Is(NamespaceZeebe, "taskListener") {
			all = append(all, fmt.Sprintf("%q on %s", l.Attr("type"), l.Attr("eventType")))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ", with the listeners " + strings.Join(all, ", ")
}

// foreign notes an extension that is kept and has no meaning here.
func (r *reader) foreign(n, owner *Node) {
	r.model.Warnings = append(r.model.Warnings, Problem{Element: owner.Attr("id"), Line: n.Line, Column: n.Column, Code: "bpmn.extension.kept",
		Message: fmt.Sprintf("the extension <%s> is kept but has no effect", n.Tag())})
}

func (r *reader) unknown(n, owner *Node) {
	r.problemOf(owner, n, "bpmn.extension.unknown", "the extension <%s> is not known: remove it or check its spelling", n.Tag())
}

// reads reports whether a process is read: those that are executable, or all where
// none is.
func (r *reader) reads(process *Node) bool {
	return !r.executable || strings.TrimSpace(process.Attr("isExecutable")) == "true"
}
