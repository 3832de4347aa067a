package control_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

func busyRig(t *testing.T, b program.Busy) *rig {
	t.Helper()
	r := newRig(t)
	b.MaxWait, b.MaxLength = time.Hour, 10
	r.starter.busy = map[string]program.Busy{"release": b}
	return r
}

func (r *rig) end(run api.Key) {
	r.t.Helper()
	r.must(r.db.Do(r.t.Context(), func(tx *db.Tx) error { return r.Release(tx, int64(run)) }))
}

func (r *rig) ask(req control.Request) control.Verdict {
	r.t.Helper()
	v, err := r.Admit(as(r.t.Context(), "a"), req)
	r.must(err)
	return v
}

// What waits is answered with for whom, at which place and until when; a preview says
// the same and keeps nothing. It is woken by the release alone.
func TestAWaitIsToldAndEndsByAnEvent(t *testing.T) {
	t.Parallel()
	r := busyRig(t, program.Busy{Policy: program.Queue})
	holder := r.ask(request("p:thing/1"))
	look, err := r.Check(as(t.Context(), "a"), request("p:thing/1"))
	r.must(err)
	if look.Would != control.Waits || look.Wait == nil || look.Wait.Place != 1 ||
		len(look.Wait.For) != 1 || look.Wait.For[0].Run != holder.Run || r.count("awaited") != 0 {
		t.Errorf("%+v", look)
	}
	first, second := r.ask(request("p:thing/1", "p:thing/2")), r.ask(request("p:thing/2"))
	w := second.Ruling().(control.Wait)
	if first.Verdict != control.Waits || w.Place != 2 || len(w.For) != 1 ||
		w.For[0].Run != first.Run || !w.For[0].Waits || w.For[0].Subject != "of-a" || !w.Until.Equal(r.clock.Now().Add(time.Hour)) {
		t.Errorf("%+v", second)
	}
	last := first.Steps[len(first.Steps)-1]
	if last.Name != "locks" || last.OK || last.Next != control.NextWait ||
		last.Holder == nil || last.Holder.Run != holder.Run || last.Code != "control.locked" {
		t.Errorf("%+v", last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- r.RunLine(ctx) }()
	r.end(holder.Run)
	r.eventually(func() bool { return r.count("started") == 2 })
	r.end(first.Run)
	r.eventually(func() bool { return r.count("started") == 3 })
	cancel()
	if err := <-over; err != context.Canceled {
		t.Error(err)
	}
	var said []string
	for _, v := range r.verdicts() {
		if v.Run == second.Run {
			said = append(said, v.Verdict)
		}
	}
	if slices.Sort(said); !slices.Equal(said, []string{control.Admitted, control.Waits}) {
		t.Errorf("the verdicts are %v", said)
	}
	m, err := r.Mandate(t.Context(), int64(second.Run))
	if err != nil || m.Rights.Subject != "user/of-a" {
		t.Errorf("%+v, %v", m, err)
	}
}

// eventually waits for what another goroutine does.
func (r *rig) eventually(done func() bool) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !done(); {
		select {
		case <-tick.C:
		case <-end:
			r.t.Fatal("it does not come")
		}
	}
}

