package trust_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/server"
)

const (
	adminPass = "a password for tests"
	// canary is a secret that is put in and must come out nowhere.
	canary = "canary-7f3b9d-secret"
)

// ran are the cases that were run, for the comparison with the table.
var ran = struct {
	sync.Mutex
	ids map[string]bool
}{ids: map[string]bool{}}

// proves runs a case of the table: its name begins with the case's id.
func proves(t *testing.T, name string, fn func(*testing.T)) {
	t.Helper()
	id, _, _ := strings.Cut(name, " ")
	ran.Lock()
	ran.ids[id] = true
	ran.Unlock()
	t.Run(name, fn)
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == "" {
		for _, c := range table() {
			if c.status == "tested" && slices.Contains(c.proofs(), "test/trust") && !ran.ids[c.id] {
				fmt.Printf("cases.csv says that %s is tested here, and no test ran it\n", c.id)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// listed is a row of the table.
type listed struct{ id, group, input, answer, status, proof string }

// proofs are the places that prove a case: test/trust for a case of this
// package, or a directory and the name of a test.
func (l listed) proofs() []string { return strings.Split(l.proof, "; ") }

func table() []listed {
	data, err := os.ReadFile("cases.csv")
	if err != nil {
		panic(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		panic(err)
	}
	var all []listed
	for _, r := range rows[1:] {
		all = append(all, listed{r[0], r[1], r[2], r[3], r[4], r[5]})
	}
	return all
}

// The table says of each case how it stands, and every test it names is there.
func TestTheTableIsTrue(t *testing.T) {
	t.Parallel()
	seen, here := map[string]bool{}, sources(t, ".")
	for _, c := range table() {
		if seen[c.id] || c.group == "" || c.input == "" || c.answer == "" {
			t.Errorf("%s stands twice or lacks something", c.id)
		}
		seen[c.id] = true
		switch c.status {
		case "tested":
			for _, p := range c.proofs() {
				dir, name, other := strings.Cut(p, " ")
				if dir == "test/trust" && other { // proved by another case
					if !strings.Contains(here, `proves(t, "`+name+` `) {
						t.Errorf("%s: there is no case %s", c.id, name)
					}
					continue
				}
				if !other && (p != "test/trust" || !strings.Contains(here, `"`+c.id+` `)) {
					t.Errorf("%s: no case of this package is named so (%s)", c.id, p)
				}
				if other && !strings.Contains(sources(t, filepath.Join("../..", dir)), "func "+name+"(t *testing.T)") {
					t.Errorf("%s: %s has no %s", c.id, dir, name)
				}
			}
		case "open", "not applicable yet":
			if len(c.proof) < 10 {
				t.Errorf("%s is %s without a reason", c.id, c.status)
			}
		default:
			t.Errorf("%s: %q is no status", c.id, c.status)
		}
	}
	for _, m := range regexp.MustCompile(`proves\(t, "([A-Za-z0-9-]+) `).FindAllStringSubmatch(here, -1) {
		if !seen[m[1]] {
			t.Errorf("cases.csv does not list %s, which is tested", m[1])
		}
	}
}

// sources are the tests of a directory.
func sources(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no tests, %v", dir, err)
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// shifted is the real clock, some time ahead.
type shifted struct {
	clock.Real
	ahead atomic.Int64
}

func (c *shifted) Now() time.Time { return c.Real.Now().Add(time.Duration(c.ahead.Load())) }

func (c *shifted) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// house is a running platform.
type house struct {
	server *server.Server
	clock  *shifted
	log    *lines
	data   string
	url    string
	admin  string            // the administrator's token
	tokens map[string]string // of people by name
	ids    map[string]string
}

// lines is the platform's log.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func start(t *testing.T, settings map[string]any) *house {
	t.Helper()
	h := &house{clock: &shifted{}, log: &lines{}, data: filepath.Join(t.TempDir(), "data"), tokens: map[string]string{},
		ids: map[string]string{}}
	all := map[string]any{"data": h.data, "listen": "127.0.0.1:0", "admin.listen": ""}
	for k, v := range settings {
		all[k] = v
	}
	l, err := config.Load("", all)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.server,
		err = server.Open(t.Context(),
		server.Options{Config: l.Config, Version: "test", Clock: h.clock, Log: log, AdminPassword: adminPass})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.server.Close(); err != nil {
			t.Error(err)
		}
	})
	h.url = h.server.URL()
	h.admin = h.login(t, "admin", adminPass)
	return h
}

// request is what a test asks; a body that is no text is sent as JSON.
type request struct {
	method, path, token string
	body                any
	header              []string // names and values in turn; an empty value removes
	host                string
}

// answer is what came back.
type answer struct {
	status int
	code   string
	body   string
	header http.Header
}

func (h *house) ask(t *testing.T, q request) answer {
	t.Helper()
	var body io.Reader
	media := ""
	switch b := q.body.(type) {
	case nil:
	case string:
		body, media = strings.NewReader(b), "application/json"
	case io.Reader:
		body, media = b, "application/json"
	default:
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		body, media = bytes.NewReader(data), "application/json"
	}
	req, err := http.NewRequestWithContext(t.Context(), q.method, h.url+q.path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = q.host
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	for i := 0; i < len(q.header); i += 2 {
		if q.header[i+1] == "" {
			req.Header.Del(q.header[i])
			continue
		}
		req.Header.Add(q.header[i], q.header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if q.host != "" || strings.HasPrefix(h.url, "https:") {
		client.Transport = trusting(t)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if resp.Header.Get("Content-Type") == "text/event-stream" { // which does not end
		return a
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	a.body = string(data)
	if resp.Header.Get("Content-Type") == "application/problem+json" && len(data) > 0 {
		var p struct{ Code string }
		if err := json.Unmarshal(data, &p); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		a.code = p.Code
	}
	h.tells(t, a)
	return a
}

var inside = regexp.MustCompile(`goroutine \d|\.go:\d|(?i)\b(select|insert|update|delete) .{1,60} (from|into|where|set) ` +
	`|/tmp/|panic:|argon2id`)

// tells checks that an answer says nothing of what is inside.
func (h *house) tells(t *testing.T, a answer) {
	t.Helper()
	if a.status >= 500 {
		t.Errorf("a fault of the platform: %d %s", a.status, a.body)
	}
	if strings.Contains(a.body, canary) || a.status >= 400 && (inside.MatchString(a.body) || strings.Contains(a.body, h.data)) {
		t.Errorf("tells what is inside: %s", a.body)
	}
}

// wants asks and compares.
func (h *house) wants(t *testing.T, q request, status int, code string) answer {
	t.Helper()
	a := h.ask(t, q)
	if a.status != status || a.code != code {
		t.Errorf("%s %s: %d %s %.300s, want %d %s", q.method, q.path, a.status, a.code, a.body, status, code)
	}
	return a
}

// must asks for what has to succeed, and reads the answer.
func (h *house) must(t *testing.T, q request, out any) answer {
	t.Helper()
	a := h.ask(t, q)
	if a.status >= 300 {
		t.Fatalf("%s %s: %d %s", q.method, q.path, a.status, a.body)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func (h *house) login(t *testing.T, name, password string) string {
	t.Helper()
	var out struct{ Token string }
	h.must(t, request{method: "POST", path: "/api/v1/session", body: map[string]string{"name": name, "password": password}}, &out)
	return out.Token
}

// person makes a user with a role on a project and logs in.
func (h *house) person(t *testing.T, name, role, project string) {
	t.Helper()
	var u struct{ ID string }
	h.must(t,
		request{method: "POST", path: "/api/v1/users", token: h.admin,
			body: map[string]any{"name": name, "password": adminPass, "roles": []any{map[string]any{"role": role, "project": project}}}},
		&u)
	h.ids[name], h.tokens[name] = u.ID, h.login(t, name, adminPass)
}

// deploy deploys a process.
func (h *house) deploy(t *testing.T, xml string) answer {
	t.Helper()
	return h.ask(t,
		request{method: "POST", path: "/api/v1/processes", token: h.admin, body: xml,
			header: []string{"Content-Type", "", "Content-Type", "application/xml"}})
}

// waiting starts a run that waits for a person, and gives its key.
func (h *house) waiting(t *testing.T) string {
	t.Helper()
	if a := h.deploy(t, waits); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var v struct{ Run string }
	h.must(t, request{method: "POST", path: "/api/v1/runs", token: h.admin, body: map[string]any{"process": "p"}}, &v)
	return v.Run
}

const (
	opened = `<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" ` +
		`xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t">
<process id="p" isExecutable="true"><startEvent id="s"/><endEvent id="e"/>
`
	closed = `
</process></definitions>`
	waits = opened +
		`<sequenceFlow id="f1" sourceRef="s" targetRef="u"/><userTask id="u" name="Wait"/><sequenceFlow id="f2" ` +
		`sourceRef="u" targetRef="e"/>` + closed
)

// moving are tables that change by themselves.
var moving = []string{"api_idempotency", "bus_event", "control_claim", "control_wait", "control_fence", "engine_record", "engine_key",
	"engine_history", "sqlite_sequence"}

// state is everything that is kept, without the marks of when a token was seen.
func (h *house) state(t *testing.T) string {
	t.Helper()
	d, err := db.Open(context.WithoutCancel(t.Context()), "sqlite:"+filepath.Join(h.data, "sextant.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var all []string
	for _, name := range rowsOf(t, d, "SELECT name FROM sqlite_master WHERE type = 'table'") {
		switch name = strings.Trim(name, `"[]`); {
		case slices.Contains(moving, name), strings.HasSuffix(name, "_version"):
		case name == "identity_token":
			all = append(all, rowsOf(t, d, "SELECT 'token', id, kind FROM identity_token")...)
		case name == "audit_record": // that somebody was refused is on record, and is no change
			all = append(all,
				rowsOf(t, d, "SELECT 'audit', id, verb, object, outcome, detail FROM audit_record WHERE verb <> 'request.refused'")...)
		default:
			for _, row := range rowsOf(t, d, "SELECT * FROM "+name) {
				all = append(all, name+" "+row)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func rowsOf(t *testing.T, d *db.DB, query string) []string {
	t.Helper()
	rows, err := d.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%q", fmt.Sprint(values...)))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// unchanged checks that nothing that is kept is other after fn.
func (h *house) unchanged(t *testing.T, fn func()) {
	t.Helper()
	before := h.state(t)
	fn()
	if after := h.state(t); after != before {
		for line := range strings.SplitSeq(after, "\n") {
			if !strings.Contains(before, line) {
				t.Errorf("something was changed: now %.300s", line)
			}
		}
		if len(after) < len(before) {
			t.Error("something is gone")
		}
	}
}

// raw sends bytes as they are and reads the first answer; closed is whether the
// server ends the connection after it.
func (h *house) raw(t *testing.T, text string) (a answer, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return answer{}, true // closed without a word
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a = answer{status: resp.StatusCode, body: string(data), header: resp.Header}
	var p struct{ Code string }
	if json.Unmarshal(data, &p) == nil {
		a.code = p.Code
	}
	h.tells(t, answer{body: a.body, header: a.header, status: min(a.status, 499)})
	return a, resp.Close
}

// answers sends raw text and gives the status of every answer until the server ends
// the connection.
func (h *house) answers(t *testing.T, text string) []int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, text) // the server may end it before
	}()
	var all []int
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			<-sent
			return all
		}
		_, _ = io.Copy(io.Discard, resp.Body) // broken off with the connection
		_ = resp.Body.Close()
		all = append(all, resp.StatusCode)
	}
}
