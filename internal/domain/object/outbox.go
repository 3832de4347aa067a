package object

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
	"sextant/internal/kit/obs"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

// A change of an object is stored by its plugin, and told of by the platform. So
// that no change is told of twice or not at all, whoever is killed when, plugins
// keep an outbox: one entry for each change, in the commit that stored it. The
// platform reads it in order, and writes the events, the audit records and how
// far it has read in one commit of its own.
//
//	change ─► plugin: row + entry, one commit ─► platform: event + record + cursor, one commit
//
// Who made a change goes with it, sealed by the platform: a plugin cannot name
// another. What a plugin changes by itself is its own doing.

const (
	collectEvery = 2 * time.Second
	entriesAsked = 500
)

// mailbox is the outbox of one plugin; one reads it at a time.
type mailbox struct {
	mu    sync.Mutex
	begun bool
}

type outbox struct {
	mu sync.Mutex
	at map[string]*mailbox
}

func (o *outbox) of(pkg string) *mailbox {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.at[pkg]
	if m == nil {
		m = &mailbox{}
		o.at[pkg] = m
	}
	return m
}

// author is who makes a change, as it is sealed.
type author struct {
	audit.Actor
	Request string `json:"request,omitempty"`
	Run     string `json:"run,omitempty"`
	Reason  string `json:"reason,omitempty"` // why a lock did not bind
}

// ephemeral is a box of a key that nobody else has.
func ephemeral() *secret.Box {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	b, err := secret.New(key)
	if err != nil {
		panic("object: " + err.Error()) // a key of the right size is taken
	}
	return b
}

// note seals who makes a change of objects of a plugin.
func (s *Service) note(ctx context.Context, pkg string) (string, error) {
	run, _ := ctx.Value(runKey{}).(string)
	data, err := json.Marshal(author{identity.From(ctx).Actor(), obs.RequestID(ctx), run, reasonOf(ctx)})
	if err != nil {
		return "", err
	}
	return s.Box.Seal("object-change/"+pkg, data)
}

// author opens a note. A change without one was made by the plugin itself.
func (s *Service) author(pkg string, e wire.Entry) author {
	var a author
	data, err := s.Box.Open("object-change/"+pkg, e.Change)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return author{Actor: audit.Actor{Subject: "plugin/" + pkg, Name: pkg}, Run: e.Run}
	}
	return a
}

// expect begins to read an outbox before the first change through this platform:
// what is in it already was told of before there were outboxes.
func (s *Service) expect(ctx context.Context, pkg string) error {
	if err := s.DB.Trouble(); err != nil {
		return err // what cannot be put on record is not done
	}
	m := s.outbox.of(pkg)
	m.mu.Lock()
	defer m.mu.Unlock()
	return s.begin(ctx, pkg, m)
}

func (s *Service) begin(ctx context.Context, pkg string, m *mailbox) error {
	if m.begun {
		return nil
	}
	_, known, err := s.cursor(ctx, s.DB, pkg)
	if err == nil && !known {
		var last int64
		if _, last, err = s.entries(ctx, pkg, 0, 0); err == nil {
			err = s.DB.Do(context.WithoutCancel(ctx), func(tx *db.Tx) error { return s.moveTo(tx, pkg, last) })
		}
	}
	m.begun = err == nil
	return err
}

func (s *Service) cursor(ctx context.Context, q db.Querier, pkg string) (seq int64, known bool, err error) {
	err = q.QueryRow(ctx, "SELECT seq FROM object_cursor WHERE plugin = ?", pkg).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return seq, err == nil, err
}

func (s *Service) moveTo(tx *db.Tx, pkg string, seq int64) error {
	return tx.Upsert("object_cursor", 1, []string{"plugin", "seq"}, pkg, seq)
}

func (s *Service) entries(ctx context.Context, pkg string, after int64, limit int) ([]wire.Entry, int64, error) {
	var out wire.Envelope[[]wire.Entry]
	_, err := s.ask(ctx, question{pkg: pkg, method: http.MethodGet, path: fmt.Sprintf("/changes?after=%d&limit=%d", after, limit)}, &out)
	if err != nil {
		return nil, 0, err
	}
	last, err := strconv.ParseInt(out.Next, 10, 64)
	return out.Data, last, err
}

// errMoved says that another node has read the outbox meanwhile.
var errMoved = errors.New("the outbox was read by another")

