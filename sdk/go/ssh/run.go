package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	firstPause   = 200 * time.Millisecond // between two tries; it doubles
	maxBackoff   = 5 * time.Second
	endWithin    = 30 * time.Second // for one try to end a command, besides its grace
	defaultGrace = 3 * time.Second
	maxGrace     = 5 * time.Minute
	frameMax     = 256 << 10 // bytes of a stream in one frame
	keptOfStream = 64 << 10  // bytes of a stream in the result
)

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
	// Grace is how long the command has to end by itself once it is to be ended;
	// zero is three seconds.
	Grace time.Duration
	// EndRest ends what the command leaves running when it ends by itself, before
	// its result is given; else that goes on.
	EndRest bool
	// Output takes live output of both streams; may be nil.
	Output io.Writer
	// Note takes a sentence when something keeps the command from being followed
	// or ended; may be nil.
	Note func(string)
	// Sending is called before anything is handed over that may run; an error
	// keeps it from being sent. May be nil.
	Sending func() error
	// Begun says that an earlier call may have handed the command over.
	Begun bool
	// Leave is the cause of a context whose end leaves the command running, so
	// that a later call with the key finds it; nil ends it always.
	Leave error
}

// Result is how a command ended. Stdout and Stderr hold at most 64 KiB each,
// the first and the last half of what there was; Cut says that a part is missing.
type Result struct {
	ExitCode       int
	Stdout, Stderr string
	Cut            bool
}

// Run runs a command and waits for its end, over as many connections as it
// takes. When ctx ends the command is ended on the host too: Timeout and
// Cancelled mean that none of its processes is left. Until that is proven Run
// tries on, whatever it takes, and gives up only when the pool is closed. A
// command that ended before it could be stopped gives its result.
func (p *Pool) Run(ctx context.Context, t Target, cred Credential, c Command) (Result, error) {
	if err := c.check(t.Address); err != nil {
		return Result{}, err
	}
	r := &running{pool: p, target: t, cred: cred, name: jobName(c.Key), c: c, load: pack(c), begun: c.Begun}
	for wait := firstPause; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		res, err := r.try(ctx)
		switch {
		case err == nil:
			return r.withoutRest(res)
		case ctx.Err() != nil && (r.begun || KindOf(err) != Unreachable || errors.Is(ctx.Err(), context.Canceled)):
			return r.ended(ctx)
		case !r.begun:
			return res, err
		case r.final(err):
			return res, r.certain(err)
		}
		r.note("the host cannot be reached; the script goes on there: " + err.Error())
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-p.done:
			timer.Stop()
			return Result{}, &Error{Kind: Unknown, Address: t.Address, Message: "nobody waits for the command any more; it goes on"}
		case <-timer.C:
		}
		timer.Stop()
	}
	return r.ended(ctx)
}

func (c Command) check(address string) error {
	for name := range c.Env {
		if err := CheckEnvName(name); err != nil {
			return &Error{Kind: Invalid, Address: address, Message: err.Error()}
		}
		if strings.ContainsRune(c.Env[name], 0) {
			return &Error{Kind: Invalid, Address: address, Message: fmt.Sprintf("the environment variable %s holds a NUL byte", name)}
		}
	}
	for _, s := range append([]string{c.Script, c.Dir}, c.Args...) {
		if strings.ContainsRune(s, 0) {
			return &Error{Kind: Invalid, Address: address, Message: "a script, an argument or the folder holds a NUL byte"}
		}
	}
	if c.Key == "" {
		return &Error{Kind: Invalid, Address: address, Message: "the command has no key"}
	}
	return nil
}

type running struct {
	pool   *Pool
	target Target
	cred   Credential
	name   string
	c      Command
	load   load
	begun  bool // the payload may have reached the host
	seen   [2]int64
	said   string // the last note
}

// note tells what is the matter, once as long as it stays the same.
func (r *running) note(text string) {
	if r.c.Note != nil && text != r.said {
		r.said = text
		r.c.Note(text)
	}
}

// final reports whether an error of a command that may have begun will not go
// away by itself.
func (r *running) final(err error) bool {
	switch KindOf(err) {
	case Lost, Refused, Unreachable:
		return false
	}
	return true
}

// certain tells an error from before the command from one of which nobody knows.
func (r *running) certain(err error) error {
	var e *Error
	if errors.As(err, &e) && e.CertainlyNotRun() && e.Kind != Disk {
		return &Error{Kind: Unknown, Address: r.target.Address,
			Message: "the command may have begun, and the host cannot be asked any more", Err: err}
	}
	return err
}

