package ssh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	dialTimeout       = 15 * time.Second
	sessionsPerConn   = 4 // sshd allows 10 by default; each may have a second one that follows its output
	idleClose         = 2 * time.Minute
	keepaliveInterval = 15 * time.Second
	sweepEvery        = time.Hour
)

// Target is a host with the keys that are known to be its own: lines as in
// authorized_keys or fingerprints SHA256:….
type Target struct {
	Address  string // host:port
	HostKeys []string
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

func (c Credential) methods() ([]ssh.AuthMethod, error) {
	var all []ssh.AuthMethod
	if c.PrivateKey != "" {
		var signer ssh.Signer
		var err error
		if c.Passphrase != "" {
			signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(c.PrivateKey), []byte(c.Passphrase))
		} else {
			signer, err = ssh.ParsePrivateKey([]byte(c.PrivateKey))
		}
		if err != nil {
			return nil, fmt.Errorf("the private key cannot be read: %w", err)
		}
		all = append(all, ssh.PublicKeys(signer))
	}
	if c.Password != "" {
		all = append(all, ssh.Password(c.Password), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = c.Password
			}
			return answers, nil
		}))
	}
	return all, nil
}

// Pool keeps connections warm. It is safe for concurrent use; Close ends them.
type Pool struct {
	mu     sync.Mutex
	conns  map[string][]*conn
	dials  map[string]chan struct{} // under way; closed at their end
	swept  map[string]time.Time     // when old jobs were removed last, by address
	closed bool
}

// NewPool makes an empty pool.
func NewPool() *Pool {
	return &Pool{conns: map[string][]*conn{}, dials: map[string]chan struct{}{}, swept: map[string]time.Time{}}
}

type conn struct {
	client *ssh.Client
	users  int
	idle   *time.Timer
	dead   bool
	stop   chan struct{}
}

// Close ends every connection; commands on the hosts go on.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	sum := sha256.Sum256([]byte(strings.Join(append([]string{t.Address, c.User, c.Password, c.PrivateKey, c.Passphrase}, t.HostKeys...), "\x00")))
	return string(sum[:])
}

// use gives a connection that has room for a session; give back with the
// returned function, telling whether it is broken. One connection to a host is
// made at a time: sshd drops some of many that come at once.
func (p *Pool) use(ctx context.Context, t Target, cred Credential) (*ssh.Client, func(broken bool), error) {
	key := poolKey(t, cred)
	for {
		c, wait, err := p.take(key, t)
		switch {
		case err != nil:
			return nil, nil, err
		case c != nil:
			return c.client, p.release(key, c), nil
		case wait == nil:
			return p.connect(ctx, key, t, cred)
		}
		select {
		case <-ctx.Done():
			return nil, nil, &Error{Unreachable, t.Address, "the host did not answer in time", nil}
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
		return nil, nil, &Error{Lost, t.Address, "the connections are being closed", nil}
	}
	for _, c := range p.conns[key] {
		if !c.dead && c.users < sessionsPerConn {
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

func (p *Pool) connect(ctx context.Context, key string, t Target, cred Credential) (*ssh.Client, func(broken bool), error) {
	client, err := dial(ctx, t, cred)
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.dials[key])
	delete(p.dials, key)
	if err != nil {
		return nil, nil, err
	}
	if p.closed {
		_ = client.Close() // nobody uses it
		return nil, nil, &Error{Lost, t.Address, "the connections are being closed", nil}
	}
	c := &conn{client: client, users: 1, stop: make(chan struct{})}
	c.idle = time.AfterFunc(idleClose, func() { p.drop(key, c, true) })
	c.idle.Stop()
	p.conns[key] = append(p.conns[key], c)
	go p.keepalive(key, c)
	return client, p.release(key, c), nil
}

// session opens a session. A warm connection may have died unnoticed: nothing
// was asked of it yet, so another one is tried.
func (p *Pool) session(ctx context.Context, t Target, cred Credential) (*ssh.Session, *ssh.Client, func(broken bool), error) {
	for again := true; ; again = false {
		client, release, err := p.use(ctx, t, cred)
		if err != nil {
			return nil, nil, nil, err
		}
		session, err := open(ctx, client)
		if err == nil {
			return session, client, release, nil
		}
		var refused *ssh.OpenChannelError
		if errors.As(err, &refused) {
			release(false)
			return nil, nil, nil, &Error{Lost, t.Address, "the host refuses another session", err}
		}
		release(true)
		if !again || ctx.Err() != nil {
			return nil, nil, nil, &Error{Lost, t.Address, "the connection broke before the command began", err}
		}
	}
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

func dial(ctx context.Context, t Target, cred Credential) (*ssh.Client, error) {
	methods, err := cred.methods()
	if err != nil {
		return nil, &Error{Auth, t.Address, err.Error(), nil}
	}
	pins, err := readPins(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, dialError(ctx, t.Address, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline) // a connection without deadlines fails at its first use
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	cfg := &ssh.ClientConfig{User: cred.User, Auth: methods, HostKeyAlgorithms: pins.algorithms, HostKeyCallback: pins.check(t.Address)}
	c, chans, reqs, err := ssh.NewClientConn(raw, t.Address, cfg)
	if err != nil {
		_ = raw.Close() // the handshake failed
		return nil, dialError(ctx, t.Address, pins.explain(err))
	}
	_ = raw.SetDeadline(time.Time{})
	return ssh.NewClient(c, chans, reqs), nil
}

// pins are the keys that a host may present.
type pins struct {
	keys         [][]byte
	fingerprints []string
	algorithms   []string
	refused      *Error
}

func readPins(t Target) (*pins, error) {
	p := &pins{}
	for _, line := range t.HostKeys {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "SHA256:") {
			p.fingerprints = append(p.fingerprints, line)
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, &Error{HostKeyUnknown, t.Address, fmt.Sprintf("the pinned host key %q is neither a public key nor a fingerprint SHA256:…", line), nil}
		}
		p.keys = append(p.keys, key.Marshal())
		p.algorithms = append(p.algorithms, algorithmsFor(key.Type())...)
	}
	if len(p.fingerprints) > 0 {
		p.algorithms = nil // any type may have the fingerprint
	}
	return p, nil
}

func algorithmsFor(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

func (p *pins) check(address string) ssh.HostKeyCallback {
	return func(_ string, _ net.Addr, key ssh.PublicKey) error {
		fp := ssh.FingerprintSHA256(key)
		if slices.Contains(p.fingerprints, fp) || slices.ContainsFunc(p.keys, func(k []byte) bool { return bytes.Equal(k, key.Marshal()) }) {
			return nil
		}
		kind := HostKeyChanged
		if len(p.keys)+len(p.fingerprints) == 0 {
			kind = HostKeyUnknown
		}
		p.refused = keyError(kind, address, key.Type()+" "+fp)
		return p.refused
	}
}

// explain brings the refusal back that the handshake has wrapped as text. A host
// that has no key of a pinned type has changed its key too.
func (p *pins) explain(err error) error {
	if p.refused != nil {
		return p.refused
	}
	if strings.Contains(err.Error(), "no common algorithm for host key") {
		return &Error{HostKeyChanged, "", "the host has no key of the pinned type any more: pin its new key only if it was set up anew", nil}
	}
	return err
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

// Quote makes one word of a POSIX shell of any text without NUL.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
