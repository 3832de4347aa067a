package control

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Stop is the state of the global stop.
type Stop struct {
	Active  bool      `json:"active"`
	Reason  string    `json:"reason,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	File    string    `json:"file,omitempty" doc:"The file on the server that stops all starts while it exists"`
}

// stopped is the stop as the database has it.
type stopped struct {
	known  atomic.Pointer[Stop]
	change atomic.Int32 // changes that are under way: meanwhile nothing is kept
}

// read gives the stop. One server writes to the database, so that it knows of every
// change.
func (s *stopped) read(ctx context.Context, q db.Querier) (Stop, error) {
	if known := s.known.Load(); known != nil {
		return *known, nil
	}
	now, err := readStop(ctx, q)
	if _, within := q.(*db.Tx); err == nil && within && s.change.Load() == 0 { // writes come one after the other
		s.known.Store(&now)
	}
	return now, err
}

func readStop(ctx context.Context, q db.Querier) (Stop, error) {
	var s Stop
	var since int64
	err := q.QueryRow(ctx, "SELECT active, reason, subject, since FROM control_stop WHERE id = 1").
		Scan(&s.Active, &s.Reason, &s.Subject, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	s.Since = clock.FromMicros(since)
	return s, err
}

// state is the stop as it counts: the file in the data folder stops, too.
func (d *Door) state(ctx context.Context, q db.Querier) (Stop, error) {
	s, err := d.stop.read(ctx, q)
	if err == nil && d.byFile() {
		s.Active, s.File = true, d.StopFile
	}
	return s, err
}

// byFile reports whether the file stops all starts.
func (d *Door) byFile() bool {
	if d.StopFile == "" {
		return false
	}
	_, err := os.Stat(d.StopFile)
	return err == nil
}

// errByFile says how to go on where the file stops all starts.
func (d *Door) errByFile() error {
	return errs.New(errs.Locked, "control.stopped", "nothing may start while the file %s exists: remove it to go on", d.StopFile)
}

// SetStop stops all starts, or allows them again; not while the file stops them, since
// they would go on being refused.
func (d *Door) SetStop(ctx context.Context, active bool, reason string) (Stop, error) {
	if err := identity.Require(ctx, "control.stop", "*"); err != nil {
		return Stop{}, err
	}
	if !active && d.byFile() {
		return Stop{}, d.errByFile()
	}
	ctx = db.Urgent(ctx) // also on a full disk
	s := Stop{Active: active, Reason: reason, Subject: identity.From(ctx).Name, Since: d.Clock.Now()}
	d.stop.change.Add(1)
	defer d.stop.change.Add(-1)
	err := d.DB.Do(ctx, func(tx *db.Tx) error {
		d.stop.known.Store(nil)
		if err := tx.Upsert("control_stop", 1, []string{"id", "active", "reason", "subject", "since"},
			1, active, reason, s.Subject, clock.Micros(s.Since)); err != nil {
			return err
		}
		detail, err := json.Marshal(map[string]any{"active": active, "reason": reason})
		if err != nil {
			return err
		}
		if !active {
			tx.AfterCommit(d.line.lookAtAll)
		}
		return d.Audit.Write(ctx, tx,
			audit.Record{Project: "default", Actor: identity.From(ctx).Actor(), Verb: "control.stop", Object: "platform", Detail: detail})
	})
	return s, err
}
