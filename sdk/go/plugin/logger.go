package plugin

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"sextant/sdk/go/wire"
)

const (
	logEvery    = 250 * time.Millisecond // between posts, where little waits
	logBuffer   = 8 << 20                // bytes of a call's output that wait to be sent
	logPost     = 1 << 20                // bytes of output sent at once
	logMuch     = logPost / 4            // waiting bytes that are sent at once
	logPatience = 5 * time.Second        // without room, until output is left out
	logEnd      = 10 * time.Second       // without an answer, until what is left is given up at the end
)

// logger sends the output of one call, in order, and again where the platform
// does not answer. Nothing is left out while the platform takes what it is sent.
type logger struct {
	host *Host
	path string

	mu      sync.Mutex
	rows    map[string]*rowLog
	steps   map[string]wire.Progress
	waiting int           // bytes in rows and unsent
	stuck   bool          // the platform has taken nothing for long: nobody waits for it
	room    chan struct{} // closed when there is room again
	ending  bool
	dirty   chan struct{}
	// unsent was taken and not accepted yet; only run and flush touch it.
	unsent []wire.LogChunk
}

// rowLog is the output of a row that waits: text and gaps, and where what comes
// next begins.
type rowLog struct {
	offset int64
	queue  []wire.LogChunk
	gap    bool // the rest of a line is left out
}

func newLogger(h *Host, key string) *logger {
	return &logger{host: h, path: "/api/v1/jobs/" + url.PathEscape(key), rows: map[string]*rowLog{},
		steps: map[string]wire.Progress{}, room: make(chan struct{}), dirty: make(chan struct{}, 1)}
}

func (l *logger) write(row string, p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.poke()
	c := l.rows[row]
	if c == nil {
		c = &rowLog{}
		l.rows[row] = c
	}
	for len(p) > 0 {
		n := min(len(p), logMuch)
		part := p[:n]
		p = p[n:]
		if !l.await(n) {
			l.waiting -= c.lose(row, part)
			continue
		}
		if c.gap { // goes on with the next whole line
			i := bytes.IndexByte(part, '\n') + 1
			if i == 0 {
				i = len(part)
			}
			c.lost(row, part[:i])
			c.gap = part[i-1] != '\n'
			part = part[i:]
		}
		c.add(row, part)
		l.waiting += len(part)
	}
}

// await waits for room for n bytes; the lock is held, but not meanwhile.
func (l *logger) await(n int) bool {
	for l.waiting+n > logBuffer {
		if l.stuck {
			return false
		}
		room := l.room
		l.poke()
		l.mu.Unlock()
		late, stop := l.host.Clock.After(logPatience)
		select {
		case <-room:
		case <-l.host.ctx.Done():
		case <-late:
		}
		stop()
		l.mu.Lock()
		select {
		case <-room: // something was taken meanwhile
		default:
			l.stuck = true
		}
	}
	return true
}

func (c *rowLog) add(row string, p []byte) {
	if len(p) == 0 {
		return
	}
	n := len(c.queue) - 1
	if n < 0 || c.queue[n].Lost > 0 || len(c.queue[n].Bytes)+len(p) > logMuch {
		c.queue = append(c.queue, wire.LogChunk{Row: row, Offset: c.offset})
		n++
	}
	c.queue[n].Bytes = append(c.queue[n].Bytes, p...)
	c.offset += int64(len(p))
}

// lost adds to a gap.
func (c *rowLog) lost(row string, p []byte) {
	n := len(c.queue) - 1
	if n < 0 || c.queue[n].Lost == 0 {
		c.queue = append(c.queue, wire.LogChunk{Row: row, Offset: c.offset})
		n++
	}
	c.queue[n].Lost += int64(len(p))
	c.queue[n].Lines += int64(bytes.Count(p, []byte{'\n'}))
	c.offset += int64(len(p))
}

// lose leaves output out, and with it the line that it breaks: what hides secrets
// sees whole lines. It returns how much waits less.
func (c *rowLog) lose(row string, p []byte) (less int) {
	if n := len(c.queue) - 1; !c.gap && n >= 0 && c.queue[n].Lost == 0 {
		last := &c.queue[n]
		whole := bytes.LastIndexByte(last.Bytes, '\n') + 1
		broken := last.Bytes[whole:]
		less = len(broken)
		c.offset -= int64(less)
		if last.Bytes = last.Bytes[:whole]; whole == 0 {
			c.queue = c.queue[:n]
		}
		c.lost(row, broken)
	}
	c.lost(row, p)
	c.gap = p[len(p)-1] != '\n'
	return less
}