// What waits is judged again as if it came now.
func TestWhatWaitsIsJudgedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*rig)
		code   string // of the end; empty where it still waits
		after  func(*rig)
	}{
		{"no-right", func(r *rig) {
			r.deps.Still = func(context.Context, identity.Rights) (identity.Rights, error) {
				return identity.Rights{Subject: "user/of-a", Name: "of-a"}, nil
			}
		}, "identity.forbidden", nil},
		{"no-account", func(r *rig) {
			r.deps.Still = func(context.Context, identity.Rights) (identity.Rights, error) {
				return identity.Rights{}, errs.New(errs.Forbidden, "identity.gone", "gone")
			}
		}, "identity.gone", nil},
		{"no-object", func(r *rig) { r.gone.Store(true) }, "object.not_found", nil},
		{"stopped", func(r *rig) { r.stop(true) }, "", func(r *rig) { r.stop(false) }},
		{"no-place", func(r *rig) { r.starter.setFail(errs.New(errs.Exhausted, "engine.budget", "too many")) }, "", func(r *rig) {
			r.starter.setFail(nil)
			r.end(r.hold("a", "p:thing/3").Run)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := busyRig(t, program.Busy{Policy: program.Queue})
			holder := r.ask(request("p:thing/1"))
			v := r.ask(request("p:thing/1"))
			c.change(r)
			r.Door = control.New(r.deps)
			r.must(r.LoadLine(t.Context()))
			r.end(holder.Run)
			r.Settle(t.Context())
			ended := r.list("SELECT ended FROM awaited WHERE run = " + v.Run.String())
			if c.code != "" {
				if want := "failed " + c.code; !slices.Equal(ended, []string{want}) {
					t.Errorf("it ended as %q, want %q", ended, want)
				}
				if !slices.ContainsFunc(r.verdicts(), func(now control.Verdict) bool {
					return now.Run == v.Run && now.Verdict == control.Rejected && now.Code == c.code
				}) {
					t.Errorf("%+v", r.verdicts())
				}
				return
			}
			if !slices.Equal(ended, []string{""}) || r.count("started") != 1 {
				t.Fatalf("it ended as %q", ended)
			}
			c.after(r)
			r.Settle(t.Context())
			if !slices.Contains(r.list("SELECT run FROM started"), v.Run.String()) {
				t.Error("it was not started when that was over")
			}
		})
	}
}

