package objectpath

import "encoding/json"

// Values is what the paths of a plan give for each of the bound rows.
type Values struct {
	found map[string][]ends
}

// ends is what one path gives for one bound row.
type ends struct {
	ids    []string
	values []json.RawMessage
}

// At is what a path, by its index in the plan, gives for a bound row: a value
// per row reached, null where the attribute is absent. The rows follow the order
// of the links and of the answers, and a row that several others lead to is
// there as often.
func (v *Values) At(rootID string, path int) []json.RawMessage {
	if all := v.found[rootID]; path >= 0 && path < len(all) {
		return all[path].values
	}
	return nil
}

// Reached are the ids of the rows that a path ends at, one for each value of At.
func (v *Values) Reached(rootID string, path int) []string {
	if all := v.found[rootID]; path >= 0 && path < len(all) {
		return all[path].ids
	}
	return nil
}

// Collect joins the answers of a plan's hops, rows[i] being those of the hop
// with index i, to what each path gives for each bound row. The error is
// ErrTooMuch.
func Collect[R ~map[string]json.RawMessage](p *Plan, rows [][]R) (*Values, error) {
	c := collector[R]{plan: p, rows: rows, next: make([]map[string][]int, len(p.Hops)), out: &Values{found: map[string][]ends{}}}
	for _, hop := range p.Hops {
		c.next[hop.Index] = c.index(hop)
	}
	for _, hop := range p.Hops {
		if hop.Parent >= 0 {
			continue
		}
		done := map[string]bool{}
		for i, row := range c.of(hop.Index) {
			id := rowID(row)
			if id == "" || done[id] {
				continue
			}
			done[id] = true
			if c.out.found[id] == nil {
				c.out.found[id] = make([]ends, len(p.Paths))
			}
			if err := c.walk(id, hop, []int{i}); err != nil {
				return nil, err
			}
		}
	}
	return c.out, nil
}

type collector[R ~map[string]json.RawMessage] struct {
	plan  *Plan
	rows  [][]R
	next  []map[string][]int // per hop, from an id of the link to the rows
	out   *Values
	spent int
}

func (c *collector[R]) of(hop int) []R {
	if hop < len(c.rows) {
		return c.rows[hop]
	}
	return nil
}

func rowID[R ~map[string]json.RawMessage](row R) string {
	if ids := IDs(row[AttrID]); len(ids) == 1 {
		return ids[0]
	}
	return ""
}

// index finds the rows of a hop by what its parent's rows know of them.
func (c *collector[R]) index(hop *Hop) map[string][]int {
	index := map[string][]int{}
	for i, row := range c.of(hop.Index) {
		if hop.Node.Link.Kind != RefBy {
			if id := rowID(row); id != "" && index[id] == nil {
				index[id] = []int{i}
			}
			continue
		}
		for _, id := range IDs(row[hop.Node.Link.Attr]) {
			if at := index[id]; len(at) == 0 || at[len(at)-1] != i {
				index[id] = append(at, i)
			}
		}
	}
	return index
}

// walk notes what ends at a hop and goes on to the hops below it.
func (c *collector[R]) walk(root string, hop *Hop, at []int) error {
	all := c.of(hop.Index)
	if c.spent += len(at) * (1 + len(hop.Params)); c.spent > maxCollected {
		return ErrTooMuch
	}
	for _, param := range hop.Params {
		end, field := &c.out.found[root][param], c.plan.Paths[param].Field()
		for _, i := range at {
			value := all[i][field]
			if len(value) == 0 {
				value = json.RawMessage("null")
			}
			end.ids = append(end.ids, rowID(all[i]))
			end.values = append(end.values, value)
		}
	}
	for _, child := range hop.Children {
		var reached []int
		for _, i := range at {
			from := AttrID
			if child.Node.Link.Kind == RefTo {
				from = child.Node.Link.Attr
			}
			for _, id := range IDs(all[i][from]) {
				reached = append(reached, c.next[child.Index][id]...)
			}
			if len(reached) > maxCollected {
				return ErrTooMuch
			}
		}
		if len(reached) == 0 {
			continue
		}
		if err := c.walk(root, child, reached); err != nil {
			return err
		}
	}
	return nil
}
