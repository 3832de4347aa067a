package ssh

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// HostKey is a key that a host shows.
type HostKey struct {
	Kind        string // such as ssh-ed25519
	Fingerprint string // SHA256:…
	Line        string // as a pin takes it
}

// errSeen ends a handshake once the key has been seen.
var errSeen = errors.New("the key was seen")

// Scan asks a host for its keys, one connection for each kind, and logs in
// nowhere. What it tells is what the network says: somebody who trusts another
// way has to confirm it before it is pinned.
func Scan(ctx context.Context, t Target) ([]HostKey, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var all []HostKey
	var last error
	seen := map[string]bool{}
	for _, algorithm := range hostKeys {
		if seen[kindOfKey(algorithm)] {
			continue
		}
		key, err := scanOne(ctx, t, algorithm)
		switch {
		case key != nil:
			seen[key.Kind] = true
			all = append(all, *key)
		case KindOf(err) == Refused || KindOf(err) == Unreachable || err != nil && KindOf(err) == "":
			return nil, err
		default:
			last = err
		}
	}
	if len(all) == 0 {
		return nil, last
	}
	return all, nil
}

// scanOne asks for the key of one algorithm.
func scanOne(ctx context.Context, t Target, algorithm string) (*HostKey, error) {
	raw, err := reach(ctx, t)
	if err != nil {
		return nil, err
	}
	address := t.Address
	defer func() { _ = raw.Close() }() // nothing was asked but the key
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline) // a connection without deadlines fails at its first use
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var shown *HostKey
	cfg := &ssh.ClientConfig{
		User: "scan", HostKeyAlgorithms: []string{algorithm},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = &HostKey{Kind: key.Type(), Fingerprint: ssh.FingerprintSHA256(key),
				Line: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))}
			return errSeen
		},
		Config: ssh.Config{KeyExchanges: keyExchanges, Ciphers: ciphers, MACs: macs},
	}
	_, _, _, err = ssh.NewClientConn(raw, address, cfg)
	if shown != nil {
		return shown, nil
	}
	var disagreed *ssh.AlgorithmNegotiationError
	if errors.As(err, &disagreed) {
		return nil, &Error{Kind: Weak, Address: address, Message: "the host has no key of a kind that is safe"}
	}
	return nil, dialError(ctx, address, err)
}
