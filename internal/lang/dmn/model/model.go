package model

import "sextant/internal/lang/xmltree"

// Definitions is one DMN file.
type Definitions struct {
	Place
	Name, Namespace string
	// Version is that of DMN: 1.1 to 1.6.
	Version string
	// Prefixes are those that the root element declares.
	Prefixes map[string]string

	Imports   []*Import
	Items     []*ItemDefinition
	Inputs    []*InputData
	Decisions []*Decision
	Knowledge []*Knowledge
	Services  []*Service
	Sources   []*KnowledgeSource

	// Problems are those of form; what cannot be computed shows at compilation.
	Problems []Problem
	Document *xmltree.Document
}

// Import is another model whose elements are known by the import's name.
type Import struct {
	Place
	Name, Namespace, Type, Location string
}

// Variable is a name with a type.
type Variable struct {
	Place
	Name, TypeRef string
}

// ItemDefinition is a type. Exactly one of TypeRef, Components and Function is
// set in a sound model.
type ItemDefinition struct {
	Place
	Name       string
	TypeRef    string
	Collection bool
	// Allowed are unary tests over a value, over each item of a collection.
	Allowed *Tests
	// Constraint are unary tests over the value, the whole of a collection.
	Constraint *Tests
	Components []*ItemDefinition
	Function   *FunctionItem
}

// FunctionItem is the type of a function.
type FunctionItem struct {
	Parameters []Variable
	Output     string
}

// Tests are unary tests as text. Language is empty for FEEL.
type Tests struct {
	Place
	Text, Language string
}

// InputData is an input of the model.
type InputData struct {
	Place
	Name     string
	Variable Variable
}

// Reference names an element, of an imported model where Namespace is set.
type Reference struct {
	Place
	Namespace, ID string
}

// Decision is one decision. Requires are decisions and inputs, Knows business
// knowledge models and services.
type Decision struct {
	Place
	Name, Description, Question, Answers string
	Variable                             Variable
	Requires, Knows                      []Reference
	Logic                                Expression // nil where the file has none
}

// Knowledge is a business knowledge model: a function.
type Knowledge struct {
	Place
	Name, Description string
	Variable          Variable
	Knows             []Reference
	Logic             *Function // nil where the file has none
}

// Service is a decision service.
type Service struct {
	Place
	Name, Description         string
	Variable                  Variable
	Outputs, Encapsulated     []Reference
	InputDecisions, InputData []Reference
}

// KnowledgeSource is where knowledge comes from; it is not evaluated.
type KnowledgeSource struct {
	Place
	Name, Location string
}

// Expression is a boxed expression: *Literal, *Table, *Context, *List,
// *Relation, *Function, *Invocation, *Conditional, *Iteration, *Filter or
// *Invalid.
type Expression interface {
	// Where is the place of the expression.
	Where() Place
	// Type is the type that its value must have, empty where none is given.
	Type() string
}

// Box is what all boxed expressions have.
type Box struct {
	Place
	TypeRef string
}

// Where is the place of the expression.
func (b Box) Where() Place { return b.Place }

// Type is the type that the value must have.
func (b Box) Type() string { return b.TypeRef }

// Literal is an expression as text.
type Literal struct {
	Box
	Text     string
	Language string // empty for FEEL
}

// Context is a list of named expressions; the entry without a name, the last, is
// the value of the whole.
type Context struct {
	Box
	Entries []Entry
}

// Entry is one entry of a context.
type Entry struct {
	Variable Variable // its name is empty for the result
	Value    Expression
}

// List is a list of expressions.
type List struct {
	Box
	Items []Expression
}

// Relation is a list of contexts with the same entries.
type Relation struct {
	Box
	Columns []Variable
	Rows    []*List
}

// FunctionKind is the language of a function.
type FunctionKind string

// The languages of functions.
const (
	KindFEEL FunctionKind = "FEEL"
	KindJava FunctionKind = "Java"
	KindPMML FunctionKind = "PMML"
)

// Function is a function definition; Body is nil where the file has none.
type Function struct {
	Box
	Kind   FunctionKind
	Params []Variable
	Body   Expression
}

// Invocation calls a function with named arguments.
type Invocation struct {
	Box
	Called   Expression
	Bindings []Binding
}

// Binding is one argument; Value is nil for null.
type Binding struct {
	Param Variable
	Value Expression
}

// Conditional is if, then, else.
type Conditional struct {
	Box
	If, Then, Else Expression
}

// IterationKind is what an iteration gives.
type IterationKind string

// The kinds of iterations.
const (
	KindFor   IterationKind = "for"
	KindSome  IterationKind = "some"
	KindEvery IterationKind = "every"
)

// Iteration is for, some or every. InType is the type of the collection, empty
// where none is given.
type Iteration struct {
	Box
	Kind     IterationKind
	Variable string
	In, Body Expression
	InType   string
}

// Filter keeps the items of a list that match.
type Filter struct {
	Box
	In, Match Expression
}

// Invalid stands for an expression that cannot be understood; a problem says
// why.
type Invalid struct{ Box }

// HitPolicy says what a decision table gives for the rules that match.
type HitPolicy string

// The hit policies.
const (
	Unique      HitPolicy = "UNIQUE"
	Any         HitPolicy = "ANY"
	Priority    HitPolicy = "PRIORITY"
	First       HitPolicy = "FIRST"
	RuleOrder   HitPolicy = "RULE ORDER"
	OutputOrder HitPolicy = "OUTPUT ORDER"
	Collect     HitPolicy = "COLLECT"
)

// Aggregation is what a table with the hit policy COLLECT makes of its hits.
type Aggregation string

// The aggregations; empty for a list of all hits.
const (
	Sum   Aggregation = "SUM"
	Min   Aggregation = "MIN"
	Max   Aggregation = "MAX"
	Count Aggregation = "COUNT"
)

// Table is a decision table.
type Table struct {
	Box
	HitPolicy   HitPolicy
	Aggregation Aggregation
	OutputLabel string
	Inputs      []Input
	Outputs     []Output
	Annotations []string
	Rules       []Rule
}

// Input is a column of conditions.
type Input struct {
	Place
	Label    string
	Text     string
	Language string // empty for FEEL
	TypeRef  string
	Values   *Tests
}

// Output is a column of results.
type Output struct {
	Place
	Name, Label, TypeRef string
	Values               *Tests
	Default              *Literal
}

// Rule is a row, whichever way the table is drawn.
type Rule struct {
	Place
	Tests       []Tests
	Outputs     []Literal
	Annotations []string
}

// Parts lists the expressions directly within another one.
func Parts(e Expression) []Expression {
	switch e := e.(type) {
	case *Context:
		all := make([]Expression, len(e.Entries))
		for i := range e.Entries {
			all[i] = e.Entries[i].Value
		}
		return all
	case *List:
		return e.Items
	case *Relation:
		var all []Expression
		for _, row := range e.Rows {
			all = append(all, row.Items...)
		}
		return all
	case *Function:
		if e.Body != nil {
			return []Expression{e.Body}
		}
	case *Invocation:
		all := []Expression{e.Called}
		for _, b := range e.Bindings {
			if b.Value != nil {
				all = append(all, b.Value)
			}
		}
		return all
	case *Conditional:
		return []Expression{e.If, e.Then, e.Else}
	case *Iteration:
		return []Expression{e.In, e.Body}
	case *Filter:
		return []Expression{e.In, e.Match}
	}
	return nil
}
