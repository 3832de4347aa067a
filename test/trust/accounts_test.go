package trust_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/server"
)

func session(name string, password any) request {
	return request{method: "POST", path: "/api/v1/session", body: map[string]any{"name": name, "password": password}}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.person(t, "team", "admin", "shop")
	proves(t, "A-01 no account has a password that others know", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		log := &lines{}
		open := func() *server.Server {
			l, err := config.Load("", map[string]any{"data": dir, "listen": "127.0.0.1:0", "admin.listen": ""})
			if err != nil {
				t.Fatal(err)
			}
			s,
				err := server.Open(t.Context(),
				server.Options{Config: l.Config, Version: "test", Clock: clock.Real{}, Log: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		first := *s.First
		fresh := &house{url: s.URL(), data: dir}
		for _, guess := range []string{"", "admin", "password", "sextant", "changeme", "admin123456"} {
			fresh.wants(t, session("admin", guess), 401, "identity.wrong_password")
		}
		if len(first.Password) < 20 || strings.Contains(log.String(), first.Password) || strings.Contains(log.String(), first.Link) {
			t.Errorf("the password has %d characters, or the log tells it", len(first.Password))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := open()
		if again.First != nil {
			t.Error("a later start makes an administrator again")
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	})
	proves(t, "A-04 a passphrase of 128 characters with spaces and emoji holds exactly", func(t *testing.T) {
		phrase := strings.Repeat("🚀 correct", 14) + "🐎🔋" // 14 times 9 characters, and two
		h.must(t, request{method: "POST", path: "/api/v1/users", token: h.admin, body: map[string]any{"name": "long", "password": phrase}},
			nil)
		h.login(t, "long", phrase)
		for _, other := range []string{strings.TrimSuffix(phrase, "🔋"), phrase + " ", phrase + "🔋", strings.ToUpper(phrase), phrase[:72]} {
			h.wants(t, session("long", other), 401, "identity.wrong_password")
		}
	})
	proves(t, "A-05 a password of 1 MB is refused before hashing", func(t *testing.T) {
		h.unchanged(t, func() {
			h.wants(t, session("admin", strings.Repeat("x", 1<<20)), 413, "request.too_large")
			h.wants(t, session("admin", strings.Repeat("x", 257)), 422, "request.invalid")
		})
	})
	proves(t, "A-08 an unknown name and a wrong password get the same answer", func(t *testing.T) {
		known, unknown := h.ask(t, session("admin", "wrong password")), h.ask(t, session("nobody", "wrong password"))
		if known.status != 401 || known.code != "identity.wrong_password" || unknown.status != known.status || unknown.code != known.code {
			t.Errorf("%d %s and %d %s", known.status, known.code, unknown.status, unknown.code)
		}
		without := func(a answer) string {
			return strings.ReplaceAll(a.body, a.header.Get("X-Request-Id"), "")
		}
		if without(known) != without(unknown) || known.header.Get("Set-Cookie") != "" {
			t.Errorf("%s is not %s", known.body, unknown.body)
		}
	})
	proves(t, "N-00 a refused log-in is on record, without its password", func(t *testing.T) {
		for _, name := range []string{"admin", "nobody-there"} {
			h.wants(t, session(name, "wrong "+canary), 401, "identity.wrong_password")
			a := h.must(t, request{method: "GET", path: "/api/v1/audit?object=login/" + name, token: h.admin}, nil)
			for _, want := range []string{`"outcome":"refused"`, `"verb":"identity.login"`, `"from":"127.0.0.1"`} {
				if !strings.Contains(a.body, want) {
					t.Errorf("%s: no %s in %s", name, want, a.body)
				}
			}
		}
	})
	proves(t, "A-12 what a client says of its own checks is refused", func(t *testing.T) {
		for _, claim := range []string{`"captcha":false`, `"mfa":"done"`, `"step":2`, `"admin":true`} {
			a := h.wants(t,
				request{method: "POST", path: "/api/v1/session", body: `{"name":"admin","password":"` + adminPass + `",` + claim + `}`},
				422, "request.invalid")
			if a.header.Get("Set-Cookie") != "" || strings.Contains(a.body, "sxs_") {
				t.Errorf("%s: a session was given", claim)
			}
		}
	})
	proves(t, "A-13 secrets that are handed out do not repeat and cannot be guessed", func(t *testing.T) {
		seen := map[string]bool{}
		for range 10_000 {
			secret := strings.TrimPrefix(clock.NewToken("sxl_"), "sxl_")
			if seen[secret] || len(secret) < 26 { // 26 characters of 5 bits are 130 bits
				t.Fatalf("%q repeats or is short", secret)
			}
			seen[secret] = true
		}
		h.wants(t, request{method: "POST", path: "/api/v1/session/link", body: map[string]string{"link": "sxl_guess"}}, 401,
			"identity.link")
	})
	proves(t, "A-14 an administrator of one project cannot take over the platform's", func(t *testing.T) {
		var me struct{ ID string }
		h.must(t, request{method: "GET", path: "/api/v1/me", token: h.admin}, &me)
		id := strings.TrimPrefix(me.ID, "user/")
		h.unchanged(t, func() {
			h.wants(t,
				request{method: "PUT", path: "/api/v1/users/" + id + "/password", token: h.tokens["team"],
					body: map[string]string{"password": "another long one"}}, 404, "user.not_found")
			h.wants(t, request{method: "DELETE", path: "/api/v1/users/" + id + "/sessions", token: h.tokens["team"]}, 404, "user.not_found")
			h.wants(t,
				request{method: "PATCH", path: "/api/v1/users/" + id, token: h.tokens["team"], body: map[string]any{"disabled": true},
					header: []string{"If-Match", `"1"`}}, 404, "user.not_found")
		})
		h.login(t, "admin", adminPass)
	})
}
