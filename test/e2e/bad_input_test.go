package e2e_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/server"
	"sextant/internal/testkit/dbserver"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

const (
	definitions = `<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" ` +
		`xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t">
`
	opened = definitions + `<process id="p" isExecutable="true"><startEvent id="s"/><endEvent id="e"/>
`
	closed = `
</process></definitions>`
)

func TestProcessesThatCannotRunAreRefused(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	task := func(typ, more string) string {
		return opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="t"/><sequenceFlow id="f2" sourceRef="t" targetRef="e"/>
<serviceTask id="t"><extensionElements><zeebe:taskDefinition type="` + typ + `"/>` + more + `</extensionElements></serviceTask>` + closed
	}
	for name, c := range map[string]struct {
		xml          string
		status, line int64
		path, says   string
	}{
		"not_xml":    {"BPMN", 422, 1, "line 1", ""},
		"empty":      {"", 422, 1, "line 1", ""},
		"doctype":    {`<?xml version="1.0"?>` + "\n" + `<!DOCTYPE x [<!ENTITY a "b">]><x/>`, 422, 2, "line 2", "DOCTYPE"},
		"two_roots":  {`<a xmlns="u"/>` + "\n" + `<b/>`, 422, 2, "line 2", "root"},
		"other_root": {`<html xmlns="http://www.w3.org/1999/xhtml"/>`, 422, 1, "line 1", "definitions"},
		"no_start": {definitions + `<process id="p" isExecutable="true"><endEvent id="e"/></process></definitions>`, 422, 3, "p",
			"no start event"},
		"dangling_flow":   {opened + `<sequenceFlow id="f" sourceRef="s" targetRef="nowhere"/>` + closed, 422, 4, "f", "nowhere"},
		"unknown_plugin":  {task("plugin:nobody/does/this", ""), 422, 5, "t", `no plugin "nobody"`},
		"unknown_service": {task("plugin:host/does/this", ""), 422, 5, "t", "host has no service does/this; it has script/run"},
		"unknown_input": {task("plugin:host/wait/http", `<sextant:input name="adress" from="constant" value="x"/>`), 422, 5, "t",
			`no input "adress"; it has url`},
		"feel_error": {opened +
			`<sequenceFlow id="f1" sourceRef="s" targetRef="g"/><exclusiveGateway id="g" default="f3"/><sequenceFlow id="f2" ` +
			`sourceRef="g" targetRef="e"><conditionExpression>=1 + + * 2</conditionExpression></sequenceFlow><sequenceFlow id="f3" ` +
			`sourceRef="g" targetRef="e"/>` + closed, 422, 4, "f2", "column 5"},
		"unknown_type": {task("plugin:host/wait/http", `<sextant:input name="url" from="path" value="cmdb:nothing.url"/>`), 422, 5, "t",
			"no object type cmdb:nothing"},
		"broken_path": {task("plugin:host/wait/http", `<sextant:input name="url" from="path" value=".unit&gt;"/>`), 422, 5, "t",
			".unit>"},
		"not_executed": {opened +
			`<sequenceFlow id="f1" sourceRef="s" targetRef="t"/><sequenceFlow id="f2" sourceRef="t" targetRef="e"/><complexGateway id="t"/>` +
			closed, 422, 4, "t", "complexGateway"},
		"input_place": {opened +
			`<sequenceFlow id="f1" sourceRef="s" targetRef="t"/><sequenceFlow id="f2" sourceRef="t" targetRef="e"/>` + "\n" +
			`<userTask id="t"><extensionElements><sextant:input name="x" from="constant" value="1"/></extensionElements></userTask>` +
			closed, 422, 5, "t", "call a plugin"},
		"bind_place": {opened +
			`<sequenceFlow id="f1" sourceRef="s" targetRef="t"/><sequenceFlow id="f2" sourceRef="t" targetRef="e"/>` + "\n" +
			`<userTask id="t"><extensionElements><sextant:bind path="host:host"/></extensionElements></userTask>` + closed, 422, 5, "t",
			"<sextant:bind>"},
		"unknown_zeebe": {task("x", `<zeebe:magic/>`), 422, 5, "t", "zeebe:magic"},
	} {
		t.Run(name, func(t *testing.T) {
			var refused *client.Error
			err := p.Deploy([]byte(c.xml))
			if !errors.As(err, &refused) {
				t.Fatalf("it was taken: %v", err)
			}
			if refused.Status != c.status || len(refused.Fields) == 0 {
				t.Fatalf("the answer is %d %s with %+v", refused.Status, refused.Title, refused.Fields)
			}
			f := refused.Fields[0]
			if f.Line != c.line || f.Path != c.path || !strings.Contains(f.Message, c.says) {
				t.Errorf("the place is %+v, want line %d of %s with %q", f, c.line, c.path, c.says)
			}
		})
	}
	var page client.PageOfProcessDefinition
	p.Must("GET", "/api/v1/processes", nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("something was deployed: %+v", page.Items)
	}
}

func TestTheDoorRefusesWithReasons(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "h", "name": "h", "address": "127.0.0.1"}}, nil)
	if err := p.Deploy([]byte(opened +
		`<sequenceFlow id="f1" sourceRef="s" targetRef="u"/><userTask id="u"/><sequenceFlow id="f2" sourceRef="u" targetRef="e"/>` +
		closed)); err != nil {
		t.Fatal(err)
	}
	first := p.Run(platform.Request{Process: "p", Objects: []string{"host:host/h"}})
	for name, c := range map[string]struct {
		request    map[string]any
		status     int64
		code, says string
	}{
		"no_process": {map[string]any{"process": "q"}, 404, "process.not_found", `no process "q"`},
		"no_version": {map[string]any{"process": "p", "version": 9}, 404, "process.version_not_found", "version 9"},
		"held": {map[string]any{"process": "p", "objects": []string{"host:host/h"}}, 423, "control.locked",
			"held by run " + first},
		"no_object":    {map[string]any{"process": "p", "objects": []string{"host:host/x"}}, 404, "object.not_found", "host:host/x"},
		"no_type":      {map[string]any{"process": "p", "objects": []string{"host:ship/x"}}, 422, "object.unknown_type", "host:ship"},
		"no_reference": {map[string]any{"process": "p", "objects": []string{"h"}}, 422, "object.reference", "package:type/id"},
		"twice": {map[string]any{"process": "p", "objects": []string{"host:host/h", "host:host/h"}}, 422, "control.object_twice",
			"twice"},
		"secret_name": {map[string]any{"process": "p", "variables": map[string]any{"$project": "other"}}, 422, "control.variable_name",
			"$project"},
		"unknown_field": {map[string]any{"process": "p", "prio": 1}, 422, "request.invalid", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var refused *client.Error
			if err := p.Call(t.Context(), "POST", "/api/v1/runs", c.request, nil); !errors.As(err, &refused) {
				t.Fatalf("it was admitted: %v", err)
			}
			if refused.Status != c.status || refused.Code != c.code || !strings.Contains(refused.Error(), c.says) {
				t.Errorf("the answer is %d %s %s, want %d %s with %q", refused.Status, refused.Code, refused.Error(), c.status, c.code,
					c.says)
			}
		})
	}
	var runs client.PageOfProcessRun
	p.Must("GET", "/api/v1/runs", nil, &runs)
	if len(runs.Items) != 1 {
		t.Errorf("%d runs, want the first alone", len(runs.Items))
	}
	if err := os.WriteFile(filepath.Join(p.Data, "STOP"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *client.Error
	if err := p.Call(t.Context(), "POST", "/api/v1/runs", map[string]any{"process": "p"}, nil); !errors.As(err, &refused) ||
		refused.Code != "control.stopped" || !strings.Contains(refused.Title, "STOP") {
		t.Errorf("with the STOP file the door says %v", err)
	}
}

func TestAStepThatFindsNothingToActOn(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "h", "name": "h", "address": "127.0.0.1", "zone": "here"}}, nil)
	bind := func(inside string) string {
		return opened +
			`<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><sequenceFlow id="f2" sourceRef="w" targetRef="e"/><serviceTask ` +
			`id="w"><extensionElements><zeebe:taskDefinition type="plugin:host/wait/port"/><sextant:bind path="host:host{zone eq ` +
			`'nowhere'}"/></extensionElements>` + inside + `</serviceTask>` + closed
	}
	for name, inside := range map[string]string{"at_once": "", "in_batches": `<multiInstanceLoopCharacteristics ` +
		`isSequential="true"><extensionElements><sextant:batch expression="1"/></extensionElements></multiInstanceLoopCharacteristics>`} {
		t.Run(name, func(t *testing.T) {
			if err := p.Deploy([]byte(bind(inside))); err != nil {
				t.Fatal(err)
			}
			run := p.Run(platform.Request{Process: "p"})
			if r := p.Ended(run); r.State != "incident" {
				t.Fatalf("the run is %s", r.State)
			}
			var page client.PageOfProcessIncident
			p.Must("GET", "/api/v1/incidents?run="+run, nil, &page)
			if len(page.Items) != 1 || !strings.Contains(page.Items[0].Message, "finds no object") {
				t.Fatalf("what waits for help is %+v", page.Items)
			}
			p.Must("POST", "/api/v1/incidents/"+page.Items[0].Key+"/skip", map[string]any{"reason": "there is none"}, nil)
			if r := p.Ended(run); r.State != "completed" {
				t.Errorf("after the skip the run is %s", r.State)
			}
		})
	}
}

