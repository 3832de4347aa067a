package value

// MaxDepth is how deep lists and contexts may lie within one another where they
// are read from JSON; an evaluation must not build deeper ones.
const MaxDepth = 256

const (
	weightBits = 40
	maxWeight  = 1<<weightBits - 1
	maxDepth   = 1<<20 - 1
)

// Weight tells what it costs to walk through a value: 1 for each value within
// it and 1 for each 32 bytes of text. What is shared counts as often as it is
// met, so a few lists of lists may weigh more than memory holds. It is known
// without walking, and stays at 2^40 where it would be more.
func (v Value) Weight() int64 {
	switch v.kind {
	case KindString:
		return textWeight(v.ref.(string))
	case KindList, KindContext:
		return v.num & maxWeight
	case KindRange:
		r := v.ref.(*Range)
		return 1 + r.Low.Weight() + r.High.Weight()
	}
	return 1
}

// Depth tells how deep lists and contexts lie within one another: 0 for a
// number, 1 for a list of numbers.
func (v Value) Depth() int {
	if v.kind == KindList || v.kind == KindContext {
		return int(v.num >> weightBits)
	}
	return 0
}

func textWeight(s string) int64 { return 1 + int64(len(s)>>5) }

func pack(weight, depth int64) int64 {
	return min(depth, maxDepth)<<weightBits | min(weight, maxWeight)
}

// NewList makes a list; items must not change afterwards.
func NewList(items []Value) Value {
	var b Builder
	b.measure(items)
	b.items = items
	return b.List()
}

// Builder collects the items of a list, and can give what it has so far as a
// list at any time.
type Builder struct {
	items         []Value
	weight, depth int64
}

func (b *Builder) measure(items []Value) {
	for i := range items {
		b.weight += items[i].Weight()
		b.depth = max(b.depth, int64(items[i].Depth()))
	}
	b.weight = min(b.weight, maxWeight)
}

// Add appends items.
func (b *Builder) Add(items ...Value) {
	b.measure(items)
	b.items = append(b.items, items...)
}

// Len counts the items.
func (b *Builder) Len() int { return len(b.items) }

// Weight is that of what was collected so far.
func (b *Builder) Weight() int64 { return b.weight }

// List is what was collected; adding more later does not change it.
func (b *Builder) List() Value {
	n := len(b.items)
	return Value{kind: KindList, ref: b.items[:n:n], num: pack(1+b.weight, 1+b.depth)}
}
