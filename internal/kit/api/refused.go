package api

import (
	"net/http"
	"sync"
	"time"

	"sextant/internal/kit/db"
)

const (
	tellAtMost = 30 // refusals of one subject that are recorded within tellFor
	tellFor    = time.Minute
	maxTellers = 10_000 // subjects whose refusals are counted
)

// told counts the refusals that were recorded, so that a flood is told of by its
// beginning.
type told struct {
	mu sync.Mutex
	of map[string]count
}

type count struct {
	n     int
	since time.Time
}

func (t *told) may(who string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil || len(t.of) >= maxTellers {
		t.of = map[string]count{}
	}
	c := t.of[who]
	if now.Sub(c.since) > tellFor {
		c = count{since: now}
	}
	c.n++
	t.of[who] = c
	return c.n <= tellAtMost
}

// refused has it recorded that somebody asked for what they may not do. The record
// is beside whatever the request wrote, and is none of it.
func (a *API) refused(w *statusWriter, r *http.Request, principal string) {
	if a.deps.Refused == nil || w.status != http.StatusForbidden || principal == "" || !a.told.may(principal, a.deps.Clock.Now()) {
		return
	}
	a.deps.Refused(db.WithoutRider(r.Context()), r, w.route)
}
