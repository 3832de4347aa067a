package e2e_test

import (
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// A preview of a call tells what the call would touch, and starts nothing.
func TestACallIsPreviewed(t *testing.T) {
	p := platform.Start(t, nil)
	var got client.ProcessPreview
	p.Must("POST", "/api/v1/calls/preview", map[string]any{"service": "cmdb/types/define", "variables": map[string]any{"types": "[]"}},
		&got)
	for _, s := range got.Door {
		if !s.Ok {
			t.Errorf("the check %s refuses: %v", s.Name, s.Reason)
		}
	}
	if len(got.Steps) != 1 || got.Steps[0].Service != "cmdb/types/define" {
		t.Errorf("the steps are %+v, want the one call", got.Steps)
	}
	var runs client.PageOfProcessRun
	p.Must("GET", "/api/v1/runs", nil, &runs)
	if len(runs.Items) != 0 {
		t.Errorf("%d runs were started by a preview", len(runs.Items))
	}
}
