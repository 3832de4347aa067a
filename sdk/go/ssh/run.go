package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	followEvery  = 300 * time.Millisecond
	followMax    = 2 * time.Second
	maxBackoff   = 5 * time.Second
	endWithin    = 10 * time.Second // for ending a command on the host
	streamLimit  = 64 << 20         // bytes of live output
	keptOfStream = 64 << 10         // bytes of a stream in the result
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Command is something to run on a host.
type Command struct {
	// Key names the work: the same key never runs twice on a host within a day.
	Key string
	// Script is run by sh, or by the interpreter that its first line names.
	Script string
	Args   []string
	Env    map[string]string
	Dir    string
	Stdin  string
	// Output takes live output of both streams; may be nil.
	Output io.Writer
	// Leave is the cause of a context whose end leaves the command running, so
	// that a later call with the key finds it; nil ends it always.
	Leave error
}

// Result is how a command ended. Stdout and Stderr hold at most 64 KiB each,
// the first and the last half of what there was.
type Result struct {
	ExitCode       int
	Stdout, Stderr string
}

// Run runs a command and waits for its end, over as many connections as it
// takes. When ctx ends the command is ended on the host too.
func (p *Pool) Run(ctx context.Context, t Target, cred Credential, c Command) (Result, error) {
	if err := c.check(t.Address); err != nil {
		return Result{}, err
	}
	r := &running{pool: p, target: t, cred: cred, name: jobName(c.Key), out: c.Output, leave: c.Leave}
	text, last := payload(c)
	wait := 200 * time.Millisecond
	for {
		res, sent, err := r.try(ctx, text, last)
		r.begun = r.begun || sent
		switch {
		case err == nil:
			return res, nil
		case KindOf(err) == Unreachable && !r.begun && !errors.Is(ctx.Err(), context.Canceled):
			return res, err
		case ctx.Err() != nil:
			return res, r.ended(ctx)
		case KindOf(err) == Lost && !r.begun:
			return res, err
		case KindOf(err) != Lost && !r.begun, KindOf(err) == Unknown, KindOf(err) == Protocol, KindOf(err) == Disk, KindOf(err) == HostKeyChanged, KindOf(err) == Auth:
			return res, r.certain(err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return Result{}, r.ended(ctx)
		case <-timer.C:
		}
		wait = min(2*wait, maxBackoff)
	}
}

func (c Command) check(address string) error {
	for name := range c.Env {
		if !envName.MatchString(name) {
			return &Error{Lost, address, fmt.Sprintf("%q is no name of an environment variable", name), nil}
		}
	}
	for _, s := range append([]string{c.Script, c.Dir, c.Stdin}, c.Args...) {
		if strings.ContainsRune(s, 0) {
			return &Error{Lost, address, "a script, argument or input holds a NUL byte", nil}
		}
	}
	if c.Key == "" {
		return &Error{Lost, address, "the command has no key", nil}
	}
	return nil
}

type running struct {
	pool   *Pool
	target Target
	cred   Credential
	name   string
	out    io.Writer
	leave  error
	begun  bool // the payload may have reached the host
	seen   [2]int64
}

// certain tells an error from before the command from one of which nobody knows.
func (r *running) certain(err error) error {
	var e *Error
	if r.begun && errors.As(err, &e) && e.CertainlyNotRun() && e.Kind != Disk {
		return &Error{Unknown, r.target.Address, "the command may have begun, and the host cannot be asked any more", err}
	}
	return err
}

// ended stops the command on the host after ctx has ended.
func (r *running) ended(ctx context.Context) error {
	kind, message := Timeout, "the command was ended: it took too long"
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind, message = Cancelled, "the command was cancelled and ended"
	}
	if r.leave != nil && errors.Is(context.Cause(ctx), r.leave) {
		return &Error{Unknown, r.target.Address, "nobody waits for the command any more; it goes on", nil}
	}
	if !r.begun {
		return &Error{kind, r.target.Address, "there was no time to begin the command", nil}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	if _, err := r.pool.exec(last, r.target, r.cred, shell(stop, r.name)); err != nil {
		return &Error{Unknown, r.target.Address, "the command was to be ended, but the host cannot be reached", err}
	}
	return &Error{kind, r.target.Address, message, nil}
}

// try runs the bootstrap once. sent tells whether the command may have begun.
func (r *running) try(ctx context.Context, text, last string) (res Result, sent bool, err error) {
	session, client, release, err := r.pool.session(ctx, r.target, r.cred)
	if err != nil {
		return res, false, err
	}
	broken := false
	defer func() { release(broken) }()
	defer session.Close()
	stopWatch := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stopWatch()
	session.Stdin = strings.NewReader(text)
	stdout, err := session.StdoutPipe()
	if err != nil {
		return res, false, err
	}
	if err := session.Start(shell(bootstrap, r.name, last, sizeWord(text), r.pool.sweepWord(r.target.Address))); err != nil {
		broken = true
		return res, false, &Error{Lost, r.target.Address, "the connection broke before the command began", err}
	}
	stopLive := r.live(ctx, client)
	done := make(chan answer, 1)
	go func() { done <- r.answer(bufio.NewReader(stdout)) }()
	var got answer
	select {
	case got = <-done:
	case <-ctx.Done(): // the channel ends once the command is ended
		stopLive()
		return Result{}, true, context.Cause(ctx)
	}
	stopLive()
	if got.err != nil {
		broken = KindOf(got.err) == Lost
		return Result{}, true, got.err
	}
	for i, t := range got.tails {
		r.rest(i, t.kept, t.size)
	}
	return got.res, true, nil
}

// sizeWord tells the bootstrap how to take a payload.
func sizeWord(text string) string {
	if len(text) <= maxSmall {
		return "small"
	}
	return "large"
}

// answer is what the bootstrap says at the end.
type answer struct {
	res   Result
	tails [2]tail
	err   error
}

// tail is the kept part of a stream and how long the stream was.
type tail struct {
	kept []byte
	size int64
}

func (r *running) answer(in *bufio.Reader) (a answer) {
	a.res, a.tails, a.err = r.read(in)
	return a
}

func (r *running) read(in *bufio.Reader) (res Result, tails [2]tail, err error) {
	fail := func(kind Kind, message string, cause error) (Result, [2]tail, error) {
		return Result{}, tails, &Error{kind, r.target.Address, message, cause}
	}
	line, err := in.ReadString('\n')
	if err != nil {
		return fail(Lost, "the connection broke", err)
	}
	var state string
	var code int
	var sizes [2]int64
	if _, err := fmt.Sscanf(line, "SEXTANT %s %d %d %d", &state, &code, &sizes[0], &sizes[1]); err != nil || sizes[0] < 0 || sizes[1] < 0 {
		return fail(Protocol, fmt.Sprintf("the host answered %.200q: is its shell a POSIX shell that prints nothing at log-in?", line), nil)
	}
	switch state {
	case "partial":
		return fail(Lost, "the connection broke before the command began", nil)
	case "disk":
		return fail(Disk, "the host cannot store the job in $HOME/.sextant: is its disk full or read-only?", nil)
	case "unknown":
		return fail(Unknown, "the command's process is gone and left no exit code", nil)
	}
	res = Result{ExitCode: code}
	for i, into := range []*string{&res.Stdout, &res.Stderr} {
		kept := min(sizes[i], keptOfStream)
		data := make([]byte, kept)
		if _, err := io.ReadFull(in, data); err != nil {
			return fail(Lost, "the connection broke", err)
		}
		*into = string(data)
		if sizes[i] > keptOfStream {
			half := keptOfStream / 2
			*into = fmt.Sprintf("%s\n… %d bytes left out …\n%s", data[:half], sizes[i]-keptOfStream, data[half:])
		}
		tails[i] = tail{data, sizes[i]}
	}
	return res, tails, nil
}

// rest gives the caller what live following has not shown yet.
func (r *running) rest(i int, kept []byte, size int64) {
	if r.out == nil || r.seen[i] >= size {
		return
	}
	if size <= keptOfStream {
		kept = kept[r.seen[i]:]
	} else if missing := size - r.seen[i]; missing <= keptOfStream/2 {
		kept = kept[int64(len(kept))-missing:]
	} else {
		_, _ = fmt.Fprintf(r.out, "\n… %d bytes left out …\n", missing-keptOfStream/2) // live output is for people
		kept = kept[keptOfStream/2:]
	}
	_, _ = r.out.Write(kept) // live output is for people, the result for the run
	r.seen[i] = size
}

// live follows the output until the returned function is called.
func (r *running) live(ctx context.Context, client *ssh.Client) func() {
	if r.out == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for wait := followEvery; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			before := r.seen[0] + r.seen[1]
			if before > streamLimit || !r.followOnce(ctx, client) {
				return
			}
			// A command that says nothing is asked less and less often.
			if wait = min(2*wait, followMax); r.seen[0]+r.seen[1] > before {
				wait = followEvery
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

func (r *running) followOnce(ctx context.Context, client *ssh.Client) bool {
	out, err := output(ctx, client, shell(follow, r.name, strconv.FormatInt(r.seen[0], 10), strconv.FormatInt(r.seen[1], 10)))
	if err != nil {
		return ctx.Err() == nil
	}
	head, data, _ := strings.Cut(string(out), "\n")
	var n [2]int64
	if _, err := fmt.Sscanf(head, "%d %d", &n[0], &n[1]); err != nil || n[0]+n[1] != int64(len(data)) {
		return true
	}
	_, _ = io.WriteString(r.out, data) // live output is for people
	r.seen[0] += n[0]
	r.seen[1] += n[1]
	return true
}

// output runs a short command of our own.
func output(ctx context.Context, client *ssh.Client, command string) ([]byte, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	defer session.Close()
	done := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer done()
	return session.Output(command)
}

func (p *Pool) exec(ctx context.Context, t Target, cred Credential, command string) ([]byte, error) {
	session, _, release, err := p.session(ctx, t, cred)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	done := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer done()
	out, err := session.Output(command)
	var exit *ssh.ExitError
	release(err != nil && !errors.As(err, &exit))
	return out, err
}
