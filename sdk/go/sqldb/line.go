package sqldb

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// silence is how long a server that was asked something may say nothing before its
	// connection counts as broken. Migrations are waited for.
	silence = time.Minute
	// openTime is how long it may take until a connection can be used.
	openTime = 10 * time.Second
	// unheard is after how long a machine that confirms nothing counts as gone.
	unheard = 20 * time.Second
)

// lines make the connections to a server.
type lines struct{ silence time.Duration }

// line is a network connection on which nobody waits for ever: neither for a machine
// that is gone without a word, of which the system knows, nor for one that is there and
// does not answer.
type line struct {
	net.Conn
	silence time.Duration
	mu      sync.Mutex
	patient bool
	given   [2]time.Time // the driver's own deadlines: of reading and of writing
}

type (
	madeKey    struct{}
	patientKey struct{}
)

// patiently lets a statement take as long as it takes.
func patiently(ctx context.Context) context.Context {
	return context.WithValue(ctx, patientKey{}, true)
}

// dial makes a connection, and puts it where the one who opens it finds it.
func (l lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: giveUpUnheard,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: unheard / 2, Interval: unheard / 4, Count: 2}}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	made := &line{Conn: c, silence: l.silence}
	if into, ok := ctx.Value(madeKey{}).(**line); ok {
		*into = made
	}
	return made, nil
}

// wait says how a statement is waited for.
func (l *line) wait(ctx context.Context) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.patient, _ = ctx.Value(patientKey{}).(bool)
}

// Read waits for the server.
func (l *line) Read(p []byte) (int, error) {
	if err := l.await(0); err != nil {
		return 0, err
	}
	n, err := l.Conn.Read(p)
	return n, l.told(err)
}

// Write waits until the machine takes it.
func (l *line) Write(p []byte) (int, error) {
	if err := l.await(1); err != nil {
		return 0, err
	}
	n, err := l.Conn.Write(p)
	return n, l.told(err)
}

// errSilent says why a connection ended.
type errSilent struct {
	after time.Duration
	cause error
}

// Error says what happened.
func (e errSilent) Error() string {
	return "the database server said nothing for " + e.after.String() + ": " + e.cause.Error()
}

// Unwrap gives the cause.
func (e errSilent) Unwrap() error { return e.cause }

// told adds to an error that it was the silence which ended the wait.
func (l *line) told(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) && l.given[0].IsZero() {
		return errSilent{l.silence, err}
	}
	return err
}

// await sets the deadline of one way: the driver's, or that of the silence, whichever
// comes first.
func (l *line) await(way int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.given[way]
	if end := time.Now().Add(l.silence); !l.patient && (at.IsZero() || end.Before(at)) {
		at = end
	}
	if way == 0 {
		return l.Conn.SetReadDeadline(at)
	}
	return l.Conn.SetWriteDeadline(at)
}

// SetDeadline sets the driver's deadlines, which hold at once.
func (l *line) SetDeadline(at time.Time) error {
	return errors.Join(l.SetReadDeadline(at), l.SetWriteDeadline(at))
}

// SetReadDeadline sets that of reading.
func (l *line) SetReadDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given[0] = at
	return l.Conn.SetReadDeadline(at)
}

// SetWriteDeadline sets that of writing.
func (l *line) SetWriteDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given[1] = at
	return l.Conn.SetWriteDeadline(at)
}

// SyscallConn lets a driver find out whether the other side is still there.
func (l *line) SyscallConn() (syscall.RawConn, error) {
	c, ok := l.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return c.SyscallConn()
}
