package bundle_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	compose "github.com/compose-spec/compose-go/v2/types"
)

// unpacked gives the tree of the Debian package.
func unpacked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "dpkg-deb", "-x", file(t, "sextant_", ".deb"), dir)
	return dir
}

// systemd takes the unit as it is, and finds little in it that an attacker could use.
func TestSystemdTakesTheUnit(t *testing.T) {
	t.Parallel()
	needs(t, false, "systemd-analyze", "dpkg-deb")
	unit := filepath.Join(unpacked(t), "usr/lib/systemd/system/sextant.service")
	data, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	// The program that the unit starts is not installed here: another one that is
	// stands in, since all that is asked for is that there is one.
	here := filepath.Join(t.TempDir(), "sextant.service")
	if err := os.WriteFile(here, []byte(strings.Replace(string(data), "/usr/bin/sextant", "/bin/true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", here).CombinedOutput(); err != nil ||
		strings.Contains(string(out), "sextant.service") {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
	out := run(t, "systemd-analyze", "security", "--offline=true", "--no-pager", here)
	m := regexp.MustCompile(`exposure level for sextant.service: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("systemd-analyze security: %s", out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > 2.5 {
		t.Errorf("the unit is exposed at level %s: at most 2.5\n%s", m[1], out)
	}
}

func project(t *testing.T, env compose.Mapping) (*compose.Project, error) {
	t.Helper()
	dir, _ := release(t)
	return loader.LoadWithContext(t.Context(), compose.ConfigDetails{
		WorkingDir: dir, Environment: env, ConfigFiles: []compose.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}}})
}

// The Compose file is understood by Compose's own reader, starts the image of this
// release, and shows itself to this machine alone.
func TestTheComposeFile(t *testing.T) {
	t.Parallel()
	p, err := project(t, compose.Mapping{"SEXTANT_VERSION": version, "POSTGRES_PASSWORD": "secret5"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.GetService("sextant")
	if err != nil {
		t.Fatal(err)
	}
	if s.Image != "sextant:"+version || !s.ReadOnly || len(s.CapDrop) != 1 || s.DependsOn["postgres"].Condition != "service_healthy" {
		t.Errorf("the service is %+v", s)
	}
	if len(s.Ports) != 1 || s.Ports[0].HostIP != "127.0.0.1" || s.Ports[0].Published != "8066" || s.Ports[0].Target != 8066 {
		t.Errorf("the ports are %+v", s.Ports)
	}
	if got := s.Environment["SEXTANT_DATABASE"]; got == nil || *got != "postgres://sextant:secret5@postgres:5432/sextant?sslmode=disable" {
		t.Errorf("the database is %v", got)
	}
	for _, env := range []compose.Mapping{{"SEXTANT_VERSION": version}, {"POSTGRES_PASSWORD": "x"}} {
		if _, err := project(t, env); err == nil || !strings.Contains(err.Error(), "set it in .env") {
			t.Errorf("with %v: %v", env, err)
		}
	}
}
