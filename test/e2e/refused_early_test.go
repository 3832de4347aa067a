package e2e_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// refusal is what the door says of a call, and its preview.
func refusal(t *testing.T, p *platform.Platform, service string, vars map[string]any, objects ...string) *client.Error {
	t.Helper()
	if vars["credential"] == nil {
		vars["credential"] = "connection/lab"
	}
	body := map[string]any{"service": service, "objects": objects, "variables": vars}
	err := p.Call(t.Context(), "POST", "/api/v1/calls", body, nil)
	var refused *client.Error
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	var preview client.ProcessPreview
	if p.Call(t.Context(), "POST", "/api/v1/calls/preview", body, &preview) == nil {
		blocked := slices.ContainsFunc(preview.Door, func(s client.ControlStep) bool { return !s.Ok })
		if blocked != (refused != nil) {
			t.Errorf("%v: the preview says %+v, the door %v", vars, preview.Door, err)
		}
	}
	return refused
}

// laboratory is a platform with a host that nobody reaches and connections.
func laboratory(t *testing.T) *platform.Platform {
	t.Helper()
	p := platform.Start(t, nil)
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "a", "name": "a", "address": "192.0.2.1"}}, nil)
	for name, in := range map[string]client.SettingInput{
		"lab":   {Type: "ssh", Fields: map[string]any{"user": "u"}, Secrets: map[string]string{"password": "hunter22"}},
		"empty": {Type: "ssh", Fields: map[string]any{"user": "u"}},
		"aimed": {Type: "ssh", Fields: map[string]any{"user": "u"}, Secrets: map[string]string{"password": "hunter22"},
			Targets: []string{"10.9.*"}},
	} {
		p.Must("PUT", "/api/v1/connections/"+name, in, nil)
	}
	return p
}

// What cannot be is refused before anything runs, with the input, its place and what
// is wanted.
func TestWhatCannotBeIsRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	p := laboratory(t)
	for _, tt := range []struct {
		name string
		vars map[string]any
		code string
		says []string
	}{
		{"a list", map[string]any{"script": "true", "args": "a b"}, "dispatch.input_value", []string{"variables.args", `["a","b"]`, "a b"}},
		{"a duration", map[string]any{"script": "true", "timeout": "soon"}, "dispatch.input_value",
			[]string{"variables.timeout", "PT10M", "10m", "soon"}},
		{"a duration of months", map[string]any{"script": "true", "grace": "P1M"}, "dispatch.input_value", []string{"variables.grace"}},
		{"a word", map[string]any{"script": "true", "background": "maybe"}, "dispatch.input_value",
			[]string{"variables.background", "keep, end"}},
		{"an object", map[string]any{"script": "true", "env": "A=b"}, "dispatch.input_value", []string{"variables.env", `{"name":"value"}`}},
		{"a secret", map[string]any{"script": "true", "secret_env": "hunter2"}, "dispatch.input_value", []string{"variables.secret_env"}},
		{"exit codes", map[string]any{"script": "true", "expect_exit": "0,7"}, "dispatch.input_value", []string{"variables.expect_exit"}},
		{"a file", map[string]any{"script_file": "deploy.sh"}, "dispatch.input_value", []string{"variables.script_file", "sextant file put"}},
		{"no script", map[string]any{}, "dispatch.input_one_of", []string{"variables.script", "script, script_file", "0 of them"}},
		{"two scripts", map[string]any{"script": "true", "script_file": strings.Repeat("0", 64)}, "dispatch.input_one_of", []string{"2 of them"}},
		{"no such connection", map[string]any{"script": "true", "credential": "connection/none"}, "connection.not_found", []string{`"none"`}},
		{"no name of a connection", map[string]any{"script": "true", "credential": "lab"},
			"dispatch.input_value", []string{"variables.credential", "connection/<name>"}},
		{"no log-in", map[string]any{"script": "true", "credential": "connection/empty"},
			"dispatch.connection_field", []string{"password or private_key", "sextant connection set empty"}},
		{"no such field", map[string]any{"script": "true", "secret_env": map[string]any{"K": map[string]any{"$secret": "connection/lab#token"}}},
			"dispatch.connection_field", []string{"token"}},
	} {
		e := refusal(t, p, "host/script/run", tt.vars, "host:host/a")
		if e == nil || e.Code != tt.code || e.Status/100 != 4 {
			t.Errorf("%s: %v", tt.name, e)
			continue
		}
		all := e.Error() + fmt.Sprint(e.Fields)
		for _, want := range tt.says {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q lacks %q", tt.name, all, want)
			}
		}
		if strings.Contains(all, "hunter2") {
			t.Errorf("%s tells the secret: %s", tt.name, all)
		}
	}
	for _, vars := range []map[string]any{
		{"script": "true", "timeout": "10m", "grace": "PT3S"}, {"script": "true", "timeout": "1h30m"},
		{"script": "true", "args": []string{"a b"}, "expect_exit": "[0,7]"},
		{"script": "true", "secret_env": map[string]any{"K": map[string]any{"$secret": "connection/lab#password"}},
			"env": map[string]any{"A": 1}},
	} {
		vars["credential"] = "connection/lab"
		var preview client.ProcessPreview
		p.Must("POST", "/api/v1/calls/preview",
			map[string]any{"service": "host/script/run", "objects": []string{"host:host/a"}, "variables": vars}, &preview)
		if slices.ContainsFunc(preview.Door, func(s client.ControlStep) bool { return !s.Ok }) {
			t.Errorf("%v: %+v", vars, preview.Door)
		}
	}
	for key, ok := range map[string]bool{
		"ssh-ed25519 AAAA": true, "SHA256:" + strings.Repeat("A", 43): true,
		"# of old\n@revoked ssh-ed25519 AAAA\nweb-1,192.0.2.1 ecdsa-sha2-nistp256 AAAA= root@web": true,
		"two lines\nof text": false, "SHA256:short": false, "MD5:00:11": false, "ssh-ed25519": false, "ssh-ed25519 AAAA\ngarbage": false,
	} {
		err := p.Call(t.Context(), "PATCH", "/api/v1/objects/host:host", []map[string]any{{"id": "a", "host_key": key}}, nil)
		id := fmt.Sprintf("b%d", len(key))
		made := p.Call(t.Context(), "POST", "/api/v1/objects/host:host",
			[]map[string]any{{"id": id, "name": id, "address": "192.0.2.2", "host_key": key}}, nil)
		if (err == nil) != ok || (made == nil) != ok || !ok && !strings.Contains(made.Error(), "ssh-keyscan") {
			t.Errorf("host_key %q: %v, %v", key, err, made)
		}
	}
}

