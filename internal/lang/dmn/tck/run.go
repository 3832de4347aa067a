package tck

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/feel/value"
)

// Outcome is what one result node of a case came to.
type Outcome struct {
	Case   *Case
	Node   *Node
	Passed bool
	Got    value.Value
	// Reason says why it did not pass, and what the evaluation warned of.
	Reason   string
	Warnings []dmn.Warning
}

// Run runs the cases of a file on a model.
func Run(m *dmn.Model, f *File, env dmn.Env) []Outcome {
	var all []Outcome
	for i := range f.Cases {
		c := &f.Cases[i]
		for j := range c.Results {
			all = append(all, run(m, c, &c.Results[j], env))
		}
	}
	return all
}

func run(m *dmn.Model, c *Case, n *Node, env dmn.Env) Outcome {
	inputs := make([]dmn.Input, len(c.Inputs))
	for i, in := range c.Inputs {
		inputs[i] = dmn.Input{Namespace: in.Namespace, Name: in.Name, Value: in.Value}
		if in.Untyped {
			inputs[i].Value = retype(in.Value, m.TypeOf(dmn.Target{Namespace: in.Namespace, Name: in.Name}), env)
		}
	}
	out := Outcome{Case: c, Node: n}
	res, err := evaluate(m, c, n, inputs, env)
	if err != nil {
		out.Reason = err.Error()
		out.Passed = n.Error
		return out
	}
	out.Got, out.Warnings = res.Value, res.Warnings
	if c.Kind == "decisionService" && several(m, c.Invocable) {
		if ctx, ok := value.AsContext(res.Value); ok {
			if part, ok := ctx.Get(n.Name); ok {
				out.Got = part
			}
		}
	}
	want := n.Value
	if n.Untyped {
		want = resemble(want, out.Got, env)
	}
	out.Passed = Equal(want, out.Got)
	if !out.Passed {
		out.Reason = fmt.Sprintf("expected %s, got %s", n.Value, out.Got)
	}
	return out
}

// several tells a service with more than one result, which come as a context.
func several(m *dmn.Model, service string) bool {
	for _, e := range m.Elements() {
		if e.Kind == "service" && e.Name == service {
			return len(e.Requires) > 1
		}
	}
	return true
}

func evaluate(m *dmn.Model, c *Case, n *Node, inputs []dmn.Input, env dmn.Env) (*dmn.Result, error) {
	switch c.Kind {
	case "decisionService":
		return m.Serve(dmn.Target{Namespace: c.Namespace, Name: c.Invocable}, inputs, env)
	case "bkm":
		return m.Call(dmn.Target{Namespace: c.Namespace, Name: c.Invocable}, inputs, env)
	}
	target := dmn.Target{Namespace: n.Namespace, Name: n.Name}
	res, err := m.Decide(target, inputs, env)
	if err != nil {
		if served, other := m.Serve(target, inputs, env); other == nil { // a result may name a service
			return served, nil
		}
	}
	return res, err
}

// tolerance is how far numbers may lie apart: test files write results of
// functions such as sqrt with few digits.
var tolerance = apd.New(1, -8)

// Equal compares an expected value with what came out.
func Equal(want, got value.Value) bool {
	if want.Kind() != got.Kind() {
		return false
	}
	switch want.Kind() {
	case value.KindNumber:
		return near(want, got)
	case value.KindList:
		a, _ := value.AsList(want)
		b, _ := value.AsList(got)
		if len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case value.KindContext:
		a, _ := value.AsContext(want)
		b, _ := value.AsContext(got)
		for _, key := range a.Keys() {
			x, _ := a.Get(key)
			if y, ok := b.Get(key); !ok || !Equal(x, y) {
				return false
			}
		}
		return a.Len() == b.Len()
	}
	return value.Same(want, got)
}

func near(a, b value.Value) bool {
	d, ok := value.AsDecimal(value.Sub(a, b))
	if !ok {
		return false
	}
	var abs apd.Decimal
	abs.Abs(d)
	return abs.Cmp(tolerance) <= 0
}
