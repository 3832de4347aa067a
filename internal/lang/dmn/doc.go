// Package dmn reads, checks and evaluates decision models: DMN 1.5, with the
// files of 1.1 to 1.6 read as well.
//
//	file, err := dmn.Read(data)
//	model := dmn.Compile([]*dmn.File{file})
//	problems := model.Check()
//	result, err := model.Decide(dmn.Target{Name: "Risk"}, inputs, dmn.Env{})
//
// The rooms: model reads files, table holds decision tables with their index and
// analysis, eval compiles and evaluates, tck runs test cases. Expressions are
// FEEL.
package dmn
