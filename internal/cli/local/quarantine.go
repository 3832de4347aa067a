//go:build !windows

package local

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/kit/clock"
	"sextant/internal/server"
)

// quarantineCmd works on the folder of a stopped server: a run that takes the
// server down cannot be asked for over the API.
func (a Commands) quarantineCmd() *cobra.Command {
	var s command.Settings
	var reason string
	var drop bool
	c := &cobra.Command{
		Use: "quarantine <run>", Short: "Set a run aside, on the data folder of a stopped server",
		Long: "Sets a run aside in the data folder of a server that does not run: " +
			"the next start leaves it alone, and an incident tells. Retry the incident to take the run up, or cancel the run. " +
			"With --drop the next start ends it. A server does the same by itself with a run at which it died twice in a row." + command.ExitHelp,
		Args: command.Exactly(1, "the key of a run"),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || key <= 0 {
				return command.Usage("%q is no key of a run", args[0])
			}
			l, err := s.Load(c)
			if err != nil {
				return err
			}
			o := server.Options{Config: l.Config, Clock: clock.Real{}, Log: a.quiet()}
			if err := server.Quarantine(c.Context(), o, key, reason, drop); err != nil {
				return err
			}
			return a.Show(map[string]any{"run": args[0], "dropped": drop}, func(w io.Writer) {
				next := "The next start leaves the run alone."
				if drop {
					next = "The next start ends the run."
				}
				fmt.Fprintln(w, next)
			})
		},
	}
	s.Flags(c, "data", "database")
	c.Flags().StringVar(&reason, "reason", "an operator set it aside while the server was stopped", "why; the incident says it")
	c.Flags().BoolVar(&drop, "drop", false, "end the run at the next start")
	return c
}
