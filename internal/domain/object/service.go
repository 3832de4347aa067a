package object

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	modelFor    = 2 * time.Second // how long a model that may change is believed
	callTimeout = 30 * time.Second
	// DefaultProject is where objects of types without scope belong.
	DefaultProject = "default"
)

// Deps is what the service needs.
type Deps struct {
	DB      *db.DB
	Clock   clock.Clock
	Plugins *plugin.Registry
	Router  *gateway.Router
	Audit   *audit.Log
	Bus     *bus.Bus
}

// Service finds and changes objects. It is safe for concurrent use.
type Service struct {
	Deps
	mu     sync.Mutex
	models map[string]model
}

type model struct {
	types []wire.ObjectType
	read  time.Time
}

// New makes the service.
func New(d Deps) *Service { return &Service{Deps: d, models: map[string]model{}} }

// Types lists the object types of a plugin.
func (s *Service) Types(ctx context.Context, pkg string) ([]wire.ObjectType, error) {
	m, ok := s.Plugins.Manifest(pkg)
	if !ok {
		return nil, errs.New(errs.Invalid, "object.package", "there is no plugin %q that could own objects", pkg)
	}
	if !m.DynamicObjects {
		return m.Objects, nil
	}
	s.mu.Lock()
	known, ok := s.models[pkg]
	s.mu.Unlock()
	if ok && s.Clock.Now().Sub(known.read) < modelFor {
		return known.types, nil
	}
	var out wire.Envelope[[]wire.ObjectType]
	if err := s.call(ctx, pkg, http.MethodGet, "/data-model", nil, &out); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.models[pkg] = model{out.Data, s.Clock.Now()}
	return out.Data, nil
}

// Type finds an object type by pkg:type.
func (s *Service) Type(ctx context.Context, ref string) (wire.ObjectType, error) {
	pkg, name, ok := strings.Cut(ref, ":")
	if !ok {
		return wire.ObjectType{}, errs.New(errs.Invalid, "object.type", "%q is not of the form package:type", ref)
	}
	types, err := s.Types(ctx, pkg)
	if err != nil {
		return wire.ObjectType{}, err
	}
	i := slices.IndexFunc(types, func(t wire.ObjectType) bool { return t.Type == name })
	if i < 0 {
		var names []string
		for _, t := range types {
			names = append(names, pkg+":"+t.Type)
		}
		return wire.ObjectType{}, errs.New(errs.Invalid, "object.unknown_type", "there is no object type %s; %s has %s", ref, pkg, strings.Join(names, ", ")).With("type", ref)
	}
	return types[i], nil
}

// call asks a plugin and reads its JSON envelope.
func (s *Service) call(ctx context.Context, pkg, method, path string, body, out any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	h := http.Header{}
	h.Set(wire.HeaderOperator, identity.From(ctx).Name)
	if run, ok := ctx.Value(runKey{}).(string); ok {
		h.Set(wire.HeaderRun, run)
	}
	got, err := s.Router.Do(ctx, gateway.Call{Plugin: pkg, Method: method, Path: path, Header: h, Body: data})
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "object.owner", "the plugin "+pkg+", which owns these objects, did not answer")
	}
	var head wire.Envelope[json.RawMessage]
	if err := json.Unmarshal(got.Body, &head); err != nil {
		return errs.New(errs.Unavailable, "object.owner_garbage", "the plugin %s answered %d with %.100q, which is no envelope", pkg, got.Status, got.Body)
	}
	if head.Status != wire.StatusOK {
		e := errs.New(errs.Invalid, "object.refused", "%s", head.Message)
		for field, message := range head.Fields {
			e.At(errs.Field{Path: field, Message: message})
		}
		if got.Status == http.StatusNotFound {
			e.Kind = errs.NotFound
		} else if got.Status >= http.StatusInternalServerError {
			e.Kind, e.Code = errs.Unavailable, "object.owner_failed"
		}
		return e
	}
	d := json.NewDecoder(bytes.NewReader(got.Body))
	d.UseNumber()
	return d.Decode(out)
}

type runKey struct{}

// OnBehalfOf marks the context of changes that a run makes.
func OnBehalfOf(ctx context.Context, run string) context.Context {
	return context.WithValue(ctx, runKey{}, run)
}

