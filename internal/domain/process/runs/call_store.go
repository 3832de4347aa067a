package runs

import (
	"context"
	"database/sql"
	"errors"

	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
)

const maxCalled = 200 // called runs that a run names itself; a list has all

func insertCall(tx *db.Tx, r Run, mandate []byte) error {
	_, err := tx.Exec("INSERT INTO process_call (run, project, parent, root, node, mandate) VALUES (?, ?, ?, ?, ?, ?)",
		int64(r.Key), r.Project, int64(r.Parent), int64(r.Root), r.Caller, string(mandate))
	return err
}

// recall tells of every called run that goes on.
func recall(ctx context.Context, q db.Querier, add func(run int64, a ancestors)) error {
	rows, err := q.Query(ctx, "SELECT c.run, c.parent, c.root FROM process_call c JOIN process_run r ON r.run = c.run WHERE r.ended = 0")
	_, err = db.Scan(rows, err, func(r *sql.Rows) (struct{}, error) {
		var run int64
		var a ancestors
		err := r.Scan(&run, &a.parent, &a.root)
		add(run, a)
		return struct{}{}, err
	})
	return err
}

// callMandate gives the mandate of a called run; nil for another one.
func callMandate(ctx context.Context, q db.Querier, run int64) ([]byte, error) {
	var text string
	err := q.QueryRow(ctx, "SELECT mandate FROM process_call WHERE run = ?", run).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return []byte(text), err
}

// callsGoOn reports whether runs that a run has called are not over.
func callsGoOn(ctx context.Context, q db.Querier, parent int64) (bool, error) {
	var n int
	err := q.QueryRow(ctx, "SELECT COUNT(*) FROM process_call c JOIN process_run r ON r.run = c.run WHERE c.parent = ? AND r.ended = 0",
		parent).Scan(&n)
	return n > 0, err
}

// CalledRun is a run that another one has called.
type CalledRun struct {
	Run       api.Key `json:"run"`
	Process   string  `json:"process"`
	Step      string  `json:"step" doc:"Id of the call activity"`
	State     string  `json:"state"`
	Incidents int     `json:"incidents"`
}

// called lists the runs that a run has called, the newest first.
func called(ctx context.Context, q db.Querier, parent api.Key) ([]CalledRun, error) {
	rows, err := q.Query(ctx, "SELECT r.run, r.process, c.node, r.state, r.incidents "+
		"FROM process_call c JOIN process_run r ON r.run = c.run WHERE c.parent = ? ORDER BY r.run DESC LIMIT ?", int64(parent), maxCalled)
	return db.Scan(rows, err, func(r *sql.Rows) (c CalledRun, err error) {
		return c, r.Scan(&c.Run, &c.Process, &c.Step, &c.State, &c.Incidents)
	})
}
