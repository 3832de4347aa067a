package bus

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Standing is how it stands with a handler.
type Standing struct {
	Name  string
	Says  string
	Types []string
	State string
	// Seq is the number up to which events are done or held, Newest that of the newest.
	Seq, Newest int64
	// Holder works as the handler until Expires and, with each write, for longer.
	Holder                string
	Expires               time.Time
	Again, Behind, Parked int
	LastError             string
	Exactly               bool // its effect is there exactly once
	Oldest                time.Time
}

// Standings tells of every handler.
func (b *Bus) Standings(ctx context.Context) ([]Standing, error) {
	last, err := b.Last(ctx)
	if err != nil {
		return nil, err
	}
	var all []Standing
	for _, f := range b.followers {
		s := Standing{Name: f.Name, Says: f.Says, Types: f.Types, Newest: last, Exactly: f.Within != nil}
		f.mu.Lock()
		s.State = f.state
		f.mu.Unlock()
		var expires int64
		err := b.db.QueryRow(ctx, "SELECT seq, holder, expires FROM bus_handler WHERE name = ?", f.Name).Scan(&s.Seq, &s.Holder, &expires)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		s.Seq, s.Expires = max(s.Seq, b.reached(f)), clock.FromMicros(expires)
		if err := b.holds(ctx, &s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// holds counts what a handler holds.
func (b *Bus) holds(ctx context.Context, s *Standing) error {
	rows, err := b.db.Query(ctx, "SELECT state, COUNT(*), MIN(since) FROM bus_held WHERE handler = ? GROUP BY state", s.Name)
	_, err = db.Scan(rows, err, func(r *sql.Rows) (struct{}, error) {
		var state string
		var n int
		var since int64
		err := r.Scan(&state, &n, &since)
		*map[string]*int{HeldAgain: &s.Again, HeldBehind: &s.Behind, HeldParked: &s.Parked}[state] = n
		if at := clock.FromMicros(since); s.Oldest.IsZero() || at.Before(s.Oldest) {
			s.Oldest = at
		}
		return struct{}{}, err
	})
	if err != nil || s.Again+s.Parked == 0 {
		return err
	}
	err = b.db.QueryRow(ctx, "SELECT error FROM bus_held WHERE handler = ? AND error <> '' ORDER BY seq LIMIT 1", s.Name).Scan(&s.LastError)
	if errors.Is(err, sql.ErrNoRows) { // done meanwhile
		return nil
	}
	return err
}

// Held lists what a handler holds, in order, after a number; an empty state is any.
//
// Returns NotFound for a handler that there is not.
func (b *Bus) Held(ctx context.Context, name, state string, after int64, limit int) ([]Held, error) {
	if err := b.known(name); err != nil {
		return nil, err
	}
	query, args := "SELECT "+heldColumns+" FROM bus_held WHERE handler = ? AND seq > ?", []any{name, after}
	if state != "" {
		query, args = query+" AND state = ?", append(args, state)
	}
	rows, err := b.db.Query(ctx, query+" ORDER BY seq LIMIT ?", append(args, limit)...)
	return db.Scan(rows, err, scanHeld)
}

func (b *Bus) known(name string) error {
	for _, f := range b.followers {
		if f.Name == name {
			return nil
		}
	}
	return errs.New(errs.NotFound, "event.handler_not_found", "there is no handler of events %q: GET /api/v1/event-handlers lists them", name).
		With("handler", name)
}

// Retry lets a handler try an event again at once that it holds and that is not behind
// another one, with all its tries anew. with shares the write.
//
// Returns NotFound where the handler does not hold the event, Conflict where another one
// on the same subject comes first.
func (b *Bus) Retry(ctx context.Context, name string, seq int64, with func(*db.Tx, Held) error) error {
	return b.decide(ctx, name, seq, func(tx *db.Tx, h Held) error {
		if h.State == HeldBehind {
			return errs.New(errs.Conflict, "event.behind", "the event %d waits behind an earlier one on %s: retry or skip that one first",
				seq, h.Subject)
		}
		h.State, h.Tries, h.Due = HeldAgain, 0, b.clock.Now()
		if err := updateHeld(tx, name, h); err != nil {
			return err
		}
		return with(tx, h)
	})
}

// Skip lets a handler pass over an event that it holds. with shares the write.
//
// Returns NotFound where the handler does not hold the event.
func (b *Bus) Skip(ctx context.Context, name string, seq int64, with func(*db.Tx, Held) error) error {
	return b.decide(ctx, name, seq, func(tx *db.Tx, h Held) error {
		if err := dropHeld(ctx, tx, name, h, b.clock.Now()); err != nil {
			return err
		}
		return with(tx, h)
	})
}

func (b *Bus) decide(ctx context.Context, name string, seq int64, do func(*db.Tx, Held) error) error {
	if err := b.known(name); err != nil {
		return err
	}
	err := b.db.Do(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+heldColumns+" FROM bus_held WHERE handler = ? AND seq = ?", name, seq)
		all, err := db.Scan(rows, err, scanHeld)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return errs.New(errs.NotFound, "event.not_held", "the handler %s does not hold the event %d: it is done, or was skipped", name, seq)
		}
		return do(tx, all[0])
	})
	if err == nil {
		for _, f := range b.followers {
			if f.Name == name {
				f.poke()
			}
		}
	}
	return err
}
