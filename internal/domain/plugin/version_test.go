package plugin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// versions gives what switches versions of a rig.
func (r *rig) versions() *plugin.Versions {
	r.t.Helper()
	h := r.health()
	return &plugin.Versions{Registry: r.Registry, DB: r.db, Audit: audit.New(r.db, r.clock), Bus: h.Bus, Use: working{}}
}

type working struct{ plugin.Use }

func (working) AtWork(name string) []string { return []string{"1"} }

// told is what events there are of a rig.
func (r *rig) told() string {
	r.t.Helper()
	rows, err := r.db.Query(r.t.Context(), "SELECT type, subject FROM bus_event ORDER BY id")
	r.must(err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var kind, subject string
		r.must(rows.Scan(&kind, &subject))
		all = append(all, kind+" "+subject)
	}
	r.must(rows.Err())
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func states(t *testing.T, v *plugin.Versions, name string) string {
	t.Helper()
	all, err := v.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, one := range all {
		said = append(said, one.Version+" "+one.State)
	}
	return strings.Join(said, ", ")
}

// What is switched off is not offered, on this start of the server and on the next,
// until it is switched on.
func TestAVersionIsSwitchedOffAndOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, ctx := r.versions(), operator(t.Context())
	for _, version := range []string{"1.0.0", "1.1.0"} {
		r.must(r.Registry.Register(ctx, manifest("x", version)))
		r.clock.Advance(time.Second)
	}
	resolves := func(registry *plugin.Registry, want string) {
		t.Helper()
		got, err := registry.Resolve("plugin:x/script/run")
		if want == "" {
			refused(t, err, errs.Invalid, "plugin.disabled")
		} else if err != nil || got.Version != want {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
	}
	if got := states(t, v, "x"); got != "1.1.0 offered, 1.0.0 enabled" {
		t.Error(got)
	}
	r.must(v.Disable(ctx, "x", "1.1.0"))
	resolves(r.Registry, "1.0.0")
	r.must(v.Disable(ctx, "x", "1.0.0"))
	resolves(r.Registry, "")
	resolves(r.boot().Registry, "")
	r.must(r.Registry.Register(ctx, manifest("x", "1.1.0"))) // as a built-in one is at each start
	resolves(r.Registry, "")
	if got := states(t, v, "x"); got != "1.1.0 disabled, 1.0.0 disabled" {
		t.Error(got)
	}
	refused(t, v.Disable(ctx, "x", "1.1.0"), errs.Conflict, "plugin.version_state")
	refused(t, v.Enable(ctx, "x", "3.0.0"), errs.NotFound, "plugin.no_version")
	refused(t, v.Enable(ctx, "y", "1.0.0"), errs.NotFound, "plugin.not_found")
	refused(t, v.Enable(t.Context(), "x", "1.0.0"), errs.Unauthenticated, "identity.unauthenticated")
	r.must(v.Enable(ctx, "x", "1.0.0"))
	resolves(r.Registry, "1.0.0")
	resolves(r.boot().Registry, "1.0.0")
	r.must(v.Enable(ctx, "x", "1.1.0"))
	resolves(r.boot().Registry, "1.1.0")
	refused(t, v.Enable(ctx, "x", "1.1.0"), errs.Conflict, "plugin.version_state")
	const off, on = "sextant.plugin.disabled.v1 plugin/x", "sextant.plugin.enabled.v1 plugin/x"
	if got := r.told(); got != strings.Join([]string{off, off, on, on}, ", ") {
		t.Errorf("told %s", got)
	}
	all, err := v.List(ctx, "x")
	if err != nil || fmt.Sprint(all[0].AtWork, all[1].AtWork) != "[1] []" {
		t.Errorf("%+v, %v", all, err)
	}
}

// Who would miss a version is named before it is switched off, and what a version
// needs has to be there when it is switched on.
func TestWhatRequiresAVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, ctx := r.versions(), operator(t.Context())
	needy := manifest("needy", "1.0.0")
	needy.Requires = []wire.Requirement{{Plugin: "x", Version: ">=1.1"}}
	r.must(r.Registry.Register(ctx, manifest("x", "1.0.0")))
	r.must(r.Registry.Register(ctx, manifest("x", "1.1.0")))
	r.must(r.Registry.Register(ctx, needy))
	all, err := v.List(ctx, "x")
	r.must(err)
	if !slices.Equal(all[0].RequiredBy, []string{"needy >=1.1"}) {
		t.Errorf("%+v", all[0])
	}
	refused(t, v.Disable(ctx, "x", "1.1.0"), errs.Conflict, "plugin.required")
	r.must(v.Disable(ctx, "x", "1.0.0")) // nobody would miss it
	r.must(v.Disable(ctx, "needy", "1.0.0"))
	r.must(v.Disable(ctx, "x", "1.1.0"))
	refused(t, v.Enable(ctx, "needy", "1.0.0"), errs.Conflict, "plugin.requires")
	if all, err = v.List(ctx, "needy"); err != nil || all[0].Requires[0].Missing == "" {
		t.Errorf("%+v, %v", all, err)
	}
	r.must(v.Enable(ctx, "x", "1.1.0"))
	r.must(v.Enable(ctx, "needy", "1.0.0"))
}

// A plugin that is switched off is listed as such, ends the calls that it has, and is
// nobody whose health is asked for.
func TestAPluginThatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	r, _, _, _ := connected(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = w.Write([]byte("done"))
	})
	v, ctx := r.versions(), operator(t.Context())
	r.Registry.Health.Bus = bus.New(r.db, r.clock, r.Registry.Health.Log)
	answered := make(chan string, 1)
	go func() {
		got, err := r.call("")
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- string(got.Body)
	}()
	<-begun
	r.must(v.Disable(ctx, "x", "1.0.0"))
	close(goOn)
	if got := <-answered; got != "done" {
		t.Errorf("the call that was under way: %s", got)
	}
	if len(r.Registry.All()) != 0 {
		t.Error("it is offered still")
	}
	r.must(r.Remove(ctx, "x"))
	_, err := v.List(ctx, "x")
	refused(t, err, errs.NotFound, "plugin.not_found")
	_, err = r.Registry.Resolve("plugin:x/script/run")
	refused(t, err, errs.Invalid, "plugin.unknown")
}
