package message_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/message"
	"sextant/internal/engine"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

// rig is the service over a database, with runs and a door that do as a test says.
type rig struct {
	*testing.T
	*message.Service
	db    *db.DB
	clock *clock.Fake
	heard []string         // run:subscription, in the order of hearing
	gone  map[int64]bool   // runs that wait no more
	bars  map[string]error // by process: why the door refuses
	next  int64            // key of the next run that begins
	told  chan string      // what runs heard, for who waits for it
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{T: t, db: d, clock: clock.NewFake(time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)),
		gone: map[int64]bool{}, bars: map[string]error{}, next: 1000, told: make(chan string, 100)}
	r.must(d.Migrate(t.Context(), bus.Domain, bus.Migrations))
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), message.Domain, message.Migrations))
	log := slog.New(slog.DiscardHandler)
	r.Service = message.New(message.Deps{DB: d, Clock: r.clock, Log: log, Audit: audit.New(d, r.clock), Bus: bus.New(d, r.clock, log),
		Refer: func(context.Context, string, map[string]json.RawMessage) error { return nil },
		Seen:  func(context.Context, string, string, string) (string, []any) { return "", nil },
		InSight: func(context.Context, string, int64) (bool, error) {
			return true, nil
		}})
	r.Attach(r, r)
	return r
}

func (r *rig) Hear(ctx context.Context, run state.Key, ev engine.EventCame, _ identity.Rights, with func(*db.Tx) error) error {
	if r.gone[int64(run)] {
		return engine.ErrGone
	}
	if err := r.db.Do(ctx, func(tx *db.Tx) error {
		if err := with(tx); err != nil {
			return err
		}
		return r.Forget(tx, ev.Subscription)
	}); err != nil {
		return err
	}
	r.heard = append(r.heard, fmt.Sprint(int64(run)))
	r.told <- fmt.Sprint(int64(run))
	return nil
}

func (r *rig) Admit(ctx context.Context, req control.Request) (control.Verdict, error) {
	if req.Barred != nil {
		return control.Verdict{}, req.Barred
	}
	if err := r.bars[req.Process]; err != nil {
		return control.Verdict{}, err
	}
	r.next++
	return control.Verdict{Run: api.Key(r.next), Verdict: control.Admitted},
		r.db.Do(ctx, func(tx *db.Tx) error { return req.With(tx, r.next) })
}

func (r *rig) Mandate(context.Context, int64) (control.Mandate, error) { return control.Mandate{}, nil }

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func as(ctx context.Context, who string, permissions ...string) context.Context {
	s := identity.Subject{ID: "user/" + who, Name: who, Kind: identity.User}
	for _, p := range append(permissions, "message.publish") {
		s.Grants = append(s.Grants, identity.Grant{Permission: p, Project: "a"})
	}
	return identity.With(ctx, s)
}

// waits lets a run of a process wait.
func (r *rig) waits(run int64, process string, sub state.Subscription) {
	r.Helper()
	sub.Key = state.Key(run*10 + 1)
	r.must(r.db.Do(r.Context(), func(tx *db.Tx) error {
		return r.Wait(tx, message.Waiter{Project: "a", Process: process, Run: state.Key(run), Element: state.Key(run * 10), Subscription: sub})
	}))
	r.clock.Advance(time.Second)
}

func (r *rig) begins(process string, starts ...message.Start) {
	r.Helper()
	r.must(r.db.Do(r.Context(), func(tx *db.Tx) error { return r.Begins(tx, "a", process, starts) }))
}

func runs(t message.Told) (all []string) {
	for _, h := range t.Runs {
		name := h.Process + "/" + h.Run.String()
		if h.Began {
			name = "+" + h.Process
		}
		all = append(all, name)
	}
	return all
}

func (r *rig) publish(m message.Message) message.Told {
	r.Helper()
	m.Project = "a"
	t, err := r.Publish(as(r.Context(), "ann"), m)
	r.must(err)
	return t
}

