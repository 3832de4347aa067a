package record_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

var now = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

type store struct {
	*testing.T
	*db.DB
}

func open(t *testing.T) store {
	t.Helper()
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context(), dispatch.Domain, dispatch.Migrations); err != nil {
		t.Fatal(err)
	}
	return store{t, d}
}

func (s store) do(fn func(tx *db.Tx) error) {
	s.Helper()
	if err := s.Do(s.Context(), fn); err != nil {
		s.Fatal(err)
	}
}

func got[T any](t store) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func job(id, run int64) *record.Job {
	return &record.Job{ID: id, Run: run, Node: "work", Project: "p", Plugin: "host", Service: "host/script/run", Version: "1.0.0",
		Round: 1, Tries: 2, State: record.Open, Given: "x"}
}

// round stores a job with a round of chunks of one row each; the first sent of them
// are sent.
func (s store) round(j *record.Job, chunks, sent int) (calls []*record.Chunk, rows []*record.Row) {
	s.Helper()
	for i := range chunks {
		object := fmt.Sprintf("host:host/h%d", i)
		calls = append(calls, &record.Chunk{Round: j.Round, Number: i, Deadline: now.Add(time.Minute), Digest: "d", Body: []byte{0, 1, 255},
			Claims: []control.Claim{{Object: object, Mode: "exclusive"}}})
		rows = append(rows, &record.Row{Pos: i, Object: object, Round: j.Round, Chunk: i})
	}
	s.do(func(tx *db.Tx) error { return record.StoreRound(tx, j, calls, rows, now) })
	s.do(func(tx *db.Tx) error {
		for _, c := range calls[:sent] {
			if err := record.MarkSent(tx, j.ID, c); err != nil {
				return err
			}
			c.Sent = true
		}
		return nil
	})
	return calls, rows
}

