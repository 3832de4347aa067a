//go:build !windows

// Package local has the commands that run a server, or work on the folder of one that
// is stopped. They are not in the program for Windows.
package local

import (
	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/terminal/live"
)

// Commands makes these commands.
type Commands struct {
	*command.Session
	Version string
	// Screen tells whether people read what is drawn, and how large their terminal is.
	Screen func() (bool, live.Size)
}

// All gives all of them but those of Runs.
func (a Commands) All() []*cobra.Command {
	return []*cobra.Command{a.serverCmd(), a.recoverCmd(), a.upgradeCmd(),
		a.databaseCmd(), a.demoCmd(), a.pluginHostCmd(), a.demoHostCmd(), a.demoBalancerCmd(), a.demoAppCmd()}
}

// Runs gives those about single runs.
func (a Commands) Runs() []*cobra.Command { return []*cobra.Command{a.quarantineCmd()} }
