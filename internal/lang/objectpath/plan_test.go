package objectpath_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sextant/internal/lang/objectpath"
)

type row = map[string]json.RawMessage

// store answers queries as the owner of some types would, and counts them.
type store struct {
	types map[string][]row
	calls []string
}

func (s *store) add(typ string, rows ...string) *store {
	for _, text := range rows {
		var r row
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			panic(err)
		}
		s.types[typ] = append(s.types[typ], r)
	}
	return s
}

func (s *store) query(h *objectpath.Hop, attr string, ids []string) []row {
	s.calls = append(s.calls, fmt.Sprintf("%s %s in %d ids, fields %s", h.Node.TypeRef(), attr, len(ids), strings.Join(h.Fields, " ")))
	var found []row
	for _, r := range s.types[h.Node.TypeRef()] {
		hit := slices.ContainsFunc(objectpath.IDs(r[attr]), func(id string) bool { return slices.Contains(ids, id) })
		for _, f := range h.Node.Filters {
			hit = hit && string(r[f.Attr]) == string(f.Condition())
		}
		if hit {
			found = append(found, r)
		}
	}
	return found
}

// evaluate walks a plan as an evaluator does.
func evaluate(t *testing.T, s *store, bound []string, srcs ...string) *objectpath.Values {
	t.Helper()
	var paths []*objectpath.Path
	for _, src := range srcs {
		p, err := objectpath.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	plan := objectpath.NewPlan(paths)
	rows := make([][]row, len(plan.Hops))
	for i, hop := range plan.Hops {
		attr, ids := objectpath.AttrID, bound
		if hop.Parent >= 0 {
			attr, ids = objectpath.Ask(hop, rows[hop.Parent])
		}
		if len(ids) > 0 {
			rows[i] = s.query(hop, attr, ids)
		}
	}
	values, err := objectpath.Collect(plan, rows)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func texts(raw []json.RawMessage) string {
	var all []string
	for _, r := range raw {
		all = append(all, string(r))
	}
	return strings.Join(all, " ")
}

func TestManyRowsAndPathsTakeOneCallPerHop(t *testing.T) {
	t.Parallel()
	s := &store{types: map[string][]row{}}
	var bound []string
	for i := range 50 {
		bound = append(bound, fmt.Sprintf("a%d", i))
		s.add("p:app", fmt.Sprintf(`{"id":"a%d","host":"h%d"}`, i, i%7))
	}
	for i := range 7 {
		s.add("p:host", fmt.Sprintf(`{"id":"h%d"}`, i))
		r := row{"id": json.RawMessage(fmt.Sprintf(`"n%d"`, i)), "host": json.RawMessage(fmt.Sprintf(`"h%d"`, i))}
		for k := range 10 {
			r[fmt.Sprintf("f%d", k)] = json.RawMessage(fmt.Sprintf("%d%d", i+1, k))
		}
		s.types["p:nic"] = append(s.types["p:nic"], r)
	}
	var srcs []string
	for k := range 10 {
		srcs = append(srcs, fmt.Sprintf("p:app.host>p:host~(host)p:nic.f%d", k))
	}
	values := evaluate(t, s, bound, srcs...)
	want := []string{
		"p:app id in 50 ids, fields host id",
		"p:host id in 7 ids, fields id",
		"p:nic host in 7 ids, fields f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 host id",
	}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Error(diff)
	}
	for i, id := range bound {
		for k := range srcs {
			if got, want := texts(values.At(id, k)), fmt.Sprintf("%d%d", i%7+1, k); got != want {
				t.Fatalf("%s, path %d: got %s, want %s", id, k, got, want)
			}
		}
	}
}

func TestCollectKeepsOrderAndRepetitions(t *testing.T) {
	t.Parallel()
	s := (&store{types: map[string][]row{}}).
		add("p:unit", `{"id":"u1","hosts":["h2","h1","h9"]}`, `{"id":"u2","hosts":"h1"}`, `{"id":"u3","hosts":null}`).
		add("p:host", `{"id":"h1","zone":"z1","n":1.50}`, `{"id":"h2","zone":{"id":"z1"}}`).
		add("p:zone", `{"id":"z1","name":"east","up":"yes"}`).
		add("p:app", `{"id":"x","unit":["u1","u2"],"s":"up"}`, `{"id":"y","unit":"u1","s":"down"}`)
	values := evaluate(t, s, []string{"u1", "u2", "u3"},
		"p:unit.hosts>p:host.zone>p:zone.name", "p:unit.hosts>p:host.n", "p:unit~(unit)p:app",
		"p:unit~(unit)p:app{s eq 'up'}.s", "p:unit.NONE", "p:unit.hosts")
	want := map[string][]string{
		"u1": {`"east" "east"`, `null 1.50`, `"x" "y"`, `"up"`, ``, `["h2","h1","h9"]`},
		"u2": {`"east"`, `1.50`, `"x"`, `"up"`, ``, `"h1"`},
		"u3": {``, ``, ``, ``, ``, `null`},
	}
	for id, paths := range want {
		for i, want := range paths {
			if got := texts(values.At(id, i)); got != want {
				t.Errorf("%s, path %d: got %s, want %s", id, i, got, want)
			}
		}
	}
	if diff := cmp.Diff([]string{"h2", "h1"}, values.Reached("u1", 1)); diff != "" {
		t.Error(diff)
	}
	if got := len(s.calls); got != 5 {
		t.Errorf("%d calls: %q", got, s.calls)
	}
	if values.At("nobody", 0) != nil || values.At("u1", 99) != nil || values.Reached("u1", -1) != nil {
		t.Error("values for what was not asked")
	}
}

func TestPathsThatDifferDoNotMerge(t *testing.T) {
	t.Parallel()
	var paths []*objectpath.Path
	for _, src := range []string{"a:b.c", "a:b{d eq 'x'}.c", "a:b.c>e:f", "a:b~(c)e:f", "a:b.c>e:f.g", "a:b.NONE"} {
		p, err := objectpath.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	plan := objectpath.NewPlan(paths)
	var got []string
	for _, h := range plan.Hops {
		got = append(got, fmt.Sprintf("%d<%d %s %v %v", h.Index, h.Parent, h.Node, h.Fields, h.Params))
	}
	want := []string{
		"0<-1 a:b [c id] [0]",
		"1<-1 a:b{d eq 'x'} [c id] [1]",
		"2<0 .c>e:f [g id] [2 4]",
		"3<0 ~(c)e:f [c id] [3]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCollectStopsExplosions(t *testing.T) {
	t.Parallel()
	var srcs strings.Builder
	srcs.WriteString("p:a")
	for range 10 {
		srcs.WriteString(".all>p:a")
	}
	p, err := objectpath.Parse(srcs.String())
	if err != nil {
		t.Fatal(err)
	}
	plan := objectpath.NewPlan([]*objectpath.Path{p})
	var ids []string
	for i := range 50 {
		ids = append(ids, fmt.Sprintf("r%d", i))
	}
	all, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, id := range ids {
		rows = append(rows, row{"id": json.RawMessage(`"` + id + `"`), "all": all})
	}
	answers := make([][]row, len(plan.Hops))
	for i := range answers {
		answers[i] = rows
	}
	if _, err := objectpath.Collect(plan, answers); !errors.Is(err, objectpath.ErrTooMuch) {
		t.Errorf("got %v", err)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		`"a"`: {"a"}, `""`: nil, `null`: nil, `true`: nil, `12`: {"12"}, `["a",1,null,["x"],{"id":"b"}]`: {"a", "1", "b"},
		`{"id":"a"}`: {"a"}, `{"id":{"id":1}}`: nil, `{"id":["a"]}`: nil, `{}`: nil, ``: nil,
	}
	for raw, want := range tests {
		if diff := cmp.Diff(want, objectpath.IDs(json.RawMessage(raw))); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}
