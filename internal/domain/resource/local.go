package resource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"sextant/internal/driver/localproc"
	"sextant/internal/kit/errs"
)

// Local is the driver of processes on this machine.
type Local struct {
	proc *localproc.Driver

	mu    sync.Mutex
	specs map[string]Spec // as created; never on the disk, for the sake of the secrets in them
}

// NewLocal makes the driver over one that runs processes.
func NewLocal(d *localproc.Driver) *Local { return &Local{proc: d, specs: map[string]Spec{}} }

// Allocate makes the folder of a process.
func (l *Local) Allocate(_ context.Context, s Spec) error {
	if s.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("resource: the folder of %s: %w", s.Name, err)
	}
	return nil
}

// Create keeps what is to run.
func (l *Local) Create(_ context.Context, s Spec) error {
	if !localproc.ValidName(s.Name) {
		return errs.New(errs.Invalid, "resource.name",
			"%q is no name of an instance: lower-case letters, digits, _ . and - are possible, at most 64", s.Name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.specs[s.Name] = s
	return nil
}

// Start brings a process to run.
func (l *Local) Start(ctx context.Context, name string) (Instance, error) {
	l.mu.Lock()
	s, ok := l.specs[name]
	l.mu.Unlock()
	if !ok {
		return Instance{},
			errs.New(errs.NotFound, "resource.not_created", "nothing was created under the name %q: create it, then start it", name)
	}
	state, err := l.proc.Ensure(ctx, localproc.Process{Name: s.Name, Path: s.Program, Args: s.Args, Env: s.Env, Dir: s.Dir, Listen: s.Listen})
	if err != nil {
		return Instance{}, err
	}
	return running(state), nil
}

// Stop ends a process.
func (l *Local) Stop(ctx context.Context, name string, grace time.Duration) error {
	return l.proc.Stop(ctx, name, grace)
}

// Observe finds a process.
func (l *Local) Observe(_ context.Context, name string) (Instance, error) {
	state, ok, err := l.proc.Find(name)
	if err != nil {
		return Instance{}, err
	}
	if !ok {
		return Instance{Name: name, State: StateAbsent}, nil
	}
	return running(state), nil
}

// Logs reads the log of a process.
func (l *Local) Logs(_ context.Context, name string, from int64, limit int) (Piece, error) {
	if from < 0 || limit < 1 {
		return Piece{}, errors.New("resource: a log is read from 0 or later, and at least one byte")
	}
	data, next, err := l.proc.ReadLog(name, from, limit)
	return Piece{data, next}, err
}

func running(s localproc.State) Instance {
	return Instance{Name: s.Name, State: StateRunning, Key: fmt.Sprintf("%s/%d/%d", s.Boot, s.Pid, s.Started),
		Address: s.Address, Since: s.Since}
}
