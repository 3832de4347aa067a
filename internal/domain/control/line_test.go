package control_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/domain/control"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// policies are the processes of the model, by what they say of a busy object.
func policies() map[string]program.Busy {
	line := func(p program.Policy, o program.Order, wait time.Duration, length int) program.Busy {
		return program.Busy{Policy: p, Order: o, MaxWait: wait, MaxLength: length}
	}
	return map[string]program.Busy{
		"fifo": line(program.Queue, program.FIFO, 20*time.Minute, 4), "urgent": line(program.Queue, program.Priority, time.Hour, 5),
		"newest": line(program.Queue, program.Newest, 30*time.Minute, 3), "strict": line(program.Reject, program.FIFO, 0, 0),
	}
}

// one is a request of the model.
type one struct {
	run     api.Key
	process string
	objects []string
	place   int64
	until   time.Time
}

// lineModel is the line told plainly: who holds what, who waits, and how each ended.
type lineModel struct {
	now     time.Time
	last    int64 // the moment of the last request
	holds   map[string]api.Key
	waiting []*one // in any order
	started []api.Key
	ended   map[api.Key]string
}

func (m *lineModel) free(objects []string, place int64, not api.Key) bool {
	for _, o := range objects {
		if _, held := m.holds[o]; held {
			return false
		}
		if slices.ContainsFunc(m.waiting, func(w *one) bool { return w.run != not && w.place < place && slices.Contains(w.objects, o) }) {
			return false
		}
	}
	return true
}

func (m *lineModel) start(w *one) {
	m.started = append(m.started, w.run)
	for _, o := range w.objects {
		m.holds[o] = w.run
	}
}

func (m *lineModel) leave(run api.Key, how string) {
	m.waiting = slices.DeleteFunc(m.waiting, func(w *one) bool { return w.run == run })
	if how != "" {
		m.ended[run] = how
	}
}

func (m *lineModel) unique(place, step int64) int64 {
	for slices.ContainsFunc(m.waiting, func(w *one) bool { return w.place == place }) {
		place += step
	}
	return place
}

// ask is a request: what the door has to say to it.
func (m *lineModel) ask(w *one, b program.Busy) string {
	w.place = m.unique(w.place, 1)
	if m.free(w.objects, w.place, w.run) {
		m.start(w)
		return control.Admitted
	}
	if b.Policy == program.Reject {
		return control.Rejected
	}
	var older []api.Key
	if b.Order == program.Newest {
		for _, o := range m.waiting {
			if o.process == w.process && slices.Equal(o.objects, w.objects) {
				older = append(older, o.run)
			}
		}
	}
	n := 0
	for _, o := range m.waiting {
		if o.process == w.process && !slices.Contains(older, o.run) {
			n++
		}
	}
	if n >= b.MaxLength {
		return control.Rejected
	}
	for _, run := range older {
		m.leave(run, "cancelled control.replaced")
	}
	w.until = m.now.Add(b.MaxWait)
	m.waiting = append(m.waiting, w)
	return control.Waits
}

// settle gives those up that have waited too long and starts whoever's turn it is.
func (m *lineModel) settle() {
	for _, w := range slices.Clone(m.waiting) {
		if !w.until.After(m.now) {
			m.leave(w.run, "failed control.waited")
		}
	}
	slices.SortFunc(m.waiting, func(a, b *one) int { return cmp.Compare(a.place, b.place) })
	for again := true; again; {
		again = false
		for _, w := range m.waiting {
			if m.free(w.objects, w.place, w.run) {
				m.leave(w.run, "")
				m.start(w)
				again = true
				break
			}
		}
	}
}

// moveUp puts one before all that want something of the same.
func (m *lineModel) moveUp(w *one) {
	least := int64(0)
	for _, o := range m.waiting {
		if o != w && slices.ContainsFunc(o.objects, func(x string) bool { return slices.Contains(w.objects, x) }) &&
			(least == 0 || o.place < least) {
			least = o.place
		}
	}
	if least != 0 && least < w.place {
		w.place = m.unique(least-1, -1)
	}
}

