package control

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Mode is how an object is held.
type Mode string

// The modes. Any number of runs share an object; one alone holds it exclusively.
const (
	Exclusive Mode = "exclusive"
	Shared    Mode = "shared"
)

// Claim is an object, or a lock of another name, that a run needs.
type Claim struct {
	Object string `json:"object"`
	Mode   Mode   `json:"mode" enum:"exclusive,shared"`
}

// Merge gives one claim for each object, the stronger where there are two.
func Merge(claims []Claim) []Claim {
	by := map[string]int{}
	var all []Claim
	for _, c := range claims {
		i, ok := by[c.Object]
		if !ok {
			by[c.Object], all = len(all), append(all, c)
			continue
		}
		if c.Mode == Exclusive {
			all[i].Mode = Exclusive
		}
	}
	return all
}

func objectsOf(claims []Claim) []string {
	all := make([]string, len(claims))
	for i, c := range claims {
		all[i] = c.Object
	}
	return all
}

// Holder is a run that claims, for one of its jobs.
type Holder struct {
	Run, Job         int64
	Project, Subject string
}

// Lock says who holds an object, or who waits for it.
type Lock struct {
	Object  string    `json:"object"`
	Run     api.Key   `json:"run,omitzero" doc:"Absent where it is a run that you may not see"`
	Subject string    `json:"subject,omitempty"`
	Mode    Mode      `json:"mode" enum:"exclusive,shared"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"`
	// Fence grows with every claim; a plugin may refuse a smaller one than it has
	// seen for an object.
	Fence int64 `json:"fence,omitempty"`

	project string
	ticket  int64
	line    bool // it is a run that waits to start
}

func (l *Lock) live(now time.Time) bool { return l.Expires.After(now) }

// inOne is how many objects one query asks for.
const inOne = 200

const (
	claimColumns = "object, run, project, subject, mode, fence, since, expires, 0"
	waitColumns  = "object, run, project, subject, mode, 0, since, expires, ticket"
	lineColumns  = "object, run, project, subject, mode, 0, since, since, place"
)

