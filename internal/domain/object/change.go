package object

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// OpPut creates an object, or changes the given attributes of the one that is
// there.
const OpPut = "put"

// TypeWrite is the permission to change definitions of types. They belong to the
// installation, so that it is wanted everywhere.
const TypeWrite = "type.write"

// Change is one change that is asked for. A row that names a version changes that
// one alone.
type Change struct {
	Op   string   `json:"op" pattern:"^(create|update|put|delete)$" doc:"create, update, put or delete; put creates an object or changes the one that is there"`
	Type string   `json:"type" maxLength:"128" doc:"package:type"`
	Row  wire.Row `json:"row" doc:"Attributes with the id; @version names the version that is to be changed"`
}

// Done is what became of one change.
type Done struct {
	Object  string `json:"object" doc:"package:type/id"`
	Effect  string `json:"effect" doc:"created, changed, unchanged or deleted"`
	Version int64  `json:"version,omitempty"`
	row     wire.Row
}

// Options of a set of changes.
type Options struct {
	DryRun bool
	rows   bool // wanted afterwards
	// place names a change in the paths of fields at fault.
	place func(i int) string
}

// Create adds objects of a type.
func (s *Service) Create(ctx context.Context, ref string, scope Scope, rows []wire.Row) ([]wire.Row, error) {
	return s.same(ctx, scope, wire.OpCreate, ref, rows)
}

// Update changes the given attributes of objects, each named by its id.
func (s *Service) Update(ctx context.Context, ref string, scope Scope, rows []wire.Row) ([]wire.Row, error) {
	return s.same(ctx, scope, wire.OpUpdate, ref, rows)
}

// Delete removes objects of a type that nothing refers to.
func (s *Service) Delete(ctx context.Context, ref string, scope Scope, ids []string) error {
	rows := make([]wire.Row, len(ids))
	for i, id := range ids {
		rows[i] = wire.Row{wire.AttrID: wire.Raw(id)}
	}
	_, err := s.same(ctx, scope, wire.OpDelete, ref, rows)
	return err
}

// same makes changes of one kind.
func (s *Service) same(ctx context.Context, scope Scope, op, ref string, rows []wire.Row) ([]wire.Row, error) {
	changes := make([]Change, len(rows))
	for i, row := range rows {
		changes[i] = Change{op, ref, row}
	}
	place := func(i int) string { return fmt.Sprintf("[%d].", i) }
	if len(rows) == 1 {
		place = func(int) string { return "" }
	}
	done, err := s.Change(ctx, scope, changes, Options{rows: true, place: place})
	if err != nil || op == wire.OpDelete {
		return nil, err
	}
	out := make([]wire.Row, len(done))
	for i, d := range done {
		out[i] = d.row
	}
	return out, nil
}

// Change makes changes of objects of one plugin together or not at all, by the
// same rules whoever asks for them and whichever way: types, required and unique
// values, references both ways, scope, rights, secrets, versions, locks.
// References among the changes may come in any order. What is wrong is told of
// every change.
func (s *Service) Change(ctx context.Context, scope Scope, changes []Change, o Options) ([]Done, error) {
	if len(changes) == 0 {
		return []Done{}, nil
	}
	pkg, _, _ := strings.Cut(changes[0].Type, ":")
	for _, c := range changes {
		if other, _, _ := strings.Cut(c.Type, ":"); other != pkg {
			return nil,
				errs.New(errs.Invalid, "object.packages", "objects of %s and of %s cannot be changed together: ask for each by itself", pkg, other)
		}
	}
	if err := within(ctx, scope.Project); err != nil {
		return nil, err
	}
	if o.place == nil {
		o.place = func(i int) string { return fmt.Sprintf("changes[%d].", i) }
	}
	for range tries {
		done, err := s.attempt(ctx, pkg, scope, changes, o)
		if !errors.Is(err, errModel) {
			return done, err
		}
		s.forget(pkg)
	}
	return nil, moving(pkg)
}

// item is one change on its way.
type item struct {
	Change
	index  int
	id     string
	t      wire.ObjectType
	before wire.Row // nil where it is new
	failed bool
}

func (i *item) ref() Ref {
	pkg, name, _ := strings.Cut(i.Type, ":")
	return Ref{pkg, name, i.id}
}

// fault is what is wrong with one change.
type fault struct {
	at   *item
	attr string
	err  *errs.Error
}

// set is changes on their way.
type set struct {
	*Service
	pkg     string
	bundles bool // the plugin takes sets
	scope   Scope
	options Options
	model   model // as it is believed, and as it will be for the objects
	after   []wire.ObjectType
	items   []*item
	faults  []fault
}

func (w *set) add(at *item, attr string, err *errs.Error) {
	at.failed = true
	w.faults = append(w.faults, fault{at, attr, err})
}

func (s *Service) attempt(ctx context.Context, pkg string, scope Scope, changes []Change, o Options) ([]Done, error) {
	m, err := s.modelOf(ctx, pkg, false)
	if err != nil {
		return nil, err
	}
	manifest, _ := s.Plugins.Manifest(pkg)
	w := &set{Service: s, pkg: pkg, bundles: manifest.Changes, scope: scope, options: o, model: m, after: m.types}
	for i, c := range changes {
		row := make(wire.Row, len(c.Row))
		for k, v := range c.Row {
			row[k] = v
		}
		w.items = append(w.items, &item{Change: Change{c.Op, c.Type, row}, index: i, id: idOf(row)})
	}
	if err := w.learn(ctx); err != nil {
		return nil, err
	}
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	free := s.edges.Hold(w.leads())
	defer free()
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	if err := w.problem(); err != nil {
		return nil, err
	}
	if s.guard != nil && !o.DryRun {
		done, err := s.guard.Edit(ctx, scope.Project, w.names(), reasonOf(ctx))
		if err != nil {
			return nil, err
		}
		defer done()
	}
	return w.send(ctx)
}

