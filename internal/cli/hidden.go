package cli

import "github.com/spf13/cobra"

// hiddenCmds are what the platform and its demo start by themselves.
func (a *app) hiddenCmds() []*cobra.Command {
	return []*cobra.Command{a.pluginHostCmd(), a.demoHostCmd(), a.demoBalancerCmd(), a.demoAppCmd()}
}
