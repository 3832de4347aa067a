package command_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
)

func TestShow(t *testing.T) {
	t.Parallel()
	people := func(w io.Writer) { fmt.Fprint(w, "a\tbb\nccc\td\n") }
	for name, c := range map[string]struct {
		json bool
		want string
	}{
		"for-people":   {false, "a    bb\nccc  d\n"},
		"for-programs": {true, "{\n  \"n\": 1\n}\n"},
	} {
		var out strings.Builder
		s := command.Session{Streams: command.Streams{Out: &out}, JSON: c.json}
		if err := s.Show(map[string]int{"n": 1}, people); err != nil || out.String() != c.want {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
	s := command.Session{Streams: command.Streams{Out: io.Discard}, JSON: true}
	if err := s.Show(func() {}, people); err == nil {
		t.Error("what has no JSON form is shown")
	}
}

// Wrong usage is told as such, whatever it is wrapped in, so that it ends with the
// code of wrong usage.
func TestArguments(t *testing.T) {
	t.Parallel()
	three := command.Exactly(3, "three names")
	some := command.AtLeastOne("files")
	for name, c := range map[string]struct {
		check cobra.PositionalArgs
		args  []string
		says  string
	}{
		"exactly":      {three, []string{"a", "b", "c"}, ""},
		"too-few":      {three, []string{"a"}, "want three names; got 1 argument(s)"},
		"too-many":     {three, []string{"a", "b", "c", "d"}, "want three names; got 4 argument(s)"},
		"one-or-more":  {some, []string{"a"}, ""},
		"none-of-some": {some, nil, "want one or more files"},
	} {
		err := c.check(nil, c.args)
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var usage command.UsageError
		if !errors.As(fmt.Errorf("x: %w", err), &usage) || usage.Error() != c.says {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	cause := errors.New("cause")
	if !errors.Is(command.UsageError{Err: cause}, cause) {
		t.Error("the cause of wrong usage is lost")
	}
}

// A noun alone shows its verbs; a verb that it has not is wrong usage.
func TestGroup(t *testing.T) {
	t.Parallel()
	ran := 0
	group := func() (*cobra.Command, *strings.Builder) {
		verb := &cobra.Command{Use: "list", Short: "List them", RunE: func(*cobra.Command, []string) error { ran++; return nil }}
		c := command.Group("thing", "Things", verb)
		out := &strings.Builder{}
		c.SetOut(out)
		c.SetErr(out)
		c.SilenceErrors, c.SilenceUsage = true, true
		return c, out
	}
	c, out := group()
	c.SetArgs(nil)
	if err := c.Execute(); err != nil || !strings.Contains(out.String(), "List them") {
		t.Errorf("alone: %v, %q", err, out.String())
	}
	c, _ = group()
	c.SetArgs([]string{"list"})
	if err := c.Execute(); err != nil || ran != 1 {
		t.Errorf("its verb: %v, ran %d times", err, ran)
	}
	c, _ = group()
	c.SetArgs([]string{"lost"})
	var usage command.UsageError
	if err := c.Execute(); !errors.As(err, &usage) || !strings.Contains(err.Error(), `no command "lost" of thing`) {
		t.Errorf("another verb: %v", err)
	}
}

// The codes are interface: scripts count on them.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	got := []int{command.ExitOK, command.ExitFailed, command.ExitUsage, command.ExitNotFound, command.ExitRefused, command.ExitUnavailable}
	for i, name := range []string{"done", "failed", "wrong usage", "not found", "refused", "unavailable"} {
		if got[i] != i || !strings.Contains(command.ExitHelp, fmt.Sprintf("%d %s", i, name)) {
			t.Errorf("%s is %d, and the help says %q", name, got[i], command.ExitHelp)
		}
	}
}
