package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sextant/internal/config"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/server"
	"sextant/internal/testkit/dbserver"
)

var update = flag.Bool("update", false, "write what was seen into testdata/routes.txt; read the difference before you commit it")

const (
	routesFile = "testdata/routes.txt"
	adminPass  = "a password for tests"
)

// principals are the columns of the file: who asks.
var principals = []string{"nobody", "garbage", "expired", "disabled", "viewer",
	"operator", "designer", "approver", "auditor", "teamadmin", "admin", "otherteam", "plugin", "agent"}

// shifted is the real clock, some time ahead.
type shifted struct {
	clock.Real
	ahead atomic.Int64
}

func (c *shifted) Now() time.Time { return c.Real.Now().Add(time.Duration(c.ahead.Load())) }

type gate struct {
	t      *testing.T
	server *server.Server
	clock  *shifted
	url    string
	data   string
	tokens map[string]string
	first  string // password of the administrator where the folder is new
}

func newGate(t *testing.T) *gate {
	t.Helper()
	return newGateAt(t, "/")
}

func newGateAt(t *testing.T, base string) *gate {
	t.Helper()
	g := &gate{t: t, clock: &shifted{}, data: t.TempDir(), tokens: map[string]string{}}
	l, err := config.Load("",
		map[string]any{"data": g.data, "database": dbserver.Setting(t, g.data), "listen": "127.0.0.1:0", "admin.listen": "", "base": base})
	if err != nil {
		t.Fatal(err)
	}
	g.server, err = server.Open(t.Context(), server.Options{
		Config: l.Config, Settings: l.Items, Version: "test", Clock: g.clock, Log: slog.New(slog.DiscardHandler), AdminPassword: adminPass})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.server.Close(); err != nil {
			t.Error(err)
		}
	})
	g.url = g.server.URL()
	return g
}

func (g *gate) ask(method, path, token string, body any) (int, []byte) {
	g.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, bytes.NewReader(raw))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("If-Match", `"1"`)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == "text/event-stream" { // which does not end
		return resp.StatusCode, nil
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, data
}

func (g *gate) must(method, path, token string, body, out any) {
	g.t.Helper()
	status, data := g.ask(method, path, token, body)
	if status >= 300 {
		g.t.Fatalf("%s %s: %d %s", method, path, status, data)
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *gate) login(name, password string) string {
	g.t.Helper()
	var out struct{ Token string }
	g.must("POST", "/api/v1/session", "", map[string]string{"name": name, "password": password}, &out)
	return out.Token
}

// people makes every principal of the table.
func (g *gate) people() {
	g.t.Helper()
	admin := g.login("admin", adminPass)
	var token struct{ Token string }
	g.must("POST", "/api/v1/tokens", admin, map[string]any{"name": "old", "days": 1}, &token)
	g.tokens["expired"] = token.Token
	g.clock.ahead.Store(int64(25 * time.Hour))
	admin = g.login("admin", adminPass)
	g.tokens["admin"], g.tokens["garbage"] = admin, "sxs_garbage"
	for name, role := range map[string]identity.Membership{
		"disabled": {Role: "admin", Project: "*"}, "viewer": {Role: "viewer", Project: "default"},
		"operator": {Role: "operator", Project: "default"},
		"designer": {Role: "designer", Project: "default"}, "approver": {Role: "approver", Project: "default"},
		"auditor":   {Role: "auditor", Project: "default"},
		"teamadmin": {Role: "admin", Project: "default"}, "otherteam": {Role: "operator", Project: "other"},
	} {
		var u struct{ ID string }
		g.must("POST", "/api/v1/users", admin, map[string]any{"name": name, "password": adminPass, "roles": []identity.Membership{role}}, &u)
		g.tokens[name] = g.login(name, adminPass)
		if name == "disabled" {
			g.must("PATCH", "/api/v1/users/"+u.ID, admin, map[string]any{"disabled": true}, nil)
		}
	}
	g.must("POST", "/api/v1/plugins/outside/token", admin, nil, &token)
	g.tokens["plugin"] = token.Token
	g.must("POST", "/api/v1/tokens", g.tokens["operator"],
		map[string]any{"name": "agent", "scope": []string{"run.start", "run.read", "object.read"}}, &token)
	g.tokens["agent"] = token.Token
}

// address fills the places of a path with things that are not there.
func address(e api.Endpoint) string {
	path := placeholder.ReplaceAllStringFunc(e.Path, func(place string) string {
		switch place {
		case "{run}", "{incident}", "{key}", "{job}":
			return "999"
		case "{type}":
			return "host:host"
		case "{version}":
			return "1"
		case "{sha256}":
			return strings.Repeat("a", 64)
		}
		return "none"
	})
	return path
}

// Every route is asked by every kind of principal; the answers are those of a
// file that people have read. An empty body is sent, so that a principal who may
// is told what is wrong with it, and one who may not is told so first.
func TestRoutesAndPrincipals(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.people()
	var got strings.Builder
	fmt.Fprintf(&got, "# Expected status of every route for every kind of principal, "+
		"with an empty body and things that are not there.\n# %s\n", strings.Join(principals, " "))
	endpoints := g.server.Endpoints()
	// Logging out comes last: it ends the sessions.
	slices.SortStableFunc(endpoints, func(a, b api.Endpoint) int {
		return strings.Compare(strconv.FormatBool(a.ID == "logout"), strconv.FormatBool(b.ID == "logout"))
	})
	for _, e := range endpoints {
		fmt.Fprintf(&got, "%-6s %-50s", e.Method, e.Path)
		for _, p := range principals {
			status, _ := g.ask(e.Method, address(e), g.tokens[p], map[string]any{})
			fmt.Fprintf(&got, " %d", status)
			if status >= 500 {
				t.Errorf("%s %s by %s: %d", e.Method, e.Path, p, status)
			}
		}
		got.WriteString("\n")
	}
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(routesFile, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(routesFile)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the answers are not those of %s; run with -update and read the difference:\n%s",
			routesFile, difference(string(want), got.String()))
	}
}

