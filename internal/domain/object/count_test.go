package object_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sextant/internal/domain/identity"
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
	pages := slices.DeleteFunc(r.owner.asked, func(call string) bool { return !strings.Contains(call, "/query") })
	if got.Total != 10 || !got.More || len(pages) > 2 {
		t.Errorf("%+v with the calls %v", got, r.owner.asked)
	}
	for by, code := range map[string]string{
		"nothing": "object.unknown_attribute", "name": "object.count_by", "password": "object.count_by", "state@observed": "object.count_by"} {
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

// The states of all objects that a person may see, by type and environment, from
// owners that count and from those that do not.
func TestStatesOfAllObjects(t *testing.T) {
	t.Parallel()
	for name, counts := range map[string]bool{"an-owner-that-counts": true, "an-owner-of-rows-alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for i := range 1500 { // more than one page
				r.add("thing", fmt.Sprintf("state-%04d", i), "a", "state", []string{"up", "down", "up"}[i%3])
			}
			r.add("thing", "elsewhere", "b", "state", "down")
			r.owner.page = 1000
			var asked wire.Counting
			if counts {
				r.owner.answer = func(w http.ResponseWriter, q *http.Request) bool {
					if !strings.HasSuffix(q.URL.Path, "/count") {
						return false
					}
					_ = json.NewDecoder(q.Body).Decode(&asked)
					_ = json.NewEncoder(w).Encode(wire.Envelope[[]wire.Tally]{Status: wire.StatusOK,
						Data: []wire.Tally{{Values: []string{""}, Count: 5}, {Values: []string{"down"}, Count: 500}, {Values: []string{"up"}, Count: 1000}}})
					return true
				}
			}
			got, err := r.States(as(t.Context(), "a"), "a")
			r.must(err)
			want := `[{p:thing state  "" 5} {p:thing state  "down" 500} {p:thing state  "up" 1000}]`
			var told []string
			for _, s := range got.Items {
				told = append(told, fmt.Sprintf("{%s %s %s %q %d}", s.Type, s.Attribute, s.Environment, s.State, s.Count))
			}
			if said := fmt.Sprint(told); said != want || len(got.Missing) > 0 {
				t.Errorf("%s, missing %v; want %s", said, got.Missing, want)
			}
			if counts && (len(asked.AdditionalFilters) != 1 || asked.AdditionalFilters[0].Attr != "project" ||
				!slices.Equal(asked.By, []string{"state"})) {
				t.Errorf("the owner was asked for %+v", asked)
			}
			_, err = r.States(as(t.Context(), "a"), "b")
			refused(t, err, errs.Forbidden, "identity.forbidden")
		})
	}
}

// An owner whose answer is nonsense is not believed: it is asked for its rows.
func TestACountThatMakesNoSenseIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, answer := range []string{`{"status":"OK","data":[{"values":[],"count":9}]}`,
		`{"status":"OK","data":[{"values":["up","x"],"count":9}]}`, `{"status":"OK","data":[{"values":["up"],"count":-1}]}`, `nonsense`} {
		r.owner.answer = func(w http.ResponseWriter, q *http.Request) bool {
			if !strings.HasSuffix(q.URL.Path, "/count") {
				return false
			}
			_, _ = w.Write([]byte(answer))
			return true
		}
		got, err := r.Count(as(t.Context(), "a"), "p:thing", in("a"), wire.Query{}, "state")
		r.must(err)
		if got.Total != 5 || got.By[""] != 5 {
			t.Errorf("%s: %+v", answer, got)
		}
	}
}

// Who sees one environment counts that one, wherever it is counted; a run asks for
// the rows, to be told of what it may not see.
func TestCountsHaveTheRightsOfWhoAsks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var asked []wire.Counting
	r.owner.answer = func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/count") {
			return false
		}
		var c wire.Counting
		_ = json.NewDecoder(q.Body).Decode(&c)
		asked = append(asked, c)
		_ = json.NewEncoder(w).Encode(wire.Envelope[[]wire.Tally]{Status: wire.StatusOK, Data: []wire.Tally{{Values: []string{}, Count: 3}}})
		return true
	}
	grants := []identity.Grant{{Permission: "object.read", Project: "a", Environment: "dev"}}
	bob := identity.With(t.Context(), identity.Subject{ID: "user/bob", Name: "bob", Kind: identity.User, Grants: grants})
	got, err := r.Count(bob, "p:box", in("a"), wire.Query{}, "")
	r.must(err)
	if got.Total != 3 || len(asked) != 1 {
		t.Fatalf("%+v, asked %+v", got, asked)
	}
	told := map[string]string{}
	for _, f := range asked[0].AdditionalFilters {
		told[f.Attr] = f.Op + " " + string(f.Condition)
	}
	if told["project"] != `eq "a"` || told["stage"] != `in ["dev"]` || len(told) != 2 {
		t.Errorf("the owner counts what is %v", told)
	}
	run := identity.With(t.Context(), identity.Subject{ID: "run/1", Name: "bob", Kind: identity.Run, Grants: grants})
	if _, err := r.Count(run, "p:box", in("a"), wire.Query{}, ""); err != nil || len(asked) != 1 {
		t.Errorf("a run had %d counts made for it: %v", len(asked), err)
	}
}
