package identity

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

type user struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
	Grants   []Grant   `json:"grants,omitempty"`
	password string
}

type token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Scope   []string  `json:"scope,omitempty"`
	Expires time.Time `json:"expires"`
	Created time.Time `json:"created"`
	user    string
	hash    []byte
}

func insertUser(tx *db.Tx, u user, grants []Grant) error {
	_, err := tx.Exec("INSERT INTO identity_user (id, name, password, disabled, created) VALUES (?, ?, ?, 0, ?)", u.ID, u.Name, u.password, clock.Micros(u.Created))
	for _, g := range grants {
		if err == nil {
			err = tx.Upsert("identity_grant", 3, []string{"user_id", "permission", "project"}, u.ID, g.Permission, g.Project)
		}
	}
	return err
}

func insertToken(tx *db.Tx, t token) error {
	_, err := tx.Exec("INSERT INTO identity_token (id, user_id, name, kind, hash, scope, expires, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		t.ID, t.user, t.Name, t.Kind, t.hash, strings.Join(t.Scope, " "), clock.Micros(t.Expires), clock.Micros(t.Created))
	return err
}

func (s *Service) userByName(ctx context.Context, name string) (user, error) {
	return s.oneUser(ctx, "SELECT id, name, password, disabled, created FROM identity_user WHERE name = ?", name)
}

func (s *Service) userByID(ctx context.Context, id string) (user, error) {
	return s.oneUser(ctx, "SELECT id, name, password, disabled, created FROM identity_user WHERE id = ?", id)
}

// oneUser gives the zero user, whom no password fits, where there is none.
func (s *Service) oneUser(ctx context.Context, query, arg string) (user, error) {
	var u user
	var created int64
	err := s.db.QueryRow(ctx, query, arg).Scan(&u.ID, &u.Name, &u.password, &u.Disabled, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return user{Disabled: true}, nil
	}
	u.Created = clock.FromMicros(created)
	return u, err
}

func (s *Service) users(ctx context.Context, p api.Paging) ([]user, error) {
	rows, err := s.db.Query(ctx, "SELECT id, name, disabled, created FROM identity_user WHERE id > ? ORDER BY id LIMIT ?", p.After, p.Limit+1)
	return db.Scan(rows, err, func(r *sql.Rows) (user, error) {
		var u user
		var created int64
		err := r.Scan(&u.ID, &u.Name, &u.Disabled, &created)
		u.Created = clock.FromMicros(created)
		return u, err
	})
}

func (s *Service) grants(ctx context.Context, userID string) ([]Grant, error) {
	rows, err := s.db.Query(ctx, "SELECT permission, project FROM identity_grant WHERE user_id = ?", userID)
	return db.Scan(rows, err, func(r *sql.Rows) (Grant, error) {
		var g Grant
		return g, r.Scan(&g.Permission, &g.Project)
	})
}

const tokenColumns = "id, user_id, name, kind, scope, expires, created"

func scanToken(scan func(...any) error) (token, error) {
	var t token
	var scope string
	var expires, created int64
	err := scan(&t.ID, &t.user, &t.Name, &t.Kind, &scope, &expires, &created)
	if scope != "" {
		t.Scope = strings.Fields(scope)
	}
	t.Expires, t.Created = clock.FromMicros(expires), clock.FromMicros(created)
	return t, err
}

func (s *Service) tokenByHash(ctx context.Context, hash []byte) (*token, error) {
	t, err := scanToken(s.db.QueryRow(ctx, "SELECT "+tokenColumns+" FROM identity_token WHERE hash = ?", hash).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &t, err
}

func (s *Service) tokensOf(ctx context.Context, userID string, p api.Paging) ([]token, error) {
	rows, err := s.db.Query(ctx, "SELECT "+tokenColumns+" FROM identity_token WHERE user_id = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?", userID, kindAPI, p.After, p.Limit+1)
	return db.Scan(rows, err, func(r *sql.Rows) (token, error) { return scanToken(r.Scan) })
}
