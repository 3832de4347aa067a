package eval

import (
	"encoding/json"

	"sextant/internal/lang/dmn/table"
	"sextant/internal/lang/feel/value"
)

// Step is what an evaluation did: a decision, business knowledge model or
// service with its value, the tables it looked at, and what it called.
type Step struct {
	Kind  Kind
	Model string
	Name  string
	ID    string
	Value value.Value
	// Omitted says that the value is not kept: there were too many and too large
	// ones before it.
	Omitted bool
	Tables  []TableStep
	Steps   []*Step
}

// TableStep is the evaluation of a decision table.
type TableStep struct {
	ID     string
	Line   int
	Inputs []TableInput
	Rules  []RuleStep
}

// TableInput is the value of an input column.
type TableInput struct {
	Label string
	Value value.Value
}

// RuleStep is a rule that matches. Number counts from 1.
type RuleStep struct {
	Number      int      `json:"number"`
	ID          string   `json:"id,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}

// Bounds of a trace: its entries and the weight of its values. What comes after
// is not recorded.
const (
	maxEntries = 2000
	maxWeight  = 1_000_000
)

// keep records the value of a step.
func (s *session) keep(step *Step, v value.Value) value.Value {
	if s.weight += v.Weight(); s.weight > maxWeight {
		step.Omitted = true
	} else {
		step.Value = v
	}
	return v
}

// enter begins the step of a node; leave ends it.
func (s *session) enter(n *Node) (step *Step, leave func()) {
	step = &Step{Kind: n.Kind, Model: n.Model, Name: n.Name, ID: n.ID}
	outer, owner := s.trace, s.owner
	if s.entries++; s.entries <= maxEntries && outer != nil {
		outer.Steps = append(outer.Steps, step)
	}
	s.trace, s.owner = step, n
	return step, func() { s.trace, s.owner = outer, owner }
}

// table records what a table did.
func (s *session) table(t *table.Table, res *table.Result) {
	if s.entries++; s.entries > maxEntries {
		return
	}
	m := t.Source()
	step := TableStep{ID: m.ID, Line: m.Line}
	for i, v := range res.Inputs {
		if s.weight += v.Weight(); s.weight > maxWeight {
			break
		}
		step.Inputs = append(step.Inputs, TableInput{m.Inputs[i].Label, v})
	}
	for _, r := range res.Matched {
		if s.entries++; s.entries > maxEntries {
			break
		}
		step.Rules = append(step.Rules, RuleStep{r + 1, m.Rules[r].ID, m.Rules[r].Annotations})
	}
	s.trace.Tables = append(s.trace.Tables, step)
}

// JSON writes a value as JSON, functions within it as null.
func JSON(v value.Value) json.RawMessage {
	raw, err := value.ToJSON(v)
	if err != nil {
		raw, err = value.ToJSON(plain(v))
	}
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}

// plain is a value with null for functions.
func plain(v value.Value) value.Value {
	if v.Kind() == value.KindFunction {
		return value.Null()
	}
	if l, ok := value.AsList(v); ok {
		out := make([]value.Value, len(l))
		for i := range l {
			out[i] = plain(l[i])
		}
		return value.NewList(out)
	}
	c, ok := value.AsContext(v)
	if !ok {
		return v
	}
	out := &value.Context{}
	for _, key := range c.Keys() {
		entry, _ := c.Get(key)
		out.Put(key, plain(entry))
	}
	return value.NewContext(out)
}

// MarshalJSON writes the step with its value as JSON.
func (s *Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind   Kind            `json:"kind"`
		Model  string          `json:"model,omitempty"`
		Name   string          `json:"name"`
		ID     string          `json:"id,omitempty"`
		Value  json.RawMessage `json:"value"`
		Omit   bool            `json:"omitted,omitempty"`
		Tables []TableStep     `json:"tables,omitempty"`
		Steps  []*Step         `json:"steps,omitempty"`
	}{s.Kind, s.Model, s.Name, s.ID, JSON(s.Value), s.Omitted, s.Tables, s.Steps})
}

// MarshalJSON writes the table with the values of its inputs as JSON.
func (t TableStep) MarshalJSON() ([]byte, error) {
	type in struct {
		Label string          `json:"label"`
		Value json.RawMessage `json:"value"`
	}
	inputs := make([]in, len(t.Inputs))
	for i, x := range t.Inputs {
		inputs[i] = in{x.Label, JSON(x.Value)}
	}
	return json.Marshal(struct {
		ID     string     `json:"id,omitempty"`
		Line   int        `json:"line"`
		Inputs []in       `json:"inputs"`
		Rules  []RuleStep `json:"rules"`
	}{t.ID, t.Line, inputs, append([]RuleStep{}, t.Rules...)})
}