// A message goes to one run of each process, the one that has waited longest, and to
// nobody with another key, name or project; it begins what begins with it.
func TestAMessageGoesToOneRunOfEachProcess(t *testing.T) {
	r := newRig(t)
	paid := state.Subscription{Name: "paid", Correlation: "A-7"}
	r.waits(1, "order", paid)
	r.waits(2, "order", paid)
	r.waits(3, "ship", paid)
	r.waits(4, "other-key", state.Subscription{Name: "paid", Correlation: "A-8"})
	r.waits(5, "other-name", state.Subscription{Name: "unpaid", Correlation: "A-7"})
	r.waits(6, "a-signal", state.Subscription{Name: "paid", Correlation: "A-7", Signal: true})
	r.begins("book", message.Start{Event: "s", Name: "paid"})
	r.begins("elsewhere", message.Start{Event: "s", Name: "unpaid"})
	if got := runs(r.publish(message.Message{Name: "paid", Correlation: "A-7"})); !slices.Equal(got,
		[]string{"order/" + api.Key(1).String(), "ship/" + api.Key(3).String(), "+book"}) {
		t.Errorf("heard by %q", got)
	}
	if got := runs(r.publish(message.Message{Name: "paid", Correlation: "A-7"})); !slices.Equal(got,
		[]string{"order/" + api.Key(2).String()}) {
		t.Errorf("the second is heard by %q: the one that began with this key is still at work", got)
	}
	r.must(r.db.Do(t.Context(), func(tx *db.Tx) error { return r.Ended(tx, state.Key(r.next)) }))
	if got := runs(r.publish(message.Message{Name: "paid", Correlation: "A-7"})); !slices.Equal(got, []string{"+book"}) {
		t.Errorf("the third is heard by %q", got)
	}
}

// A run that waits no more does not take the message from the next one.
func TestARunThatIsGoneIsPassedOver(t *testing.T) {
	r := newRig(t)
	sub := state.Subscription{Name: "paid"}
	r.waits(1, "order", sub)
	r.waits(2, "order", sub)
	r.gone[1] = true
	if got := runs(r.publish(message.Message{Name: "paid"})); !slices.Equal(got, []string{"order/" + api.Key(2).String()}) {
		t.Errorf("heard by %q", got)
	}
}

// A signal goes to everything that waits when it is sent, and is not kept.
func TestASignalGoesToAll(t *testing.T) {
	r := newRig(t)
	alarm := state.Subscription{Name: "alarm", Signal: true}
	r.waits(1, "watch", alarm)
	r.waits(2, "watch", alarm)
	r.waits(3, "other", state.Subscription{Name: "alarm"})
	r.begins("rescue", message.Start{Event: "s", Name: "alarm", Signal: true})
	r.bars["locked"] = errs.New(errs.Locked, "control.locked", "held")
	r.begins("locked", message.Start{Event: "s", Name: "alarm", Signal: true})
	told, err := r.Broadcast(as(t.Context(), "ann"), message.Signal{Project: "a", Name: "alarm"})
	r.must(err)
	got := runs(told)
	slices.Sort(got)
	if !slices.Equal(got, []string{"+rescue", "watch/" + api.Key(1).String(), "watch/" + api.Key(2).String()}) {
		t.Errorf("heard by %q", got)
	}
	if len(told.Refused) != 1 || told.Refused[0].Process != "locked" || told.Refused[0].Code != "control.locked" {
		t.Errorf("refused: %+v", told.Refused)
	}
	again, err := r.Broadcast(as(t.Context(), "ann"), message.Signal{Project: "a", Name: "alarm"})
	if r.must(err); len(again.Runs) != 1 { // those that waited have heard it; the process begins anew
		t.Errorf("the second is heard by %q", runs(again))
	}
}

