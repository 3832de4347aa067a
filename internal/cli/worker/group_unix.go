//go:build unix

package worker

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// apart has a command begin a process group, so that what it starts ends with it: told
// to end when its context ends.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// endAll ends what is left of the group of a command that is over: it is told to end,
// and killed where it does not within a while.
func endAll(cmd *exec.Cmd) {
	if cmd.Process == nil {
		return
	}
	group := -cmd.Process.Pid
	if gone(syscall.Kill(group, syscall.SIGTERM)) {
		return
	}
	within, cancel := context.WithTimeout(context.Background(), endFor)
	defer cancel()
	for within.Err() == nil {
		pause(within, 20*time.Millisecond)
		if gone(syscall.Kill(group, 0)) {
			return
		}
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // gone by itself is as good
}

func gone(err error) bool { return errors.Is(err, syscall.ESRCH) }
