package identity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

const password = "a very long password"

// rig is the service behind its real API.
type rig struct {
	*identity.Service
	t     *testing.T
	db    *db.DB
	clock *clock.Fake
	log   *strings.Builder
	mu    sync.Mutex
	url   string
	first *identity.First
	said  strings.Builder // every answer that the API gave
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), log: &strings.Builder{}}
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r.db = d
	r.must(d.Migrate(t.Context(), api.Domain, api.Migrations))
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), identity.Domain, identity.Migrations))
	trail := audit.New(d, r.clock)
	r.Service = identity.New(d, r.clock, trail)
	r.first, err = r.Bootstrap(t.Context(), password)
	r.must(err)
	a := api.New(api.Deps{Version: "test", DB: d, Clock: r.clock, Log: slog.New(slog.NewTextHandler(r, nil)),
		Authenticate: r.Authenticate, Authorize: r.Authorize, Fresh: r.Fresh})
	r.Routes(a)
	trail.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// ask makes a request with a token and reads the answer.
func (r *rig) ask(token, method, path string, in, out any, header ...string) int {
	r.t.Helper()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		r.must(err)
		body = strings.NewReader(string(data))
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	r.must(err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	r.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	r.must(err)
	r.said.Write(data)
	if out != nil && resp.StatusCode < 300 {
		r.must(json.Unmarshal(data, out))
	}
	return resp.StatusCode
}

func (r *rig) login(name, pass string) string {
	r.t.Helper()
	token, _, err := r.Login(r.t.Context(), name, pass, "192.0.2.1")
	r.must(err)
	return token
}

// user makes a user with grants and logs in.
func (r *rig) user(name string, grants ...identity.Grant) string {
	r.t.Helper()
	_, err := r.CreateUser(identity.AsSystem(r.t.Context(), "test"),
		identity.NewUser{Name: name, Password: password, Grants: append([]identity.Grant{}, grants...)})
	r.must(err)
	return r.login(name, password)
}

func refused(t *testing.T, err error, kind errs.Kind, code string) {
	t.Helper()
	if !errs.Is(err, kind) || !errs.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestTheFirstStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if r.first.Name != "admin" || r.first.Password != password || !strings.HasPrefix(r.first.Link, "sxl_") {
		t.Errorf("%+v", r.first)
	}
	if again, err := r.Bootstrap(t.Context(), ""); err != nil || again != nil {
		t.Errorf("the second start: %+v, %v", again, err)
	}
	sub, err := r.Subject(t.Context(), r.login("admin", password))
	if err != nil || !sub.Can("any.thing", "any") || sub.Kind != identity.User {
		t.Errorf("%+v, %v", sub, err)
	}
}

func TestLogIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var session struct {
		Token   string
		Expires time.Time
	}
	if got := r.ask("", "POST", "/api/v1/session", map[string]string{"name": "admin", "password": password}, &session); got != 200 {
		t.Fatalf("%d", got)
	}
	var me struct{ Name string }
	if got := r.ask(session.Token, "GET", "/api/v1/me", nil, &me); got != 200 || me.Name != "admin" {
		t.Errorf("%d %+v", got, me)
	}
	if got := r.ask("", "GET", "/api/v1/me", nil, &me, "Cookie", identity.Cookie+"="+session.Token); got != 200 {
		t.Errorf("by cookie %d", got)
	}
	for _, c := range []struct{ name, pass string }{
		{"admin", "wrong password"}, {"nobody", password}, {"admin", ""}, {"", ""}, {"ADMIN", password}} {
		if got := r.ask("", "POST", "/api/v1/session", map[string]string{"name": c.name, "password": c.pass}, nil); got != 401 {
			t.Errorf("%q: %d", c.name, got)
		}
	}
	// Whatever a client says about itself in other headers means nothing.
	if got := r.ask("", "GET", "/api/v1/me", nil, nil, "X-Sextant-Operator", "admin", "X-Forwarded-User", "admin"); got != 401 {
		t.Errorf("by headers %d", got)
	}
	r.clock.Advance(12*time.Hour + time.Second)
	if got := r.ask(session.Token, "GET", "/api/v1/me", nil, nil); got != 401 {
		t.Errorf("after its time %d", got)
	}
	token := r.login("admin", password)
	if got := r.ask(token, "DELETE", "/api/v1/session", nil, nil); got != 204 {
		t.Errorf("log out %d", got)
	}
	if got := r.ask(token, "GET", "/api/v1/me", nil, nil); got != 401 {
		t.Errorf("after the log out %d", got)
	}
}