// locksOn reads the claims, or the waiting tickets, on objects.
func locksOn(ctx context.Context, q db.Querier, table string, objects []string) (map[string][]*Lock, error) {
	columns := claimColumns
	switch table {
	case "control_wait":
		columns = waitColumns
	case "control_line":
		columns = lineColumns
	}
	by := map[string][]*Lock{}
	for part := range slices.Chunk(objects, inOne) {
		n := 1
		for n < len(part) { // few different statements
			n *= 8
		}
		args := make([]any, min(n, inOne))
		for i := range args {
			args[i] = part[min(i, len(part)-1)]
		}
		rows, err := q.Query(ctx, "SELECT "+columns+" FROM "+table+" WHERE object IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
		all, err := db.Scan(rows, err, scanLock)
		if err != nil {
			return nil, err
		}
		for _, l := range all {
			by[l.Object] = append(by[l.Object], l)
		}
	}
	return by, nil
}

func scanLock(r *sql.Rows) (*Lock, error) {
	var l Lock
	var since, expires int64
	err := r.Scan(&l.Object, &l.Run, &l.project, &l.Subject, &l.Mode, &l.Fence, &since, &expires, &l.ticket)
	l.Since, l.Expires = clock.FromMicros(since), clock.FromMicros(expires)
	return &l, err
}

func conflict(a, b Mode) bool { return a == Exclusive || b == Exclusive }

// blockers lists what stands against claims of a run: who holds an object, and
// who asked for it earlier. ticket is the run's own place in the queue, 0 for one
// that comes last.
func (d *Door) blockers(ctx context.Context, q db.Querier, h Holder, ticket int64, claims []Claim) ([]*Lock, error) {
	objects := objectsOf(claims)
	held, err := locksOn(ctx, q, "control_claim", objects)
	if err != nil {
		return nil, err
	}
	waiting, err := locksOn(ctx, q, "control_wait", objects)
	if err != nil {
		return nil, err
	}
	now := d.Clock.Now()
	var all []*Lock
	for _, c := range claims {
		own := false
		for _, l := range held[c.Object] {
			switch {
			case int64(l.Run) == h.Run:
				own = own || l.live(now)
			case l.live(now) && conflict(l.Mode, c.Mode):
				all = append(all, l)
			}
		}
		for _, w := range waiting[c.Object] {
			// Who holds an object already does not queue for it behind those who wait.
			if own || int64(w.Run) == h.Run || !w.live(now) || ticket != 0 && w.ticket >= ticket || !conflict(w.Mode, c.Mode) {
				continue
			}
			all = append(all, w)
		}
	}
	return all, nil
}

// grant gives a run what it claims. What somebody else holds by a lease that has
// run out is taken from him.
func (d *Door) grant(tx *db.Tx, h Holder, claims []Claim) error {
	ctx := context.Background()
	held, err := locksOn(ctx, tx, "control_claim", objectsOf(claims))
	if err != nil || len(claims) == 0 {
		return err
	}
	fence, err := d.fences.next(tx)
	if err != nil {
		return err
	}
	d.claims.Add(h.Run)
	now := d.Clock.Now()
	for _, c := range claims {
		since, keep := now, false
		for _, l := range held[c.Object] {
			switch {
			case int64(l.Run) == h.Run && l.live(now) && (l.Mode == Exclusive || c.Mode == Shared):
				keep = true
			case int64(l.Run) == h.Run && l.live(now):
				since = l.Since
			case int64(l.Run) != h.Run && !l.live(now):
				if _, err := tx.Exec("DELETE FROM control_claim WHERE object = ? AND run = ?", c.Object, int64(l.Run)); err != nil {
					return err
				}
			}
		}
		if keep {
			continue
		}
		if err := tx.Upsert("control_claim", 2, []string{"object", "run", "project", "subject", "mode", "fence", "since", "expires"},
			c.Object, h.Run, h.Project, h.Subject, string(c.Mode), fence, clock.Micros(since), clock.Micros(now.Add(LeaseFor))); err != nil {
			return err
		}
	}
	return nil
}

// Held finds out, in the write before a call, that a run holds what the call
// acts on, and gives the fence of each claim. A run that has lost its lease gets
// an error and makes no call.
func (d *Door) Held(ctx context.Context, q db.Querier, run int64, claims []Claim) (map[string]int64, error) {
	held, err := locksOn(ctx, q, "control_claim", objectsOf(claims))
	if err != nil {
		return nil, err
	}
	fences := make(map[string]int64, len(claims))
	for _, c := range claims {
		for _, l := range held[c.Object] {
			if int64(l.Run) == run && l.live(d.Clock.Now()) && (l.Mode == Exclusive || c.Mode == Shared) {
				fences[c.Object] = l.Fence
			}
		}
		if _, ok := fences[c.Object]; !ok {
			return nil, errs.New(errs.Locked, "control.lease_lost",
				"the run holds %s no more: its lease ran out, and nothing more was called; try again to claim it anew", c.Object).
				With("object", c.Object)
		}
	}
	return fences, nil
}

// What to do about a lock: for who starts a run, and for who changes an object.
const (
	toStart  = "wait until it has ended, and ask again"
	toChange = "wait until it has ended, or pass the lock with a reason (--override-reason), which needs the right lock.override"
)

// locked says why a claim cannot be had, and what to do. Of runs of another project
// only that they are there is told.
func locked(l *Lock, project, remedy string) error {
	switch {
	case l.project != project:
		return errs.New(errs.Locked, "control.locked", "%s is held by a run of another project: %s", l.Object, remedy).With("object", l.Object)
	case l.Run == 0:
		return heldSince(l, remedy)
	case l.ticket != 0:
		return errs.New(errs.Locked, "control.locked", "%s is waited for by run %d, started by %s, which came first at %s: %s",
			l.Object, l.Run, l.Subject, l.Since.Format(time.RFC3339), remedy).
			With("object", l.Object).With("holder", l.Subject).With("run", l.Run.String())
	}
	return errs.New(errs.Locked, "control.locked", "%s is held by run %d, started by %s at %s: %s",
		l.Object, l.Run, l.Subject, l.Since.Format(time.RFC3339), remedy).
		With("object", l.Object).With("holder", l.Subject).With("run", l.Run.String())
}

// Release gives up what a run holds and waits for, in the write that ends it.
func (d *Door) Release(tx *db.Tx, run int64) error {
	if err := d.closeOpen(tx, run); err != nil {
		return err
	}
	tx.AfterCommit(d.line.ended)
	if !d.claims.May(tx, run) {
		return nil
	}
	d.claims.Gone(tx, run)
	objects, err := d.Claimed(context.Background(), tx, run)
	if err != nil || len(objects) == 0 {
		return err
	}
	for _, table := range []string{"control_claim", "control_wait"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE run = ?", run); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { d.free(objects) })
	return nil
}

// free wakes who waits for objects: jobs first, they belong to runs that have begun.
func (d *Door) free(objects []string) {
	d.queue.poke(objects)
	d.line.look(objects...)
}

// RenewOnce keeps all claims there are, and all places in the queue, for another
// lease: one server works on a database, so that all are its own. A server that
// starts does it before it takes requests: the runs go on and still hold what they
// held.
func (d *Door) RenewOnce(ctx context.Context) error {
	return d.renew(ctx, "control_claim", "control_wait")
}

func (d *Door) renew(ctx context.Context, tables ...string) error {
	until := clock.Micros(d.Clock.Now().Add(LeaseFor))
	return d.DB.Do(ctx, func(tx *db.Tx) error {
		for _, table := range tables {
			if _, err := tx.Exec("UPDATE "+table+" SET expires = ?", until); err != nil {
				return err
			}
		}
		return nil
	})
}

// Renew keeps all claims there are for another lease, again and again; who waits
// renews his place himself. It returns when ctx ends.
func (d *Door) Renew(ctx context.Context) error {
	for {
		err := d.renew(ctx, "control_claim")
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

// fences numbers claims and places in the queue. Numbers are reserved in blocks,
// so that most claims write no counter.
type fences struct {
	last, reserved int64
	read           bool
}

const fenceBlock = 1024

// next gives a number greater than every one before. It is called within writes
// alone, which come one after the other.
func (f *fences) next(tx *db.Tx) (int64, error) {
	if !f.read {
		err := tx.QueryRow(context.Background(), "SELECT fence FROM control_fence WHERE id = 1").Scan(&f.last)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		f.reserved, f.read = f.last, true
	}
	f.last++
	if f.last <= f.reserved {
		return f.last, nil
	}
	until := f.last + fenceBlock - 1
	if err := tx.Upsert("control_fence", 1, []string{"id", "fence"}, 1, until); err != nil {
		return 0, err
	}
	tx.AfterCommit(func() { f.reserved = max(f.reserved, until) })
	return f.last, nil
}
