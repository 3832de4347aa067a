package sshserver

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	outputAfterEnd = 30 * time.Second // for output that others still write once the shell has ended
	endByItself    = 10 * time.Second // after the channel has closed
	endAtStop      = 2 * time.Second  // after the server was told to end
	path           = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// signals are those that a client may send, and in which an end is told.
var signals = map[string]syscall.Signal{
	"ABRT": syscall.SIGABRT, "ALRM": syscall.SIGALRM, "FPE": syscall.SIGFPE,
	"HUP": syscall.SIGHUP, "ILL": syscall.SIGILL, "INT": syscall.SIGINT,
	"KILL": syscall.SIGKILL, "PIPE": syscall.SIGPIPE, "QUIT": syscall.SIGQUIT, "SEGV": syscall.SIGSEGV, "TERM": syscall.SIGTERM,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
}

// session serves one channel: it takes one command and tells how it ended.
func (s *server) session(ctx context.Context, c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		return // the client has gone
	}
	defer channel.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running *command
	ended := make(chan struct{})
	for r := range requests {
		ok, begun := false, false
		switch {
		case r.Type == "exec" && running == nil:
			if running, err = s.start(channel, text(r.Payload)); err != nil {
				s.log.WarnContext(ctx, "a command cannot be started", "err", err)
				break
			}
			ok, begun = true, true
		case r.Type == "signal" && running != nil:
			sig, known := signals[text(r.Payload)]
			ok = known && running.signal(sig) == nil
		}
		if r.WantReply {
			_ = r.Reply(ok, nil) // the client has gone if it fails
		}
		// Only now: a short command would close the channel before its start is told.
		if begun {
			s.wg.Go(func() { defer close(ended); running.wait(ctx) })
		}
	}
	cancel(errClosed)
	if running != nil {
		<-ended
	}
}

// errClosed is the cause of the end of a session whose channel has closed.
var errClosed = errors.New("the channel has closed")

// text reads the string at the beginning of a request; none is empty.
func text(payload []byte) string {
	var body struct {
		Text string
		Rest []byte `ssh:"rest"`
	}
	if ssh.Unmarshal(payload, &body) != nil {
		return ""
	}
	return body.Text
}

// command is a shell at work.
type command struct {
	cmd     *exec.Cmd
	channel ssh.Channel
	outputs [2]*os.File
	copied  chan struct{} // closed when both outputs have ended
}

func (s *server) start(channel ssh.Channel, line string) (*command, error) {
	c := &command{cmd: exec.Command("/bin/sh", "-c", line), channel: channel, copied: make(chan struct{})}
	c.cmd.Dir = s.Home
	c.cmd.Env = []string{"HOME=" + s.Home, "USER=" + s.User, "LOGNAME=" + s.User, "SHELL=/bin/sh", "PATH=" + path}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var ends [2]*os.File
	var err error
	for i := range ends {
		if c.outputs[i], ends[i], err = os.Pipe(); err != nil {
			return nil, err
		}
		defer ends[i].Close()
	}
	// These are files, so that Wait waits for the shell alone.
	c.cmd.Stdout, c.cmd.Stderr = ends[0], ends[1]
	stdin, err := c.cmd.StdinPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	go func() { // ends with the channel, which session closes
		_, _ = io.Copy(stdin, channel) // the command may read as little as it likes
		_ = stdin.Close()
	}()
	s.wg.Go(c.copy)
	return c, nil
}

func (c *command) close() {
	for _, f := range c.outputs {
		_ = f.Close() // nothing is written to it
	}
}

// copy hands the output on. Where nobody takes it any more it is read all the
// same, so that the command can end by itself.
func (c *command) copy() {
	defer close(c.copied)
	var wg sync.WaitGroup
	for i, to := range []io.Writer{c.channel, c.channel.Stderr()} {
		wg.Go(func() {
			if _, err := io.Copy(to, c.outputs[i]); err != nil {
				_, _ = io.Copy(io.Discard, c.outputs[i]) // it ends when the files are closed
			}
		})
	}
	wg.Wait()
}

// wait waits for the end of the shell and of its output and tells the client.
// ctx ends when nobody waits for the command any more.
func (c *command) wait(ctx context.Context) {
	done := make(chan struct{})
	hung := make(chan struct{})
	go func() { defer close(hung); c.hangUp(ctx, done) }()
	err := c.cmd.Wait()
	close(done)
	<-hung
	timer := time.NewTimer(outputAfterEnd)
	defer timer.Stop()
	select {
	case <-c.copied:
	case <-ctx.Done():
	case <-timer.C:
	}
	c.close()
	c.tell(err)
	_ = c.channel.Close() // the client has gone if it fails
	<-c.copied
}

// hangUp ends the shell of a command for which nobody waits, unless it ends by
// itself.
func (c *command) hangUp(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	grace := endAtStop
	if errors.Is(context.Cause(ctx), errClosed) {
		grace = endByItself
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGKILL} {
		timer := time.NewTimer(grace)
		select {
		case <-done:
			timer.Stop()
			return
		case <-timer.C:
			_ = c.cmd.Process.Signal(sig) // it has ended if that fails
		}
		grace = endAtStop
	}
}

// tell sends how the shell ended.
func (c *command) tell(err error) {
	var exit *exec.ExitError
	state, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || err != nil && !errors.As(err, &exit) {
		return // a client that is told nothing knows that something went wrong
	}
	if !state.Signaled() {
		c.send("exit-status", ssh.Marshal(struct{ Status uint32 }{uint32(state.ExitStatus())}))
		return
	}
	name := state.Signal().String()
	for known, sig := range signals {
		if sig == state.Signal() {
			name = known
		}
	}
	c.send("exit-signal", ssh.Marshal(struct {
		Name     string
		Dumped   bool
		Message  string
		Language string
	}{Name: name, Dumped: state.CoreDump()}))
}

func (c *command) send(kind string, payload []byte) {
	_, _ = c.channel.SendRequest(kind, false, payload) // the client has gone if it fails
}

// signal sends a signal to the process group of the shell, as long as that runs.
func (c *command) signal(sig syscall.Signal) error {
	if err := c.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		return err
	}
	return syscall.Kill(-c.cmd.Process.Pid, sig)
}