func TestGuessingIsSlow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.user("ann")
	for range 20 {
		_, _, err := r.Login(t.Context(), "ann", "wrong", "192.0.2.1")
		refused(t, err, errs.Unauthenticated, "identity.wrong_password")
	}
	blocked := func() {
		t.Helper()
		_, _, err := r.Login(t.Context(), "ann", password, "192.0.2.1")
		refused(t, err, errs.Exhausted, "identity.too_many_tries")
	}
	blocked()
	if _, _, err := r.Login(t.Context(), "ann", password, "192.0.2.9"); err != nil {
		t.Errorf("strangers lock ann out: %v", err)
	}
	r.login("admin", password) // others are not held up
	// Each further failure doubles the rest.
	r.clock.Advance(time.Hour + time.Second)
	_, _, err := r.Login(t.Context(), "ann", "wrong", "192.0.2.1")
	refused(t, err, errs.Unauthenticated, "identity.wrong_password")
	r.clock.Advance(time.Hour + time.Second)
	blocked()
	r.clock.Advance(time.Hour + time.Second)
	if _, _, err := r.Login(t.Context(), "ann", password, "192.0.2.1"); err != nil {
		t.Errorf("after the rest: %v", err)
	}
	_, _, err = r.Login(t.Context(), "ann", "wrong", "192.0.2.1") // who is right begins anew
	refused(t, err, errs.Unauthenticated, "identity.wrong_password")
}

func TestAOneTimeLink(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	// It is no token of its own.
	_, err := r.Subject(t.Context(), r.first.Link)
	refused(t, err, errs.Unauthenticated, "identity.token")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var tokens []string
	for range 8 {
		wg.Go(func() {
			if token, _, err := r.Redeem(t.Context(), r.first.Link, "192.0.2.1"); err == nil {
				mu.Lock()
				defer mu.Unlock()
				tokens = append(tokens, token)
			}
		})
	}
	wg.Wait()
	if len(tokens) != 1 {
		t.Fatalf("the link logged in %d times", len(tokens))
	}
	if sub, err := r.Subject(t.Context(), tokens[0]); err != nil || sub.Name != "admin" {
		t.Errorf("%+v, %v", sub, err)
	}
	_, _, err = r.Redeem(t.Context(), tokens[0], "192.0.2.1")
	refused(t, err, errs.Unauthenticated, "identity.link") // a session is no link
}

