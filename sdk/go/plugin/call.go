package plugin

import (
	"context"
	"encoding/base64"
	"net/url"
	"sync"
	"time"

	"sextant/sdk/go/wire"
)

const (
	logEvery  = 250 * time.Millisecond
	logBuffer = 256 << 10 // bytes of a row's output that wait to be sent
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

// Progress tells how far the row is.
func (c *Call) Progress(percent int, message string) {
	c.log.progress(wire.Progress{Row: c.Row, Percent: min(max(percent, 0), 100), Message: message})
}

// logger sends the live output of one call.
type logger struct {
	host   *Host
	key    string
	mu     sync.Mutex
	chunks map[string]*pendingLog
	steps  []wire.Progress
	dirty  chan struct{}
}

type pendingLog struct {
	offset int64
	data   []byte
	lost   bool
}

func newLogger(h *Host, key string) *logger {
	return &logger{host: h, key: key, chunks: map[string]*pendingLog{}, dirty: make(chan struct{}, 1)}
}

func (l *logger) write(row string, p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.chunks[row]
	if c == nil {
		c = &pendingLog{}
		l.chunks[row] = c
	}
	if room := logBuffer - len(c.data); len(p) > room {
		if !c.lost {
			c.data = append(c.data, p[:max(room, 0)]...)
			c.data = append(c.data, "\n… output left out …\n"...)
		}
		c.lost = true
	} else {
		c.data = append(c.data, p...)
	}
	l.poke()
}

func (l *logger) progress(p wire.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, p)
	l.poke()
}

func (l *logger) poke() {
	select {
	case l.dirty <- struct{}{}:
	default:
	}
}

// take removes what waits to be sent.
func (l *logger) take() ([]wire.LogChunk, []wire.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var chunks []wire.LogChunk
	for row, c := range l.chunks {
		if len(c.data) > 0 {
			chunks = append(chunks, wire.LogChunk{Row: row, Offset: c.offset, Bytes: c.data})
			c.offset += int64(len(c.data))
			c.data, c.lost = nil, false
		}
	}
	steps := l.steps
	l.steps = nil
	return chunks, steps
}

// run sends until ctx ends, and then what is left.
func (l *logger) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			l.flush(context.WithoutCancel(ctx))
			return
		case <-l.dirty:
		}
		wait, stop := l.host.Clock.After(logEvery)
		l.flush(ctx)
		select {
		case <-ctx.Done():
		case <-wait:
		}
		stop()
	}
}

func (l *logger) flush(ctx context.Context) {
	if l.host.URL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	chunks, steps := l.take()
	path := "/api/v1/jobs/" + url.PathEscape(l.key)
	type chunk struct {
		Row    string `json:"row"`
		Offset int64  `json:"offset"`
		Bytes  string `json:"bytes"`
	}
	if len(chunks) > 0 {
		body := struct {
			Chunks []chunk `json:"chunks"`
		}{}
		for _, c := range chunks {
			body.Chunks = append(body.Chunks, chunk{c.Row, c.Offset, base64.StdEncoding.EncodeToString(c.Bytes)})
		}
		if _, err := l.host.post(ctx, path+"/log", body); err != nil {
			l.host.Log.DebugContext(ctx, "live output was not taken", "err", err)
		}
	}
	for _, s := range steps {
		if _, err := l.host.post(ctx, path+"/progress", s); err != nil {
			l.host.Log.DebugContext(ctx, "progress was not taken", "err", err)
		}
	}
}