// Nobody tells that the file which stops all starts is gone: who waits is looked at
// within seconds all the same.
func TestARemovedFileWakesWhoWaits(t *testing.T) {
	t.Parallel()
	r := busyRig(t, program.Busy{Policy: program.Queue})
	holder := r.ask(request("p:thing/1"))
	v := r.ask(request("p:thing/1"))
	r.must(os.WriteFile(r.StopFile, nil, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- r.RunLine(ctx) }()
	r.end(holder.Run)
	r.eventually(func() bool { return r.Stalled(int64(v.Run)) })
	r.must(os.Remove(r.StopFile))
	looks := 0
	r.eventually(func() bool {
		if looks++; looks%100 == 0 && looks <= 4000 { // four seconds: after five it is judged by itself
			r.clock.Advance(100 * time.Millisecond)
		}
		return r.count("started") == 2
	})
	cancel()
	<-over
}

// A request that is the same as one that waits or runs is merged with it.
func TestTheSameIsMerged(t *testing.T) {
	t.Parallel()
	r := busyRig(t, program.Busy{Policy: program.Merge})
	with := func(vars string, objects ...string) control.Request {
		req := request(objects...)
		r.must(json.Unmarshal([]byte(vars), &req.Variables))
		return req
	}
	running := r.ask(with(`{"a": {"x": 1, "y": 2.0}}`, "p:thing/1", "p:thing/2"))
	same := with(`{"a": {"y": 2.0,  "x": 1}}`, "p:thing/2", "p:thing/1")
	told := int64(0)
	same.With = func(_ *db.Tx, run int64) error { told = run; return nil }
	if v := r.ask(same); v.Verdict != control.WasMerged || v.Run != running.Run ||
		told != int64(running.Run) || v.Ruling() != (control.Merged{Run: running.Run}) {
		t.Errorf("%+v, %d", v, told)
	}
	look, err := r.Check(as(t.Context(), "a"), same)
	if err != nil || look.Would != control.WasMerged || look.Other != running.Run {
		t.Errorf("%+v, %v", look, err)
	}
	waits := r.ask(with(`{"a": 1}`, "p:thing/1", "p:thing/2"))
	if waits.Verdict != control.Waits {
		t.Errorf("another variable: %+v", waits)
	}
	if v := r.ask(with(`{"a": 1}`, "p:thing/1", "p:thing/2")); v.Verdict != control.WasMerged || v.Run != waits.Run {
		t.Errorf("with one that waits: %+v", v)
	}
	r.planner.plan.Secrets = []string{"a"}
	if v := r.ask(with(`{"a": 1}`, "p:thing/1", "p:thing/2")); v.Verdict != control.Waits {
		t.Errorf("with a secret: %+v", v)
	}
	r.planner.plan.Secrets = nil
	r.end(running.Run)
	r.Settle(t.Context())
	if v := r.ask(with(`{"a": 1}`, "p:thing/1", "p:thing/2")); v.Verdict != control.WasMerged || v.Run != waits.Run {
		t.Errorf("with one that has waited and runs: %+v", v)
	}
	if n := r.count("started"); n != 2 {
		t.Errorf("%d were started", n)
	}
}

// The newest takes the place of those that wait and of those that run, where who asks
// may end them; a server that is killed in between ends them after its start.
func TestTheNewestReplaces(t *testing.T) {
	t.Parallel()
	r := busyRig(t, program.Busy{Policy: program.Replace})
	running := r.ask(request("p:thing/1"))
	second := r.ask(request("p:thing/1"))
	third := r.ask(request("p:thing/1"))
	if got := r.list("SELECT ended FROM awaited WHERE run = " + second.Run.String()); !slices.Equal(got,
		[]string{"cancelled control.replaced"}) {
		t.Errorf("the second ended as %q", got)
	}
	if i := slices.IndexFunc(r.verdicts(), func(v control.Verdict) bool {
		return v.Run == second.Run && v.Ruling() == control.Replaced{Run: third.Run}
	}); i < 0 {
		t.Errorf("%+v", r.verdicts())
	}
	other := r.ask(request("p:thing/1", "p:thing/2")) // not on the same objects
	r.Door = control.New(r.deps)                      // before anything was ended
	r.must(r.LoadLine(t.Context()))
	r.Settle(t.Context())
	want := [2]int64{int64(running.Run), int64(third.Run)}
	r.starter.mu.Lock()
	replaced := slices.Clone(r.starter.replaced)
	r.starter.mu.Unlock()
	if !slices.Contains(replaced, want) {
		t.Errorf("ended were %v, want %v", replaced, want)
	}
	r.end(running.Run)
	r.Settle(t.Context())
	if got := r.list("SELECT run FROM started ORDER BY run"); !slices.Equal(got, []string{running.Run.String(), third.Run.String()}) {
		t.Errorf("started were %v; %s waits", got, other.Run)
	}
	r.starter.mayNot = true
	v := r.ask(request("p:thing/1"))
	r.Settle(t.Context())
	if v.Verdict != control.Waits || slices.Contains(r.starter.replaced, [2]int64{int64(third.Run), int64(v.Run)}) {
		t.Errorf("without the right: %+v, %v", v, r.starter.replaced)
	}
}

// Who may not operate the requests of others replaces none of them, by either policy: his
// own waits behind them, and says so before. His own he replaces.
func TestNobodyReplacesWhatOthersAskedFor(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]program.Busy{"replace": {Policy: program.Replace},
		"latest": {Policy: program.Queue, Order: program.Newest}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := busyRig(t, b)
			r.starter.mayNot = true
			ask := func(name string) control.Verdict {
				v, err := r.Admit(starting(t.Context(), name), request("p:thing/1"))
				r.must(err)
				return v
			}
			running, others := ask("ann"), ask("ann")
			look, err := r.Check(starting(t.Context(), "bob"), request("p:thing/1"))
			r.must(err)
			if last := look.Steps[len(look.Steps)-1]; look.Would != control.Waits || look.Wait.Place != 2 || len(look.Ends) > 0 ||
				last.Next != control.NextWait {
				t.Errorf("before: %+v", look)
			}
			first := ask("bob")
			if first.Verdict != control.Waits || first.Wait.Place != 2 {
				t.Errorf("%+v", first)
			}
			ended := func(v control.Verdict) []string {
				return r.list("SELECT ended FROM awaited WHERE run = " + v.Run.String())
			}
			if got := ended(others); !slices.Equal(got, []string{""}) {
				t.Errorf("that of another ended as %q", got)
			}
			if second := ask("bob"); second.Wait.Place != 2 || !slices.Equal(ended(first), []string{"cancelled control.replaced"}) {
				t.Errorf("his own: %+v, %q", second, ended(first))
			}
			r.Settle(t.Context())
			if len(r.starter.replaced) > 0 {
				t.Errorf("ended was %v, %d runs", r.starter.replaced, running.Run)
			}
			r.starter.mu.Lock()
			r.starter.mayNot = false
			r.starter.mu.Unlock()
			if v := ask("bob"); v.Wait.Place != 1 || !slices.Equal(ended(others), []string{"cancelled control.replaced"}) {
				t.Errorf("with the right: %+v, %q", v, ended(others))
			}
		})
	}
}

