package trust_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func me(token string) request { return request{method: "GET", path: "/api/v1/me", token: token} }

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forged is a token in the form of a JWT, signed with a key.
func forged(head, claims, key string) string {
	text := part(head) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestSessions(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.person(t, "ann", "operator", "default")
	h.person(t, "bob", "operator", "default")
	proves(t, "B-01 a session that was set before the log-in stays dead", func(t *testing.T) {
		const fixed = "sextant_session=sxs_fixed-before-the-log-in"
		a := h.must(t,
			request{method: "POST", path: "/api/v1/session", body: map[string]string{"name": "ann", "password": adminPass},
				header: []string{"Cookie", fixed}}, nil)
		if got := a.header.Get("Set-Cookie"); !strings.HasPrefix(got, "sextant_session=sxs_") || strings.HasPrefix(got, fixed) {
			t.Errorf("the cookie is %q", got)
		}
		h.wants(t, request{method: "GET", path: "/api/v1/me", header: []string{"Cookie", fixed}}, 401, "identity.token")
	})
	proves(t, "B-02 the cookie is out of reach of scripts and other sites", func(t *testing.T) {
		cert, key := certificate(t)
		safe := start(t, map[string]any{"tls.cert": cert, "tls.key": key})
		for _, c := range []struct {
			h    *house
			want []string
		}{{h, []string{"sextant_session=", "; Path=/", "; HttpOnly", "; SameSite=Strict"}},
			{safe, []string{"__Host-sextant=", "; Path=/", "; HttpOnly", "; SameSite=Strict", "; Secure"}}} {
			got := c.h.must(t, session("admin", adminPass), nil).header.Get("Set-Cookie")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in %q", want, got)
				}
			}
			if strings.Contains(got, "Domain") {
				t.Errorf("the cookie goes to other hosts: %q", got)
			}
		}
	})
	claims := `{"sub":"admin","iss":"sextant","exp":4102444800,"roles":["admin"]}`
	proves(t, "B-04 tokens that bring their own proof open nothing", func(t *testing.T) {
		for _, token := range []string{
			part(`{"alg":"none"}`) + "." + part(claims) + ".", forged(`{"alg":"HS256","typ":"JWT"}`, claims, ""),
			forged(`{"alg":"HS256"}`, claims, "secret"),
			forged(`{"alg":"HS256"}`, claims, "-----BEGIN PUBLIC KEY-----"), forged(`{"alg":"HS512"}`, claims, "Umbrella"),
		} {
			h.wants(t, me(token), 401, "identity.token")
		}
	})
	proves(t, "B-05 a token that names its key has nothing fetched", func(t *testing.T) {
		var asked atomic.Int32
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) })}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Close() })
		url := "http://" + l.Addr().String() + "/keys"
		for _, head := range []string{`"kid":"../../dev/null"`, `"kid":"x' OR '1'='1"`, `"kid":"` + url + `"`, `"jku":"` + url + `"`,
			`"x5u":"` + url + `"`, `"jwk":{"kty":"oct","k":"AA"}`} {
			h.wants(t, me(forged(`{"alg":"HS256",`+head+`}`, claims, "")), 401, "identity.token")
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("%d requests were sent to the address in a token", n)
		}
	})
	proves(t, "B-08 a plugin's token opens no door but its own", func(t *testing.T) {
		var out struct{ Token string }
		h.must(t, request{method: "POST", path: "/api/v1/plugins/outside/token", token: h.admin}, &out)
		h.unchanged(t, func() {
			for _, q := range []request{
				{method: "GET", path: "/api/v1/users"}, {method: "GET", path: "/api/v1/connections"},
				{method: "GET", path: "/api/v1/runs"}, {method: "GET", path: "/api/v1/audit"},
				{method: "POST", path: "/api/v1/runs", body: map[string]any{"process": "p"}},
				{method: "POST", path: "/api/v1/plugins/cmdb/token"},
				{method: "PUT", path: "/api/v1/stop", body: map[string]any{"active": true, "reason": "x"}},
				{method: "POST", path: "/api/v1/tokens", body: map[string]any{"name": "x"}},
			} {
				q.token = out.Token
				h.wants(t, q, 403, "identity.forbidden")
			}
		})
	})
	proves(t, "B-10 two tokens in one request are refused", func(t *testing.T) {
		ann := h.tokens["ann"]
		for _, header := range [][]string{{"Cookie", "sextant_session=" + ann}, {"Authorization", "Bearer " + h.admin},
			{"Cookie", "__Host-sextant=" + h.admin}} {
			h.wants(t, request{method: "GET", path: "/api/v1/me", token: ann, header: header}, 400, "identity.two_tokens")
		}
	})
	proves(t, "B-12 monstrous tokens are refused at little cost", func(t *testing.T) {
		for _, token := range []string{strings.Repeat("x", 1<<20), strings.Repeat(".", 100_000)} {
			if a, _ := h.raw(t, "GET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "+token+"\r\n\r\n"); a.status != 431 {
				t.Errorf("%d bytes: %d", len(token), a.status)
			}
		}
		for _, token := range []string{strings.Repeat(".", 20_000),
			forged(`{"alg":"HS256"}`, strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000), "")} {
			h.wants(t, me(token), 401, "identity.token")
		}
	})
	proves(t, "B-14 a disabled user is out at once, open views included", func(t *testing.T) {
		token := h.tokens["bob"]
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.url+"/api/v1/news", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		view := bufio.NewReader(resp.Body)
		if _, err := view.ReadString('\n'); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%d %v", resp.StatusCode, err)
		}
		h.must(t,
			request{method: "PATCH", path: "/api/v1/users/" + h.ids["bob"], token: h.admin, body: map[string]any{"disabled": true},
				header: []string{"If-Match", `"1"`}}, nil)
		h.wants(t, me(token), 401, "identity.token")
		h.wants(t, session("bob", adminPass), 401, "identity.wrong_password")
		if _, err := io.Copy(io.Discard, view); err != nil { // returns when the server ends the view
			t.Error(err)
		}
	})
	proves(t, "B-18 ending all sessions of a user ends all of them, on record", func(t *testing.T) {
		second := h.login(t, "ann", adminPass)
		h.must(t, request{method: "DELETE", path: "/api/v1/users/" + h.ids["ann"] + "/sessions", token: h.admin}, nil)
		for _, token := range []string{h.tokens["ann"], second} {
			h.wants(t, me(token), 401, "identity.token")
		}
		if a := h.must(t, request{method: "GET", path: "/api/v1/audit?object=user/" + h.ids["ann"], token: h.admin},
			nil); !strings.Contains(a.body, "user.sessions_end") {
			t.Errorf("not on record: %s", a.body)
		}
	})
}

