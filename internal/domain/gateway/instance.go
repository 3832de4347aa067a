package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
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
	// Calls are those under way, Accepted those that it will call back for.
	Calls, Accepted int
	// Draining instances get no new calls.
	Draining bool
	// Err is why it did not answer last time; nil if it did, or was not asked yet.
	Err error
}

// member is an instance with what the router knows of it. The router's lock guards
// all but the instance.
type member struct {
	Status
	turn int            // of the shares: who is most behind is next
	held map[string]int // calls by key: those under way, and one for each that it has accepted to call back for
	idle chan struct{}  // closed once a draining one has no calls any more

	accepted map[string]bool // keys of Accepted
}

// Set makes calls to a plugin go to one route, in place of all its instances. Calls
// that are under way end where they are.
func (r *Router) Set(plugin string, to Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fleets[plugin] = []*member{{Status: Status{Instance: Instance{Route: to, Weight: 1}}}}
}

// Put adds an instance of a plugin, or replaces the one with its id. One that is the
// same keeps its calls, and drains no more.
func (r *Router) Put(plugin string, i Instance) {
	i.Weight = max(i.Weight, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.fleets[plugin], func(m *member) bool { return m.ID == i.ID })
	if at < 0 {
		r.fleets[plugin] = append(r.fleets[plugin], &member{Status: Status{Instance: i}})
		return
	}
	if m := r.fleets[plugin][at]; i.Handler == nil && m.URL == i.URL && m.Token == i.Token {
		m.Weight, m.Draining = i.Weight, false
		return
	}
	r.fleets[plugin][at] = &member{Status: Status{Instance: i}}
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

// Retire gives an instance no new calls, and forgets it once those under way have
// ended. It reports whether there is one.
func (r *Router) Retire(plugin, id string) bool {
	_, ok := r.retire(plugin, id)
	return ok
}

func (r *Router) retire(plugin, id string) (gone <-chan struct{}, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.fleets[plugin], func(m *member) bool { return m.ID == id })
	if at < 0 {
		return nil, false
	}
	m := r.fleets[plugin][at]
	m.Draining = true
	if m.idle == nil {
		m.idle = make(chan struct{})
	}
	r.settle(plugin, m)
	return m.idle, true
}

// Drain retires an instance and waits until it is gone. Returns the cause of ctx if
// that ends first: the instance goes on draining then.
func (r *Router) Drain(ctx context.Context, plugin, id string) error {
	gone, ok := r.retire(plugin, id)
	if !ok {
		return nil
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gateway: drain instance %q of %s: %w", id, plugin, context.Cause(ctx))
	}
}

// settle forgets a draining instance without calls. The lock is held.
func (r *Router) settle(plugin string, m *member) {
	if !m.Draining || m.Calls > 0 || m.Accepted > 0 {
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

// take picks the instance that a call goes to, and counts the call. A key stays with
// the instance that works on it, whatever becomes of that one; another goes to the
// same instance each time as long as the same ones answer, so that who asks again
// finds what he asked before. Calls without a key are shared out in turn. Picked is
// among those that answer, or where none does among all that are not draining. not are
// those that were tried.
func (r *Router) take(plugin, key string, not []*member) (*member, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var able, rest []*member
	for _, m := range r.fleets[plugin] {
		switch {
		case slices.Contains(not, m):
		case key != "" && m.held[key] > 0:
			m.begin(key)
			return m, true
		case m.Draining:
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
	best := able[0]
	if key == "" {
		best = inTurn(able)
	} else {
		best = slices.MaxFunc(able, func(a, b *member) int { return cmp.Compare(a.claim(key), b.claim(key)) })
	}
	best.begin(key)
	return best, true
}

// inTurn is the one that is most behind its share.
func inTurn(able []*member) *member {
	total, best := 0, able[0]
	for _, m := range able {
		total += m.Weight
		if m.turn += m.Weight; m.turn > best.turn {
			best = m
		}
	}
	best.turn -= total
	return best
}

// claim is how much an instance wants a key: of all keys the greatest claims are
// spread over the instances by their weights, and where one leaves, its keys alone
// change theirs.
func (m *member) claim(key string) float64 {
	sum := sha256.Sum256([]byte(m.ID + "\x00" + key))
	share := (float64(binary.BigEndian.Uint64(sum[:8])>>11) + 0.5) / (1 << 53)
	return -float64(m.Weight) / math.Log(share)
}

// begin counts a call. The router's lock is held.
func (m *member) begin(key string) {
	m.Calls++
	m.hold(key, 1)
}

func (m *member) hold(key string, n int) {
	if key == "" {
		return
	}
	if m.held == nil {
		m.held = map[string]int{}
	}
	if m.held[key] += n; m.held[key] <= 0 {
		delete(m.held, key)
	}
}

// give ends a call. One that was accepted stays with the instance until Settled.
func (r *Router) give(plugin, key string, m *member, accepted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Calls--
	m.hold(key, -1)
	if accepted && key != "" && !m.accepted[key] {
		if m.accepted == nil {
			m.accepted = map[string]bool{}
		}
		m.accepted[key] = true
		m.Accepted++
		m.hold(key, 1)
	}
	r.settle(plugin, m)
}

// Settled tells that nobody waits any more for the call-back of an accepted call.
func (r *Router) Settled(plugin, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range slices.Clone(r.fleets[plugin]) {
		if m.accepted[key] {
			delete(m.accepted, key)
			m.Accepted--
			m.hold(key, -1)
			r.settle(plugin, m)
		}
	}
}

// answered notes how a call to an instance went, as far as it tells whether the
// instance is there.
func (r *Router) answered(m *member, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Err = err
}
