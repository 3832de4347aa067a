// Package platform starts a whole platform for a test, in this process and on
// real parts, and talks to it as its users do.
package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/obs"
	"sextant/internal/server"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// Password is the administrator's.
const Password = "a password for tests"

// Platform is a running server with its administrator logged in.
type Platform struct {
	*client.Client
	Server *server.Server
	Data   string
	t      testing.TB
}

// Start starts a platform in a folder of its own; settings override the test's.
func Start(t testing.TB, settings map[string]any) *Platform {
	t.Helper()
	p := &Platform{t: t, Data: t.TempDir()}
	if d, ok := settings["data"].(string); ok {
		p.Data = d
	}
	all := map[string]any{"data": p.Data, "listen": "127.0.0.1:0", "admin.listen": "", "database": dbserver.Setting(t, p.Data)}
	for k, v := range settings {
		all[k] = v
	}
	l, err := config.Load("", all)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = obs.NewLogger(os.Stderr, slog.LevelInfo, obs.Text)
	}
	p.Server, err = server.Open(t.Context(),
		server.Options{Config: l.Config, Settings: l.Items, Version: "test", Clock: clock.Real{}, Log: log, AdminPassword: Password, Exe: exe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Server.Close(); err != nil {
			t.Errorf("the server did not stop well: %v", err)
		}
	})
	p.Client = &client.Client{URL: p.Server.URL()}
	p.Login("admin", Password)
	return p
}

// Login makes the platform's client that of a user.
func (p *Platform) Login(name, password string) {
	p.t.Helper()
	var out client.SessionOutBody
	p.Must("POST", "/api/v1/session", client.LoginInBody{Name: name, Password: password}, &out)
	p.Token = out.Token
}

// Must makes a call that has to succeed.
func (p *Platform) Must(method, path string, in, out any) {
	p.t.Helper()
	if err := p.Call(p.t.Context(), method, path, in, out); err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// Edit changes objects of a type, whoever holds them: with a reason, and on record.
func (p *Platform) Edit(typ string, rows ...map[string]any) {
	p.t.Helper()
	body, err := json.Marshal(rows)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPatch, p.URL+"/api/v1/objects/"+typ, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Override-Reason", "a test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(resp.Body) // for the message alone
		p.t.Fatalf("objects of %s are not changed: %s %s", typ, resp.Status, said)
	}
}

// Deploy deploys a BPMN file.
func (p *Platform) Deploy(xml []byte) error {
	var d client.ProcessDefinition
	return p.Upload(p.t.Context(), "/api/v1/processes", "application/xml", bytes.NewReader(xml), &d)
}

// Start is a run to ask for.
type Request struct {
	Process   string         `json:"process"`
	Objects   []string       `json:"objects,omitempty"`
	Variables map[string]any `json:"variables,omitempty"`
}

// Run asks for a run and gives its key.
func (p *Platform) Run(r Request) string {
	p.t.Helper()
	var v client.ControlVerdict
	p.Must("POST", "/api/v1/runs", r, &v)
	return v.Run
}

// Service calls a service as a run of one step and gives its key.
func (p *Platform) Service(name string, vars map[string]any, objects ...string) string {
	p.t.Helper()
	var v client.ControlVerdict
	p.Must("POST", "/api/v1/calls", map[string]any{"service": name, "variables": vars, "objects": append([]string{}, objects...)}, &v)
	return v.Run
}

// Until watches a run until fn is content with it.
func (p *Platform) Until(run string, within time.Duration, fn func(client.Update) bool) client.ProcessRun {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), within)
	defer cancel()
	var last client.Update
	err := p.Watch(ctx, run, nil, func(u client.Update) bool {
		last = u
		return !fn(u)
	})
	if err != nil {
		raw, _ := json.Marshal(last) // for the message alone
		p.t.Fatalf("run %s did not get there: %v; last seen %s; jobs %s", run, err, raw, p.dump(run))
	}
	return last.Run
}

// Ended waits for the end of a run, or for an incident.
func (p *Platform) Ended(run string) client.ProcessRun {
	p.t.Helper()
	return p.Until(run, time.Minute, func(u client.Update) bool {
		return u.Run.State != "waiting" && u.Run.State != "active" && u.Run.State != "stopping"
	})
}

// Jobs gives the service calls of a run.
func (p *Platform) Jobs(run string) []client.DispatchJobState {
	p.t.Helper()
	var page client.PageOfDispatchJobState
	p.Must("GET", "/api/v1/runs/"+run+"/jobs", nil, &page)
	return page.Items
}

// Incidents gives what waits for help.
func (p *Platform) Incidents() []client.ProcessIncident {
	p.t.Helper()
	var page client.PageOfProcessIncident
	p.Must("GET", "/api/v1/incidents", nil, &page)
	return page.Items
}

func (p *Platform) dump(run string) string {
	data, err := p.Download(context.WithoutCancel(p.t.Context()), "/api/v1/runs/"+run+"/jobs")
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Plug connects a plugin that runs elsewhere: serve makes its handler from the
// token that it has to accept.
func (p *Platform) Plug(m wire.Manifest, serve func(token string) http.Handler) {
	p.t.Helper()
	var issued client.TokenOutBody
	p.Must("POST", "/api/v1/plugins/"+m.Plugin+"/token", map[string]any{}, &issued)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /manifest", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wire.Raw(m)) })
	mux.Handle("/", serve(issued.Token))
	s := httptest.NewServer(mux)
	p.t.Cleanup(s.Close)
	p.Must("PUT", "/api/v1/plugins/"+m.Plugin, map[string]any{"url": s.URL}, nil)
}
