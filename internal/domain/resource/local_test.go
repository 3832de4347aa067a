package resource_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"sextant/internal/domain/resource"
	"sextant/internal/domain/resource/resourcetest"
	"sextant/internal/driver/localproc"
	"sextant/internal/kit/clock"
)

const roleVariable = "RESOURCE_ROLE"

// The test's own program is what the suite runs: the variable says as what.
func TestMain(m *testing.M) {
	switch role := resourcetest.Behaviour(os.Getenv(roleVariable)); role {
	case "":
		os.Exit(m.Run())
	case resourcetest.Serve:
		fmt.Println(role)
		fmt.Println(http.ListenAndServe(os.Getenv("SEXTANT_LISTEN"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	case resourcetest.Crash:
		fmt.Println(role)
		for i := range 20 {
			fmt.Println("line", i)
		}
	}
	os.Exit(3)
}

// machine is this machine as a place for instances.
type machine struct{ dir string }

// Driver gives a driver over the machine's run folder.
func (m machine) Driver(t *testing.T) resource.Driver {
	t.Helper()
	d, err := localproc.New(localproc.Options{RunDir: filepath.Join(m.dir, "run"), LogDir: filepath.Join(m.dir, "log"), Clock: clock.Real{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // what a part that failed has left
		all, err := d.List()
		for _, s := range all {
			_ = d.Stop(context.WithoutCancel(t.Context()), s.Name, 0)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return resource.NewLocal(d)
}

// Spec runs this very program.
func (m machine) Spec(t *testing.T, name string, b resourcetest.Behaviour) resource.Spec {
	t.Helper()
	exe, err := filepath.EvalSymlinks("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return resource.Spec{Name: name, Program: exe, Env: []string{roleVariable + "=" + string(b)},
		Dir: filepath.Join(m.dir, "files"), Listen: true}
}

func TestProcessesOfThisMachine(t *testing.T) {
	t.Parallel()
	resourcetest.Run(t, func(t *testing.T) resourcetest.Place { return machine{t.TempDir()} })
}
