package ssh

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	dialTimeout       = 10 * time.Second
	sessionsPerConn   = 8 // sshd allows 10 by default
	idleClose         = 2 * time.Minute
	keepaliveInterval = 15 * time.Second
	sweepEvery        = time.Hour
)

// Target is a host with the keys that are known to be its own: lines as in
// authorized_keys or fingerprints SHA256:….
type Target struct {
	Address  string // host:port
	HostKeys []string
	// Control judges an address that is about to be dialled, after names were
	// resolved, as that of net.Dialer; nil lets all be. Its error is given back as it
	// is.
	Control func(network, address string, c syscall.RawConn) error `json:"-"`
	// Rule names what Control allows: a connection that was made under another one is
	// not used.
	Rule string
}

// Credential is how to log in. It is not printed.
type Credential struct {
	User       string
	Password   string
	PrivateKey string // PEM
	Passphrase string
}

// String hides everything but the user.
func (c Credential) String() string { return c.User + ":***" }

// GoString hides everything but the user.
func (c Credential) GoString() string { return c.String() }

// Pool keeps connections warm. It is safe for concurrent use; Close ends them.
type Pool struct {
	mu     sync.Mutex
	conns  map[string][]*conn
	dials  map[string]chan struct{} // under way; closed at their end
	swept  map[string]time.Time     // when old jobs were removed last, by address
	first  map[string]string        // kind of the key that a host with pinned fingerprints has shown
	closed bool
	done   chan struct{} // closed by Close
}

// NewPool makes an empty pool.
func NewPool() *Pool {
	return &Pool{conns: map[string][]*conn{}, dials: map[string]chan struct{}{},
		swept: map[string]time.Time{}, first: map[string]string{}, done: make(chan struct{})}
}

type conn struct {
	client *ssh.Client
	users  int
	room   int // sessions that the host takes
	idle   *time.Timer
	dead   bool
	stop   chan struct{}
}

// Close ends every connection; commands on the hosts go on.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		close(p.done)
	}
	p.closed = true
	for _, list := range p.conns {
		for _, c := range list {
			c.end()
		}
	}
	p.conns = map[string][]*conn{}
}

// end is called with the pool locked.
func (c *conn) end() {
	if !c.dead {
		c.dead = true
		close(c.stop)
		_ = c.client.Close() // it is given up anyway
	}
}

func poolKey(t Target, c Credential) string {
	sum := sha256.Sum256(
		[]byte(strings.Join(append([]string{t.Rule, t.Address, c.User, c.Password, c.PrivateKey, c.Passphrase}, t.HostKeys...), "\x00")))
	return string(sum[:])
}

// within bounds work that nobody's context covers, and ends with the pool.
func (p *Pool) within(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// pause waits; it reports false when the pool is closed.
func (p *Pool) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return false
	case <-timer.C:
		return true
	}
}

// use gives a connection that has room for a session; give back with the
// returned function, telling whether it is broken. One connection to a host is
// made at a time: sshd drops some of many that come at once.
func (p *Pool) use(ctx context.Context, t Target, cred Credential) (*conn, func(broken bool), error) {
	key := poolKey(t, cred)
	for {
		c, wait, err := p.take(key, t)
		switch {
		case err != nil:
			return nil, nil, err
		case c != nil:
			return c, p.release(key, c), nil
		case wait == nil:
			return p.connect(ctx, key, t, cred)
		}
		select {
		case <-ctx.Done():
			return nil, nil, &Error{Kind: Unreachable, Address: t.Address, Message: "the host did not answer in time"}
		case <-wait:
		}
	}
}

// take gives a connection with room, or what to wait for; neither means that
// the caller has to connect.
func (p *Pool) take(key string, t Target) (*conn, chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, &Error{Kind: Lost, Address: t.Address, Message: "the connections are being closed"}
	}
	for _, c := range p.conns[key] {
		if !c.dead && c.users < c.room {
			c.users++
			c.idle.Stop()
			return c, nil, nil
		}
	}
	if wait := p.dials[key]; wait != nil {
		return nil, wait, nil
	}
	p.dials[key] = make(chan struct{})
	return nil, nil, nil
}

