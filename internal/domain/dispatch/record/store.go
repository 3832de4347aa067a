// Package record is what is stored of jobs: their rounds, the calls of each with
// the bytes that went out, and what became of every row.
package record

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

// The states of a job.
const (
	Open    = "open"    // a round is under way
	Failed  = "failed"  // the last round ended in an incident: the next offer begins a new one
	Stopped = "stopped" // nobody waits for it any more, and nothing of it is at work
)

const maxSteps = 10_000 // jobs of a run that are shown

// Job is a stored job.
type Job struct {
	ID, Run                         int64
	Node, Project, Service, Version string
	Plugin                          string
	Round                           int
	Tries                           int
	State                           string
	Given                           string // who gave what the round uses, as package gift writes it
	Updated                         time.Time
}

// Chunk is some rows of a round that go out in one call.
type Chunk struct {
	Round, Number int
	Sent          bool
	Answered      bool
	Free          func() // the place of the call
	Deadline      time.Time
	Digest        string
	Body          []byte
	Claims        []control.Claim // what its rows act on
	Fence         int64           // of those, as they were held when it was sent
}

// Row is what became of a row.
type Row struct {
	Pos     int          `json:"-"`
	Object  string       `json:"object"`
	Round   int          `json:"round"`
	Chunk   int          `json:"-"`
	Outcome wire.Outcome `json:"outcome,omitempty" doc:"Empty while it is not known"`
	Code    string       `json:"code,omitempty"`
	Message string       `json:"message,omitempty"`
	Retry   string       `json:"-"`
	Outputs wire.Row     `json:"outputs,omitempty"`
}

// Done reports whether nothing is left to do for a row.
func (r *Row) Done() bool {
	return r.Outcome == wire.OutcomeOK || r.Outcome == wire.OutcomeSkipped
}

