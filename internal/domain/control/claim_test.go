package control_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

func exclusive(objects ...string) (all []control.Claim) {
	for _, o := range objects {
		all = append(all, control.Claim{Object: o, Mode: control.Exclusive})
	}
	return all
}

func shared(objects ...string) (all []control.Claim) {
	for _, o := range objects {
		all = append(all, control.Claim{Object: o, Mode: control.Shared})
	}
	return all
}

func holder(run int64) control.Holder {
	return control.Holder{Run: run, Job: run, Project: "a", Subject: fmt.Sprint("of-run-", run)}
}

// claiming is a claim that goes on by itself.
type claiming struct {
	queued chan []*control.Lock
	done   chan error
}

func (r *rig) claim(ctx context.Context, run int64, claims []control.Claim) claiming {
	c := claiming{make(chan []*control.Lock, 100), make(chan error, 1)}
	go func() {
		c.done <- r.Claim(ctx, holder(run), claims, func(l []*control.Lock) { c.queued <- l })
	}()
	return c
}

func (c claiming) granted(t *testing.T) {
	t.Helper()
	select {
	case err := <-c.done:
		if err != nil {
			t.Fatal(err)
		}
	case l := <-c.queued:
		t.Fatalf("it waits for %+v", l[0])
	case <-time.After(patience):
		t.Fatal("it neither waits nor has it")
	}
}

func (c claiming) waits(t *testing.T, runs ...int64) {
	t.Helper()
	select {
	case l := <-c.queued:
		var got []int64
		for _, x := range l {
			got = append(got, int64(x.Run))
		}
		if fmt.Sprint(got) != fmt.Sprint(runs) {
			t.Fatalf("it waits for %v, not for %v", got, runs)
		}
	case err := <-c.done:
		t.Fatalf("it does not wait: %v", err)
	case <-time.After(patience):
		t.Fatal("it does not wait")
	}
}

// comes waits until the claim is granted, whatever it was told before.
func (c claiming) comes(t *testing.T) {
	t.Helper()
	select {
	case err := <-c.done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("it still waits")
	}
}

func (r *rig) release(run int64) {
	r.t.Helper()
	r.must(r.db.Do(r.t.Context(), func(tx *db.Tx) error { return r.Release(tx, run) }))
}

func TestWhoWaitsGetsItInTheOrderInWhichHeAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.claim(ctx, 1, exclusive("p:thing/1")).granted(t)
	second := r.claim(ctx, 2, exclusive("p:thing/1", "p:thing/2"))
	second.waits(t, 1)
	third := r.claim(ctx, 3, exclusive("p:thing/2"))
	third.waits(t, 2) // free now, but somebody came first
	other := r.claim(ctx, 4, exclusive("p:thing/3"))
	other.granted(t)
	holders, waiting, err := r.LocksOf(as(ctx, "a"), "p:thing/1")
	if err != nil || len(holders) != 1 || holders[0].Run != 1 || len(waiting) != 1 || waiting[0].Run != 2 || waiting[0].Subject != "of-run-2" {
		t.Errorf("%+v %+v %v", holders, waiting, err)
	}
	_, err = r.Admit(as(ctx, "a"), request("p:thing/2"))
	refused(t, err, errs.Locked, "control.locked")
	if !strings.Contains(err.Error(), "came first") {
		t.Errorf("%v", err)
	}
	r.release(1)
	second.comes(t)
	r.release(2)
	third.comes(t)
	// All or nothing: while it waited, run 2 held nothing of what was free.
}

func TestManyShareAndOneAloneHoldsExclusively(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.claim(ctx, 1, shared("p:thing/1")).granted(t)
	r.claim(ctx, 2, shared("p:thing/1")).granted(t)
	third := r.claim(ctx, 3, exclusive("p:thing/1"))
	third.waits(t, 1, 2)
	r.claim(ctx, 4, shared("p:thing/1")).waits(t, 3)
	r.release(1)
	third.waits(t, 2)
	r.release(2)
	third.comes(t)
}

func TestAWaitThatWouldCloseACircleIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second []control.Claim // what runs 1 and 2 hold
		wants, last   []control.Claim // what run 1 waits for, and what run 2 then asks for
	}{
		"two":                                  {exclusive("p:thing/1"), exclusive("p:thing/2"), exclusive("p:thing/2"), exclusive("p:thing/1")},
		"two-who-share-and-both-want-it-alone": {shared("p:thing/1"), shared("p:thing/1"), exclusive("p:thing/1"), exclusive("p:thing/1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.claim(t.Context(), 1, c.first).granted(t)
			r.claim(t.Context(), 2, c.second).granted(t)
			waiting := r.claim(t.Context(), 1, c.wants)
			waiting.waits(t, 2)
			err := r.Claim(t.Context(), holder(2), c.last, func([]*control.Lock) {})
			refused(t, err, errs.Conflict, "control.lock_circle")
			if !strings.Contains(err.Error(), "run 2 waits for run 1") || !strings.Contains(err.Error(), "run 1 waits for run 2") {
				t.Errorf("the circle is not told: %v", err)
			}
			r.release(2)
			waiting.comes(t)
		})
	}
	t.Run("over-three-and-the-queue", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		ctx := t.Context()
		r.claim(ctx, 1, exclusive("p:thing/1")).granted(t)
		r.claim(ctx, 3, exclusive("p:thing/3")).granted(t)
		r.claim(ctx, 2, exclusive("p:thing/1", "p:thing/2")).waits(t, 1)
		r.claim(ctx, 3, exclusive("p:thing/2")).waits(t, 2) // behind run 2 in the line
		err := r.Claim(ctx, holder(1), exclusive("p:thing/3"), func([]*control.Lock) {})
		refused(t, err, errs.Conflict, "control.lock_circle")
	})
}

func TestAJobThatIsWithdrawnLeavesTheLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.claim(t.Context(), 1, exclusive("p:thing/1")).granted(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	second := r.claim(ctx, 2, exclusive("p:thing/1", "p:thing/2"))
	second.waits(t, 1)
	third := r.claim(t.Context(), 3, exclusive("p:thing/2"))
	third.waits(t, 2)
	gone := errors.New("nobody wants it")
	cancel(gone)
	if err := <-second.done; !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	third.comes(t)
}

func TestARunThatLostItsLeaseIsToldBeforeItsNextCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.claim(ctx, 1, exclusive("p:thing/1")).granted(t)
	before, err := r.Held(ctx, r.db, 1, exclusive("p:thing/1"))
	r.must(err)
	r.clock.Advance(control.LeaseFor + time.Second)
	r.claim(ctx, 2, exclusive("p:thing/1")).granted(t)
	_, err = r.Held(ctx, r.db, 1, exclusive("p:thing/1"))
	refused(t, err, errs.Locked, "control.lease_lost")
	// A renewal does not bring back what somebody else has taken.
	r.must(r.RenewOnce(ctx))
	_, err = r.Held(ctx, r.db, 1, exclusive("p:thing/1"))
	refused(t, err, errs.Locked, "control.lease_lost")
	after, err := r.Held(ctx, r.db, 2, exclusive("p:thing/1"))
	r.must(err)
	if after["p:thing/1"] <= before["p:thing/1"] {
		t.Errorf("fences %v and then %v", before, after)
	}
	// Who shares an object does not hold it alone.
	r.claim(ctx, 3, shared("p:thing/2")).granted(t)
	_, err = r.Held(ctx, r.db, 3, exclusive("p:thing/2"))
	refused(t, err, errs.Locked, "control.lease_lost")
}

