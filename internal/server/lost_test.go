package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sextant/internal/config"
	"sextant/internal/kit/db"
	"sextant/internal/server"
	"sextant/internal/testkit/dbserver"
)

// reopen starts the server again on its folder; settings are added.
func (g *gate) reopen(settings map[string]any) error {
	g.t.Helper()
	all := map[string]any{"data": g.data, "database": dbserver.Setting(g.t, g.data), "listen": "127.0.0.1:0", "admin.listen": ""}
	for k, v := range settings {
		all[k] = v
	}
	l, err := config.Load("", all)
	if err != nil {
		g.t.Fatal(err)
	}
	s, err := server.Open(g.t.Context(), server.Options{
		Config: l.Config, Settings: l.Items, Version: "test", Clock: g.clock, Log: slog.New(slog.DiscardHandler), AdminPassword: g.first})
	if err == nil {
		g.server, g.url = s, s.URL() // the gate closes it
	}
	return err
}

func (g *gate) stop() {
	g.t.Helper()
	if err := g.server.Close(); err != nil {
		g.t.Fatal(err)
	}
}

// deploy deploys a process whose body is given and gives the digest of its file.
func (g *gate) deploy(token, id, body string) (status int, digest string, answer []byte) {
	g.t.Helper()
	return g.deployFile(token, `<process id="`+id+`" isExecutable="true">`+body+`</process>`)
}

// deployFile deploys what stands within the definitions of a file.
func (g *gate) deployFile(token, body string) (status int, digest string, answer []byte) {
	g.t.Helper()
	xml := `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
		`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">` + body + `</definitions>`
	req, err := http.NewRequestWithContext(g.t.Context(), "POST", g.url+"/api/v1/processes", strings.NewReader(xml))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/xml")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Digest string }
	raw := json.RawMessage{}
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		g.t.Fatal(err)
	}
	_ = json.Unmarshal(raw, &out) // a problem has none
	return resp.StatusCode, out.Digest, raw
}

func (g *gate) start(token, process string) string {
	g.t.Helper()
	var v struct{ Run string }
	g.must("POST", "/api/v1/runs", token, map[string]any{"process": process}, &v)
	return v.Run
}

const waiting = `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="u"/>` +
	`<userTask id="u"/><sequenceFlow id="f2" sourceRef="u" targetRef="e"/><endEvent id="e"/>`

type incidentPage struct {
	Items []struct{ Key, Run, Kind, Message string }
}

// A folder that was used is never taken for a new one, and no key is made for a
// database that another key has sealed.
func TestWhatIsLostIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(data string) error
		want string
	}{
		"no_key":         {func(d string) error { return os.Remove(filepath.Join(d, "keys", "master.key")) }, "master.key is missing"},
		"no_database":    {func(d string) error { return os.Remove(filepath.Join(d, "sextant.db")) }, "missing or empty"},
		"empty_database": {func(d string) error { return os.Truncate(filepath.Join(d, "sextant.db"), 0) }, "missing or empty"},
		"other_database": {func(d string) error { return replaceByEmpty(t, d) }, "holds nobody"},
		"damaged": {func(d string) error {
			return os.WriteFile(filepath.Join(d, "sextant.db"), []byte(strings.Repeat("no database ", 999)), 0o600)
		}, "damaged"},
		"short_key": {func(d string) error { return os.Truncate(filepath.Join(d, "keys", "master.key"), 7) }, "want 32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.HasSuffix(name, "database") || name == "damaged" {
				dbserver.OnSQLite(t, "a file that is harmed")
			}
			g := newGate(t)
			g.stop()
			for _, f := range []string{"sextant.db-wal", "sextant.db-shm"} {
				_ = os.Remove(filepath.Join(g.data, f)) // there or not
			}
			if err := c.harm(g.data); err != nil {
				t.Fatal(err)
			}
			if err := g.reopen(nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the start says %v, want %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(g.data, "keys", "master.key")); name == "no_key" && err == nil {
				t.Error("a key was made")
			}
		})
	}
}

