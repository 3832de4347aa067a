package program

import "slices"

// Version is that of the compiler. It grows when the same file gives other
// elements or flows than before, or more that is stored with a definition, so that
// this is looked at again.
const Version = 2

// Table tells the numbers of the elements and flows of a process: an id stands at
// its number. Stored state and history name elements by these numbers, so the table
// is kept with the definition, and a process is compiled again with it: whatever
// order a later compiler goes in, a number means what it meant.
type Table struct{ Nodes, Flows []string }

// Table gives the numbers of a program.
func (p *Program) Table() Table {
	t := Table{Nodes: make([]string, len(p.Nodes)), Flows: make([]string, len(p.Flows))}
	for i, n := range p.Nodes {
		t.Nodes[i] = n.ID
	}
	for i, f := range p.Flows {
		t.Flows[i] = f.ID
	}
	return t
}

// Equal reports whether two tables are the same.
func (t Table) Equal(other Table) bool {
	return slices.Equal(t.Nodes, other.Nodes) && slices.Equal(t.Flows, other.Flows)
}

// Numbered has the process with the id compiled with the numbers of a table. What
// the table does not name comes after it. An id that the file no longer has keeps
// its number: Lost names it.
func Numbered(process string, t Table) Option {
	return func(c *compiler) {
		if c.process == process {
			c.nodes, c.flows = numbers(t.Nodes), numbers(t.Flows)
		}
	}
}

// numbering gives numbers to ids: those that a table has, then the next ones.
type numbering struct {
	by   map[string]int32 // of the table, without those that are taken
	ids  []string
	next int32
}

func numbers(ids []string) numbering {
	n := numbering{by: make(map[string]int32, len(ids)), ids: ids, next: int32(len(ids))}
	for i, id := range ids {
		n.by[id] = int32(i)
	}
	return n
}

func (n *numbering) take(id string) int32 {
	if i, ok := n.by[id]; ok {
		delete(n.by, id)
		return i
	}
	n.next++
	return n.next - 1
}

// put places a value at its number.
func put[T any](all []T, i int32, v T) []T {
	all = atLeast(all, int(i)+1)
	all[i] = v
	return all
}

func atLeast[T any](all []T, n int) []T {
	if n > len(all) {
		all = append(all, make([]T, n-len(all))...)
	}
	return all
}

// Lost lists the ids of the table that the file does not have. A program with some
// cannot be run: state may name what is not there.
func (p *Program) Lost() []string { return p.lost }

// fill gives each number without an element or flow one that does nothing, so that
// the arrays have no holes.
func (c *compiler) fill() {
	c.p.Nodes, c.p.Flows = atLeast(c.p.Nodes, len(c.nodes.ids)), atLeast(c.p.Flows, len(c.flows.ids))
	for i, n := range c.p.Nodes {
		if n == nil {
			id := c.nodes.ids[i]
			c.p.lost = append(c.p.lost, id)
			c.p.Nodes[i] = &Node{Index: int32(i), ID: id, Kind: EndEvent, Default: None, Start: None, AttachedTo: None, refused: true}
		}
	}
	for i, f := range c.p.Flows {
		if f == nil {
			id := c.flows.ids[i]
			c.p.lost = append(c.p.lost, id)
			c.p.Flows[i] = &Flow{Index: int32(i), ID: id}
		}
	}
}
