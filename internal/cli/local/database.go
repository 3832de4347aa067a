//go:build !windows

package local

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/kit/clock"
	"sextant/internal/server"
)

func (a Commands) databaseCmd() *cobra.Command {
	c := &cobra.Command{Use: "database", Short: "The database of a stopped server"}
	c.AddCommand(a.databaseCopyCmd())
	return c
}

// databaseCopyCmd works on the folder of a stopped server.
func (a Commands) databaseCopyCmd() *cobra.Command {
	var s command.Settings
	c := &cobra.Command{
		Use: "copy <from> <to>", Short: "Copy the platform and its plugins to another database, while no server runs",
		Long: "Copies all that the platform and its built-in plugins keep in one database to another one, which has to be empty, " +
			"and compares counts and digests of each table. Each side is an address as in the setting database, or the word file for the SQLite " +
			"files in the data folder. No server may run on either. The data folder itself stays: start the server with it and the new database." +
			command.ExitHelp,
		Example: "  sextant database copy file postgres://sextant:password@db.example.com/sextant --data /var/lib/sextant",
		Args:    command.Exactly(2, "from where and to where"),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := s.Load(c)
			if err != nil {
				return err
			}
			all, err := server.CopyDatabase(c.Context(), server.Options{Config: l.Config, Clock: clock.Real{}, Log: a.quiet()}, args[0], args[1])
			if err != nil {
				return err
			}
			return a.Show(all, func(w io.Writer) {
				for _, of := range all {
					for _, t := range of.Tables {
						fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", of.Of, t.Name, t.Rows, t.Digest[:16])
					}
				}
				fmt.Fprintln(w, "Both sides are the same. Start the server with the new one as its setting database.")
			})
		},
	}
	s.Flags(c, "data")
	return c
}
