package eval

import (
	"fmt"
	"time"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/value"
)

// Limits bound what one expression may cost. A limit that is 0 has its default.
type Limits struct {
	Steps       int // operations, iterations and what they touch: 1,000,000
	Depth       int // nested calls of functions that the expression defines: 200
	ListSize    int // items of one list: 100,000
	StringBytes int // bytes of one string: 1 MiB
	ValueSize   int // weight of one value, see value.Weight: 1,000,000
	SourceBytes int // bytes of the expression: 64 KiB
}

// WithDefaults fills in the limits that are not given.
func (l Limits) WithDefaults() Limits {
	for _, d := range []struct {
		limit *int
		value int
	}{{&l.Steps, 1_000_000}, {&l.Depth, 200}, {&l.ListSize, 100_000}, {&l.StringBytes, 1 << 20},
		{&l.ValueSize, 1_000_000}, {&l.SourceBytes, 64 << 10}} {
		if *d.limit <= 0 {
			*d.limit = d.value
		}
	}
	return l
}

// LimitError says which limit an evaluation exceeded.
type LimitError struct {
	Limit string
	Max   int
}

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the expression was stopped: more than %d %s", e.Max, e.Limit)
}

// Warning says why something became null. Offset counts bytes of the expression
// from 0.
type Warning struct {
	Offset  int
	Message string
}

// Env is what an evaluation may see. All fields may be left empty.
type Env struct {
	// Lookup finds variables.
	Lookup func(name string) (value.Value, bool)
	// Now is what now() and today() give; they are null without it.
	Now time.Time
	// Zone finds time zones by IANA name; none are known without it.
	Zone func(name string) (*time.Location, error)
	// Random gives random bits for uuid() and random number(), which are null
	// without it.
	Random func() uint64
	// Warn is told why something became null.
	Warn func(Warning)
	// Budget is what several evaluations may cost together, that of a decision
	// and of all it requires say; nil for one of its own.
	Budget *Budget
}

// Budget counts the steps and the depth of one evaluation or of several that
// belong together. It is not safe for concurrent use. Once a limit is passed,
// all that share it end with its error.
type Budget struct {
	limits *Limits
	steps  int64
	depth  int
	err    error
}

// NewBudget makes a budget for evaluations that belong together.
func NewBudget(limits Limits) *Budget {
	l := limits.WithDefaults()
	return &Budget{limits: &l}
}

// Err is the limit that was passed, or nil.
func (b *Budget) Err() error { return b.err }

// Spend counts work; false means that the evaluation is over.
func (b *Budget) Spend(steps int64) bool {
	b.steps += steps
	if b.steps > int64(b.limits.Steps) {
		b.limit("steps", b.limits.Steps)
	}
	return b.err == nil
}

// Enter goes one call deeper, Leave comes back; false means that the evaluation
// is over.
func (b *Budget) Enter() bool {
	b.depth++
	if b.depth > b.limits.Depth {
		b.limit("nested calls", b.limits.Depth)
	}
	return b.err == nil
}

// Leave ends what Enter began.
func (b *Budget) Leave() { b.depth-- }

func (b *Budget) limit(what string, limit int) {
	if b.err == nil {
		b.err = &LimitError{what, limit}
	}
}

// run is one evaluation. It is the host of the built-ins.
type run struct {
	*Budget
	own    Budget
	env    *Env
	prog   *Program
	at     int                         // where the built-in stands that runs now
	caches map[string]*builtin.Pattern // patterns that are computed
	zones  map[string]*time.Location   // time zones that were asked for
	zone   value.Zones                 // finds them; nil until one may be needed
}

const (
	maxZones   = 32 // how many time zones one evaluation keeps
	costOfZone = 50 // steps to find one
)

// zoneFinder gives Env.Zone with a memory, so that an evaluation looks a time
// zone up once; nil where no zones are known.
func (r *run) zoneFinder() value.Zones {
	if r.zone == nil && r.env.Zone != nil {
		r.zone = r.findZone
	}
	return r.zone
}

func (r *run) findZone(name string) (*time.Location, error) {
	if loc, ok := r.zones[name]; ok {
		return loc, nil
	}
	if !r.Spend(costOfZone) {
		return nil, r.err
	}
	loc, err := r.env.Zone(name)
	if err != nil {
		return nil, err
	}
	if r.zones == nil {
		r.zones = map[string]*time.Location{}
	}
	if len(r.zones) < maxZones {
		r.zones[name] = loc
	}
	return loc, nil
}

func (r *run) step() bool { return r.Spend(1) }

// Warn tells why the built-in that runs gives null.
func (r *run) Warn(format string, args ...any) { r.warn(r.at, format, args...) }

// maxPatterns bounds how many computed patterns one evaluation keeps.
const maxPatterns = 32

// Pattern compiles a regular expression, once for all evaluations where it
// stands in the expression.
func (r *run) Pattern(text string) (*builtin.Pattern, error) {
	if p, ok := r.prog.patterns[text]; ok {
		return p, nil
	}
	if p, ok := r.caches[text]; ok {
		return p, nil
	}
	if !r.Spend(int64(50 + len(text))) {
		return nil, r.err
	}
	p, err := builtin.CompilePattern(text)
	if err != nil {
		return nil, err
	}
	if !r.Spend(p.Size()) {
		return nil, r.err
	}
	if r.caches == nil {
		r.caches = map[string]*builtin.Pattern{}
	}
	if len(r.caches) < maxPatterns {
		r.caches[text] = p
	}
	return p, nil
}

func (r *run) warn(pos int, format string, args ...any) value.Value {
	if r.env.Warn != nil && r.err == nil {
		r.env.Warn(Warning{pos, fmt.Sprintf(format, args...)})
	}
	return value.Null()
}

// sized checks a value that an operation built.
func (r *run) sized(v value.Value) value.Value {
	l := &r.prog.limits
	switch v.Kind() {
	case value.KindString:
		s, _ := value.AsString(v)
		if len(s) > l.StringBytes {
			r.limit("bytes in a string", l.StringBytes)
		}
		r.Spend(int64(len(s) / 64))
	case value.KindList:
		if items, _ := value.AsList(v); len(items) > l.ListSize {
			r.limit("items in a list", l.ListSize)
		}
		r.sizedParts(v)
	case value.KindContext:
		r.sizedParts(v)
	}
	if r.err != nil {
		return value.Null()
	}
	return v
}

func (r *run) sizedParts(v value.Value) {
	if v.Weight() > int64(r.prog.limits.ValueSize) {
		r.limit("parts in a value", r.prog.limits.ValueSize)
	}
	if v.Depth() > value.MaxDepth {
		r.limit("lists and contexts within one another", value.MaxDepth)
	}
}

// scope is a chain of local names; a context brings all its entries.
type scope struct {
	name   string
	v      value.Value
	ctx    *value.Context
	parent *scope
}

func (s *scope) find(name string) (value.Value, bool) {
	for ; s != nil; s = s.parent {
		if s.ctx != nil {
			if v, ok := s.ctx.Get(name); ok {
				return v, true
			}
			continue
		}
		if s.name == name {
			return s.v, true
		}
	}
	return value.Null(), false
}