// A round is read as it was stored: the bytes of its calls to the last one.
func TestARoundIsReadAsItWasStored(t *testing.T) {
	s := open(t)
	j := job(7, 3)
	calls, rows := s.round(j, 3, 1)
	want := *j
	want.Updated = now
	if d := cmp.Diff(&want, got[*record.Job](s)(record.Find(s.Context(), s, 7))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(calls, got[[]*record.Chunk](s)(record.Chunks(s.Context(), s, 7, 1)),
		cmpopts.IgnoreFields(record.Chunk{}, "Free")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(rows, got[[]*record.Row](s)(record.Rows(s.Context(), s, 7)), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	if other := got[*record.Job](s)(record.Find(s.Context(), s, 8)); other != nil {
		t.Errorf("a job that is not there: %+v", other)
	}
	if none := got[[]*record.Chunk](s)(record.Chunks(s.Context(), s, 7, 2)); len(none) != 0 {
		t.Errorf("a round that is not there: %v", none)
	}
}

// An answer counts once: whoever brings it again, or another one, changes nothing.
func TestAnAnswerCountsOnce(t *testing.T) {
	s := open(t)
	calls, rows := s.round(job(7, 3), 2, 2)
	outputs := wire.Row{"size": wire.Raw(3)}
	for n, outcome := range []wire.Outcome{wire.OutcomeOK, wire.OutcomeFailed} {
		var first bool
		s.do(func(tx *db.Tx) (err error) {
			rows[0].Outcome, rows[0].Outputs = outcome, outputs
			first, err = record.StoreAnswer(tx, 7, calls[0], rows[:1])
			return err
		})
		if first != (n == 0) {
			t.Errorf("answer %d is the first: %v", n+1, first)
		}
	}
	one := got[*record.Row](s)(record.FindRow(s.Context(), s, 7, "host:host/h0"))
	if one == nil || one.Outcome != wire.OutcomeOK || !one.Done() || cmp.Diff(outputs, one.Outputs) != "" {
		t.Errorf("the row is %+v", one)
	}
	for _, r := range got[[]*record.Row](s)(record.Outcomes(s.Context(), s, 7)) {
		if len(r.Outputs) != 0 {
			t.Errorf("%s comes with its outputs %v", r.Object, r.Outputs)
		}
	}
	if none := got[*record.Row](s)(record.FindRow(s.Context(), s, 7, "host:host/h9")); none != nil {
		t.Errorf("a row of nobody: %+v", none)
	}
}

// What was sent and has no answer is unknown, never undone; what was not sent was
// not begun; what was answered stays.
func TestGiveUp(t *testing.T) {
	s := open(t)
	calls, rows := s.round(job(7, 3), 3, 2)
	s.do(func(tx *db.Tx) error {
		rows[0].Outcome = wire.OutcomeOK
		_, err := record.StoreAnswer(tx, 7, calls[0], rows[:1])
		return err
	})
	atWork := func() bool { return got[bool](s)(record.AtWork(s.Context(), s, 3)) }
	orphans := func(run int64) int { return len(got[[]record.Job](s)(record.Orphans(s.Context(), s, run))) }
	if !atWork() || orphans(3) != 1 || orphans(0) != 1 || orphans(4) != 0 {
		t.Errorf("at work %v, %d orphans of the run, %d of all, %d of another", atWork(), orphans(3), orphans(0), orphans(4))
	}
	s.do(func(tx *db.Tx) error {
		return record.GiveUp(s.Context(), tx, 7, record.Lost("it is gone"), now.Add(time.Hour))
	})
	var said []string
	for _, r := range got[[]*record.Row](s)(record.Rows(s.Context(), s, 7)) {
		said = append(said, fmt.Sprint(r.Object, " ", r.Outcome, " ", r.Code))
	}
	if want := []string{"host:host/h0 ok ", "host:host/h1 unknown sextant.no_answer",
		"host:host/h2 cancelled sextant.not_sent"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
	j := got[*record.Job](s)(record.Find(s.Context(), s, 7))
	if atWork() || orphans(0) != 0 || j.State != record.Stopped || !j.Updated.Equal(now.Add(time.Hour)) {
		t.Errorf("at work %v, %d orphans, job %+v", atWork(), orphans(0), j)
	}
}

// Lose tells of the round under way alone: what is unknown of an earlier one was
// told then.
func TestLoseTellsOfTheRoundUnderWay(t *testing.T) {
	s := open(t)
	lose := func(id int64) (lost bool) {
		s.do(func(tx *db.Tx) (err error) { lost, err = record.Lose(s.Context(), tx, id, "m"); return err })
		return lost
	}
	s.round(job(7, 3), 1, 0)
	if lose(7) {
		t.Error("what was never sent is lost")
	}
	s.round(job(8, 3), 1, 1)
	if !lose(8) {
		t.Error("what was sent is not lost")
	}
	second := job(8, 3)
	second.Round = 2
	s.do(func(tx *db.Tx) error {
		return record.StoreRound(tx, second, []*record.Chunk{{Round: 2, Body: []byte{1}}},
			[]*record.Row{{Pos: 1, Object: "host:host/other", Round: 2}}, now)
	})
	if lose(8) {
		t.Error("a row of an earlier round is told again")
	}
}

// ActedOn names what rows are and what calls hold, each once, and no row that is no object.
func TestActedOn(t *testing.T) {
	s := open(t)
	s.do(func(tx *db.Tx) error {
		held := []control.Claim{{Object: "host:host/a", Mode: "exclusive"}, {Object: "host:host/behind", Mode: "shared"}}
		other := job(8, 3)
		other.Node = "later"
		if err := record.StoreRound(tx, other, nil, []*record.Row{{Object: "host:host/c", Round: 1}}, now); err != nil {
			return err
		}
		return record.StoreRound(tx, job(7, 3), []*record.Chunk{{Round: 1, Body: []byte{1}, Claims: held}},
			[]*record.Row{{Object: "host:host/a", Round: 1}, {Object: "run", Pos: 1, Round: 1}}, now)
	})
	for node, want := range map[string][]string{
		"work": {"host:host/a", "host:host/behind"}, "later": {"host:host/c"}, "nowhere": nil,
		"": {"host:host/a", "host:host/behind", "host:host/c"},
	} {
		all := got[[]string](s)(record.ActedOn(s.Context(), s, 3, node))
		if slices.Sort(all); !slices.Equal(all, want) {
			t.Errorf("%q acts on %q, want %q", node, all, want)
		}
	}
}

// Of a run that is forgotten nothing is left, and of others all.
func TestForget(t *testing.T) {
	s := open(t)
	s.round(job(7, 3), 2, 1)
	s.round(job(8, 4), 2, 1)
	s.do(func(tx *db.Tx) error { return record.Forget(tx, 3) })
	count := func(ctx context.Context, run, id int64) [3]int {
		return [3]int{len(got[[]record.Job](s)(record.JobsOf(ctx, s, run))),
			len(got[map[int64][]*record.Row](s)(record.RowsOfRun(ctx, s, run, "outputs"))[id]),
			len(got[[]*record.Chunk](s)(record.Chunks(ctx, s, id, 1)))}
	}
	if gone, stays := count(t.Context(), 3, 7), count(t.Context(), 4, 8); gone != [3]int{} || stays != [3]int{1, 2, 2} {
		t.Errorf("left of the forgotten %v, of the other %v", gone, stays)
	}
}
