package record_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

// jobs is what is stored of the jobs of a run, and what should be.
type jobs struct {
	*rapid.T
	db    *db.DB
	run   int64
	calls *record.Calls
	all   map[int64]*job
}

type job struct {
	record.Job
	chunks map[[2]int]*record.Chunk // by round and number
	rows   map[string]*record.Row
}

// Whatever is stored of jobs, in whatever order it comes, is read as it was; what was
// sent and not answered is at work, and is lost where nobody can be asked.
func TestRecordsAgreeWithAModel(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context(), "dispatch", dispatch.Migrations); err != nil {
		t.Fatal(err)
	}
	run, calls := int64(0), record.NewCalls()
	rapid.Check(t, func(t *rapid.T) {
		run += 100
		j := &jobs{T: t, db: d, run: run, calls: calls, all: map[int64]*job{}}
		t.Repeat(map[string]func(*rapid.T){"round": j.round, "sent": j.sent,
			"answer": j.answer, "lose": j.lose, "give-up": j.giveUp, "forget": j.forget, "": j.check})
	})
}

func (j *jobs) do(fn func(tx *db.Tx) error) {
	j.Helper()
	if err := j.db.Do(context.Background(), fn); err != nil {
		j.Fatal(err)
	}
}

// pick is a job and one of its chunks; nil where there is none.
func (j *jobs) pick(t *rapid.T) (*job, *record.Chunk) {
	if len(j.all) == 0 {
		return nil, nil
	}
	keys := []int64{}
	for k := range j.all {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	m := j.all[rapid.SampledFrom(keys).Draw(t, "job")]
	return m, m.chunks[[2]int{m.Round, rapid.IntRange(0, 1).Draw(t, "chunk")}]
}

func (j *jobs) round(t *rapid.T) {
	id := j.run + int64(rapid.IntRange(1, 3).Draw(t, "job"))
	m := j.all[id]
	if m == nil {
		m = &job{Job: record.Job{ID: id, Run: j.run, Round: -1}, chunks: map[[2]int]*record.Chunk{}, rows: map[string]*record.Row{}}
	}
	r := m.Job
	r.Node, r.Project, r.Plugin, r.Service, r.Version, r.State = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "node"),
		"p", "host", "host/script/run", "1.0.0", record.Open
	r.Round, r.Tries, r.Given = r.Round+1, rapid.IntRange(0, 3).Draw(t, "tries"), rapid.SampledFrom([]string{"", `["ann"]`}).Draw(t, "given")
	var chunks []*record.Chunk
	var rows []*record.Row
	for n := range rapid.IntRange(1, 2).Draw(t, "chunks") {
		c := &record.Chunk{Round: r.Round, Number: n, Sent: rapid.Bool().Draw(t, "at once"),
			Deadline: time.UnixMicro(int64(rapid.IntRange(1, 1000).Draw(t, "deadline"))).UTC(), Digest: "d", Body: []byte(fmt.Sprint(r.Round, n))}
		for range rapid.IntRange(0, 2).Draw(t, "claims") {
			c.Claims = append(c.Claims,
				control.Claim{Object: rapid.SampledFrom([]string{"host:host/1", "host:host/1/disk", "lock"}).Draw(t, "claim"), Mode: control.Exclusive})
		}
		chunks = append(chunks, c)
		object := fmt.Sprint("host:host/", n)
		pos := len(m.rows)
		if was := m.rows[object]; was != nil {
			pos = was.Pos
		}
		rows = append(rows, &record.Row{Pos: pos, Object: object, Round: r.Round, Chunk: n, Outputs: wire.Row{}})
		m.rows[object] = rows[n]
	}
	j.do(func(tx *db.Tx) error { return j.calls.StoreRound(tx, &r, chunks, rows, time.UnixMicro(1)) })
	m.Job, m.Updated = r, time.UnixMicro(1).UTC()
	for _, c := range chunks {
		m.chunks[[2]int{c.Round, c.Number}] = c
	}
	j.all[id] = m
}

func (j *jobs) sent(t *rapid.T) {
	m, c := j.pick(t)
	if c == nil || c.Answered {
		return
	}
	c.Sent, c.Deadline = true, c.Deadline.Add(time.Second)
	j.do(func(tx *db.Tx) error { return j.calls.MarkSent(tx, j.run, m.ID, c) })
}

func (j *jobs) answer(t *rapid.T) {
	m, c := j.pick(t)
	if c == nil {
		return
	}
	row := *m.rows[fmt.Sprint("host:host/", c.Number)]
	row.Outcome, row.Code, row.Message, row.Retry = rapid.SampledFrom([]wire.Outcome{wire.OutcomeOK, wire.OutcomeFailed}).Draw(t, "outcome"),
		"c", "said", "transport"
	row.Outputs = wire.Row{"n": json.RawMessage("1.10"), "text": json.RawMessage(`"ü"`)}
	stored := false
	j.do(func(tx *db.Tx) (err error) {
		stored, err = j.calls.StoreAnswer(tx, j.run, m.ID, c, []*record.Row{&row})
		return err
	})
	if stored == c.Answered {
		t.Errorf("stored: %v, answered before: %v", stored, c.Answered)
	}
	if stored {
		c.Answered, m.rows[row.Object] = true, &row
	}
}