// Find reads a job; nil where there is none.
func Find(ctx context.Context, q db.Querier, job int64) (*Job, error) {
	r := Job{ID: job}
	var updated int64
	err := q.QueryRow(ctx, "SELECT run, node, project, plugin, service, version, round, tries, state, given, updated "+
		"FROM dispatch_job WHERE job = ?", job).
		Scan(&r.Run, &r.Node, &r.Project, &r.Plugin, &r.Service, &r.Version, &r.Round, &r.Tries, &r.State, &r.Given, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	r.Updated = clock.FromMicros(updated)
	return &r, err
}

func (r *Job) store(tx *db.Tx, now time.Time) error {
	return tx.Later("dispatch_job", r.ID, sqldb.Upsert("dispatch_job", 1,
		[]string{"job", "run", "node", "project", "plugin", "service", "version", "round", "tries", "state", "given", "created", "updated"}),
		r.ID, r.Run, r.Node, r.Project, r.Plugin, r.Service, r.Version, r.Round, r.Tries, r.State, r.Given, clock.Micros(now), clock.Micros(now))
}

// SetState notes how far a job is.
func SetState(tx *db.Tx, job int64, state string, now time.Time) error {
	return tx.Later("dispatch_job", job, "UPDATE dispatch_job SET state = ?, updated = ? WHERE job = ?", state, clock.Micros(now), job)
}

// Calls knows which runs may have calls that were sent and are not answered.
type Calls struct{ out db.Marks }

// NewCalls makes one that knows of none yet.
func NewCalls() *Calls {
	return &Calls{out: db.Marks{Load: "SELECT j.run, COUNT(*) FROM dispatch_job j JOIN dispatch_chunk c ON c.job = j.job " +
		"WHERE j.state = 'open' AND c.sent = 1 AND c.answered = 0 GROUP BY j.run"}}
}

// Ended forgets a run that is over, in the write that ends it.
func (k *Calls) Ended(tx *db.Tx, run int64) { k.out.Gone(tx, run) }

// StoreRound writes a round before any of it is sent.
func (k *Calls) StoreRound(tx *db.Tx, r *Job, chunks []*Chunk, rows []*Row, now time.Time) error {
	if err := r.store(tx, now); err != nil {
		return err
	}
	for _, c := range chunks {
		if c.Sent {
			k.out.Add(r.Run)
		}
		claims, err := json.Marshal(c.Claims)
		if err != nil {
			return err
		}
		if err := tx.Append("INSERT INTO dispatch_chunk (job, round, chunk, sent, answered, deadline, digest, body, claims) "+
			"VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)",
			r.ID, c.Round, c.Number, c.Sent, clock.Micros(c.Deadline), c.Digest, c.Body, string(claims)); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if err := storeRow(tx, r.ID, row); err != nil {
			return err
		}
	}
	return nil
}

func storeRow(tx *db.Tx, job int64, r *Row) error {
	outputs, err := json.Marshal(r.Outputs)
	if err != nil {
		return err
	}
	return tx.Put("dispatch_row", []string{"job", "object", "pos", "round", "chunk", "outcome", "code", "message", "retry", "outputs"},
		job, r.Object, r.Pos, r.Round, r.Chunk, string(r.Outcome), r.Code, r.Message, r.Retry, outputs)
}

// Chunks reads the chunks of a round.
func Chunks(ctx context.Context, q db.Querier, job int64, round int) ([]*Chunk, error) {
	rows, err := q.Query(ctx, "SELECT chunk, sent, answered, deadline, digest, body, claims "+
		"FROM dispatch_chunk WHERE job = ? AND round = ? ORDER BY chunk", job, round)
	return db.Scan(rows, err, func(r *sql.Rows) (*Chunk, error) {
		c := &Chunk{Round: round}
		var deadline int64
		var claims string
		if err := r.Scan(&c.Number, &c.Sent, &c.Answered, &deadline, &c.Digest, &c.Body, &claims); err != nil {
			return nil, err
		}
		c.Deadline = clock.FromMicros(deadline)
		return c, json.Unmarshal([]byte(claims), &c.Claims)
	})
}

// Rows reads the rows of a job, of all rounds, in their order.
func Rows(ctx context.Context, q db.Querier, job int64) ([]*Row, error) {
	return rowsOf(ctx, q, job, "outputs")
}

// Outcomes is Rows without what the rows put out.
func Outcomes(ctx context.Context, q db.Querier, job int64) ([]*Row, error) {
	return rowsOf(ctx, q, job, "'{}'")
}

func rowsOf(ctx context.Context, q db.Querier, job int64, outputs string) ([]*Row, error) {
	rows, err := q.Query(ctx, "SELECT "+rowColumns+", "+outputs+" FROM dispatch_row r WHERE job = ? ORDER BY pos", job)
	all, err := db.Scan(rows, err, scanRow)
	var out []*Row
	for _, r := range all {
		out = append(out, r.Row)
	}
	return out, err
}

const rowColumns = "r.job, r.object, r.pos, r.round, r.chunk, r.outcome, r.code, r.message, r.retry"

// rowOf is a row with its job.
type rowOf struct {
	job int64
	*Row
}

func scanRow(s *sql.Rows) (rowOf, error) {
	r := rowOf{Row: &Row{}}
	var outputs []byte
	if err := s.Scan(&r.job, &r.Object, &r.Pos, &r.Round, &r.Chunk, &r.Outcome, &r.Code, &r.Message, &r.Retry, &outputs); err != nil {
		return r, err
	}
	return r, json.Unmarshal(outputs, &r.Outputs)
}

// RowsOfRun reads the rows of all jobs of a run with one query; outputs is the
// column that holds them, or what stands for it where they are not wanted.
func RowsOfRun(ctx context.Context, q db.Querier, run int64, outputs string) (map[int64][]*Row, error) {
	rows, err := q.Query(ctx, "SELECT "+rowColumns+", "+outputs+
		" FROM dispatch_row r JOIN dispatch_job j ON j.job = r.job WHERE j.run = ? ORDER BY r.job, r.pos", run)
	all, err := db.Scan(rows, err, scanRow)
	by := map[int64][]*Row{}
	for _, r := range all {
		by[r.job] = append(by[r.job], r.Row)
	}
	return by, err
}

// FindRow reads the row of an object; nil where the job has none.
func FindRow(ctx context.Context, q db.Querier, job int64, object string) (*Row, error) {
	rows, err := q.Query(ctx, "SELECT "+rowColumns+", outputs FROM dispatch_row r WHERE job = ? AND object = ?", job, object)
	found, err := db.Scan(rows, err, scanRow)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Row, nil
}

// AtWork reports whether a call of a run is at work, or may be: it was sent and
// has no answer.
func (k *Calls) AtWork(ctx context.Context, tx *db.Tx, run int64) (bool, error) {
	if !k.out.May(tx, run) {
		return false, nil
	}
	var n int
	err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM dispatch_job j JOIN dispatch_chunk c ON c.job = j.job "+
		"WHERE j.run = ? AND j.state = ? AND c.sent = 1 AND c.answered = 0", run, Open).Scan(&n)
	return n > 0, err
}

