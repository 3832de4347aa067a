package plugin

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"sextant/sdk/go/wire"
)

const (
	logEvery  = 250 * time.Millisecond
	logBuffer = 256 << 10 // bytes of a row's output that wait to be sent
	logPost   = 1 << 20   // bytes of output sent at once
	logEnd    = 10 * time.Second
)

// Call is one row of a call, as an author's function sees it.
type Call struct {
	// Host is where the plugin runs.
	Host *Host
	// Key is the key of this row: the same work always comes with the same key.
	Key string
	// Row is the id of the object that the row stands for.
	Row string
	// Operator is who asked, Run the run that asks.
	Operator, Run string
	// Project is that of the run.
	Project string
	// Fence grows with each new holder of the run's lock.
	Fence string

	log *logger
}

// Write sends live output of the row to whoever watches the run. It never
// waits; where output comes faster than it can be sent, a part is left out and
// said so.
func (c *Call) Write(p []byte) (int, error) {
	c.log.write(c.Row, p)
	return len(p), nil
}

// Progress tells how far the row is, in percent. Only the newest matters.
func (c *Call) Progress(percent int, message string) {
	c.log.progress(wire.Progress{Row: c.Row, Percent: min(max(percent, 0), 100), Message: message})
}

// logger sends the live output of one call, in order, and again where the
// platform does not answer.
type logger struct {
	host  *Host
	path  string
	mu    sync.Mutex
	rows  map[string]*rowLog
	steps map[string]wire.Progress
	dirty chan struct{}
	// unsent was taken and not accepted yet; only run and flush touch it.
	unsent []wire.LogChunk
}

// rowLog is the output of a row that waits, and where it begins.
type rowLog struct {
	offset int64
	data   []byte
	lost   bool
}

func newLogger(h *Host, key string) *logger {
	return &logger{host: h, path: "/api/v1/jobs/" + url.PathEscape(key), rows: map[string]*rowLog{}, steps: map[string]wire.Progress{}, dirty: make(chan struct{}, 1)}
}

func (l *logger) write(row string, p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.rows[row]
	if c == nil {
		c = &rowLog{}
		l.rows[row] = c
	}
	if room := logBuffer - len(c.data); len(p) <= room && !c.lost {
		c.data = append(c.data, p...)
	} else if !c.lost {
		c.data = append(c.data, p[:max(room, 0)]...)
		c.data = append(c.data, "\n… output left out …\n"...)
		c.lost = true
	}
	l.poke()
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

// take removes what is to be sent next: one post's worth of output, in the order
// of the rows, and the newest progress.
func (l *logger) take() []wire.Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := 0
	for _, c := range l.unsent {
		size += len(c.Bytes)
	}
	for row, c := range l.rows {
		if len(c.data) == 0 || slices.ContainsFunc(l.unsent, func(u wire.LogChunk) bool { return u.Row == row }) {
			continue
		}
		if size > 0 && size+len(c.data) > logPost {
			l.poke()
			continue
		}
		size += len(c.data)
		l.unsent = append(l.unsent, wire.LogChunk{Row: row, Offset: c.offset, Bytes: c.data})
		c.offset += int64(len(c.data))
		c.data, c.lost = nil, false
	}
	steps := slices.Collect(maps.Values(l.steps))
	clear(l.steps)
	return steps
}

// run sends until ctx ends, and then what is left.
func (l *logger) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-l.dirty:
			if !l.flush(ctx) {
				l.poke()
			}
			l.pause(ctx)
		}
	}
	end := logEnd
	if l.host.ctx.Err() != nil {
		end = logEvery
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), end)
	defer cancel()
	for last.Err() == nil && (!l.flush(last) || l.waiting()) {
		l.pause(last)
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

func (l *logger) waiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.rows {
		if len(c.data) > 0 {
			return true
		}
	}
	return false
}

// flush sends once and reports whether all that it took was accepted, or
// refused for good.
func (l *logger) flush(ctx context.Context) bool {
	steps := l.take()
	if l.host.URL == "" {
		l.unsent = nil
		return true
	}
	if len(l.unsent) > 0 {
		status, err := l.host.post(ctx, l.path+"/log", wire.LogBatch{Chunks: l.unsent})
		if err != nil || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
			l.host.Log.DebugContext(ctx, "live output was not taken; it is sent again", "status", status, "err", err)
			return false
		}
		l.unsent = nil
	}
	for _, s := range steps {
		if _, err := l.host.post(ctx, l.path+"/progress", s); err != nil {
			l.host.Log.DebugContext(ctx, "progress was not taken", "err", err)
		}
	}
	return true
}
