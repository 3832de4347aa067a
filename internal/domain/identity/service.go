package identity

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	sessionFor = 12 * time.Hour
	linkFor    = time.Hour
	// Cookie carries the session of the console.
	Cookie       = "sextant_session"
	minPassword  = 10
	maxPassword  = 256
	maxFailures  = 10
	failureReset = 5 * time.Minute
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
}

// New makes the service over a migrated database.
func New(d *db.DB, c clock.Clock, a *audit.Log) *Service {
	return &Service{db: d, clock: c, audit: a, hasher: newHasher(), tries: newTries(c)}
}

// First is what the first start has to tell its owner, once.
type First struct {
	Name, Password string
	// Link is a token that logs in once, within an hour.
	Link string
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
	} else if err := checkPassword(password); err != nil {
		return nil, err
	}
	first.Link = clock.NewToken("sxl_")
	u := user{ID: clock.NewID(s.clock), Name: first.Name, password: s.hasher.hash(first.Password), Created: s.clock.Now()}
	err := s.db.Do(ctx, func(tx *db.Tx) error {
		if err := insertUser(tx, u, []Grant{{"*", "*"}}); err != nil {
			return err
		}
		return insertToken(tx, token{ID: clock.NewID(s.clock), user: u.ID, Name: "first log-in", Kind: kindLink, hash: digest(first.Link), Expires: s.clock.Now().Add(linkFor), Created: s.clock.Now()})
	})
	return first, err
}

func checkPassword(p string) error {
	if len(p) < minPassword || len(p) > maxPassword {
		return errs.New(errs.Invalid, "identity.password", "a password has %d to %d characters", minPassword, maxPassword).
			At(errs.Field{Path: "password", Message: "too short or too long"})
	}
	return nil
}

func digest(token string) []byte {
	d := sha256.Sum256([]byte(token))
	return d[:]
}

// Login checks a password and gives a session token.
func (s *Service) Login(ctx context.Context, name, password string) (string, time.Time, error) {
	if !s.tries.allowed(name) {
		return "", time.Time{}, errs.New(errs.Exhausted, "identity.too_many_tries", "too many failed log-ins for this name; wait some minutes")
	}
	u, err := s.userByName(ctx, name)
	if err != nil {
		return "", time.Time{}, err
	}
	if !s.hasher.verify(u.password, password) || u.Disabled {
		s.tries.failed(name)
		return "", time.Time{}, errs.New(errs.Unauthenticated, "identity.wrong_password", "name or password is wrong")
	}
	return s.session(ctx, u.ID, nil)
}

// Redeem exchanges a one-time link for a session.
func (s *Service) Redeem(ctx context.Context, link string) (string, time.Time, error) {
	t, err := s.tokenByHash(ctx, digest(link))
	if err != nil || t == nil || t.Kind != kindLink || t.Expires.Before(s.clock.Now()) {
		return "", time.Time{}, errs.New(errs.Unauthenticated, "identity.link", "the link was used or is too old")
	}
	return s.session(ctx, t.user, func(tx *db.Tx) error {
		n, err := tx.Exec("DELETE FROM identity_token WHERE id = ?", t.ID)
		if err == nil && n == 0 {
			return errs.New(errs.Unauthenticated, "identity.link", "the link was used or is too old")
		}
		return err
	})
}

func (s *Service) session(ctx context.Context, userID string, also func(*db.Tx) error) (string, time.Time, error) {
	secret, now := clock.NewToken("sxs_"), s.clock.Now()
	t := token{ID: clock.NewID(s.clock), user: userID, Name: "session", Kind: kindSession, hash: digest(secret), Expires: now.Add(sessionFor), Created: now}
	err := s.db.Do(ctx, func(tx *db.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if err := insertToken(tx, t); err != nil {
			return err
		}
		return s.audit.Write(ctx, tx, audit.Record{Project: "default", Subject: userID, Verb: "identity.login", Object: "user/" + userID})
	})
	return secret, t.Expires, err
}

// Logout ends the session or token that a request carries.
func (s *Service) Logout(ctx context.Context, secret string) error {
	return s.db.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM identity_token WHERE hash = ?", digest(secret))
		return err
	})
}

// Authenticate finds the subject of a request by its bearer token or session
// cookie. Identity headers that come from outside mean nothing.
func (s *Service) Authenticate(r *http.Request) (context.Context, string, error) {
	secret := Secret(r)
	if secret == "" {
		return nil, "", errs.New(errs.Unauthenticated, "identity.unauthenticated", "log in first: send Authorization: Bearer <token>")
	}
	sub, err := s.Subject(r.Context(), secret)
	if err != nil {
		return nil, "", err
	}
	return With(r.Context(), sub), sub.ID, nil
}

// Secret is the token that a request carries.
func Secret(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	if c, err := r.Cookie(Cookie); err == nil {
		return c.Value
	}
	return ""
}

// Subject finds whom a token belongs to.
func (s *Service) Subject(ctx context.Context, secret string) (Subject, error) {
	t, err := s.tokenByHash(ctx, digest(secret))
	if err != nil {
		return Subject{}, err
	}
	if t == nil || t.Kind == kindLink || (!t.Expires.IsZero() && t.Expires.Before(s.clock.Now())) {
		return Subject{}, errs.New(errs.Unauthenticated, "identity.token", "the token is unknown or has expired: log in again")
	}
	if t.Kind == kindPlugin {
		return Subject{ID: "plugin/" + t.user, Name: t.user, Kind: Plugin, Grants: []Grant{{"job.report", "*"}, {"blob.read", "*"}}}, nil
	}
	u, err := s.userByID(ctx, t.user)
	if err != nil {
		return Subject{}, err
	}
	if u.Disabled {
		return Subject{}, errs.New(errs.Unauthenticated, "identity.disabled", "the user is disabled")
	}
	sub := Subject{ID: "user/" + u.ID, Name: u.Name, Kind: User, Scope: t.Scope}
	sub.Grants, err = s.grants(ctx, u.ID)
	return sub, err
}