// Whatever is asked, ended, cancelled and moved up, and whenever the server is started
// anew: nobody is lost, started twice or passed by.
func TestTheLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		r.starter.busy = policies()
		m := &lineModel{now: r.clock.Now(), holds: map[string]api.Key{}, ended: map[api.Key]string{}}
		ctx := as(t.Context(), "a")
		rt.Repeat(map[string]func(*rapid.T){
			"ask": func(rt *rapid.T) {
				n := rapid.IntRange(1, 7).Draw(rt, "objects")
				var objects []string
				for i, o := range []string{"p:thing/1", "p:thing/2", "p:thing/3"} {
					if n>>i&1 == 1 {
						objects = append(objects, o)
					}
				}
				req := request(objects...)
				req.Process = rapid.SampledFrom([]string{"fifo", "urgent", "newest", "strict"}).Draw(rt, "process")
				p := rapid.IntRange(0, 50).Draw(rt, "priority")
				req.Priority = &p
				v, err := r.Admit(ctx, req)
				if err != nil && !errs.Is(err, errs.Locked) && !errs.Is(err, errs.Exhausted) {
					rt.Fatal(err)
				}
				b := policies()[req.Process]
				if b.Order != program.Priority {
					p = 50
				}
				m.last = max(m.now.UnixMicro(), m.last+1)
				w := &one{run: v.Run, process: req.Process, objects: objects, place: m.last - int64(p)*60e6}
				if want := m.ask(w, b); v.Verdict != want {
					rt.Fatalf("%s on %v: %s (%s), want %s", req.Process, objects, v.Verdict, v.Reason, want)
				}
			},
			"end": func(rt *rapid.T) {
				if len(m.holds) == 0 {
					rt.Skip()
				}
				var runs []api.Key
				for _, run := range m.holds {
					runs = append(runs, run)
				}
				slices.Sort(runs)
				run := rapid.SampledFrom(slices.Compact(runs)).Draw(rt, "run")
				r.must(r.db.Do(ctx, func(tx *db.Tx) error { return r.Release(tx, int64(run)) }))
				for o, by := range m.holds {
					if by == run {
						delete(m.holds, o)
					}
				}
			},
			"cancel": func(rt *rapid.T) {
				w := m.drawn(rt)
				left, err := r.Leave(ctx, w.run, control.End{State: "cancelled", Code: "no more"}, func(*db.Tx) error { return nil })
				if err != nil || !left {
					rt.Fatalf("%v, %v", left, err)
				}
				m.leave(w.run, "cancelled no more")
			},
			"move-up": func(rt *rapid.T) {
				w := m.drawn(rt)
				r.must(r.MoveUp(ctx, w.run, func(*db.Tx) error { return nil }))
				m.moveUp(w)
			},
			"later": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 1200).Draw(rt, "seconds")) * time.Second
				r.clock.Advance(d)
				m.now = m.now.Add(d)
				r.must(r.RenewOnce(ctx))
			},
			"restart": func(*rapid.T) {
				// It takes its time: the moments of before are over.
				r.clock.Advance(time.Second)
				m.now = m.now.Add(time.Second)
				r.Door, m.last = control.New(r.deps), 0
				r.must(r.RenewOnce(ctx))
				r.must(r.LoadLine(ctx))
			},
			"": func(rt *rapid.T) {
				r.Settle(t.Context())
				m.settle()
				r.agrees(rt, m)
			},
		})
	})
}

// drawn is one of those that wait.
func (m *lineModel) drawn(rt *rapid.T) *one {
	if len(m.waiting) == 0 {
		rt.Skip()
	}
	return rapid.SampledFrom(m.waiting).Draw(rt, "waiting")
}

// agrees compares who was started, who waits in which order and how the others ended.
func (r *rig) agrees(rt *rapid.T, m *lineModel) {
	ctx := as(context.Background(), "a")
	page, err := r.Line(ctx, control.LineFilter{Project: "a", Paging: api.Paging{Limit: 100}})
	if err != nil {
		rt.Fatal(err)
	}
	var waits, want []string
	for _, w := range page.Items {
		waits = append(waits, fmt.Sprintf("%s at %d", w.Run, w.Place))
	}
	for _, w := range m.waiting {
		before := map[api.Key]bool{}
		for _, o := range m.waiting {
			if o.place < w.place && slices.ContainsFunc(o.objects, func(x string) bool { return slices.Contains(w.objects, x) }) {
				before[o.run] = true
			}
		}
		want = append(want, fmt.Sprintf("%s at %d", w.run, len(before)+1))
	}
	if !slices.Equal(waits, want) {
		rt.Fatalf("these wait: %v, want %v", waits, want)
	}
	started := r.list("SELECT run FROM started ORDER BY run")
	var began []string
	for _, run := range m.started {
		began = append(began, run.String())
	}
	sortKeys(began)
	if !slices.Equal(started, began) {
		rt.Fatalf("these were started: %v, want %v", started, began)
	}
	for run, how := range m.ended {
		if got := r.list("SELECT ended FROM awaited WHERE run = " + run.String()); !slices.Equal(got, []string{how}) {
			rt.Fatalf("run %s ended as %q, want %q", run, got, how)
		}
	}
	for o, run := range m.holds {
		if l, err := r.Holder(ctx, o); err != nil || l == nil || l.Run != run {
			rt.Fatalf("%s is held by %+v, want %s", o, l, run)
		}
	}
}

func sortKeys(all []string) {
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
}

func (r *rig) list(query string) (all []string) {
	rows, err := r.db.Query(context.Background(), query)
	r.must(err)
	defer rows.Close()
	for rows.Next() {
		var s string
		r.must(rows.Scan(&s))
		all = append(all, s)
	}
	r.must(rows.Err())
	return all
}