// What a process says is checked like what a person gives, when it is started.
func TestConstantsAreCheckedAtTheDoor(t *testing.T) {
	t.Parallel()
	p := laboratory(t)
	step := func(inputs string) []byte {
		return []byte(opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><sequenceFlow id="f2" sourceRef="w" targetRef="e"/>` +
			`<serviceTask id="w" name="Work"><extensionElements><zeebe:taskDefinition type="plugin:host/script/run"/>` +
			`<sextant:input name="script" from="constant" value="true"/>` + inputs + `</extensionElements></serviceTask>` + closed)
	}
	const lab, aimed = `<sextant:input name="credential" from="constant" value="connection/lab"/>`,
		`<sextant:input name="credential" from="constant" value="connection/aimed"/>`
	for _, tt := range []struct{ name, inputs, code, says string }{
		{"a duration", lab + `<sextant:input name="timeout" from="constant" value="soon"/>`, "dispatch.input_value", "inputs.timeout"},
		{"an address", lab + `<sextant:input name="address" from="constant" value="http://192.0.2.1/"/>`,
			"dispatch.input_value", "inputs.address"},
		{"an address that the connection is not for", aimed + `<sextant:input name="address" from="constant" value="192.0.2.7"/>`,
			"dispatch.secret_moves", "aimed"},
		{"an address with a connection without targets", lab + `<sextant:input name="address" from="constant" value="192.0.2.7"/>`,
			"dispatch.secret_moves", "lab"},
		{"an object that the connection is not for", aimed, "dispatch.connection_target", "host:host/a"},
		{"an address that it is for", aimed + `<sextant:input name="address" from="constant" value="10.9.0.1"/>`, "", ""},
	} {
		if err := p.Deploy(step(tt.inputs)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		body := map[string]any{"process": "p", "objects": []string{"host:host/a"}}
		var preview client.ProcessPreview
		p.Must("POST", "/api/v1/runs/preview", body, &preview)
		blocked := slices.ContainsFunc(preview.Door, func(s client.ControlStep) bool { return !s.Ok })
		err := p.Call(t.Context(), "POST", "/api/v1/runs", body, nil)
		var refused *client.Error
		errors.As(err, &refused)
		if tt.code == "" {
			if err != nil || blocked {
				t.Errorf("%s: %v, %v", tt.name, err, preview.Door)
			}
			continue
		}
		if refused == nil || refused.Code != tt.code || !strings.Contains(refused.Error()+fmt.Sprint(refused.Fields), tt.says) || !blocked {
			t.Errorf("%s: %v; the preview is blocked: %v", tt.name, err, blocked)
		}
	}
}

// An incident says which variable of an expression the run does not have.
func TestAVariableThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	p := laboratory(t)
	for _, inputs := range []string{
		`<sextant:input name="script" from="feel" value="=&quot;echo &quot; + s"/>` +
			`<sextant:input name="credential" from="constant" value="connection/lab"/>`,
		`<sextant:input name="script" from="constant" value="true"/>` +
			`<sextant:input name="credential" from="feel" value="=&quot;connection/&quot; + s"/>`,
	} {
		xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><sequenceFlow id="f2" sourceRef="w" targetRef="e"/>` +
			`<serviceTask id="w" name="Work"><extensionElements><zeebe:taskDefinition type="plugin:host/script/run"/>` +
			inputs + `</extensionElements></serviceTask>` + closed
		if err := p.Deploy([]byte(xml)); err != nil {
			t.Fatal(err)
		}
		var v client.ControlVerdict
		err := p.Call(t.Context(), "POST", "/api/v1/runs", map[string]any{"process": "p", "objects": []string{"host:host/a"}}, &v)
		if err != nil { // the door may know already
			if !strings.Contains(err.Error(), "s") {
				t.Errorf("%v", err)
			}
			continue
		}
		if r := p.Ended(v.Run); r.State != "incident" {
			t.Fatalf("the run is %s", r.State)
		}
		all := p.Incidents()
		if text := all[0].Message; !strings.Contains(text, "the run has no variable s") {
			t.Errorf("the incident says %q", text)
		}
		p.Must("POST", "/api/v1/runs/"+v.Run+"/cancel", client.CancelBody{Reason: "seen"}, nil)
	}
}
