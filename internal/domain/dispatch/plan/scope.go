package plan

import (
	"context"
	"encoding/json"
	"strconv"

	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/engine/state"
	"sextant/internal/kit/errs"
)

// Scope is what a job may see of its run.
type Scope struct {
	Run     state.Key
	Mandate control.Mandate
	Given   []identity.Given // who gave what the step uses
	Rows    []object.Ref     // the batch, or the objects of the run
	Vars    map[string]json.RawMessage
	earlier map[string]*Result // results of earlier steps that were read
}

// Project is that of the run.
func (sc *Scope) Project() string { return sc.Mandate.Project }

// Requester is the name of who asked for the run.
func (sc *Scope) Requester() string { return sc.Mandate.Rights.Name }

// As is the context of all that a run does: it has the rights that its requester
// had when it was admitted, and of those no others than each has had who gave what
// it uses here.
func (sc *Scope) As(ctx context.Context) context.Context {
	key := strconv.FormatInt(int64(sc.Run), 10)
	return object.OnBehalfOf(identity.With(ctx, sc.Mandate.Rights.With(sc.Given).Run(key)), key)
}

// Nothing refuses a step that would be green without having done anything: a
// path that finds no object is mistyped more often than meant.
func Nothing(path string) error {
	return errs.New(errs.Invalid, "dispatch.no_objects",
		"the bound path %q finds no object: correct it or the data and try again, or skip the step", path).With("path", path)
}
