package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrDamaged is returned while reading a blob whose content is not what it was
// stored as.
var ErrDamaged = errors.New("blob is damaged")

const ahead = 64 << 10 // bytes that are held back until the whole is known

// checked reads a blob and compares it with its digest. The end is held back
// until the comparison is done, so that nobody takes a damaged blob for a whole
// one: up to ahead bytes nothing of it is given at all.
type checked struct {
	file   io.ReadCloser
	digest string
	sum    hash.Hash
	held   bytes.Buffer
	chunk  []byte
	err    error // that ended the file
}

func check(f io.ReadCloser, digest string) io.ReadCloser {
	return &checked{file: f, digest: digest, sum: sha256.New(), chunk: make([]byte, ahead)}
}

// Read gives what lies far enough before the end, and the end once it is sound.
func (c *checked) Read(p []byte) (int, error) {
	for c.err == nil && c.held.Len() <= ahead {
		n, err := c.file.Read(c.chunk)
		c.sum.Write(c.chunk[:n])
		c.held.Write(c.chunk[:n])
		if errors.Is(err, io.EOF) {
			if hex.EncodeToString(c.sum.Sum(nil)) != c.digest {
				err = fmt.Errorf("%w: the content of %s has changed", ErrDamaged, c.digest)
			}
		}
		c.err = err
	}
	switch {
	case errors.Is(c.err, io.EOF):
		if c.held.Len() == 0 {
			return 0, io.EOF
		}
		return c.held.Read(p)
	case c.err != nil:
		return 0, c.err
	}
	return c.held.Read(p[:min(len(p), c.held.Len()-ahead)])
}

// Close closes the file.
func (c *checked) Close() error { return c.file.Close() }
