package e2e_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// Every executable process of a file is deployed, can be started by its id, and gets
// a version of its own.
func TestAllProcessesOfAFileAreDeployed(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	one := func(id string) string {
		return fmt.Sprintf(`<process id="%[1]s" isExecutable="true"><startEvent id="s-%[1]s"/><endEvent id="e-%[1]s"/><sequenceFlow `+
			`sourceRef="s-%[1]s" targetRef="e-%[1]s"/></process>`, id)
	}
	type answer struct {
		Process string
		Version int
		Changed bool
		Others  []client.ProcessDefinition
	}
	deploy := func(xml string) answer {
		t.Helper()
		var out answer
		if err := p.Upload(t.Context(), "/api/v1/processes", "application/xml", bytes.NewReader([]byte(xml)), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	file := definitions + one("first") + one("second") + `<process id="drawn"/></definitions>`
	if d := deploy(file); d.Process != "first" || !d.Changed || len(d.Others) != 1 || d.Others[0].Process != "second" ||
		d.Others[0].Version != 1 {
		t.Errorf("the deployment says %+v", d)
	}
	for _, id := range []string{"first", "second"} {
		if run := p.Ended(p.Run(platform.Request{Process: id})); run.State != "completed" {
			t.Errorf("a run of %s is %s", id, run.State)
		}
	}
	if d := deploy(file); d.Changed {
		t.Errorf("the same file is new: %+v", d)
	}
	if d := deploy(definitions + one("second") + one("third") + `</definitions>`); d.Process != "second" || d.Version != 2 ||
		d.Others[0].Version != 1 {
		t.Errorf("the next file says %+v", d)
	}
	err := p.Deploy([]byte(definitions + one("fourth") + strings.Replace(one("fifth"), "<endEvent", "<complexGateway", 1) + `</definitions>`))
	if err == nil || !strings.Contains(err.Error(), "complexGateway") {
		t.Errorf("a file with a process that cannot be executed: %v", err)
	}
	if _, err := p.Download(t.Context(), "/api/v1/processes/third/1/xml"); err != nil {
		t.Errorf("the third process: %v", err)
	}
	if _, err := p.Download(t.Context(), "/api/v1/processes/fourth/1/xml"); err == nil {
		t.Error("half of a file is deployed")
	}
}