func idOf(row wire.Row) string {
	if len(row[wire.AttrID]) == 0 || string(row[wire.AttrID]) == "null" {
		return ""
	}
	return unquote(row[wire.AttrID])
}

// names lists the objects that have a name.
func (w *set) names() []string {
	var out []string
	for _, i := range w.items {
		if i.id != "" {
			out = append(out, i.ref().String())
		}
	}
	return out
}

// learn finds the type of every change. Objects may be of types that the set
// itself defines: the plugin is asked what they will be.
func (w *set) learn(ctx context.Context) error {
	types := map[string]bool{}
	var definitions, others []*item
	for _, i := range w.items {
		t, _, err := w.typeOf(ctx, i.Type)
		if err != nil {
			others = append(others, i) // told below, unless the set defines it
			continue
		}
		i.t = t
		if t.Definition {
			definitions = append(definitions, i)
		} else {
			others = append(others, i)
		}
		types[i.Type] = true
	}
	w.model, _ = w.modelOf(ctx, w.pkg, false) // it answered a moment ago
	w.after = w.model.types
	if len(definitions) > 0 && len(others) > 0 {
		if err := w.foresee(ctx, definitions); err != nil {
			return err
		}
	}
	for _, i := range others {
		_, name, _ := strings.Cut(i.Type, ":")
		t, ok := model{types: w.after}.find(name)
		if !ok {
			_, _, err := w.typeOf(ctx, i.Type)
			if err == nil {
				return errModel
			}
			w.add(i, "", errs.As(err))
		}
		i.t = t
	}
	return w.permit(ctx)
}

// foresee asks the plugin for the types as they will be after definitions.
func (w *set) foresee(ctx context.Context, definitions []*item) error {
	some := &set{Service: w.Service, pkg: w.pkg, bundles: w.bundles, scope: w.scope,
		options: Options{DryRun: true, place: w.options.place}, model: w.model, after: w.after}
	for _, i := range definitions {
		one := *i
		one.Row = make(wire.Row, len(i.Row))
		for k, v := range i.Row {
			one.Row[k] = v
		}
		some.items = append(some.items, &one)
	}
	if err := some.permit(ctx); err != nil {
		return err
	}
	if err := some.check(ctx); err != nil {
		return err
	}
	if err := some.problem(); err != nil {
		return err
	}
	out, err := some.ask(ctx, true)
	if err == nil {
		w.after = out.Model
	}
	return err
}

// permit checks what the subject of ctx may do at all.
func (w *set) permit(ctx context.Context) error {
	seen := map[string]bool{}
	for _, i := range w.items {
		if seen[i.Type] || i.failed {
			continue
		}
		seen[i.Type] = true
		switch {
		case i.t.ReadOnly:
			return errs.New(errs.Invalid, "object.read_only", "objects of %s are written by their plugin alone", i.Type).With("type", i.Type)
		case i.t.Definition:
			if err := identity.RequireIn(ctx, TypeWrite, "*", "*"); err != nil {
				return err
			}
			continue
		}
		if err := identity.Require(ctx, "object.write", w.scope.Project); err != nil {
			return err
		}
		if (i.t.Scope == nil || i.t.Scope.Project == "") && w.scope.Project != DefaultProject {
			return errs.New(errs.Invalid, "object.project", "objects of %s belong to project %q only", i.Type, DefaultProject)
		}
	}
	return nil
}

// mostFaults is how many are told.
const mostFaults = 500

// problem is the error for all faults; nil where there are none.
func (w *set) problem() error {
	if len(w.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(w.faults, func(a, b fault) int { return cmp.Compare(a.at.index, b.at.index) })
	first := w.faults[0].err
	e := &errs.Error{Kind: first.Kind, Code: first.Code, Message: first.Message, Params: first.Params, Data: first.Data, Err: first.Err}
	failed := map[int]bool{}
	for _, f := range w.faults {
		failed[f.at.index] = true
	}
	for _, f := range w.faults {
		if f.err.Kind != e.Kind || f.err.Code != e.Code {
			e.Kind, e.Code, e.Params, e.Data = errs.Invalid, "object.changes", nil, nil
		}
		if len(e.Fields) == mostFaults {
			e.Fields[mostFaults-1].Message += fmt.Sprintf(" (%d more problems follow: mend these first)", len(w.faults)-mostFaults)
			break
		}
		path := strings.TrimSuffix(w.options.place(f.at.index)+f.attr, ".")
		if f.attr == "" && len(w.items) == 1 {
			e.Fields = append(e.Fields, f.err.Fields...)
			continue
		}
		e.Fields = append(e.Fields, errs.Field{Path: cmp.Or(path, "row"), Code: f.err.Code, Message: f.err.Message})
	}
	if len(w.items) > 1 && (len(failed) > 1 || e.Code == "object.changes") {
		e.Message = fmt.Sprintf("%d of %d changes are not possible, so that none was made", len(failed), len(w.items))
		e.Params, e.Data = nil, nil
	}
	return e
}
