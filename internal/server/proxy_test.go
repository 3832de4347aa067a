package server_test

import (
	"bytes"
	"net/http"
	"testing"
)

// Behind a proxy that is trusted each person is known by an address of their own;
// nobody else says where a request comes from.
func TestWhereARequestComesFrom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proxies string
		shared  bool
	}{"trusted": {"127.0.0.0/8, 10.0.0.7", false}, "not_trusted": {"10.0.0.7", true}, "none": {"", true}} {
		g := newGate(t)
		g.stop()
		if err := g.reopen(map[string]any{"trusted_proxies": c.proxies}); err != nil {
			t.Fatal(err)
		}
		login := func(password, forwarded string) int {
			req, err := http.NewRequestWithContext(t.Context(), "POST", g.url+"/api/v1/session",
				bytes.NewReader([]byte(`{"name":"admin","password":"`+password+`"}`)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("X-Forwarded-For", forwarded)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		for range 20 {
			if got := login("wrong", "192.0.2.1, 198.51.100.2, 10.0.0.7"); got != 401 {
				t.Fatalf("%s: a wrong password answers %d", name, got)
			}
		}
		want := 200
		if c.shared {
			want = 429
		}
		if got := login(adminPass, "198.51.100.3"); got/100 != want/100 {
			t.Errorf("%s: from another address: %d, want %d", name, got, want)
		}
		if got := login(adminPass, "203.0.113.9, 198.51.100.2"); got != 429 { // what the client itself wrote is not read
			t.Errorf("%s: from the address that failed: %d", name, got)
		}
	}
}