// Scope is the project in which objects are looked for and changed.
type Scope struct {
	Project string
	// For is the permission that the objects are wanted for, object.read where it
	// is empty: only those in environments where the subject has it are there.
	For string
	// blind asks only whether objects are there, which tells nothing of them.
	blind bool
}

// permission is what the objects are wanted for.
func (s Scope) permission() string { return cmp.Or(s.For, "object.read") }

// writing is the scope for objects that are to be changed.
func (s Scope) writing() Scope { return Scope{Project: s.Project, For: "object.write"} }

// scoped adds the project to a query, and the environments in which the subject
// of ctx has the permission.
func scoped(ctx context.Context, t wire.ObjectType, scope Scope, q wire.Query) (wire.Query, bool) {
	environments, everywhere := identity.From(ctx).Environments(scope.permission(), scope.Project)
	if acting(ctx) {
		q, everywhere = withEnvironment(t, q), true
	}
	if t.Scope == nil || t.Scope.Project == "" {
		if scope.Project != DefaultProject {
			return q, false
		}
	} else {
		q.AdditionalFilters = append(slices.Clone(q.AdditionalFilters), wire.Filter{Attr: t.Scope.Project, Op: wire.OpEq, Condition: wire.Raw(scope.Project)})
	}
	if t.Scope != nil && t.Scope.Environment != "" && !everywhere {
		q.AdditionalFilters = append(slices.Clone(q.AdditionalFilters), wire.Filter{Attr: t.Scope.Environment, Op: wire.OpIn, Condition: wire.Raw(environments)})
	}
	return q, true
}

// Query finds rows of a type within a project.
func (s *Service) Query(ctx context.Context, ref string, scope Scope, q wire.Query) ([]wire.Row, string, error) {
	if err := identity.Require(ctx, scope.permission(), scope.Project); err != nil {
		return nil, "", err
	}
	t, err := s.Type(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	if err := open(t, q); err != nil {
		return nil, "", err
	}
	q, visible := scoped(ctx, t, scope, q)
	if !visible {
		return []wire.Row{}, "", nil
	}
	pkg, name, _ := strings.Cut(ref, ":")
	var out wire.Envelope[[]wire.Row]
	if err := s.call(ctx, pkg, http.MethodPost, "/entities/"+name+"/query", q, &out); err != nil {
		return nil, "", err
	}
	rows, err := answered(t, ref, out.Data)
	if err == nil && acting(ctx) && !scope.blind {
		err = permitted(ctx, t, ref, scope, rows)
	}
	return rows, out.Next, err
}

// MaxRows is the most rows that one question may take in over all its pages.
const MaxRows = 100_000

// every asks page by page until the end.
func (s *Service) every(ctx context.Context, ref string, scope Scope, q wire.Query) ([]wire.Row, error) {
	var all []wire.Row
	for {
		rows, next, err := s.Query(ctx, ref, scope, q)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		switch {
		case len(all) > MaxRows || next != "" && len(all) == MaxRows:
			return nil, errs.New(errs.TooLarge, "object.path_too_much", "there are more than %d objects of %s: narrow the path with a filter", MaxRows, ref).With("type", ref)
		case next == "":
			return all, nil
		case next == q.After || len(rows) == 0:
			return nil, errs.New(errs.Unavailable, "object.owner_garbage", "the plugin that owns %s answered a page that leads nowhere", ref)
		}
		q.After = next
	}
}

// answered checks rows that an owner answered and hides what is secret.
func answered(t wire.ObjectType, ref string, rows []wire.Row) ([]wire.Row, error) {
	for i, row := range rows {
		if len(row[wire.AttrID]) == 0 {
			return nil, errs.New(errs.Unavailable, "object.owner_garbage", "the owner of %s answered row %d without an id", ref, i)
		}
		hide(t, row)
	}
	if rows == nil {
		rows = []wire.Row{}
	}
	return rows, nil
}

// open refuses questions by which a secret could be guessed bit by bit.
func open(t wire.ObjectType, q wire.Query) error {
	var asked []string
	for _, f := range q.AdditionalFilters {
		asked = append(asked, f.Attr)
	}
	if q.Criteria != nil {
		asked = append(asked, q.Criteria.Attr)
	}
	for _, o := range q.OrderBy {
		asked = append(asked, strings.TrimPrefix(o, "-"))
	}
	for _, name := range secrets(t) {
		if slices.Contains(asked, name) {
			return errs.New(errs.Invalid, "object.secret_filter", "the attribute %s is secret: nobody filters or orders by it", name).At(errs.Field{Path: name, Message: "is secret"})
		}
	}
	return nil
}

// hidden stands in the place of secret values.
const hidden = "***"

// hide replaces secret attributes, desired and observed.
func hide(t wire.ObjectType, row wire.Row) {
	for _, name := range secrets(t) {
		if _, ok := row[name]; ok {
			row[name] = wire.Raw(hidden)
		}
	}
}

// keep leaves secrets as they are that were read hidden and are written back.
func keep(t wire.ObjectType, row wire.Row) {
	for _, name := range secrets(t) {
		if unquote(row[name]) == hidden {
			delete(row, name)
		}
	}
}

func secrets(t wire.ObjectType) (names []string) {
	for _, a := range t.Attributes {
		if a.Secret {
			names = append(names, a.Name, a.Name+wire.ObservedSuffix)
		}
	}
	return names
}

// Get reads one object.
func (s *Service) Get(ctx context.Context, ref Ref, scope Scope) (wire.Row, error) {
	rows, _, err := s.Query(ctx, ref.TypeRef(), scope, wire.Query{AdditionalFilters: []wire.Filter{{Attr: wire.AttrID, Op: wire.OpEq, Condition: wire.Raw(ref.ID)}}})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errs.New(errs.NotFound, "object.not_found", "there is no object %s in project %q", ref, scope.Project).With("object", ref.String())
	}
	return rows[0], nil
}

