package bus

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// States of an event that a handler holds.
const (
	HeldAgain  = "again"  // it is tried again
	HeldBehind = "behind" // an earlier one on the same subject comes first
	HeldParked = "parked" // a person decides
)

// Held is an event that a handler could not act on yet.
type Held struct {
	Event
	State string
	Tries int
	// Due is when it is tried again.
	Due   time.Time
	Error string
	Since time.Time
}

// place is where a handler stands.
type place struct{ seq, epoch int64 }

// take begins to work as a handler; until is when to ask again where another server
// does. A new handler begins with the oldest event that is kept.
func (b *Bus) take(ctx context.Context, name string) (p place, until time.Time, err error) {
	err = b.db.Do(ctx, func(tx *db.Tx) error {
		p, until = place{}, time.Time{}
		var holder string
		var expires int64
		err := tx.QueryRow(ctx, "SELECT seq, epoch, holder, expires FROM bus_handler WHERE name = ?", name).
			Scan(&p.seq, &p.epoch, &holder, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			p.epoch = 1
			_, err = tx.Exec("INSERT INTO bus_handler (name, seq, epoch, holder, expires) VALUES (?, 0, 1, ?, ?)",
				name, b.holder, clock.Micros(b.clock.Now().Add(LeaseFor)))
			return err
		}
		if err != nil {
			return err
		}
		if holder != b.holder && expires > clock.Micros(b.clock.Now()) {
			until = clock.FromMicros(expires)
			return nil
		}
		p.epoch++
		_, err = tx.Exec("UPDATE bus_handler SET epoch = ?, holder = ?, expires = ? WHERE name = ?",
			p.epoch, b.holder, clock.Micros(b.clock.Now().Add(LeaseFor)), name)
		return err
	})
	return p, until, err
}

// placeOf is the number up to which a handler is known to have acted on all events.
func placeOf(ctx context.Context, q db.Querier, name string) (seq int64, err error) {
	err = q.QueryRow(ctx, "SELECT COALESCE(MAX(seq), 0) FROM bus_handler WHERE name = ?", name).Scan(&seq)
	return seq, err
}

// dropUnknown removes the places of handlers that are no more, so that no events are
// kept for them. What they held stays to be seen.
func dropUnknown(ctx context.Context, d *db.DB, names []string) error {
	return d.Do(ctx, func(tx *db.Tx) error {
		query, args := "DELETE FROM bus_handler", []any{}
		for i, n := range names {
			query += map[bool]string{true: " WHERE name <> ?", false: " AND name <> ?"}[i == 0]
			args = append(args, n)
		}
		_, err := tx.Exec(query, args...)
		return err
	})
}

// ofTypes reads the events of types that follow a number.
func (b *Bus) ofTypes(ctx context.Context, after int64, types []string, limit int) ([]Event, error) {
	args := []any{after}
	for _, t := range types {
		args = append(args, t)
	}
	rows, err := b.db.Query(ctx, "SELECT id, seq, type, subject, project, time, data FROM bus_event WHERE seq > ? AND type IN (?"+
		strings.Repeat(", ?", len(types)-1)+") ORDER BY seq LIMIT ?", append(args, limit)...)
	return db.Scan(rows, err, scanEvent)
}

func scanEvent(r *sql.Rows) (Event, error) {
	var e Event
	var at int64
	var data []byte
	err := r.Scan(&e.ID, &e.Seq, &e.Type, &e.Subject, &e.Project, &at, &data)
	e.Time, e.Data = clock.FromMicros(at), data
	return e, err
}

const heldColumns = "state, tries, due, error, since, id, seq, type, object, project, time, data"

func scanHeld(r *sql.Rows) (Held, error) {
	var h Held
	var due, since, at int64
	var data []byte
	err := r.Scan(&h.State, &h.Tries, &due, &h.Error, &since, &h.ID, &h.Seq, &h.Type, &h.Subject, &h.Project, &at, &data)
	h.Due, h.Since, h.Time, h.Data = clock.FromMicros(due), clock.FromMicros(since), clock.FromMicros(at), data
	return h, err
}

// heldDue lists the events that a handler tries again now, and tells when the next one
// is due after them; zero for never.
func heldDue(ctx context.Context, d *db.DB, name string, now time.Time) (due []Held, next time.Time, err error) {
	rows, err := d.Query(ctx, "SELECT "+heldColumns+" FROM bus_held WHERE handler = ? AND state = ? AND due <= ? ORDER BY due, seq LIMIT ?",
		name, HeldAgain, clock.Micros(now), handledOnce)
	if due, err = db.Scan(rows, err, scanHeld); err != nil {
		return nil, next, err
	}
	var at sql.NullInt64
	err = d.QueryRow(ctx, "SELECT MIN(due) FROM bus_held WHERE handler = ? AND state = ? AND due > ?", name, HeldAgain, clock.Micros(now)).
		Scan(&at)
	if at.Valid {
		next = clock.FromMicros(at.Int64)
	}
	return due, next, err
}

// isHeld reports whether a handler holds an event on a subject.
func isHeld(ctx context.Context, q db.Querier, name, subject string) (bool, error) {
	var seq sql.NullInt64
	err := q.QueryRow(ctx, "SELECT MIN(seq) FROM bus_held WHERE handler = ? AND object = ?", name, subject).Scan(&seq)
	return seq.Valid, err
}

// stillHeld reports whether a handler holds an event that it is to try again.
func stillHeld(ctx context.Context, q db.Querier, name string, seq int64) (bool, error) {
	var n int
	err := q.QueryRow(ctx, "SELECT COUNT(*) FROM bus_held WHERE handler = ? AND seq = ? AND state = ?", name, seq, HeldAgain).Scan(&n)
	return n > 0, err
}

func insertHeld(tx *db.Tx, name string, h Held) error {
	_, err := tx.Exec("INSERT INTO bus_held (handler, "+heldColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		name, h.State, h.Tries, microsOf(h.Due), h.Error, clock.Micros(h.Since),
		h.ID, h.Seq, h.Type, h.Subject, h.Project, clock.Micros(h.Time), []byte(h.Data))
	return err
}

func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return clock.Micros(t)
}

func updateHeld(tx *db.Tx, name string, h Held) error {
	_, err := tx.Exec("UPDATE bus_held SET state = ?, tries = ?, due = ?, error = ? WHERE handler = ? AND seq = ?",
		h.State, h.Tries, clock.Micros(h.Due), h.Error, name, h.Seq)
	return err
}

// dropHeld removes an event that is done or skipped; the next on the same subject is
// its turn.
func dropHeld(ctx context.Context, tx *db.Tx, name string, h Held, now time.Time) error {
	if _, err := tx.Exec("DELETE FROM bus_held WHERE handler = ? AND seq = ?", name, h.Seq); err != nil {
		return err
	}
	var first sql.NullInt64
	if err := tx.QueryRow(ctx, "SELECT MIN(seq) FROM bus_held WHERE handler = ? AND object = ?", name, h.Subject).Scan(&first); err != nil ||
		!first.Valid {
		return err
	}
	_, err := tx.Exec("UPDATE bus_held SET state = ?, due = ? WHERE handler = ? AND seq = ? AND state = ?",
		HeldAgain, clock.Micros(now), name, first.Int64, HeldBehind)
	return err
}