// replaceByEmpty puts a database of a folder that nobody has used in place.
func replaceByEmpty(t *testing.T, data string) error {
	g := newGate(t)
	g.stop()
	file := filepath.Join(g.data, "sextant.db")
	if err := query(t, file, "DELETE FROM identity_user"); err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "sextant.db"), raw, 0o600)
}

// One file that is gone or altered sets its own runs aside; the server starts and
// the other runs go on.
func TestALostFileStopsItsOwnRunsAlone(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	_, _, _ = g.deploy(admin, "whole", waiting)
	_, lost, _ := g.deploy(admin, "lost", waiting)
	_, altered, _ := g.deploy(admin, "altered", waiting)
	whole, first, second := g.start(admin, "whole"), g.start(admin, "lost"), g.start(admin, "altered")
	g.stop()
	file := func(digest string) string { return filepath.Join(g.data, "blobs", digest[:2], digest) }
	kept, err := os.ReadFile(file(lost))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file(lost)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file(altered))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file(altered), []byte(strings.Replace(string(raw), `id="u"`, `id="v"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	var page incidentPage
	g.must("GET", "/api/v1/incidents", admin, nil, &page)
	found := map[string]string{}
	for _, i := range page.Items {
		if i.Kind != "engine.damaged" || !strings.Contains(i.Message, "from a backup") {
			t.Errorf("%+v", i)
		}
		found[i.Run] = i.Key
	}
	if len(found) != 2 || found[first] == "" || found[second] == "" {
		t.Fatalf("the incidents are %+v", page)
	}
	if status, _ := g.ask("GET", "/api/v1/runs/"+whole+"/variables", admin, nil); status != 200 {
		t.Errorf("the whole run answers %d", status)
	}
	if status, _ := g.ask("GET", "/api/v1/processes/altered/1/xml", admin, nil); status != 503 {
		t.Errorf("an altered file answers %d", status)
	}
	if status, _ := g.ask("POST", "/api/v1/runs/"+second+"/cancel", admin, map[string]string{"reason": "its file is lost"}); status != 204 {
		t.Errorf("the cancel answers %d", status)
	}
	if err := os.WriteFile(file(lost), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, data := g.ask("POST", "/api/v1/incidents/"+found[first]+"/retry", admin, map[string]any{}); status != 204 {
		t.Errorf("with the file back the retry answers %d %s", status, data)
	}
	if status, _ := g.ask("GET", "/api/v1/runs/"+first+"/variables", admin, nil); status != 200 {
		t.Errorf("the run that is whole again answers %d", status)
	}
	var run struct{ State string }
	if g.must("GET", "/api/v1/runs/"+second, admin, nil, &run); run.State != "cancelled" {
		t.Errorf("the cancelled run is %q", run.State)
	}
}

// A run is set aside and ended on the folder of a stopped server.
func TestARunIsSetAsideOffline(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	_, _, _ = g.deploy(admin, "p", waiting)
	held, dropped := g.start(admin, "p"), g.start(admin, "p")
	g.stop()
	l, err := config.Load("", map[string]any{"data": g.data, "database": dbserver.Setting(t, g.data)})
	if err != nil {
		t.Fatal(err)
	}
	o := server.Options{Config: l.Config, Clock: g.clock, Log: slog.New(slog.DiscardHandler)}
	for run, drop := range map[string]bool{held: false, dropped: true} {
		key, err := strconv.ParseInt(run, 10, 64)
		if err == nil {
			err = server.Quarantine(t.Context(), o, key, "it looks bad", drop)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Quarantine(t.Context(), o, 12345, "x", false); err == nil || !strings.Contains(err.Error(), "no active run 12345") {
		t.Errorf("a run that is not there: %v", err)
	}
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	var page incidentPage
	if g.must("GET", "/api/v1/incidents", admin, nil, &page); len(page.Items) != 1 ||
		page.Items[0].Run != held || page.Items[0].Kind != "engine.quarantined" || page.Items[0].Message != "it looks bad" {
		t.Fatalf("%+v", page)
	}
	var run struct{ State string }
	if g.must("GET", "/api/v1/runs/"+dropped, admin, nil, &run); run.State != "cancelled" {
		t.Errorf("the dropped run is %q", run.State)
	}
	if status, data := g.ask("GET", "/api/v1/runs/"+held+"/variables", admin, nil); status != 409 ||
		!strings.Contains(string(data), "engine.held") {
		t.Errorf("its variables: %d %s", status, data)
	}
	g.must("POST", "/api/v1/incidents/"+page.Items[0].Key+"/retry", admin, map[string]any{}, nil)
	if status, _ := g.ask("GET", "/api/v1/runs/"+held+"/variables", admin, nil); status != 200 {
		t.Errorf("taken up it answers %d", status)
	}
	if _, trail := g.ask("GET", "/api/v1/audit", admin, nil); strings.Count(string(trail), "run.quarantine") != 2 {
		t.Errorf("not on record: %s", trail)
	}
}

// What a project and a run may use is bounded where it is made.
func TestLimitsHoldWhereThingsAreMade(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.stop()
	if err := g.reopen(map[string]any{"limits.runs": 3, "limits.elements": 50}); err != nil {
		t.Fatal(err)
	}
	admin := g.login("admin", adminPass)
	for _, c := range []struct {
		id, body string
		status   int
		code     string
	}{
		{strings.Repeat("a", 191), waiting, 422, "process.id_too_long"},
		{strings.Repeat("a", 190), waiting, 201, ""},
		{"p", waiting, 201, ""},
		{"fast", strings.Replace(waiting, "<endEvent", `<boundaryEvent id="b" attachedToRef="u" cancelActivity="false"><timerEventDefinition>`+
			`<timeCycle>R/PT0S</timeCycle></timerEventDefinition></boundaryEvent><sequenceFlow id="f3" sourceRef="b" targetRef="e"/><endEvent`, 1),
			422, "process.cycle"},
		{"wide", strings.Replace(waiting, `<userTask id="u"/>`,
			`<userTask id="u"><multiInstanceLoopCharacteristics><extensionElements><zeebe:loopCharacteristics inputCollection="=for `+
				`i in 1..100 return i" inputElement="i"/></extensionElements></multiInstanceLoopCharacteristics></userTask>`, 1), 201, ""},
	} {
		if status, _, answer := g.deploy(admin, c.id, c.body); status != c.status || !strings.Contains(string(answer), c.code) {
			t.Errorf("%.20s: %d %s", c.id, status, answer)
		}
	}
	wide := g.start(admin, "wide")
	var page incidentPage
	for range 1000 {
		if g.must("GET", "/api/v1/incidents", admin, nil, &page); len(page.Items) > 0 {
			break
		}
	}
	if len(page.Items) != 1 || page.Items[0].Run != wide || page.Items[0].Kind != "engine.budget" {
		t.Errorf("the wide run has %+v", page)
	}
	g.start(admin, "p")
	third := g.start(admin, "p")
	if status, data := g.ask("POST", "/api/v1/runs", admin, map[string]any{"process": "p"}); status != 429 ||
		!strings.Contains(string(data), "engine.budget") {
		t.Errorf("a fourth run: %d %s", status, data)
	}
	g.must("POST", "/api/v1/runs/"+third+"/cancel", admin, map[string]string{"reason": "room for another"}, nil)
	last := g.start(admin, "p")
	var tasks struct {
		Items []struct{ Key, Run string }
	}
	g.must("GET", "/api/v1/tasks?limit=500", admin, nil, &tasks)
	for _, task := range tasks.Items {
		if task.Run != last {
			continue
		}
		big := map[string]any{"variables": map[string]any{"big": strings.Repeat("x", 5<<20)}}
		if status, data := g.ask("POST", fmt.Sprintf("/api/v1/tasks/%s/complete", task.Key), admin, big); status != 413 ||
			!strings.Contains(string(data), "run.variable_too_large") {
			t.Errorf("a variable of 5 MiB: %d %.200s", status, data)
		}
		return
	}
	t.Error("the last run has no task")
}

// query changes the database of a stopped server.
func query(t *testing.T, file, statement string) error {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, file))
	if err != nil {
		return err
	}
	err = d.Do(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(statement)
		return err
	})
	return errors.Join(err, d.Close())
}