// A message with a time to live waits for who comes later, and for nobody once it has
// expired.
func TestABufferedMessageWaits(t *testing.T) {
	r := newRig(t)
	if told := r.publish(message.Message{Name: "paid", Correlation: "k", TTL: "PT1H"}); !told.Buffered || len(told.Runs) != 0 ||
		!told.Expires.Equal(r.clock.Now().Add(time.Hour)) {
		t.Fatalf("%+v", told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Service.Run(ctx) }()
	r.waits(1, "order", state.Subscription{Name: "paid", Correlation: "k"})
	if run := <-r.told; run != "1" {
		t.Errorf("run %s heard it", run)
	}
	r.waits(2, "ship", state.Subscription{Name: "paid", Correlation: "k"}) // another process: it takes it too
	if run := <-r.told; run != "2" {
		t.Errorf("run %s heard it", run)
	}
	cancel()
	r.must(<-ended)
	r.clock.Advance(2 * time.Hour)
	page, err := r.Buffer(as(t.Context(), "ann"), message.BufferFilter{Project: "a", Paging: api.Paging{Limit: 10}})
	if r.must(err); len(page.Items) != 0 {
		t.Errorf("what has expired is listed: %+v", page.Items)
	}
}

func TestPublishRefuses(t *testing.T) {
	r := newRig(t)
	r.publish(message.Message{Name: "paid", Correlation: "k", ID: "1", TTL: "PT1H"})
	for name, c := range map[string]struct {
		m    message.Message
		code string
	}{
		"the-same-id-twice": {message.Message{Name: "paid", Correlation: "k", ID: "1", TTL: "PT1H"}, "message.twice"},
		"a-variable-of-ours": {message.Message{Name: "m", Variables: map[string]json.RawMessage{"$x": json.RawMessage("1")}},
			"run.variable"},
		"a-variable-without-name": {message.Message{Name: "m", Variables: map[string]json.RawMessage{"": json.RawMessage("1")}}, "run.variable"},
		"no-json": {message.Message{Name: "m", Variables: map[string]json.RawMessage{"x": json.RawMessage("one")}},
			"run.variable"},
		"too-large": {message.Message{Name: "m", Variables: map[string]json.RawMessage{
			"x": json.RawMessage(`"` + strings.Repeat("x", message.MaxVariables) + `"`)}}, "message.too_large"},
		"no-duration":         {message.Message{Name: "m", TTL: "soon"}, "message.ttl"},
		"a-negative-duration": {message.Message{Name: "m", TTL: "-PT1H"}, "message.ttl"},
		"too-long":            {message.Message{Name: "m", TTL: "P32D"}, "message.ttl"},
		"another-project":     {message.Message{Name: "m", Project: "b"}, "identity.forbidden"},
	} {
		if c.m.Project == "" {
			c.m.Project = "a"
		}
		if _, err := r.Publish(as(t.Context(), "ann"), c.m); err == nil || errs.As(err).Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	for name, m := range map[string]message.Message{
		"another-key": {Name: "paid", Correlation: "l", ID: "1"}, "another-name": {Name: "p", Correlation: "k", ID: "1"}} {
		if told := r.publish(m); told.Key == "" {
			t.Errorf("%s with an id that is used: %+v", name, told)
		}
	}
}

// Who publishes sees and removes his own messages; all those of a project, who may.
func TestTheBufferIsOnesOwn(t *testing.T) {
	r := newRig(t)
	r.publish(message.Message{Name: "first", TTL: "PT1H"})
	key := r.publish(message.Message{Name: "second", TTL: "PT1H"}).Key
	names := func(ctx context.Context) (all []string) {
		page, err := r.Buffer(ctx, message.BufferFilter{Project: "a", Paging: api.Paging{Limit: 10}})
		r.must(err)
		for _, b := range page.Items {
			all = append(all, b.Name)
		}
		slices.Sort(all)
		return all
	}
	bob, chief := as(t.Context(), "bob"), as(t.Context(), "eve", "message.write")
	if got := names(bob); len(got) != 0 {
		t.Errorf("bob sees %q of ann", got)
	}
	if got := names(chief); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("who may manage them sees %q", got)
	}
	if err := r.Delete(bob, key); errs.As(err) == nil || errs.As(err).Code != "message.not_found" {
		t.Errorf("bob removes what ann published: %v", err)
	}
	r.must(r.Delete(as(t.Context(), "ann"), key))
	if got := names(chief); !slices.Equal(got, []string{"first"}) {
		t.Errorf("left are %q", got)
	}
	if err := r.Delete(chief, key); errs.As(err) == nil || errs.As(err).Code != "message.not_found" {
		t.Errorf("removed twice: %v", err)
	}
}

// Signals of runs that begin with signals of each other come to an end.
func TestAChainOfSignalsEnds(t *testing.T) {
	r := newRig(t)
	r.begins("again", message.Start{Event: "s", Name: "go", Signal: true})
	if _, err := r.Broadcast(as(t.Context(), "ann"), message.Signal{Project: "a", Name: "go"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	by := identity.From(as(t.Context(), "ann")).Rights()
	began := 0
	for last := int64(0); last != r.next; began++ {
		last = r.next
		r.must(r.db.Do(ctx, func(tx *db.Tx) error {
			return r.Throw(tx, message.Thrown{Project: "a", Name: "go", Run: state.Key(r.next), By: by})
		}))
		r.must(r.CatchUp(ctx))
		if began > 2*message.MaxChain {
			t.Fatal("it never ends")
		}
	}
	if began != message.MaxChain+1 {
		t.Errorf("%d runs began, want %d", began, message.MaxChain+1)
	}
}
