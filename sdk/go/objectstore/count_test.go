package objectstore_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/wire"
)

func machine() wire.ObjectType {
	return wire.ObjectType{Type: "machine", Paging: true, Scope: &wire.ObjectScope{Project: "project", Environment: "env"},
		Attributes: []wire.Attribute{
			{Name: "id", Type: wire.TypeString}, {Name: "name", Type: wire.TypeString},
			{Name: "project", Type: wire.TypeString}, {Name: "env", Type: wire.TypeString},
			{Name: "state", Type: wire.TypeEnum, Values: []string{"up", "down"}, Observed: true},
			{Name: "tags", Type: wire.TypeMultiRef, To: "other:tag"}, {Name: "port", Type: wire.TypeInt},
			{Name: "pin", Type: wire.TypeString, Secret: true},
		}}
}

// What is counted is what a query finds, whether the index tells it or the rows.
func TestCountsAreWhatAQueryFinds(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.reopen(objectstore.Fixed([]wire.ObjectType{machine()}))
	var rows []wire.Row
	for i := range 1203 {
		project, env, seen := "a", "prod", `"up"`
		if i%3 == 0 {
			project = "b"
		}
		if i%5 == 0 {
			env = "dev"
		}
		switch i % 7 {
		case 0:
			seen = "null"
		case 1:
			seen = `"down"`
		}
		rows = append(rows, row(fmt.Sprintf(`{"id":"m-%04d","name":"m `+
			`%d","project":%q,"env":%q,"state":"up","state@observed":%s,"tags":["x","y%d"],"port":%d}`, i, i, project, env, seen, i%2, i%4)))
	}
	if _, err := r.Create(r.Context(), "machine", rows, by); err != nil {
		r.Fatal(err)
	}
	eq := func(attr, want string) wire.Filter {
		return wire.Filter{Attr: attr, Op: wire.OpEq, Condition: wire.Raw(want)}
	}
	in := func(attr string, wants ...string) wire.Filter {
		return wire.Filter{Attr: attr, Op: wire.OpIn, Condition: wire.Raw(wants)}
	}
	cases := map[string][]wire.Filter{
		"all":                    nil,
		"of-a-project":           {eq("project", "a")},
		"in-some-environments":   {eq("project", "a"), in("env", "prod", "dev")},
		"in-no-environment":      {eq("project", "a"), {Attr: "env", Op: wire.OpIn, Condition: wire.Raw([]string{})}},
		"with-a-number":          {eq("port", "2.0")},
		"with-a-reference":       {in("tags", "x", "y1")},
		"by-a-part-of-a-name":    {{Attr: "name", Op: wire.OpLike, Condition: wire.Raw("M 11")}},
		"that-are-not-something": {eq("project", "b"), {Attr: "state@observed", Op: wire.OpNeq, Condition: wire.Raw("up")}},
		"by-id":                  {in("id", "m-0001", "m-0002", "nothing")},
	}
	for name, filters := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := map[string]int{}
			found, _, err := r.Query(t.Context(), "machine", wire.Query{AdditionalFilters: filters, Limit: 10_000})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				want[plain(f["state@observed"])+" in "+plain(f["env"])]++
			}
			tallies, err := r.Count(t.Context(), "machine", wire.Counting{AdditionalFilters: filters, By: []string{"state@observed", "env"}})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, c := range tallies {
				got[c.Values[0]+" in "+c.Values[1]] = c.Count
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("counted %v, found %v", got, want)
			}
			one, err := r.Count(t.Context(), "machine", wire.Counting{AdditionalFilters: filters})
			if total := sum(one); err != nil || total != len(found) {
				t.Errorf("%d of %d in all: %v", total, len(found), err)
			}
		})
	}
	for _, name := range []string{"pin", "port", "tags", "nothing", "id"} {
		if _, err := r.Count(r.Context(), "machine", wire.Counting{By: []string{name}}); err == nil {
			r.Errorf("rows are counted by %s", name)
		}
	}
}

func plain(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

func sum(all []wire.Tally) (n int) {
	for _, t := range all {
		n += t.Count
	}
	return n
}