// Time passes here, so that these have a house of their own.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	proves(t, "B-13 a session ends by log-out, rest and age", func(t *testing.T) {
		out := h.login(t, "admin", adminPass)
		h.must(t, request{method: "DELETE", path: "/api/v1/session", token: out}, nil)
		h.wants(t, me(out), 401, "identity.token")
		used, rests := h.login(t, "admin", adminPass), h.login(t, "admin", adminPass)
		h.clock.advance(31 * time.Minute)
		h.wants(t, me(rests), 401, "identity.token")
		h.wants(t, me(used), 401, "identity.token")
		used = h.login(t, "admin", adminPass)
		for range 24 { // awake, for 12 hours
			h.wants(t, me(used), 200, "")
			h.clock.advance(29 * time.Minute)
		}
		h.clock.advance(25 * time.Minute)
		h.wants(t, me(used), 401, "identity.token")
	})
	proves(t, "B-17 what is dangerous asks for the password again", func(t *testing.T) {
		token := h.login(t, "admin", adminPass)
		create := request{method: "POST", path: "/api/v1/users", token: token, body: map[string]any{"name": "later", "password": adminPass}}
		h.clock.advance(11 * time.Minute)
		h.unchanged(t, func() { h.wants(t, create, 401, "identity.reauth") })
		h.wants(t, request{method: "POST", path: "/api/v1/session/proof", token: token, body: map[string]string{"password": "wrong"}}, 401,
			"identity.wrong_password")
		h.unchanged(t, func() { h.wants(t, create, 401, "identity.reauth") })
		h.must(t, request{method: "POST", path: "/api/v1/session/proof", token: token, body: map[string]string{"password": adminPass}}, nil)
		h.wants(t, create, 201, "")
	})
}
