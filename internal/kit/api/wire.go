package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	maxHead      = 64 << 10 // bytes; far longer heads are the HTTP server's to refuse
	maxChunkLine = 1 << 10  // bytes of a chunk's size with what stands behind it
	handshakeFor = 10 * time.Second
)

// Strict is a listener whose connections carry only requests that every reader
// understands in the same way. The library tolerates more: a length beside a
// chunked body, folded lines, bare line feeds, long chunk extensions. What two
// readers end at different places, a proxy in front and this server take for
// different requests.
func Strict(l net.Listener) net.Listener { return strictListener{l} }

type strictListener struct{ net.Listener }

// Accept gives the next connection.
func (l strictListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	strict := &StrictConn{Conn: c, step: inHead}
	if t, ok := c.(*tls.Conn); ok {
		return &strictTLS{strict, t}, nil
	}
	return strict, nil
}

// strictTLS tells the server how the connection below is protected.
type strictTLS struct {
	*StrictConn
	tls *tls.Conn
}

// ConnectionState finishes the handshake; the server asks for it first. Where it
// fails, the first Read tells.
func (c *strictTLS) ConnectionState() tls.ConnectionState {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeFor)
	defer cancel()
	var plain tls.RecordHeaderError
	if err := c.tls.HandshakeContext(ctx); errors.As(err, &plain) && plain.Conn != nil {
		_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nthis port speaks HTTPS\n") // the client is gone if this fails
		_ = plain.Conn.Close()
	}
	return c.tls.ConnectionState()
}

// step is where in the stream of requests a connection is.
type step uint8

const (
	inHead    step = iota
	inBody         // of a known length
	inSize         // the line before a chunk
	inChunk        // a chunk and the end of its line
	inTrailer      // the lines after the last chunk
	unread         // what follows is not HTTP, or refused
)

// refusal takes the place of a head that is refused: the library answers 400 to it,
// after the answers before, and closes the connection.
const refusal = "!\r\n\r\n"

// errWire ends a body that is refused.
var errWire = errors.New("the body is not framed as HTTP has it")

// StrictConn is a connection that hands on what it has checked.
type StrictConn struct {
	net.Conn
	step step
	line []byte // of the head, the trailer or a chunk's size, so far
	left int64  // bytes of the body or of the chunk
	out  bytes.Buffer
	in   [4 << 10]byte
	err  error
}

// Read gives checked bytes; a head is given whole or not at all.
func (c *StrictConn) Read(p []byte) (int, error) {
	for c.out.Len() == 0 {
		if c.err != nil {
			return 0, c.err
		}
		if c.step == inBody && len(p) > 0 { // as it comes
			n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
			if c.left -= int64(n); c.left == 0 {
				c.step = inHead
			}
			return n, err
		}
		n, err := c.Conn.Read(c.in[:])
		c.take(c.in[:n])
		if err != nil && c.out.Len() == 0 {
			return 0, err
		}
	}
	return c.out.Read(p)
}

func (c *StrictConn) take(b []byte) {
	for len(b) > 0 && c.err == nil {
		switch c.step {
		case unread:
			c.out.Write(b)
			return
		case inBody, inChunk:
			n := min(int64(len(b)), c.left)
			c.out.Write(b[:n])
			b = b[n:]
			if c.left -= n; c.left == 0 {
				c.step = map[step]step{inBody: inHead, inChunk: inSize}[c.step]
			}
		default:
			b = c.lines(b)
		}
	}
}

