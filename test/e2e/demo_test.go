package e2e_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sextant/internal/demo"
)

// The demo plays on a machine with neither OpenSSH nor nginx, on small servers
// of its own.
func TestTheDemoOnItsOwnParts(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "sextant")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "sextant/cmd/sextant").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "report.json")
	play := exec.CommandContext(t.Context(), bin, "demo", "--ci", "--own", "--dir", filepath.Join(dir, "demo"), "--listen", listen,
		"--report", file)
	if out, err := play.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r demo.Report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if r.Real || r.RequestsFailed != 0 || r.RequestsServed == 0 || r.FirstGreen <= 0 {
		t.Errorf("the report is %+v", r)
	}
}
