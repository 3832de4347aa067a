package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/sdk/go/wire"
)

const (
	probeEvery  = 15 * time.Second
	probeRest   = time.Second // at least, between two rounds, however many calls fail
	probeWithin = 5 * time.Second
)

// The states of a plugin.
const (
	StateRunning     = "running"
	StateStarting    = "starting" // nobody has asked it yet
	StateUnreachable = "unreachable"
	StateDisabled    = "disabled" // all its versions are switched off
)

// Condition is how a plugin is.
type Condition struct {
	State  string    `json:"state" enum:"running,starting,unreachable,disabled" doc:"Whether the plugin answers; disabled is one whose versions are all switched off"`
	Since  time.Time `json:"since" doc:"When the state began, as far as this start of the server knows"`
	Reason string    `json:"reason,omitempty" doc:"Why it is unreachable"`
	// Instances are the places where it answers, or should.
	Instances []InstanceCondition `json:"instances,omitempty" doc:"The places where it answers, or should"`
}

// InstanceCondition is how one instance of a plugin is.
type InstanceCondition struct {
	ID       string `json:"id,omitempty" doc:"Its own among those of the plugin; none where there is one alone"`
	Address  string `json:"address,omitempty" doc:"Where it answers; none within the server's process"`
	Weight   int    `json:"weight" doc:"Its share of the calls beside the others'"`
	Calls    int    `json:"calls" doc:"Calls under way, and those that it will call back for"`
	Draining bool   `json:"draining" doc:"Whether it gets no new calls"`
	Error    string `json:"error,omitempty" doc:"Why it did not answer last time"`
}

// Health asks the plugins how they are.
//
//	starting ─► running ◄─► unreachable
//
// A call that does not reach a plugin has them asked at once.
type Health struct {
	Registry *Registry
	Router   *gateway.Router
	Clock    clock.Clock
	DB       *db.DB
	Audit    *audit.Log
	Bus      *bus.Bus
	Log      *slog.Logger

	once sync.Once
	wake chan struct{}
	mu   sync.Mutex
	by   map[string]Condition
}

func (h *Health) poked() chan struct{} {
	h.once.Do(func() { h.wake = make(chan struct{}, 1) })
	return h.wake
}

// Poke has the plugins asked soon.
func (h *Health) Poke() {
	select {
	case h.poked() <- struct{}{}:
	default:
	}
}

// Run asks the plugins until ctx ends.
func (h *Health) Run(ctx context.Context) error {
	for {
		h.Ask(ctx)
		if err := h.rest(ctx, probeRest, nil); err != nil {
			return err
		}
		if err := h.rest(ctx, probeEvery-probeRest, h.poked()); err != nil {
			return err
		}
	}
}

func (h *Health) rest(ctx context.Context, d time.Duration, early <-chan struct{}) error {
	tick, stop := h.Clock.After(d)
	defer stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-tick:
	case <-early:
	}
	return nil
}

// Ask asks every plugin once and notes what changed.
func (h *Health) Ask(ctx context.Context) {
	var wg sync.WaitGroup
	for _, m := range h.Registry.All() {
		wg.Go(func() {
			state, reason := h.probe(ctx, m.Plugin)
			if ctx.Err() == nil {
				h.note(ctx, m.Plugin, state, reason)
			}
		})
	}
	wg.Wait()
}

// probe asks all instances of a plugin, which runs while one of them answers.
func (h *Health) probe(ctx context.Context, name string) (state, reason string) {
	all := h.Router.Instances(name)
	if len(all) == 0 {
		return StateUnreachable, "it has no address: connect it"
	}
	answers := false
	for _, i := range all {
		s, version, why := h.ask(ctx, name, i.Route)
		if ctx.Err() != nil {
			return StateUnreachable, why // and nothing is noted
		}
		if m, ok := h.Registry.Manifest(name); ok && s == StateRunning && len(all) > 1 && version != "" && version != m.Version {
			s, why = StateUnreachable, "it runs version "+version+", and "+m.Version+" is the one that is offered"
		}
		if s == StateRunning {
			answers = true
			h.Router.Mark(name, i.ID, nil)
			continue
		}
		reason = why
		h.Router.Mark(name, i.ID, &unwell{why})
	}
	if answers {
		return StateRunning, ""
	}
	return StateUnreachable, reason
}

