package dmn

import (
	"encoding/json"
	"strings"

	"sextant/internal/lang/dmn/eval"
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// The parts of the face that are made elsewhere.
type (
	// File is one DMN file as read.
	File = model.Definitions
	// Problem is one thing wrong with a model, with its place.
	Problem = model.Problem
	// Input is a value given to an evaluation.
	Input = eval.Input
	// Env is what an evaluation may see besides its inputs.
	Env = eval.Env
	// Result is what an evaluation gives.
	Result = eval.Result
	// Step is what an evaluation did.
	Step = eval.Step
	// Warning says why something became null.
	Warning = eval.Warning
)

// Read reads a file. The error is a *model.Error: the file is no DMN. What else
// is wrong shows in Model.Check.
func Read(data []byte) (*File, error) { return model.Read(data) }

// Model is a set of compiled models: the first one and those that it imports. It
// is immutable and safe for concurrent use.
type Model struct{ program *eval.Program }

// Option changes how models are compiled.
type Option func(*eval.Options)

// WithLimits replaces the limits of one evaluation; those that are 0 keep their
// defaults.
func WithLimits(l feel.Limits) Option { return func(o *eval.Options) { o.Limits = l } }

// Compile compiles the first file; the others are there for its imports. It
// always gives a model: decisions with a mistake give null, the others work.
func Compile(files []*File, options ...Option) *Model {
	var o eval.Options
	for _, opt := range options {
		opt(&o)
	}
	return &Model{eval.Compile(files, o)}
}

// Check lists what is wrong with the models, in the order of their lines; what
// the rules of tables leave out is found by Analyse.
func (m *Model) Check() []Problem { return m.program.Problems() }

// Name is the name of the first file.
func (m *Model) Name() string {
	if d := m.program.Main(); d != nil {
		return d.Name
	}
	return ""
}

// Element is a decision, input, business knowledge model or service.
type Element struct {
	Kind, Name, ID string
	// Type is that of the value as FEEL writes it.
	Type string
	// Broken says that it cannot be computed; Check says why.
	Broken bool
	// Requires are the names of what it requires directly.
	Requires []string
	// Params are the parameters of what is called.
	Params []Param
}

// Param is a parameter with its type.
type Param struct{ Name, Type string }

// Elements lists what the first file holds, in the order of its kinds and lines.
func (m *Model) Elements() []Element {
	var all []Element
	for _, n := range m.program.Nodes() {
		e := Element{Kind: string(n.Kind), Name: n.Name, ID: n.ID, Type: n.Type.String(), Broken: n.Broken()}
		for _, r := range n.Requires() {
			e.Requires = append(e.Requires, r.Name)
		}
		for _, p := range n.Params() {
			e.Params = append(e.Params, Param{p.Name, p.Type.String()})
		}
		all = append(all, e)
	}
	return all
}

// TypeOf is the type of a decision or input, nil where it is not known.
func (m *Model) TypeOf(t Target) *value.Type {
	n, err := m.program.FindIn(t.Namespace, strings.TrimSpace(t.Name), eval.KindInput, eval.KindDecision)
	if err != nil {
		return nil
	}
	return n.Type
}

// Target names what is evaluated. Namespace is that of an imported model, empty
// for the first one.
type Target struct{ Namespace, Name string }

// Decide computes a decision, named by its name or id. The error names what does
// not exist or, as *feel.LimitError, the limit that was passed; whatever else
// goes wrong gives null and a warning.
func (m *Model) Decide(t Target, inputs []Input, env Env) (*Result, error) {
	return m.evaluate(t, inputs, env, eval.KindDecision)
}

// Serve calls a decision service with its inputs by name. Errors are those of
// Decide.
func (m *Model) Serve(t Target, inputs []Input, env Env) (*Result, error) {
	return m.evaluate(t, inputs, env, eval.KindService)
}

// Call calls a business knowledge model with its arguments by name. Errors are
// those of Decide.
func (m *Model) Call(t Target, inputs []Input, env Env) (*Result, error) {
	return m.evaluate(t, inputs, env, eval.KindKnowledge)
}

func (m *Model) evaluate(t Target, inputs []Input, env Env, kind eval.Kind) (*Result, error) {
	n, err := m.program.FindIn(t.Namespace, strings.TrimSpace(t.Name), kind)
	if err != nil {
		return nil, err
	}
	return m.program.Evaluate(n, inputs, env)
}

// JSON writes a value as JSON, functions as null.
func JSON(v value.Value) json.RawMessage { return eval.JSON(v) }
