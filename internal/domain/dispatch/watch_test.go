package dispatch

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

// Whatever happens to the jobs of a run, who watches knows the same as who reads all of
// it, and is told of a job only where that has changed.
func TestWhoWatchesKnowsWhatThereIs(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context(), "dispatch", Migrations); err != nil {
		t.Fatal(err)
	}
	s := New(Deps{DB: d, Clock: clock.Real{}})
	run := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		run += 100
		watchRun(t, s, run)
	})
}

func watchRun(t *rapid.T, s *Service, run int64) {
	ctx := context.Background()
	w, stop := s.Watch(state.Key(run))
	defer stop()
	jobs := map[int64]*record.Job{}
	known, touched := map[string]JobState{}, map[string]bool{}
	do := func(fn func(tx *db.Tx) error) {
		if err := s.DB.Do(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	row := func(r *record.Job, i int, o wire.Outcome) *record.Row {
		return &record.Row{Pos: i, Object: fmt.Sprint("a:b/", i), Round: r.Round, Outcome: o, Outputs: wire.Row{"out": []byte(`"x"`)}}
	}
	pick := func() (*record.Job, bool) {
		id := run + int64(rapid.IntRange(1, 4).Draw(t, "job"))
		r := jobs[id]
		return r, r != nil
	}
	t.Repeat(map[string]func(*rapid.T){
		"round": func(t *rapid.T) {
			id := run + int64(rapid.IntRange(1, 4).Draw(t, "job"))
			r := &record.Job{ID: id, Run: run, Node: "n", Project: "p", Service: "a/b/c", Plugin: "a", State: record.Open}
			if was := jobs[id]; was != nil {
				r.Round = was.Round + 1
			}
			var rows []*record.Row
			for i := range rapid.IntRange(1, 5).Draw(t, "rows") {
				rows = append(rows, row(r, i, ""))
			}
			do(func(tx *db.Tx) error {
				chunks := []*record.Chunk{{Round: r.Round, Deadline: time.Now(), Body: []byte("{}")}}
				return s.Records.StoreRound(tx, r, chunks, rows, time.Now())
			})
			jobs[id], touched[itoa(id)] = r, true
			s.changed(state.Key(run), state.Key(id))
		},
		"answer": func(t *rapid.T) {
			r, ok := pick()
			if !ok {
				return
			}
			rows := []*record.Row{
				row(r, rapid.IntRange(0, 6).Draw(t, "row"), rapid.SampledFrom([]wire.Outcome{wire.OutcomeOK, wire.OutcomeFailed}).Draw(t, "outcome"))}
			stored := false
			do(func(tx *db.Tx) (err error) {
				stored, err = s.Records.StoreAnswer(tx, run, r.ID, &record.Chunk{Round: r.Round}, rows)
				return err
			})
			if stored {
				touched[itoa(r.ID)] = true
				s.changed(state.Key(run), state.Key(r.ID), rows...)
			}
		},
		"progress": func(t *rapid.T) {
			if r, ok := pick(); ok {
				s.progress.Set(state.Key(r.ID), wire.Progress{Row: "a:b/0", Percent: rapid.IntRange(0, 99).Draw(t, "percent")})
				touched[itoa(r.ID)] = true
				s.progressed(state.Key(run), state.Key(r.ID))
			}
		},
		"look": func(t *rapid.T) {
			moved, err := w.Moved(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range moved {
				if !touched[step.Job] {
					t.Errorf("job %s was told without a change", step.Job)
				}
				step.Rows = slices.Clone(step.Rows)
				known[step.Job] = step
			}
			clear(touched)
			all, err := s.Outcomes(ctx, state.Key(run))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]JobState{}
			for _, step := range all {
				want[step.Job] = step
			}
			if diff := cmp.Diff(want, known, cmpopts.IgnoreUnexported(JobState{}), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		},
	})
}
