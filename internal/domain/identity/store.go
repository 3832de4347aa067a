package identity

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Account is a user as others see it.
type Account struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Display  string       `json:"display,omitempty"`
	Disabled bool         `json:"disabled"`
	Created  time.Time    `json:"created"`
	Version  int64        `json:"version"`
	Roles    []Membership `json:"roles,omitempty"`
	Grants   []Grant      `json:"grants,omitempty"`
	password string
}

const userColumns = "id, name, display, password, disabled, created, version"

func scanUser(scan func(...any) error) (Account, error) {
	var u Account
	var created int64
	err := scan(&u.ID, &u.Name, &u.Display, &u.password, &u.Disabled, &created, &u.Version)
	u.Created = clock.FromMicros(created)
	return u, err
}

func insertUser(tx *db.Tx, u Account) error {
	_, err := tx.Exec("INSERT INTO identity_user (id, name, display, password, disabled, created, version) VALUES (?, ?, ?, ?, 0, ?, 1)",
		u.ID, u.Name, u.Display, u.password, clock.Micros(u.Created))
	if err != nil {
		return err
	}
	return putRights(tx, u)
}

// putRights replaces the roles and the own rights of a user.
func putRights(tx *db.Tx, u Account) error {
	for _, table := range []string{"identity_member", "identity_right"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE user_id = ?", u.ID); err != nil {
			return err
		}
	}
	for _, m := range u.Roles {
		if err := tx.Upsert("identity_member", 4, []string{"user_id", "role", "project", "environment"},
			u.ID, m.Role, m.Project, cmp.Or(m.Environment, "*")); err != nil {
			return err
		}
	}
	for _, g := range u.Grants {
		if err := tx.Upsert("identity_right", 4, []string{"user_id", "permission", "project", "environment"},
			u.ID, g.Permission, g.Project, cmp.Or(g.Environment, "*")); err != nil {
			return err
		}
	}
	return nil
}

// oneUser gives the zero user, whom no password fits, where there is none.
func (s *Service) oneUser(ctx context.Context, column, value string) (Account, error) {
	u, err := scanUser(s.db.QueryRow(ctx, "SELECT "+userColumns+" FROM identity_user WHERE "+column+" = ?", value).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{Disabled: true}, nil
	}
	return u, err
}

// users lists those who have rights on one of the projects, all users where all
// is set.
func (s *Service) users(ctx context.Context, p api.Paging, projects []string, all bool) ([]Account, error) {
	query, args := "SELECT "+userColumns+" FROM identity_user u WHERE id > ?", []any{p.After}
	if !all {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(projects)), ", ")
		query += " AND (EXISTS (SELECT 1 FROM identity_member m WHERE m.user_id = u.id AND m.project IN (" +
			marks + ")) OR EXISTS (SELECT 1 FROM identity_right g WHERE g.user_id = u.id AND g.project IN (" + marks + ")))"
		for range 2 {
			for _, name := range projects {
				args = append(args, name)
			}
		}
	}
	rows, err := s.db.Query(ctx, query+" ORDER BY id LIMIT ?", append(args, p.Limit+1)...)
	return db.Scan(rows, err, func(r *sql.Rows) (Account, error) { return scanUser(r.Scan) })
}

// everybody lists all users; there are few beside everything else.
func (s *Service) everybody(ctx context.Context) ([]Account, error) {
	rows, err := s.db.Query(ctx, "SELECT "+userColumns+" FROM identity_user ORDER BY name LIMIT 100000")
	return db.Scan(rows, err, func(r *sql.Rows) (Account, error) { return scanUser(r.Scan) })
}

// members lists the names of users who have one of some roles.
func (s *Service) members(ctx context.Context, roles []string) ([]string, error) {
	args := make([]any, 0, len(roles)+1)
	for _, r := range roles {
		args = append(args, r)
	}
	rows, err := s.db.Query(ctx, "SELECT DISTINCT u.name FROM identity_user u JOIN identity_member m ON m.user_id = u.id WHERE m.role IN (?"+
		strings.Repeat(", ?", len(roles)-1)+") ORDER BY u.name LIMIT ?", append(args, shownPeople)...)
	return db.Scan(rows, err, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) })
}

// own reads the roles and the own rights of a user.
func (s *Service) own(ctx context.Context, u *Account) error {
	rows, err := s.db.Query(ctx, "SELECT role, project, environment FROM identity_member WHERE user_id = ? ORDER BY project, role", u.ID)
	u.Roles, err = db.Scan(rows, err, func(r *sql.Rows) (Membership, error) {
		var m Membership
		return m, r.Scan(&m.Role, &m.Project, &m.Environment)
	})
	if err != nil {
		return err
	}
	// A place that is blank is none: it does not widen a right to every place.
	u.Roles = slices.DeleteFunc(u.Roles, func(m Membership) bool { return m.Project == "" || m.Environment == "" })
	rows,
		err = s.db.Query(ctx, "SELECT permission, project, environment FROM identity_right WHERE user_id = ? ORDER BY project, permission", u.ID)
	u.Grants, err = db.Scan(rows, err, func(r *sql.Rows) (Grant, error) {
		var g Grant
		return g, r.Scan(&g.Permission, &g.Project, &g.Environment)
	})
	u.Grants = slices.DeleteFunc(u.Grants, func(g Grant) bool { return g.Project == "" || g.Environment == "" })
	return err
}

// rights are all rights of a user, its own and those of its roles.
func (s *Service) rights(ctx context.Context, u Account) ([]Grant, error) {
	if err := s.own(ctx, &u); err != nil {
		return nil, err
	}
	brought, err := s.expand(ctx, u.Roles)
	return append(u.Grants, brought...), err
}

func (s *Service) customRoles(ctx context.Context) ([]Role, error) {
	rows, err := s.db.Query(ctx, "SELECT name, description, permissions, version FROM identity_role ORDER BY name LIMIT 1000")
	return db.Scan(rows, err, func(r *sql.Rows) (Role, error) {
		var role Role
		var permissions string
		err := r.Scan(&role.Name, &role.Description, &permissions, &role.Version)
		role.Permissions = strings.Fields(permissions)
		return role, err
	})
}

// putRole writes a role over the version that was read; 0 creates it.
func putRole(tx *db.Tx, r Role, read int64) error {
	permissions := strings.Join(r.Permissions, " ")
	if read == 0 {
		_, err := tx.Exec("INSERT INTO identity_role (name, description, permissions, version) VALUES (?, ?, ?, ?)",
			r.Name, r.Description, permissions, r.Version)
		if errs.Is(err, errs.Conflict) {
			return errs.New(errs.Conflict, "role.exists", "there is a role %q already", r.Name).At(errs.Field{Path: "name", Message: "taken"})
		}
		return err
	}
	n, err := tx.Exec("UPDATE identity_role SET description = ?, permissions = ?, version = ? WHERE name = ? AND version = ?",
		r.Description, permissions, r.Version, r.Name, read)
	if err == nil && n == 0 {
		return errs.New(errs.Stale, "role.stale", "the role %s was changed or removed meanwhile: read it again", r.Name)
	}
	return err
}
