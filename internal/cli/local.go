//go:build !windows

package cli

import (
	"github.com/spf13/cobra"

	"sextant/internal/cli/local"
)

func (a *app) local() local.Commands {
	return local.Commands{Session: &a.Session, Version: a.version, Screen: a.screen}
}

// localCmds run a server or work on the folder of a stopped one.
func (a *app) localCmds() []*cobra.Command { return a.local().All() }

// localRunsCmds are those below runs.
func (a *app) localRunsCmds() []*cobra.Command { return a.local().Runs() }