// starting is a user who may start runs in project a, and no more.
func starting(ctx context.Context, name string) context.Context {
	return identity.With(ctx, identity.Subject{ID: "user/" + name, Name: name, Kind: identity.User,
		Grants: []identity.Grant{{Permission: "run.start", Project: "a"}, {Permission: "object.read", Project: "a"}}})
}

func TestWhatMayNotWait(t *testing.T) {
	t.Parallel()
	r := busyRig(t, program.Busy{Policy: program.Queue, Order: program.Priority})
	r.ask(request("p:thing/1"))
	late := request("p:thing/1")
	late.Due = r.clock.Now()
	_, err := r.Admit(as(t.Context(), "a"), late)
	refused(t, err, errs.Conflict, "control.due")
	soon := request("p:thing/1")
	soon.Due = r.clock.Now().Add(time.Minute)
	if v := r.ask(soon); !v.Wait.Until.Equal(soon.Due) {
		t.Errorf("%+v", v)
	}
	for p, code := range map[int]string{-1: "control.priority", 101: "control.priority", 51: "control.priority_right"} {
		req := request("p:thing/1")
		req.Priority = &p
		who := identity.With(t.Context(), identity.Subject{ID: "user/x", Name: "x",
			Kind: identity.User, Grants: []identity.Grant{{Permission: "run.start", Project: "a"}, {Permission: "object.read", Project: "a"}}})
		if _, err := r.Admit(who, req); !errs.HasCode(err, code) {
			t.Errorf("priority %d: %v", p, err)
		}
	}
}

// Verdicts from before there were others than two are read as they were.
func TestOldVerdictsAreRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.db.Do(t.Context(), func(tx *db.Tx) error {
		for i, row := range [][]any{{"ADMIT", "", "", `[{"name":"global stop","ok":true}]`},
			{"REJECTED", "control.locked", "held", `[{"name":"locks","ok":false,"reason":"held"}]`}} {
			if _, err := tx.Exec("INSERT INTO control_verdict (id, run, project, "+
				"time, subject, process, verdict, code, reason, detail, mandate, places) VALUES (?, ?, 'a', 1, 's', 'p', ?, ?, ?, ?, '', '')",
				strings.Repeat("0", 25)+string(rune('1'+i)), i, row[0], row[1], row[2], row[3]); err != nil {
				return err
			}
		}
		return nil
	}))
	all := r.verdicts()
	if len(all) != 2 || all[1].Ruling() != (control.Admit{}) || said(all[1].Steps) != "global stop" {
		t.Fatalf("%+v", all)
	}
	if reject, ok := all[0].Ruling().(control.Reject); !ok || !errs.HasCode(reject.Err, "control.locked") || all[0].Steps[0].Reason != "held" {
		t.Errorf("%+v", all[0])
	}
}