func TestHostsThatCannotBeReached(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	good, other := host(t, p, "good"), host(t, p, "other")
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := refusing.Addr().String()
	if err := refusing.Close(); err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(good.HostKey)
	for id, row := range map[string]map[string]any{
		"refusing":    {"address": address, "host_key": key},
		"unreachable": {"address": "name.invalid", "host_key": key},
		"changed":     {"address": good.Address, "host_key": strings.TrimSpace(other.HostKey)},
		"unknown":     {"address": good.Address},
	} {
		row["id"], row["name"], row["user"] = id, id, good.User
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{row}, nil)
	}
	for id, want := range map[string]struct{ code, says string }{
		"refusing":    {"host.refused", address},
		"unreachable": {"host.unreachable", "name.invalid"},
		"changed":     {"host.key_changed", "key"},
		"unknown":     {"host.key_unknown", "SHA256:"},
	} {
		t.Run(id, func(t *testing.T) {
			run := p.Service("host/script/run",
				map[string]any{"script": "touch i-was-here", "credential": "connection/good", "timeout": "PT5S"}, "host:host/"+id)
			if r := p.Ended(run); r.State != "incident" {
				t.Fatalf("the run is %s", r.State)
			}
			row := p.Jobs(run)[0].Rows[0]
			if row.Outcome != "failed" || row.Code != want.code || !strings.Contains(row.Message, want.says) {
				t.Errorf("the row is %s %s %q, want failed %s with %q", row.Outcome, row.Code, row.Message, want.code, want.says)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(good.Home, "i-was-here")); err == nil {
		t.Error("a script ran on a host whose key was not the pinned one")
	}
}

func open(t *testing.T, settings map[string]any) (*server.Server, error) {
	t.Helper()
	l, err := config.Load("", settings)
	if err != nil {
		return nil, err
	}
	s,
		err := server.Open(t.Context(),
		server.Options{Config: l.Config, Version: "test", Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler),
			AdminPassword: platform.Password})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func TestWaysNotToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	used := t.TempDir()
	if _, err := open(t, map[string]any{"data": used, "listen": "127.0.0.1:0", "admin.listen": ""}); err != nil {
		t.Fatal(err)
	}
	folder := func(file, text string) string {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	newer := folder("format", "99\n")
	for name, c := range map[string]struct {
		settings map[string]any
		says     string
	}{
		"port_taken":     {map[string]any{"listen": taken.Addr().String()}, "set another with --listen"},
		"admin_taken":    {map[string]any{"admin.listen": taken.Addr().String()}, "set another with --admin.listen"},
		"folder_in_use":  {map[string]any{"data": used}, "another server uses the folder"},
		"newer_format":   {map[string]any{"data": newer}, "written by a newer sextant"},
		"no_format":      {map[string]any{"data": folder("format", "ship")}, "no data folder of sextant"},
		"damaged_key":    {map[string]any{"data": folder("keys/master.key", "short")}, "master key has 5 bytes"},
		"not_a_database": {map[string]any{"data": folder("sextant.db", strings.Repeat("this is no database ", 100))}, "damaged"},
		"no_tls":         {map[string]any{"listen": "0.0.0.0:0"}, "tls.insecure"},
		"unknown":        {map[string]any{"colour": "red"}, `setting "colour" is not known`},
		"bad_level":      {map[string]any{"log.level": "loud"}, `log.level: "loud" is none of debug`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := map[string]any{"data": t.TempDir(), "listen": "127.0.0.1:0", "admin.listen": ""}
			for k, v := range c.settings {
				all[k] = v
			}
			if _, err := open(t, all); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v, want %q", err, c.says)
			}
		})
	}
	if entries, err := os.ReadDir(newer); err != nil || len(entries) != 2 {
		t.Errorf("a folder of a newer format was touched: %v %v", entries, err)
	}
}

