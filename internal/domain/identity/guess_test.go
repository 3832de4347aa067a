package identity_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// fails counts the tries of a name that were checked and found wrong.
func (r *rig) fails(name, origin string, tries int) (wrong, later int) {
	for range tries {
		_, _, err := r.Login(r.t.Context(), name, "wrong", origin)
		switch errs.As(err).Code {
		case "identity.wrong_password":
			wrong++
		case "identity.too_many_tries":
			later++
		}
	}
	return wrong, later
}

// Tries that come together are no more than tries that come one by one.
func TestParallelTriesDoNotOvershoot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	wrong := 0
	for range 60 {
		wg.Go(func() {
			for {
				_, _, err := r.Login(t.Context(), "admin", "wrong", "192.0.2.1")
				code := errs.As(err).Code
				if code == "identity.busy" {
					continue // it was not looked at
				}
				mu.Lock()
				defer mu.Unlock()
				if code == "identity.wrong_password" {
					wrong++
				}
				return
			}
		})
	}
	wg.Wait()
	if wrong != 20 {
		t.Errorf("%d passwords were looked at, want 20", wrong)
	}
}

// A restart forgets no failure, and nobody else's log-in is touched by them.
func TestARestartForgetsNoFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if wrong, later := r.fails("admin", "2001:db8::1", 21); wrong != 20 || later != 1 {
		t.Fatalf("%d wrong, %d later", wrong, later)
	}
	r.must(r.db.Do(t.Context(), func(*db.Tx) error { return nil })) // what was queued before is stored
	r.Service = identity.New(r.db, r.clock, audit.New(r.db, r.clock))
	if wrong, later := r.fails("admin", "2001:db8::2", 1); wrong != 0 || later != 1 { // the same subscriber
		t.Errorf("after a restart: %d wrong, %d later", wrong, later)
	}
	if _, _, err := r.Login(t.Context(), "admin", password, "2001:db8:0:1::1"); err != nil {
		t.Errorf("another subscriber: %v", err)
	}
}

// A session that is open proves itself whatever strangers try in its owner's
// name, and who has logged in from an address is not held up by others there.
func TestStrangersHoldNobodyUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, _, err := r.Login(t.Context(), "admin", password, "192.0.2.1")
	r.must(err)
	for i := range 5 {
		r.fails("guess"+string(rune('a'+i)), "192.0.2.1", 20)
	}
	if _, later := r.fails("somebody", "192.0.2.1", 1); later != 1 {
		t.Error("a hundred tries from one address do not hold it up")
	}
	if _, _, err := r.Login(t.Context(), "admin", password, "192.0.2.1"); err != nil {
		t.Errorf("who has logged in from there before: %v", err)
	}
	r.fails("admin", "192.0.2.1", 20)
	if _, later := r.fails("admin", "192.0.2.1", 1); later != 1 {
		t.Error("the pair is not held up")
	}
	r.clock.Advance(11 * time.Minute)
	if got := r.ask(token, "POST", "/api/v1/session/proof", map[string]string{"password": password}, nil); got != 204 {
		t.Errorf("the proof of an open session answers %d", got)
	}
	for range 20 {
		if got := r.ask(token, "POST", "/api/v1/session/proof", map[string]string{"password": "wrong"}, nil); got != 401 {
			t.Fatalf("a wrong proof answers %d", got)
		}
	}
	if got := r.ask(token, "POST", "/api/v1/session/proof", map[string]string{"password": password}, nil); got != 429 {
		t.Errorf("the proof after twenty wrong ones answers %d", got)
	}
}

func TestPasswordsThatAreGuessedAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	system := identity.AsSystem(t.Context(), "test")
	for _, weak := range []string{"1234567890", "0987654321", "aaaaaaaaaaaa", "abababababab",
		"abcdefghij", "qwertyuiop", "password123", "Password2026!", "P@ssw0rd123!", "passwordpassword", "adminadmin1", "welcome2026",
		"letmein!!!!!", "31415926535", "hildegard1", "Hildegard!2026", "1qaz2wsx3edc", "!!!!!!!!!!", "sextant-2026", strings.Repeat("ab", 40)} {
		_, err := r.CreateUser(system, identity.NewUser{Name: "hildegard", Password: weak})
		refused(t, err, errs.Invalid, "identity.password_weak")
	}
	for i, fair := range []string{"correct horse", "gr8-Tulpe.mond", "a password for tests",
		"kiwi sofa lamp", "xK7#pQ9!mZ2w", "马蹄莲在桌子上跳舞了吗", "another long one", "wrong canary bird", strings.Repeat("🚀 correct", 14)} {
		if _, err := r.CreateUser(system, identity.NewUser{Name: "u" + string(rune('a'+i)), Password: fair}); err != nil {
			t.Errorf("%q: %v", fair, err)
		}
	}
}

