// Package tck reads and runs test cases of decision models in the form of the
// DMN technology compatibility kit: inputs, and the results that decisions and
// services have to give.
package tck

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/value"
	"sextant/internal/lang/xmltree"
)

const (
	namespace = "http://www.omg.org/spec/DMN/20160719/testcase"
	xsi       = "http://www.w3.org/2001/XMLSchema-instance"
)

// File is a file of test cases.
type File struct {
	// Model is the name of the file with the model.
	Model string
	Name  string
	Cases []Case
}

// Case is one test case: what is given and what has to come out.
type Case struct {
	ID, Description string
	// Kind is decision, decisionService or bkm.
	Kind string
	// Invocable is the service or business knowledge model that is called.
	Invocable, Namespace string
	Line                 int
	Inputs               []Node
	Results              []Node
}

// Node is an input or a result.
type Node struct {
	Name, Namespace string
	Line            int
	// Value is what is given or expected.
	Value value.Value
	// Error says that there is no result: null.
	Error bool
	// Untyped says that texts in the value may stand for something else.
	Untyped bool
}

// Read reads test cases. zones finds time zones by name; nil knows none.
func Read(data []byte, zones value.Zones) (*File, error) {
	doc, err := model.ParseXML(data)
	if err != nil {
		return nil, err
	}
	if !doc.Root.Is(namespace, "testCases") {
		return nil, fmt.Errorf("line %d: the root element is <%s>, not <testCases> of %s", doc.Root.Line, doc.Root.Local, namespace)
	}
	r := &reader{zones: zones}
	f := &File{Model: text(doc.Root, "modelName"), Name: text(doc.Root, "testCasesName")}
	for _, n := range doc.Root.Elements() {
		if n.Is(namespace, "testCase") {
			f.Cases = append(f.Cases, r.testCase(n))
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return f, nil
}

type reader struct {
	zones   value.Zones
	untyped bool // the value being read has texts without a type
	err     error
}

func (r *reader) fail(n *xmltree.Node, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
	}
}

func text(n *xmltree.Node, local string) string {
	if c := n.Child(namespace, local); c != nil {
		return c.Content()
	}
	return ""
}

func (r *reader) testCase(n *xmltree.Node) Case {
	c := Case{ID: n.Attr("id"), Description: text(n, "description"), Kind: n.Attr("type"),
		Invocable: n.Attr("invocableName"), Namespace: n.Attr("namespace"), Line: n.Line}
	if c.Kind == "" {
		c.Kind = "decision"
	}
	for _, e := range n.Elements() {
		switch {
		case e.Is(namespace, "inputNode"):
			in := Node{Name: e.Attr("name"), Namespace: e.Attr("namespace"), Line: e.Line}
			r.into(&in, e)
			c.Inputs = append(c.Inputs, in)
		case e.Is(namespace, "resultNode"):
			res := Node{Name: e.Attr("name"), Namespace: e.Attr("namespace"), Line: e.Line, Error: e.Attr("errorResult") == "true" ||
				e.Attr("errorResult") == "1"}
			if x := e.Child(namespace, "expected"); x != nil && !res.Error {
				r.into(&res, x)
			}
			c.Results = append(c.Results, res)
		}
	}
	return c
}

// into reads the value of a node.
func (r *reader) into(n *Node, e *xmltree.Node) {
	r.untyped = false
	n.Value = r.value(e)
	n.Untyped = r.untyped
}

// value reads what an element holds: a value, a list, or components.
func (r *reader) value(n *xmltree.Node) value.Value {
	var ctx *value.Context
	for _, e := range n.Elements() {
		switch {
		case e.Is(namespace, "value"):
			return r.simple(e)
		case e.Is(namespace, "list"):
			return r.list(e)
		case e.Is(namespace, "component"):
			if ctx == nil {
				ctx = &value.Context{}
			}
			ctx.Put(strings.Join(strings.Fields(e.Attr("name")), " "), r.value(e))
		}
	}
	if ctx == nil {
		return value.Null()
	}
	return value.NewContext(ctx)
}

func isNil(n *xmltree.Node) bool {
	v, _ := n.LookupAttr(xsi, "nil")
	return v == "true" || v == "1"
}

func (r *reader) list(n *xmltree.Node) value.Value {
	if isNil(n) {
		return value.Null()
	}
	items := []value.Value{}
	for _, e := range n.Elements() {
		if e.Is(namespace, "item") {
			items = append(items, r.value(e))
		}
	}
	return value.NewList(items)
}

// simple reads a value of a type of XML Schema.
func (r *reader) simple(n *xmltree.Node) value.Value {
	if isNil(n) {
		return value.Null()
	}
	kind, _ := n.LookupAttr(xsi, "type")
	if i := strings.IndexByte(kind, ':'); i >= 0 {
		kind = kind[i+1:]
	}
	s := n.Content()
	v, err := value.Null(), error(nil)
	switch kind {
	case "", "anySimpleType":
		r.untyped = true
		return value.String(s)
	case "string":
		return value.String(whole(n))
	case "boolean":
		return value.Bool(s == "true" || s == "1")
	case "decimal", "double", "float", "integer", "int", "long", "short", "nonNegativeInteger", "positiveInteger":
		num, ok := value.ParseNumber(s)
		if !ok {
			r.fail(n, "%q is no number", s)
		}
		return num
	case "date":
		v, err = value.ParseDate(s)
	case "time":
		v, err = value.ParseClock(s, r.zones)
	case "dateTime":
		v, err = value.ParseDateTime(s, r.zones)
	case "duration", "dayTimeDuration", "yearMonthDuration":
		v, err = value.ParseDuration(s)
	default:
		r.fail(n, "the type %q is not known", kind)
	}
	if err != nil {
		r.fail(n, "%s", err)
	}
	return v
}

// whole is the text of an element with its white space.
func whole(n *xmltree.Node) string {
	var b strings.Builder
	for _, c := range n.Children {
		if c.Kind == xmltree.KindText {
			b.WriteString(c.Text)
		}
	}
	return b.String()
}

// Load reads a file of test cases and compiles the model that it names, which
// lies in the same folder.
func Load(fsys fs.FS, file string, zones value.Zones) (*File, *dmn.Model, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, nil, err
	}
	f, err := Read(data, zones)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if f.Model == "" {
		return nil, nil, fmt.Errorf("%s: it does not say which model it tests: add <modelName>", file)
	}
	set, err := dmn.Load(fsys, path.Join(path.Dir(file), f.Model))
	if err != nil {
		return nil, nil, err
	}
	return f, dmn.Compile(set), nil
}
