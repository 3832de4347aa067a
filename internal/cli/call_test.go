package cli_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/cli"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/ssh/sshtest"
)

// hosted is a platform with one host, and the command line on it.
func hosted(t *testing.T) (*platform.Platform, func(args ...string) said) {
	t.Helper()
	p, s := platform.Start(t, nil), sshtest.Start(t)
	p.Must("PUT", "/api/v1/connections/h1", client.SettingInput{
		Type: "ssh", Fields: map[string]any{"user": s.User}, Secrets: map[string]string{"private_key": s.PrivateKey}}, nil)
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{
		{"id": "h1", "name": "h1", "address": s.Address, "host_key": strings.TrimSpace(s.HostKey)},
		{"id": "closed", "name": "closed", "address": "127.0.0.1:1", "host_key": strings.TrimSpace(s.HostKey)},
	}, nil)
	return p, func(args ...string) said {
		t.Helper()
		return sextant(t, "", append([]string{"--url", p.URL, "--token", p.Token}, args...)...)
	}
}

// notes is a stream that is read while it is written to.
type notes struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all.Write(b)
}

func (n *notes) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all.String()
}

// A row of a call is a line, whatever the script printed; what the line leaves out
// stands below it, and whole in JSON.
func TestTheRowsOfACallAreLines(t *testing.T) {
	t.Parallel()
	_, do := hosted(t)
	call := []string{"plugin", "call", "host/script/run", "--object", "host:host/h1", "--var", "credential=connection/h1", "--var"}
	long := strings.Repeat("漢", 300)
	got := do(append(call, "script=seq 1 500; echo "+long+" >&2")...)
	lines := strings.Split(got.out, "\n")
	if got.code != 0 || !strings.Contains(lines[0], "exit_code=0") || !strings.Contains(lines[0], "stdout=1…") ||
		!strings.Contains(lines[0], "stderr="+strings.Repeat("漢", 100)+"…") || strings.Contains(lines[0], "漢…漢") || lines[1] != "" {
		t.Fatalf("%d, the first lines are %q", got.code, lines[:2])
	}
	for _, want := range []string{"\n── host:host/h1 · stdout ──\n1\n2\n", "\n499\n500\n", "\n── host:host/h1 · stderr ──\n" + long + "\n"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the output lacks %.60q", want)
		}
	}
	if got := do(append(call, "script=echo short")...); got.out != "host:host/h1  ok  cut=false exit_code=0 state=up stderr= stdout=short\n" {
		t.Errorf("a short one is %q", got.out)
	}
	if got := do(append(call, "script=echo a; echo b", "--json")...); !strings.Contains(got.out, `"a\nb\n"`) ||
		strings.Contains(got.out, "…") {
		t.Errorf("as JSON it is %.300q", got.out)
	}
}

// Who waits for a call or a run hears who has ended it, and why.
func TestWhoWaitsHearsWhoCancelled(t *testing.T) {
	t.Parallel()
	p, do := hosted(t)
	for _, wait := range [][]string{
		{"plugin", "call", "host/script/run", "--object", "host:host/h1", "--var", "credential=connection/h1", "--var", "script=sleep 60"},
		{"plugin", "call", "host/script/run", "--object", "host:host/closed", "--var", "credential=connection/h1", "--var", "script=true"},
	} {
		ended := make(chan said, 1)
		err := &notes{}
		go func() {
			var out bytes.Buffer
			args := append([]string{"--url", p.URL, "--token", p.Token}, wait...)
			code := cli.Run(t.Context(), cli.Streams{In: strings.NewReader(""), Out: &out, Err: err}, "test", args)
			ended <- said{out.String(), err.text(), code}
		}()
		run := ""
		tick := time.NewTicker(20 * time.Millisecond)
		for run == "" {
			select {
			case got := <-ended:
				t.Fatalf("it has ended: %+v", got)
			case <-tick.C:
			}
			var page client.PageOfProcessRun
			p.Must("GET", "/api/v1/runs?state=active", nil, &page)
			if len(page.Items) == 0 {
				continue
			}
			text := ""
			for _, j := range p.Jobs(page.Items[0].Key) {
				for _, progress := range j.Progress {
					text = progress.Message
				}
			}
			if strings.Contains(text, "try 2 of 3") || wait[4] == "host:host/h1" {
				run = page.Items[0].Key
			}
		}
		tick.Stop()
		tick = time.NewTicker(20 * time.Millisecond)
		for deadline := time.After(20 * time.Second); wait[4] != "host:host/h1" && !strings.Contains(err.text(), "try 2 of 3 in "); {
			select {
			case <-deadline:
				t.Fatalf("of the tries it says %q", err.text())
			case <-tick.C:
			}
		}
		tick.Stop()
		if got := do("runs", "cancel", run, "--reason", "it takes too long"); got.code != 0 {
			t.Fatalf("%+v", got)
		}
		got := <-ended
		if got.code != 1 || !strings.Contains(got.err, "run "+run+" was cancelled by admin: it takes too long\n") {
			t.Errorf("%+v", got)
		}
	}
}
