//go:build !windows

package cli

import "github.com/spf13/cobra"

// localCmds run a server or work on the folder of a stopped one.
func (a *app) localCmds() []*cobra.Command {
	return []*cobra.Command{a.serverCmd(), a.recoverCmd(), a.upgradeCmd(),
		a.databaseCmd(), a.demoCmd(), a.pluginHostCmd(), a.demoHostCmd(), a.demoBalancerCmd(), a.demoAppCmd()}
}

// localRunsCmds are those below runs.
func (a *app) localRunsCmds() []*cobra.Command { return []*cobra.Command{a.quarantineCmd()} }
