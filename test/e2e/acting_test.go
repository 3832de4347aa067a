package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// A plugin acts for a run only while it works on a call of it: not any more when it
// has answered, also while the run goes on.
func TestAPluginThatHasAnsweredActsForItsRunNoMore(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	refs := hosts(p, "h1")
	var token string
	calls, answer := make(chan string, 1), make(chan struct{})
	m := touchManifest()
	p.Plug(m, func(issued string) http.Handler {
		token = issued
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls <- r.Header.Get(wire.HeaderIdempotencyKey)
			<-answer
			echo(w, r)
		})
	})
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/change"/></extensionElements></serviceTask>
<sequenceFlow id="f2" sourceRef="w" targetRef="a"/><userTask id="a" name="Ask"><extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f3" sourceRef="a" targetRef="e"/>` + closed
	if err := p.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p", Objects: refs})
	key := received(t, calls, "the plugin is not called")
	change := func() int {
		t.Helper()
		req,
			err := http.NewRequestWithContext(t.Context(), http.MethodPatch, p.URL+"/api/v1/objects/host:host",
			strings.NewReader(`[{"id": "h1", "user": "touched"}]`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json",
			wire.HeaderJob: key} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // its status is all that counts
		return resp.StatusCode
	}
	if got := change(); got != http.StatusOK {
		t.Errorf("while it works: %d", got)
	}
	close(answer)
	p.Until(run, 30*time.Second, func(u client.Update) bool {
		return len(u.Steps) > 0 && u.Steps[len(u.Steps)-1].Element == "a"
	})
	if got := change(); got != http.StatusGone {
		t.Errorf("after its answer: %d", got)
	}
}
