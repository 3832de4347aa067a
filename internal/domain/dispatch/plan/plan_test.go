package plan_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

var began = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

func service(input ...wire.Param) plugin.Service {
	return plugin.Service{Plugin: "host", Version: "1.0.0", Service: "script",
		Action: wire.Action{Action: "run", Target: "host:host", Input: input}}
}

// What reads holds nothing, what reads and writes down shares, all else holds alone;
// what a service declares goes before.
func TestClaimsOf(t *testing.T) {
	t.Parallel()
	rows := []object.Ref{{Package: "host", Type: "host", ID: "a"}, {Package: "host", Type: "host", ID: "b"}, {ID: "run"}}
	writes := []wire.Param{{Name: "state", To: ".state@observed"}}
	for name, c := range map[string]struct {
		action wire.Action
		want   string
	}{
		"changes":          {wire.Action{Risk: wire.RiskChange}, "host:host/a exclusive, host:host/b exclusive"},
		"says-nothing":     {wire.Action{}, "host:host/a exclusive, host:host/b exclusive"},
		"reads":            {wire.Action{Risk: wire.RiskRead, Output: []wire.Param{{Name: "size"}}}, ""},
		"reads-and-writes": {wire.Action{Risk: wire.RiskRead, Output: writes}, "host:host/a shared, host:host/b shared"},
		"declares-less":    {wire.Action{Locks: []wire.Lock{{Mode: "shared", On: wire.LockTarget}}}, "host:host/a shared, host:host/b shared"},
		"declares-another": {wire.Action{Locks: []wire.Lock{{Mode: "exclusive", On: "app:balancer/one"}}}, "app:balancer/one exclusive"},
		"declares-both": {wire.Action{Locks: []wire.Lock{{Mode: "shared", On: wire.LockTarget}, {Mode: "exclusive", On: "host:host/b"}}},
			"host:host/a shared, host:host/b exclusive"},
	} {
		var got []string
		for _, l := range plan.ClaimsOf(plugin.Service{Action: c.action}, rows) {
			got = append(got, fmt.Sprint(l.Object, " ", l.Mode))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
	}
}

func TestNamesAndSizes(t *testing.T) {
	t.Parallel()
	if n := plan.BatchOf(service()); n != 50 {
		t.Errorf("calls of %d rows where nothing is declared", n)
	}
	svc := service()
	if svc.Action.Batch = 7; plan.BatchOf(svc) != 7 {
		t.Errorf("calls of %d rows", plan.BatchOf(svc))
	}
	if got := plan.RefText(object.Ref{ID: "run"}) + " " + plan.RefText(object.Ref{Package: "a", Type: "b", ID: "c"}); got != "run a:b/c" {
		t.Error(got)
	}
}

// build makes the only row of a run that acts on no object.
func build(t *testing.T, s *plan.Service, sc *plan.Scope, svc plugin.Service, ext bpmn.Extensions, given string) (wire.Row, error) {
	t.Helper()
	all, err := source.Of(svc, ext)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Build(t.Context(), sc, &plan.Form{Sources: all, Svc: svc}, []object.Ref{{ID: "run"}}, json.RawMessage(given))
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	return rows[0], nil
}

func TestBuild(t *testing.T) {
	t.Parallel()
	s := plan.New(plan.Deps{Clock: clock.NewFake(began)})
	check := wire.Raw(plan.Result{Rows: []plan.RowResult{{Object: "host:host/a", Outputs: wire.Row{"size": wire.Raw(3)}}}})
	many := wire.Raw(plan.Result{Rows: []plan.RowResult{{Object: "host:host/a", Outputs: wire.Row{"size": wire.Raw(3)}},
		{Object: "host:host/b", Outputs: wire.Row{"size": wire.Raw(4)}}}})
	vars := map[string]json.RawMessage{"n": json.RawMessage("2"), "x": wire.Raw("given"), "check": check, "many": many, "odd": wire.Raw(1)}
	in := func(from, value string) bpmn.Extensions {
		return bpmn.Extensions{ServiceInputs: []bpmn.ServiceInput{{Name: "x", From: from, Value: value}}}
	}
	x := wire.Param{Name: "x", Type: wire.TypeString}
	for name, c := range map[string]struct {
		param wire.Param
		ext   bpmn.Extensions
		given string
		want  string
		code  string
	}{
		"a-variable":             {param: x, want: `"given"`},
		"a-constant":             {param: x, ext: in("constant", "c"), want: `"c"`},
		"a-constant-of-its-type": {param: wire.Param{Name: "x", Type: wire.TypeInt}, ext: in("constant", "7"), want: `7`},
		"an-expression":          {param: x, ext: in("feel", "=n + 1"), want: `3`},
		"an-earlier-step":        {param: x, ext: in("step", "check.size"), want: `3`},
		"all-rows-of-it": {param: wire.Param{Name: "x", Type: wire.TypeList}, ext: in("step", "many.size"),
			want: `[3,4]`},
		"several-rows-for-one-value": {param: x, ext: in("step", "many.size"), code: "dispatch.input_many"},
		"a-step-that-has-not-run":    {param: x, ext: in("step", "later.size"), code: "dispatch.step"},
		"a-step-that-calls-nothing":  {param: x, ext: in("step", "odd.size"), code: "dispatch.step"},
		"a-step-without-an-output":   {param: x, ext: in("step", "check"), code: "dispatch.step"},
		"what-a-person-gives":        {param: x, given: `{"x":"mine"}`, want: `"mine"`},
		"what-is-missing":            {param: wire.Param{Name: "x", Required: true}, ext: in("feel", "=absent"), code: "dispatch.input_missing"},
		"a-default":                  {param: wire.Param{Name: "y", Type: wire.TypeInt, Default: "5"}, want: `5`},
		"what-may-be-missing":        {param: wire.Param{Name: "y"}},
		"an-override-that-is-none":   {param: x, given: `[1]`, code: "dispatch.override"},
	} {
		row, err := build(t, s, &plan.Scope{Vars: vars}, service(c.param), c.ext, c.given)
		if c.code != "" {
			if err == nil || errs.As(err).Code != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
			continue
		}
		if err != nil || string(row[c.param.Name]) != c.want {
			t.Errorf("%s: %s, %v; want %s", name, row[c.param.Name], err, c.want)
		}
	}
}

// Whatever variables there are, a row has the inputs that its service knows and
// nothing else, each with the value of its variable.
func TestARowHasTheInputsOfItsService(t *testing.T) {
	t.Parallel()
	s := plan.New(plan.Deps{Clock: clock.NewFake(began)})
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		vars := rapid.MapOf(name, rapid.Map(rapid.IntRange(1, 99), func(n int) json.RawMessage { return wire.Raw(n) })).Draw(r, "variables")
		var params []wire.Param
		want := wire.Row{}
		for _, n := range rapid.SliceOfDistinct(name, func(s string) string { return s }).Draw(r, "inputs") {
			params = append(params, wire.Param{Name: n, Type: wire.TypeInt})
			if v, ok := vars[n]; ok {
				want[n] = v
			}
		}
		row, err := build(t, s, &plan.Scope{Vars: vars}, service(params...), bpmn.Extensions{}, "")
		if d := cmp.Diff(want, row); err != nil || d != "" {
			r.Fatalf("%v\n%s", err, d)
		}
	})
}

