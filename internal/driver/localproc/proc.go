package localproc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// stat is what /proc/<pid>/stat says about a process.
type stat struct {
	state   string
	group   int
	session int
	started uint64 // ticks since the boot
}

// running reports whether the process is more than a remainder that waits for its
// parent.
func (s stat) running() bool { return s.state != "Z" && s.state != "X" && s.state != "x" }

// readStat reads about a process; ok is false where there is none.
func readStat(pid int) (s stat, ok bool, err error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return stat{}, false, nil
	}
	if err != nil {
		return stat{}, false, err
	}
	// The second field is the program's name in parentheses, which may hold
	// anything.
	end := bytes.LastIndexByte(data, ')')
	fields := strings.Fields(string(data[max(end, 0)+1:]))
	const first = 3 // number of the field that fields begins with
	if end < 0 || len(fields) <= 22-first {
		return stat{}, false, fmt.Errorf("/proc/%d/stat is not understood: %.200q", pid, data)
	}
	group, err1 := strconv.Atoi(fields[5-first])
	session, err2 := strconv.Atoi(fields[6-first])
	started, err3 := strconv.ParseUint(fields[22-first], 10, 64)
	return stat{fields[0], group, session, started}, true, errors.Join(err1, err2, err3)
}

// boot is the id of the machine's current boot.
func boot() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// uptime is how long the machine runs, in the ticks of /proc: hundredths of a
// second, whatever the kernel's own.
func uptime() (uint64, error) {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	seconds, _, _ := strings.Cut(string(data), " ")
	whole, fraction, _ := strings.Cut(seconds, ".")
	return strconv.ParseUint(whole+(fraction + "00")[:2], 10, 64)
}

// groupRuns reports whether a process group has members that are more than
// remainders.
func groupRuns(id int) bool {
	if errors.Is(syscall.Kill(-id, 0), syscall.ESRCH) {
		return false
	}
	if s, ok, err := readStat(id); err != nil || ok && s.running() {
		return true
	}
	found := false
	err := processes(func(_ int, s stat) bool {
		found = s.group == id && s.running()
		return !found
	})
	return found || err != nil
}

// processes goes through all processes until yield has enough.
func processes(yield func(pid int, s stat) bool) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, ok, err := readStat(pid); err == nil && ok && !yield(pid, s) {
			return nil
		}
	}
	return nil
}

// alive reports whether the very process of a record runs.
func (r record) alive() (bool, error) {
	if r.Pid <= 0 {
		return false, nil
	}
	now, err := boot()
	if err != nil || now != r.Boot {
		return false, err
	}
	s, ok, err := readStat(r.Pid)
	return ok && s.running() && s.started == r.Started, err
}

// recycled reports whether the pid of a record belongs to another process by now.
func (r record) recycled() (bool, error) {
	s, ok, err := readStat(r.Pid)
	return ok && s.started != r.Started, err
}

// search looks for the process that an intent has started: the leader of a session
// that began after it, with its program, arguments and address.
func (r record) search() (record, bool, error) {
	now, err := boot()
	if err != nil || now != r.Boot {
		return r, false, err
	}
	found := r
	err = processes(func(pid int, s stat) bool {
		if s.running() && s.session == pid && s.started >= r.Started && r.resembles(pid) {
			found.Pid, found.Started = pid, s.started
		}
		return found.Pid == 0
	})
	return found, found.Pid != 0, err
}

// resembles compares a process with what was to be started. A process that cannot
// be read is another user's and none of ours.
func (r record) resembles(pid int) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	command, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	// Before the program of a script stands what runs it.
	want := "\x00" + strings.Join(append([]string{r.Path}, r.Args...), "\x00") + "\x00"
	if err != nil || !strings.HasSuffix("\x00"+string(command), want) {
		return false
	}
	if r.Address == "" {
		return true
	}
	env, err := os.ReadFile(filepath.Join(dir, "environ"))
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+listenVariable+"="+r.Address+"\x00"))
}