// ended stops the command on the host after ctx has ended.
func (r *running) ended(ctx context.Context) (Result, error) {
	kind, message := Timeout, "the command took too long"
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind, message = Cancelled, "the command was cancelled"
	}
	if r.c.Leave != nil && errors.Is(context.Cause(ctx), r.c.Leave) {
		return Result{}, &Error{Kind: Unknown, Address: r.target.Address, Message: "nobody waits for the command any more; it goes on"}
	}
	if !r.begun {
		return Result{}, &Error{Kind: kind, Address: r.target.Address, Message: message + " before it began; it did not run"}
	}
	for wait := firstPause; ; wait = min(2*wait, maxBackoff) {
		res, state, err := r.stop("all")
		switch state {
		case "done":
			return r.withoutRest(res)
		case "never":
			return Result{}, &Error{Kind: kind, Address: r.target.Address, Answered: true, Message: message + " before it began; it did not run"}
		case "ended":
			return res, &Error{Kind: kind, Address: r.target.Address, Answered: true, Message: message + "; none of its processes is left"}
		}
		r.note(err.Error())
		if !r.pool.pause(wait) {
			return Result{},
				&Error{Kind: Unknown, Address: r.target.Address, Message: "the command was to be ended, and that is not proven", Err: err}
		}
	}
}

// withoutRest ends what a command that has ended left, where that is wanted.
func (r *running) withoutRest(res Result) (Result, error) {
	for wait := firstPause; r.c.EndRest; wait = min(2*wait, maxBackoff) {
		_, _, err := r.stop("rest")
		if err == nil {
			break
		}
		r.note("the script has ended, and what it left is not: " + err.Error())
		if !r.pool.pause(wait) {
			return res,
				&Error{Kind: Unknown, Address: r.target.Address, Message: "what the command left was to be ended, and that is not proven", Err: err}
		}
	}
	return res, nil
}

// stop tries once to end the command, or the rest of it. Its state is done, never
// or ended, or an error says why it is not known.
func (r *running) stop(what string) (res Result, state string, err error) {
	grace := r.c.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	grace = min(max(grace, 0), maxGrace)
	ctx, cancel := r.pool.within(endWithin + grace)
	defer cancel()
	tenths := strconv.FormatInt(grace.Milliseconds()/100, 10)
	words, err := r.pool.ask(ctx, r.target, r.cred, "", endScript, r.name, tenths, what)
	if err != nil {
		return res, "", fmt.Errorf("the host cannot be reached; still trying to stop the script: %w", err)
	}
	switch words[0] {
	case "never":
		return res, words[0], nil
	case "ended":
		if what == "rest" {
			return res, words[0], nil
		}
		return r.last(ctx), words[0], nil
	case "done":
		if res, err = r.try(ctx); err == nil {
			return res, words[0], nil
		}
		return res, "", fmt.Errorf("the script has ended; still trying to get its result: %w", err)
	case "alive":
		return res, "", fmt.Errorf("these processes of the script do not end, still trying to stop them: %.500s", strings.Join(words[1:], " "))
	case "disk":
		return res, "", fmt.Errorf("the host cannot store that the script is to stop; still trying: is its disk full or read-only?")
	}
	return res, "", fmt.Errorf("the host answers %.200q; still trying to stop the script", strings.Join(words, " "))
}

// last is the output of a command that was stopped, with what it wrote after it was
// told to end.
func (r *running) last(ctx context.Context) Result {
	for wait := firstPause; ; wait = min(2*wait, maxBackoff) {
		res, err := r.try(ctx)
		if err == nil || r.final(err) {
			return res
		}
		if ctx.Err() != nil || !r.pool.pause(wait) {
			r.note("the script was ended, and the end of its output cannot be read: " + err.Error())
			return res
		}
	}
}

// try runs the script on the host once, which begins the command or finds it.
func (r *running) try(ctx context.Context) (Result, error) {
	live := "quiet"
	if r.c.Output != nil {
		live = "live"
	}
	l := r.load
	d, _, err := r.pool.talk(ctx, r.target, r.cred, startScript, r.name, strconv.Itoa(len(l.blob)), l.sums[0], l.sums[1], l.sums[2],
		live, strconv.FormatInt(r.seen[0], 10), strconv.FormatInt(r.seen[1], 10), r.pool.sweepWord(r.target.Address), supervisor, l.kind)
	if err != nil {
		return Result{}, err
	}
	defer d.close()
	if !r.begun && r.c.Sending != nil {
		if err := r.c.Sending(); err != nil {
			return Result{}, &Error{Kind: Lost, Address: r.target.Address,
				Message: "the beginning of the command cannot be noted down, so it was not begun", Err: err}
		}
	}
	before := r.begun
	r.begun = true
	d.send(l.text, strings.NewReader(string(l.blob)))
	res, err := r.follow(d)
	var e *Error
	if errors.As(err, &e) && e.sure {
		r.begun = before
	}
	return res, err
}