func TestALockBindsPeopleToo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	r.claim(ctx, 1, exclusive("p:thing/1")).granted(t)
	r.claim(ctx, 2, shared("p:thing/2")).granted(t)
	_, err := r.Edit(ctx, "a", []string{"p:thing/2", "p:thing/1"}, "")
	refused(t, err, errs.Locked, "control.locked")
	if !strings.Contains(err.Error(), "p:thing/1 is held by run 1") {
		t.Errorf("%v", err)
	}
	_, err = r.Edit(ctx, "a", []string{"p:thing/1"}, "it is on fire")
	refused(t, err, errs.Forbidden, "identity.forbidden")
	grants := []identity.Grant{{Permission: "lock.override", Project: "a"}}
	may := identity.With(t.Context(), identity.Subject{ID: "user/x", Name: "x", Kind: identity.User, Grants: grants})
	_, err = r.Edit(may, "a", []string{"p:thing/1"}, "x")
	refused(t, err, errs.Invalid, "control.override_reason")
	done, err := r.Edit(may, "a", []string{"p:thing/1"}, "it is on fire")
	r.must(err)
	done()
	// The run that holds it writes back; another one does not.
	run := func(key string) context.Context {
		return identity.With(t.Context(), identity.Rights{Name: "of-a"}.Run(key))
	}
	done, err = r.Edit(run("1"), "a", []string{"p:thing/1"}, "")
	r.must(err)
	done()
	_, err = r.Edit(run("2"), "a", []string{"p:thing/1"}, "")
	refused(t, err, errs.Locked, "control.locked")
	// While somebody edits, nobody is let in.
	done, err = r.Edit(ctx, "a", []string{"p:thing/3"}, "")
	r.must(err)
	admitted := make(chan error, 1)
	go func() { _, err := r.Admit(ctx, request("p:thing/3")); admitted <- err }()
	select {
	case err := <-admitted:
		t.Fatalf("admitted during an edit: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	done()
	r.must(<-admitted)
}

func TestARunClaimsAllThatItsPlanKnows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan control.Plan
		want string
	}{
		"only-what-it-was-started-on": {control.Plan{}, "p:thing/1 exclusive"},
		"rows-behind-it": {
			control.Plan{Steps: []control.Planned{{Locks: exclusive("p:thing/2")}, {Locks: shared("p:thing/3", "p:thing/2")}}},
			"p:thing/1 exclusive, p:thing/2 exclusive, p:thing/3 shared"},
		"it-only-reads":                {control.Plan{Reads: true, Steps: []control.Planned{{Locks: shared("p:thing/1")}}}, "p:thing/1 shared"},
		"it-only-reads-and-needs-none": {control.Plan{Reads: true, Steps: []control.Planned{{}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.planner.plan = c.plan
			ctx := as(t.Context(), "a")
			v, err := r.Admit(ctx, request("p:thing/1"))
			r.must(err)
			held, _, err := r.LocksOfRun(ctx, int64(v.Run))
			r.must(err)
			var got []string
			for _, l := range held {
				got = append(got, l.Object+" "+string(l.Mode))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("it holds %v, want %s", got, c.want)
			}
		})
	}
}

func TestAPlanThatCannotBeRefusesTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.planner.plan = control.Plan{
		Steps: []control.Planned{{Problem: "no rows now"}, {Err: errs.New(errs.Forbidden, "object.right", "no right on p:thing/9")}}}
	v, err := r.Admit(as(t.Context(), "a"), request("p:thing/1"))
	refused(t, err, errs.Forbidden, "object.right")
	if said(v.Steps) != "global stop, permission, input, objects, touch!, locks" || r.count("started") != 0 || r.count("control_claim") != 0 {
		t.Errorf("%+v", v)
	}
}

// Eight clients claim and release at random. A model that knows nothing of how it
// is done watches: nobody is in with somebody he does not share with, and
// everybody comes in in the end.
func TestClaimsOfManyAgreeWithAModel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	m := &model{in: map[string]map[int64]control.Mode{}}
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(client)))
			for i := range 120 {
				run := int64(client*1000 + i + 1)
				r.live(t, rnd, m, run)
			}
		})
	}
	wg.Wait()
	if n := r.count("control_claim") + r.count("control_wait"); n != 0 || len(m.faults) > 0 {
		t.Errorf("%d rows are left; %v", n, m.faults)
	}
}

// live is one run: it claims once or twice, is in for a moment and ends.
func (r *rig) live(t *testing.T, rnd *rand.Rand, m *model, run int64) {
	for range 1 + rnd.IntN(2) {
		var claims []control.Claim
		for _, o := range rnd.Perm(5)[:1+rnd.IntN(3)] {
			mode := control.Exclusive
			if rnd.IntN(2) == 0 {
				mode = control.Shared
			}
			claims = append(claims, control.Claim{Object: fmt.Sprint("p:thing/", o), Mode: mode})
		}
		err := r.Claim(t.Context(), holder(run), claims, func([]*control.Lock) {})
		if errs.HasCode(err, "control.lock_circle") {
			break
		}
		if err != nil {
			t.Errorf("run %d: %v", run, err)
			break
		}
		m.enter(run, claims)
	}
	m.leave(run)
	if err := r.db.Do(t.Context(), func(tx *db.Tx) error { return r.Release(tx, run) }); err != nil {
		t.Error(err)
	}
}

type model struct {
	mu     sync.Mutex
	in     map[string]map[int64]control.Mode
	faults []string
}

func (m *model) enter(run int64, claims []control.Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range claims {
		if m.in[c.Object] == nil {
			m.in[c.Object] = map[int64]control.Mode{}
		}
		for other, mode := range m.in[c.Object] {
			if other != run && (mode == control.Exclusive || c.Mode == control.Exclusive) {
				m.faults = append(m.faults, fmt.Sprintf("%s: run %d has it %s while run %d has it %s", c.Object, run, c.Mode, other, mode))
			}
		}
		if m.in[c.Object][run] != control.Exclusive {
			m.in[c.Object][run] = c.Mode
		}
	}
}

func (m *model) leave(run int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range m.in {
		delete(in, run)
	}
}