// unwell is what a probe found, in words for people.
type unwell struct{ reason string }

// Error is the reason.
func (u *unwell) Error() string { return u.reason }

// ask asks one instance. One of this process is there as long as the process is.
func (h *Health) ask(ctx context.Context, name string, to gateway.Route) (state, version, reason string) {
	if to.Handler != nil {
		return StateRunning, "", ""
	}
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	got, err := h.Router.Ask(ctx, to, gateway.Call{Method: http.MethodGet, Path: "/manifest"})
	if err != nil {
		return StateUnreachable, "", "it does not answer at " + to.URL
	}
	var m struct {
		Plugin  string `json:"plugin"`
		Version string `json:"version"`
	}
	switch {
	case got.Status == http.StatusUnauthorized:
		return StateUnreachable, "", "it does not take its token: start it with that which it was given last"
	case got.Status != http.StatusOK:
		return StateUnreachable, "", "it answers " + http.StatusText(got.Status) + " when it is asked for its manifest"
	case json.Unmarshal(got.Body, &m) != nil || m.Plugin != name:
		return StateUnreachable, "", "another program answers at " + to.URL
	}
	return StateRunning, m.Version, ""
}

// note keeps the state of a plugin. A change is an event and stands in the audit
// log; that a plugin was found after a start is none.
func (h *Health) note(ctx context.Context, name, state, reason string) {
	before, now := h.Of(name), Condition{State: state, Since: h.Clock.Now(), Reason: reason}
	h.mu.Lock()
	if h.by == nil {
		h.by = map[string]Condition{}
	}
	if _, known := h.Registry.Manifest(name); !known || before.State == state {
		h.mu.Unlock()
		return
	}
	h.by[name] = now
	h.mu.Unlock()
	if before.State == StateStarting && state == StateRunning {
		return
	}
	verb, kind := "reached", reached
	if state == StateUnreachable {
		verb, kind = "lost", lost
	}
	h.Log.WarnContext(ctx, "a plugin was "+verb, "plugin", name, "reason", reason)
	standing := Standing{state, reason}
	err := h.DB.Do(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		if err := kind.Publish(h.Bus, tx, bus.Of{Subject: "plugin/" + name, Project: "default"}, standing); err != nil {
			return err
		}
		return h.Audit.Write(ctx, tx, audit.Record{Project: "default", Actor: audit.Actor{Subject: "platform"},
			Verb: "plugin." + verb, Object: "plugin/" + name, Detail: wire.Raw(standing)})
	})
	if err != nil {
		h.Log.WarnContext(ctx, "the state of a plugin could not be recorded", "plugin", name, "err", err)
	}
}

// Of tells how a plugin is.
func (h *Health) Of(name string) Condition {
	h.mu.Lock()
	c, ok := h.by[name]
	h.mu.Unlock()
	if !ok {
		c = Condition{State: StateStarting}
	}
	c.Instances = h.instances(name)
	return c
}

// instances tells how the instances of a plugin are.
func (h *Health) instances(name string) []InstanceCondition {
	var all []InstanceCondition
	for _, i := range h.Router.Instances(name) {
		c := InstanceCondition{ID: i.ID, Address: i.URL, Weight: i.Weight, Calls: i.Calls + i.Accepted, Draining: i.Draining}
		c.Error = told(i.Err)
		all = append(all, c)
	}
	return all
}

// told is why an instance did not answer, in words for people; empty if it did.
func told(err error) string {
	why := new(unwell)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &why):
		return why.Error()
	}
	return "it was not reached" // what the system said of its address is for the log
}

func (h *Health) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, name)
}