// follow reads what the script on the host says until the command has ended.
func (r *running) follow(d *dialog) (Result, error) {
	fail := func(kind Kind, message string, cause error) (Result, error) {
		return Result{}, &Error{Kind: kind, Address: r.target.Address, Message: message, Err: cause}
	}
	sure := func(kind Kind, message string) (Result, error) {
		return Result{}, &Error{Kind: kind, Address: r.target.Address, Message: message, sure: true}
	}
	for {
		words, err := d.next()
		if err != nil {
			d.broken = true
			return fail(Lost, "the connection broke", err)
		}
		switch words[0] {
		case "live":
			err = r.live(d, words)
		case "done":
			return r.result(d, words)
		case "partial":
			return sure(Lost, "the connection broke before the command was handed over; it did not run")
		case "never":
			return sure(Lost, "the host did not begin the command, and will not")
		case "disk":
			return sure(Disk, "the host cannot store the job in $HOME/.sextant, so nothing ran: is its disk full, over a quota or read-only?")
		case "stopped":
			return r.stopped(d, words)
		case "gone":
			return fail(Unknown, "the command's process is gone and left no exit code", nil)
		default:
			return fail(Protocol, fmt.Sprintf("the host answers %.200q", strings.Join(words, " ")), nil)
		}
		if err != nil {
			d.broken = true
			return fail(Lost, "the connection broke", err)
		}
	}
}

// stopped is a command that was ended, by this call or an earlier one. What it
// wrote until its end is handed on like that of any other.
func (r *running) stopped(d *dialog, words []string) (Result, error) {
	res, err := r.result(d, words)
	if err != nil {
		return res, err
	}
	return res, &Error{Kind: Cancelled, Address: r.target.Address, Message: "the command was ended before"}
}

// live hands new output on.
func (r *running) live(d *dialog, words []string) error {
	n, err := numbers(words[1:], 2)
	if err != nil || n[0] > frameMax || n[1] > frameMax {
		return fmt.Errorf("the host announces %.100q", words)
	}
	for i := range n {
		took, err := io.CopyN(r.output(), d.in, n[i])
		if r.seen[i] += took; err != nil { // what was handed on already does not come again
			return err
		}
	}
	return nil
}

func (r *running) output() io.Writer {
	if r.c.Output == nil {
		return io.Discard
	}
	return deaf{r.c.Output}
}

// deaf writes for people: an error is not one of the command.
type deaf struct{ io.Writer }

// Write never fails.
func (d deaf) Write(b []byte) (int, error) {
	_, _ = d.Writer.Write(b)
	return len(b), nil
}

// numbers reads words that are none of them negative.
func numbers(words []string, count int) ([]int64, error) {
	if len(words) != count {
		return nil, fmt.Errorf("want %d numbers, got %.100q", count, words)
	}
	all := make([]int64, count)
	for i, w := range words {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%.100q is no size", w)
		}
		all[i] = n
	}
	return all, nil
}

// result reads how the command ended, and the kept parts of both streams.
func (r *running) result(d *dialog, words []string) (Result, error) {
	n, err := numbers(words[1:], 3)
	if err != nil {
		return Result{}, &Error{Kind: Protocol, Address: r.target.Address, Message: "the host tells no result", Err: err}
	}
	res := Result{ExitCode: int(n[0])}
	for i, into := range []*string{&res.Stdout, &res.Stderr} {
		size := n[i+1]
		data := make([]byte, min(size, keptOfStream))
		if _, err := io.ReadFull(d.in, data); err != nil {
			d.broken = true
			return Result{}, &Error{Kind: Lost, Address: r.target.Address, Message: "the connection broke", Err: err}
		}
		*into = string(data)
		if size > keptOfStream {
			half := keptOfStream / 2
			*into = fmt.Sprintf("%s\n… %d bytes left out …\n%s", data[:half], size-keptOfStream, data[half:])
			res.Cut = true
		}
		r.rest(i, data, size)
	}
	return res, nil
}

// rest gives the caller what live following has not shown, which is much only
// where it was more than is followed.
func (r *running) rest(i int, kept []byte, size int64) {
	if r.c.Output == nil || r.seen[i] >= size {
		return
	}
	if size <= keptOfStream {
		kept = kept[r.seen[i]:]
	} else if missing := size - r.seen[i]; missing <= keptOfStream/2 {
		kept = kept[int64(len(kept))-missing:]
	} else {
		_, _ = fmt.Fprintf(r.output(), "\n… %d bytes left out …\n", missing-keptOfStream/2) // it never fails
		kept = kept[keptOfStream/2:]
	}
	_, _ = r.output().Write(kept) // it never fails
	r.seen[i] = size
}