func (p *Pool) connect(ctx context.Context, key string, t Target, cred Credential) (*conn, func(broken bool), error) {
	client, err := p.dial(ctx, key, t, cred)
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.dials[key])
	delete(p.dials, key)
	if err != nil {
		return nil, nil, err
	}
	if p.closed {
		_ = client.Close() // nobody uses it
		return nil, nil, &Error{Kind: Lost, Address: t.Address, Message: "the connections are being closed"}
	}
	c := &conn{client: client, users: 1, room: sessionsPerConn, stop: make(chan struct{})}
	c.idle = time.AfterFunc(idleClose, func() { p.drop(key, c, true) })
	c.idle.Stop()
	p.conns[key] = append(p.conns[key], c)
	go p.keepalive(key, c)
	return c, p.release(key, c), nil
}

// session opens a session. A warm connection may have died unnoticed: nothing
// was asked of it yet, so another one is tried. A host that takes no more
// sessions on a connection gets another connection.
func (p *Pool) session(ctx context.Context, t Target, cred Credential) (*ssh.Session, func(broken bool), error) {
	alone := false
	for again := true; ; again = false {
		c, release, err := p.use(ctx, t, cred)
		if err != nil {
			return nil, nil, err
		}
		session, err := open(ctx, c.client)
		if err == nil {
			return session, release, nil
		}
		var refused *ssh.OpenChannelError
		if errors.As(err, &refused) {
			others := p.full(c)
			release(others == 0)
			if others > 0 {
				continue
			}
			if !alone { // the last session may not be gone yet
				alone = true
				continue
			}
			return nil, nil, &Error{Kind: Lost, Address: t.Address, Message: "the host refuses sessions", Err: err}
		}
		release(true)
		if !again || ctx.Err() != nil {
			return nil, nil, &Error{Kind: Lost, Address: t.Address, Message: "the connection broke before the command began", Err: err}
		}
	}
}

// full notes that a connection takes no session more than those of its other
// users, and tells how many these are.
func (p *Pool) full(c *conn) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	others := c.users - 1
	c.room = min(c.room, max(others, 1))
	return others
}

// open waits for a session no longer than ctx, and no longer than for a
// connection.
func open(ctx context.Context, client *ssh.Client) (*ssh.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	type opened struct {
		session *ssh.Session
		err     error
	}
	done := make(chan opened, 1)
	go func() {
		s, err := client.NewSession()
		done <- opened{s, err}
	}()
	select {
	case o := <-done:
		return o.session, o.err
	case <-ctx.Done():
		return nil, ctx.Err() // the caller closes the connection, which ends the goroutine
	}
}

func (p *Pool) release(key string, c *conn) func(bool) {
	return func(broken bool) {
		if broken {
			p.drop(key, c, false)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		c.users--
		if c.users == 0 && !c.dead {
			c.idle.Reset(idleClose)
		}
	}
}

func (p *Pool) drop(key string, c *conn, onlyIdle bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if onlyIdle && c.users > 0 {
		return
	}
	c.end()
	p.conns[key] = slices.DeleteFunc(p.conns[key], func(o *conn) bool { return o == c })
	if len(p.conns[key]) == 0 {
		delete(p.conns, key)
	}
}

// keepalive finds out that a host is gone.
func (p *Pool) keepalive(key string, c *conn) {
	tick := time.NewTicker(keepaliveInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		select {
		case <-c.stop:
			return
		case err := <-answered:
			if err == nil {
				continue
			}
		case <-time.After(keepaliveInterval):
		}
		p.drop(key, c, false)
		return
	}
}

// sweepWord is "sweep" for a command that has to remove old jobs afterwards: the
// first on a host, and then one an hour.
func (p *Pool) sweepWord(address string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, ok := p.swept[address]; ok && time.Since(last) < sweepEvery {
		return "keep"
	}
	p.swept[address] = time.Now()
	return "sweep"
}