// Authorize is the first check of every endpoint: may the subject do this on a
// project, or on any at all where it is empty.
func (s *Service) Authorize(ctx context.Context, permission, project string) error {
	return Require(ctx, permission, project)
}

// IssuePlugin gives a plugin a token of its own; earlier ones end.
func (s *Service) IssuePlugin(ctx context.Context, plugin string) (string, error) {
	secret, now := clock.NewToken("sxp_"), s.clock.Now()
	err := s.db.Do(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec("DELETE FROM identity_token WHERE user_id = ? AND kind = ?", plugin, kindPlugin); err != nil {
			return err
		}
		return insertToken(tx, token{ID: clock.NewID(s.clock), user: plugin, Name: plugin, Kind: kindPlugin, hash: digest(secret), Created: now})
	})
	return secret, err
}

// NewToken describes an API token to create.
type NewToken struct {
	Name  string        `json:"name" minLength:"1" maxLength:"64"`
	Scope []string      `json:"scope,omitempty" doc:"Permissions the token is narrowed to; empty for all of its user's"`
	For   time.Duration `json:"-"`
}

// CreateToken makes an API token for the subject of ctx; the secret is shown
// once.
func (s *Service) CreateToken(ctx context.Context, n NewToken) (token, string, error) {
	userID, ok := strings.CutPrefix(From(ctx).ID, "user/")
	if !ok {
		return token{}, "", errs.New(errs.Forbidden, "identity.forbidden", "only users have API tokens")
	}
	if From(ctx).Scope != nil {
		return token{}, "", errs.New(errs.Forbidden, "identity.narrow_token", "a narrowed token cannot create tokens")
	}
	for _, p := range n.Scope {
		if !permissionForm.MatchString(p) {
			return token{}, "", errs.New(errs.Invalid, "identity.scope", "%q is no permission: write domain.verb, domain.* or *", p).At(errs.Field{Path: "scope", Message: "want domain.verb, domain.* or *"})
		}
	}
	secret, now := clock.NewToken("sxt_"), s.clock.Now()
	t := token{ID: clock.NewID(s.clock), user: userID, Name: n.Name, Kind: kindAPI, hash: digest(secret), Scope: n.Scope, Expires: now.Add(n.For), Created: now}
	detail, err := json.Marshal(map[string]any{"name": n.Name, "scope": n.Scope, "expires": t.Expires})
	if err != nil {
		return token{}, "", err
	}
	err = s.db.Do(ctx, func(tx *db.Tx) error {
		if err := insertToken(tx, t); err != nil {
			return err
		}
		return s.audit.Write(ctx, tx, audit.Record{Project: "default", Subject: From(ctx).ID, Verb: "token.create", Object: "token/" + t.ID, Detail: detail})
	})
	return t, secret, err
}

// Tokens lists the API tokens of the subject of ctx.
func (s *Service) Tokens(ctx context.Context, p api.Paging) (api.Page[token], error) {
	all, err := s.tokensOf(ctx, strings.TrimPrefix(From(ctx).ID, "user/"), p)
	if err != nil {
		return api.Page[token]{}, err
	}
	return api.PageOf(all, p.Limit, func(t token) string { return t.ID }), nil
}

// RevokeToken ends an API token of the subject of ctx.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	return s.db.Do(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec("DELETE FROM identity_token WHERE id = ? AND user_id = ?", id, strings.TrimPrefix(From(ctx).ID, "user/"))
		if err != nil {
			return err
		}
		if n == 0 {
			return errs.New(errs.NotFound, "token.not_found", "there is no token %q of yours", id)
		}
		return s.audit.Write(ctx, tx, audit.Record{Project: "default", Subject: From(ctx).ID, Verb: "token.delete", Object: "token/" + id})
	})
}

// NewUser describes a user to create.
type NewUser struct {
	Name     string  `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9][a-z0-9._@-]*$"`
	Password string  `json:"password"`
	Grants   []Grant `json:"grants"`
}

// CreateUser makes a user.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (user, error) {
	if err := checkPassword(n.Password); err != nil {
		return user{}, err
	}
	for _, g := range n.Grants {
		if !permissionForm.MatchString(g.Permission) || strings.TrimSpace(g.Project) == "" {
			return user{}, errs.New(errs.Invalid, "identity.grant_form", "%q on project %q is no grant: write domain.verb, domain.* or *, and a project or *", g.Permission, g.Project).At(errs.Field{Path: "grants", Message: "not a grant"})
		}
		if !From(ctx).Can(g.Permission, g.Project) {
			return user{}, errs.New(errs.Forbidden, "identity.grant", "you cannot grant %s on %s, which you do not have", g.Permission, g.Project)
		}
	}
	u := user{ID: clock.NewID(s.clock), Name: n.Name, password: s.hasher.hash(n.Password), Created: s.clock.Now(), Grants: n.Grants}
	err := s.db.Do(ctx, func(tx *db.Tx) error {
		if err := insertUser(tx, u, n.Grants); err != nil {
			return err
		}
		return s.audit.Write(ctx, tx, audit.Record{Project: "default", Subject: From(ctx).ID, Verb: "user.create", Object: "user/" + u.ID})
	})
	if errs.Is(err, errs.Conflict) {
		err = errs.New(errs.Conflict, "user.exists", "there is a user %q already", n.Name).At(errs.Field{Path: "name", Message: "taken"})
	}
	return u, err
}
