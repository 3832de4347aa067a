package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sextant/internal/domain/audit"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	// Cookie carries the session of the console; SecureCookie does where the
	// server speaks TLS.
	Cookie       = "sextant_session"
	SecureCookie = "__Host-sextant"
	minPassword  = 10
	maxPassword  = 256
)

// Token kinds.
const (
	kindSession = "session"
	kindAPI     = "api"
	kindPlugin  = "plugin"
	kindLink    = "link"
)

// Service creates subjects and recognises them.
type Service struct {
	db     *db.DB
	clock  clock.Clock
	audit  *audit.Log
	hasher *hasher
	tries  *tries
	seen   seen
	known  db.Memo[string, bearer] // by digest of the token
}

// New makes the service over a migrated database.
func New(d *db.DB, c clock.Clock, a *audit.Log) *Service {
	return &Service{db: d, clock: c, audit: a, hasher: newHasher(), tries: newTries(c, d)}
}

// First is what the first start has to tell its owner, once.
type First struct {
	Name, Password string
	// Link is a token that logs in once, within an hour.
	Link string
}

// HasUsers reports whether there is anybody.
func (s *Service) HasUsers(ctx context.Context) (bool, error) {
	var n int
	err := s.db.QueryRow(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM identity_user LIMIT 1) AS one").Scan(&n)
	return n > 0, err
}

// Bootstrap creates the administrator where there is no user yet; the password
// is random unless given. It returns nil where users exist.
func (s *Service) Bootstrap(ctx context.Context, password string) (*First, error) {
	var n int
	if err := s.db.QueryRow(ctx, "SELECT COUNT(*) FROM identity_user").Scan(&n); err != nil || n > 0 {
		return nil, err
	}
	first := &First{Name: "admin", Password: password}
	if password == "" {
		first.Password = clock.NewToken("")[:20]
	} else if err := checkPassword(first.Name, password); err != nil {
		return nil, err
	}
	u := Account{ID: clock.NewID(s.clock), Name: first.Name, password: s.hasher.hash(first.Password),
		Created: s.clock.Now(), Roles: []Membership{{Role: "admin", Project: "*", Environment: "*"}}}
	err := s.write(ctx, func(tx *db.Tx) error {
		if err := insertUser(tx, u); err != nil {
			return err
		}
		var err error
		first.Link, err = s.link(tx, u.ID)
		return err
	})
	return first, err
}

func digest(token string) []byte {
	d := sha256.Sum256([]byte(token))
	return d[:]
}

// named says in a record whom it is about: an id is no name.
func named(u Account) map[string]any { return map[string]any{"name": u.Name} }

// record writes to the audit log what the subject of ctx did.
func (s *Service) record(ctx context.Context, tx *db.Tx, verb, object string, detail map[string]any) error {
	r := audit.Record{Project: "default", Actor: From(ctx).Actor(), Verb: verb, Object: object}
	if detail != nil {
		raw, err := json.Marshal(detail)
		if err != nil {
			return err
		}
		r.Detail = raw
	}
	return s.audit.Write(ctx, tx, r)
}

// Authenticate finds the subject of a request by its bearer token or session
// cookie. Identity headers that come from outside mean nothing.
func (s *Service) Authenticate(r *http.Request) (context.Context, string, error) {
	secret, err := Secret(r)
	if err != nil {
		return nil, "", err
	}
	if secret == "" {
		return nil, "", errs.New(errs.Unauthenticated, "identity.unauthenticated", "log in first: send Authorization: Bearer <token>")
	}
	sub, err := s.Subject(r.Context(), secret)
	if err != nil {
		return nil, "", err
	}
	return With(r.Context(), sub), sub.ID, nil
}

// Secret is the token that a request carries, in its header or its cookie.
func Secret(r *http.Request) (string, error) {
	header := r.Header.Values("Authorization")
	cookie := ""
	for _, name := range []string{SecureCookie, Cookie} {
		if c, err := r.Cookie(name); err == nil && cookie == "" {
			cookie = c.Value
		}
	}
	if len(header) > 1 || len(header) == 1 && cookie != "" {
		return "",
			errs.New(errs.Malformed, "identity.two_tokens", "the request carries two tokens: send one Authorization header, or the session's cookie")
	}
	if len(header) == 1 {
		t, _ := strings.CutPrefix(header[0], "Bearer ")
		return t, nil
	}
	return cookie, nil
}

