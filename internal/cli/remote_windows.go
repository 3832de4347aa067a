package cli

import (
	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
)

// localCmds are missing on Windows: the server rests on file locks, process groups
// and signals that it does not have. Whoever asks for one is told.
func (a *app) localCmds() []*cobra.Command {
	var all []*cobra.Command
	for _, name := range []string{"server", "recover", "upgrade", "database", "demo"} {
		all = append(all, &cobra.Command{
			Use: name, Short: "Not in the program for Windows, which is the command line alone", DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return command.Usage(
					"the program for Windows is the command line alone and has no %q: run the server on Linux and give its address with --url", name)
			},
		})
	}
	return all
}

// localRunsCmds are those below runs.
func (a *app) localRunsCmds() []*cobra.Command { return nil }
