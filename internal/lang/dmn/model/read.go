package model

import (
	"fmt"
	"strings"

	"sextant/internal/lang/xmltree"
)

// Limits of a file.
const (
	MaxBytes      = 16 << 20
	MaxDepth      = 256
	MaxAttributes = 256
	MaxNodes      = 1_000_000
)

var codes = xmltree.Codes{
	TooLarge: "dmn.too_large", Encoding: "dmn.encoding", Doctype: "dmn.doctype",
	Syntax: "dmn.syntax", Empty: "dmn.empty", SecondRoot: "dmn.second_root",
	Prefix: "dmn.prefix", DuplicateAttribute: "dmn.duplicate_attribute", Depth: "dmn.depth", Attributes: "dmn.attributes", Nodes: "dmn.nodes",
}

// ParseXML reads a file of XML with the limits and codes of problems of DMN.
func ParseXML(data []byte) (*xmltree.Document, error) {
	return xmltree.Parse(data, &codes, xmltree.Limits{Bytes: MaxBytes, Depth: MaxDepth, Attributes: MaxAttributes, Nodes: MaxNodes})
}

// versions are the namespaces of the versions of DMN.
var versions = map[string]string{
	"http://www.omg.org/spec/DMN/20151101/dmn.xsd":   "1.1",
	"http://www.omg.org/spec/DMN/20151101/dmn11.xsd": "1.1",
	"http://www.omg.org/spec/DMN/20180521/MODEL/":    "1.2",
	"https://www.omg.org/spec/DMN/20191111/MODEL/":   "1.3",
	"https://www.omg.org/spec/DMN/20211108/MODEL/":   "1.4",
	"https://www.omg.org/spec/DMN/20230324/MODEL/":   "1.5",
	"https://www.omg.org/spec/DMN/20240513/MODEL/":   "1.6",
}

// IsModelNamespace tells the namespaces of DMN models, which the type of an
// import names, from others.
func IsModelNamespace(uri string) bool {
	_, ok := versions[uri]
	return ok
}

// Error is a file that is no DMN model.
type Error struct{ Problems []Problem }

// Error lists the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Read reads a file. The error is an *Error.
func Read(data []byte) (*Definitions, error) {
	doc, err := ParseXML(data)
	if err != nil {
		return nil, refused(err)
	}
	root := doc.Root
	version, ok := versions[root.Space]
	if !ok || root.Local != "definitions" {
		return nil, &Error{[]Problem{{Level: Failure, Code: "dmn.root", Line: root.Line, Column: root.Column,
			Message: fmt.Sprintf("the root element is <%s> of %q, not <definitions> of DMN 1.1 to 1.6", root.Local, root.Space)}}}
	}
	r := &reader{space: root.Space, ids: map[string]*xmltree.Node{}}
	r.d = &Definitions{Place: placeOf(root), Name: name(root.Attr("name")),
		Namespace: root.Attr("namespace"), Version: version, Prefixes: map[string]string{}, Document: doc}
	for _, a := range root.Attrs {
		if a.Prefix == "xmlns" {
			r.d.Prefixes[a.Local] = a.Value
		}
	}
	r.definitions(root)
	return r.d, nil
}

func refused(err error) error {
	e, ok := err.(*xmltree.Error)
	if !ok {
		return err
	}
	out := &Error{}
	for _, p := range e.Problems {
		out.Problems = append(out.Problems,
			Problem{Level: Failure, Code: p.Code, Element: p.Element, Line: p.Line, Column: p.Column, Message: p.Message})
	}
	return out
}

type reader struct {
	d     *Definitions
	space string
	owner string
	ids   map[string]*xmltree.Node
}

