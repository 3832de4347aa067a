package e2e_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// canaries are secrets that are put in at every entry and looked for everywhere.
type canaries struct {
	t   *testing.T
	all []string
}

func (c *canaries) make(entry string) string {
	v := fmt.Sprintf("cnry-%02d-%s/Zq+x7", len(c.all), strings.ReplaceAll(entry, " ", "_"))
	c.all = append(c.all, v)
	return v
}

// forms are the ways in which a canary could surface.
func formsOf(v string) [][]byte {
	return [][]byte{[]byte(v), []byte(base64.StdEncoding.EncodeToString([]byte(v))), []byte(url.QueryEscape(v)),
		[]byte(base64.RawURLEncoding.EncodeToString([]byte(v)))}
}

func (c *canaries) absent(where string, data []byte) {
	c.t.Helper()
	for _, v := range c.all {
		for _, form := range formsOf(v) {
			if i := bytes.Index(data, form); i >= 0 {
				c.t.Errorf("%s holds %s: …%q…", where, v, data[max(0, i-60):min(len(data), i+len(form)+20)])
			}
		}
	}
}

// Forty secrets go in by connections, inputs of calls, starts, retries, settings
// of environment and tasks, and a plugin says each of them again in every way
// that it has: in outputs, messages, codes, live output and progress. None is
// found in an answer, a record, a log or a file.
func TestNoSecretSurfacesAnywhere(t *testing.T) {
	t.Parallel()
	c := &canaries{t: t}
	p := platform.Start(t, nil)
	token := ""
	title := wire.Text{"en": "Echo", "zh": "回声"}
	m := wire.Manifest{Plugin: "odd", Version: "1.0.0", Title: title, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "echo", Title: title, Actions: []wire.Action{{
			Action: "say", Title: title, Path: "/v1/echo/say", Method: "POST", Target: "host:host", Batch: 2, Timeout: "PT1M",
			Risk: wire.RiskRead, Idempotent: true,
			Input: []wire.Param{{Name: "credential", Type: wire.TypeConnection, Secret: true},
				{Name: "env", Type: wire.TypeObject, Secret: true}, {Name: "words", Type: wire.TypeList, Secret: true},
				{Name: "word", Type: wire.TypeString, Secret: true}, {Name: "fail", Type: wire.TypeBool}},
			Output: []wire.Param{{Name: "stdout", Type: wire.TypeText, To: ".user"}, {Name: "data", Type: wire.TypeObject}},
		}}}}}
	p.Plug(m, func(issued string) http.Handler {
		token = issued
		return echoer(t, p.URL, func() string { return token })
	})
	connection := func(n int) string {
		name := fmt.Sprint("c", n)
		p.Must("PUT", "/api/v1/connections/"+name,
			client.SettingInput{Type: "ssh", Fields: map[string]any{"user": "u"}, Secrets: map[string]string{
				"password": c.make("connection"), "token": c.make("connection token"),
				"private_key": "-----BEGIN K-----\n" + c.make("key line one") + "\n" + c.make("key line two") + "\n-----END K-----\n"}},
			nil)
		return name
	}
	refs := hosts(p, "h1", "h2", "h3")
	for i := range 4 { // 16 by connections
		name := connection(i)
		vars := map[string]any{"credential": "connection/" + name,
			"env": map[string]any{"P": map[string]any{"$secret": "connection/" + name + "#password"}, "L": c.make("env literal")}}
		if i%2 == 1 {
			vars["fail"] = true
		}
		vars["word"], vars["words"] = c.make("word literal"), []any{c.make("in a list"), map[string]any{"x": c.make("deep in a list")}}
		run := p.Service("odd/echo/say", vars, refs...)
		p.Ended(run)
	}
	// As text that holds a structure, as the command line sends it; and with a retry.
	run := p.Service("odd/echo/say", map[string]any{"env": `{"K":"` + c.make("typed structure") + `"}`, "fail": true}, refs[0])
	p.Ended(run)
	for i := 0; i < 3; i++ {
		for _, in := range p.Incidents() {
			p.Must("POST", "/api/v1/incidents/"+in.Key+"/retry",
				map[string]any{"inputs": map[string]any{"word": c.make("retry"), "fail": i < 2}}, nil)
			p.Ended(in.Run)
		}
	}
	if len(c.all) < 40 {
		t.Fatalf("only %d canaries", len(c.all))
	}
	c.look(p)
}

// look asks for everything that can be asked for, and reads every file.
func (c *canaries) look(p *platform.Platform) {
	c.t.Helper()
	var runs client.PageOfProcessRun
	p.Must("GET", "/api/v1/runs?limit=200", nil, &runs)
	paths := []string{"/api/v1/runs?limit=200", "/api/v1/incidents", "/api/v1/audit?limit=200", "/api/v1/verdicts?limit=200",
		"/api/v1/connections", "/api/v1/objects/host:host/h1", "/api/v1/objects/host:host/h1/history"}
	masked := 0
	for _, r := range runs.Items {
		for _, part := range []string{"", "/steps", "/jobs", "/start", "/variables"} {
			paths = append(paths, "/api/v1/runs/"+r.Key+part)
		}
		for _, j := range p.Jobs(r.Key) {
			paths = append(paths, "/api/v1/jobs/"+j.Job+"/output")
			for _, row := range j.Rows {
				paths = append(paths, "/api/v1/jobs/"+j.Job+"/row?object="+url.QueryEscape(row.Object))
			}
		}
	}
	for _, path := range paths {
		data, err := p.Download(c.t.Context(), path)
		if err != nil {
			data = []byte(err.Error())
		}
		masked += bytes.Count(data, []byte("********"))
		c.absent(path, data)
	}
	if masked < 40 {
		c.t.Errorf("only %d masks: the plugin did not say what it was to say", masked)
	}
	err := filepath.WalkDir(p.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		c.absent(strings.TrimPrefix(path, p.Data), data)
		return err
	})
	if err != nil {
		c.t.Error(err)
	}
}
