package localproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"sextant/internal/kit/errs"
)

// start begins a process. It gives its record and where its output begins.
func (d *Driver) start(ctx context.Context, p Process, f file) (record, int64, error) {
	r := record{Name: p.Name, Path: p.Path, Args: p.Args, Dir: p.Dir, File: f, Time: d.Clock.Now()}
	var err error
	if r.Boot, err = boot(); err != nil {
		return r, 0, err
	}
	if r.Started, err = uptime(); err != nil {
		return r, 0, err
	}
	if p.Listen {
		if r.Address, err = freeAddress(); err != nil {
			return r, 0, err
		}
	}
	if err := d.save(r); err != nil {
		return r, 0, fmt.Errorf("localproc: write that %s is started: %w", p.Name, err)
	}
	log, from, err := d.openLog(p.Name)
	if err != nil {
		return r, 0, errors.Join(fmt.Errorf("localproc: log of %s: %w", p.Name, err), d.forget(p.Name))
	}
	cmd, err := d.launch(ctx, p, r.Address, log)
	_ = log.Close() // the process has its own
	if err != nil {
		return r, 0,
			errors.Join(errs.Wrap(err, errs.Unavailable, "localproc.start", "the program of "+p.Name+" cannot be started"), d.forget(p.Name))
	}
	r, err = d.watch(cmd, r)
	return r, from, err
}

// launch begins a program. One that was written a moment ago may be busy: a
// process that is being started elsewhere in this one still has it open.
func (d *Driver) launch(ctx context.Context, p Process, address string, log *os.File) (*exec.Cmd, error) {
	for try := 0; ; try++ {
		cmd := exec.Command(p.Path, p.Args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, log, log
		cmd.Env = append([]string{}, p.Env...)
		if address != "" {
			cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, listenVariable+"=") })
			cmd.Env = append(cmd.Env, listenVariable+"="+address)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		err := cmd.Start()
		if !errors.Is(err, syscall.ETXTBSY) || try == busyTries {
			return cmd, err
		}
		next, cancel := d.Clock.After(pollEvery)
		select {
		case <-ctx.Done():
			cancel()
			return nil, context.Cause(ctx)
		case <-next:
		}
	}
}

// watch notes who the started process is and waits for its end in the background.
// Until the end is seen the pid cannot be given to another process.
func (d *Driver) watch(cmd *exec.Cmd, r record) (record, error) {
	s, ok, err := readStat(cmd.Process.Pid)
	if err == nil && !ok {
		err = errors.New("the process is gone before it was seen")
	}
	r.Pid, r.Started = cmd.Process.Pid, s.started
	if err == nil {
		err = d.save(r)
	}
	if err != nil { // nobody would find it again
		err = errors.Join(fmt.Errorf("localproc: note the process of %s: %w", r.Name, err), syscall.Kill(-r.Pid, syscall.SIGKILL))
	}
	c := &child{started: r.Started, done: make(chan struct{})}
	r.child = c
	d.mu.Lock()
	d.children[r.Pid] = c
	d.mu.Unlock()
	go func() {
		defer close(c.done)
		c.err = cmd.Wait()
		d.mu.Lock()
		if d.children[r.Pid] == c {
			delete(d.children, r.Pid)
		}
		d.mu.Unlock()
		d.Log.Info("a process has ended", "process", r.Name, "pid", r.Pid, "state", cmd.ProcessState.String())
	}()
	return r, err
}

// freeAddress finds a free port on the loopback.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("localproc: find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// answers waits until a process answers, or, where it does not listen, sees that
// it runs.
func (d *Driver) answers(ctx context.Context, r record) error {
	late, stop := d.Clock.After(d.StartTimeout)
	defer stop()
	c, why := d.childOf(r), errors.New("it was not asked yet")
	for {
		ok, err := r.alive()
		switch {
		case err != nil:
			return err
		case !ok:
			return c.ended()
		case r.Address == "":
			return nil
		}
		if why = d.healthy(ctx, r.Address); why == nil {
			return nil
		}
		next, cancel := d.Clock.After(pollEvery)
		select {
		case <-ctx.Done():
			cancel()
			return fmt.Errorf("localproc: wait for %s: %w", r.Name, context.Cause(ctx))
		case <-late:
			cancel()
			return fmt.Errorf("it has not answered GET /healthz within %v: %w", d.StartTimeout, why)
		case <-c.end():
			cancel()
		case <-next:
		}
	}
}

// childOf finds out whether this one is the parent of a process; nil if not.
func (d *Driver) childOf(r record) *child {
	if r.child != nil {
		return r.child
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.children[r.Pid]; c != nil && c.started == r.Started {
		return c
	}
	return nil
}

// end is closed once the process has ended; never for one of another parent.
func (c *child) end() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.done
}

// ended says how a process ended that runs no more.
func (c *child) ended() error {
	if c == nil {
		return errors.New("it has ended")
	}
	<-c.done // it ends this very moment
	if c.err != nil {
		return fmt.Errorf("it has ended: %w", c.err)
	}
	return errors.New("it has ended with exit status 0")
}

func (d *Driver) healthy(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // only the status matters
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers with the status %s", resp.Status)
	}
	return nil
}

// end stops a process whose record is known to be right: first kindly, after grace
// by force. The record goes once the process has.
func (d *Driver) end(ctx context.Context, r record, grace time.Duration) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, killTimeout}} {
		if err := d.signal(r, step.signal); err != nil {
			return err
		}
		gone, err := d.awaitEnd(ctx, r, step.wait)
		if err != nil {
			return err
		}
		if gone {
			return d.forget(r.Name)
		}
		d.Log.WarnContext(ctx, "a process did not end in time", "process", r.Name,
			"pid", r.Pid, "signal", step.signal.String(), "after", step.wait)
	}
	return errs.New(errs.Unavailable, "localproc.stop", "%s (pid %d) does not end, not even when killed", r.Name, r.Pid)
}

// signal reaches the group of a process, unless its pid belongs to another one.
func (d *Driver) signal(r record, s syscall.Signal) error {
	if other, err := r.recycled(); err != nil || other {
		return err
	}
	err := syscall.Kill(-r.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// awaitEnd waits until a process and its group are gone.
func (d *Driver) awaitEnd(ctx context.Context, r record, limit time.Duration) (bool, error) {
	late, stop := d.Clock.After(limit)
	defer stop()
	for {
		other, err := r.recycled()
		if err != nil {
			return false, err
		}
		if other || !groupRuns(r.Pid) {
			return true, nil
		}
		next, cancel := d.Clock.After(pollEvery)
		select {
		case <-ctx.Done():
			cancel()
			return false, fmt.Errorf("localproc: wait for the end of %s: %w", r.Name, context.Cause(ctx))
		case <-late:
			cancel()
			return false, nil
		case <-next:
		}
	}
}
