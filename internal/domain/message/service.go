package message

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Limits on what is published.
const (
	MaxVariables = 48 << 10            // bytes of all variables together
	MaxBuffered  = 10_000              // messages that a project may have waiting
	MaxOwn       = MaxBuffered / 10    // of those, messages of one publisher
	MaxTTL       = 31 * 24 * time.Hour // for which a message waits at most
	MaxChain     = 32                  // runs that begin one after the other by signals of each other
)

// Host lets runs hear what comes. With shares the commit of the step; what is brought
// is used with the rights of who published it, too.
type Host interface {
	Hear(ctx context.Context, run state.Key, ev engine.EventCame, by identity.Rights, with func(*db.Tx) error) error
}

// Door starts runs.
type Door interface {
	Admit(ctx context.Context, req control.Request) (control.Verdict, error)
	// Mandate gives the rights with which a run was admitted.
	Mandate(ctx context.Context, run int64) (control.Mandate, error)
}

// Deps is what the service needs.
type Deps struct {
	DB    *db.DB
	Clock clock.Clock
	Log   *slog.Logger
	Audit *audit.Log
	Bus   *bus.Bus
	// Refer checks the references in what somebody publishes, with his rights.
	Refer func(ctx context.Context, project string, given map[string]json.RawMessage) error
	// Seen is the condition for rows of a project whose run, named by a column, the
	// subject of ctx may see with a permission; nothing where that is every one.
	Seen func(ctx context.Context, permission, project, column string) (condition string, args []any)
	// InSight reports whether the subject of ctx may see a run of a project.
	InSight func(ctx context.Context, project string, run int64) (bool, error)
}

// Service is safe for concurrent use.
type Service struct {
	Deps
	host Host
	door Door
	wake chan struct{}

	chains, began db.Marks // runs that a message has begun
}

// New makes the service over a migrated database; Attach connects it.
func New(d Deps) *Service {
	return &Service{Deps: d, wake: make(chan struct{}, 1),
		chains: db.Marks{Load: countChains},
		began:  db.Marks{Load: countBegun}}
}

// Attach connects the runs and the door.
func (s *Service) Attach(h Host, d Door) { s.host, s.door = h, d }

// Message is what somebody publishes.
type Message struct {
	Project     string                     `json:"project,omitempty" default:"default" maxLength:"64"`
	Name        string                     `json:"name" minLength:"1" maxLength:"190" doc:"Name of the message, as processes write it"`
	Correlation string                     `json:"correlationKey,omitempty" maxLength:"190" doc:"Key by which the run is found"`
	ID          string                     `json:"messageId,omitempty" maxLength:"190" doc:"A second message with this id, name and key is refused while the first is there"`
	TTL         string                     `json:"timeToLive,omitempty" maxLength:"64" doc:"How long it waits for somebody who comes to wait for it, as an ISO 8601 duration; not at all without one"`
	Variables   map[string]json.RawMessage `json:"variables,omitempty"`
}

// Signal is what somebody broadcasts.
type Signal struct {
	Project   string                     `json:"project,omitempty" default:"default" maxLength:"64"`
	Name      string                     `json:"name" minLength:"1" maxLength:"190" doc:"Name of the signal, as processes write it"`
	Variables map[string]json.RawMessage `json:"variables,omitempty"`
}

// Told is who heard it.
type Told struct {
	Key      string    `json:"key"`
	Runs     []Hearer  `json:"runs" doc:"Runs that took it, and those that it began"`
	Refused  []Refusal `json:"refused,omitempty" doc:"Processes that begin with it and were not started, and runs that did not take it"`
	Buffered bool      `json:"buffered,omitempty" doc:"It waits for others until it expires"`
	Expires  time.Time `json:"expires,omitzero"`

	again bool // a start was refused that may be possible before it expires
}

// Hearer is a run that heard something.
type Hearer struct {
	Run     api.Key `json:"run"`
	Process string  `json:"process"`
	Began   bool    `json:"began,omitempty" doc:"The run began with it"`
}

// Refusal is a start that the door refused, or a run that goes on waiting.
type Refusal struct {
	Process string  `json:"process"`
	Run     api.Key `json:"run,omitempty" doc:"The run that waits and did not take it"`
	Code    string  `json:"code"`
	Reason  string  `json:"reason"`
}

