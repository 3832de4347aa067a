package program_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
)

const head = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" ` +
	`xmlns:sextant="urn:sextant:bpmn:1" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="t">`

// deploy reads and compiles a file as a deployment does.
func deploy(t *testing.T, xml string) (progs []*program.Program, problems, warnings []bpmn.Problem) {
	t.Helper()
	doc, err := bpmn.Parse([]byte(xml))
	if err != nil {
		t.Fatalf("%v\n%s", err, xml)
	}
	m, _ := bpmn.Read(doc)
	if m == nil {
		t.Fatalf("no model\n%s", xml)
	}
	progs, err = program.All(m)
	var refused *bpmn.Error
	if errors.As(err, &refused) {
		problems = refused.Problems
	}
	return progs, problems, m.Warnings
}

// Every name of the schemas of BPMN and of the Zeebe extension has a verdict, and
// every verdict belongs to a name.
func TestEveryNameOfTheSchemasHasAVerdict(t *testing.T) {
	t.Parallel()
	rules, names := bpmn.Support(), bpmn.SchemaNames()
	if len(names) < 400 {
		t.Fatalf("only %d names", len(names))
	}
	for _, name := range names {
		switch rules[name].Verdict {
		case bpmn.Executed, bpmn.Refused, bpmn.Kept, bpmn.Drawn:
		default:
			t.Errorf("%s has no verdict", name)
		}
	}
	for name := range rules {
		if _, abstract := bpmn.Schema()[name]; !slices.Contains(names, name) &&
			!strings.HasPrefix(name, "sextant:") && !abstract && !inherited(name, names) {
			t.Errorf("%s is in no schema", name)
		}
	}
}

// inherited reports whether an attribute is one of a trait that the type has: it may
// have a verdict of its own there.
func inherited(name string, names []string) bool {
	typ, attr, _ := strings.Cut(name, "@")
	for of, t := range bpmn.Schema() {
		if slices.Contains(t.Extends, typ) && slices.Contains(names, of+"@"+attr) {
			return true
		}
	}
	return false
}

// step is one element on the way to what is tried.
type step struct {
	tag, typ string
	rule     bpmn.Rule
	ext      bool // it stands within extension elements
}

// atlas knows where an element may stand.
type atlas struct {
	types map[string]*bpmn.Type
	rules map[string]bpmn.Rule
	known map[string][]step
}

func (a atlas) chain(name string) []string {
	out := []string{name}
	if t := a.types[name]; t != nil {
		for _, above := range t.Above {
			out = append(out, a.chain(above)...)
		}
	}
	return out
}

func (a atlas) is(name, other string) bool { return slices.Contains(a.chain(name), other) }

func tag(name string) string {
	at := strings.LastIndexByte(name, ':') + 1
	return name[:at] + strings.ToLower(name[at:at+1]) + name[at+1:]
}

// next lists what may stand within a type.
func (a atlas) next(of string) []step {
	if all, ok := a.known[of]; ok {
		return all
	}
	var all []step
	defer func() { a.known[of] = all }()
	for _, c := range a.chain(of) {
		t := a.types[c]
		if t == nil {
			continue
		}
		for child, typ := range t.Tags {
			all = append(all, step{child, typ, a.rules[c+"/"+child], false})
		}
		for _, member := range t.Members {
			for name, m := range a.types {
				if !m.Abstract && a.is(name, member) && !strings.Contains(name, ":") && !(of == "Definitions" && a.is(name, "EventDefinition")) {
					all = append(all, step{tag(name), name, a.rules[name], false})
				}
			}
		}
	}
	slices.SortFunc(all, func(x, y step) int { return strings.Compare(x.tag, y.tag) })
	return all
}

// way finds how to get from the file to something, by what is executed alone where
// that is possible.
func (a atlas) way(goal func(path []step) bool) []step {
	for _, all := range []bool{false, true} {
		queue := [][]step{{{"definitions", "Definitions", a.rules["Definitions"], false}}}
		seen := map[string]bool{}
		for len(queue) > 0 {
			path := queue[0]
			queue = queue[1:]
			if goal(path) {
				return path
			}
			for _, s := range a.next(path[len(path)-1].typ) {
				long := append(slices.Clone(path), s)
				if goal(long) {
					return long
				}
				if key := s.tag + " " + s.typ; !seen[key] && (all || s.rule.Verdict == bpmn.Executed) {
					seen[key] = true
					queue = append(queue, long)
				}
			}
		}
	}
	return nil
}

func last(path []step) step { return path[len(path)-1] }

