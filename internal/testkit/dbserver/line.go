package dbserver

import (
	"bytes"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"sextant/sdk/go/sqldb"
)

// Fate is what becomes of a commit on its way.
type Fate int

// The fates.
const (
	Pass      Fate = iota
	CutBefore      // the server never hears of it
	CutAfter       // the server has carried it out, and nobody hears of that
	CutAmid        // the server has it, and the line is gone at once
)

// Line is a way to a server over TCP that can be cut, or stand still.
type Line struct {
	server *Server
	listen net.Listener
	mu     sync.Mutex
	open   map[net.Conn]bool
	down   bool
	still  chan struct{} // until it is closed nothing gets through; nil as a rule
	commit func() Fate
	work   sync.WaitGroup
}

// Line makes a way to the server. It is gone when the test ends.
func (s *Server) Line(t testing.TB) *Line {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{server: s, listen: listen, open: map[net.Conn]bool{}, commit: func() Fate { return Pass }}
	l.work.Go(l.accept)
	t.Cleanup(func() {
		_ = listen.Close()
		l.Down()
		l.work.Wait()
	})
	return l
}

// Address leads over the line to the database of an address.
func (l *Line) Address(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Host, u.RawQuery = l.listen.Addr().String(), ""
	return u.String()
}

// OnCommit lets fn decide what becomes of each commit.
func (l *Line) OnCommit(fn func() Fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commit = fn
}

// Down cuts all connections and takes no new ones.
func (l *Line) Down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	l.flow()
	for c := range l.open {
		_ = c.Close()
	}
}

// Up takes connections again, and lets through what stood still.
func (l *Line) Up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
	l.flow()
}

// Still keeps all connections and takes new ones, but nothing gets through.
func (l *Line) Still() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.still == nil {
		l.still = make(chan struct{})
	}
}

func (l *Line) flow() {
	if l.still != nil {
		close(l.still)
		l.still = nil
	}
}

// through waits while nothing gets through.
func (l *Line) through() {
	l.mu.Lock()
	still := l.still
	l.mu.Unlock()
	if still != nil {
		<-still
	}
}

func (l *Line) accept() {
	for {
		client, err := l.listen.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", l.server.Socket())
		l.mu.Lock()
		if err != nil || l.down {
			_ = client.Close()
			if server != nil {
				_ = server.Close()
			}
			l.mu.Unlock()
			continue
		}
		l.open[client], l.open[server] = true, true
		l.mu.Unlock()
		silent := make(chan struct{}) // closed where answers are not to get through
		l.work.Go(func() { l.requests(client, server, silent) })
		l.work.Go(func() { l.answers(client, server, silent) })
	}
}

func (l *Line) close(a, b net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = a.Close(), b.Close()
	delete(l.open, a)
	delete(l.open, b)
}

// commits reports whether a request ends a transaction. What sets an isolation level has
// the word, too.
func commits(request []byte) bool {
	word := []byte("COMMIT")
	return bytes.Contains(bytes.ReplaceAll(bytes.ToUpper(request), []byte("COMMITTED"), nil), word)
}

func (l *Line) requests(client, server net.Conn, silent chan struct{}) {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			l.close(client, server)
			return
		}
		l.through()
		fate := Pass
		if commits(buf[:n]) {
			l.mu.Lock()
			fate = l.commit()
			l.mu.Unlock()
		}
		if fate == CutBefore {
			l.close(client, server)
			return
		}
		if fate == CutAfter {
			close(silent)
		}
		if _, err := server.Write(buf[:n]); err != nil || fate == CutAmid {
			l.close(client, server)
			return
		}
	}
}

func (l *Line) answers(client, server net.Conn, silent chan struct{}) {
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		l.through()
		if err == nil {
			select {
			case <-silent:
				err = net.ErrClosed
			default:
				_, err = client.Write(buf[:n])
			}
		}
		if err != nil {
			l.close(client, server)
			return
		}
	}
}

// Database is the name within an address.
func Database(address string) string {
	name, _, _ := strings.Cut(address[strings.LastIndex(address[:strings.IndexByte(address, '?')], "/")+1:], "?")
	return name
}

// Shared is the server of a kind that the tests of this process have in common.
func Shared(t testing.TB, kind sqldb.Dialect) *Server {
	t.Helper()
	one := shared[kind]
	one.once.Do(func() { one.server, one.err = start(kind, true) })
	if one.err != nil {
		t.Fatalf("%v", one.err)
	}
	return one.server
}
