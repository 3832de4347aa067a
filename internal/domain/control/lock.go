package control

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"

	"sextant/internal/domain/audit"
)

// Lock says who holds an object.
type Lock struct {
	Object  string    `json:"object"`
	Run     api.Key   `json:"run"`
	Subject string    `json:"subject"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"`
	project string
}

// locks refuses where somebody else holds one of the objects.
func (d *Door) locks(ctx context.Context, q db.Querier, req Request) check {
	c := check{name: "locks"}
	for _, o := range req.Objects {
		l, err := holder(ctx, q, o)
		switch {
		case err != nil:
			c.err = err
			return c
		case l != nil && l.Expires.After(d.Clock.Now()) && l.project != req.Project:
			c.err = errs.New(errs.Locked, "control.locked", "%s is held by a run of another project", o).With("object", o)
			return c
		case l != nil && l.Expires.After(d.Clock.Now()):
			c.err = errs.New(errs.Locked, "control.locked", "%s is held by run %d, started by %s at %s", o, l.Run, l.Subject, l.Since.Format(time.RFC3339)).
				With("object", o).With("holder", l.Subject)
			return c
		}
	}
	return c
}

func holder(ctx context.Context, q db.Querier, object string) (*Lock, error) {
	l := Lock{Object: object}
	var since, expires int64
	err := q.QueryRow(ctx, "SELECT project, run, subject, since, expires FROM control_lock WHERE object = ?", object).Scan(&l.project, &l.Run, &l.Subject, &since, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	l.Since, l.Expires = clock.FromMicros(since), clock.FromMicros(expires)
	return &l, err
}

// Holder tells who holds an object; nil for nobody, and for a run of a project in
// which the subject of ctx may not read runs.
func (d *Door) Holder(ctx context.Context, object string) (*Lock, error) {
	l, err := holder(ctx, d.DB, object)
	if l != nil && (!l.Expires.After(d.Clock.Now()) || identity.Require(ctx, "run.read", l.project) != nil) {
		return nil, err
	}
	return l, err
}

// lock takes all objects of a request for a run and gives the fence, the
// greatest of the objects' own.
func (d *Door) lock(tx *db.Tx, req Request, run int64, subject string) (int64, error) {
	now := d.Clock.Now()
	var fence int64
	for _, o := range req.Objects {
		var f int64
		err := tx.QueryRow(context.Background(), "SELECT fence FROM control_fence WHERE object = ?", o).Scan(&f)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		f++
		fence = max(fence, f)
		if err := tx.Upsert("control_fence", 1, []string{"object", "fence"}, o, f); err != nil {
			return 0, err
		}
		if err := tx.Upsert("control_lock", 1, []string{"object", "project", "run", "subject", "since", "expires"},
			o, req.Project, run, subject, clock.Micros(now), clock.Micros(now.Add(LeaseFor))); err != nil {
			return 0, err
		}
	}
	return fence, nil
}

// Release gives up what a run holds, in the write that ends it.
func (d *Door) Release(tx *db.Tx, run int64) error {
	_, err := tx.Exec("DELETE FROM control_lock WHERE run = ?", run)
	return err
}

// RenewOnce keeps the locks of all runs of this node for another lease. A server
// that starts does it before it takes requests: the runs go on and still hold
// what they held.
func (d *Door) RenewOnce(ctx context.Context) error {
	until := clock.Micros(d.Clock.Now().Add(LeaseFor))
	return d.DB.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE control_lock SET expires = ?", until)
		return err
	})
}

// Renew keeps the locks of all runs of this node for another lease. It returns
// when ctx ends.
func (d *Door) Renew(ctx context.Context) error {
	for {
		err := d.RenewOnce(ctx)
		if err != nil && ctx.Err() == nil && !errs.Is(err, errs.Exhausted) && !errs.Is(err, errs.Unavailable) && !errs.Is(err, errs.Full) {
			return err
		}
		tick, stop := d.Clock.After(LeaseFor / 3)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		}
	}
}

// Stop is the state of the global stop.
type Stop struct {
	Active  bool      `json:"active"`
	Reason  string    `json:"reason,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

func readStop(ctx context.Context, q db.Querier) (Stop, error) {
	var s Stop
	var since int64
	err := q.QueryRow(ctx, "SELECT active, reason, subject, since FROM control_stop WHERE id = 1").Scan(&s.Active, &s.Reason, &s.Subject, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	s.Since = clock.FromMicros(since)
	return s, err
}

// SetStop stops all starts, or allows them again.
func (d *Door) SetStop(ctx context.Context, active bool, reason string) (Stop, error) {
	if err := identity.Require(ctx, "control.stop", "*"); err != nil {
		return Stop{}, err
	}
	s := Stop{Active: active, Reason: reason, Subject: identity.From(ctx).Name, Since: d.Clock.Now()}
	err := d.DB.Do(ctx, func(tx *db.Tx) error {
		if err := tx.Upsert("control_stop", 1, []string{"id", "active", "reason", "subject", "since"}, 1, active, reason, s.Subject, clock.Micros(s.Since)); err != nil {
			return err
		}
		return d.Audit.Write(ctx, tx, audit.Record{Project: "default", Actor: identity.From(ctx).Actor(), Verb: "control.stop", Object: "platform"})
	})
	return s, err
}
