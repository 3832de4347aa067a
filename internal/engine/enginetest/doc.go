// Package enginetest plays scenarios on the engine: a model, what happens to a run
// of it, and what has to come of that. A scenario is a text that people write by
// hand (see Parse); Play plays it on a virtual clock in one of several modes, whose
// outcomes must be the same.
package enginetest
