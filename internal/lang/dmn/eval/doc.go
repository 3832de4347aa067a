// Package eval compiles sets of DMN models and evaluates their decisions.
//
// Compile links the models by their imports, makes types of item definitions and
// closures of boxed expressions. Each decision, business knowledge model and
// service becomes a node that sees what it requires and nothing else. A node
// that has a mistake gives null, the others stay usable.
//
// An evaluation is a session: it holds the inputs, computes each decision at
// most once and records what it did. Calling a decision service opens a session
// of its own over the same budget, so that the values around it do not change
// what it gives.
package eval
