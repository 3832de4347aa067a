// Package sshserver is a small SSH server for machines without OpenSSH. It knows
// one user with one public key and runs commands; it forwards nothing and has no
// terminals.
//
// A command is run by /bin/sh in the user's home, in a session of its own. When
// its channel closes early it keeps its time to end by itself, seeing the end of
// its input; then its shell, and nothing else, is hung up. What a command has
// detached goes on whatever happens to the connection or the server.
package sshserver

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	maxSessions      = 100
	maxConnections   = 100
	handshakeTimeout = 10 * time.Second
	acceptPause      = 50 * time.Millisecond // after an error such as too many open files
)

// Options say where to serve, as whom, and who may log in.
type Options struct {
	// Address is host:port to listen on.
	Address string
	// HostKey is the private key of the host, PEM.
	HostKey string
	// AuthorizedKey logs in: a line as in authorized_keys.
	AuthorizedKey string
	// User is the only name that may log in; empty is that of the process.
	User string
	// Home is the absolute path of the user's home.
	Home string
	// Log may be nil.
	Log *slog.Logger
}

// errAccess refuses a log-in.
var errAccess = errors.New("no such user and key")

// NewKey makes a key pair: the private half as PEM, the public one as a line of
// authorized_keys.
func NewKey() (private, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		return "", "", err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

// Serve listens and serves until ctx ends. It returns once every connection is
// closed and every shell has ended or been hung up.
func Serve(ctx context.Context, o Options) error {
	s, err := newServer(o)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return fmt.Errorf("sshserver: %w", err)
	}
	s.log.InfoContext(ctx, "serving", "address", l.Addr().String())
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(closed); _ = l.Close() })
	err = s.accept(ctx, l)
	// The port is free when this returns: whoever closes the listener has done so.
	if stop() {
		_ = l.Close()
	} else {
		<-closed
	}
	s.wg.Wait()
	return err
}

type server struct {
	Options
	log      *slog.Logger
	config   *ssh.ServerConfig
	sessions chan struct{}
	conns    chan struct{}
	wg       sync.WaitGroup
}

func newServer(o Options) (*server, error) {
	if o.User == "" {
		u, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("sshserver: %w", err)
		}
		o.User = u.Username
	}
	if !filepath.IsAbs(o.Home) {
		return nil, fmt.Errorf("sshserver: the home %q is no absolute path", o.Home)
	}
	if info, err := os.Stat(o.Home); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("sshserver: the home %s is no folder", o.Home)
	}
	host, err := ssh.ParsePrivateKey([]byte(o.HostKey))
	if err != nil {
		return nil, fmt.Errorf("sshserver: the host key cannot be read: %w", err)
	}
	authorized, _, _, _, err := ssh.ParseAuthorizedKey([]byte(o.AuthorizedKey))
	if err != nil {
		return nil, fmt.Errorf("sshserver: the authorized key cannot be read: %w", err)
	}
	s := &server{Options: o, log: o.Log, sessions: make(chan struct{}, maxSessions), conns: make(chan struct{}, maxConnections)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	safe := ssh.SupportedAlgorithms() // nothing with SHA-1 is among them but what is taken out here
	noSHA1 := func(name string) bool { return strings.HasSuffix(name, "-sha1") || name == ssh.KeyAlgoRSA }
	s.config = &ssh.ServerConfig{
		Config: ssh.Config{
			KeyExchanges: slices.DeleteFunc(safe.KeyExchanges, noSHA1), Ciphers: safe.Ciphers, MACs: slices.DeleteFunc(safe.MACs, noSHA1),
		},
		PublicKeyAuthAlgorithms: slices.DeleteFunc(safe.PublicKeyAuths, noSHA1),
		ServerVersion:           "SSH-2.0-Sextant",
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != o.User || !bytes.Equal(key.Marshal(), authorized.Marshal()) {
				return nil, errAccess
			}
			return &ssh.Permissions{}, nil
		},
	}
	s.config.AddHostKey(host)
	return s, nil
}

func (s *server) accept(ctx context.Context, l net.Listener) error {
	for {
		raw, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = raw.Close() // it came too late
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("sshserver: %w", err)
		case err != nil:
			s.log.WarnContext(ctx, "a connection cannot be taken", "err", err)
			pause := time.NewTimer(acceptPause)
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			pause.Stop()
			continue
		}
		select {
		case s.conns <- struct{}{}:
			s.wg.Go(func() { defer func() { <-s.conns }(); s.connection(ctx, raw) })
		default:
			s.log.WarnContext(ctx, "too many connections", "from", raw.RemoteAddr().String())
			_ = raw.Close() // it is refused
		}
	}
}

// connection serves one client until it leaves or ctx ends.
func (s *server) connection(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	_ = raw.SetDeadline(time.Now().Add(handshakeTimeout)) // a connection without deadlines fails at its first use
	conn, channels, requests, err := ssh.NewServerConn(raw, s.config)
	if err != nil {
		s.log.InfoContext(ctx, "nobody logged in", "from", raw.RemoteAddr().String(), "err", err)
		return
	}
	_ = raw.SetDeadline(time.Time{})
	defer conn.Close()
	s.wg.Go(func() { ssh.DiscardRequests(requests) })
	for c := range channels {
		if c.ChannelType() != "session" {
			_ = c.Reject(ssh.UnknownChannelType, "only sessions are served") // the client has gone if it fails
			continue
		}
		select {
		case s.sessions <- struct{}{}:
			s.wg.Go(func() { defer func() { <-s.sessions }(); s.session(ctx, c) })
		default:
			_ = c.Reject(ssh.ResourceShortage, "there are too many sessions") // the client has gone if it fails
		}
	}
}
