// Package language has the commands that work on FEEL and DMN on this machine, without
// a server.
package language

import "sextant/internal/cli/command"

// Tools are the commands.
type Tools struct{ *command.Session }