// Orphans lists open jobs with calls that were sent and have no answer: those of a
// run, or of all for 0.
func Orphans(ctx context.Context, q db.Querier, run int64) ([]Job, error) {
	of, args := "", []any{Open}
	if run != 0 {
		of, args = " AND j.run = ?", append(args, run)
	}
	rows, err := q.Query(ctx, "SELECT DISTINCT j.job, j.run, j.node, j.project, j.plugin, j.service, j.version, j.round, j.tries, j.state, "+
		"j.given FROM dispatch_job j JOIN dispatch_chunk c ON c.job = j.job WHERE j.state = ? AND c.sent = 1 AND c.answered = 0"+of+" LIMIT ?",
		append(args, maxSteps)...)
	return db.Scan(rows, err, func(s *sql.Rows) (Job, error) {
		var r Job
		return r, s.Scan(&r.ID, &r.Run, &r.Node, &r.Project, &r.Plugin, &r.Service, &r.Version, &r.Round, &r.Tries, &r.State, &r.Given)
	})
}

// StoreAnswer keeps the outcomes of a chunk's rows; it reports false where they
// are known already.
func (k *Calls) StoreAnswer(tx *db.Tx, run, job int64, c *Chunk, rows []*Row) (bool, error) {
	first, err := tx.Once("dispatch_chunk", job,
		"UPDATE dispatch_chunk SET answered = 1 WHERE job = ? AND round = ? AND chunk = ? AND answered = 0", job, c.Round, c.Number)
	if err != nil || !first {
		return false, err
	}
	for _, r := range rows {
		if err := storeRow(tx, job, r); err != nil {
			return false, err
		}
	}
	if c.Sent {
		k.out.Less(tx, run)
	}
	return true, nil
}

// InCall reports whether a row is one of a call, as things stand now.
func InCall(ctx context.Context, q db.Querier, job int64, c *Chunk, object string) (bool, error) {
	var n int
	err := q.QueryRow(ctx, "SELECT COUNT(*) FROM dispatch_row WHERE job = ? AND object = ? AND round = ? AND chunk = ?",
		job, object, c.Round, c.Number).Scan(&n)
	return n > 0, err
}

// MarkSent notes that a plugin may have got a chunk.
func (k *Calls) MarkSent(tx *db.Tx, run, job int64, c *Chunk) error {
	k.out.Add(run)
	return tx.Later("dispatch_chunk", job, "UPDATE dispatch_chunk SET sent = 1, deadline = ? WHERE job = ? AND round = ? AND chunk = ?",
		clock.Micros(c.Deadline), job, c.Round, c.Number)
}

// JobsOf lists the jobs of a run, oldest first.
func JobsOf(ctx context.Context, q db.Querier, run int64) ([]Job, error) {
	rows, err := q.Query(ctx, "SELECT job, run, node, project, plugin, service, version, round, tries, state "+
		"FROM dispatch_job WHERE run = ? ORDER BY job LIMIT ?", run, maxSteps)
	return db.Scan(rows, err, func(s *sql.Rows) (Job, error) {
		var r Job
		return r, s.Scan(&r.ID, &r.Run, &r.Node, &r.Project, &r.Plugin, &r.Service, &r.Version, &r.Round, &r.Tries, &r.State)
	})
}
