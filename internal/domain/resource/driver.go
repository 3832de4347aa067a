package resource

import (
	"context"
	"time"
)

// Driver runs instances in one kind of place: processes of this machine, containers
// of an engine, pods of a cluster. What it starts outlives the platform, is found
// again by its name, and is never mistaken for something else. All drivers pass the
// suite of resourcetest. A driver is safe for concurrent use.
//
//	Allocate ─► Create ─► Start ─► Observe, Logs ─► Stop
//	                        ▲                         │
//	                        └─────────────────────────┘
type Driver interface {
	// Allocate makes what an instance needs before it starts: its folder. What is
	// there already stays as it is.
	Allocate(ctx context.Context, s Spec) error
	// Create says what is to run under a name, in place of what was said before. It
	// starts and stops nothing. Secrets of the environment are stored nowhere, so that
	// whoever starts anew creates anew.
	Create(ctx context.Context, s Spec) error
	// Start brings what was created to run and returns once it answers. What runs
	// already is left alone if it is the same, and replaced if it is not. Returns
	// NotFound if nothing was created under the name, and Unavailable with the end of
	// the log if it does not come to run.
	Start(ctx context.Context, name string) (Instance, error)
	// Stop ends an instance, by force after grace. One that does not run is no error.
	Stop(ctx context.Context, name string, grace time.Duration) error
	// Observe tells how the instance of a name is, whoever has started it.
	Observe(ctx context.Context, name string) (Instance, error)
	// Logs gives what an instance wrote, at most limit bytes from a place on, and the
	// place where to read on. A place that is gone goes on at the beginning of what is
	// kept.
	Logs(ctx context.Context, name string, from int64, limit int) (Piece, error)
}

// Spec is what is to run.
type Spec struct {
	// Name is its own in the place: lower-case letters, digits, _ . and -.
	Name string
	// Program is the path of the program, Args its arguments.
	Program string
	Args    []string
	// Env is the whole environment but what tells it where to listen. It may hold
	// secrets.
	Env []string
	// Dir is the folder that it works in.
	Dir string
	// Listen asks for an address, on which it has to answer GET /healthz.
	Listen bool
}

// State is how an instance is.
type State string

// The states of an instance.
const (
	StateAbsent  State = "absent"  // nothing runs under the name
	StateRunning State = "running" // it runs; whether it answers, callers find out
)

// Instance is what runs under a name.
type Instance struct {
	Name  string
	State State
	// Key tells this one from every other that ever had the name.
	Key string
	// Address is where it answers; empty where it was not asked to listen.
	Address string
	// Since is when it was started.
	Since time.Time
}

// Piece is a part of a log.
type Piece struct {
	Data []byte
	Next int64
}
