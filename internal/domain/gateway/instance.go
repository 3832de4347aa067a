package gateway

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Route leads to an instance of a plugin.
type Route struct {
	// Handler answers in this process; nil for a process of its own at URL.
	Handler http.Handler
	URL     string
	Token   string
}

// Instance is one place where a plugin answers. A plugin may have several: calls are
// shared out among them.
//
//	Put ─► healthy ◄──Mark──► failed ─► Drain: no new calls ─► gone once its calls have ended
type Instance struct {
	// ID is its own among those of its plugin.
	ID string
	Route
	// Weight is its share of the calls beside the others'; 1 where it is 0.
	Weight int
}

// Status is how an instance is.
type Status struct {
	Instance
	// Calls are those under way.
	Calls int
	// Draining instances get no new calls.
	Draining bool
	// Err is why it did not answer last time; nil if it did, or was not asked yet.
	Err error
}

// member is an instance with what the router knows of it. The router's lock guards
// all but the instance.
type member struct {
	Status
	turn int           // of the shares: who is most behind is next
	idle chan struct{} // closed once a draining one has no calls any more
}

// Set makes calls to a plugin go to one route, in place of all its instances. Calls
// that are under way end where they are.
func (r *Router) Set(plugin string, to Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fleets[plugin] = []*member{{Status: Status{Instance: Instance{Route: to, Weight: 1}}}}
}

// Put adds an instance of a plugin, or replaces the one with its id.
func (r *Router) Put(plugin string, i Instance) {
	i.Weight = max(i.Weight, 1)
	m := &member{Status: Status{Instance: i}}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := slices.IndexFunc(r.fleets[plugin], func(m *member) bool { return m.ID == i.ID }); at >= 0 {
		r.fleets[plugin][at] = m
		return
	}
	r.fleets[plugin] = append(r.fleets[plugin], m)
}

// Unset forgets where a plugin is.
func (r *Router) Unset(plugin string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.fleets, plugin)
}

// Route tells where the first instance of a plugin is.
func (r *Router) Route(plugin string) (Route, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.fleets[plugin] {
		if !m.Draining {
			return m.Route, true
		}
	}
	return Route{}, false
}

// Instances tells how the instances of a plugin are.
func (r *Router) Instances(plugin string) []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Status, 0, len(r.fleets[plugin]))
	for _, m := range r.fleets[plugin] {
		all = append(all, m.Status)
	}
	return all
}

// Mark notes whether an instance answers; err is nil if it does. One that does not
// gets calls only where no other does.
func (r *Router) Mark(plugin, id string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.fleets[plugin] {
		if m.ID == id {
			m.Err = err
		}
	}
}

// Drain gives an instance no new calls, waits until those under way have ended, and
// forgets it. Returns the cause of ctx if that ends first: the instance goes on
// draining then, and is forgotten with its last call.
func (r *Router) Drain(ctx context.Context, plugin, id string) error {
	r.mu.Lock()
	at := slices.IndexFunc(r.fleets[plugin], func(m *member) bool { return m.ID == id })
	if at < 0 {
		r.mu.Unlock()
		return nil
	}
	m := r.fleets[plugin][at]
	m.Draining = true
	if m.idle == nil {
		m.idle = make(chan struct{})
	}
	r.settle(plugin, m)
	r.mu.Unlock()
	select {
	case <-m.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gateway: drain instance %q of %s: %w", id, plugin, context.Cause(ctx))
	}
}

// settle forgets a draining instance without calls. The lock is held.
func (r *Router) settle(plugin string, m *member) {
	if !m.Draining || m.Calls > 0 {
		return
	}
	select {
	case <-m.idle:
		return // another one of its id may be there by now
	default:
	}
	close(m.idle)
	r.fleets[plugin] = slices.DeleteFunc(r.fleets[plugin], func(other *member) bool { return other == m })
}

// take picks the instance that the next call goes to, by shares, and counts the call:
// among those that answer, or where none does among all that are not draining. not
// are those that were tried.
func (r *Router) take(plugin string, not []*member) (*member, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var able, rest []*member
	for _, m := range r.fleets[plugin] {
		switch {
		case m.Draining || slices.Contains(not, m):
		case m.Err == nil:
			able = append(able, m)
		default:
			rest = append(rest, m)
		}
	}
	if len(able) == 0 {
		able = rest
	}
	if len(able) == 0 {
		return nil, false
	}
	total, best := 0, able[0]
	for _, m := range able {
		total += m.Weight
		if m.turn += m.Weight; m.turn > best.turn {
			best = m
		}
	}
	best.turn -= total
	best.Calls++
	return best, true
}

// give ends a call.
func (r *Router) give(plugin string, m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Calls--
	r.settle(plugin, m)
}

// answered notes how a call to an instance went, as far as it tells whether the
// instance is there.
func (r *Router) answered(m *member, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Err = err
}