// Publish stores a message and tells those who wait for it.
func (s *Service) Publish(ctx context.Context, m Message) (Told, error) {
	p, err := s.post(ctx, m.Project, false, m.Name, m.Variables)
	if err != nil {
		return Told{}, err
	}
	p.correlation, p.id = m.Correlation, m.ID
	if p.expires, err = s.expiry(m.TTL, p.created); err != nil {
		return Told{}, err
	}
	if p.id == "" {
		p.id = p.key
	}
	if err := s.DB.Do(ctx, func(tx *db.Tx) error { return s.store(ctx, tx, p) }); err != nil {
		if isTwice(err) {
			err = errs.New(errs.Conflict, "message.twice", "a message %q with the id %q and the key %q is there already",
				m.Name, m.ID, m.Correlation)
		}
		return Told{}, err
	}
	return s.tell(context.WithoutCancel(ctx), p)
}

// Broadcast stores a signal with everything that waits for it now, and tells it.
func (s *Service) Broadcast(ctx context.Context, m Signal) (Told, error) {
	p, err := s.post(ctx, m.Project, true, m.Name, m.Variables)
	if err != nil {
		return Told{}, err
	}
	if err := s.DB.Do(ctx, func(tx *db.Tx) error { return s.store(ctx, tx, p) }); err != nil {
		return Told{}, err
	}
	return s.tell(context.WithoutCancel(ctx), p)
}

// post checks what somebody publishes.
func (s *Service) post(ctx context.Context, project string, signal bool, name string, vars map[string]json.RawMessage) (post, error) {
	if err := identity.Require(ctx, "message.publish", project); err != nil {
		return post{}, err
	}
	size := 0
	for n, v := range vars {
		if n == "" || n[0] == '$' || !json.Valid(v) {
			return post{}, errs.New(errs.Invalid, "run.variable", "the variable %q is not possible: names do not begin with $, values are JSON", n).
				At(errs.Field{Path: "variables." + n, Message: "not possible"})
		}
		size += len(n) + len(v)
	}
	if size > MaxVariables {
		return post{}, errs.New(errs.TooLarge, "message.too_large",
			"the variables have %d bytes: at most %d are possible; put what is larger into an object or a file and name it", size, MaxVariables)
	}
	if err := s.Refer(ctx, project, vars); err != nil {
		return post{}, err
	}
	now, key := s.Clock.Now(), clock.NewID(s.Clock)
	return post{key: key, project: project, signal: signal, name: name, id: key,
		variables: vars, rights: identity.From(ctx).Rights(), created: now, expires: now}, nil
}

// Thrown is a signal of a run.
type Thrown struct {
	Project, Name string
	Run           state.Key
	Variables     map[string]json.RawMessage
	// By are the rights that the run and all have who gave it what the signal carries.
	By identity.Rights
}