func difference(want, got string) string {
	var out strings.Builder
	expected := strings.Split(want, "\n")
	for _, line := range strings.Split(got, "\n") {
		if !slices.Contains(expected, line) {
			out.WriteString("now " + line + "\n")
		}
	}
	return out.String()
}

var column = regexp.MustCompile(`\d{3}`)

// The file itself keeps what must hold for every route, so that an update that
// opens a door does not pass unseen.
func TestTheRouteFileKeepsItsRules(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(routesFile)
	if err != nil {
		t.Fatal(err)
	}
	public := []string{"/api/v1/session", "/api/v1/session/link"}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 2+len(principals) || f[0] == "#" {
			continue
		}
		if f[0] == "POST" && slices.Contains(public, f[1]) {
			continue
		}
		for i, name := range principals {
			code := f[2+i]
			if !column.MatchString(code) {
				t.Errorf("%s: %q is no status", line, code)
			}
			outside := slices.Contains([]string{"nobody", "garbage", "expired", "disabled"}, name)
			if outside && code != "401" {
				t.Errorf("%s %s lets %s in: %s", f[0], f[1], name, code)
			}
			if !outside && code == "401" {
				t.Errorf("%s %s does not know %s", f[0], f[1], name)
			}
		}
	}
}

// Other spellings of a path give nothing that the path itself does not give.
func TestOtherSpellingsOfRoutes(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	for _, e := range g.server.Endpoints() {
		path := address(e)
		for _, variant := range []string{path + "/", strings.ToUpper(path), path + ";x", strings.Replace(path, "/api/v1/", "/api%2fv1/", 1),
			"/" + path, strings.Replace(path, "/api/v1/", "/api/v1/./", 1), strings.Replace(path, "/api/v1/", "/public/../api/v1/", 1)} {
			status, answer := g.ask(e.Method, variant, "", map[string]any{})
			if status < 300 && !bytes.HasPrefix(answer, []byte("<!doctype html>")) { // which the console's router takes
				t.Errorf("%s %s without a token: %d", e.Method, variant, status)
			}
		}
		if e.Method == "GET" && !strings.HasSuffix(path, "/events") && !strings.HasSuffix(path, "/news") {
			plain, _ := g.ask("GET", path, admin, nil)
			head, _ := g.ask("HEAD", path, admin, nil)
			if head != plain && head != http.StatusMethodNotAllowed {
				t.Errorf("HEAD %s: %d where GET gives %d", path, head, plain)
			}
		}
	}
}
