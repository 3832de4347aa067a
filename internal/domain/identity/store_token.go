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

// Token is a session or an API token; the secret itself is not stored.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Scope   []string  `json:"scope,omitempty"`
	Expires time.Time `json:"expires"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen" doc:"When it was last used, to the minute"`
	Origin  string    `json:"origin,omitempty" doc:"Address from which the session was opened"`
	Current bool      `json:"current,omitempty" doc:"The session that asks"`
	user    string
	hash    []byte
	proved  time.Time
}

const tokenColumns = "id, user_id, name, kind, scope, expires, created, seen, proved, origin"

func insertToken(tx *db.Tx, t Token) error {
	_, err := tx.Exec("INSERT INTO identity_token (hash, "+tokenColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		t.hash, t.ID, t.user, t.Name, t.Kind, strings.Join(t.Scope, " "), clock.Micros(t.Expires), clock.Micros(t.Created), clock.Micros(t.Created), clock.Micros(t.proved), t.Origin)
	return err
}

func scanToken(scan func(...any) error) (Token, error) {
	var t Token
	var scope string
	var expires, created, seen, proved int64
	err := scan(&t.ID, &t.user, &t.Name, &t.Kind, &scope, &expires, &created, &seen, &proved, &t.Origin)
	if scope != "" {
		t.Scope = strings.Fields(scope)
	}
	t.Expires, t.Created, t.Seen, t.proved = clock.FromMicros(expires), clock.FromMicros(created), clock.FromMicros(seen), clock.FromMicros(proved)
	return t, err
}

func (s *Service) tokenByHash(ctx context.Context, hash []byte) (*Token, error) {
	t, err := scanToken(s.db.QueryRow(ctx, "SELECT "+tokenColumns+" FROM identity_token WHERE hash = ?", hash).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &t, err
}

func (s *Service) tokensOf(ctx context.Context, userID, kind string, p api.Paging) ([]Token, error) {
	rows, err := s.db.Query(ctx, "SELECT "+tokenColumns+" FROM identity_token WHERE user_id = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?", userID, kind, p.After, p.Limit+1)
	return db.Scan(rows, err, func(r *sql.Rows) (Token, error) { return scanToken(r.Scan) })
}

// touch notes that a token was used.
func (s *Service) touch(ctx context.Context, t *Token) error {
	return s.db.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE identity_token SET seen = ? WHERE id = ?", clock.Micros(s.clock.Now()), t.ID)
		return err
	})
}

// endSessions ends the sessions of a user but one; with tokens its API tokens
// too.
func endSessions(tx *db.Tx, userID, but string, tokens bool) error {
	query := "DELETE FROM identity_token WHERE user_id = ? AND id <> ? AND kind IN ('" + kindSession + "', '" + kindLink + "')"
	if tokens {
		query = "DELETE FROM identity_token WHERE user_id = ? AND id <> ? AND kind IN ('" + kindSession + "', '" + kindLink + "', '" + kindAPI + "')"
	}
	_, err := tx.Exec(query, userID, but)
	return err
}

// Sweep removes tokens that have expired.
func (s *Service) Sweep(ctx context.Context) error {
	return s.db.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM identity_token WHERE expires > 0 AND expires < ?", clock.Micros(s.clock.Now()))
		return err
	})
}
