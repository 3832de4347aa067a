// Package bundle makes everything that a release consists of, from a tree and a
// commit's date alone: the same tree and the same Go give the same bytes.
//
//	programs ─► archives, Debian packages, container images ─► bill of materials ─► check sums ─► signature
package bundle

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// files are the parts of packages that no compiler makes.
//
//go:embed files
var files embed.FS

// Options say what to release.
type Options struct {
	// Root is the repository, with the console built in web/dist.
	Root string
	// Out is the folder for the release; it must be empty or not exist.
	Out string
	// Version is that of the release, such as v1.2.3 or what git describe says.
	Version string
	// Time is the date of everything in the release: that of the commit.
	Time time.Time
	// Targets are the programs to make; AllTargets where there are none.
	Targets []Target
	// Key is the file of a minisign secret key; empty for a release without a
	// signature. PasswordFile holds its password, if it has one.
	Key, PasswordFile string
	// Say is told what is made.
	Say func(format string, args ...any)
}

var versionPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+~-]{0,99}$`)

func (o *Options) check() error {
	if !versionPattern.MatchString(o.Version) {
		return fmt.Errorf("version %q: want letters, digits and . + ~ - alone", o.Version)
	}
	if o.Time.IsZero() {
		return errors.New("the date is missing: give that of the commit")
	}
	if _, err := os.Stat(filepath.Join(o.Root, "web", "dist", "index.html")); err != nil {
		return errors.New("the console is not built: make console")
	}
	if all, err := os.ReadDir(o.Out); err == nil && len(all) > 0 {
		return fmt.Errorf("the folder %s is not empty: a release is made into a folder of its own", o.Out)
	}
	if len(o.Targets) == 0 {
		o.Targets = AllTargets()
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	o.Time = o.Time.UTC().Truncate(time.Second)
	return nil
}

// Make makes a release. It fails if anything of it cannot be made; what lies in the
// folder then is no release, since it has no check sums.
func Make(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	key, err := o.key() // before minutes of work, not after
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	work, err := os.MkdirTemp("", "sextant-release-")
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	defer os.RemoveAll(work)
	var programs []string
	for _, t := range o.Targets {
		program := filepath.Join(work, t.OS+"-"+t.Arch, t.program())
		if err := o.compile(ctx, t, program); err != nil {
			return fmt.Errorf("release: %s: %w", t, err)
		}
		programs = append(programs, program)
		if err := o.pack(t, program); err != nil {
			return fmt.Errorf("release: %s: %w", t, err)
		}
	}
	if err := o.compose(); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if err := o.bill(ctx, programs); err != nil {
		return fmt.Errorf("release: bill of materials: %w", err)
	}
	return o.seal(key)
}

// pack puts a program into every form in which its system takes one.
func (o *Options) pack(t Target, program string) error {
	if err := o.archive(t, program); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if t.OS != "linux" {
		return nil
	}
	if err := o.debian(t, program); err != nil {
		return fmt.Errorf("debian package: %w", err)
	}
	if err := o.image(t, program); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return nil
}

// compose lays the Compose file beside the image that it starts.
func (o *Options) compose() error {
	data, err := files.ReadFile("files/compose.yaml")
	if err != nil {
		return err
	}
	o.Say("compose.yaml")
	return os.WriteFile(filepath.Join(o.Out, "compose.yaml"), data, 0o644)
}
