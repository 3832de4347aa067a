package setting

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Value is a plain setting of a project.
type Value struct {
	Project string    `json:"project"`
	Name    string    `json:"name"`
	Value   string    `json:"value"`
	Version int64     `json:"version"`
	Updated time.Time `json:"updated"`
}

const valueColumns = "project, name, value, version, updated"

func scanValue(read func(...any) error) (v Value, err error) {
	var updated int64
	err = read(&v.Project, &v.Name, &v.Value, &v.Version, &updated)
	v.Updated = clock.FromMicros(updated)
	return v, err
}

// Value reads a plain setting of a project; ok is false where it is not set.
func (s *Service) Value(ctx context.Context, project, name string) (value string, ok bool, err error) {
	v, err := s.findValue(ctx, s.db, project, name)
	if errs.Is(err, errs.NotFound) {
		return "", false, nil
	}
	return v.Value, err == nil, err
}

// Read is Value for who may read settings.
func (s *Service) Read(ctx context.Context, project, name string) (value string, ok bool, err error) {
	if err := identity.Require(ctx, "setting.read", project); err != nil {
		return "", false, err
	}
	return s.Value(ctx, project, name)
}

// Stored reads a plain setting of a project with its version, for who may read settings.
// Returns NotFound if it is not set.
func (s *Service) Stored(ctx context.Context, project, name string) (Value, error) {
	if err := identity.Require(ctx, "setting.read", project); err != nil {
		return Value{}, err
	}
	return s.findValue(ctx, s.db, project, name)
}

func (s *Service) findValue(ctx context.Context, q db.Querier, project, name string) (Value, error) {
	v, err := scanValue(q.QueryRow(ctx, "SELECT "+valueColumns+" FROM setting_value WHERE project = ? AND name = ?", project, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Value{}, errs.New(errs.NotFound, "setting.not_found", "there is no setting %q in project %q", name, project).With("name", name)
	}
	return v, err
}

// Values lists the plain settings of a project, by name.
func (s *Service) Values(ctx context.Context, project string, p api.Paging) (api.Page[Value], error) {
	if err := identity.Require(ctx, "setting.read", project); err != nil {
		return api.Page[Value]{}, err
	}
	rows, err := s.db.Query(ctx, "SELECT "+valueColumns+" FROM setting_value WHERE project = ? AND name > ? ORDER BY name LIMIT ?",
		project, p.After, p.Limit+1)
	all, err := db.Scan(rows, err, func(r *sql.Rows) (Value, error) { return scanValue(r.Scan) })
	if err != nil {
		return api.Page[Value]{}, err
	}
	return api.PageOf(all, p.Limit, func(v Value) string { return v.Name }), nil
}

// SetValue sets a plain setting of a project. expect is the version that is to be
// replaced, 0 for none; nil replaces any.
func (s *Service) SetValue(ctx context.Context, project, name, value string, expect *int64) (Value, error) {
	if err := identity.Require(ctx, "setting.write", project); err != nil {
		return Value{}, err
	}
	if s.Check != nil {
		if err := s.Check(name, value); err != nil {
			return Value{}, err
		}
	}
	v := Value{Project: project, Name: name, Value: value}
	err := s.db.Do(ctx, func(tx *db.Tx) error {
		old, err := s.current(ctx, tx, project, name, expect)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		now := clock.Micros(s.clock.Now())
		v.Version, v.Updated = old.Version+1, clock.FromMicros(now)
		if err := tx.Upsert("setting_value", 2, []string{"project", "name", "value", "version", "updated"},
			project, name, value, v.Version, now); err != nil {
			return err
		}
		return s.audit.Write(ctx, tx,
			audit.Record{Project: project, Actor: identity.From(ctx).Actor(), Verb: "setting.write", Object: "setting/" + name})
	})
	return v, err
}

// DeleteValue removes a plain setting of a project.
func (s *Service) DeleteValue(ctx context.Context, project, name string, expect *int64) error {
	if err := identity.Require(ctx, "setting.write", project); err != nil {
		return err
	}
	return s.db.Do(ctx, func(tx *db.Tx) error {
		if _, err := s.current(ctx, tx, project, name, expect); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM setting_value WHERE project = ? AND name = ?", project, name); err != nil {
			return err
		}
		return s.audit.Write(ctx, tx,
			audit.Record{Project: project, Actor: identity.From(ctx).Actor(), Verb: "setting.delete", Object: "setting/" + name})
	})
}

// current reads a value that is about to be changed, and refuses where it is not
// the version that was expected.
func (s *Service) current(ctx context.Context, tx *db.Tx, project, name string, expect *int64) (Value, error) {
	old, err := s.findValue(ctx, tx, project, name)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return old, err
	}
	if expect != nil && *expect != old.Version {
		return old, errs.New(errs.Stale, "setting.stale", "the setting %s has version %d by now and not %d: read it again",
			name, old.Version, *expect)
	}
	return old, err
}