// lost is what the model says of calls that nobody can be asked about.
func (m *job) lost(message string) (under bool) {
	for _, c := range m.chunks {
		if !c.Sent || c.Answered {
			continue
		}
		for _, r := range m.rows {
			if r.Round == c.Round && r.Chunk == c.Number {
				r.Outcome, r.Code, r.Message, r.Retry = wire.OutcomeUnknown, record.NoAnswer, message, ""
			}
		}
	}
	for _, c := range m.chunks {
		c.Answered = c.Answered || c.Sent
	}
	for _, r := range m.rows {
		under = under || m.State == record.Open && r.Round == m.Round && r.Outcome == wire.OutcomeUnknown
	}
	return under
}

func (j *jobs) lose(t *rapid.T) {
	m, _ := j.pick(t)
	if m == nil {
		return
	}
	under := false
	j.do(func(tx *db.Tx) (err error) {
		under, err = record.Lose(context.Background(), tx, m.ID, "gone")
		return err
	})
	if want := m.lost("gone"); under != want {
		t.Errorf("a row under way is unknown: %v, want %v", under, want)
	}
}

func (j *jobs) giveUp(t *rapid.T) {
	m, _ := j.pick(t)
	if m == nil {
		return
	}
	j.do(func(tx *db.Tx) error {
		return record.GiveUp(context.Background(), tx, m.ID, "given up", time.UnixMicro(2))
	})
	m.lost("given up")
	for _, r := range m.rows {
		if r.Outcome == "" {
			r.Outcome, r.Code, r.Message = wire.OutcomeCancelled, "sextant.not_sent", record.NotSent
		}
	}
	m.State, m.Updated = record.Stopped, time.UnixMicro(2).UTC()
}

func (j *jobs) forget(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "forget") == 0 {
		j.do(func(tx *db.Tx) error { return record.Forget(tx, j.run) })
		clear(j.all)
	}
}

func (j *jobs) check(t *rapid.T) {
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var orphans, acted []string
	for id, m := range j.all {
		got, err := record.Find(ctx, j.db, id)
		must(err)
		if diff := cmp.Diff(&m.Job, got); diff != "" {
			t.Fatal(diff)
		}
		rows, err := record.Rows(ctx, j.db, id)
		must(err)
		slices.SortFunc(rows, func(a, b *record.Row) int { return a.Chunk - b.Chunk })
		want := []*record.Row{}
		for _, r := range m.rows {
			want = append(want, r)
			acted = append(acted, r.Object)
		}
		slices.SortFunc(want, func(a, b *record.Row) int { return a.Chunk - b.Chunk })
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Fatal(diff)
		}
		bare, err := record.Outcomes(ctx, j.db, id)
		must(err)
		if len(bare) != len(rows) || len(bare[0].Outputs) != 0 {
			t.Errorf("%d rows without outputs, the first has %v", len(bare), bare[0].Outputs)
		}
		for round := range m.Round + 1 {
			chunks, err := record.Chunks(ctx, j.db, id, round)
			must(err)
			for _, c := range chunks {
				if diff := cmp.Diff(m.chunks[[2]int{round, c.Number}], c, cmp.FilterPath(func(p cmp.Path) bool {
					return p.Last().String() == ".Claims"
				}, cmp.Comparer(func(a, b []control.Claim) bool { return slices.Equal(a, b) }))); diff != "" {
					t.Fatal(diff)
				}
			}
		}
		open := false
		for _, c := range m.chunks {
			open = open || m.State == record.Open && c.Sent && !c.Answered
			for _, claim := range c.Claims {
				if claim.Object != "lock" {
					acted = append(acted, claim.Object)
				}
			}
		}
		if open {
			orphans = append(orphans, fmt.Sprint(id))
		}
	}
	got, err := record.Orphans(ctx, j.db, j.run)
	must(err)
	var found []string
	for _, r := range got {
		found = append(found, fmt.Sprint(r.ID))
	}
	slices.Sort(found)
	if slices.Sort(orphans); !slices.Equal(found, orphans) {
		t.Errorf("without an answer are %v, want %v", found, orphans)
	}
	at := false
	j.do(func(tx *db.Tx) (err error) {
		at, err = j.calls.AtWork(ctx, tx, j.run)
		return err
	})
	if at != (len(orphans) > 0) {
		t.Errorf("at work: %v, want %v", at, orphans)
	}
	on, err := record.ActedOn(ctx, j.db, j.run, "")
	must(err)
	slices.Sort(on)
	slices.Sort(acted)
	if acted = slices.Compact(acted); !slices.Equal(on, acted) {
		t.Errorf("acted on %v, want %v", on, acted)
	}
	listed, err := record.JobsOf(ctx, j.db, j.run)
	must(err)
	if len(listed) != len(j.all) {
		t.Errorf("%d jobs are listed, want %d", len(listed), len(j.all))
	}
}
