package value

import "slices"

// indexed is from how many entries on a context keeps an index: below it a scan
// is faster than a map.
const indexed = 12

// Context is an ordered set of named values. Build one with Put before it
// becomes a value; the zero Context is empty.
type Context struct {
	entries []entry
	index   map[string]int // nil below indexed entries
	weight  int64
	depth   int64
}

type entry struct {
	key string
	v   Value
}

func (c *Context) find(key string) int {
	if c.index != nil {
		if i, ok := c.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range c.entries {
		if c.entries[i].key == key {
			return i
		}
	}
	return -1
}

// Put sets an entry; one that was there keeps its place.
func (c *Context) Put(key string, v Value) {
	c.weight += v.Weight()
	c.depth = max(c.depth, int64(v.Depth()))
	if i := c.find(key); i >= 0 {
		c.weight -= c.entries[i].v.Weight()
		c.entries[i].v = v
		return
	}
	c.weight += textWeight(key)
	c.entries = append(c.entries, entry{key, v})
	if c.index != nil {
		c.index[key] = len(c.entries) - 1
		return
	}
	if len(c.entries) >= indexed {
		c.index = make(map[string]int, 2*indexed)
		for i := range c.entries {
			c.index[c.entries[i].key] = i
		}
	}
}

// Get finds an entry.
func (c *Context) Get(key string) (Value, bool) {
	if i := c.find(key); i >= 0 {
		return c.entries[i].v, true
	}
	return Value{}, false
}

// Len counts the entries.
func (c *Context) Len() int { return len(c.entries) }

// Keys lists the names of the entries in order.
func (c *Context) Keys() []string {
	keys := make([]string, len(c.entries))
	for i := range c.entries {
		keys[i] = c.entries[i].key
	}
	return keys
}

// Clone copies the context, for Put.
func (c *Context) Clone() *Context {
	n := &Context{entries: slices.Clone(c.entries), weight: c.weight, depth: c.depth}
	if c.index != nil {
		n.index = make(map[string]int, len(c.index)+1)
		for k, i := range c.index {
			n.index[k] = i
		}
	}
	return n
}

// NewContext makes a context a value; c must not change afterwards.
func NewContext(c *Context) Value {
	return Value{kind: KindContext, ref: c, num: pack(1+c.weight, 1+c.depth)}
}

// AsContext gives a context, which must not be changed.
func AsContext(v Value) (*Context, bool) {
	c, ok := v.ref.(*Context)
	return c, ok
}
