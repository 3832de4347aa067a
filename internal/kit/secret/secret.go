// Package secret seals small secrets with AES-256-GCM under a master key that
// lives in a file of its own. A sealed text is bound to the place it belongs to
// (its context), so that it cannot be moved to another row unnoticed.
package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	keySize = 32
	prefix  = "sx1:" // format of sealed texts: nonce and ciphertext in base64
)

// ErrSealed is returned when a sealed text cannot be opened: it was damaged,
// moved from its context, or sealed under another key.
var ErrSealed = errors.New("sealed text cannot be opened")

// Box seals and opens under one key. It is safe for concurrent use.
type Box struct {
	aead cipher.AEAD
	key  []byte
}

// Open reads the master key from file and makes it (mode 0600) if there is
// none. A key file that others may read is refused.
func Open(file string) (*Box, error) {
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = create(file)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("master key %s is readable by others (mode %o): run chmod 600 on it", file, info.Mode().Perm())
	}
	return New(key)
}

// New makes a box from a key of 32 bytes.
func New(key []byte) (*Box, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("master key has %d bytes, want %d: restore the file from a backup", len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead: aead, key: bytes.Clone(key)}, nil
}

func create(file string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	// The file appears whole or not at all: half a key would lock the server out
	// of its own start.
	f, err := os.CreateTemp(filepath.Dir(file), ".key-") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // the key has a name of its own by then
	if _, err = f.Write(key); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), file)
	}
	if errors.Is(err, fs.ErrExist) { // another process was first
		return os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	return key, syncDir(filepath.Dir(file))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Derive makes a key for a purpose, the same at each start. It tells nothing about
// the master key, nor about the keys of other purposes.
func (b *Box) Derive(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, b.key, nil, purpose, keySize)
}

// Seal encrypts plain for its context, such as connection/x#password.
func (b *Box) Seal(context string, plain []byte) (string, error) {
	nonce := make([]byte, b.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return prefix + base64.RawStdEncoding.EncodeToString(b.aead.Seal(nonce, nonce, plain, []byte(context))), nil
}

// Open decrypts what Seal made for the same context.
func (b *Box) Open(context, sealed string) ([]byte, error) {
	raw, ok := strings.CutPrefix(sealed, prefix)
	if !ok {
		return nil, fmt.Errorf("%w: unknown format", ErrSealed)
	}
	data, err := base64.RawStdEncoding.DecodeString(raw)
	if err != nil || len(data) < b.aead.NonceSize() {
		return nil, fmt.Errorf("%w: damaged", ErrSealed)
	}
	n := b.aead.NonceSize()
	plain, err := b.aead.Open(nil, data[:n], data[n:], []byte(context))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrSealed, context)
	}
	return plain, nil
}
