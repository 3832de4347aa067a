package object_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/object"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

func TestTheHistoryTellsWhatChangedToWhat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	long := strings.Repeat("ä", 1500)
	for _, row := range []wire.Row{
		{"id": wire.Raw("a0"), "name": wire.Raw("other"), "password": wire.Raw("hunter9")},
		{"id": wire.Raw("a0"), "name": wire.Raw("other"), "password": wire.Raw("***")}, // as it was read
		{"id": wire.Raw("a0"), "name": wire.Raw(long)},
		{"id": wire.Raw("a0"), "name": json.RawMessage("null")},
	} {
		r.deps.Clock.(*clock.Fake).Advance(time.Second)
		_, err := r.Update(ctx, "p:thing", in("a"), []wire.Row{row})
		r.must(err)
	}
	ref := object.Ref{Package: "p", Type: "thing", ID: "a0"}
	page, err := r.History(ctx, ref, in("a"), api.Paging{Limit: 10})
	r.must(err)
	var told []string
	for _, rec := range page.Items {
		if rec.Subject != "user/ann" || rec.Name != "ann" || rec.Object != "p:thing/a0" {
			t.Errorf("%+v", rec)
		}
		told = append(told, string(wire.Raw(rec.Changes)))
	}
	cut := strings.Repeat("ä", 1000) + "…"
	want := []string{`{"before":{"name":"` + cut + `"}}`, `{"before":{"name":"other"},"after":{"name":"` + cut + `"}}`, `null`,
		`{"before":{"name":"n"},"after":{"name":"other"},"secret":["password"]}`}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", got, strings.Join(want, "\n"))
	}

	first, err := r.History(ctx, ref, in("a"), api.Paging{Limit: 1})
	r.must(err)
	second, err := r.History(ctx, ref, in("a"), api.Paging{Limit: 1, After: first.Next})
	r.must(err)
	if len(second.Items) != 1 || second.Items[0].ID != page.Items[1].ID {
		t.Errorf("%+v", second)
	}
	_, err = r.History(ctx, ref, in("b"), api.Paging{Limit: 1})
	refused(t, err, errs.Forbidden, "identity.forbidden")
	_, err = r.History(ctx, object.Ref{Package: "p", Type: "thing", ID: "b0"}, in("a"), api.Paging{Limit: 1})
	refused(t, err, errs.NotFound, "object.not_found")
}

// Who may read the audit log need not be one who may read every object.
func TestValuesStandInTheHistoryOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	r.owner.rows["part"] = nil
	r.must(r.Delete(ctx, "p:thing", in("a"), []string{"a1"}))
	read := func(f audit.Filter) *audit.Changes {
		f.Project, f.Limit = "a", 10
		page, err := r.trail.List(ctx, f)
		r.must(err)
		if len(page.Items) != 1 {
			t.Fatalf("%+v", page)
		}
		return page.Items[0].Changes
	}
	if c := read(audit.Filter{}); c != nil {
		t.Errorf("%+v", c)
	}
	if got := string(wire.Raw(read(audit.Filter{Values: true}))); got != `{"before":{"name":"n","project":"a"}}` {
		t.Errorf("what was deleted: %s", got)
	}
}

// Who could make an object of an id that was deleted would otherwise read what
// the old one held.
func TestTheHistoryBeginsWithTheCreation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	ref := object.Ref{Package: "p", Type: "thing", ID: "a1"}
	tick := func() { r.deps.Clock.(*clock.Fake).Advance(time.Second) }
	rename := func(name string) {
		tick()
		_, err := r.Update(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("a1"), "name": wire.Raw(name)}})
		r.must(err)
	}
	verbs := func() string {
		page, err := r.History(ctx, ref, in("a"), api.Paging{Limit: 10})
		r.must(err)
		var all []string
		for _, rec := range page.Items {
			all = append(all, strings.TrimPrefix(rec.Verb, "object."))
		}
		return strings.Join(all, " ")
	}
	r.owner.rows["part"] = nil
	rename("x") // it was made elsewhere
	if got := verbs(); got != "update" {
		t.Errorf("%q", got)
	}
	tick()
	r.must(r.Delete(ctx, "p:thing", in("a"), []string{"a1"}))
	tick()
	_, err := r.Create(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("a1"), "name": wire.Raw("new")}})
	r.must(err)
	rename("newer")
	if got := verbs(); got != "update create" {
		t.Errorf("%q", got)
	}
}
