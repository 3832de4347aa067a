package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	endWithin  = 12 * time.Second // applications drain for ten seconds
	pollEvery  = 20 * time.Millisecond
	afterKill  = 3 * time.Second
	statFields = 20 // of the start time, after the name in /proc/<pid>/stat
)

// process is one that may have ended long ago: another may have its number now,
// but not its start time too.
type process struct {
	PID     int    `json:"pid,omitempty"`
	Started string `json:"started,omitempty"`
}

// startTime is when the process with a number started, in the form of the
// system, and empty where there is none or it has ended. The scripts on the hosts
// write the same form.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil {
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < statFields || fields[0] == "Z" {
			return ""
		}
		return fields[statFields-1]
	}
	if _, err := os.Stat("/proc/self"); err == nil {
		return ""
	}
	out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "" // ps fails where there is no such process
	}
	return strings.TrimSpace(string(out))
}

func (p process) alive() bool { return p.PID > 0 && p.Started != "" && startTime(p.PID) == p.Started }

// appOf gives the process of the application in a home, as its pid file tells.
func appOf(home string) (process, error) {
	data, err := os.ReadFile(filepath.Join(home, "app.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return process{}, nil
	}
	if err != nil {
		return process{}, fmt.Errorf("stage: %w", err)
	}
	number, started, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return process{}, fmt.Errorf("stage: %s names no process: %w", filepath.Join(home, "app.pid"), err)
	}
	return process{pid, started}, nil
}

// launch starts a program in a session of its own, with its output in a file. It
// outlives the caller.
func launch(logFile, program string, args ...string) (process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return process{}, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir = filepath.Dir(logFile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return process{}, err
	}
	p := process{cmd.Process.Pid, startTime(cmd.Process.Pid)}
	go func() { _ = cmd.Wait() }() // so that it leaves no zombie while the caller lives
	return p, nil
}

// end asks processes to end, and those that do not are killed.
func end(all []process) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, p := range all {
			if !p.alive() {
				continue
			}
			if err := syscall.Kill(p.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stage: process %d cannot be ended: %w", p.PID, err)
			}
		}
		limit := endWithin
		if signal == syscall.SIGKILL {
			limit = afterKill
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := poll(ctx, func() bool {
			for _, p := range all {
				if p.alive() {
					return false
				}
			}
			return true
		})
		cancel()
		if err == nil {
			return nil
		}
	}
	return errors.New("stage: a process does not end although it was killed")
}

// poll waits for a condition that another process brings about.
func poll(ctx context.Context, ok func() bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}
