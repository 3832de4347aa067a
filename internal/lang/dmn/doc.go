// Package dmn reads, checks and evaluates decision models: DMN 1.5, with the
// files of 1.1 to 1.6 read as well.
//
//	set, err := dmn.Load(files, "risk.dmn")
//	compiled := dmn.Compile(set)
//	problems := compiled.Check()
//	result, err := compiled.Decide(dmn.Target{Name: "Risk"}, inputs, dmn.Env{})
//
// The rooms: model reads files, table holds decision tables with their index and
// analysis, eval compiles and evaluates, tck runs test cases. Expressions are
// FEEL, see lang/feel; its numbers, kinds and JSON form are those of values here.
//
// A file is refused (*model.Error) only where it is no DMN at all or passes a
// limit: 16 MiB, a million nodes, 256 levels. Everything else that is wrong is a
// Problem with code, line and column; the decision it lies in is null, the others
// of the model work. At most 200 models import one another.
//
// An evaluation has one budget over all that it computes: 2,000,000 steps, 200
// calls within one another, and the limits of FEEL for single values. One that
// passes a limit ends with a *feel.LimitError; whatever else has no answer is
// null with a warning that says where and why. The trace keeps up to 2,000
// entries and the values in it up to a weight of a million, see value.Weight.
//
// A name that stands for no element of the model is looked for among the inputs,
// so that tables without declared inputs work. A value given for a decision that
// the model computes is not used.
package dmn
