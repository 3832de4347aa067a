package object_test

import (
	"fmt"
	"testing"

	"sextant/internal/domain/object"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// A count tells all that a query finds, over every page of its owner, by the
// values of an attribute, and of the project alone.
func TestCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 40 {
		state := "up"
		if i%4 == 0 {
			state = "down"
		}
		r.add("thing", fmt.Sprintf("counted-%02d", i), "a", "state", state)
	}
	r.owner.page = 7
	ctx := as(t.Context(), "a")
	got, err := r.Count(ctx, "p:thing", in("a"), wire.Query{}, "state")
	r.must(err)
	// Five things of the project have no state.
	if got.Total != 45 || got.More || got.By["up"] != 30 || got.By["down"] != 10 || got.By[""] != 5 || len(got.By) != 3 {
		t.Errorf("%+v", got)
	}
	down := wire.Query{AdditionalFilters: []wire.Filter{{Attr: "state", Op: wire.OpEq, Condition: wire.Raw("down")}}}
	got, err = r.Count(ctx, "p:thing", in("a"), down, "")
	r.must(err)
	if got.Total != 10 || got.By != nil {
		t.Errorf("%+v", got)
	}
	r.owner.asked = nil
	got, err = r.Count(ctx, "p:thing", in("a"), wire.Query{Limit: 10}, "")
	r.must(err)
	if n := len(r.owner.asked); got.Total != 10 || !got.More || n > 2 {
		t.Errorf("%+v with %d calls", got, n)
	}
	for by, code := range map[string]string{"nothing": "object.unknown_attribute", "name": "object.count_by", "password": "object.count_by", "state@observed": "object.count_by"} {
		_, err = r.Count(ctx, "p:thing", in("a"), wire.Query{}, by)
		refused(t, err, errs.Invalid, code)
	}
	_, err = r.Count(ctx, "p:thing", in("b"), wire.Query{}, "")
	refused(t, err, errs.Forbidden, "identity.forbidden")
	secret := wire.Query{AdditionalFilters: []wire.Filter{{Attr: "password", Op: wire.OpEq, Condition: wire.Raw("x")}}}
	_, err = r.Count(ctx, "p:thing", in("a"), secret, "")
	refused(t, err, errs.Invalid, "object.secret_filter")
	var _ object.Count = got
}
