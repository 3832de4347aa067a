package localproc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
)

const (
	listenVariable = "SEXTANT_LISTEN"
	startTimeout   = time.Minute
	stopGrace      = 10 * time.Second
	pollEvery      = 25 * time.Millisecond
	busyTries      = 40
	killTimeout    = 10 * time.Second // until a killed process has to be gone
)

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// ValidName reports whether a process may have a name.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// Process is what is to run.
type Process struct {
	// Name is the process's own: lower-case letters, digits, _ . and -.
	Name string
	// Path is the program, an absolute path; Args are its arguments without the program.
	Path string
	Args []string
	// Env is the whole environment; nothing of the platform's is added but
	// SEXTANT_LISTEN.
	Env []string
	// Dir is the folder to run in; empty for the platform's.
	Dir string
	// Listen asks for a free port on the loopback, which the process is told as
	// SEXTANT_LISTEN=127.0.0.1:port and on which it has to answer GET /healthz.
	Listen bool
}

// State is a process that runs.
type State struct {
	Name string
	Pid  int
	// Started is when it was started, in hundredths of a second since the boot,
	// and Boot which boot that is: together with Pid they name one process for ever.
	Started uint64
	Boot    string
	// Address is where it listens; empty where it was not asked to.
	Address string
	// Since is when it was started, by the clock.
	Since time.Time
}

// Options say where the driver keeps what it has to keep. RunDir, LogDir and
// Clock are needed.
type Options struct {
	RunDir, LogDir string
	Clock          clock.Clock
	Log            *slog.Logger
	// StartTimeout is how long a process may take until it answers; a minute where
	// it is 0.
	StartTimeout time.Duration
	// StopGrace is how long a process that is replaced may take to end; 10 seconds
	// where it is 0.
	StopGrace time.Duration
}

// Driver runs processes. It is safe for concurrent use. For each process that it
// has started it keeps one goroutine, which ends with the process.
type Driver struct {
	Options
	client *http.Client

	mu       sync.Mutex
	turns    map[string]chan struct{} // one token per name
	children map[int]*child           // processes of which this one is the parent
}

// child is a process that this one has started and not yet seen the end of.
type child struct {
	started uint64
	done    chan struct{}
	err     error // how it ended, once done is closed
}

// New makes a driver and its folders.
func New(o Options) (*Driver, error) {
	if o.Clock == nil || o.RunDir == "" || o.LogDir == "" {
		return nil, errors.New("localproc: RunDir, LogDir and Clock are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.StartTimeout <= 0 {
		o.StartTimeout = startTimeout
	}
	if o.StopGrace <= 0 {
		o.StopGrace = stopGrace
	}
	for _, dir := range []string{o.RunDir, o.LogDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("localproc: %w", err)
		}
	}
	transport := &http.Transport{DisableKeepAlives: true}
	return &Driver{
		Options: o, turns: map[string]chan struct{}{}, children: map[int]*child{},
		client: &http.Client{Transport: transport, Timeout: 2 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}, nil
}

// turn waits until nobody else works on a name.
func (d *Driver) turn(ctx context.Context, name string) (release func(), err error) {
	if !namePattern.MatchString(name) {
		return nil, errs.New(errs.Invalid, "localproc.name",
			"%q is no name of a process: lower-case letters, digits, _ . and - are possible, at most 64", name)
	}
	d.mu.Lock()
	t := d.turns[name]
	if t == nil {
		t = make(chan struct{}, 1)
		d.turns[name] = t
	}
	d.mu.Unlock()
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("localproc: wait for work on %s: %w", name, context.Cause(ctx))
	}
}

// Ensure starts a process unless it runs, and waits until it answers. One that
// runs with another program or other arguments is replaced, and so is one that
// does not answer within StartTimeout. Whoever comes while another waits for the
// same name gets the same process. When ctx ends first, the process goes on
// starting, and the next Ensure finds it.
func (d *Driver) Ensure(ctx context.Context, p Process) (State, error) {
	release, err := d.turn(ctx, p.Name)
	if err != nil {
		return State{}, err
	}
	defer release()
	f, err := fileOf(p.Path)
	if err == nil && !filepath.IsAbs(p.Path) {
		err = fmt.Errorf("%s is no absolute path", p.Path)
	}
	if err != nil {
		return State{}, errs.Wrap(err, errs.Invalid, "localproc.program", "the program of "+p.Name+" cannot be run")
	}
	r, ok, err := d.running(p.Name)
	if err != nil {
		return State{}, err
	}
	if ok {
		r, ok, err = d.keep(ctx, p, f, r)
		if err != nil || ok {
			return r.state(), err
		}
	}
	r, from, err := d.start(ctx, p, f)
	if err != nil {
		return State{}, err
	}
	if err = d.answers(ctx, r); err == nil || ctx.Err() != nil {
		return r.state(), err
	}
	failure := errs.Wrap(err, errs.Unavailable, "localproc.start", fmt.Sprintf("%s does not run; %s", p.Name, d.tail(p.Name, from)))
	return State{}, errors.Join(failure, d.end(context.WithoutCancel(ctx), r, d.StopGrace))
}

// keep finds out whether a process that runs will do, and ends it if not.
func (d *Driver) keep(ctx context.Context, p Process, f file, r record) (record, bool, error) {
	if r.fits(p, f) {
		if err := d.save(r); err != nil { // an intent that was found becomes a record
			return r, false, err
		}
		if err := d.rotate(p.Name); err != nil {
			d.Log.WarnContext(ctx, "a log was not put aside", "process", p.Name, "err", err)
		}
		err := d.answers(ctx, r)
		if err == nil {
			return r, true, nil
		}
		if ctx.Err() != nil {
			return r, false, err
		}
		d.Log.WarnContext(ctx, "a process does not answer and is replaced", "process", p.Name, "pid", r.Pid, "err", err)
	} else {
		d.Log.InfoContext(ctx, "a process is replaced by another version", "process", p.Name, "pid", r.Pid)
	}
	return r, false, d.end(ctx, r, d.StopGrace)
}

// Find gives the process of a name if it runs.
func (d *Driver) Find(name string) (State, bool, error) {
	if !namePattern.MatchString(name) {
		return State{}, false, nil
	}
	r, ok, err := d.running(name)
	if err != nil || !ok {
		return State{}, false, err
	}
	return r.state(), true, nil
}

// List gives all processes that run, by name.
func (d *Driver) List() ([]State, error) {
	names, err := d.names()
	if err != nil {
		return nil, fmt.Errorf("localproc: %w", err)
	}
	var out []State
	for _, name := range names {
		s, ok, err := d.Find(name)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// Stop ends a process and what it has started in its group: SIGTERM, and SIGKILL
// after grace. A process that does not run is no error.
func (d *Driver) Stop(ctx context.Context, name string, grace time.Duration) error {
	release, err := d.turn(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	r, ok, err := d.running(name)
	if err != nil {
		return err
	}
	if !ok {
		return d.forget(name)
	}
	return d.end(ctx, r, grace)
}
