package dispatch

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/engine/durable"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/sdk/go/wire"
)

// States of a job here.
const (
	stateOpen   = "open"   // a round is under way
	stateFailed = "failed" // the last round ended in an incident: the next offer begins a new one
)

const maxSteps = 10_000 // jobs of a run that are shown

const storeAgain = 2 * time.Second // until an outcome that could not be stored is tried again

// record is a stored job.
type record struct {
	job, run                        int64
	node, project, service, version string
	plugin                          string
	round                           int
	tries                           int
	state                           string
	updated                         time.Time
}

// chunk is some rows of a round that go out in one call.
type chunk struct {
	round, number int
	sent          bool
	answered      bool
	free          func() // the place of the call
	deadline      time.Time
	digest        string
	body          []byte
	claims        []control.Claim // what its rows act on
	fence         int64           // of those, as they were held when it was sent
}

// result is what became of a row.
type result struct {
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

// done reports whether nothing is left to do for a row.
func (r *result) done() bool {
	return r.Outcome == wire.OutcomeOK || r.Outcome == wire.OutcomeSkipped
}

func findJob(ctx context.Context, q db.Querier, job int64) (*record, error) {
	r := record{job: job}
	var updated int64
	err := q.QueryRow(ctx, "SELECT run, node, project, plugin, service, version, round, tries, state, updated FROM dispatch_job WHERE job = ?", job).
		Scan(&r.run, &r.node, &r.project, &r.plugin, &r.service, &r.version, &r.round, &r.tries, &r.state, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	r.updated = clock.FromMicros(updated)
	return &r, err
}

func (r *record) store(tx *db.Tx, now time.Time) error {
	return tx.Upsert("dispatch_job", 1, []string{"job", "run", "node", "project", "plugin", "service", "version", "round", "tries", "state", "created", "updated"},
		r.job, r.run, r.node, r.project, r.plugin, r.service, r.version, r.round, r.tries, r.state, clock.Micros(now), clock.Micros(now))
}

func setState(tx *db.Tx, job int64, state string, now time.Time) error {
	_, err := tx.Exec("UPDATE dispatch_job SET state = ?, updated = ? WHERE job = ?", state, clock.Micros(now), job)
	return err
}

// storeRound writes a round before any of it is sent.
func storeRound(tx *db.Tx, r *record, chunks []*chunk, rows []*result, now time.Time) error {
	if err := r.store(tx, now); err != nil {
		return err
	}
	for _, c := range chunks {
		claims, err := json.Marshal(c.claims)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO dispatch_chunk (job, round, chunk, sent, answered, deadline, digest, body, claims) VALUES (?, ?, ?, 0, 0, ?, ?, ?, ?)",
			r.job, c.round, c.number, clock.Micros(c.deadline), c.digest, c.body, string(claims)); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if err := storeRow(tx, r.job, row); err != nil {
			return err
		}
	}
	return nil
}

func storeRow(tx *db.Tx, job int64, r *result) error {
	outputs, err := json.Marshal(r.Outputs)
	if err != nil {
		return err
	}
	return tx.Upsert("dispatch_row", 2, []string{"job", "object", "pos", "round", "chunk", "outcome", "code", "message", "retry", "outputs"},
		job, r.Object, r.Pos, r.Round, r.Chunk, string(r.Outcome), r.Code, r.Message, r.Retry, outputs)
}

func chunksOf(ctx context.Context, q db.Querier, job int64, round int) ([]*chunk, error) {
	rows, err := q.Query(ctx, "SELECT chunk, sent, answered, deadline, digest, body, claims FROM dispatch_chunk WHERE job = ? AND round = ? ORDER BY chunk", job, round)
	return db.Scan(rows, err, func(r *sql.Rows) (*chunk, error) {
		c := &chunk{round: round}
		var deadline int64
		var claims string
		if err := r.Scan(&c.number, &c.sent, &c.answered, &deadline, &c.digest, &c.body, &claims); err != nil {
			return nil, err
		}
		c.deadline = clock.FromMicros(deadline)
		return c, json.Unmarshal([]byte(claims), &c.claims)
	})
}

func rowsOf(ctx context.Context, q db.Querier, job int64) ([]*result, error) {
	rows, err := q.Query(ctx, "SELECT "+rowColumns+", outputs FROM dispatch_row r WHERE job = ? ORDER BY pos", job)
	all, err := db.Scan(rows, err, scanRow)
	var out []*result
	for _, r := range all {
		out = append(out, r.result)
	}
	return out, err
}

const rowColumns = "r.job, r.object, r.pos, r.round, r.chunk, r.outcome, r.code, r.message, r.retry"

// rowOf is a row with its job.
type rowOf struct {
	job int64
	*result
}

func scanRow(s *sql.Rows) (rowOf, error) {
	r := rowOf{result: &result{}}
	var outputs []byte
	if err := s.Scan(&r.job, &r.Object, &r.Pos, &r.Round, &r.Chunk, &r.Outcome, &r.Code, &r.Message, &r.Retry, &outputs); err != nil {
		return r, err
	}
	return r, json.Unmarshal(outputs, &r.Outputs)
}

// rowsOfRun reads the rows of all jobs of a run with one query; outputs is the
// column that holds them, or what stands for it where they are not wanted.
func rowsOfRun(ctx context.Context, q db.Querier, run int64, outputs string) (map[int64][]*result, error) {
	rows, err := q.Query(ctx, "SELECT "+rowColumns+", "+outputs+" FROM dispatch_row r JOIN dispatch_job j ON j.job = r.job WHERE j.run = ? ORDER BY r.job, r.pos", run)
	all, err := db.Scan(rows, err, scanRow)
	by := map[int64][]*result{}
	for _, r := range all {
		by[r.job] = append(by[r.job], r.result)
	}
	return by, err
}

// storeAnswer keeps the outcomes of a chunk's rows; it reports false where they
// are known already.
func storeAnswer(tx *db.Tx, job int64, c *chunk, rows []*result) (bool, error) {
	n, err := tx.Exec("UPDATE dispatch_chunk SET answered = 1 WHERE job = ? AND round = ? AND chunk = ? AND answered = 0", job, c.round, c.number)
	if err != nil || n == 0 {
		return false, err
	}
	for _, r := range rows {
		if err := storeRow(tx, job, r); err != nil {
			return false, err
		}
	}
	return true, nil
}

func markSent(tx *db.Tx, job int64, c *chunk) error {
	_, err := tx.Exec("UPDATE dispatch_chunk SET sent = 1, deadline = ? WHERE job = ? AND round = ? AND chunk = ?", clock.Micros(c.deadline), job, c.round, c.number)
	return err
}

func jobsOf(ctx context.Context, q db.Querier, run int64) ([]record, error) {
	rows, err := q.Query(ctx, "SELECT job, run, node, project, plugin, service, version, round, tries, state FROM dispatch_job WHERE run = ? ORDER BY job LIMIT ?", run, maxSteps)
	return db.Scan(rows, err, func(s *sql.Rows) (record, error) {
		var r record
		return r, s.Scan(&r.job, &r.run, &r.node, &r.project, &r.plugin, &r.service, &r.version, &r.round, &r.tries, &r.state)
	})
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func keyOf(j durable.Job) int64 { return int64(j.Key) }