// A full disk is told, changes nothing, and is forgiven.
func TestDisksThatTakeNothing(t *testing.T) {
	dbserver.OnSQLite(t, "a disk that is full")
	dir := mounted(t)
	p := platform.Start(t, map[string]any{"data": dir})
	put := func(i int) error {
		return p.Call(t.Context(), "PUT", fmt.Sprintf("/api/v1/connections/c%d", i),
			map[string]any{"type": "http", "fields": map[string]any{"note": strings.Repeat("x", 2000)}}, nil)
	}
	if err := put(0); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	var refused *client.Error
	stored := 0
	for i := 1; i < 5000 && refused == nil; i++ {
		if err := put(i); err == nil {
			stored = i
		} else if !errors.As(err, &refused) {
			t.Fatal(err)
		}
	}
	if refused == nil || refused.Status != 507 || refused.Code != "database.full" {
		t.Fatalf("with a full disk the answer is %v", refused)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if n := connections(t, p); n != stored+1 {
		t.Errorf("%d connections are there, %d were acknowledged", n, stored+1)
	}
	if err := put(9000); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// A folder that cannot be written is told before anything is done.
func TestAReadOnlyFolder(t *testing.T) {
	dir := mounted(t)
	settings := map[string]any{"data": dir, "listen": "127.0.0.1:0", "admin.listen": ""}
	s, err := open(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	readOnly := func() error { return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "") }
	err = readOnly()
	for until := time.Now().Add(5 * time.Second); errors.Is(err, syscall.EBUSY) && time.Now().Before(until); {
		err = readOnly() // a process that is just being started still has the files of this one
	}
	if err != nil {
		t.Fatal(err)
	}
	if _,
		err := open(t, settings); err == nil || !strings.Contains(err.Error(), "data: the folder cannot be written") ||
		!strings.Contains(err.Error(), "read-only") {
		t.Errorf("it says %v", err)
	}
}

// mounted is a small file system of the test's own.
func mounted(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m,mode=700"); err != nil {
		t.Skipf("file systems cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func connections(t *testing.T, p *platform.Platform) int {
	t.Helper()
	n := 0
	for after := ""; ; {
		var page client.PageOfSettingConnection
		p.Must("GET", client.Query("/api/v1/connections", "limit", "500", "after", after), nil, &page)
		if n += len(page.Items); page.Next == "" {
			return n
		}
		after = page.Next
	}
}

// fill takes what is left of a file system.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 1<<10; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
