//go:build !windows

package local

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/server"
)

// upgradeCmd tells what the next start of this program would migrate. The start
// itself migrates: there is nothing else to run.
func (a Commands) upgradeCmd() *cobra.Command {
	var s command.Settings
	var check bool
	c := &cobra.Command{
		Use: "upgrade", Short: "What a start of this program would migrate in a data folder",
		Long: "With --check: reads which versions the tables of a data folder have, " +
			"beside those of this program, and tells what a start would migrate, what it would copy before, and the room that the copy needs. " +
			"It changes nothing and works while a server uses the folder. A start of the server migrates by itself.\n\nExit codes: 0 " +
			"there is nothing to migrate, 1 it cannot be read, 2 wrong usage, 4 this program would refuse the folder, 10 a start would migrate it.",
		Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if !check {
				return command.Usage("a start of the server migrates by itself: sextant upgrade --check tells what it would do")
			}
			l, err := s.Load(c)
			if err != nil {
				return err
			}
			u, err := server.CheckUpgrade(c.Context(), l.Config)
			if err != nil {
				return err
			}
			if err := a.Show(u, func(w io.Writer) { a.tellUpgrade(w, u) }); err != nil {
				return err
			}
			switch {
			case u.Refused != "":
				return command.Outcome{Code: command.ExitRefused}
			case u.Needed():
				return command.Outcome{Code: exitMigrates}
			}
			return nil
		},
	}
	s.Flags(c, "data", "database")
	c.Flags().BoolVar(&check, "check", false, "tell what a start would do; change nothing")
	return c
}

// exitMigrates is the exit code of a check that found something to do.
const exitMigrates = 10

func (a Commands) tellUpgrade(w io.Writer, u *server.Upgrade) {
	fmt.Fprintf(w, "folder  %s, format %d; this program, %s, writes format %d\n", u.Folder, u.Format, a.Version, u.Knows)
	for _, d := range u.Domains {
		if len(d.Pending) > 0 {
			fmt.Fprintf(w, "migrate  %s from %d to %d: %s\n", d.Domain, d.Now, d.Wanted, strings.Join(d.Pending, ", "))
		}
	}
	if len(u.Copies) > 0 {
		fmt.Fprintf(w, "copied before  %s, %d bytes; %d are free\n", strings.Join(u.Copies, ", "), u.Room, u.Free)
	}
	switch {
	case u.Refused != "":
		fmt.Fprintln(w, "This program would not start on the folder:", u.Refused)
	case !u.Needed():
		fmt.Fprintln(w, "There is nothing to migrate.")
	case u.Running:
		fmt.Fprintln(w, "A server uses the folder now. Stop it, make a backup, and start this program.")
	default:
		fmt.Fprintln(w, "Make a backup, and start this program.")
	}
}
