package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

const (
	// MaxTries is how often a handler acts on an event before it is parked.
	MaxTries = 10
	// LeaseFor is how long a handler is kept from others after its last write.
	LeaseFor = time.Minute
	// LimitOutside bounds one act of a handler that acts outside of the database: it
	// ends well before the lease does.
	LimitOutside = 30 * time.Second

	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	handledOnce  = 100    // events of one write
	storeEvery   = 10_000 // events that are not for a handler, until its place is stored
	maxReason    = 1000   // bytes of an error that are kept
)

// Handler acts on events of some types, in their order, each at least once:
//
//	cursor ─► act ─► cursor moves on
//	           │ fails
//	           ▼
//	        again ─► acts, in the order of its object ─► gone
//	           │ ▲ retried by a person
//	 MaxTries  ▼ │
//	        parked ─► skipped by a person, with a reason
//
// An event that fails does not keep others back, but for those on the same subject:
// they wait behind it, also while it is parked. It is tried again after 1 s, 2 s and so
// on, at most 5 min apart, with its tries on disk.
//
// One server at a time works as a handler: it holds a lease, and each write checks the
// lease's epoch in its own transaction. Exactly one of Within and Outside is set.
type Handler struct {
	// Name is unique and stays: the place in the order of events is kept under it.
	Name string
	// Says is one sentence on what it does.
	Says string
	// Types are those of the events that it is given.
	Types []string
	// Within acts in the write that moves the cursor: its effect is there exactly once.
	// It must be quick, and may run again before the commit, as any write.
	Within func(ctx context.Context, tx *db.Tx, e Event) error
	// Outside acts elsewhere, before the write that moves the cursor: when the server is
	// killed between the two it acts once more on the same event.
	Outside func(ctx context.Context, e Event) error
}

// follower is a handler at work.
type follower struct {
	Handler
	wake  chan struct{}
	at    atomic.Int64 // all events up to it are done or held; -1 until it is known
	mu    sync.Mutex
	epoch int64
	kept  int64  // at, as it is stored
	state string // working, or waiting for the lease
}

// States of a handler.
const (
	HandlerWorks = "working"
	HandlerWaits = "waiting" // another server works as it
)

// errLost says that another server works as the handler by now.
var errLost = errors.New("another server has taken the handler over")

// Handle adds handlers, before RunHandlers. holder is who works as them here, the same
// over restarts.
func (b *Bus) Handle(holder string, all ...Handler) {
	b.holder = holder
	for _, h := range all {
		if h.Name == "" || len(h.Types) == 0 || (h.Within == nil) == (h.Outside == nil) ||
			slices.ContainsFunc(b.followers, func(f *follower) bool {
				return f.Name == h.Name
			}) {
			panic(fmt.Sprintf("bus: the handler %q is not possible", h.Name))
		}
		f := &follower{Handler: h, wake: make(chan struct{}, 1), state: HandlerWaits}
		f.at.Store(-1)
		b.followers = append(b.followers, f)
	}
}

// RunHandlers lets the handlers act until ctx ends.
func (b *Bus) RunHandlers(ctx context.Context) error {
	if err := dropUnknown(ctx, b.db, b.names()); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, f := range b.followers {
		wg.Go(func() { b.follow(ctx, f) })
	}
	wg.Wait()
	return ctx.Err()
}

// reached is the number up to which a handler has acted on all events, -1 where it is
// not known.
func (b *Bus) reached(f *follower) int64 {
	at := f.at.Load()
	if at < 0 {
		return at
	}
	return max(at, b.numberedUpTo(f.Types, at)) // others are not for it
}

func (b *Bus) names() (all []string) {
	for _, f := range b.followers {
		all = append(all, f.Name)
	}
	return all
}

func (b *Bus) follow(ctx context.Context, f *follower) {
	told := false
	for ctx.Err() == nil {
		next, err := b.turn(ctx, f)
		if errors.Is(err, errLost) {
			f.set(0, HandlerWaits)
			b.log.WarnContext(ctx, "a handler of events was taken over by another server", "handler", f.Name)
			continue
		}
		if err != nil && ctx.Err() == nil {
			if !told {
				b.log.WarnContext(ctx, "a handler of events cannot go on; it tries again", "handler", f.Name, "err", err)
			}
			next = b.clock.Now().Add(again)
		}
		told = err != nil
		tick, stop := (<-chan time.Time)(nil), func() {}
		if !next.IsZero() {
			tick, stop = b.clock.After(max(next.Sub(b.clock.Now()), 0))
		}
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-tick:
		}
		stop()
	}
}

