package decision_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/decision"
	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/blob"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

type rig struct {
	*testing.T
	*decision.Service
	db *db.DB
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(dir, "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{T: t, db: d}
	r.must(d.Migrate(t.Context(), bus.Domain, bus.Migrations))
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), decision.Domain, decision.Migrations))
	blobs, err := blob.NewDir(filepath.Join(dir, "blobs"))
	r.must(err)
	c, log := clock.NewFake(time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)), slog.New(slog.DiscardHandler)
	r.Service = decision.New(decision.Deps{DB: d, Clock: c, Log: log, Audit: audit.New(d, c), Bus: bus.New(d, c, log), Blobs: blobs})
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// as is ctx of somebody who may do all with the decisions of a project.
func as(ctx context.Context, project string) context.Context {
	return identity.With(ctx, identity.Subject{ID: "user/ann", Name: "ann", Kind: identity.User,
		Grants: []identity.Grant{{Permission: "decision.*", Project: project}}})
}

// model has decisions whose texts are FEEL.
func model(decisions map[string]string) []byte {
	var b strings.Builder
	b.WriteString(`<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" id="m" name="Rules" namespace="urn:rules">` +
		`<inputData id="in" name="n"><variable name="n" typeRef="number"/></inputData>`)
	for _, id := range slices.Sorted(func(yield func(string) bool) {
		for id := range decisions {
			if !yield(id) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, `<decision id="%s" name="%s"><variable name="%s"/><informationRequirement><requiredInput href="#in"/>`+
			`</informationRequirement><literalExpression><text>%s</text></literalExpression></decision>`, id, id, id, decisions[id])
	}
	b.WriteString(`</definitions>`)
	return []byte(b.String())
}

// A version is of a file: the same one again is none, another one is the next, and an
// old one after that is new again.
func TestVersions(t *testing.T) {
	r := newRig(t)
	ctx := as(t.Context(), "a")
	first, second := model(map[string]string{"x": "n + 1", "y": "n"}), model(map[string]string{"x": "n + 2"})
	for i, c := range []struct {
		xml     []byte
		want    string
		changed bool
	}{
		{first, "x1 y1", true}, {first, "x1 y1", false}, {second, "x2", true}, {first, "x3 y1", true}, {second, "x4", true},
	} {
		out, err := r.Deploy(ctx, "a", c.xml)
		r.must(err)
		var got []string
		for _, v := range out.Decisions {
			got = append(got, fmt.Sprint(v.Decision, v.Version))
		}
		if s := strings.Join(got, " "); s != c.want || out.Changed != c.changed {
			t.Errorf("deployment %d made %s, changed %v; want %s, %v", i+1, s, out.Changed, c.want, c.changed)
		}
	}
	for version, want := range map[int]string{0: "12", 1: "11", 2: "12", 3: "11"} {
		a, err := r.Evaluate(ctx, "a", "x", version, map[string]json.RawMessage{"n": json.RawMessage("10")})
		if r.must(err); string(a.Value) != want {
			t.Errorf("version %d says %s, want %s", version, a.Value, want)
		}
	}
	if has, err := r.Has(ctx, "b", "x"); err != nil || has {
		t.Errorf("another project has it: %v, %v", has, err)
	}
}

func TestDeployRefuses(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct{ xml, code, field string }{
		"no-xml":           {"hello", "decision.xml", ""},
		"another-language": {`<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>`, "decision.xml", ""},
		"no-decision":      {string(model(nil)), "decision.invalid", "decision.none"},
		"a-mistake":        {string(model(map[string]string{"x": "n +"})), "decision.invalid", ""},
		"an-id-that-is-no-segment": {strings.Replace(string(model(map[string]string{"x": "n"})),
			`decision id="x"`, `decision id="a/b"`, 1), "decision.invalid", "decision.id"},
		"an-id-too-long": {strings.Replace(string(model(map[string]string{"x": "n"})),
			`decision id="x"`, `decision id="`+strings.Repeat("x", 191)+`"`, 1), "decision.invalid", "decision.id"},
		"an-import": {strings.Replace(string(model(map[string]string{"x": "n"})), "<inputData",
			`<import name="o" namespace="urn:o" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/><inputData`, 1), "decision.import", ""},
	} {
		_, err := r.Deploy(as(t.Context(), "a"), "a", []byte(c.xml))
		e := errs.As(err)
		if err == nil || e.Code != c.code ||
			c.field != "" && !slices.ContainsFunc(e.Fields, func(f errs.Field) bool { return f.Code == c.field }) {
			t.Errorf("%s: %v, want %s with %q", name, err, c.code, c.field)
		}
	}
	if _, err := r.Deploy(as(t.Context(), "b"), "a", model(map[string]string{"x": "n"})); !errs.Is(err, errs.Forbidden) {
		t.Errorf("somebody of another project: %v", err)
	}
	if has, err := r.Has(t.Context(), "a", "x"); err != nil || has {
		t.Errorf("something of what was refused is kept: %v, %v", has, err)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	r := newRig(t)
	ctx := as(t.Context(), "a")
	_, err := r.Deploy(ctx, "a", model(map[string]string{"x": "n", "leaks": `{"a": [{"$secret": "connection/lab#pw"}]}`,
		"leaksInText": `"{\"$secret\":\"connection/lab#pw\"}"`, "long": "for i in 1..100000000 return i"}))
	r.must(err)
	for name, c := range map[string]struct {
		decision string
		version  int
		n        string
		code     string
	}{
		"unknown": {"z", 0, "1", "decision.not_found"}, "unknown-version": {"x", 9, "1", "decision.version_not_found"},
		"no-json": {"x", 0, "one", "decision.variable"}, "a-reference-to-a-secret": {"leaks", 0, "1", "decision.reference"},
		"in-a-text": {"leaksInText", 0, "1", "decision.reference"}, "endless": {"long", 0, "1", "decision.limit"},
	} {
		a, err := r.Evaluate(ctx, "a", c.decision, c.version, map[string]json.RawMessage{"n": json.RawMessage(c.n)})
		if errs.As(err) == nil || errs.As(err).Code != c.code {
			t.Errorf("%s: %s, %v; want %s", name, a.Value, err, c.code)
		}
	}
	if _, err := r.Evaluate(as(t.Context(), "b"), "a", "x", 0, nil); !errs.Is(err, errs.Forbidden) {
		t.Errorf("somebody of another project: %v", err)
	}
}

// host is a run with variables that takes the answer to its decision.
type host struct {
	db  *db.DB
	run *state.Run
	got chan engine.Event
}

func (h *host) Read(_ context.Context, _ state.Key, fn func(*state.Run, *program.Program)) error {
	fn(h.run, nil)
	return nil
}

func (h *host) Apply(ctx context.Context, _ state.Key, ev engine.Event, with func(*db.Tx) error) error {
	if with != nil {
		if err := h.db.Do(ctx, with); err != nil {
			return err
		}
	}
	h.got <- ev
	return nil
}

func job(decides string) durable.Job {
	return durable.Job{Key: 11, Run: 3, Type: engine.DecisionJob + decides,
		Node: &program.Node{ID: "rule", Decision: &program.Decision{Result: "answer"}}}
}

// A decision of a run is evaluated with the rights of its project alone; the run gets
// the value, or an incident that says why there is none.
func TestOffer(t *testing.T) {
	r := newRig(t)
	_, err := r.Deploy(as(t.Context(), "a"), "a", model(map[string]string{"x": "2 * 21"}))
	r.must(err)
	for name, c := range map[string]struct{ project, decides, value, says string }{
		"decided":            {"a", "x", "42", ""},
		"of-another-project": {"b", "x", "", `no decision "x" in project "b"`},
		"not-there":          {"a", "z", "", "deploy the DMN file"},
	} {
		h := &host{db: r.db, run: &state.Run{Mandate: wire.Raw(map[string]string{"project": c.project})}, got: make(chan engine.Event, 1)}
		r.Attach(h)
		r.Offer(job(c.decides))
		r.Wait()
		switch ev := (<-h.got).(type) {
		case engine.JobCompleted:
			if got := string(ev.Variables["answer"]); ev.Job != 11 || got != c.value {
				t.Errorf("%s: %+v", name, ev)
			}
		case engine.JobFailed:
			if ev.Kind != engine.IncidentDecision || c.says == "" || !strings.Contains(ev.Message, c.says) {
				t.Errorf("%s: %+v", name, ev)
			}
		default:
			t.Errorf("%s: %+v", name, ev)
		}
	}
	if !decision.Accepts(engine.DecisionJob+"x") || decision.Accepts("plugin:host/script/run") {
		t.Error("jobs of others are taken, or its own are not")
	}
}
