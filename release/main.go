// Command release makes the files of a release, and checks one:
//
//	release make -version v1.2.3 -out build/release [-key secret.key [-password file]]
//	release verify -key sextant.pub build/release
//
// It is a module of its own, so that what only makes releases is no part of the
// program's own dependencies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sextant/release/bundle"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var errUsage = errors.New("release: make or verify; -h tells more")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	f := flag.NewFlagSet("release "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "make":
		var o bundle.Options
		f.StringVar(&o.Root, "root", "..", "the repository")
		f.StringVar(&o.Out, "out", "../build/release", "folder for the release, empty or not there")
		f.StringVar(&o.Version, "version", "", "version of the release")
		f.StringVar(&o.Key, "key", "", "file of a minisign secret key; without it the release is not signed")
		f.StringVar(&o.PasswordFile, "password", "", "file with the password of the key")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		return release(ctx, o)
	case "verify":
		key := f.String("key", "", "file of the minisign public key")
		if err := f.Parse(args[1:]); err != nil {
			return err
		}
		if *key == "" || f.NArg() != 1 {
			return errors.New("release: verify -key <public key> <folder>")
		}
		if err := bundle.Verify(f.Arg(0), *key); err != nil {
			return err
		}
		fmt.Println("the release is whole, and signed by this key")
		return nil
	}
	return errUsage
}

// release makes a release of the commit that is checked out.
func release(ctx context.Context, o bundle.Options) error {
	if strings.HasSuffix(o.Version, "-dirty") {
		return fmt.Errorf("release: the tree differs from its commit (%s), so that nobody could make this release again: commit first", o.Version)
	}
	c := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct")
	c.Dir = o.Root
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("release: date of the commit: %w", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return fmt.Errorf("release: date of the commit: %w", err)
	}
	o.Time, o.Say = time.Unix(seconds, 0), func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	return bundle.Make(ctx, o)
}
