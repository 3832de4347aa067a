package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a check says is told to programs by its exit code.
func TestUpgradeCheck(t *testing.T) {
	t.Parallel()
	if got := sextant(t, "", "upgrade"); got.code != 2 || !strings.Contains(got.err, "migrates by itself") {
		t.Errorf("without --check: %+v", got)
	}
	if got := sextant(t, "", "upgrade", "--check", "--data", t.TempDir()); got.code != 1 || !strings.Contains(got.err, "no server has used") {
		t.Errorf("on an empty folder: %+v", got)
	}
	r := newRig(t)
	if got := sextant(t, "", "upgrade", "--check", "--data", r.Data); got.code != 0 || !strings.Contains(got.out, "nothing to migrate") {
		t.Errorf("beside the server: %+v", got)
	}
	if err := r.Server.Close(); err != nil {
		t.Fatal(err)
	}
	format := filepath.Join(r.Data, "format")
	if err := os.WriteFile(format, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sextant(t, "", "upgrade", "--check", "--data", r.Data); got.code != 10 || !strings.Contains(got.out, "start this program") {
		t.Errorf("of an older form: %+v", got)
	}
	if err := os.WriteFile(format, []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sextant(t, "", "upgrade", "--check", "--data", r.Data, "--json"); got.code != 4 || !strings.Contains(got.out, `"refused"`) {
		t.Errorf("of a newer form: %+v", got)
	}
}
