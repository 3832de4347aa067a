// Package setting keeps what people configure: connections, which hold the
// credentials of foreign systems, and plain values.
//
// Secrets are sealed before they are stored and never answered: whoever reads a
// connection sees {"$secret": "connection/<name>#<field>"} in their place. Only
// Resolve opens them, for the moment in which a call is sent.
package setting

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/secret"
	"sextant/internal/lang/objectpath"
)

// Migrations holds connections and values.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "setting"

// Prefix begins the reference to a connection: connection/<name>.
const Prefix = "connection/"

// Connection is how to reach and log in to a foreign system.
type Connection struct {
	Project     string                     `json:"project"`
	Name        string                     `json:"name"`
	Environment string                     `json:"environment,omitempty"`
	Type        string                     `json:"type" doc:"What it connects to: ssh, http, mysql, …"`
	Fields      map[string]json.RawMessage `json:"fields" doc:"Plain fields; secrets are shown as {\"$secret\": …}"`
	Targets     []string                   `json:"targets,omitempty" doc:"What it may be used on: object paths such as host:host{environment eq 'dev'}, and patterns of addresses such as 10.1.*; empty is every object at its own address"`
	Version     int64                      `json:"version"`
	Updated     time.Time                  `json:"updated"`
}

// Service keeps connections and values.
type Service struct {
	db    *db.DB
	clock clock.Clock
	box   *secret.Box
	audit *audit.Log
	// Check refuses a value that whoever declares a setting does not take; set before the
	// first value, may be nil.
	Check func(name, value string) error
}

// New makes the service over a migrated database.
func New(d *db.DB, c clock.Clock, box *secret.Box, a *audit.Log) *Service {
	return &Service{db: d, clock: c, box: box, audit: a}
}

// Input is a connection as it is given: plain fields and secrets apart. A secret
// that is left out keeps its value.
type Input struct {
	Type        string                     `json:"type" minLength:"1" maxLength:"32"`
	Environment string                     `json:"environment,omitempty" maxLength:"64"`
	Fields      map[string]json.RawMessage `json:"fields,omitempty"`
	Secrets     map[string]string          `json:"secrets,omitempty" doc:"Stored sealed and never shown again"`
	Targets     []string                   `json:"targets,omitempty" maxItems:"50" doc:"What it may be used on: object paths and patterns of addresses; empty is every object at its own address"`
	// Expect is the version that is to be replaced; nil replaces any.
	Expect *int64   `json:"-"`
	drop   []string // secrets that do not keep their value
}

// Put creates or replaces a connection.
func (s *Service) Put(ctx context.Context, project, name string, in Input) (Connection, error) {
	if err := identity.RequireIn(ctx, "connection.write", project, place(in.Environment)); err != nil {
		return Connection{}, err
	}
	if err := checkFields(in.Fields); err != nil {
		return Connection{}, err
	}
	if err := checkTargets(in.Targets); err != nil {
		return Connection{}, err
	}
	sealed, err := s.seal(project, name, in.Secrets)
	if err != nil {
		return Connection{}, err
	}
	err = s.db.Do(ctx, func(tx *db.Tx) error { return s.put(ctx, tx, connectionKey{project, name}, in, maps.Clone(sealed)) })
	if err != nil {
		return Connection{}, err
	}
	c, _, err := s.find(ctx, s.db, project, name)
	return c, err
}

// checkFields refuses a secret among the plain fields.
func checkFields(fields map[string]json.RawMessage) error {
	for _, field := range []string{"password", "private_key", "passphrase", "token", "secret"} {
		if v, ok := fields[field]; ok && string(v) != "null" {
			return errs.New(errs.Invalid, "connection.secret_field", "the field %s is a secret: give it under secrets", field).
				At(errs.Field{Path: "fields." + field, Message: "is a secret"})
		}
	}
	return nil
}

// seal seals the secrets of a connection.
func (s *Service) seal(project, name string, secrets map[string]string) (map[string]string, error) {
	sealed := map[string]string{}
	for field, clear := range secrets {
		v, err := s.box.Seal(sealContext(project, name, field), []byte(clear))
		if err != nil {
			return nil, err
		}
		sealed[field] = v
	}
	return sealed, nil
}

// place is where a right is wanted for a connection: one that belongs to no
// environment serves all of them.
func place(environment string) string { return cmp.Or(environment, "*") }