// place finds the elements that lead to what a row names, and the attribute.
func (a atlas) place(row string) (path []step, attr string) {
	owner, name, isAttr := strings.Cut(row, "@")
	parent, child, isChild := strings.Cut(row, "/")
	switch {
	case strings.HasPrefix(owner, "zeebe:") || strings.HasPrefix(owner, "sextant:"):
		return a.extension(owner, name)
	case isAttr:
		return a.way(func(p []step) bool {
			return a.is(last(p).typ, owner) && a.types[last(p).typ] != nil && (owner == "FormalExpression" || !slices.Contains(implied, last(p).typ))
		}), name
	case isChild:
		return a.way(func(p []step) bool { return len(p) > 1 && last(p).tag == child && a.is(p[len(p)-2].typ, parent) }), ""
	case row == "Definitions":
		return a.way(func(p []step) bool { return len(p) == 1 }), ""
	}
	return a.way(func(p []step) bool {
		return last(p).typ == row && last(p).tag == tag(row) || last(p).typ == row && implicit[row]
	}), ""
}

// implied types stand in a diagram under other tags than their own.
var implied = []string{"FormalExpression", "Expression"}

var implicit = map[string]bool{"FormalExpression": true, "Expression": true, "InputOutputSpecification": true, "InputOutputBinding": true}

func (a atlas) extension(owner, name string) (path []step, attr string) {
	t := a.types[owner]
	attr = name
	if t == nil {
		return nil, ""
	}
	for _, of := range t.Extends { // a trait: its attributes stand on others
		if strings.HasPrefix(of, "zeebe:") && a.rules[of].Verdict == bpmn.Executed {
			path, _ = a.extension(of, "")
			return path, attr
		}
		if !strings.HasPrefix(of, "zeebe:") {
			host := a.way(func(p []step) bool { return a.is(last(p).typ, of) })
			if last(host).rule.Verdict == bpmn.Executed {
				return host, "zeebe:" + attr
			}
		}
	}
	if owner == "zeebe:InputOutputParameter" {
		owner = "zeebe:Input"
	}
	self := step{tag(owner), owner, a.rules[owner], true}
	for holder, h := range a.types {
		if holder != owner && strings.HasPrefix(holder, "zeebe:") && len(h.Extends) == 0 && slices.ContainsFunc(h.Members, func(m string) bool {
			return a.is(owner, m) || m == owner
		}) {
			path, _ = a.extension(holder, "")
			self.ext = false
			return append(path, self), attr
		}
	}
	on := "ServiceTask"
	if len(self.rule.On) > 0 {
		on = self.rule.On[0]
	}
	if strings.HasPrefix(on, "sextant:") {
		path, _ = a.extension(on, "")
		self.ext = false
		return append(path, self), attr
	}
	return append(a.way(func(p []step) bool { return last(p).typ == on }), self), attr
}

// draw writes the file with one element a line, the attribute on the last one. It
// gives the line of each.
func draw(path []step, attr, value string) (xml string, lines []int) {
	var open, shut []string
	lines = make([]int, len(path))
	for i, s := range path {
		id := fmt.Sprintf(` id="x%d"`, i)
		if i == 0 || strings.Contains(s.tag, ":") || slices.Contains(implied, s.typ) || s.typ == "String" || s.typ == "ExtensionElements" {
			id = ""
		}
		if i == len(path)-1 && attr != "" {
			id += fmt.Sprintf(` %s="%s"`, attr, value)
			if attr == "id" && i > 0 {
				id = ` id="x"`
			}
		}
		switch {
		case i == 0:
			start := strings.Replace(head, ` targetNamespace="t"`, "", 1)
			open = append(open, strings.Replace(start, ">", id+">", 1))
		case s.tag == "process":
			open = append(open, `<process`+executable(id)+
				`><startEvent id="s"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>`)
		case s.ext:
			open = append(open, "<extensionElements>", "<"+s.tag+id+">")
		default:
			open = append(open, "<"+s.tag+id+">")
		}
		lines[i] = len(open)
		if waits := s.tag == "boundaryEvent" || s.tag == "intermediateCatchEvent"; waits &&
			(i == len(path)-1 || !strings.HasSuffix(path[i+1].tag, "EventDefinition")) {
			open[len(open)-1] += "<timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition>"
		}
	}
	for _, s := range slices.Backward(path) {
		if s.tag == "definitions" && !slices.ContainsFunc(path, func(s step) bool { return s.tag == "process" }) {
			shut = append(shut, `<process id="p" isExecutable="true"><startEvent id="s"/>`+
				`<endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/></process>`)
		}
		shut = append(shut, "</"+s.tag+">")
		if s.ext {
			shut = append(shut, "</extensionElements>")
		}
	}
	return strings.Join(open, "\n") + "\n" + strings.Join(shut, "\n"), lines
}

func executable(attrs string) string {
	if strings.Contains(attrs, "isExecutable") {
		return strings.Replace(attrs, `isExecutable="x"`, `isExecutable="true"`, 1)
	}
	return attrs + ` isExecutable="true"`
}