// Outputs that lie in the record of a job are read from there, of the same run alone.
func TestOutputsFromTheRecord(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context(), dispatch.Domain, dispatch.Migrations); err != nil {
		t.Fatal(err)
	}
	err = d.Do(t.Context(), func(tx *db.Tx) error {
		return record.NewCalls().StoreRound(tx, &record.Job{ID: 7, Run: 3}, nil,
			[]*record.Row{{Object: "host:host/a", Outputs: wire.Row{"size": wire.Raw(3)}}}, began)
	})
	if err != nil {
		t.Fatal(err)
	}
	s := plan.New(plan.Deps{DB: d, Clock: clock.NewFake(began)})
	ext := bpmn.Extensions{ServiceInputs: []bpmn.ServiceInput{{Name: "x", From: "step", Value: "check.size"}}}
	for name, c := range map[string]struct {
		record string
		run    int64
		want   string
	}{"its-own-run": {"7", 3, "3"}, "another-run": {"7", 4, ""}, "no-such-job": {"8", 3, ""}, "no-number": {"x", 3, ""}} {
		left := wire.Raw(plan.Result{Rows: []plan.RowResult{{Object: "host:host/a"}}, OK: 1, Record: c.record})
		sc := &plan.Scope{Run: state.Key(c.run), Vars: map[string]json.RawMessage{"check": left}, Mandate: control.Mandate{Project: "p"}}
		row, err := build(t, s, sc, service(wire.Param{Name: "x", Type: wire.TypeInt}), ext, "")
		if c.want == "" && (err == nil || errs.As(err).Code != "dispatch.step") || c.want != "" && (err != nil || string(row["x"]) != c.want) {
			t.Errorf("%s: %s, %v; want %q", name, row["x"], err, c.want)
		}
	}
}
