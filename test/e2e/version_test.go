package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// What needs a service of a plugin that is switched off is refused with a code that
// says so, and works again once it is on.
func TestAPluginThatIsSwitchedOffIsNotStarted(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	p.Plug(wire.Manifest{Plugin: "off", Version: "1.0.0", Run: &wire.Run{Builtin: true}, Services: []wire.Service{{Name: "s",
		Actions: []wire.Action{{Action: "a", Path: "/a", Risk: wire.RiskRead, Idempotent: true}}}}}, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(wire.Raw(wire.Response{ResultCode: "0"}))
		})
	})
	start := func() error {
		return p.Call(t.Context(), "POST", "/api/v1/calls", map[string]any{"service": "off/s/a", "objects": []string{}}, nil)
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	var page client.PageOfPluginVersion
	p.Must("POST", "/api/v1/plugins/off/versions/1.0.0/disable", map[string]any{}, &page)
	if len(page.Items) != 1 || page.Items[0].State != "disabled" {
		t.Errorf("%+v", page.Items)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("%v", err)
	}
	err := p.Deploy([]byte(opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="call"/><serviceTask id="call"><extensionElements>` +
		`<zeebe:taskDefinition type="plugin:off/s/a"/></extensionElements></serviceTask>` +
		`<sequenceFlow id="f2" sourceRef="call" targetRef="e"/>` + closed))
	if err == nil || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("%v", err)
	}
	var one client.PluginListed
	p.Must("GET", "/api/v1/plugins/off", nil, &one)
	if one.State != "disabled" {
		t.Errorf("it is %s", one.State)
	}
	p.Must("POST", "/api/v1/plugins/off/versions/1.0.0/enable", map[string]any{}, nil)
	if err := start(); err != nil {
		t.Error(err)
	}
}