// bearer is a token with whom it belongs to, and what he may do.
type bearer struct {
	token  Token
	user   Account
	grants []Grant
}

func noToken() error {
	return errs.New(errs.Unauthenticated, "identity.token", "the token is unknown or has expired: log in again")
}

// bearer reads who bears the token with a digest.
func (s *Service) bearer(ctx context.Context, hash []byte) (bearer, error) {
	t, err := s.tokenByHash(ctx, hash)
	if err == nil && t == nil {
		err = noToken()
	}
	if err != nil {
		return bearer{}, err
	}
	b := bearer{token: *t}
	if t.Kind == kindPlugin || t.Kind == kindLink {
		return b, nil
	}
	if b.user, err = s.oneUser(ctx, "id", t.user); err != nil || b.user.Disabled {
		return b, err
	}
	b.grants, err = s.rights(ctx, b.user)
	return b, err
}

// write changes something on which it depends who may do what.
func (s *Service) write(ctx context.Context, fn func(*db.Tx) error) error {
	return s.db.Do(ctx, func(tx *db.Tx) error {
		s.known.Changes(tx)
		return fn(tx)
	})
}

// Subject finds whom a token belongs to.
func (s *Service) Subject(ctx context.Context, secret string) (Subject, error) {
	now, hash := s.clock.Now(), digest(secret)
	b, err := s.known.Get(now, string(hash), func() (bearer, error) { return s.bearer(ctx, hash) })
	if err != nil {
		return Subject{}, err
	}
	t := b.token
	t.Seen = s.seen.latest(t.ID, t.Seen)
	if t.Kind == kindLink || (!t.Expires.IsZero() && t.Expires.Before(now)) || t.Kind == kindSession && now.Sub(t.Seen) > idleFor {
		return Subject{}, noToken()
	}
	if t.Kind == kindPlugin {
		return Subject{ID: "plugin/" + t.user, Name: t.user, Kind: Plugin,
			Grants: []Grant{{Permission: "job.report", Project: "*"}, {Permission: "blob.read", Project: "*"}}}, nil
	}
	if b.user.Disabled {
		return Subject{}, errs.New(errs.Unauthenticated, "identity.disabled", "the user is disabled")
	}
	if now.Sub(t.Seen) > seenEvery {
		s.touch(&t, now)
	}
	sub := Subject{ID: "user/" + b.user.ID, Name: b.user.Name, Kind: User, Scope: t.Scope, Grants: slices.Clone(b.grants)}
	if sub.Token = t.ID; t.Kind == kindSession {
		sub.Session, sub.Proved, sub.Token = t.ID, t.proved, ""
	}
	return sub, nil
}

// Still gives of rights that somebody had those that he has now, for what he asked for
// and what is decided later; a Forbidden error where he may do nothing any more.
func (s *Service) Still(ctx context.Context, had Rights) (Rights, error) {
	id, ok := strings.CutPrefix(had.Subject, "user/")
	if !ok {
		return had, nil // a run acts with the rights that were frozen for it, a plugin and the platform with their own
	}
	gone := errs.New(errs.Forbidden, "identity.gone", "%s may do nothing here any more: the account is disabled or was removed", had.Name)
	u, err := s.oneUser(ctx, "id", id)
	if err == nil && u.Disabled {
		err = gone
	}
	if err != nil {
		return Rights{}, err
	}
	now := Subject{ID: had.Subject, Name: u.Name, Kind: User}
	if now.Grants, err = s.rights(ctx, u); err != nil {
		return Rights{}, err
	}
	return had.And(now.Rights()), nil
}

// userID is the id of the user that the subject is.
func (s Subject) userID() string { return strings.TrimPrefix(s.ID, "user/") }

// RightsSum names everything that the subject of ctx may do, in few characters.
func RightsSum(ctx context.Context) string {
	s := From(ctx)
	h := sha256.New()
	for _, p := range s.Scope {
		_, _ = fmt.Fprintf(h, "%q ", p) // a hash takes everything
	}
	_, _ = fmt.Fprintf(h, "%t %q\n", s.Scope == nil, s.Kind)
	for _, g := range s.Grants {
		_, _ = fmt.Fprintf(h, "%q %q %q\n", g.Permission, g.Project, g.Environment)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Authorize is the first check of every endpoint: may the subject do this on a
// project, or on any at all where it is empty.
func (s *Service) Authorize(ctx context.Context, permission, project string) error {
	return Require(ctx, permission, project)
}
