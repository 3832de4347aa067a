package control

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Claim takes what a step acts on before its first call. Where somebody else
// holds a part of it the job waits in line and gets all of it at once; told
// hears each time what stands against it. A wait that would never end, because
// those it waits for wait for this run, is refused.
func (d *Door) Claim(ctx context.Context, h Holder, claims []Claim, told func([]*Lock)) error {
	if len(claims) == 0 {
		return nil
	}
	if _, err := d.Held(ctx, d.DB, h.Run, claims); err == nil {
		return nil
	}
	news, stop := d.queue.listen(objectsOf(claims))
	defer stop()
	for {
		against, err := d.try(ctx, h, claims)
		if err != nil || len(against) == 0 {
			return err
		}
		told(against)
		tick, still := d.Clock.After(LeaseFor / 3)
		select {
		case <-news:
		case <-tick: // keeps the place, and finds a lease that ran out
		case <-ctx.Done():
			still()
			return d.leave(ctx, h, objectsOf(claims))
		}
		still()
	}
}

// try takes all claims of a job, or a place in the queue.
func (d *Door) try(ctx context.Context, h Holder, claims []Claim) (against []*Lock, err error) {
	leave, err := d.gate.enter(ctx, objectsOf(claims))
	if err != nil {
		return nil, err
	}
	defer leave()
	var refusal error
	err = d.DB.Do(ctx, func(tx *db.Tx) error {
		refusal = nil
		ticket, err := ticketOf(ctx, tx, h)
		if err != nil {
			return err
		}
		if against, err = d.blockers(ctx, tx, h, ticket, claims); err != nil {
			return err
		}
		if len(against) == 0 {
			if _, err := tx.Exec("DELETE FROM control_wait WHERE run = ? AND job = ?", h.Run, h.Job); err != nil {
				return err
			}
			tx.AfterCommit(func() { d.line.look(objectsOf(claims)...) })
			return d.grant(tx, h, claims)
		}
		if ticket == 0 {
			if refusal, err = d.circle(ctx, tx, h, against); err != nil || refusal != nil {
				return err
			}
			if ticket, err = d.fences.next(tx); err != nil {
				return err
			}
		}
		return d.queueUp(tx, h, ticket, claims)
	})
	if err == nil {
		err = refusal
	}
	return against, err
}

func ticketOf(ctx context.Context, q db.Querier, h Holder) (int64, error) {
	var ticket sql.NullInt64
	err := q.QueryRow(ctx, "SELECT MIN(ticket) FROM control_wait WHERE run = ? AND job = ?", h.Run, h.Job).Scan(&ticket)
	return ticket.Int64, err
}

// queueUp takes or keeps the place of a job on each object.
func (d *Door) queueUp(tx *db.Tx, h Holder, ticket int64, claims []Claim) error {
	now := d.Clock.Now()
	n, err := tx.Exec("UPDATE control_wait SET expires = ? WHERE run = ? AND job = ?", clock.Micros(now.Add(LeaseFor)), h.Run, h.Job)
	if err != nil || n == int64(len(claims)) {
		return err
	}
	for _, c := range claims {
		d.claims.Add(h.Run)
		if err := tx.Upsert("control_wait", 2, []string{"object", "ticket", "run", "job", "project", "subject", "mode", "since", "expires"},
			c.Object, ticket, h.Run, h.Job, h.Project, h.Subject, string(c.Mode), clock.Micros(now), clock.Micros(now.Add(LeaseFor))); err != nil {
			return err
		}
	}
	return nil
}

// leave gives up the place of a job that nobody wants any more.
func (d *Door) leave(ctx context.Context, h Holder, objects []string) error {
	cause := context.Cause(ctx)
	err := d.DB.Do(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		if _, err := tx.Exec("DELETE FROM control_wait WHERE run = ? AND job = ?", h.Run, h.Job); err != nil {
			return err
		}
		tx.AfterCommit(func() { d.free(objects) })
		return nil
	})
	if err != nil {
		return err
	}
	return cause
}

// waitsFor is a step of a circle: a run that waits for another because of an
// object.
type waitsFor struct {
	run    int64
	object string
	from   *waitsFor
}