func (l *logger) progress(p wire.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps[p.Row] = p
	l.poke()
}

func (l *logger) poke() {
	select {
	case l.dirty <- struct{}{}:
	default:
	}
}

// take removes what is to be sent next: one post's worth of output, each row's in
// order, and the newest progress.
func (l *logger) take() []wire.Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	for _, c := range l.unsent {
		size += len(c.Bytes)
	}
	if len(l.unsent) == 0 {
		for _, c := range l.rows {
			for len(c.queue) > 0 && size < logPost-logMuch {
				next := c.queue[0]
				c.queue = c.queue[1:]
				if torn := tornEnd(next.Bytes); torn > 0 && len(c.queue) == 0 && !l.ending && !c.gap { // its rest comes
					c.queue = []wire.LogChunk{
						{Row: next.Row, Offset: next.Offset + int64(len(next.Bytes)-torn), Bytes: slices.Clone(next.Bytes[len(next.Bytes)-torn:])}}
					next.Bytes = next.Bytes[:len(next.Bytes)-torn]
					if len(next.Bytes) > 0 {
						l.unsent = append(l.unsent, next)
						size += len(next.Bytes)
					}
					break
				}
				l.unsent = append(l.unsent, next)
				size += len(next.Bytes)
			}
		}
	}
	steps := slices.Collect(maps.Values(l.steps))
	clear(l.steps)
	return steps
}

// tornEnd is how many bytes at the end are the beginning of a sign.
func tornEnd(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-i:]) {
				return i
			}
			return 0
		}
	}
	return 0
}

// run sends until ctx ends, and then what is left: as long as the platform takes
// it, and a while longer.
func (l *logger) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-l.dirty:
			if !l.flush(ctx) {
				l.poke()
				l.pause(ctx)
			} else if n := l.left(); n > 0 {
				l.poke()
				if n < logMuch {
					l.pause(ctx)
				}
			} else {
				l.pause(ctx)
			}
		}
	}
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	end := logEnd
	if l.host.ctx.Err() != nil {
		end = logEvery
	}
	for l.left() > 0 || len(l.unsent) > 0 || l.hasSteps() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), end)
		sent := l.flush(last)
		for !sent && last.Err() == nil {
			l.pause(last)
			sent = l.flush(last)
		}
		cancel()
		if !sent {
			l.host.Log.Error("the platform did not take the end of a call's output", "path", l.path, "bytes", l.left())
			return
		}
	}
}

func (l *logger) pause(ctx context.Context) {
	wait, stop := l.host.Clock.After(logEvery)
	defer stop()
	select {
	case <-ctx.Done():
	case <-wait:
	}
}

// left is how much waits; a gap alone counts as one byte.
func (l *logger) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.waiting
	for _, c := range l.rows {
		n += len(c.queue)
	}
	return n
}

func (l *logger) hasSteps() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.steps) > 0
}

// flush sends once and reports whether all that it took was accepted, or
// refused for good.
func (l *logger) flush(ctx context.Context) bool {
	steps := l.take()
	if l.host.URL != "" && len(l.unsent) > 0 {
		status, err := l.host.post(ctx, l.path+"/log", wire.LogBatch{Chunks: l.unsent})
		if err != nil || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
			l.host.Log.DebugContext(ctx, "output was not taken; it is sent again", "status", status, "err", err)
			return false
		}
		if status >= http.StatusBadRequest {
			l.host.Log.WarnContext(ctx, "output was refused", "path", l.path, "status", status)
		}
	}
	l.taken()
	for _, s := range steps {
		if l.host.URL == "" {
			continue
		}
		if _, err := l.host.post(ctx, l.path+"/progress", s); err != nil {
			l.host.Log.DebugContext(ctx, "progress was not taken", "err", err)
		}
	}
	return true
}

// taken makes room for what was accepted.
func (l *logger) taken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.unsent {
		l.waiting -= len(c.Bytes)
	}
	l.unsent = nil
	l.stuck = false
	close(l.room)
	l.room = make(chan struct{})
}