// Create adds objects of a type.
func (s *Service) Create(ctx context.Context, ref string, scope Scope, rows []wire.Row) ([]wire.Row, error) {
	t, err := s.writable(ctx, ref, scope)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if err := s.place(ctx, t, scope, row, true); err != nil {
			return nil, err
		}
	}
	if err := s.references(ctx, t, scope, rows); err != nil {
		return nil, err
	}
	return s.change(ctx, t, operation{ref, scope, "create", nil}, rows)
}

// Update changes the given attributes of objects, each named by its id.
func (s *Service) Update(ctx context.Context, ref string, scope Scope, rows []wire.Row) ([]wire.Row, error) {
	t, err := s.writable(ctx, ref, scope)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows {
		if err := s.place(ctx, t, scope, row, false); err != nil {
			return nil, err
		}
		keep(t, row)
		ids = append(ids, unquote(row[wire.AttrID]))
	}
	before, err := s.named(ctx, ref, scope.writing(), ids)
	if err != nil {
		return nil, err
	}
	if err := s.references(ctx, t, scope, rows); err != nil {
		return nil, err
	}
	return s.change(ctx, t, operation{ref, scope, "update", before}, rows)
}

// Delete removes objects of a type.
func (s *Service) Delete(ctx context.Context, ref string, scope Scope, ids []string) error {
	t, err := s.writable(ctx, ref, scope)
	if err != nil {
		return err
	}
	before, err := s.named(ctx, ref, scope.writing(), ids)
	if err != nil {
		return err
	}
	rows := make([]wire.Row, len(ids))
	for i, id := range ids {
		rows[i] = wire.Row{wire.AttrID: wire.Raw(id)}
	}
	_, err = s.change(ctx, t, operation{ref, scope, "delete", before}, rows)
	return err
}

func (s *Service) writable(ctx context.Context, ref string, scope Scope) (wire.ObjectType, error) {
	if err := identity.Require(ctx, "object.write", scope.Project); err != nil {
		return wire.ObjectType{}, err
	}
	t, err := s.Type(ctx, ref)
	if err == nil && (t.Scope == nil || t.Scope.Project == "") && scope.Project != DefaultProject {
		err = errs.New(errs.Invalid, "object.project", "objects of %s belong to project %q only", ref, DefaultProject)
	}
	return t, err
}

