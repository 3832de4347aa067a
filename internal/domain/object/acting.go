package object

import (
	"cmp"
	"context"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// acting reports whether a run asks. A person is shown less where rights are
// missing; a run that silently acted on less would report as done what is not, so
// it is told instead. A plugin that looks around for a run is shown less, too: what
// is out of sight is not named to it.
func acting(ctx context.Context, scope Scope) bool {
	if identity.From(ctx).Kind != identity.Run {
		return false
	}
	_, plugin := ctx.Value(withinKey{}).(string)
	return !plugin || scope.permission() != "object.read"
}

// withEnvironment asks for the environment of rows besides what is asked for.
func withEnvironment(t wire.ObjectType, q wire.Query) wire.Query {
	if len(q.Fields) > 0 && t.Scope != nil && t.Scope.Environment != "" {
		q.Fields = append(append([]string{}, q.Fields...), t.Scope.Environment)
	}
	return q
}

// permitted refuses rows in environments where the subject of ctx has not the
// permission, by name.
func permitted(ctx context.Context, t wire.ObjectType, ref string, scope Scope, rows []wire.Row) error {
	if t.Scope == nil || t.Scope.Environment == "" {
		return nil
	}
	who := identity.From(ctx)
	for _, row := range rows {
		environment := cmp.Or(textOf(row[t.Scope.Environment]), "*")
		if who.CanIn(scope.permission(), scope.Project, environment) {
			continue
		}
		name := ref + "/" + unquote(row[wire.AttrID])
		return errs.New(errs.Forbidden, "object.right", "%s has no right %s on %s, which is in environment %q",
			who.Lacking(scope.permission(), scope.Project, environment), scope.permission(), name, environment).
			With("object", name).With("permission", scope.permission()).With("environment", environment)
	}
	return nil
}

func textOf(raw []byte) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	return unquote(raw)
}

// Permit checks that the subject of ctx has a permission on each object, in the
// environment in which it is. Rows without a type are no objects.
func (s *Service) Permit(ctx context.Context, project, permission string, refs []Ref) error {
	if err := identity.Require(ctx, permission, project); err != nil {
		return err
	}
	if _, everywhere := identity.From(ctx).Environments(permission, project); everywhere {
		return nil
	}
	for typ, ids := range byType(refs) {
		if err := s.Exist(ctx, typ, Scope{Project: project, For: permission}, ids); err != nil {
			return err
		}
	}
	return nil
}

// dangling refuses ids that a path was to lead to and that are not there: a run
// would act on the rest and call it done. What filters leave out is meant.
func (s *Service) dangling(ctx context.Context, scope Scope, hop *objectpath.Hop, want []string, found []wire.Row) error {
	if !acting(ctx, scope) || hop.Node.Link.Kind == objectpath.RefBy || len(found) >= len(want) {
		return nil
	}
	there := make(map[string]bool, len(found))
	for _, row := range found {
		there[unquote(row[wire.AttrID])] = true
	}
	var missing []string
	for _, id := range want {
		if !there[id] {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 && len(hop.Node.Filters) == 0 {
		return gone(hop.Node.TypeRef(), missing[0], scope)
	}
	scope.blind = true
	return s.Exist(ctx, hop.Node.TypeRef(), scope, missing)
}

func gone(typ, id string, scope Scope) error {
	return errs.New(errs.NotFound, "object.not_found", "there is no object %s/%s in project %q", typ, id, scope.Project).
		With("object", typ+"/"+id)
}
