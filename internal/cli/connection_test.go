package cli_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// connectionRig is a platform behind a proxy that may meddle with requests.
type connectionRig struct {
	*platform.Platform
	t      *testing.T
	meddle func(*http.Request)
	base   []string
}

func newConnectionRig(t *testing.T) *connectionRig {
	t.Helper()
	r := &connectionRig{Platform: platform.Start(t, nil), t: t}
	to, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.meddle != nil {
			r.meddle(q)
		}
		proxy.ServeHTTP(w, q)
	}))
	t.Cleanup(s.Close)
	r.base = []string{"--url", s.URL, "--token", r.Token}
	return r
}

func (r *connectionRig) do(args ...string) said {
	r.t.Helper()
	return sextant(r.t, "", slices.Concat(r.base, []string{"connection"}, args)...)
}

func (r *connectionRig) set(args ...string) {
	r.t.Helper()
	if got := r.do(append([]string{"set"}, args...)...); got.code != 0 {
		r.t.Fatalf("%q: %+v", args, got)
	}
}

func (r *connectionRig) named(name string) client.SettingConnection {
	r.t.Helper()
	var page client.PageOfSettingConnection
	r.Must("GET", "/api/v1/connections?limit=500", nil, &page)
	i := slices.IndexFunc(page.Items, func(c client.SettingConnection) bool { return c.Name == name })
	if i < 0 {
		r.t.Fatalf("there is no connection %s", name)
	}
	return page.Items[i]
}

// has fails unless a connection is so; fields are the names of all of them.
func (r *connectionRig) has(name, typ, environment string, targets []string, fields ...string) {
	r.t.Helper()
	c := r.named(name)
	if got := slices.Sorted(maps.Keys(c.Fields)); c.Type != typ || c.Environment != environment ||
		!slices.Equal(c.Targets, targets) || !slices.Equal(got, fields) {
		r.t.Errorf("connection/%s is %+v, want type %s, environment %q, targets %q, fields %q", name, c, typ, environment, targets, fields)
	}
}

// What a command does not name stays: a rotated secret opens a connection to
// nothing new.
func TestAConnectionKeepsWhatIsNotNamed(t *testing.T) {
	t.Parallel()
	r := newConnectionRig(t)
	targets := []string{"host:host{environment eq 'prod'}", "10.1.*"}
	r.set("prod-pw", "--type", "http", "--environment", "prod", "--target", targets[0], "--target", targets[1],
		"--field", "user=deploy", "--field", "port=8443", "--secret", "password=old", "--secret", "token=kept")
	r.has("prod-pw", "http", "prod", targets, "password", "port", "token", "user")

	r.set("prod-pw", "--secret", "password=new")
	r.has("prod-pw", "http", "prod", targets, "password", "port", "token", "user")
	if c := r.named("prod-pw"); c.Fields["user"] != "deploy" || plainly(c.Fields["port"]) != "8443" || c.Version != 2 {
		t.Errorf("%+v", c)
	}
	r.set("prod-pw", "--type", "mysql", "--field", "port=3306", "--field", "user=")
	r.has("prod-pw", "mysql", "prod", targets, "password", "port", "token")
	r.set("prod-pw", "--target", "10.2.*")
	r.has("prod-pw", "mysql", "prod", []string{"10.2.*"}, "password", "port", "token")
	if got := r.do("list"); !strings.Contains(got.out, "prod") || !strings.Contains(got.out, "10.2.*") {
		t.Errorf("the list hides where a connection serves: %s", got.out)
	}
	r.set("prod-pw", "--environment", "", "--target", "")
	r.has("prod-pw", "mysql", "", nil, "password", "port", "token")
	if got := r.do("list"); !strings.Contains(got.out, "every environment  every object") {
		t.Errorf("the list hides that a connection serves everything: %s", got.out)
	}

	r.set("new", "--field", "key=clear")
	r.has("new", "ssh", "", nil, "key")
	r.set("new", "--secret", "key=sealed")
	if c := r.named("new"); plainly(c.Fields["key"]) == "clear" {
		t.Errorf("a field that became a secret is shown: %+v", c)
	}
	for _, f := range []string{"key=", "key=clear", "nothing", "=x"} {
		if got := r.do("set", "new", "--field", f); got.code != 2 || !strings.Contains(got.err, "--field") {
			t.Errorf("--field %s: %+v", f, got)
		}
	}
}