type connectionKey struct{ project, name string }

func sealContext(project, name, field string) string {
	return "connection/" + project + "/" + name + "#" + field
}

func (s *Service) put(ctx context.Context, tx *db.Tx, k connectionKey, in Input, sealed map[string]string) error {
	old, secrets, err := s.find(ctx, tx, k.project, k.name)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	if err == nil && identity.RequireIn(ctx, "connection.write", k.project, place(old.Environment)) != nil {
		return errs.New(errs.Conflict, "connection.environment",
			"a connection %s exists in an environment where you may not change connections: take another name", k.name).
			At(errs.Field{Path: "name", Message: "taken"})
	}
	if in.Expect != nil && *in.Expect != old.Version {
		return errs.New(errs.Stale, "connection.stale", "the connection %s has version %d by now and not %d: read it again",
			k.name, old.Version, *in.Expect)
	}
	for field, v := range secrets {
		if _, ok := sealed[field]; !ok && !slices.Contains(in.drop, field) {
			sealed[field] = v
		}
	}
	if in.Fields == nil {
		in.Fields = map[string]json.RawMessage{}
	}
	fields, err := json.Marshal(in.Fields)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(sealed)
	if err != nil {
		return err
	}
	if err := tx.Upsert("setting_connection", 2,
		[]string{"project", "name", "environment", "type", "fields", "secrets", "targets", "version", "updated"},
		k.project, k.name, in.Environment, in.Type, fields, raw, strings.Join(in.Targets, "\n"),
		old.Version+1, clock.Micros(s.clock.Now())); err != nil {
		return err
	}
	return s.audit.Write(ctx, tx,
		audit.Record{Project: k.project, Actor: identity.From(ctx).Actor(), Verb: "connection.write", Object: Prefix + k.name})
}

const columns = "project, name, environment, type, fields, secrets, targets, version, updated"

func scan(read func(...any) error) (c Connection, secrets map[string]string, err error) {
	var fields, sealed []byte
	var updated int64
	var targets string
	if err := read(&c.Project, &c.Name, &c.Environment, &c.Type, &fields, &sealed, &targets, &c.Version, &updated); err != nil {
		return c, nil, err
	}
	if targets != "" {
		c.Targets = strings.Split(targets, "\n")
	}
	c.Updated = clock.FromMicros(updated)
	if err := json.Unmarshal(fields, &c.Fields); err != nil {
		return c, nil, err
	}
	if err := json.Unmarshal(sealed, &secrets); err != nil {
		return c, nil, err
	}
	for field := range secrets {
		ref, err := json.Marshal(map[string]string{"$secret": Prefix + c.Name + "#" + field})
		if err != nil {
			return c, nil, err
		}
		c.Fields[field] = ref
	}
	return c, secrets, nil
}

func (s *Service) find(ctx context.Context, q db.Querier, project, name string) (Connection, map[string]string, error) {
	c, secrets, err := scan(q.QueryRow(ctx, "SELECT "+columns+" FROM setting_connection WHERE project = ? AND name = ?", project, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil, errs.New(errs.NotFound, "connection.not_found", "there is no connection %q in project %q", name, project).
			With("name", name)
	}
	return c, secrets, err
}

// List reads the connections of a project, by name.
func (s *Service) List(ctx context.Context, project string, p api.Paging) (api.Page[Connection], error) {
	if err := identity.Require(ctx, "connection.read", project); err != nil {
		return api.Page[Connection]{}, err
	}
	query, args := "SELECT "+columns+" FROM setting_connection WHERE project = ? AND name > ?", []any{project, p.After}
	if environments, everywhere := identity.From(ctx).Environments("connection.read", project); !everywhere {
		query += " AND environment IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(environments)), ", ") + ")"
		for _, e := range environments {
			args = append(args, e)
		}
	}
	rows, err := s.db.Query(ctx, query+" ORDER BY name LIMIT ?", append(args, p.Limit+1)...)
	all, err := db.Scan(rows, err, func(r *sql.Rows) (Connection, error) {
		c, _, err := scan(r.Scan)
		return c, err
	})
	if err != nil {
		return api.Page[Connection]{}, err
	}
	return api.PageOf(all, p.Limit, func(c Connection) string { return c.Name }), nil
}

