package setting

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// firstType is the type of a new connection that names none.
const firstType = "ssh"

// Change is what of a connection is to be otherwise; what is not named stays. A
// connection that is not there is made.
type Change struct {
	Type        *string                    `json:"type,omitempty" minLength:"1" maxLength:"32" doc:"A new connection is ssh unless it says"`
	Environment *string                    `json:"environment,omitempty" maxLength:"64" doc:"Empty takes the environment away: the connection serves all of them"`
	Targets     *[]string                  `json:"targets,omitempty" maxItems:"50" doc:"Replaces all targets; empty takes them away"`
	Fields      map[string]json.RawMessage `json:"fields,omitempty" doc:"Plain fields; null removes one"`
	Secrets     map[string]string          `json:"secrets,omitempty" doc:"Stored sealed and never shown again"`
	Unset       []string                   `json:"unset,omitempty" maxItems:"50" doc:"Names of fields and secrets that are removed"`
	// Expect is the version that is to be changed; nil changes any.
	Expect *int64 `json:"-"`
}

// Get reads a connection; one that may not be read is as if it were not there.
func (s *Service) Get(ctx context.Context, project, name string) (Connection, error) {
	if err := identity.Require(ctx, "connection.read", project); err != nil {
		return Connection{}, err
	}
	c, _, err := s.find(ctx, s.db, project, name)
	if err == nil && identity.RequireIn(ctx, "connection.read", project, place(c.Environment)) != nil {
		err = errs.New(errs.NotFound, "connection.not_found", "there is no connection %q in project %q", name, project).With("name", name)
	}
	if err != nil {
		return Connection{}, err
	}
	return c, nil
}

// Merge changes a part of a connection, for who may change it; he need not be able
// to read it.
func (s *Service) Merge(ctx context.Context, project, name string, ch Change) (Connection, error) {
	if err := identity.Require(ctx, "connection.write", project); err != nil {
		return Connection{}, err
	}
	if err := checkFields(ch.Fields); err != nil {
		return Connection{}, err
	}
	sealed, err := s.seal(project, name, ch.Secrets)
	if err != nil {
		return Connection{}, err
	}
	err = s.db.Do(ctx, func(tx *db.Tx) error {
		old, secrets, err := s.find(ctx, tx, project, name)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		in, err := ch.onto(old, secrets)
		if err != nil {
			return err
		}
		if err := identity.RequireIn(ctx, "connection.write", project, place(in.Environment)); err != nil {
			return err
		}
		return s.put(ctx, tx, connectionKey{project, name}, in, maps.Clone(sealed))
	})
	if err != nil {
		return Connection{}, err
	}
	c, _, err := s.find(ctx, s.db, project, name)
	if err == nil && identity.RequireIn(ctx, "connection.read", project, place(c.Environment)) != nil {
		c.Fields, c.Targets = map[string]json.RawMessage{}, nil // who may only write reads nothing
	}
	return c, err
}

// onto gives a connection as it is to be.
func (ch Change) onto(old Connection, secrets map[string]string) (Input, error) {
	in := Input{Type: old.Type, Environment: old.Environment, Targets: old.Targets,
		Fields: map[string]json.RawMessage{}, Secrets: ch.Secrets, Expect: ch.Expect}
	if in.Type == "" {
		in.Type = firstType
	}
	if ch.Type != nil {
		in.Type = *ch.Type
	}
	if ch.Environment != nil {
		in.Environment = *ch.Environment
	}
	if ch.Targets != nil {
		in.Targets = *ch.Targets
	}
	for name, v := range old.Fields {
		if _, sealed := secrets[name]; !sealed {
			in.Fields[name] = v
		}
	}
	for name, v := range ch.Fields {
		if _, sealed := secrets[name]; sealed && !slices.Contains(ch.Unset, name) {
			return in, errs.New(errs.Invalid, "connection.secret_field",
				"the connection has a secret of the name %s: give it under secrets, or unset it first", name).
				At(errs.Field{Path: "fields." + name, Message: "is a secret"})
		}
		if in.Fields[name] = v; string(v) == "null" || len(v) == 0 {
			delete(in.Fields, name)
		}
	}
	for _, name := range ch.Unset {
		_, plain := in.Fields[name]
		if _, sealed := secrets[name]; !plain && !sealed {
			return in, errs.New(errs.Invalid, "connection.no_field", "the connection has neither a field nor a secret %s: nothing was changed",
				name).At(errs.Field{Path: "unset", Message: "there is no " + name})
		}
		if _, given := ch.Fields[name]; !given {
			delete(in.Fields, name)
		}
	}
	in.drop = ch.Unset
	for name := range ch.Secrets {
		delete(in.Fields, name) // it is kept in the clear no more
	}
	return in, checkTargets(in.Targets)
}

// mergeRoutes adds the endpoints of one connection.
func (s *Service) mergeRoutes(a *api.API) {
	type Named struct {
		Name    string `path:"name" maxLength:"64" pattern:"^[a-z0-9][a-z0-9._-]*$"`
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type patch struct {
		Named
		IfMatch string `header:"If-Match" doc:"Version that is to be changed, in quotes, \"0\" for none; without it any is"`
		Body    Change
	}
	type out struct{ Body Connection }
	api.Register(a, api.Endpoint{ID: "getConnection", Method: http.MethodGet,
		Path: "/api/v1/connections/{name}", Tag: "settings", Summary: "A connection without its secrets", Permission: "connection.read"},
		func(ctx context.Context, in *Named) (*out, error) {
			c, err := s.Get(ctx, in.Project, in.Name)
			return &out{c}, err
		})
	api.Register(a, api.Endpoint{ID: "changeConnection", Method: http.MethodPost,
		Path: "/api/v1/connections/{name}/changes", Status: http.StatusOK, Tag: "settings",
		Summary: "Create a connection or change a part of it; what is not named stays", Permission: "connection.write"},
		func(ctx context.Context, in *patch) (*out, error) {
			expect, err := Expected(in.IfMatch)
			if err != nil {
				return nil, err
			}
			in.Body.Expect = expect
			c, err := s.Merge(ctx, in.Project, in.Name, in.Body)
			return &out{c}, err
		})
}
