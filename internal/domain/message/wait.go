package message

import (
	"context"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/feel/when"
)

// opened is a run that has come to wait for a message.
type opened struct {
	wait
	project, name, correlation string
}

// Waiter is an element of a run that waits.
type Waiter struct {
	Project, Process string
	Run, Element     state.Key
	Node             string // id of the event
	state.Subscription
}

// Wait keeps that an element of a run waits, in the commit of its step; a message
// that is there already comes to it afterwards.
func (s *Service) Wait(tx *db.Tx, w Waiter) error {
	sub := w.Subscription
	err := tx.Upsert("message_wait", 1,
		[]string{"subscription", "run", "element", "node", "project", "process", "is_signal", "name", "correlation", "since"},
		int64(sub.Key), int64(w.Run), int64(w.Element), w.Node, w.Project, w.Process,
		flag(sub.Signal), sub.Name, sub.Correlation, clock.Micros(s.Clock.Now()))
	if err == nil && !sub.Signal {
		tx.AfterCommit(s.poke)
		_, err = tx.Exec("INSERT INTO message_fresh (subscription) VALUES (?)", int64(sub.Key))
	}
	return err
}

// Forget drops what waits no more, in the commit of the step.
func (s *Service) Forget(tx *db.Tx, subscription state.Key) error {
	_, err := tx.Exec("DELETE FROM message_wait WHERE subscription = ?", int64(subscription))
	return err
}

// Ended frees the key with which a run began, in the commit of its end.
func (s *Service) Ended(tx *db.Tx, run state.Key) error {
	if s.chains.May(tx, int64(run)) {
		s.chains.Gone(tx, int64(run))
		if err := dropChain(tx, int64(run)); err != nil {
			return err
		}
	}
	if !s.began.May(tx, int64(run)) {
		return nil
	}
	s.began.Gone(tx, int64(run))
	freed, err := freeBegun(tx, int64(run))
	if freed {
		tx.AfterCommit(s.poke)
	}
	return err
}

// Start is a start event of a process that waits for a message or a signal.
type Start struct {
	Event, Name string
	Signal      bool
}

// Starts lists the start events of a process that wait for a message or a signal.
func Starts(p *program.Program) (all []Start) {
	for _, i := range p.Events {
		n := p.Nodes[i]
		all = append(all, Start{Event: n.ID, Name: n.Event.Name.Static, Signal: n.Event.Signal})
	}
	return all
}

// Begins keeps with what the newest version of a process begins, in the commit of
// its deployment.
func (s *Service) Begins(tx *db.Tx, project, process string, starts []Start) error {
	if _, err := tx.Exec("DELETE FROM message_start WHERE project = ? AND process = ?", project, process); err != nil {
		return err
	}
	for _, at := range starts {
		if _, err := tx.Exec("INSERT INTO message_start (project, process, is_signal, name, event) VALUES (?, ?, ?, ?, ?)",
			project, process, flag(at.Signal), at.Name, at.Event); err != nil {
			return err
		}
	}
	return nil
}

const (
	lookEvery = time.Minute // how often expired messages are looked for
	bite      = 100         // posts that are told again at once
)

// Run tells what is left to tell, brings messages that are there to those who come to
// wait for them, and drops what has expired, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	s.poke()
	for {
		again, stop := s.Clock.After(lookEvery)
		select {
		case <-ctx.Done():
			stop()
			return nil
		case <-s.wake:
		case <-again:
		}
		stop()
		if err := s.catchUp(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "messages could not be brought; they are tried again", "err", err)
		}
	}
}

func (s *Service) catchUp(ctx context.Context) error {
	after := ""
	for {
		all, err := untold(ctx, s.DB, after, bite)
		if err != nil {
			return err
		}
		for _, p := range all {
			after = p.key
			if _, err := s.tell(ctx, p); err != nil && ctx.Err() == nil { // the others go on
				s.Log.ErrorContext(ctx, "a message could not be brought; it is tried again", "message", p.key, "name", p.name, "err", err)
			}
		}
		if len(all) < bite {
			break
		}
	}
	if err := s.meet(ctx); err != nil {
		return err
	}
	return s.expire(ctx)
}

// meet brings buffered messages to those who came to wait for them.
func (s *Service) meet(ctx context.Context) error {
	fresh, err := freshWaits(ctx, s.DB, bite)
	if err != nil || len(fresh) == 0 {
		return err
	}
	for _, o := range fresh {
		posts, err := bufferedFor(ctx, s.DB, o, clock.Micros(s.Clock.Now()))
		if err != nil {
			return err
		}
		for _, p := range posts {
			taken, err := s.take(ctx, p, o.wait, &Told{})
			if err != nil {
				return err
			}
			if taken {
				break
			}
		}
		if err := s.DB.Do(ctx, func(tx *db.Tx) error { return dropFresh(tx, o.subscription) }); err != nil {
			return err
		}
	}
	return s.meet(ctx)
}

func (s *Service) expire(ctx context.Context) error {
	keys, err := expired(ctx, s.DB, clock.Micros(s.Clock.Now()))
	if err != nil || len(keys) == 0 {
		return err
	}
	return s.DB.Do(ctx, func(tx *db.Tx) error {
		for _, key := range keys {
			if err := dropPost(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// expiry is when a message that is published now is gone.
func (s *Service) expiry(ttl string, now time.Time) (time.Time, error) {
	if ttl == "" {
		return now, nil
	}
	d, err := when.ParseDuration(ttl)
	if err == nil && d.Negative() {
		err = errs.New(errs.Invalid, "message.ttl", "it is negative")
	}
	if err != nil {
		return now, errs.New(errs.Invalid, "message.ttl", "the time to live %q is no duration such as PT1H: %s", ttl, err).
			At(errs.Field{Path: "timeToLive", Message: "no ISO 8601 duration"})
	}
	at, err := d.After(now)
	if err != nil || at.After(now.Add(MaxTTL)) {
		return now, errs.New(errs.Invalid, "message.ttl", "the time to live %q is too long: at most 31 days are possible", ttl).
			At(errs.Field{Path: "timeToLive", Message: "at most P31D"})
	}
	return at, nil
}
