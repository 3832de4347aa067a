// Package bus carries events from the writes that caused them to whoever
// listens.
//
//	Kind.Publish(tx) ─► outbox row without a number ─► commit ─► sequencer numbers it ─► listeners, handlers
//
// Writers insert without a number and one sequencer numbers what was committed,
// so a reader that remembers a number never misses a row that committed late.
// Events are CloudEvents: their type is sextant.<domain>.<past tense>.v1.
package bus

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// Migrations holds the outbox table.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "bus"

const (
	batch = 500         // events numbered in one write
	again = time.Second // after numbering failed
)

// Event is something that happened. Subject is an object reference.
type Event struct {
	ID      string          `json:"id"`
	Seq     int64           `json:"seq"`
	Type    string          `json:"type"`
	Subject string          `json:"subject"`
	Project string          `json:"project"`
	Time    time.Time       `json:"time"`
	Data    json.RawMessage `json:"data"`
}

// Bus is the outbox and its sequencer.
type Bus struct {
	db        *db.DB
	clock     clock.Clock
	log       *slog.Logger
	wake      chan struct{}
	holder    string // who works as the handlers here
	followers []*follower

	mu        sync.Mutex
	listeners map[int]chan struct{}
	newest    map[string]int64 // number of the newest event by type, of those that were numbered here
	last      int64            // the greatest number, -1 where it is to be read; of the sequencer
	from, to  int64            // those that were numbered here follow from, up to to
	nextID    int
	entropy   *ulid.MonotonicEntropy
	stamp     uint64 // of the newest id, in milliseconds
}

// New makes a bus; Run has to be started for events to be numbered, RunHandlers for
// handlers to act.
func New(d *db.DB, c clock.Clock, log *slog.Logger) *Bus {
	return &Bus{db: d, clock: c, log: log, wake: make(chan struct{}, 1), listeners: map[int]chan struct{}{},
		newest: map[string]int64{}, from: -1, last: -1,
		entropy: ulid.Monotonic(rand.Reader, 0)}
}

// id makes an identifier that sorts after all before it, those of the same
// millisecond too, so that events are numbered in the order of their making.
func (b *Bus) id() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stamp = max(b.stamp, ulid.Timestamp(b.clock.Now()))
	id, err := ulid.New(b.stamp, b.entropy)
	return id.String(), err
}

// publish writes an event within the write that caused it.
func (b *Bus) publish(tx *db.Tx, e Event) error {
	if e.ID == "" {
		id, err := b.id()
		if err != nil {
			return err
		}
		e.ID = id
	}
	if e.Time.IsZero() {
		e.Time = b.clock.Now()
	}
	if e.Data == nil {
		e.Data = json.RawMessage("{}")
	}
	err := tx.Append("INSERT INTO bus_event (id, type, subject, project, time, data) VALUES (?, ?, ?, ?, ?, ?)",
		e.ID, e.Type, e.Subject, e.Project, clock.Micros(e.Time), []byte(e.Data))
	if err != nil {
		return err
	}
	tx.AfterCommit(b.poke)
	return nil
}

func (b *Bus) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Run numbers events until ctx ends.
func (b *Bus) Run(ctx context.Context) error {
	b.poke() // whatever a crash left without a number
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.wake:
		}
		for {
			n, err := b.number(ctx)
			if err != nil && ctx.Err() == nil {
				b.log.ErrorContext(ctx, "events cannot be numbered", "err", err)
				b.rest(ctx)
				continue
			}
			if n < batch {
				break
			}
		}
	}
}

// rest waits a while before numbering is tried again: no later event may come
// to wake the sequencer.
func (b *Bus) rest(ctx context.Context) {
	tick, stop := b.clock.After(again)
	defer stop()
	select {
	case <-ctx.Done():
	case <-tick:
	}
}

