package object

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
	"sextant/sdk/go/wire"
)

// History reads who changed an object and what of it, newest first. It is for
// those who may read the object, and begins with its creation: one that had the
// id before was another. What it was while it was in an environment that they may
// not see is not for them.
func (s *Service) History(ctx context.Context, ref Ref, scope Scope, p api.Paging) (api.Page[audit.Record], error) {
	if _, err := s.named(ctx, ref.TypeRef(), scope, []string{ref.ID}, wire.AttrID); err != nil {
		return api.Page[audit.Record]{}, err
	}
	environments, everywhere := identity.From(ctx).Environments("object.read", scope.Project)
	if everywhere {
		environments = nil
	} else if environments == nil {
		environments = []string{}
	}
	return s.Audit.List(ctx, audit.Filter{Project: scope.Project, Environments: environments,
		Object: ref.String(), Since: recorded("create"), Values: true, Paging: p})
}

func (s *Service) historyRoute(a *api.API) {
	type in struct {
		Typed
		ID string `path:"id" maxLength:"190"`
		api.Paging
	}
	type out struct{ Body api.Page[audit.Record] }
	api.Register(a, api.Endpoint{ID: "getObjectHistory", Method: http.MethodGet, Path: "/api/v1/objects/{type}/{id}/history",
		Tag: "objects", Summary: "Who changed an object and what of it, newest first", Permission: "object.read"},
		func(ctx context.Context, i *in) (*out, error) {
			ref, err := ParseRef(i.Type + "/" + i.ID)
			if err != nil {
				return nil, err
			}
			page, err := s.History(ctx, ref, Scope{Project: i.Project}, i.Paging)
			return &out{page}, err
		})
}

// recorded is the verb under which an operation stands in the audit log.
func recorded(operation string) string { return "object." + operation }

// announce tells that objects of a plugin without an outbox were changed, and which
// attributes. The owner has stored the change already, and may have answered what
// it stored.
func (s *Service) announce(ctx context.Context, t wire.ObjectType, op operation, rows, stored []wire.Row) error {
	after := make(map[string]wire.Row, len(stored))
	for _, row := range stored {
		after[unquote(row[wire.AttrID])] = row
	}
	return s.DB.Do(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		for _, row := range rows {
			id := unquote(row[wire.AttrID])
			subject := op.ref + "/" + id
			data := Changed{Attributes: names(row), OverrideReason: reasonOf(ctx)}
			if err := kindOf(op.verb).Publish(s.Bus, tx, bus.Of{Subject: subject, Project: op.scope.Project}, data); err != nil {
				return err
			}
			r := audit.Record{Project: op.scope.Project, Environment: environment(t, op.before[id], row, after[id]), Actor: identity.From(ctx).
				Actor(), Verb: recorded(op.verb), Object: subject, Detail: wire.Raw(data), Changes: changes(t, op, id, row, after[id])}
			if err := s.Audit.Write(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// environment is where an object was as of a change, or in which two; a star where
// its type has none.
func environment(t wire.ObjectType, before, sent, after wire.Row) string {
	if t.Scope == nil || t.Scope.Environment == "" {
		return "*"
	}
	attr := t.Scope.Environment
	was, is := before[attr], before[attr]
	for _, row := range []wire.Row{sent, after} {
		if v, ok := row[attr]; ok {
			is = v
		}
	}
	if before == nil || bytes.Equal(was, is) {
		return unquote(is)
	}
	return unquote(was) + ", " + unquote(is)
}

// operation is a change of objects of a type.
type operation struct {
	ref   string
	scope Scope
	verb  string
	// before is what the objects were, by id; nothing where they are new.
	before map[string]wire.Row
}

// changes are the attributes that an object loses with its end, or that a change
// gives another value: the one that its owner answered, or else the one it was
// sent. Of a new object they are what it is, which is no change.
func changes(t wire.ObjectType, op operation, id string, sent, stored wire.Row) *audit.Changes {
	was, secret := op.before[id], secrets(t)
	c := audit.Changes{Before: map[string]json.RawMessage{}, After: map[string]json.RawMessage{}}
	put := func(side map[string]json.RawMessage, name string, v json.RawMessage) {
		if name != wire.AttrID && name != wire.AttrDisplayName && name != wire.AttrVersion && len(v) > 0 && !bytes.Equal(v, []byte("null")) {
			side[name] = short(v)
		}
	}
	switch op.verb {
	case "delete":
		for name, v := range was {
			if !slices.Contains(secret, name) {
				put(c.Before, name, v)
			}
		}
	case "update":
		for name := range sent {
			if slices.Contains(secret, name) {
				c.Secret = append(c.Secret, name)
				continue
			}
			now, ok := stored[name]
			if !ok {
				now = sent[name]
			}
			if !bytes.Equal(now, was[name]) {
				put(c.Before, name, was[name])
				put(c.After, name, now)
			}
		}
	}
	slices.Sort(c.Secret)
	if len(c.Before)+len(c.After)+len(c.Secret) == 0 {
		return nil
	}
	return &c
}

// longest is how many bytes of a value the history keeps.
const longest = 2000

// short cuts a long value to a text that says so.
func short(v json.RawMessage) json.RawMessage {
	if len(v) <= longest {
		return v
	}
	text := unquote(v)
	return wire.Raw(strings.ToValidUTF8(text[:min(len(text), longest)], "") + "…")
}

func names(row wire.Row) []string {
	all := make([]string, 0, len(row))
	for k := range row {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
