package bundle

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Target is a system to make the program for.
type Target struct{ OS, Arch string }

// AllTargets are the systems of a release: the platform on Linux, the command line
// everywhere. On Windows the program is the command line alone.
func AllTargets() []Target {
	return []Target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}}
}

// String is the target as Go writes it.
func (t Target) String() string { return t.OS + "/" + t.Arch }

func (t Target) program() string {
	if t.OS == "windows" {
		return "sextant.exe"
	}
	return "sextant"
}

// compile makes the program of a target. Nothing of the machine gets into it: no
// path, date, user or setting of Go's environment.
func (o *Options) compile(ctx context.Context, t Target, to string) error {
	o.Say("compile %s", t)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	// The console is built already, and files that Git does not know have no say.
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags", "-s -w -buildid= -X main.version="+o.Version, "-o", to, "./cmd/sextant")
	c.Dir = o.Root
	c.Env = append(c.Environ(), "CGO_ENABLED=0", "GOOS="+t.OS, "GOARCH="+t.Arch,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOTOOLCHAIN=local")
	var trouble bytes.Buffer
	c.Stderr = &trouble
	if err := c.Run(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, bytes.TrimSpace(trouble.Bytes()))
	}
	return nil
}
