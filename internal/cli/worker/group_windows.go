package worker

import "os/exec"

// apart does nothing: the command alone is ended, and not what it started.
func apart(*exec.Cmd) {}

// endAll does nothing.
func endAll(*exec.Cmd) {}
