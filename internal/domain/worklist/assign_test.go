package worklist_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/worklist"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// in is a user of project a who has a role there.
func in(ctx context.Context, name, role string) context.Context {
	return identity.With(ctx, identity.Subject{ID: "user/" + name, Name: name, Kind: identity.User, Grants: []identity.Grant{
		{Permission: "task.read", Project: "a", Role: role}, {Permission: "task.complete", Project: "a", Role: role}}})
}

// Those who are asked do a task, and whoever may manage tasks; nobody else.
func TestOnlyThoseWhoAreAskedDoATask(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		groups, users []string
		who           func(context.Context) context.Context
		may           bool
	}{
		{"nobody-is-named", nil, nil, func(ctx context.Context) context.Context { return as(ctx, "x", "a", "read", "complete") }, true},
		{"by-name", nil, []string{"x", "y"}, func(ctx context.Context) context.Context { return as(ctx, "y", "a", "read", "complete") }, true},
		{"another-name", nil, []string{"x"}, func(ctx context.Context) context.Context { return as(ctx, "y", "a", "read", "complete") }, false},
		{"by-role", []string{"approver"}, nil, func(ctx context.Context) context.Context { return in(ctx, "y", "approver") }, true},
		{"another-role", []string{"approver"}, nil, func(ctx context.Context) context.Context { return in(ctx, "y", "operator") }, false},
		{"a-name-is-no-role", []string{"y"}, nil, func(ctx context.Context) context.Context {
			return as(ctx, "y", "a", "read", "complete")
		}, false},
		{"one-of-both", []string{"approver"}, []string{"y"}, func(ctx context.Context) context.Context {
			return as(ctx, "y", "a", "read", "complete")
		}, true},
		{"a-manager", []string{"approver"}, nil, func(ctx context.Context) context.Context {
			return as(ctx, "m", "a", "read", "complete", "manage")
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			one := task(10, "a")
			one.Groups, one.Users = c.groups, c.users
			r.put(one)
			ctx := c.who(t.Context())
			claim, complete := r.Claim(ctx, 10), error(nil)
			if claim == nil {
				r.must(r.Release(ctx, 10))
			}
			complete = r.Complete(ctx, 10, nil, "")
			if c.may && (claim != nil || complete != nil) {
				t.Errorf("claimed with %v, completed with %v", claim, complete)
			}
			if !c.may {
				refused(t, claim, errs.Forbidden, "task.not_asked")
				refused(t, complete, errs.Forbidden, "task.not_asked")
			}
		})
	}
}

func TestATaskIsTakenGivenBackAndPassedOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Person = func(ctx context.Context, name string) (identity.Subject, bool, error) {
		return identity.From(as(ctx, name, "a", "read", "complete")), name != "nobody", nil
	}
	fixed := task(20, "a")
	fixed.Assignee = "ann"
	r.put(task(10, "a"), fixed)
	ann, bob, boss := as(t.Context(), "ann", "a", "read", "complete"), as(t.Context(), "bob", "a", "read", "complete"),
		as(t.Context(), "boss", "a", "read", "complete", "manage")
	r.must(r.Claim(ann, 10))
	r.must(r.Claim(ann, 10)) // she has it
	refused(t, r.Claim(bob, 10), errs.Conflict, "task.assigned")
	refused(t, r.Complete(bob, 10, nil, ""), errs.Forbidden, "task.assigned")
	refused(t, r.Release(bob, 10), errs.Forbidden, "task.assigned")
	refused(t, r.Delegate(bob, 10, "bob"), errs.Forbidden, "task.assigned")
	refused(t, r.Delegate(ann, 10, "nobody"), errs.Invalid, "task.delegate")
	refused(t, r.Release(ann, 20), errs.Conflict, "task.not_claimed")
	refused(t, r.Claim(as(t.Context(), "z", "b", "read", "complete"), 10), errs.NotFound, "task.not_found")
	refused(t, r.Claim(as(t.Context(), "z", "a", "read"), 10), errs.Forbidden, "identity.forbidden")
	if got := r.one(ann, 10); got.Assignee != "ann" || !got.Claimed.Equal(r.clock.Now()) {
		t.Errorf("%+v", got)
	}
	r.must(r.Release(boss, 10))
	if got := r.one(ann, 10); got.Assignee != "" || !got.Claimed.IsZero() {
		t.Errorf("%+v", got)
	}
	r.must(r.Claim(bob, 10))
	r.must(r.Delegate(bob, 10, "ann"))
	refused(t, r.Complete(bob, 10, nil, ""), errs.Forbidden, "task.assigned")
	r.must(r.Complete(ann, 10, nil, ""))
	var n int
	r.must(r.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM bus_event WHERE type = 'sextant.task.assigned.v1'").Scan(&n))
	if n != 4 {
		t.Errorf("%d events, want 4", n)
	}
}

// Of two who take a task at once one gets it.
func TestOneOfManyTakesATask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(task(10, "a"))
	const many = 8
	results := make(chan error, many)
	for i := range many {
		go func() { results <- r.Claim(as(t.Context(), fmt.Sprint("u", i), "a", "read", "complete"), 10) }()
	}
	got := 0
	for range many {
		err := <-results
		if err == nil {
			got++
		} else if !errs.Is(err, errs.Conflict) {
			t.Error(err)
		}
	}
	if got != 1 {
		t.Errorf("%d took it", got)
	}
}

// A task of a verdict, with all that is stored of one.
func TestATaskOfAVerdict(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one := task(10, "a")
	one.Verdict, one.Groups, one.Users, one.Due, one.Form = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
		[]string{"approver"}, []string{"ann"}, r.clock.Now().AddDate(0, 0, 1), "approve"
	r.put(one)
	got := r.one(as(t.Context(), "x", "a", "read"), 10)
	if got.Verdict != one.Verdict || !got.Due.Equal(one.Due) || !slices.Equal(got.People, []string{"approver", "ann"}) ||
		!slices.Equal(got.Groups, one.Groups) || !slices.Equal(got.Users, one.Users) || got.Form != "approve" {
		t.Errorf("%+v", got)
	}
}

func (r *rig) one(ctx context.Context, key int64) worklist.Task {
	r.t.Helper()
	page, err := r.Find(ctx, worklist.Filter{Project: "a", Paging: api.Paging{Limit: 100}})
	r.must(err)
	i := slices.IndexFunc(page.Items, func(t worklist.Task) bool { return int64(t.Key) == key })
	if i < 0 {
		r.t.Fatalf("there is no task %d", key)
	}
	return page.Items[i]
}
