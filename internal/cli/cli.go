// Package cli is the command line: sextant <noun> <verb>.
//
// What it prints on standard output is for people, or JSON with --json; progress
// goes to standard error. Exit codes are part of the interface: 0 done, 1 failed,
// 2 wrong usage, 3 not found, 4 refused, 5 unavailable.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/cli/language"
	"sextant/internal/cli/upkeep"
	"sextant/internal/cli/worker"
	"sextant/internal/terminal/screen"
	"sextant/sdk/go/client"
)

// Streams are what a command reads and writes.
type Streams = command.Streams

// app is what all commands share.
type app struct {
	command.Session
	version string
	raw     bool
	target  target
}

// Run runs a command line and gives the exit code.
func Run(ctx context.Context, s Streams, version string, args []string) int {
	a := &app{Session: command.Session{Streams: s}, version: version}
	a.Out = a.guarded(s.Out)
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return command.ExitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(a.guarded(s.Err), "sextant:", text)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var refused *client.Error
	var wrong command.UsageError
	var ended command.Outcome
	switch {
	case errors.As(err, &ended):
		return ended.Code
	case errors.As(err, &wrong), strings.HasPrefix(err.Error(), "unknown command"),
		strings.HasPrefix(err.Error(), "unknown flag"), strings.HasPrefix(err.Error(), "required flag"):
		return command.ExitUsage
	case errors.Is(err, client.ErrUnreachable):
		return command.ExitUnavailable
	case !errors.As(err, &refused):
		return command.ExitFailed
	}
	switch s := refused.Status; {
	case s == 404:
		return command.ExitNotFound
	case s == 503 || s == 507 || s == 429:
		return command.ExitUnavailable
	case s < 500:
		return command.ExitRefused
	}
	return command.ExitFailed
}

func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use: "sextant", Short: "Operate everything through one door",
		Long: "Sextant turns scripts, playbooks and plugins into services on your objects, " +
			"joins services into processes, and starts them through one door." + command.ExitHelp,
		SilenceUsage: true, SilenceErrors: true, Version: a.version,
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return command.UsageError{Err: err} })
	c.PersistentFlags().BoolVar(&a.JSON, "json", false, "write JSON for programs")
	c.PersistentFlags().BoolVar(&a.raw, "raw", false, "send control characters of output to the terminal as they come")
	a.target.flags(c)
	tools := &language.Tools{Session: &a.Session}
	c.AddCommand(a.localCmds()...)
	c.AddCommand(a.loginCmd(), a.processCmd(), a.runCmd(), a.runsCmd(), a.incidentCmd(),
		a.taskCmd(), a.messageCmd(), a.signalCmd(),
		upkeep.Events(a.remote()), upkeep.Retention(a.remote()), worker.Jobs(a.remote()),
		a.objectCmd(), a.connectionCmd(), a.stopCmd(), a.pluginCmd(),
		a.configCmd(), a.fileCmd(), a.tokenCmd(), tools.Feel(), tools.Decision(a.decisionDeployCmd(), a.decisionListCmd(), a.decisionAskCmd()))
	explain(c)
	return c
}

// explain puts the exit codes into the help of every command.
func explain(c *cobra.Command) {
	if c.Long == "" {
		c.Long = c.Short + "." + command.ExitHelp
	}
	for _, sub := range c.Commands() {
		explain(sub)
	}
}

// remote is what commands in rooms of their own share.
func (a *app) remote() command.Remote {
	return command.Remote{Session: &a.Session, Client: a.target.client, Project: func() string { return a.target.project }}
}

func (a *app) cut(next, how string) { a.remote().Cut(next, how) }

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