func (r *reader) problem(n *xmltree.Node, code, format string, args ...any) {
	r.d.Problems = append(r.d.Problems, Problem{Level: Failure, Code: code, Model: r.d.Name, Owner: r.owner, Element: n.Attr("id"),
		Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

// name evens out the white space of a name, as FEEL does.
func name(s string) string { return strings.Join(strings.Fields(s), " ") }

// children are the elements of DMN within an element.
func (r *reader) children(n *xmltree.Node) []*xmltree.Node {
	all := n.Elements()
	own := all[:0]
	for _, c := range all {
		if c.Space == r.space {
			own = append(own, c)
		}
	}
	return own
}

func (r *reader) child(n *xmltree.Node, local string) *xmltree.Node { return n.Child(r.space, local) }

// text is the text of a child element, empty where it is missing.
func (r *reader) text(n *xmltree.Node, local string) string {
	if c := r.child(n, local); c != nil {
		return c.Content()
	}
	return ""
}

func (r *reader) definitions(root *xmltree.Node) {
	for _, n := range r.children(root) {
		r.owner = name(n.Attr("name"))
		switch n.Local {
		case "import":
			r.d.Imports = append(r.d.Imports,
				&Import{Place: placeOf(n), Name: r.owner, Namespace: n.Attr("namespace"), Type: n.Attr("importType"), Location: n.Attr("locationURI")})
			continue
		case "itemDefinition":
			r.named(n)
			r.d.Items = append(r.d.Items, r.item(n))
			continue
		case "inputData", "decision", "businessKnowledgeModel", "decisionService", "knowledgeSource":
		default:
			continue // artifacts, business context, diagrams
		}
		r.claim(n)
		r.named(n)
		r.element(n)
	}
	r.owner = ""
}

func (r *reader) element(n *xmltree.Node) {
	switch n.Local {
	case "inputData":
		r.d.Inputs = append(r.d.Inputs, &InputData{Place: placeOf(n), Name: r.owner, Variable: r.variable(n)})
	case "decision":
		r.d.Decisions = append(r.d.Decisions, r.decision(n))
	case "businessKnowledgeModel":
		r.d.Knowledge = append(r.d.Knowledge, r.knowledge(n))
	case "decisionService":
		r.d.Services = append(r.d.Services, r.service(n))
	case "knowledgeSource":
		r.d.Sources = append(r.d.Sources, &KnowledgeSource{Place: placeOf(n), Name: r.owner, Location: n.Attr("locationURI")})
	}
}

// claim sees that an id is used once.
func (r *reader) claim(n *xmltree.Node) {
	id := n.Attr("id")
	if id == "" {
		return
	}
	if other, taken := r.ids[id]; taken {
		r.problem(n, "dmn.duplicate_id", "the id %q is used on line %d already: give each element its own", id, other.Line)
		return
	}
	r.ids[id] = n
}

func (r *reader) named(n *xmltree.Node) {
	if name(n.Attr("name")) == "" {
		r.problem(n, "dmn.no_name", "<%s> has no name: nothing can refer to it", n.Local)
	}
}

func (r *reader) variable(n *xmltree.Node) Variable {
	if v := r.child(n, "variable"); v != nil {
		return r.information(v)
	}
	return Variable{Place: placeOf(n), Name: name(n.Attr("name"))}
}

// information reads a variable, parameter or column.
func (r *reader) information(n *xmltree.Node) Variable {
	return Variable{Place: placeOf(n), Name: name(n.Attr("name")), TypeRef: r.typeRef(n)}
}

// typeRef is an attribute, and in places an element.
func (r *reader) typeRef(n *xmltree.Node) string {
	if t := name(n.Attr("typeRef")); t != "" {
		return t
	}
	return name(r.text(n, "typeRef"))
}

func (r *reader) item(n *xmltree.Node) *ItemDefinition {
	it := &ItemDefinition{Place: placeOf(n), Name: name(n.Attr("name")), TypeRef: r.typeRef(n), Collection: n.Attr("isCollection") == "true" ||
		n.Attr("isCollection") == "1"}
	for _, c := range r.children(n) {
		switch c.Local {
		case "allowedValues":
			it.Allowed = r.tests(c)
		case "typeConstraint":
			it.Constraint = r.tests(c)
		case "itemComponent":
			it.Components = append(it.Components, r.item(c))
		case "functionItem":
			it.Function = &FunctionItem{Output: name(c.Attr("outputTypeRef"))}
			for _, p := range r.children(c) {
				if p.Local == "parameters" {
					it.Function.Parameters = append(it.Function.Parameters, r.information(p))
				}
			}
		}
	}
	return it
}

// tests reads unary tests; empty ones are none.
func (r *reader) tests(n *xmltree.Node) *Tests {
	text := r.text(n, "text")
	if text == "" {
		return nil
	}
	return &Tests{Place: r.textPlace(n), Text: text, Language: r.language(n)}
}

// textPlace is the place of the text within an expression.
func (r *reader) textPlace(n *xmltree.Node) Place {
	p := placeOf(n)
	if t := r.child(n, "text"); t != nil {
		p.Line, p.Column = t.Line, t.Column
		if len(t.Children) > 0 {
			p.Line, p.Column = t.Children[0].Line, t.Children[0].Column
		}
	}
	return p
}

func (r *reader) decision(n *xmltree.Node) *Decision {
	d := &Decision{Place: placeOf(n), Name: r.owner, Variable: r.variable(n), Description: r.text(n, "description"),
		Question: r.text(n, "question"), Answers: r.text(n, "allowedAnswers")}
	for _, c := range r.children(n) {
		switch c.Local {
		case "informationRequirement":
			d.Requires = r.requirement(d.Requires, c, "requiredDecision", "requiredInput")
		case "knowledgeRequirement":
			d.Knows = r.requirement(d.Knows, c, "requiredKnowledge")
		default:
			if e := r.expression(c); e != nil && d.Logic == nil {
				d.Logic = e
			}
		}
	}
	return d
}

func (r *reader) knowledge(n *xmltree.Node) *Knowledge {
	k := &Knowledge{Place: placeOf(n), Name: r.owner, Variable: r.variable(n), Description: r.text(n, "description")}
	for _, c := range r.children(n) {
		switch c.Local {
		case "knowledgeRequirement":
			k.Knows = r.requirement(k.Knows, c, "requiredKnowledge")
		case "encapsulatedLogic":
			k.Logic = r.function(c)
		}
	}
	return k
}

func (r *reader) requirement(all []Reference, n *xmltree.Node, locals ...string) []Reference {
	for _, local := range locals {
		if c := r.child(n, local); c != nil {
			return append(all, r.reference(c))
		}
	}
	r.problem(n, "dmn.requirement", "<%s> names nothing: it needs <%s>", n.Local, strings.Join(locals, "> or <"))
	return all
}

// reference reads an href: "#id" or "namespace#id".
func (r *reader) reference(n *xmltree.Node) Reference {
	space, id, ok := strings.Cut(strings.TrimSpace(n.Attr("href")), "#")
	if !ok {
		space, id = "", space
	}
	if space == r.d.Namespace {
		space = ""
	}
	return Reference{Place: placeOf(n), Namespace: space, ID: id}
}

func (r *reader) service(n *xmltree.Node) *Service {
	s := &Service{Place: placeOf(n), Name: r.owner, Variable: r.variable(n), Description: r.text(n, "description")}
	for _, c := range r.children(n) {
		switch c.Local {
		case "outputDecision":
			s.Outputs = append(s.Outputs, r.reference(c))
		case "encapsulatedDecision":
			s.Encapsulated = append(s.Encapsulated, r.reference(c))
		case "inputDecision":
			s.InputDecisions = append(s.InputDecisions, r.reference(c))
		case "inputData":
			s.InputData = append(s.InputData, r.reference(c))
		}
	}
	if len(s.Outputs) == 0 {
		r.problem(n, "dmn.service.no_output", "the service has no <outputDecision>: it gives nothing")
	}
	return s
}
