// Package cli is the command line: sextant <noun> <verb>.
//
// What it prints on standard output is for people, or JSON with --json; progress
// goes to standard error. Exit codes are part of the interface: 0 done, 1 failed,
// 2 wrong usage, 3 not found, 4 refused, 5 unavailable.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"sextant/internal/cli/screen"
	"sextant/sdk/go/client"
)

// Exit codes.
const (
	ExitOK = iota
	ExitFailed
	ExitUsage
	ExitNotFound
	ExitRefused
	ExitUnavailable
)

const exitHelp = `

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, 5 unavailable.`

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// app is what all commands share.
type app struct {
	Streams
	version string
	json    bool
	raw     bool
	target  target
}

// usageError is wrong usage.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// outcome is an end that is neither success nor an error to explain further.
type outcome struct{ code int }

// Error says nothing more: the command has told already.
func (outcome) Error() string { return "" }

// Run runs a command line and gives the exit code.
func Run(ctx context.Context, s Streams, version string, args []string) int {
	a := &app{Streams: s, version: version}
	a.Out = a.guarded(s.Out)
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(a.guarded(s.Err), "sextant:", text)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var refused *client.Error
	var wrong usageError
	var ended outcome
	switch {
	case errors.As(err, &ended):
		return ended.code
	case errors.As(err, &wrong), strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "unknown flag"), strings.HasPrefix(err.Error(), "required flag"):
		return ExitUsage
	case errors.Is(err, client.ErrUnreachable):
		return ExitUnavailable
	case !errors.As(err, &refused):
		return ExitFailed
	}
	switch s := refused.Status; {
	case s == 404:
		return ExitNotFound
	case s == 503 || s == 507 || s == 429:
		return ExitUnavailable
	case s < 500:
		return ExitRefused
	}
	return ExitFailed
}

func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use: "sextant", Short: "Operate everything through one door",
		Long:         "Sextant turns scripts, playbooks and plugins into services on your objects, joins services into processes, and starts them through one door." + exitHelp,
		SilenceUsage: true, SilenceErrors: true, Version: a.version,
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.PersistentFlags().BoolVar(&a.json, "json", false, "write JSON for programs")
	c.PersistentFlags().BoolVar(&a.raw, "raw", false, "send control characters of output to the terminal as they come")
	a.target.flags(c)
	c.AddCommand(a.serverCmd(), a.recoverCmd(), a.loginCmd(), a.processCmd(), a.runCmd(), a.runsCmd(), a.incidentCmd(), a.taskCmd(), a.messageCmd(), a.signalCmd(), a.objectCmd(), a.connectionCmd(), a.stopCmd(), a.pluginCmd(), a.configCmd(), a.fileCmd(), a.tokenCmd(), a.feelCmd(), a.decisionCmd(), a.demoCmd())
	c.AddCommand(a.hiddenCmds()...)
	explain(c)
	return c
}

// explain puts the exit codes into the help of every command.
func explain(c *cobra.Command) {
	if c.Long == "" {
		c.Long = c.Short + "." + exitHelp
	}
	for _, sub := range c.Commands() {
		explain(sub)
	}
}

// show writes a value as JSON, or as people read it.
func (a *app) show(v any, people func(w io.Writer)) error {
	if !a.json {
		w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
		people(w)
		return w.Flush()
	}
	e := json.NewEncoder(a.Out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// cut says that a list goes on after what is shown.
func (a *app) cut(next string) {
	if next != "" {
		fmt.Fprintln(a.Err, "There are more than these.")
	}
}

// guarded is a stream on which a terminal does nothing that others wrote.
func (a *app) guarded(to io.Writer) io.Writer {
	if !terminal(to) {
		return to
	}
	return screen.New(to, &a.raw)
}

// terminal reports whether a stream is a person's terminal.
func terminal(s any) bool {
	f, ok := s.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// exactly checks the number of arguments and says what is wanted.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("want %s; got %d argument(s)", what, len(args))
		}
		return nil
	}
}

// group is a noun whose verbs are its commands.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("there is no command %q of %s", args[0], use)
		}
		return nil
	}, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(verbs...)
	return c
}
