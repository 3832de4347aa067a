package eval

import (
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// Input is a value given to an evaluation. Namespace is that of an imported
// model, empty for the first one.
type Input struct {
	Namespace, Name string
	Value           value.Value
}

// Result is what an evaluation gives.
type Result struct {
	Value value.Value
	// Trace holds every value that was computed on the way.
	Trace    *Step
	Warnings []Warning
	// Dropped counts warnings beyond those that are kept.
	Dropped int
	// Broken names what was needed and has a mistake in the model: the value is
	// not to be relied on.
	Broken []string
}

// Evaluate computes a decision or calls a service of the program. The error is a
// *feel.LimitError: whatever else goes wrong gives null and a warning.
func (p *Program) Evaluate(n *Node, inputs []Input, env Env) (*Result, error) {
	r := &run{env: env, program: p, budget: feel.NewBudget(p.limits)}
	root := &Step{}
	s := &session{run: r, values: map[*Node]value.Value{}, extra: map[string]value.Value{}, trace: root, owner: n}
	for _, in := range inputs {
		s.give(in)
	}
	var v value.Value
	switch n.Kind {
	case KindService:
		v = s.direct(n)
	case KindDecision:
		v = s.decide(n)
	case KindKnowledge:
		v = s.call(n, inputs)
	default:
		v = s.values[n]
	}
	if err := r.budget.Err(); err != nil {
		return nil, err
	}
	out := &Result{Value: v, Trace: root, Warnings: r.warnings, Dropped: r.dropped, Broken: r.broken}
	return out, nil
}

// give sets an input. A decision can be given where it has no logic and as input
// of a service; one that is computed is not: what is given must not stand in for
// what the model says.
func (s *session) give(in Input) {
	n, err := s.program.FindIn(in.Namespace, in.Name, KindInput, KindDecision)
	if err == nil {
		if n.Kind == KindInput || n.logic == nil || s.owner.Kind == KindService {
			s.values[n] = s.conform(typeOf(n), in.Value, n.Place)
		} else {
			s.warn(n.Place, "the value given for %s is not used: the decision is computed", n.Name)
		}
		return
	}
	if in.Namespace == "" {
		s.extra[in.Name] = in.Value
		s.importedInputs(in.Name, in.Value)
	}
}

func typeOf(n *Node) *value.Type {
	if n.broken {
		return nil
	}
	return n.Type
}

// importedInputs takes the inputs of an imported model, given as a context under the
// name of the import.
func (s *session) importedInputs(name string, v value.Value) {
	ctx, ok := value.AsContext(v)
	if !ok || s.program.main == nil {
		return
	}
	for _, imp := range s.program.main.imports {
		if imp.name != name {
			continue
		}
		for _, key := range ctx.Keys() {
			if entry, ok := ctx.Get(key); ok {
				s.give(Input{imp.unit.def.Namespace, key, entry})
			}
		}
	}
}

// direct calls a service with the inputs as they are given: its own, and those
// that its decisions read though it does not name them.
func (s *session) direct(n *Node) value.Value {
	args := make(map[*Node]value.Value, len(s.values))
	for given, v := range s.values {
		if given.Kind == KindInput {
			args[given] = v
		}
	}
	for _, p := range n.params {
		args[p.node] = s.values[p.node]
	}
	return s.serve(n, args)
}

// call calls a business knowledge model with arguments by name.
func (s *session) call(n *Node, inputs []Input) value.Value {
	fn, ok := value.AsFunction(s.knowledge(n))
	if !ok {
		return value.Null()
	}
	args := make([]value.Value, len(fn.Params))
	for i, p := range fn.Params {
		for _, in := range inputs {
			if in.Name == p {
				args[i] = in.Value
			}
		}
	}
	return fn.Call(args)
}
