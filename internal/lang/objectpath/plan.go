package objectpath

import (
	"encoding/json"
	"errors"
	"slices"
)

// maxCollected bounds what Collect hands out.
const maxCollected = 1_000_000

// ErrTooMuch says that the rows of a plan, joined, give more than a million
// values.
var ErrTooMuch = errors.New("the paths give more than a million values: add filters or bind fewer rows")

// Plan is how many paths are evaluated together: paths that begin alike share
// their hops.
type Plan struct {
	// Paths are the paths as given.
	Paths []*Path
	// Hops are the queries to make, each after the one it starts from. Their
	// index is their place here.
	Hops []*Hop
}

// Hop is one query: the rows of one node for all rows and paths together.
type Hop struct {
	// Index is the hop's place in the plan; Parent is that of the hop whose
	// rows it starts from, or -1 where it starts from the bound rows.
	Index, Parent int
	// Node is the type asked, its filters, and the link from the parent.
	Node Node
	// Children are the hops that start from this one's rows.
	Children []*Hop
	// Fields are the attributes to ask for, sorted, "id" always among them.
	Fields []string
	// Params are the indexes of the paths that end here.
	Params []int
}

// NewPlan merges paths. A relative path must have been given its start with
// From; paths that map to nothing ask for nothing.
func NewPlan(paths []*Path) *Plan {
	p := &Plan{Paths: slices.Clone(paths)}
	type place struct {
		parent int
		node   string
	}
	known := map[place]*Hop{}
	for i, path := range paths {
		if path.None {
			continue
		}
		parent := -1
		for _, node := range path.Nodes {
			at := place{parent, node.String()}
			hop := known[at]
			if hop == nil {
				hop = p.add(parent, node)
				known[at] = hop
			}
			parent = hop.Index
		}
		end := p.Hops[parent]
		end.Params = append(end.Params, i)
		end.need(path.Field())
	}
	return p
}

func (p *Plan) add(parent int, node Node) *Hop {
	hop := &Hop{Index: len(p.Hops), Parent: parent, Node: node, Fields: []string{AttrID}}
	p.Hops = append(p.Hops, hop)
	if parent >= 0 {
		p.Hops[parent].Children = append(p.Hops[parent].Children, hop)
	}
	switch node.Link.Kind {
	case RefTo:
		p.Hops[parent].need(node.Link.Attr)
	case RefBy:
		hop.need(node.Link.Attr)
	}
	return hop
}

func (h *Hop) need(field string) {
	if i, found := slices.BinarySearch(h.Fields, field); !found {
		h.Fields = slices.Insert(h.Fields, i, field)
	}
}

// Ask gives the condition that finds the rows of a hop: attr in ids, besides the
// filters of its node. Given are the rows of the parent. Without ids there is
// nothing to ask and the hop has no rows. A hop without parent is asked for the
// ids of the bound rows.
func Ask[R ~map[string]json.RawMessage](h *Hop, parents []R) (attr string, ids []string) {
	attr = AttrID
	if h.Node.Link.Kind == RefBy {
		attr = h.Node.Link.Attr
	}
	from := AttrID
	if h.Node.Link.Kind == RefTo {
		from = h.Node.Link.Attr
	}
	seen := map[string]bool{}
	for _, row := range parents {
		for _, id := range IDs(row[from]) {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return attr, ids
}

// IDs are the ids that an attribute holds: a text or a number is one, a list is
// many, an object counts by its "id", null and the empty text are none.
func IDs(raw json.RawMessage) []string {
	if len(raw) == 0 {
		return nil
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil || s == "" {
			return nil
		}
		return []string{s}
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return nil
		}
		var ids []string
		for _, item := range list {
			if len(item) > 0 && item[0] != '[' {
				ids = append(ids, IDs(item)...)
			}
		}
		return ids
	case '{':
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil || len(object[AttrID]) == 0 || object[AttrID][0] == '{' || object[AttrID][0] == '[' {
			return nil
		}
		return IDs(object[AttrID])
	case 'n', 't', 'f':
		return nil
	}
	return []string{string(raw)}
}