// told tells what a deployment says about a line. What the program says of the
// connections of an element is no matter here.
func told(problems, warnings []bpmn.Problem, line int) (refused, kept bool) {
	for _, p := range problems {
		if p.Line == line && (strings.HasPrefix(p.Code, "bpmn.") && p.Code != "bpmn.dangling_flow" && p.Code != "bpmn.boundary" &&
			p.Code != "bpmn.no_id" && p.Code != "bpmn.default" && p.Code != "bpmn.mapping" && p.Code != "bpmn.input" && p.Code != "bpmn.bind" ||
			p.Code == "process.unsupported") {
			refused = true
		}
	}
	return refused, slices.ContainsFunc(warnings, func(p bpmn.Problem) bool { return p.Line == line })
}

// Every row of the table is tried on a file that holds just it: a deployment refuses
// it with the element and the line, lists it as kept, or says nothing.
func TestEveryVerdictHolds(t *testing.T) {
	t.Parallel()
	a := atlas{bpmn.Schema(), bpmn.Support(), map[string][]step{}}
	tried := 0
	for row, rule := range a.rules {
		path, attr := a.place(row)
		if path == nil {
			if !unplaced[row] {
				t.Errorf("there is no place for %s", row)
			}
			continue
		}
		tried++
		want, at := rule.Verdict, len(path)-1
		for i, s := range path { // the first that is not executed decides
			if s.rule.Verdict != bpmn.Executed {
				want, at = s.rule.Verdict, i
				break
			}
		}
		xml, lines := draw(path, attr, "x")
		_, problems, warnings := deploy(t, xml)
		refused, kept := told(problems, warnings, lines[at])
		if el := path[at]; el.rule.Verdict == bpmn.Refused && el.tag == tag(el.typ) &&
			(a.is(el.typ, "EventDefinition") || a.is(el.typ, "LoopCharacteristics")) {
			refused, _ = told(problems, warnings, lines[at-1]) // told of the event or activity
		}
		if refused != (want == bpmn.Refused) || kept != (want == bpmn.Kept) {
			t.Errorf("%s is %s: refused %v, kept %v\n%s\nproblems %v\nwarnings %v", row, want, refused, kept, xml, problems, warnings)
		}
		for _, p := range problems {
			if p.Line == 0 || p.Element == "" {
				t.Errorf("%s: a problem without place: %+v\n%s", row, p, xml)
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d rows were tried", tried)
	}
}

// unplaced are rows that can stand in no file by the schema.
var unplaced = map[string]bool{"ExtensionDefinition": true}

// A value with which an attribute asks for nothing is no matter.
func TestDefaultsAskForNothing(t *testing.T) {
	t.Parallel()
	a := atlas{bpmn.Schema(), bpmn.Support(), map[string][]step{}}
	for row, rule := range a.rules {
		for _, value := range rule.Unless {
			path, attr := a.place(row)
			if slices.ContainsFunc(path, func(s step) bool { return s.rule.Verdict != bpmn.Executed }) {
				continue
			}
			xml, lines := draw(path, attr, strings.TrimPrefix(value, "~"))
			_, problems, warnings := deploy(t, xml)
			if refused, kept := told(problems, warnings, lines[len(lines)-1]); refused || kept {
				t.Errorf("%s=%q: refused %v, kept %v\n%s", row, value, refused, kept, xml)
			}
		}
	}
}

// An extension that has a meaning on some elements is refused on all others, but for
// the job type of a user task and headers, which are kept and listed.
func TestExtensionsHaveTheirPlaces(t *testing.T) {
	t.Parallel()
	for row, rule := range bpmn.Support() {
		if len(rule.On) == 0 || strings.HasPrefix(rule.On[0], "sextant:") {
			continue
		}
		for _, host := range []string{"exclusiveGateway", "parallelGateway",
			"endEvent", "startEvent", "userTask", "serviceTask", "sequenceFlow", "process"} {
			if slices.Contains(rule.On, strings.ToUpper(host[:1])+host[1:]) || row == "zeebe:TaskHeaders" ||
				row == "zeebe:TaskDefinition" && host == "userTask" {
				continue
			}
			xml := head + "\n" + `<process id="p" isExecutable="true"><startEvent id="s"/>` +
				`<endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>` + "\n<" + host +
				` id="h" sourceRef="s" targetRef="e"><extensionElements><` + tag(row) + `/></extensionElements></` + host + `></process></definitions>`
			line := 3
			if host == "process" {
				xml, line = head+"\n"+`<process id="h" isExecutable="true"><extensionElements><`+
					tag(row)+`/></extensionElements></process></definitions>`, 2
			}
			_, problems, _ := deploy(t, xml)
			if !slices.ContainsFunc(problems, func(p bpmn.Problem) bool {
				return p.Code == "bpmn.extension.place" && p.Element == "h" && p.Line == line
			}) {
				t.Errorf("<%s> on <%s> is not refused: %v", tag(row), host, problems)
			}
		}
	}
}
