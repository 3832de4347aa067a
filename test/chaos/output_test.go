package chaos_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"sextant/sdk/go/client"
)

// Output is kept whole and once, though the platform is killed while it comes,
// and at times the plugin that sends it too.
func TestOutputIsKeptWholeThroughKills(t *testing.T) {
	w := newWorld(t)
	var hosts client.PageOfWireRow
	w.must(w.Call(t.Context(), "POST", "/api/v1/objects/host:host/query", map[string]any{}, &hosts))
	host := fmt.Sprint("host:host/", hosts.Items[0]["id"])
	const script = "i=0; while [ $i -lt 40 ]; do seq $((i*2000+1)) $((i*2000+2000)); i=$((i+1)); sleep 0.1; done"
	var v client.ControlVerdict
	w.must(w.Call(t.Context(), "POST", "/api/v1/calls",
		map[string]any{"service": "host/script/run", "objects": []string{host},
			"variables": map[string]any{"script": script, "credential": "connection/demo"}}, &v))
	for n := range 5 {
		if w.watchFor(v.Run, 600*time.Millisecond) {
			break
		}
		plugin := w.plugins()["host"]
		w.kill()
		if n == 3 {
			w.must(syscall.Kill(plugin, syscall.SIGKILL))
		}
		w.start()
	}
	if r := w.ended(v.Run); r.State != "completed" {
		t.Fatalf("the run is %s", r.State)
	}
	var jobs client.PageOfDispatchJobState
	w.must(w.Call(t.Context(), "GET", "/api/v1/runs/"+v.Run+"/jobs", nil, &jobs))
	got,
		err := w.Download(t.Context(),
		client.Query("/api/v1/jobs/"+jobs.Items[0].Job+"/output/text", "object", jobs.Items[0].Rows[0].Object))
	w.must(err)
	n := 0
	for line := range strings.Lines(string(got)) {
		if n++; line != fmt.Sprintln(n) {
			t.Fatalf("line %d is %.80q", n, line)
		}
	}
	if n != 80_000 {
		t.Fatalf("%d lines are kept, want 80000", n)
	}
}