func plainly(v any) string {
	if s, ok := v.(interface{ String() string }); ok {
		return s.String()
	}
	s, _ := v.(string)
	return s
}

// A connection is found on any page of the list.
func TestAConnectionOnALaterPageIsKept(t *testing.T) {
	t.Parallel()
	r := newConnectionRig(t)
	for _, name := range []string{"a", "b", "c"} {
		r.set(name, "--environment", "prod", "--field", "user="+name)
	}
	r.meddle = func(q *http.Request) {
		if q.Method == http.MethodGet {
			v := q.URL.Query()
			v.Set("limit", "1")
			q.URL.RawQuery = v.Encode()
		}
	}
	r.set("c", "--secret", "password=new")
	r.has("c", "ssh", "prod", nil, "password", "user")
}

// A change that came between reading and writing is not overwritten.
func TestAConnectionThatSomebodyElseChanges(t *testing.T) {
	t.Parallel()
	r := newConnectionRig(t)
	r.meddle = func(q *http.Request) {
		if path, change := strings.CutSuffix(q.URL.Path, "/changes"); change {
			r.Must("PUT", path, client.SettingInput{Type: "http", Environment: "prod"}, nil)
		}
	}
	for _, what := range []string{"there is none", "there is one"} {
		if got := r.do("set", "web", "--environment", "dev"); got.code != 4 || !strings.Contains(got.err, "read it again") {
			t.Errorf("%s: %+v", what, got)
		}
		r.has("web", "http", "prod", nil)
	}
}

// Who may only change connections changes one, and reads nothing by it. One secret
// is removed alone; a connection is shown and removed.
func TestAConnectionIsChangedByWhoMayOnlyChange(t *testing.T) {
	t.Parallel()
	r := newConnectionRig(t)
	r.set("prod", "--environment", "prod", "--field", "user=deploy", "--secret", "password=old", "--secret", "token=t", "--target", "10.1.*")
	r.Must("POST", "/api/v1/users", client.IdentityNewUser{Name: "rota", Password: "a long password", Grants: []client.IdentityGrant{
		{Permission: "connection.write", Project: "default", Environment: "prod"}}}, nil)
	r.Must("POST", "/api/v1/users", client.IdentityNewUser{Name: "half", Password: "a long password", Grants: []client.IdentityGrant{
		{Permission: "connection.write", Project: "default", Environment: "prod"},
		{Permission: "connection.read", Project: "default", Environment: "dev"}}}, nil)
	admin := r.base
	for i, name := range []string{"rota", "half"} {
		var out client.SessionOutBody
		r.Must("POST", "/api/v1/session", client.LoginInBody{Name: name, Password: "a long password"}, &out)
		r.base = []string{"--url", r.URL, "--token", out.Token}
		if got := r.do("set", "prod", "--secret", "password=new", "--json"); got.code != 0 ||
			strings.Contains(got.out, "deploy") || strings.Contains(got.out, "10.1") {
			t.Errorf("%s: %+v", name, got)
		}
		if got := r.do("set", "dev-"+name, "--environment", "dev"); got.code != 4 {
			t.Errorf("%s in another environment: %+v", name, got)
		}
		if got := r.do("show", "prod"); got.code == 0 {
			t.Errorf("%s reads it: %+v", name, got)
		}
		if c := r.named("prod"); c.Version != int64(i+2) || len(c.Fields) != 3 || c.Fields["user"] != "deploy" {
			t.Errorf("after %s it is %+v", name, c)
		}
	}
	r.base = admin
	if got := r.do("show", "prod"); got.code != 0 || !strings.Contains(got.out, "user             deploy") ||
		!strings.Contains(got.out, "password         (sealed)") || !strings.Contains(got.out, "10.1.*") {
		t.Errorf("%+v", got)
	}
	if got := r.do("set", "prod", "--unset", "passwort"); got.code != 4 || !strings.Contains(got.err, "passwort") {
		t.Errorf("%+v", got)
	}
	r.set("prod", "--unset", "password")
	r.has("prod", "ssh", "prod", []string{"10.1.*"}, "token", "user")
	r.set("prod", "--unset", "token", "--field", "token_file=/x", "--unset", "user")
	r.has("prod", "ssh", "prod", []string{"10.1.*"}, "token_file")
	if got := r.do("delete", "prod"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	for _, verb := range []string{"show", "delete"} {
		if got := r.do(verb, "prod"); got.code != 3 {
			t.Errorf("%s of one that is gone: %+v", verb, got)
		}
	}
}
