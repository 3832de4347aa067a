package object

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object/edge"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

// DefaultProject is where objects of types without scope belong.
const DefaultProject = "default"

// Migrations holds how far the outboxes of plugins were read.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "object"

// Deps is what the service needs.
type Deps struct {
	DB      *db.DB
	Clock   clock.Clock
	Plugins *plugin.Registry
	Router  *gateway.Router
	Audit   *audit.Log
	Bus     *bus.Bus
	// Box seals who makes a change for its way through a plugin; one of a key that
	// ends with the process where it is nil.
	Box *secret.Box
	Log *slog.Logger
}

// Guard keeps objects from being written that somebody holds. It is asked in every
// way to write, with the subject of ctx, before their plugin is; done says that
// the change has been made or not. reason is why a lock does not bind, for those
// who may pass it.
type Guard interface {
	Edit(ctx context.Context, project string, objects []string, reason string) (done func(), err error)
}

type reasonKey struct{}

// WithReason marks the context of changes whose author passes locks, and says why.
func WithReason(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonKey{}, reason)
}

func reasonOf(ctx context.Context) string {
	reason, _ := ctx.Value(reasonKey{}).(string)
	return reason
}

// Service finds and changes objects. It is safe for concurrent use.
type Service struct {
	Deps
	guard  Guard
	edges  edge.Guard
	outbox outbox
	mu     sync.Mutex
	models map[string]model
}

// New makes the service.
func New(d Deps) *Service {
	if d.Box == nil {
		d.Box = ephemeral()
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{Deps: d, models: map[string]model{}, outbox: outbox{at: map[string]*mailbox{}}}
}

// Attach makes every write ask a guard. It comes before the first write.
func (s *Service) Attach(g Guard) { s.guard = g }

type runKey struct{}

// OnBehalfOf marks the context of changes that a run makes.
func OnBehalfOf(ctx context.Context, run string) context.Context {
	return context.WithValue(ctx, runKey{}, run)
}

type withinKey struct{}

// Within keeps all that is done in ctx to one project: a plugin that acts for a
// run acts where the run is, wherever else its requester has rights.
func Within(ctx context.Context, project string) context.Context {
	return context.WithValue(ctx, withinKey{}, project)
}

// within refuses another project than that of the run.
func within(ctx context.Context, project string) error {
	own, kept := ctx.Value(withinKey{}).(string)
	if !kept || own == project {
		return nil
	}
	return errs.New(errs.Forbidden, "object.outside", "the run is in project %q: what is done for it stays there, and is not done in %q",
		own, project)
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
	if acting(ctx, scope) {
		q, everywhere = withEnvironment(t, q), true
	}
	if t.Scope == nil || t.Scope.Project == "" {
		if scope.Project != DefaultProject {
			return q, false
		}
	} else {
		q.AdditionalFilters = append(slices.Clone(q.AdditionalFilters),
			wire.Filter{Attr: t.Scope.Project, Op: wire.OpEq, Condition: wire.Raw(scope.Project)})
	}
	if t.Scope != nil && t.Scope.Environment != "" && !everywhere {
		q.AdditionalFilters = append(slices.Clone(q.AdditionalFilters),
			wire.Filter{Attr: t.Scope.Environment, Op: wire.OpIn, Condition: wire.Raw(environments)})
	}
	return q, true
}

// Query finds rows of a type within a project.
func (s *Service) Query(ctx context.Context, ref string, scope Scope, q wire.Query) ([]wire.Row, string, error) {
	if err := within(ctx, scope.Project); err != nil {
		return nil, "", err
	}
	if err := identity.Require(ctx, scope.permission(), scope.Project); err != nil {
		return nil, "", err
	}
	var rows []wire.Row
	var next string
	err := s.under(ctx, ref, func(t wire.ObjectType, mark string) (string, error) {
		if err := refuseGuesses(t, q); err != nil {
			return mark, err
		}
		narrow, visible := scoped(ctx, t, scope, q)
		if !visible {
			rows, next = []wire.Row{}, ""
			return mark, nil
		}
		var held string
		var err error
		rows, next, held, err = s.rows(ctx, t, ref, narrow)
		if err == nil && acting(ctx, scope) && !scope.blind {
			err = permitted(ctx, t, ref, scope, rows)
			note(ctx, t, ref, rows)
		}
		return held, err
	})
	return rows, next, err
}

// rows asks for rows of a type, whoever's they are.
func (s *Service) rows(ctx context.Context, t wire.ObjectType, ref string, q wire.Query) (rows []wire.Row, next, mark string, err error) {
	pkg, name, _ := strings.Cut(ref, ":")
	var out wire.Envelope[[]wire.Row]
	mark, err = s.ask(ctx, question{pkg: pkg, method: http.MethodPost, path: "/entities/" + name + "/query", body: q}, &out)
	if err != nil {
		return nil, "", mark, err
	}
	rows, err = answered(t, ref, out.Data)
	return rows, out.Next, mark, err
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
			return nil, errs.New(errs.TooLarge, "object.path_too_much", "there are more than %d objects of %s: narrow the path with a filter",
				MaxRows, ref).With("type", ref)
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

// refuseGuesses refuses questions by which a secret could be guessed bit by bit.
func refuseGuesses(t wire.ObjectType, q wire.Query) error {
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
			return errs.New(errs.Invalid, "object.secret_filter", "the attribute %s is secret: nobody filters or orders by it", name).
				At(errs.Field{Path: name, Message: "is secret"})
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

// dropHidden takes from a row the secrets that were read hidden and come back: they stay as they are.
func dropHidden(t wire.ObjectType, row wire.Row) {
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
	rows, _, err := s.Query(ctx, ref.TypeRef(), scope,
		wire.Query{AdditionalFilters: []wire.Filter{{Attr: wire.AttrID, Op: wire.OpEq, Condition: wire.Raw(ref.ID)}}})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errs.New(errs.NotFound, "object.not_found", "there is no object %s in project %q", ref, scope.Project).
			With("object", ref.String())
	}
	return rows[0], nil
}

// Exist checks that all ids of a type lie in the project, with one query.
func (s *Service) Exist(ctx context.Context, ref string, scope Scope, ids []string) error {
	_, err := s.named(ctx, ref, scope, ids, wire.AttrID)
	return err
}

// named reads the objects with the given ids, all of which there must be; without
// fields it reads all attributes.
func (s *Service) named(ctx context.Context, ref string, scope Scope, ids []string, fields ...string) (map[string]wire.Row, error) {
	there, err := s.present(ctx, ref, scope, ids, fields...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if there[id] == nil {
			return nil, gone(ref, id, scope)
		}
	}
	return there, nil
}

func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return fmt.Sprint(string(raw))
	}
	return s
}
