package program

import (
	"strings"

	"sextant/internal/lang/bpmn"
)

// reserved refuses names that the platform keeps for itself wherever a diagram
// can write one: those that begin with $, and within an iteration over batches
// the two that tell its batch.
func (c *compiler) reserved(n *Node, e *bpmn.Node) {
	for _, w := range n.written() {
		switch {
		case strings.HasPrefix(w.name, "$"):
			c.problem(e, "process.reserved_name", "the %s %q begins with $: such names belong to the platform, take another", w.what, w.name)
		case (w.name == "batch" || w.name == "batchIndex") && c.batched(n):
			c.problem(e, "process.reserved_name", "the %s %q would hide which rows the batch holds: take another name", w.what, w.name)
		}
	}
}

// named is a name that a node writes, with what writes it.
type named struct{ what, name string }

// written lists every name under which a node can leave a value.
func (n *Node) written() []named {
	all := []named{{"id", n.ID}}
	for _, m := range n.Inputs {
		if len(m.Target) > 0 {
			all = append(all, named{"input target", m.Target[0]})
		}
	}
	for _, m := range n.Outputs {
		if len(m.Target) > 0 {
			all = append(all, named{"output target", m.Target[0]})
		}
	}
	if n.Script != nil {
		all = append(all, named{"result variable", n.Script.Result})
	}
	if n.Loop != nil {
		all = append(all, named{"input element", n.Loop.InputElement}, named{"output collection", n.Loop.OutputCollection})
		if n.Loop.OutputElement != nil {
			for _, name := range n.Loop.OutputElement.Names() {
				all = append(all, named{"output element", name})
			}
		}
	}
	return all
}

// batched reports whether a node runs within an iteration over batches, or is one.
func (c *compiler) batched(n *Node) bool {
	for ; ; n = c.p.Nodes[n.Scope] {
		if n.Loop != nil && n.Loop.Batch != nil {
			return true
		}
		if n.Scope == None {
			return false
		}
	}
}