func (b *Bus) number(ctx context.Context) (int, error) {
	type fresh struct{ id, typ string }
	rows, err := b.db.Query(ctx, "SELECT id, type FROM bus_event WHERE seq IS NULL ORDER BY id LIMIT ?", batch)
	all, err := db.Scan(rows, err, func(r *sql.Rows) (f fresh, err error) { return f, r.Scan(&f.id, &f.typ) })
	if err != nil || len(all) == 0 {
		return 0, err
	}
	var first, last int64
	err = b.db.Do(ctx, func(tx *db.Tx) error {
		if first = b.last; first < 0 { // nobody else numbers
			if err := tx.QueryRow(ctx, "SELECT COALESCE(MAX(seq), 0) FROM bus_event").Scan(&first); err != nil {
				return err
			}
		}
		last = first
		for _, e := range all {
			last++
			if err := tx.Later("bus_event", e.id, "UPDATE bus_event SET seq = ? WHERE id = ?", last, e.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.last = -1
		return 0, err
	}
	b.last = last
	b.mu.Lock()
	if b.from < 0 {
		b.from = first
	}
	b.to = last
	for i, e := range all {
		b.newest[e.typ] = first + 1 + int64(i)
	}
	b.mu.Unlock()
	b.announce()
	return len(all), nil
}

func (b *Bus) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ch := range b.listeners {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	for _, f := range b.followers {
		if at := f.at.Load(); b.concerns(f.Types, at) || b.to-at >= storeEvery {
			f.poke()
		}
	}
}

// concerns reports whether one of the events after a number may be of some types; the
// lock is held.
func (b *Bus) concerns(types []string, after int64) bool {
	return after < b.from || slices.ContainsFunc(types, func(t string) bool { return b.newest[t] > after })
}

// numberedUpTo is the number of the newest event where none after a number is of some
// types, -1 where one may be.
func (b *Bus) numberedUpTo(types []string, after int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from < 0 || b.concerns(types, after) {
		return -1
	}
	return b.to
}

// Listen gives a channel that is poked whenever there are new events; stop ends
// it. Read with After.
func (b *Bus) Listen() (news <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.nextID
	b.nextID++
	b.listeners[id] = ch
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners, id)
	}
}

// Filter selects events.
type Filter struct {
	// After is the number that those asked for follow.
	After int64
	// Projects keeps to some; nil means all, an empty list none.
	Projects []string
	// Type and Subject keep to one where they are not empty.
	Type, Subject string
}

// After reads the events of the projects that follow a number, oldest first, at
// most limit. Nil means all projects, an empty list none.
func (b *Bus) After(ctx context.Context, seq int64, projects []string, limit int) ([]Event, error) {
	return b.Select(ctx, Filter{After: seq, Projects: projects}, limit)
}

// Select reads events, oldest first, at most limit.
func (b *Bus) Select(ctx context.Context, f Filter, limit int) ([]Event, error) {
	if f.Projects != nil && len(f.Projects) == 0 {
		return nil, nil
	}
	query, args := "SELECT id, seq, type, subject, project, time, data FROM bus_event WHERE seq > ?", []any{f.After}
	if f.Projects != nil {
		query += " AND project IN (?" + strings.Repeat(", ?", len(f.Projects)-1) + ")"
		for _, p := range f.Projects {
			args = append(args, p)
		}
	}
	for _, c := range []struct{ column, value string }{{"type", f.Type}, {"subject", f.Subject}} {
		if c.value != "" {
			query, args = query+" AND "+c.column+" = ?", append(args, c.value)
		}
	}
	rows, err := b.db.Query(ctx, query+" ORDER BY seq LIMIT ?", append(args, limit)...)
	return db.Scan(rows, err, scanEvent)
}

// Before is the number after which the events of since and later stand. It looks
// back over limit events and no further.
func (b *Bus) Before(ctx context.Context, since time.Time, limit int) (seq int64, err error) {
	err = b.db.QueryRow(ctx, `SELECT COALESCE(MAX(CASE WHEN time < ? THEN seq END), MIN(seq) - 1, 0) FROM bus_event
		WHERE seq > (SELECT COALESCE(MAX(seq), 0) FROM bus_event) - ?`, clock.Micros(since), limit).Scan(&seq)
	return seq, err
}

// Last is the number of the newest event, 0 where there is none.
func (b *Bus) Last(ctx context.Context) (seq int64, err error) {
	err = b.db.QueryRow(ctx, "SELECT COALESCE(MAX(seq), 0) FROM bus_event").Scan(&seq)
	return seq, err
}
