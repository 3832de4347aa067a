package language

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/lang/dmn/tck"
)

func (a *Tools) decisionTestCmd() *cobra.Command {
	var now string
	c := &cobra.Command{
		Use: "test <cases.xml> …", Short: "Run test cases of decision models",
		Long: "Runs files of test cases in the form of the DMN technology compatibility kit: " +
			"inputs, and what decisions and services have to give.\n" +
			"The model that a file names with <modelName> lies in the same folder. Ends with 1 where a case fails." + command.ExitHelp,
		Example: "  sextant decision test examples/decisions/change-risk-test.xml",
		Args:    command.AtLeastOne("files of test cases"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.decisionTest(args, now) },
	}
	c.Flags().StringVar(&now, "now", "", "the time that now() gives, such as 2026-01-31T12:00:00Z; else that of the clock")
	return c
}

// tested is what came of a result of a test case.
type tested struct {
	File   string `json:"file"`
	Case   string `json:"case"`
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Reason string `json:"reason,omitempty"`
}

func (a *Tools) decisionTest(files []string, now string) error {
	env, err := decisionEnv(now)
	if err != nil {
		return err
	}
	all, failed := []tested{}, 0
	for _, file := range files {
		dir, name := filepath.Split(filepath.Clean(file))
		if dir == "" {
			dir = "."
		}
		cases, m, err := tck.Load(os.DirFS(dir), name, time.LoadLocation)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err != nil {
			return err
		}
		for _, o := range tck.Run(m, cases, env) {
			t := tested{file, caseName(o.Case), o.Node.Name, o.Passed, ""}
			if !o.Passed {
				failed++
				t.Reason = o.Reason
				for _, w := range o.Warnings {
					t.Reason += "\n    " + w.Owner + ": " + w.Message
				}
			}
			all = append(all, t)
		}
	}
	err = a.Show(all, func(w io.Writer) {
		for _, t := range all {
			if t.Passed {
				fmt.Fprintf(w, "ok    %s: %s: %s\n", t.File, t.Case, t.Name)
				continue
			}
			fmt.Fprintf(w, "FAIL  %s: %s: %s: %s\n", t.File, t.Case, t.Name, t.Reason)
		}
		fmt.Fprintf(w, "%d of %d results as expected\n", len(all)-failed, len(all))
	})
	if err != nil {
		return err
	}
	if failed > 0 {
		return command.Outcome{Code: command.ExitFailed}
	}
	return nil
}

func caseName(c *tck.Case) string {
	if c.ID != "" {
		return c.ID
	}
	return fmt.Sprintf("line %d", c.Line)
}