// place puts a row into the project and refuses one of another, and one of an
// environment in which the subject of ctx may not change objects.
func (s *Service) place(ctx context.Context, t wire.ObjectType, scope Scope, row wire.Row, isNew bool) error {
	if t.Scope == nil {
		return nil
	}
	if attr := t.Scope.Project; attr != "" {
		if given, ok := row[attr]; ok && unquote(given) != scope.Project {
			return errs.New(errs.Forbidden, "object.project", "a row belongs to project %s and not to %q", given, scope.Project).At(errs.Field{Path: attr, Message: "another project"})
		}
		row[attr] = wire.Raw(scope.Project)
	}
	attr := t.Scope.Environment
	given, ok := row[attr]
	if attr == "" || !ok && !isNew { // a change leaves the environment as it is
		return nil
	}
	environments, everywhere := identity.From(ctx).Environments("object.write", scope.Project)
	if !everywhere && !slices.Contains(environments, unquote(given)) {
		return errs.New(errs.Forbidden, "object.environment", "you may change objects in %s only, not in environment %q", strings.Join(environments, ", "), unquote(given)).At(errs.Field{Path: attr, Message: "an environment without the right object.write"})
	}
	return nil
}

// Exist checks that all ids of a type lie in the project, with one query.
func (s *Service) Exist(ctx context.Context, ref string, scope Scope, ids []string) error {
	_, err := s.named(ctx, ref, scope, ids, wire.AttrID)
	return err
}

// named reads the objects with the given ids, all of which there must be; without
// fields it reads all attributes.
func (s *Service) named(ctx context.Context, ref string, scope Scope, ids []string, fields ...string) (map[string]wire.Row, error) {
	rows, err := s.every(ctx, ref, scope, wire.Query{Fields: fields, AdditionalFilters: []wire.Filter{{Attr: wire.AttrID, Op: wire.OpIn, Condition: wire.Raw(ids)}}})
	if err != nil {
		return nil, err
	}
	there := make(map[string]wire.Row, len(rows))
	for _, row := range rows {
		there[unquote(row[wire.AttrID])] = row
	}
	for _, id := range ids {
		if there[id] == nil {
			return nil, gone(ref, id, scope)
		}
	}
	return there, nil
}

// references checks references that lead to other plugins; an owner checks those
// among its own types.
func (s *Service) references(ctx context.Context, t wire.ObjectType, scope Scope, rows []wire.Row) error {
	for _, a := range t.Attributes {
		if a.Type != wire.TypeRef && a.Type != wire.TypeMultiRef || a.To == "" {
			continue
		}
		var ids []string
		for _, row := range rows {
			ids = append(ids, idsOf(row[a.Name])...)
		}
		if len(ids) == 0 {
			continue
		}
		if err := s.Exist(ctx, a.To, scope, ids); err != nil {
			e := errs.As(err)
			return errs.New(errs.Invalid, "object.reference", "%s", e.Message).At(errs.Field{Path: a.Name, Message: e.Message})
		}
	}
	return nil
}

// operation is a change of objects of a type.
type operation struct {
	ref   string
	scope Scope
	verb  string
	// before is what the objects were, by id; nothing where they are new.
	before map[string]wire.Row
}

func (s *Service) change(ctx context.Context, t wire.ObjectType, op operation, rows []wire.Row) ([]wire.Row, error) {
	if len(rows) == 0 {
		return rows, nil
	}
	pkg, name, _ := strings.Cut(op.ref, ":")
	var out wire.Envelope[[]wire.Row]
	if err := s.call(ctx, pkg, http.MethodPost, "/entities/"+name+"/"+op.verb, rows, &out); err != nil {
		return nil, err
	}
	s.forget(pkg, name)
	if op.verb == "delete" {
		return nil, s.announce(ctx, t, op, rows, nil)
	}
	changed, err := answered(t, op.ref, out.Data)
	if err != nil {
		return nil, err
	}
	if op.verb == "update" {
		return changed, s.announce(ctx, t, op, rows, changed) // what was asked for, not all that the owner answers
	}
	return changed, s.announce(ctx, t, op, changed, nil)
}

// forget drops the model of a plugin after a change of a type that its manifest
// lists beside those that change: such objects may define the others.
func (s *Service) forget(pkg, typ string) {
	m, _ := s.Plugins.Manifest(pkg)
	if m.DynamicObjects && slices.ContainsFunc(m.Objects, func(t wire.ObjectType) bool { return t.Type == typ }) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.models, pkg)
	}
}

func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return fmt.Sprint(string(raw))
	}
	return s
}
