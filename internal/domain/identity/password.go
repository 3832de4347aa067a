package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// argon2id: 19 MiB, two passes, one lane, as OWASP's password storage cheat
// sheet has it for small servers.
const (
	argonMemory = 19 * 1024
	argonTime   = 2
	argonLanes  = 1
	argonBytes  = 32
	saltBytes   = 16
	atOnce      = 2  // hashes computed at the same time, to bound memory
	waiting     = 16 // checks that may wait for their turn
)

// hasher computes password hashes, few at a time.
type hasher struct {
	slots   chan struct{}
	queue   atomic.Int32
	compute func(password string, salt []byte) []byte
}

func newHasher() *hasher {
	return &hasher{slots: make(chan struct{}, atOnce), compute: func(password string, salt []byte) []byte {
		return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonBytes)
	}}
}

func (h *hasher) key(password string, salt []byte) []byte {
	h.slots <- struct{}{}
	defer func() { <-h.slots }()
	return h.compute(password, salt)
}

// hash gives the stored form of a password.
func (h *hasher) hash(password string) string {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails; it ends the process instead
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemory, argonTime, argonLanes, enc(salt), enc(h.key(password, salt)))
}

// verify compares a password with a stored form in constant time; busy is true
// where too many wait already.
func (h *hasher) verify(stored, password string) (ok, busy bool) {
	if h.queue.Add(1) > waiting {
		h.queue.Add(-1)
		return false, true
	}
	defer h.queue.Add(-1)
	parts := strings.Split(stored, "$")
	if len(parts) != 6 {
		h.key(password, make([]byte, saltBytes)) // an unknown name takes as long as a wrong password
		return false, false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil {
		return false, false
	}
	return subtle.ConstantTimeCompare(h.key(password, salt), want) == 1, false
}