func (f *follower) set(epoch int64, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch, f.state = epoch, state
}

func (f *follower) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// turn does all that is there to do, and says when there is more without news; zero
// for never.
func (b *Bus) turn(ctx context.Context, f *follower) (time.Time, error) {
	if f.epoch == 0 {
		place, until, err := b.take(ctx, f.Name)
		if err != nil || !until.IsZero() {
			return until, err
		}
		f.set(place.epoch, HandlerWorks)
		f.kept = place.seq
		f.at.Store(place.seq)
	}
	for {
		due, next, err := heldDue(ctx, b.db, f.Name, b.clock.Now())
		if err != nil {
			return next, err
		}
		for _, h := range due {
			if err := b.retry(ctx, f, h); err != nil {
				return next, err
			}
		}
		n, err := b.advance(ctx, f)
		if err != nil {
			return next, err
		}
		if n == 0 && len(due) == 0 {
			return next, nil
		}
	}
}

// advance acts on the events that follow, and says how many it took.
func (b *Bus) advance(ctx context.Context, f *follower) (int, error) {
	last := b.numberedUpTo(f.Types, f.at.Load())
	if last >= 0 { // none of them is for this handler
		return 0, b.pass(ctx, f, last)
	}
	last, err := b.Last(ctx)
	if err != nil {
		return 0, err
	}
	events, err := b.ofTypes(ctx, f.at.Load(), f.Types, handledOnce)
	if err != nil {
		return 0, err
	}
	switch {
	case len(events) == 0:
		return 0, b.pass(ctx, f, last)
	case f.Outside != nil:
		err = b.each(ctx, f, events, b.actOutside)
	default:
		var failed *failure
		if err = b.actWithin(ctx, f, events...); errors.As(err, &failed) && len(events) > 1 {
			err = b.each(ctx, f, events, b.actAlone) // one of them is at fault: the others are done without it
		} else if failed != nil {
			err = b.hold(ctx, f, failed)
		}
	}
	return len(events), err
}

// pass moves a handler past events that are not for it. That is stored now and then
// alone: there is nothing to lose.
func (b *Bus) pass(ctx context.Context, f *follower, last int64) error {
	if last-f.kept >= storeEvery {
		if err := b.db.Do(ctx, func(tx *db.Tx) error { return b.move(tx, f, last) }); err != nil {
			return err
		}
		f.kept = last
	}
	f.at.Store(max(last, f.at.Load()))
	return nil
}

func (b *Bus) each(ctx context.Context, f *follower, events []Event, act func(context.Context, *follower, Event) error) error {
	for _, e := range events {
		if err := act(ctx, f, e); err != nil {
			return err
		}
	}
	return nil
}