// circle refuses to wait for runs which themselves wait, over however many, for
// the run that asks.
func (d *Door) circle(ctx context.Context, q db.Querier, h Holder, against []*Lock) (error, error) {
	seen := map[int64]bool{}
	var next []*waitsFor
	for _, l := range against {
		next = append(next, &waitsFor{run: int64(l.Run), object: l.Object})
	}
	for len(next) > 0 {
		w := next[0]
		next = next[1:]
		if w.run == h.Run {
			return closed(h.Run, w), nil
		}
		if seen[w.run] {
			continue
		}
		seen[w.run] = true
		theirs, err := d.waitsOf(ctx, q, w.run)
		if err != nil {
			return nil, err
		}
		for _, l := range theirs {
			next = append(next, &waitsFor{int64(l.Run), l.Object, w})
		}
	}
	return nil, nil
}

// waitsOf lists what the waiting jobs of a run wait for.
func (d *Door) waitsOf(ctx context.Context, q db.Querier, run int64) ([]*Lock, error) {
	rows, err := q.Query(ctx, "SELECT "+waitColumns+" FROM control_wait WHERE run = ?", run)
	places, err := db.Scan(rows, err, scanLock)
	if err != nil {
		return nil, err
	}
	var all []*Lock
	for _, p := range places {
		if !p.live(d.Clock.Now()) {
			continue
		}
		against, err := d.blockers(ctx, q, Holder{Run: run}, p.ticket, []Claim{{p.Object, p.Mode}})
		if err != nil {
			return nil, err
		}
		all = append(all, against...)
	}
	return all, nil
}

func closed(run int64, last *waitsFor) error {
	var chain []*waitsFor
	for w := last; w != nil; w = w.from {
		chain = append([]*waitsFor{w}, chain...)
	}
	var parts []string
	from := run
	for _, w := range chain {
		part := fmt.Sprintf("run %d waits for run %d", from, w.run)
		if from == run || w.run == run { // what others want of each other may be out of sight
			part += " (" + w.object + ")"
		}
		parts, from = append(parts, part), w.run
	}
	return errs.New(errs.Conflict, "control.lock_circle", "to wait here would never end: %s; cancel one of these runs, then try again",
		strings.Join(parts, ", ")).With("object", chain[0].object)
}

// queue wakes those who wait for objects.
type queue struct {
	mu  sync.Mutex
	all map[*waiter]bool
}

type waiter struct {
	objects map[string]bool
	news    chan struct{}
}

func (q *queue) listen(objects []string) (<-chan struct{}, func()) {
	w := &waiter{map[string]bool{}, make(chan struct{}, 1)}
	for _, o := range objects {
		w.objects[o] = true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = map[*waiter]bool{}
	}
	q.all[w] = true
	return w.news, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.all, w)
	}
}

// poke wakes who waits for one of the objects.
func (q *queue) poke(objects []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := range q.all {
		for _, o := range objects {
			if w.objects[o] {
				select {
				case w.news <- struct{}{}:
				default:
				}
				break
			}
		}
	}
}

// gate keeps what judges an object apart: a claim is not granted while somebody
// edits the object, and an edit does not begin while a claim is judged.
type gate struct {
	mu   sync.Mutex
	busy map[string]int
	free chan struct{} // closed each time somebody leaves
}

// enter waits until nobody is at any of the objects.
func (g *gate) enter(ctx context.Context, objects []string) (leave func(), err error) {
	for {
		g.mu.Lock()
		if g.busy == nil {
			g.busy, g.free = map[string]int{}, make(chan struct{})
		}
		taken := false
		for _, o := range objects {
			taken = taken || g.busy[o] > 0
		}
		if !taken {
			for _, o := range objects {
				g.busy[o]++
			}
			g.mu.Unlock()
			return func() { g.leave(objects) }, nil
		}
		free := g.free
		g.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (g *gate) leave(objects []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range objects {
		if g.busy[o]--; g.busy[o] <= 0 {
			delete(g.busy, o)
		}
	}
	close(g.free)
	g.free = make(chan struct{})
}