func TestALinkThatIsTooOld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.clock.Advance(time.Hour + time.Second)
	_, _, err := r.Redeem(t.Context(), r.first.Link, "192.0.2.1")
	refused(t, err, errs.Unauthenticated, "identity.link")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	var made struct{ ID, Token string }
	if got := r.ask(admin, "POST", "/api/v1/tokens", map[string]any{"name": "ci", "scope": []string{"run.*", "user.read"}, "days": 2},
		&made); got != 201 {
		t.Fatalf("%d", got)
	}
	sub, err := r.Subject(t.Context(), made.Token)
	r.must(err)
	for permission, want := range map[string]bool{
		"run.start": true, "run.read": true, "user.read": true, "user.create": false, "runs.read": false, "token.create": false} {
		if got := sub.Can(permission, "any"); got != want {
			t.Errorf("%s: %v", permission, got)
		}
	}
	if got := r.ask(made.Token, "GET", "/api/v1/users", nil, nil); got != 200 {
		t.Errorf("within its scope: %d", got)
	}
	if got := r.ask(made.Token, "POST", "/api/v1/users", map[string]any{"name": "x", "password": password, "grants": []any{}},
		nil); got != 403 {
		t.Errorf("outside its scope: %d", got)
	}
	if got := r.ask(made.Token, "POST", "/api/v1/tokens", map[string]any{"name": "more"}, nil); got != 403 {
		t.Errorf("a narrow token makes a wide one: %d", got)
	}
	// What is no permission would be read as no scope at all.
	for _, scope := range [][]string{{""}, {" "}, {"run.start user.create"}, {"run"}, {"*.*"}, {"run.start", ""}} {
		if got := r.ask(admin, "POST", "/api/v1/tokens", map[string]any{"name": "odd", "scope": scope}, nil); got != 422 {
			t.Errorf("scope %q: %d", scope, got)
		}
	}
	// Another's token is as if it were not there.
	ann := r.user("ann")
	if got := r.ask(ann, "DELETE", "/api/v1/tokens/"+made.ID, nil, nil); got != 404 {
		t.Errorf("another revokes it: %d", got)
	}
	var mine struct{ Items []struct{ ID string } }
	if r.ask(ann, "GET", "/api/v1/tokens", nil, &mine); len(mine.Items) != 0 {
		t.Errorf("another sees it: %v", mine)
	}
	if r.ask(admin, "GET", "/api/v1/tokens", nil, &mine); len(mine.Items) != 1 || mine.Items[0].ID != made.ID {
		t.Errorf("its owner sees %v", mine)
	}
	if got := r.ask(admin, "DELETE", "/api/v1/tokens/"+made.ID, nil, nil); got != 204 {
		t.Errorf("revoke: %d", got)
	}
	if got := r.ask(made.Token, "GET", "/api/v1/users", nil, nil); got != 401 {
		t.Errorf("after it was revoked: %d", got)
	}
	r.ask(admin, "POST", "/api/v1/tokens", map[string]any{"name": "short", "days": 1}, &made)
	r.clock.Advance(24*time.Hour + time.Second)
	_, err = r.Subject(t.Context(), made.Token)
	refused(t, err, errs.Unauthenticated, "identity.token")
}

// A repeated request must not find the secret in the memory of answers.
func TestTheSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	var made struct{ Token string }
	if got := r.ask(admin, "POST", "/api/v1/tokens", map[string]any{"name": "ci"}, &made, "Idempotency-Key", "k"); got != 201 ||
		made.Token == "" {
		t.Fatalf("%d", got)
	}
	if got := r.ask(admin, "POST", "/api/v1/tokens", map[string]any{"name": "ci"}, nil, "Idempotency-Key", "k"); got != 410 {
		t.Errorf("repeated: %d", got)
	}
	r.nothingHolds(made.Token, admin, password, r.first.Link)
}

// nothingHolds looks for secrets in every table and in the log.
func (r *rig) nothingHolds(secrets ...string) {
	r.t.Helper()
	var all strings.Builder
	all.WriteString(r.log.String())
	for _, table := range []string{"identity_user", "identity_token", "identity_right",
		"identity_member", "identity_role", "audit_record", "api_idempotency"} {
		rows, err := r.db.Query(r.t.Context(), "SELECT * FROM "+table)
		r.must(err)
		columns, err := rows.Columns()
		r.must(err)
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new([]byte)
			}
			r.must(rows.Scan(values...))
			for _, v := range values {
				all.Write(*v.(*[]byte))
				all.WriteString("\n")
			}
		}
		r.must(rows.Err())
		r.must(rows.Close())
	}
	if !strings.Contains(all.String(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		r.t.Error("no password hash with the parameters that are written down")
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(all.String(), s) {
			r.t.Errorf("the secret %.8s… is stored or logged", s)
		}
	}
}

func TestNoAnswerTellsAPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	if got := r.ask(admin, "POST", "/api/v1/users", map[string]any{"name": "ann", "password": password, "grants": []any{}}, nil); got != 201 {
		t.Fatalf("%d", got)
	}
	r.ask(admin, "POST", "/api/v1/users", map[string]any{"name": "bob", "password": "short", "grants": []any{}}, nil)
	r.ask(admin, "POST", "/api/v1/users", map[string]any{"name": "ann", "password": password + "2", "grants": []any{}}, nil)
	r.ask(admin, "GET", "/api/v1/users", nil, nil)
	r.ask(admin, "GET", "/api/v1/me", nil, nil)
	r.ask(admin, "GET", "/api/v1/audit", nil, nil)
	for _, secret := range []string{password, "argon2", admin} {
		if strings.Contains(r.said.String(), secret) {
			t.Errorf("an answer tells %.10s", secret)
		}
	}
	r.nothingHolds(password, admin)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	for name, want := range map[string]int{"ann": 201, "Ann": 422, "": 422, "a b": 422, "admin": 409, "-x": 422} {
		if got := r.ask(admin, "POST", "/api/v1/users", map[string]any{"name": name, "password": password, "grants": []any{}}, nil); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	for _, pass := range []string{"", "123456789", strings.Repeat("x", 257)} {
		if got := r.ask(admin, "POST", "/api/v1/users", map[string]any{"name": "bob", "password": pass, "grants": []any{}}, nil); got != 422 {
			t.Errorf("a password of %d: %d", len(pass), got)
		}
	}
	var page struct {
		Items []struct{ ID, Name string }
		Next  string
	}
	seen := map[string]bool{}
	for after := ""; ; after = page.Next {
		page.Next = ""
		if got := r.ask(admin, "GET", "/api/v1/users?limit=1&after="+after, nil, &page); got != 200 {
			t.Fatalf("%d", got)
		}
		for _, u := range page.Items {
			seen[u.Name] = true
		}
		if page.Next == "" {
			break
		}
	}
	if len(seen) != 2 {
		t.Errorf("%v", seen)
	}
}

func TestADisabledUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.user("ann", identity.Grant{Permission: "*", Project: "*"})
	r.must(r.db.Do(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE identity_user SET disabled = 1 WHERE name = 'ann'")
		return err
	}))
	_, err := r.Subject(t.Context(), ann)
	refused(t, err, errs.Unauthenticated, "identity.disabled")
	_, _, err = r.Login(t.Context(), "ann", password, "192.0.2.9")
	refused(t, err, errs.Unauthenticated, "identity.wrong_password")
}

func TestNobodyGrantsWhatOneDoesNotHave(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.user("ann", identity.Grant{Permission: "user.create", Project: "*"},
		identity.Grant{Permission: "run.*", Project: "a"}, identity.Grant{Permission: "object.read", Project: "*"})
	for i, c := range []struct {
		permission, project string
		want                int
	}{
		{"run.start", "a", 201}, {"run.*", "a", 201}, {"object.read", "b", 201}, {"object.read", "*", 201},
		{"run.start", "b", 403}, {"run.*", "*", 403}, {"*", "a", 403}, {"*", "*", 403}, {"object.*", "a", 403}, {"object.write", "a", 403},
		{"run.start", "", 422}, {"", "a", 422}, {"run", "a", 422}, {"run.start ", "a", 422},
	} {
		got := r.ask(ann, "POST", "/api/v1/users", map[string]any{
			"name": fmt.Sprint("u", i), "password": password, "grants": []identity.Grant{{Permission: c.permission, Project: c.project}}}, nil)
		if got != c.want {
			t.Errorf("%q on %q: %d, want %d", c.permission, c.project, got, c.want)
		}
	}
}

// The plugin's token opens what plugins need and nothing else; a new one ends
// the one before.
func TestPluginTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old, err := r.IssuePlugin(t.Context(), "host")
	r.must(err)
	other, err := r.IssuePlugin(t.Context(), "cmdb")
	r.must(err)
	sub, err := r.Subject(t.Context(), old)
	if err != nil || sub.ID != "plugin/host" || sub.Kind != identity.Plugin {
		t.Errorf("%+v, %v", sub, err)
	}
	for permission, want := range map[string]bool{
		"job.report": true, "blob.read": true, "run.start": false, "object.read": false, "user.create": false} {
		if sub.Can(permission, "a") != want {
			t.Errorf("%s: %v", permission, !want)
		}
	}
	if got := r.ask(old, "POST", "/api/v1/tokens", map[string]any{"name": "x"}, nil); got != 403 {
		t.Errorf("a plugin makes a token: %d", got)
	}
	if _, err := r.IssuePlugin(t.Context(), "host"); err != nil {
		t.Fatal(err)
	}
	_, err = r.Subject(t.Context(), old)
	refused(t, err, errs.Unauthenticated, "identity.token")
	if _, err := r.Subject(t.Context(), other); err != nil {
		t.Errorf("another plugin's: %v", err)
	}
}