// Collect tells of all that a plugin has stored and nobody was told of yet.
func (s *Service) Collect(ctx context.Context, pkg string) error {
	m := s.outbox.of(pkg)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := s.begin(ctx, pkg, m); err != nil {
		return err
	}
	for wrote := false; ; wrote = true {
		after, _, err := s.cursor(ctx, s.DB, pkg)
		if err != nil {
			return err
		}
		found, last, err := s.entries(ctx, pkg, after, entriesAsked)
		if err != nil {
			return err
		}
		if last < after { // the plugin's database was brought back from a backup
			found, last = nil, min(last, after)
			err = s.DB.Do(ctx, func(tx *db.Tx) error { return s.moveTo(tx, pkg, last) })
		}
		if len(found) == 0 {
			if !wrote && err == nil { // what rides on the first write of a request has to go with one
				err = s.DB.Do(ctx, func(*db.Tx) error { return nil })
			}
			return err
		}
		err = s.DB.Do(ctx, func(tx *db.Tx) error { return s.tell(ctx, tx, pkg, after, found) })
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil || found[len(found)-1].Seq >= last {
			return err
		}
	}
}

// tell writes the events and records of entries, and how far the outbox was read.
func (s *Service) tell(ctx context.Context, tx *db.Tx, pkg string, after int64, found []wire.Entry) error {
	now, _, err := s.cursor(ctx, tx, pkg)
	if err != nil {
		return err
	}
	if now != after {
		return errMoved
	}
	for _, e := range found {
		if err := s.record(ctx, tx, pkg, e); err != nil {
			return err
		}
	}
	return s.moveTo(tx, pkg, found[len(found)-1].Seq)
}

func (s *Service) record(ctx context.Context, tx *db.Tx, pkg string, e wire.Entry) error {
	by := s.author(pkg, e)
	subject := Ref{pkg, e.Type, e.ID}.String()
	names := slices.Clone(e.Secret)
	for _, side := range []wire.Row{e.Before, e.After} {
		for name := range side {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	data := Changed{Attributes: slices.Compact(names), Version: e.Version, Run: by.Run, OverrideReason: by.Reason}
	if err := kindOf(e.Op).Publish(s.Bus, tx, bus.Of{Subject: subject, Project: e.Project, Time: e.Time}, data); err != nil {
		return err
	}
	for _, p := range []struct {
		kind  bus.Kind[Parted]
		names []string
	}{{drifted, e.Drifted}, {settled, e.Settled}} {
		if len(p.names) == 0 {
			continue
		}
		if err := p.kind.Publish(s.Bus, tx, bus.Of{Subject: subject, Project: e.Project, Time: e.Time},
			Parted{p.names, by.Run, e.Version}); err != nil {
			return err
		}
	}
	r := audit.Record{Time: e.Time, Project: e.Project, Environment: e.Environment,
		Actor: by.Actor, Request: by.Request, Verb: recorded(e.Op), Object: subject, Detail: wire.Raw(data)}
	if e.Op != wire.OpCreate { // of a new object they are what it is, which is no change
		r.Changes = told(e)
	}
	return s.Audit.Write(ctx, tx, r)
}

// told are the values that a change took away and brought.
func told(e wire.Entry) *audit.Changes {
	c := &audit.Changes{Before: map[string]json.RawMessage{}, After: map[string]json.RawMessage{}}
	for name, v := range e.Before {
		if name != wire.AttrID {
			c.Before[name] = short(v)
		}
	}
	for name, v := range e.After {
		if name != wire.AttrID {
			c.After[name] = short(v)
		}
	}
	if e.Op != wire.OpDelete {
		c.Secret = e.Secret
	}
	if len(c.Before)+len(c.After)+len(c.Secret) == 0 {
		return nil
	}
	return c
}

// Run collects what plugins change by themselves, and what a server that was
// killed has left, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	failed := map[string]bool{}
	for {
		for _, m := range s.Plugins.All() {
			if !m.Changes {
				continue
			}
			err := s.Collect(ctx, m.Plugin)
			if err != nil && ctx.Err() == nil && !failed[m.Plugin] {
				s.Log.WarnContext(ctx, "changes of objects cannot be recorded yet", "plugin", m.Plugin, "err", err)
			}
			failed[m.Plugin] = err != nil
		}
		tick, stop := s.Clock.After(collectEvery)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		}
	}
}
