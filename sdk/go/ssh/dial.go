package ssh

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	minRSA    = 2048 // bits
	maxRounds = 5    // of questions that are answered with the password
)

// What is agreed to. Nothing with SHA-1 is among it, nor RSA of less than 2048
// bits.
var (
	keyExchanges = []string{
		ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519, "curve25519-sha256@libssh.org", ssh.KeyExchangeECDHP256,
		ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521, ssh.KeyExchangeDH16SHA512, ssh.KeyExchangeDH14SHA256, ssh.KeyExchangeDHGEXSHA256,
	}
	ciphers = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305,
		ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR}
	macs    = []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512}
	rsaSigs = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	// hostKeys are in the order in which they are asked for.
	hostKeys = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
)

// errRounds ends a log-in at which the same questions come again and again, as
// where the password is wrong.
var errRounds = errors.New("the host asks on and on")

func (c Credential) methods() ([]ssh.AuthMethod, error) {
	var all []ssh.AuthMethod
	if c.PrivateKey != "" {
		signer, err := c.signer()
		if err != nil {
			return nil, err
		}
		all = append(all, ssh.PublicKeys(signer))
	}
	if c.Password != "" {
		rounds := 0
		all = append(all, ssh.Password(c.Password), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			if rounds++; rounds > maxRounds {
				return nil, errRounds
			}
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = c.Password
			}
			return answers, nil
		}))
	}
	return all, nil
}

// signer reads the private key. One of RSA signs with SHA-2 alone.
func (c Credential) signer() (ssh.Signer, error) {
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
	switch bits := rsaBits(signer.PublicKey()); {
	case signer.PublicKey().Type() == ssh.InsecureKeyAlgoDSA:
		return nil, errors.New("the private key is of DSA, which is not safe any more: make one of Ed25519")
	case bits > 0 && bits < minRSA:
		return nil, fmt.Errorf("the private key of RSA has %d bits, which is not safe any more: make one of Ed25519", bits)
	case bits > 0:
		many, ok := signer.(ssh.AlgorithmSigner)
		if !ok {
			return nil, errors.New("the private key of RSA cannot sign with SHA-2")
		}
		return ssh.NewSignerWithAlgorithms(many, rsaSigs)
	}
	return signer, nil
}

// rsaBits is the size of an RSA key; 0 for others.
func rsaBits(key ssh.PublicKey) int {
	if c, ok := key.(ssh.CryptoPublicKey); ok {
		if k, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok {
			return k.N.BitLen()
		}
	}
	return 0
}

// dial connects and logs in. Where fingerprints are pinned the kind of their keys
// is not known: a host that shows another key first is asked for its others.
func (p *Pool) dial(ctx context.Context, key string, t Target, cred Credential) (*ssh.Client, error) {
	methods, err := cred.methods()
	if err != nil {
		return nil, &Error{Kind: Auth, Address: t.Address, Message: err.Error()}
	}
	pins, err := readPins(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	p.mu.Lock()
	if first := p.first[key]; first != "" {
		slices.SortStableFunc(pins.algorithms, func(a, b string) int { return rank(a, first) - rank(b, first) })
	}
	p.mu.Unlock()
	var refused error
	for {
		client, shown, err := connect(ctx, t, cred.User, methods, pins)
		switch {
		case err == nil:
			p.mu.Lock()
			p.first[key] = shown
			p.mu.Unlock()
			return client, nil
		case refused != nil && shown == "":
			return nil, refused // it has no other key
		}
		refused = err
		pins.algorithms = slices.DeleteFunc(pins.algorithms, func(a string) bool { return kindOfKey(a) == shown })
		if KindOf(err) != HostKeyChanged || shown == "" || len(pins.fingerprints) == 0 || len(pins.algorithms) == 0 {
			return nil, err
		}
	}
}

// rank is 0 for the algorithms of a kind of key.
func rank(algorithm, kind string) int {
	if kindOfKey(algorithm) == kind {
		return 0
	}
	return 1
}

// kindOfKey is the kind of key that an algorithm signs with.
func kindOfKey(algorithm string) string {
	if slices.Contains(rsaSigs, algorithm) {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// connect connects once; shown is the kind of the key that the host has shown.
func connect(ctx context.Context, t Target, user string, methods []ssh.AuthMethod,
	pins *pins) (client *ssh.Client, shown string, err error) {
	raw, err := reach(ctx, t)
	if err != nil {
		return nil, "", err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline) // a connection without deadlines fails at its first use
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	var refused *Error
	cfg := &ssh.ClientConfig{
		User: user, Auth: methods, HostKeyAlgorithms: pins.algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = key.Type()
			if refused = pins.check(t.Address, key); refused != nil {
				return refused
			}
			return nil
		},
		Config: ssh.Config{KeyExchanges: keyExchanges, Ciphers: ciphers, MACs: macs},
	}
	c, chans, reqs, err := ssh.NewClientConn(raw, t.Address, cfg)
	if err != nil {
		_ = raw.Close() // the handshake failed
		if refused != nil {
			return nil, shown, refused
		}
		return nil, shown, dialError(ctx, t.Address, err)
	}
	_ = raw.SetDeadline(time.Time{})
	return ssh.NewClient(c, chans, reqs), shown, nil
}

// reach connects to a host, where that is allowed.
func reach(ctx context.Context, t Target) (net.Conn, error) {
	var refused error
	control := func(network, address string, c syscall.RawConn) error {
		if t.Control == nil {
			return nil
		}
		if err := t.Control(network, address, c); err != nil {
			refused = err
		}
		return refused
	}
	raw, err := (&net.Dialer{Control: control}).DialContext(ctx, "tcp", t.Address)
	switch {
	case err == nil:
		return raw, nil
	case refused != nil:
		return nil, refused
	}
	return nil, dialError(ctx, t.Address, err)
}

// putOut are the ends of a log-in that failed, as hosts tell them: tried too often
// (2, as OpenSSH says it, and 14), cancelled (13), a user it does not let in (15),
// or a failure (51) where the library had expected questions.
var putOut = regexp.MustCompile(`ssh: disconnect, reason (2: "?Too many|1[345]:)|unexpected message type 51 `)

func dialError(ctx context.Context, address string, err error) error {
	var timeout net.Error
	var disagreed *ssh.AlgorithmNegotiationError
	switch {
	case errors.As(err, &disagreed):
		return disagreement(address, disagreed)
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Kind: Refused, Address: address, Message: "the connection was refused: does sshd run there, on this port?"}
	case strings.Contains(err.Error(), "unable to authenticate"), errors.Is(err, errRounds), putOut.MatchString(err.Error()):
		return &Error{Kind: Auth, Address: address, Message: "the host accepts neither the key nor the password of this user"}
	case ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Kind: Unreachable, Address: address, Message: "the host did not answer in time"}
	}
	return &Error{Kind: Unreachable, Address: address, Message: "the host cannot be reached", Err: err}
}

