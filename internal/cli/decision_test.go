package cli_test

import (
	"strings"
	"testing"
)

// A decision is deployed and asked from the command line.
func TestDecisionsByCommandLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := "../../examples/decisions/change-risk.dmn"
	if got := r.do("decision", "deploy", file); got.code != 0 || !strings.Contains(got.out, "deployed") ||
		!strings.Contains(got.out, "version 1") {
		t.Fatalf("%+v", got)
	}
	if got := r.do("decision", "deploy", file); got.code != 0 || !strings.Contains(got.out, "unchanged") {
		t.Errorf("%+v", got)
	}
	got := r.do("decision", "list")
	if got.code != 0 || strings.Count(got.out, "\n") < 2 {
		t.Fatalf("%+v", got)
	}
	id := strings.Fields(strings.Split(got.out, "\n")[1])[0]
	if got := r.do("decision", "ask", id, "--json-var", "x=1"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := r.do("decision", "ask", "nothing"); got.code == 0 || !strings.Contains(got.err, "deploy the DMN file") {
		t.Errorf("%+v", got)
	}
}