// A place or a scope that is blank in the database is none, and not every one.
func TestBlankFieldsWidenNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.user("ann", identity.Grant{Permission: "run.start", Project: "p", Environment: "dev"},
		identity.Grant{Permission: "host.see", Project: "p"})
	token := r.login("ann", password)
	var made struct{ ID, Token string }
	if got := r.ask(token, "POST", "/api/v1/tokens", map[string]any{"name": "narrow", "scope": []string{"host.see"}, "days": 2},
		&made); got != 201 {
		t.Fatalf("%d", got)
	}
	var wide struct{ ID, Token string }
	if got := r.ask(token, "POST", "/api/v1/tokens", map[string]any{"name": "wide", "days": 2}, &wide); got != 201 {
		t.Fatalf("%d", got)
	}
	can := func(secret, permission, environment string) bool {
		t.Helper()
		sub, err := r.Subject(t.Context(), secret)
		r.must(err)
		return sub.CanIn(permission, "p", environment)
	}
	if !can(token, "run.start", "dev") || can(token, "run.start", "prod") ||
		!can(made.Token, "host.see", "") || can(made.Token, "run.start", "dev") || !can(wide.Token, "run.start", "dev") {
		t.Fatal("the rights are not those that were given")
	}
	r.must(r.db.Do(t.Context(), func(tx *db.Tx) error {
		for _, statement := range []string{"UPDATE identity_right SET environment = '' WHERE permission = 'run.start'",
			"UPDATE identity_right SET project = '' WHERE permission = 'host.see'", "UPDATE identity_token SET scope = '' WHERE kind = 'api'",
			"INSERT INTO identity_member (user_id, role, project, environment) SELECT id, 'admin', 'p', '' FROM identity_user WHERE name = 'ann'"} {
			if _, err := tx.Exec(statement); err != nil {
				return err
			}
		}
		return nil
	}))
	r.clock.Advance(time.Second) // what others write to the database is seen then
	for _, permission := range []string{"run.start", "host.see", "object.read", "user.write"} {
		for _, environment := range []string{"", "dev", "prod"} {
			if can(token, permission, environment) || can(made.Token, permission, environment) || can(wide.Token, permission, environment) {
				t.Errorf("%s in %q is possible through a blank field", permission, environment)
			}
		}
	}
	_ = ann
}

// Who holds a narrowed token has no hand on its user's sessions and tokens.
func TestANarrowedTokenEndsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	var narrow, other struct{ ID, Token string }
	for name, into := range map[string]any{"narrow": &narrow, "other": &other} {
		body := map[string]any{"name": name, "days": 2}
		if name == "narrow" {
			body["scope"] = []string{"user.*", "run.read"}
		}
		if got := r.ask(admin, "POST", "/api/v1/tokens", body, into); got != 201 {
			t.Fatal(got)
		}
	}
	var sessions struct{ Items []struct{ ID string } }
	if got := r.ask(admin, "GET", "/api/v1/me/sessions", nil, &sessions); got != 200 || len(sessions.Items) == 0 {
		t.Fatalf("%d %+v", got, sessions)
	}
	for _, path := range []string{"/api/v1/me/sessions/" + sessions.Items[0].ID, "/api/v1/tokens/" + other.ID, "/api/v1/tokens/" + narrow.ID} {
		if got := r.ask(narrow.Token, "DELETE", path, nil, nil); got != 403 {
			t.Errorf("DELETE %s with a narrowed token: %d", path, got)
		}
	}
	for _, secret := range []string{admin, other.Token} {
		if got := r.ask(secret, "GET", "/api/v1/me", nil, nil); got != 200 {
			t.Errorf("afterwards %d", got)
		}
	}
	if got := r.ask(other.Token, "DELETE", "/api/v1/tokens/"+narrow.ID, nil, nil); got != 204 {
		t.Errorf("a whole token: %d", got)
	}
}

// A session ends itself; a token does not, be it narrowed, whole or a plugin's: who gave
// it ends it.
func TestATokenIsNoSessionToEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	tokens := map[string]string{}
	for name, scope := range map[string][]string{"narrow": {"run.read"}, "whole": nil} {
		var made struct{ Token string }
		if got := r.ask(admin, "POST", "/api/v1/tokens", map[string]any{"name": name, "days": 2, "scope": scope}, &made); got != 201 {
			t.Fatal(got)
		}
		tokens[name] = made.Token
	}
	var err error
	tokens["plugin"], err = r.IssuePlugin(t.Context(), "cmdb")
	r.must(err)
	for name, secret := range tokens {
		if got := r.ask(secret, "DELETE", "/api/v1/session", nil, nil); got != 422 {
			t.Errorf("a %s token ends itself: %d", name, got)
		}
		if got := r.ask(secret, "GET", "/api/v1/me", nil, nil); got != 200 {
			t.Errorf("afterwards the %s token gets %d", name, got)
		}
	}
	other := r.login("admin", password)
	if got := r.ask(other, "DELETE", "/api/v1/session", nil, nil); got != 204 {
		t.Errorf("a session: %d", got)
	}
	if got := r.ask(admin, "GET", "/api/v1/me", nil, nil); got != 200 {
		t.Errorf("another session of the user: %d", got)
	}
}
