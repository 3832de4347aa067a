package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/ssh/sshtest"
)

// The output of a run is shown whole however many pages it takes, searched, cut
// to its end, and says where it is not whole.
func TestTheOutputOfARunOnTheCommandLine(t *testing.T) {
	t.Parallel()
	p, s := platform.Start(t, map[string]any{"output.job": 2}), sshtest.Start(t)
	p.Must("PUT", "/api/v1/connections/h1", client.SettingInput{
		Type: "ssh", Fields: map[string]any{"user": s.User}, Secrets: map[string]string{"private_key": s.PrivateKey}}, nil)
	p.Must("POST", "/api/v1/objects/host:host",
		[]map[string]any{{"id": "h1", "name": "h1", "address": s.Address, "host_key": strings.TrimSpace(s.HostKey)}}, nil)
	run := p.Service("host/script/run",
		map[string]any{"script": "seq -f 'line %.0f' 1 100000; seq -f 'more %.0f' 1 600000", "credential": "connection/h1"}, "host:host/h1")
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s", r.State)
	}
	log := func(args ...string) string {
		t.Helper()
		got := sextant(t, "", append([]string{
			"--url", p.URL, "--token", p.Token, "--credentials", filepath.Join(t.TempDir(), "none.json"), "runs", "log", run}, args...)...)
		if got.code != 0 {
			t.Fatalf("%q: %+v", args, got)
		}
		return got.out
	}
	whole := log()
	if lines := strings.Split(whole, "\n"); !strings.HasSuffix(lines[0], "host:host/h1") ||
		lines[1] != "line 1" || lines[100_000] != "line 100000" ||
		!strings.Contains(whole, "lines) of output are missing here: the job wrote more than is kept of one ──\n") ||
		!strings.HasSuffix(whole, "\nmore 600000\n") {
		t.Fatalf("the output begins with %.200q and ends with %q", whole, whole[len(whole)-200:])
	}
	if got := log("--search", `"line 7777"`); strings.Count(got, "\nline 7777") != 11 || strings.Count(got, "missing here") != 1 {
		t.Fatalf("the search shows %q", got)
	}
	if got := strings.Split(log("--last", "3"), "\n"); len(got) < 4 || !strings.HasPrefix(got[1], "more ") {
		t.Fatalf("the end is %q", got)
	}
	if got := sextant(t, "", "--url", p.URL, "--token", p.Token, "runs", "log", run, "--search", "x", "--last", "3"); got.code != 2 {
		t.Fatalf("both at once end with %d", got.code)
	}
}
