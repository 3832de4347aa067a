package job

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// row is an open job as it is stored.
type row struct {
	key, run, element, free, lease         int64
	retries                                int32
	project, kind, process, node, workerOf string
}

// holder says who has a job.
func (r row) holder() string {
	if r.workerOf == "" {
		return "nobody"
	}
	return r.workerOf
}

func (r row) job() Job {
	return Job{Key: api.Key(r.key), Type: r.kind, Run: api.Key(r.run), Process: r.process,
		Element: r.node, Retries: r.retries, Worker: r.workerOf, Lease: api.Key(r.lease), Deadline: clock.FromMicros(r.free), element: r.element}
}

const columns = "job, project, type, run, element, process, node, retries, free, worker, lease"

func scan(read func(...any) error) (r row, err error) {
	return r, read(&r.key, &r.project, &r.kind, &r.run, &r.element, &r.process, &r.node, &r.retries, &r.free, &r.workerOf, &r.lease)
}

// put keeps a job. One that is offered again keeps its lease's number, under which
// nobody may say anything any more.
func put(tx *db.Tx, j Job, element int64, project string, free time.Time) error {
	n, err := tx.Exec("UPDATE job_open SET retries = ?, free = ?, worker = '', lease = lease + 1 WHERE job = ?",
		j.Retries, micros(free), int64(j.Key))
	if err != nil || n > 0 {
		return err
	}
	_, err = tx.Exec("INSERT INTO job_open ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0)",
		int64(j.Key), project, j.Type, int64(j.Run), element, j.Process, j.Element, j.Retries, micros(free))
	return err
}

// micros is 0 for a job that is free at once.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return clock.Micros(t)
}

func drop(tx *db.Tx, key int64) error {
	_, err := tx.Exec("DELETE FROM job_open WHERE job = ?", key)
	return err
}

func dropRun(tx *db.Tx, run int64) error {
	_, err := tx.Exec("DELETE FROM job_open WHERE run = ?", run)
	return err
}

func stop(tx *db.Tx, run, element int64) error {
	_, err := tx.Exec("UPDATE job_open SET free = ?, worker = '' WHERE run = ? AND element = ?", int64(never), run, element)
	return err
}

func setFree(tx *db.Tx, key, free int64) error {
	_, err := tx.Exec("UPDATE job_open SET free = ? WHERE job = ?", free, key)
	return err
}

// choice is what a worker may have of what it asks for.
type choice struct {
	pull Pull
	seen string // the condition for runs that it may see, with its values
	args []any
}

func (c choice) where() (string, []any) {
	where, all := "project = ? AND type = ?", []any{c.pull.Project, c.pull.Type}
	if c.seen != "" {
		where, all = where+" AND "+c.seen, append(all, c.args...)
	}
	return where, all
}

// soonest is when the first job of a type is free; zero for never.
func soonest(ctx context.Context, q db.Querier, c choice) (time.Time, error) {
	where, all := c.where()
	var free int64
	err := q.QueryRow(ctx, "SELECT free FROM job_open WHERE "+where+" ORDER BY free, job LIMIT 1", all...).Scan(&free)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && free == never:
		return time.Time{}, nil
	case err == nil && free == 0:
		return time.UnixMicro(1), nil
	}
	return clock.FromMicros(free), err
}

// newLease makes the number of a lease: nobody guesses it who was not told.
func newLease() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return int64(binary.BigEndian.Uint64(b[:])>>2) + 1
}

// lease takes jobs for a worker, those that were free first.
func lease(ctx context.Context, tx *db.Tx, c choice, now, until time.Time) ([]Job, error) {
	where, all := c.where()
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM job_open WHERE "+where+" AND free <= ? ORDER BY free, job LIMIT ?",
		append(all, clock.Micros(now), min(c.pull.Max, maxJobs))...)
	found, err := db.Scan(rows, err, func(r *sql.Rows) (row, error) { return scan(r.Scan) })
	if err != nil {
		return nil, err
	}
	var jobs []Job
	for _, r := range found {
		r.free, r.workerOf = clock.Micros(until), c.pull.Worker
		r.lease = newLease()
		if _, err := tx.Exec("UPDATE job_open SET free = ?, worker = ?, lease = ? WHERE job = ?",
			r.free, r.workerOf, r.lease, r.key); err != nil {
			return nil, err
		}
		jobs = append(jobs, r.job())
	}
	return jobs, nil
}

// release gives jobs back that a worker did not get after all.
func release(tx *db.Tx, all []Job) error {
	for _, j := range all {
		if _, err := tx.Exec("UPDATE job_open SET free = 0, worker = '' WHERE job = ? AND lease = ?", int64(j.Key), int64(j.Lease)); err != nil {
			return err
		}
	}
	return nil
}

func find(ctx context.Context, q db.Querier, key int64) (*row, error) {
	r, err := scan(q.QueryRow(ctx, "SELECT "+columns+" FROM job_open WHERE job = ?", key).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &r, err
}

func visible(ctx context.Context, q db.Querier, key int64, seen string, args []any) (bool, error) {
	if seen == "" {
		return true, nil
	}
	var n int
	err := q.QueryRow(ctx, "SELECT COUNT(*) FROM job_open WHERE job = ? AND "+seen, append([]any{key}, args...)...).Scan(&n)
	return n > 0, err
}
