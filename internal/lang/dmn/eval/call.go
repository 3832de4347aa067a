package eval

import (
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/value"
)

// callable is what functions of all sorts have.
type callable struct {
	name   string
	params []param
	result *value.Type
	body   code
	at     model.Place
}

// function makes a value that runs the body in a frame.
func (s *session) function(c *callable, f *frame) value.Value {
	fn := &value.Function{Params: make([]string, len(c.params)), Types: make([]*value.Type, len(c.params)), Result: c.result}
	for i, p := range c.params {
		fn.Params[i], fn.Types[i] = p.name, p.typ
	}
	fn.Call = func(args []value.Value) value.Value {
		if !s.budget.Enter() || !s.Spend(1) {
			return value.Null()
		}
		defer s.budget.Leave()
		args, ok := s.arguments(c, args)
		if !ok {
			return value.Null()
		}
		inner := f
		for i, p := range c.params {
			inner = &frame{parent: inner, name: p.name, v: args[i]}
		}
		return c.body(s, inner)
	}
	return value.NewFunction(fn)
}

// arguments sees that arguments are what the parameters want.
func (s *session) arguments(c *callable, args []value.Value) ([]value.Value, bool) {
	if len(args) != len(c.params) {
		s.warn(c.at, "%s wants %d arguments and got %d", c.name, len(c.params), len(args))
		return nil, false
	}
	out := make([]value.Value, len(args))
	for i, p := range c.params {
		v, ok := s.coerce(p.typ, args[i])
		if !ok {
			s.warn(c.at, "%s is not %s, as the parameter %s of %s has to be", describe(args[i]), p.typ, p.name, c.name)
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// knowledge is a business knowledge model as a function.
func (s *session) knowledge(n *Node) value.Value {
	if v, ok := s.values[n]; ok {
		return v
	}
	body := func(s *session, f *frame) value.Value {
		if n.broken {
			return s.cannot(n)
		}
		if n.logic == nil {
			s.warn(n.Place, "%s has no logic", n.Name)
			return value.Null()
		}
		step, leave := s.enter(n)
		defer leave()
		return s.keep(step, s.conform(n.Type, n.logic(s, f), n.Place))
	}
	v := s.function(&callable{name: n.Name, params: n.params, result: n.Type, body: body, at: n.Place}, &frame{node: n, s: s})
	s.values[n] = v
	return v
}

// serviceFunction is a decision service as a function.
func (s *session) serviceFunction(n *Node) value.Value {
	if v, ok := s.values[n]; ok {
		return v
	}
	c := &callable{name: n.Name, params: n.params, result: n.Type, at: n.Place}
	c.body = func(s *session, f *frame) value.Value {
		args := make(map[*Node]value.Value, len(n.params))
		for i := len(n.params) - 1; i >= 0; i-- {
			args[n.params[i].node] = f.v
			f = f.parent
		}
		return s.serve(n, args)
	}
	v := s.function(c, nil)
	s.values[n] = v
	return v
}

// serve computes a decision service in a session of its own.
func (s *session) serve(n *Node, args map[*Node]value.Value) value.Value {
	step, leave := s.enter(n)
	defer leave()
	inner := &session{run: s.run, values: args, extra: s.extra, trace: step, owner: n}
	if n.broken {
		return s.cannot(n)
	}
	ctx := &value.Context{}
	for _, out := range n.service.outputs {
		ctx.Put(out.variable, inner.decide(out))
	}
	v := value.NewContext(ctx)
	if len(n.service.outputs) == 1 {
		v, _ = ctx.Get(n.service.outputs[0].variable)
	}
	return inner.keep(step, inner.conform(n.Type, v, n.Place))
}

// decide computes a decision and all that it requires, the innermost first.
func (s *session) decide(n *Node) value.Value {
	stack := []*Node{n}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		if _, done := s.values[top]; done {
			stack = stack[:len(stack)-1]
			continue
		}
		waiting := len(stack)
		for i := range top.needs {
			other := top.needs[i].node
			if _, done := s.values[other]; !done && other.Kind == KindDecision && !top.broken {
				stack = append(stack, other)
			}
		}
		if len(stack) == waiting {
			s.values[top] = s.compute(top)
		}
	}
	return s.values[n]
}

// compute computes a decision of what it requires.
func (s *session) compute(n *Node) value.Value {
	if s.budget.Err() != nil {
		return value.Null()
	}
	step, leave := s.enter(n)
	defer leave()
	switch {
	case n.broken:
		return s.cannot(n)
	case n.logic == nil:
		s.warn(n.Place, "%s has no logic", n.Name)
	default:
		return s.keep(step, s.conform(n.Type, n.logic(s, &frame{node: n, s: s}), n.Place))
	}
	return value.Null()
}