// can is the meaning of grants, written down another way.
func can(s identity.Subject, domain, verb, project string) bool {
	hit := func(pattern string) bool {
		return pattern == "*" || pattern == domain+".*" || pattern == domain+"."+verb
	}
	scoped := s.Scope == nil
	for _, p := range s.Scope {
		scoped = scoped || hit(p)
	}
	for _, g := range s.Grants {
		if scoped && hit(g.Permission) && (g.Project == "*" || project == "" || g.Project == project) {
			return true
		}
	}
	return false
}

func TestGrantsMatch(t *testing.T) {
	t.Parallel()
	domains, verbs, projects := []string{"run", "runs", "ru", "object"}, []string{"read", "start", "s"}, []string{"a", "b", "ab"}
	permission := func(t *rapid.T) string {
		d, v := rapid.SampledFrom(domains).Draw(t, "domain"), rapid.SampledFrom(verbs).Draw(t, "verb")
		return rapid.SampledFrom([]string{"*", d + ".*", d + "." + v}).Draw(t, "pattern")
	}
	rapid.Check(t, func(t *rapid.T) {
		s := identity.Subject{ID: "user/x", Kind: identity.User}
		for range rapid.IntRange(0, 3).Draw(t, "grants") {
			s.Grants = append(s.Grants,
				identity.Grant{Permission: permission(t), Project: rapid.SampledFrom(append(projects, "*")).Draw(t, "project")})
		}
		if rapid.Bool().Draw(t, "narrow") {
			s.Scope = []string{permission(t)}
		}
		for _, d := range domains {
			for _, v := range verbs {
				list, all := s.Projects(d + "." + v)
				any := false
				for _, p := range projects {
					want := can(s, d, v, p)
					any = any || want
					if got := s.Can(d+"."+v, p); got != want {
						t.Fatalf("%+v: %s.%s on %s is %v", s, d, v, p, got)
					}
					if got := all || strings.Contains(" "+strings.Join(list, " ")+" ", " "+p+" "); got != want {
						t.Fatalf("%+v: the projects of %s.%s are %v, %v", s, d, v, list, all)
					}
				}
				if got := s.Can(d+"."+v, ""); got != any {
					t.Fatalf("%+v: %s.%s on any is %v", s, d, v, got)
				}
			}
		}
	})
}

func TestWhoAsks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	refused(t, identity.Require(ctx, "run.read", "a"), errs.Unauthenticated, "identity.unauthenticated")
	refused(t, identity.Require(identity.With(ctx, identity.Subject{ID: "user/x", Kind: identity.User}), "run.read", "a"),
		errs.Forbidden, "identity.forbidden")
	if err := identity.Require(identity.AsSystem(ctx, "engine"), "run.read", "a"); err != nil {
		t.Error(err)
	}
}

// The audit of a project is for those who may read it there.
func TestTheAuditIsScoped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.user("ann", identity.Grant{Permission: "audit.read", Project: "a"})
	if got := r.ask(ann, "GET", "/api/v1/audit?project=a", nil, nil); got != 200 {
		t.Errorf("her project: %d", got)
	}
	for _, project := range []string{"default", "b", ""} {
		if got := r.ask(ann, "GET", "/api/v1/audit?project="+project, nil, nil); got == 200 && project != "" {
			t.Errorf("project %q: %d", project, got)
		}
	}
	if got := r.ask(r.user("bob"), "GET", "/api/v1/audit?project=a", nil, nil); got != 403 {
		t.Errorf("without the permission: %d", got)
	}
}