// Throw stores a signal of a run in the commit of the step that throws it.
func (s *Service) Throw(tx *db.Tx, t Thrown) error {
	chain, err := chainOf(tx, int64(t.Run))
	if err != nil {
		return err
	}
	now, key := s.Clock.Now(), clock.NewID(s.Clock)
	tx.AfterCommit(s.poke)
	return s.keep(tx, post{key: key, project: t.Project, signal: true, name: t.Name,
		id: key, variables: t.Variables, rights: t.By, chain: chain + 1, created: now, expires: now})
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// store keeps what was published, on record.
func (s *Service) store(ctx context.Context, tx *db.Tx, p post) error {
	if p.expires.After(p.created) { // nothing else is buffered
		if err := room(ctx, tx, p); err != nil {
			return err
		}
	}
	if err := s.keep(tx, p); err != nil {
		return err
	}
	data, kind := Published{Name: p.name, Key: p.correlation, Variables: p.names()}, messagePublished
	if data.Message = p.key; p.signal {
		data.Message, data.Signal, kind = "", p.key, signalPublished
	}
	detail, err := json.Marshal(data)
	if err != nil {
		return err
	}
	subject := p.source() + "/" + p.name
	if err := kind.Publish(s.Bus, tx, bus.Of{Subject: subject, Project: p.project}, data); err != nil {
		return err
	}
	return s.Audit.Write(ctx, tx,
		audit.Record{Project: p.project, Actor: identity.From(ctx).Actor(), Verb: p.source() + ".publish", Object: subject, Detail: detail})
}

// heard puts on record who published what a run has heard.
func (s *Service) heard(ctx context.Context, tx *db.Tx, p post, run int64) error {
	detail, err := json.Marshal(map[string]any{"name": p.name, "key": p.correlation, p.source(): p.key, "variables": p.names()})
	if err != nil {
		return err
	}
	return s.Audit.Write(ctx, tx, audit.Record{Project: p.project, Actor: audit.Actor{Subject: p.rights.Subject, Name: p.rights.Name},
		Verb: p.source() + ".publish", Object: "run/" + api.Key(run).String(), Detail: detail})
}

// keep stores a post; a signal with its targets.
func (s *Service) keep(tx *db.Tx, p post) error {
	if err := insertPost(tx, p); err != nil || !p.signal {
		return err
	}
	return snapshot(tx, p)
}

// tell brings a post to those who wait for it, and ends or buffers it.
func (s *Service) tell(ctx context.Context, p post) (Told, error) {
	t := Told{Key: p.key, Runs: []Hearer{}}
	var err error
	if p.signal {
		err = s.deliver(ctx, p, &t)
	} else {
		err = s.correlate(ctx, p, &t)
	}
	if err != nil {
		return t, err // it stays, and is told again
	}
	if !p.signal && p.expires.After(s.Clock.Now()) {
		t.Buffered, t.Expires = true, p.expires
		if t.again {
			return t, nil // it is told again
		}
		return t, s.DB.Do(ctx, func(tx *db.Tx) error { return markTold(tx, p.key) })
	}
	return t, s.DB.Do(ctx, func(tx *db.Tx) error { return dropPost(tx, p.key) })
}

// deliver brings a signal to each of its targets.
func (s *Service) deliver(ctx context.Context, p post, t *Told) error {
	all, err := targets(ctx, s.DB, p.key)
	if err != nil {
		return err
	}
	for _, at := range all {
		done := func(tx *db.Tx) error { return dropTarget(tx, p.key, at) }
		if at.subscription == 0 {
			if err := s.begin(ctx, p, at.process, at.event, t, func(tx *db.Tx, _ int64) error { return done(tx) }); err != nil {
				return err
			}
			continue
		}
		heard, err := s.bring(ctx, p, at.wait, t, done)
		if isTwice(err) {
			continue
		}
		if err != nil {
			return err
		}
		if heard {
			t.Runs = append(t.Runs, Hearer{Run: api.Key(at.run), Process: at.process})
		}
	}
	return nil
}

// correlate brings a message to one run of each process that waits for it, and
// begins those that begin with it.
func (s *Service) correlate(ctx context.Context, p post, t *Told) error {
	waits, err := waiting(ctx, s.DB, p)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, w := range waits {
		if taken[w.process] {
			continue
		}
		if taken[w.process], err = s.take(ctx, p, w, t); err != nil {
			return err
		}
		if taken[w.process] {
			t.Runs = append(t.Runs, Hearer{Run: api.Key(w.run), Process: w.process})
		}
	}
	starts, err := beginnings(ctx, s.DB, p)
	if err != nil {
		return err
	}
	for _, at := range starts {
		if taken[at.process] {
			continue
		}
		busy, err := begun(ctx, s.DB, p, at.process)
		if err != nil {
			return err
		}
		if busy {
			t.Refused = append(t.Refused, Refusal{Process: at.process, Code: "message.busy", Reason: "a run that began with this key is at work"})
			continue // this one waits for its end as long as it lives
		}
		err = s.begin(ctx, p, at.process, at.event, t, func(tx *db.Tx, run int64) error {
			if err := insertTaken(tx, p.key, at.process, run); err != nil || p.correlation == "" || run == 0 {
				return err
			}
			s.began.Add(run)
			return insertBegun(tx, p, at.process, run)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// take lets a run take a message, unless another of its process has.
func (s *Service) take(ctx context.Context, p post, w wait, t *Told) (bool, error) {
	taken, err := s.bring(ctx, p, w, t, func(tx *db.Tx) error { return insertTaken(tx, p.key, w.process, w.run) })
	if isTwice(err) {
		return true, nil // another run of the process was faster
	}
	return taken, err
}

// bring lets a run hear a post; done shares the commit. It says whether the run has
// heard it: one that waits no more has not, and one that keeps what it has.
func (s *Service) bring(ctx context.Context, p post, w wait, t *Told, done func(*db.Tx) error) (bool, error) {
	reaches, err := s.reaches(ctx, p, w.run)
	if err != nil {
		return false, err
	}
	if !reaches {
		if !p.signal {
			return false, nil
		}
		return false, s.DB.Do(ctx, done)
	}
	ev := engine.EventCame{Element: state.Key(w.element), Subscription: state.Key(w.subscription), Variables: p.variables}
	err = s.host.Hear(ctx, state.Key(w.run), ev, p.rights, func(tx *db.Tx) error {
		if err := done(tx); err != nil {
			return err
		}
		return s.heard(ctx, tx, p, w.run)
	})
	switch {
	case errs.HasCode(err, "message.overwrites"):
		s.Log.InfoContext(ctx, "a run did not take what would change its variables",
			"run", w.run, "event", p.name, "by", p.rights.Subject, "err", err)
		t.Refused = append(t.Refused, Refusal{Process: w.process, Run: api.Key(w.run), Code: "message.overwrites", Reason: errs.As(err).Message})
		if !p.signal {
			return false, nil
		}
		return false, s.DB.Do(ctx, done)
	// the last is set aside
	case errors.Is(err, engine.ErrGone), errors.Is(err, durable.ErrNoRun), errs.Is(err, errs.Conflict) && !isTwice(err):
		if !p.signal {
			return false, nil
		}
		return false, s.DB.Do(ctx, done)
	case err != nil:
		return false, err
	}
	return true, nil
}

// begin asks the door for a run that begins with a post. done shares the commit of
// the start; of a refusal it is told afterwards, with no run.
func (s *Service) begin(ctx context.Context, p post, process, event string, t *Told, done func(*db.Tx, int64) error) error {
	who, all := p.rights.Subject, done
	done = func(tx *db.Tx, run int64) error {
		if err := all(tx, run); err != nil || run == 0 {
			return err
		}
		return s.heard(ctx, tx, p, run)
	}
	ctx = identity.With(ctx, p.rights.Again())
	req := control.Request{Project: p.project, Process: process, Event: event, Variables: p.variables, Source: p.source(), With: done}
	switch {
	case p.chain > MaxChain:
		req.Barred = errs.New(errs.Forbidden, "message.chain",
			"%d runs began one after the other by signals of each other: it may be that they never end", MaxChain)
	case p.chain > 0:
		req.With = func(tx *db.Tx, run int64) error {
			s.chains.Add(run)
			if err := insertChain(tx, run, p.chain); err != nil {
				return err
			}
			return done(tx, run)
		}
	}
	v, err := s.door.Admit(ctx, req)
	switch {
	case err == nil:
		t.Runs = append(t.Runs, Hearer{Run: v.Run, Process: process, Began: v.Verdict != control.WasMerged})
		return nil
	case isTwice(err):
		return nil // it was begun already
	case errs.Is(err, errs.Internal), errs.Is(err, errs.Unavailable), errs.Is(err, errs.Full):
		return err
	}
	s.Log.InfoContext(ctx, "a run that begins with an event was not started", "process", process, "event", p.name, "by", who, "err", err)
	t.Refused = append(t.Refused, Refusal{Process: process, Code: errs.As(err).Code, Reason: errs.As(err).Message})
	if later := errs.Is(err, errs.Locked) || errs.Is(err, errs.Exhausted); later && p.expires.After(s.Clock.Now()) {
		t.again = true
		return nil
	}
	if err := s.DB.Do(ctx, func(tx *db.Tx) error { return done(tx, 0) }); !isTwice(err) {
		return err
	}
	return nil
}

// errHeard says that somebody else has brought a signal to a target meanwhile.
var errHeard = errors.New("the target has heard the signal")

// isTwice reports whether a write failed since what it notes is noted already.
func isTwice(err error) bool {
	return errors.Is(err, errHeard) || errs.Is(err, errs.Conflict) && errs.As(err).Code == "database.conflict"
}
