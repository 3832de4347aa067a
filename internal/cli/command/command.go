// Package command is what all commands of the command line share: what they read and
// write, how they say that they were used wrongly, and how they end.
package command

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
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

// ExitHelp tells the exit codes, at the end of every help.
const ExitHelp = `

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, 5 unavailable.`

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Session is one use of the command line.
type Session struct {
	Streams
	// JSON asks for answers that programs read.
	JSON bool
}

// Show writes a value as JSON, or as people read it.
func (s *Session) Show(v any, people func(w io.Writer)) error {
	if !s.JSON {
		w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
		people(w)
		return w.Flush()
	}
	e := json.NewEncoder(s.Out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// UsageError is wrong usage.
type UsageError struct{ Err error }

// Error says what was wrong.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e UsageError) Unwrap() error { return e.Err }

// Usage says that a command was used wrongly.
func Usage(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Outcome is an end that is neither success nor an error to explain further: the
// command has told already.
type Outcome struct{ Code int }

// Error says nothing more.
func (Outcome) Error() string { return "" }

// Exactly checks the number of arguments and says what is wanted.
func Exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return Usage("want %s; got %d argument(s)", what, len(args))
		}
		return nil
	}
}

// AtLeastOne wants arguments, however many.
func AtLeastOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Usage("want one or more %s", what)
		}
		return nil
	}
}

// Group is a noun whose verbs are its commands.
func Group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return Usage("there is no command %q of %s", args[0], use)
		}
		return nil
	}, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(verbs...)
	return c
}
