package plugin

import (
	"context"
	"encoding/json"
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
)

// Condition is how a plugin is.
type Condition struct {
	State  string    `json:"state" enum:"running,starting,unreachable" doc:"Whether the plugin answers"`
	Since  time.Time `json:"since" doc:"When the state began, as far as this start of the server knows"`
	Reason string    `json:"reason,omitempty" doc:"Why it is unreachable"`
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

// probe asks one plugin. One of this process is there as long as the process is.
func (h *Health) probe(ctx context.Context, name string) (state, reason string) {
	to, ok := h.Router.Route(name)
	if !ok {
		return StateUnreachable, "it has no address: connect it"
	}
	if to.Handler != nil {
		return StateRunning, ""
	}
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	got, err := h.Router.Ask(ctx, to, gateway.Call{Method: http.MethodGet, Path: "/manifest"})
	if err != nil {
		return StateUnreachable, "it does not answer at " + to.URL
	}
	var m struct {
		Plugin string `json:"plugin"`
	}
	switch {
	case got.Status == http.StatusUnauthorized:
		return StateUnreachable, "it does not take its token: start it with that which it was given last"
	case got.Status != http.StatusOK:
		return StateUnreachable, "it answers " + http.StatusText(got.Status) + " when it is asked for its manifest"
	case json.Unmarshal(got.Body, &m) != nil || m.Plugin != name:
		return StateUnreachable, "another program answers at " + to.URL
	}
	return StateRunning, ""
}

// note keeps the state of a plugin. A change is an event and stands in the audit
// log; that a plugin was found after a start is none.
func (h *Health) note(ctx context.Context, name, state, reason string) {
	before, now := h.Of(name), Condition{state, h.Clock.Now(), reason}
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
		return h.Audit.Write(ctx, tx, audit.Record{Project: "default", Actor: audit.Actor{Subject: "platform"}, Verb: "plugin." + verb, Object: "plugin/" + name, Detail: wire.Raw(standing)})
	})
	if err != nil {
		h.Log.WarnContext(ctx, "the state of a plugin could not be recorded", "plugin", name, "err", err)
	}
}

// Of tells how a plugin is.
func (h *Health) Of(name string) Condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.by[name]; ok {
		return c
	}
	return Condition{State: StateStarting}
}

func (h *Health) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.by, name)
}