// failure is an event that a handler could not act on.
type failure struct {
	event Event
	err   error
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// actWithin acts on events in the write that moves the cursor past them.
func (b *Bus) actWithin(ctx context.Context, f *follower, events ...Event) error {
	last := events[len(events)-1].Seq
	err := b.db.Do(ctx, func(tx *db.Tx) error {
		if err := b.move(tx, f, last); err != nil {
			return err
		}
		for _, e := range events {
			if behind, err := isHeld(ctx, tx, f.Name, e.Subject); err != nil {
				return err
			} else if behind {
				if err := insertHeld(tx, f.Name, Held{Event: e, State: HeldBehind, Since: b.clock.Now()}); err != nil {
					return err
				}
				continue
			}
			if err := guard(func() error { return f.Within(ctx, tx, e) }); err != nil {
				return &failure{e, err}
			}
		}
		return nil
	})
	if err == nil {
		f.kept = last
		f.at.Store(last)
	}
	return err
}

func (b *Bus) actAlone(ctx context.Context, f *follower, e Event) error {
	err := b.actWithin(ctx, f, e)
	var failed *failure
	if errors.As(err, &failed) {
		return b.hold(ctx, f, failed)
	}
	return err
}

func (b *Bus) actOutside(ctx context.Context, f *follower, e Event) error {
	behind, err := isHeld(ctx, b.db, f.Name, e.Subject)
	if err != nil {
		return err
	}
	held := Held{Event: e, State: HeldBehind, Since: b.clock.Now()}
	if !behind {
		// The lease is renewed first, so that it outlasts the act.
		if err := b.db.Do(ctx, func(tx *db.Tx) error { return b.move(tx, f, f.kept) }); err != nil {
			return err
		}
		if err := b.outside(ctx, f, e); err == nil {
			return b.stored(ctx, f, e.Seq, func(*db.Tx) error { return nil })
		} else if ctx.Err() != nil {
			return ctx.Err() // the server stops: it acts again later
		} else {
			held = b.failed(held, err)
		}
	}
	return b.stored(ctx, f, e.Seq, func(tx *db.Tx) error { return insertHeld(tx, f.Name, held) })
}

func (b *Bus) outside(ctx context.Context, f *follower, e Event) error {
	limited, cancel := context.WithTimeout(ctx, LimitOutside)
	defer cancel()
	return guard(func() error { return f.Outside(limited, e) })
}

// guard makes an error of a panic: one event must not end the server again and again.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}

// hold keeps an event that failed, and lets the others go on.
func (b *Bus) hold(ctx context.Context, f *follower, failed *failure) error {
	h := b.failed(Held{Event: failed.event, Since: b.clock.Now()}, failed.err)
	b.log.WarnContext(ctx, "a handler could not act on an event; it tries again",
		"handler", f.Name, "event", h.Seq, "subject", h.Subject, "err", failed.err)
	return b.stored(ctx, f, h.Seq, func(tx *db.Tx) error { return insertHeld(tx, f.Name, h) })
}

// stored moves the cursor in a write that does something else, too.
func (b *Bus) stored(ctx context.Context, f *follower, seq int64, with func(*db.Tx) error) error {
	err := b.db.Do(ctx, func(tx *db.Tx) error {
		if err := b.move(tx, f, seq); err != nil {
			return err
		}
		return with(tx)
	})
	if err == nil {
		f.kept = seq
		f.at.Store(max(seq, f.at.Load()))
	}
	return err
}

// failed counts a try.
func (b *Bus) failed(h Held, err error) Held {
	h.Tries++
	h.State, h.Error = HeldAgain, cutReason(err.Error())
	h.Due = b.clock.Now().Add(min(backoffFirst<<min(h.Tries-1, 20), backoffMost))
	if h.Tries >= MaxTries {
		h.State = HeldParked
	}
	return h
}

func cutReason(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "…"), "\x00", "")
}

// retry acts again on an event that is held.
func (b *Bus) retry(ctx context.Context, f *follower, h Held) error {
	act := func(tx *db.Tx) error { return f.Within(ctx, tx, h.Event) }
	if f.Outside != nil {
		if err := b.db.Do(ctx, func(tx *db.Tx) error { return b.move(tx, f, f.kept) }); err != nil {
			return err
		}
		outcome := b.outside(ctx, f, h.Event)
		act = func(*db.Tx) error { return outcome }
	}
	err := b.db.Do(ctx, func(tx *db.Tx) error {
		if err := b.move(tx, f, f.kept); err != nil {
			return err
		}
		if there, err := stillHeld(ctx, tx, f.Name, h.Seq); err != nil || !there {
			return err // somebody has skipped it
		}
		if err := guard(func() error { return act(tx) }); err != nil {
			return &failure{h.Event, err}
		}
		return dropHeld(ctx, tx, f.Name, h, b.clock.Now())
	})
	var failed *failure
	if !errors.As(err, &failed) || ctx.Err() != nil {
		return err
	}
	now := b.failed(h, failed.err)
	if now.State == HeldParked {
		b.log.ErrorContext(ctx, "a handler could not act on an event, which waits for a person now",
			"handler", f.Name, "event", h.Seq, "subject", h.Subject, "err", failed.err)
	}
	return b.db.Do(ctx, func(tx *db.Tx) error {
		if err := b.move(tx, f, f.kept); err != nil {
			return err
		}
		return updateHeld(tx, f.Name, now)
	})
}

// move stores the place of a handler under its lease, which lasts anew.
//
// Returns errLost where another server works as the handler.
func (b *Bus) move(tx *db.Tx, f *follower, seq int64) error {
	n, err := tx.Exec("UPDATE bus_handler SET seq = ?, expires = ? WHERE name = ? AND epoch = ?",
		seq, clock.Micros(b.clock.Now().Add(LeaseFor)), f.Name, f.epoch)
	if err == nil && n == 0 {
		err = errLost
	}
	return err
}