// disagreement tells a host that has lost its pinned key from one whose
// algorithms are too weak.
func disagreement(address string, e *ssh.AlgorithmNegotiationError) error {
	offered := strings.Join(e.RequestedAlgorithms, ", ")
	if e.What == "host key" && slices.ContainsFunc(e.RequestedAlgorithms, func(a string) bool { return slices.Contains(hostKeys, a) }) {
		return &Error{Kind: HostKeyChanged, Address: address,
			Message: "the host has no key of the pinned kind any more: pin its new key only if it was set up anew"}
	}
	return &Error{
		Kind: Weak, Address: address, Message: fmt.Sprintf("the host offers nothing for the %s that is safe: it offers %.300s", e.What, offered)}
}

// pins are the keys that a host may present.
type pins struct {
	keys         []ssh.PublicKey
	fingerprints []string
	revoked      []string // fingerprints
	algorithms   []string
}

// readPins reads lines as in authorized_keys or known_hosts, and fingerprints. One
// that begins with @revoked is never accepted.
func readPins(t Target) (*pins, error) {
	p := &pins{}
	for _, line := range t.HostKeys {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		rest, revoked := strings.CutPrefix(line, "@revoked")
		fingerprint, key := readPin(strings.TrimSpace(rest))
		switch {
		case fingerprint == "" && key == nil:
			return nil, &Error{Kind: HostKeyUnknown, Address: t.Address,
				Message: fmt.Sprintf("the pinned host key %q is neither a public key nor a fingerprint SHA256:…", line)}
		case revoked:
			if key != nil {
				fingerprint = ssh.FingerprintSHA256(key)
			}
			p.revoked = append(p.revoked, fingerprint)
		case key != nil:
			p.keys = append(p.keys, key)
		default:
			p.fingerprints = append(p.fingerprints, fingerprint)
		}
	}
	p.algorithms = slices.Clone(hostKeys)
	if len(p.fingerprints) == 0 && len(p.keys) > 0 {
		p.algorithms = slices.DeleteFunc(p.algorithms, func(a string) bool {
			return !slices.ContainsFunc(p.keys, func(k ssh.PublicKey) bool { return k.Type() == kindOfKey(a) })
		})
	}
	if len(p.algorithms) == 0 {
		return nil,
			&Error{Kind: Weak, Address: t.Address, Message: "no pinned host key is of a kind that is safe: pin one of Ed25519, ECDSA or RSA"}
	}
	return p, nil
}

// readPin reads one pin: a fingerprint or a key, with host names before it or not.
func readPin(line string) (fingerprint string, key ssh.PublicKey) {
	if strings.HasPrefix(line, "SHA256:") {
		return strings.TrimRight(strings.Fields(line)[0], "="), nil
	}
	if strings.HasPrefix(line, "@") {
		return "", nil // an authority for certificates, which are not taken
	}
	for rest := line; rest != ""; {
		if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(rest)); err == nil && strings.HasPrefix(rest, key.Type()) {
			return "", key
		}
		_, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimSpace(rest)
	}
	return "", nil
}

// check judges the key that a host shows; nil is yes.
func (p *pins) check(address string, key ssh.PublicKey) *Error {
	fp := ssh.FingerprintSHA256(key)
	name := key.Type() + " " + fp
	if slices.Contains(p.revoked, fp) {
		return &Error{Kind: HostKeyRevoked, Address: address, Message: "its host key " +
			name + " is revoked: somebody may be in between; give the host a new key and pin that"}
	}
	if bits := rsaBits(key); bits > 0 && bits < minRSA {
		return &Error{Kind: Weak, Address: address,
			Message: fmt.Sprintf("its host key of RSA has %d bits, which is not safe any more: give the host one of Ed25519 and pin that", bits)}
	}
	if slices.Contains(p.fingerprints, fp) || slices.ContainsFunc(p.keys, func(k ssh.PublicKey) bool {
		return string(k.Marshal()) == string(key.Marshal())
	}) {
		return nil
	}
	if len(p.keys)+len(p.fingerprints) == 0 {
		return &Error{Kind: HostKeyUnknown, Address: address,
			Message: fmt.Sprintf("no host key is pinned; it presents %s: compare that with the host and pin it", name)}
	}
	return &Error{Kind: HostKeyChanged, Address: address, Message: fmt.Sprintf(
		"its host key has changed to %s: somebody may be in between; pin the new key only if the host was set up anew", name)}
}
