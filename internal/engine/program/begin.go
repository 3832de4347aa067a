package program

import (
	"encoding/json"
	"regexp"
	"strconv"

	"sextant/internal/lang/bpmn"
)

// typeForm is how an object type is named.
var typeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*:[A-Za-z][A-Za-z0-9_-]*$`)

// begin compiles what the start event of the process declares.
func (c *compiler) begin(n *Node, e *bpmn.Element) {
	spec := e.Ext.Start
	if spec == nil || n.refused {
		return
	}
	if n.Kind != StartEvent || n.Scope != 0 {
		c.problem(e.Node, "process.start_place", "<sextant:start> stands on the start event of the process itself")
		return
	}
	b := &Begin{Object: spec.Object, Line: spec.Node.Line, Title: c.value(e.Node, "title", spec.Title)}
	if b.Object != "" && !typeForm.MatchString(b.Object) {
		c.problem(e.Node, "process.start_object", "the object type %q is not of the form package:type", b.Object)
	}
	b.Min, b.Max = c.count(e.Node, "min", spec.Min), c.count(e.Node, "max", spec.Max)
	switch {
	case b.Object == "" && (spec.Min != "" || spec.Max != ""):
		c.problem(e.Node, "process.start_count", "min and max count objects: name their type with object")
	case spec.Max != "" && b.Max < max(b.Min, 1):
		c.problem(e.Node, "process.start_count", "max is %d: at least one object, and not fewer than min", b.Max)
	}
	b.Busy = c.busy(e.Node, spec.OnBusy)
	if spec.Schema != "" && !json.Valid([]byte(spec.Schema)) {
		c.problem(e.Node, "process.start_schema", "the text of <sextant:schema> is no JSON")
	}
	b.Schema = []byte(spec.Schema)
	c.p.Begin = b
}

// count reads how many objects; an empty text is 0.
func (c *compiler) count(n *bpmn.Node, what, text string) int {
	if text == "" {
		return 0
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 {
		c.problem(n, "process.start_count", "%s=%q is no number of objects", what, text)
	}
	return v
}