// Delete removes a connection.
func (s *Service) Delete(ctx context.Context, project, name string) error {
	if err := identity.Require(ctx, "connection.write", project); err != nil {
		return err
	}
	return s.db.Do(ctx, func(tx *db.Tx) error {
		c, _, err := s.find(ctx, tx, project, name)
		if err != nil {
			return err
		}
		if identity.RequireIn(ctx, "connection.write", project, place(c.Environment)) != nil {
			return errs.New(errs.NotFound, "connection.not_found", "there is no connection %q in project %q", name, project)
		}
		if _, err := tx.Exec("DELETE FROM setting_connection WHERE project = ? AND name = ?", project, name); err != nil {
			return err
		}
		return s.audit.Write(ctx, tx,
			audit.Record{Project: project, Actor: identity.From(ctx).Actor(), Verb: "connection.delete", Object: Prefix + name})
	})
}

// Usable finds a connection that the subject of ctx may use; one that he may not
// is as if it were not there. One that belongs to no environment serves all.
func (s *Service) Usable(ctx context.Context, project, ref string) (Connection, error) {
	c, _, err := s.usable(ctx, project, ref)
	return c, err
}

func (s *Service) usable(ctx context.Context, project, ref string) (Connection, map[string]string, error) {
	name := strings.TrimPrefix(ref, Prefix)
	c, secrets, err := s.find(ctx, s.db, project, name)
	if errs.Is(err, errs.NotFound) || err == nil && identity.RequireIn(ctx, "connection.use", project, c.Environment) != nil {
		// One answer for both: else it would tell what there is in other environments.
		err = errs.New(errs.NotFound, "connection.not_found", "there is no connection %q in project %q that may be used here: "+
			"it does not exist, or %s has not the right connection.use in its environment", name, project, identity.From(ctx).Everyone()).
			With("name", name)
	}
	if err != nil {
		return Connection{}, nil, err
	}
	return c, secrets, nil
}

// checkTargets refuses targets that are neither an object path nor a pattern.
func checkTargets(targets []string) error {
	for _, t := range targets {
		var err error
		if AddressPattern(t) {
			_, err = path.Match(t, "")
		} else {
			err = onePlace(t)
		}
		if err != nil || t == "" || strings.ContainsAny(t, "\n\r") || len(t) > 500 {
			return errs.New(errs.Invalid, "connection.target",
				"the target %.80q is neither an object path such as host:host{environment eq 'dev'} nor a pattern of addresses such as 10.1.*", t).
				At(errs.Field{Path: "targets", Message: "not understood"})
		}
	}
	return nil
}

// onePlace refuses paths that lead elsewhere: a target says which objects, not how
// to get to them.
func onePlace(target string) error {
	p, err := objectpath.Parse(target)
	if err == nil && (len(p.Nodes) != 1 || p.Attr != "") {
		err = errors.New("a path of one type is wanted")
	}
	return err
}

// pathStart is how a target that is an object path begins.
var pathStart = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*:[A-Za-z][A-Za-z0-9_-]*([{.~>].*)?$`)

// AddressPattern reports whether a target is a pattern of addresses and no object
// path.
func AddressPattern(target string) bool { return !pathStart.MatchString(target) }

// Resolve opens a connection for a call that is about to be sent, for who may use
// it. ref is connection/<name> or the bare name. The result must not be stored or
// logged.
func (s *Service) Resolve(ctx context.Context, project, ref string) (map[string]json.RawMessage, error) {
	fields, _, err := s.resolve(ctx, project, ref)
	return fields, err
}

// resolve gives the secrets alone besides, for who has to hide them.
func (s *Service) resolve(ctx context.Context, project, ref string) (fields map[string]json.RawMessage, opened []string, err error) {
	c, secrets, err := s.usable(ctx, project, ref)
	if err != nil {
		return nil, nil, err
	}
	out := maps.Clone(c.Fields)
	for _, field := range slices.Sorted(maps.Keys(secrets)) {
		clear, err := s.box.Open(sealContext(project, c.Name, field), secrets[field])
		if err != nil {
			return nil, nil, errs.Wrap(err, errs.Unavailable, "connection.sealed",
				"the secrets of connection "+c.Name+" cannot be opened with this server's key")
		}
		raw, err := json.Marshal(string(clear))
		if err != nil {
			return nil, nil, err
		}
		out[field], opened = raw, append(opened, string(clear))
	}
	return out, opened, nil
}