// lines collects lines of a head, a trailer or a chunk's size.
func (c *StrictConn) lines(b []byte) (rest []byte) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		c.line = append(c.line, b...)
		c.long()
		return nil
	}
	c.line, rest = append(c.line, b[:end+1]...), b[end+1:]
	switch c.step {
	case inSize:
		c.chunk()
	case inTrailer:
		if last := lastLine(c.line); len(last) == 2 {
			c.pass(inHead)
		} else if !plainLine(last) || len(c.line) > maxHead {
			c.refuse(errWire)
		}
	default:
		if last := lastLine(c.line); bytes.Equal(last, []byte("\r\n")) || bytes.Equal(last, []byte("\n")) {
			if len(c.line) > len(last) {
				c.head()
			} else {
				c.line = nil // empty lines before a request are left out
			}
		} else {
			c.long()
		}
	}
	return rest
}

func (c *StrictConn) long() {
	switch {
	case c.step == inSize && len(c.line) > maxChunkLine, c.step == inTrailer && len(c.line) > maxHead:
		c.refuse(errWire)
	case c.step == inHead && len(c.line) > maxHead:
		c.pass(unread)
	}
}

func (c *StrictConn) pass(next step) {
	c.out.Write(c.line)
	c.line, c.step = nil, next
}

func (c *StrictConn) refuse(err error) {
	c.line, c.step = nil, unread
	if c.err = err; err == nil {
		c.out.WriteString(refusal)
		c.err = net.ErrClosed
	}
}

func lastLine(text []byte) []byte {
	if i := bytes.LastIndexByte(text[:len(text)-1], '\n'); i >= 0 {
		return text[i+1:]
	}
	return text
}

// plainLine reports whether a line ends as it has to and holds nothing that another
// reader could take for its end.
func plainLine(line []byte) bool {
	body, ok := bytes.CutSuffix(line, []byte("\r\n"))
	return ok && bytes.IndexFunc(body, func(r rune) bool {
		return r < ' ' && r != '\t' || r == 0x7f
	}) < 0 && len(body) > 0 && body[0] != ' ' && body[0] != '\t'
}

// head looks at a complete head and finds out what follows it.
func (c *StrictConn) head() {
	all := bytes.SplitAfter(c.line, []byte("\n"))
	var lengths, codings []string
	upgrade := false
	for i, line := range all[:len(all)-1] {
		if i == len(all)-2 {
			if len(line) != 2 {
				c.refuse(nil)
				return
			}
			break
		}
		if !plainLine(line) {
			c.refuse(nil)
			return
		}
		name, value, _ := strings.Cut(string(line), ":")
		switch value = strings.TrimSpace(value); {
		case i == 0:
		case strings.EqualFold(name, "Content-Length"):
			lengths = append(lengths, value)
		case strings.EqualFold(name, "Transfer-Encoding"):
			codings = append(codings, value)
		case strings.EqualFold(name, "Upgrade"):
			upgrade = true
		}
	}
	next := inHead
	switch {
	case len(lengths)+len(codings) > 1, len(codings) == 1 &&
		(!strings.EqualFold(codings[0], "chunked") || bytes.HasSuffix(all[0], []byte("HTTP/1.0\r\n"))):
		c.refuse(nil)
		return
	case len(codings) == 1:
		next = inSize
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil || strings.HasPrefix(lengths[0], "+") {
			c.refuse(nil)
			return
		}
		if c.left = int64(n); n > 0 {
			next = inBody
		}
	}
	if upgrade && next == inHead {
		next = unread // another protocol may follow; who serves it closes the connection else
	}
	c.pass(next)
}

// chunk reads the line before a chunk.
func (c *StrictConn) chunk() {
	size, _, _ := strings.Cut(strings.TrimSuffix(string(c.line), "\r\n"), ";")
	n, err := strconv.ParseUint(strings.TrimRight(size, " \t"), 16, 62)
	switch {
	case err != nil || !plainLine(c.line) || len(c.line) > maxChunkLine:
		c.refuse(errWire)
	case n == 0:
		c.pass(inTrailer)
	default:
		c.pass(inChunk)
		c.left = int64(n) + 2 // the end of its line
	}
}

// CloseWrite ends the answers while the client may still send, so that it reads
// them before the connection goes.
func (c *StrictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
