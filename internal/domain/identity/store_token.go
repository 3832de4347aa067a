package identity

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
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

// unnarrowed is the stored scope of an API token with all of its user's rights.
const unnarrowed = "all"

const tokenColumns = "id, user_id, name, kind, scope, expires, created, seen, proved, origin"

func insertToken(tx *db.Tx, t Token) error {
	scope := strings.Join(t.Scope, " ")
	if t.Kind == kindAPI && len(t.Scope) == 0 {
		scope = unnarrowed
	}
	_, err := tx.Exec("INSERT INTO identity_token (hash, "+tokenColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		t.hash, t.ID, t.user, t.Name, t.Kind, scope, clock.Micros(t.Expires),
		clock.Micros(t.Created), clock.Micros(t.Created), clock.Micros(t.proved), t.Origin)
	return err
}

func scanToken(scan func(...any) error) (Token, error) {
	var t Token
	var scope string
	var expires, created, seen, proved int64
	err := scan(&t.ID, &t.user, &t.Name, &t.Kind, &scope, &expires, &created, &seen, &proved, &t.Origin)
	switch {
	case t.Kind == kindAPI && scope == unnarrowed, t.Kind != kindAPI && scope == "":
	default: // what is blank where something has to stand narrows to nothing
		t.Scope = append([]string{}, strings.Fields(scope)...)
	}
	t.Expires, t.Created, t.Seen, t.proved = clock.FromMicros(expires), clock.FromMicros(created),
		clock.FromMicros(seen), clock.FromMicros(proved)
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
	rows, err := s.db.Query(ctx, "SELECT "+tokenColumns+" FROM identity_token WHERE user_id = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?",
		userID, kind, p.After, p.Limit+1)
	return db.Scan(rows, err, func(r *sql.Rows) (Token, error) { return scanToken(r.Scan) })
}

// knows reports whether a user has a session or had one from an address.
func (s *Service) knows(ctx context.Context, userID, origin string) bool {
	var n int
	err := s.db.QueryRow(ctx, "SELECT COUNT(*) FROM identity_token WHERE user_id = ? AND kind = ? AND origin = ?",
		userID, kindSession, origin).Scan(&n)
	return err == nil && n > 0
}

// touch notes that a token was used. Nobody waits for it: who a request comes
// from is known without a write, also on a full disk.
func (s *Service) touch(t *Token, now time.Time) {
	s.seen.put(t.ID, now)
	_, _ = s.db.Submit(context.Background(), func(tx *db.Tx) error { // what is not stored is still known here
		_, err := tx.Exec("UPDATE identity_token SET seen = ? WHERE id = ?", clock.Micros(now), t.ID)
		return err
	})
}

// maxSeen is how many tokens' last use is remembered beside the database.
const maxSeen = 20_000

// seen is when tokens were last used, as far as this process knows.
type seen struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (s *seen) latest(token string, stored time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.at[token]; at.After(stored) {
		return at
	}
	return stored
}

func (s *seen) put(token string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, used := range s.at {
		if len(s.at) < maxSeen {
			break
		}
		if at.Sub(used) > seenEvery {
			delete(s.at, old)
		}
	}
	if s.at == nil {
		s.at = map[string]time.Time{}
	}
	s.at[token] = at
}

// endSessions ends the sessions of a user but one; with tokens its API tokens
// too.
func endSessions(tx *db.Tx, userID, but string, tokens bool) error {
	query := "DELETE FROM identity_token WHERE user_id = ? AND id <> ? AND kind IN ('" + kindSession + "', '" + kindLink + "')"
	if tokens {
		query = "DELETE FROM identity_token WHERE user_id = ? AND id <> ? AND kind IN ('" +
			kindSession + "', '" + kindLink + "', '" + kindAPI + "')"
	}
	_, err := tx.Exec(query, userID, but)
	return err
}

// Sweep removes tokens that have expired.
func (s *Service) Sweep(ctx context.Context) error {
	return s.write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec("DELETE FROM identity_try WHERE last < ?", clock.Micros(s.clock.Now().Add(-3*longestRest))); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM identity_token WHERE expires > 0 AND expires < ?", clock.Micros(s.clock.Now()))
		return err
	})
}
