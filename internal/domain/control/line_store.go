package control

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// The states of a stored request.
const (
	stateWaiting = "waiting"
	stateOpen    = "open" // it was admitted, and others may be merged with it or replace it
	stateOver    = "over" // it waited and never started
)

// asked is what a request that waits is judged by again.
type asked struct {
	Version   int                        `json:"version"`
	Objects   []string                   `json:"objects,omitempty"`
	Variables map[string]json.RawMessage `json:"variables,omitempty"`
	Title     string                     `json:"title,omitempty"`
	Event     string                     `json:"event,omitempty"`
	Source    string                     `json:"source,omitempty"`
	Cause     Cause                      `json:"cause,omitzero"`
	Rights    identity.Rights            `json:"rights"`
	Places    string                     `json:"places,omitempty"`
	Ends      []int64                    `json:"ends,omitempty"` // runs whose place it takes
}

// waitingRow is a request that waits.
type waitingRow struct {
	run              int64
	project, process string
	place            int64
	since, expires   time.Time
	asked
}

func (w *waitingRow) request() Request {
	return Request{Project: w.project, Process: w.process, Version: w.Version,
		Objects: w.Objects, Variables: w.Variables, Title: w.Title, Event: w.Event, Source: w.Source, Cause: w.Cause}
}

func (w *waitingRow) key() state.Key { return state.Key(w.run) }

const waitingColumns = "run, project, process, place, since, expires, asked"

func scanWaiting(r *sql.Rows) (*waitingRow, error) {
	var w waitingRow
	var since, expires int64
	var data []byte
	if err := r.Scan(&w.run, &w.project, &w.process, &w.place, &since, &expires, &data); err != nil {
		return nil, err
	}
	w.since, w.expires = clock.FromMicros(since), clock.FromMicros(expires)
	return &w, json.Unmarshal(data, &w.asked)
}

// readRequest reads a stored request, be it over; nil where there is none.
func readRequest(ctx context.Context, q db.Querier, run int64) (*waitingRow, error) {
	rows, err := q.Query(ctx, "SELECT "+waitingColumns+" FROM control_request WHERE run = ?", run)
	return first(db.Scan(rows, err, scanWaiting))
}

// readWaiting reads a request that waits; nil where it does no more.
func readWaiting(ctx context.Context, q db.Querier, run int64) (*waitingRow, error) {
	rows, err := q.Query(ctx, "SELECT "+waitingColumns+" FROM control_request WHERE run = ? AND state = ?", run, stateWaiting)
	return first(db.Scan(rows, err, scanWaiting))
}

func first[T any](all []*T, err error) (*T, error) {
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

func insertRequest(tx *db.Tx, w *waitingRow, state, alike, same string) error {
	data, err := json.Marshal(w.asked)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO control_request (run, project, process, state, alike, same, place, since, expires, asked) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		w.run, w.project, w.process, state, alike, same, w.place, clock.Micros(w.since), clock.Micros(w.expires), data)
	return err
}

// setState moves a request on; false where it was not in the state before.
func setState(tx *db.Tx, run int64, from, to string) (bool, error) {
	n, err := tx.Exec("UPDATE control_request SET state = ? WHERE run = ? AND state = ?", to, run, from)
	return n > 0, err
}

func deleteRequest(tx *db.Tx, run int64) error {
	_, err := tx.Exec("DELETE FROM control_request WHERE run = ?", run)
	return err
}

// standInLine writes what a request that waits wants to hold, in place of what it
// wanted before.
func standInLine(tx *db.Tx, w *waitingRow, claims []Claim) error {
	if err := leaveLine(tx, w.run); err != nil {
		return err
	}
	for _, c := range claims {
		if _, err := tx.Exec("INSERT INTO control_line (object, run, project, subject, mode, since, place) VALUES (?, ?, ?, ?, ?, ?, ?)",
			c.Object, w.run, w.project, w.Rights.Name, string(c.Mode), clock.Micros(w.since), w.place); err != nil {
			return err
		}
	}
	return nil
}

func leaveLine(tx *db.Tx, run int64) error {
	_, err := tx.Exec("DELETE FROM control_line WHERE run = ?", run)
	return err
}

// move gives a request another place.
func move(tx *db.Tx, run, place int64) error {
	if _, err := tx.Exec("UPDATE control_request SET place = ? WHERE run = ?", place, run); err != nil {
		return err
	}
	_, err := tx.Exec("UPDATE control_line SET place = ? WHERE run = ?", place, run)
	return err
}

// freePlace is the first place from one on that no other has.
func freePlace(ctx context.Context, q db.Querier, place, step int64) (int64, error) {
	for {
		var n int
		err := q.QueryRow(ctx, "SELECT COUNT(*) FROM control_request WHERE state = ? AND place = ?", stateWaiting, place).Scan(&n)
		if err != nil || n == 0 {
			return place, err
		}
		place += step
	}
}

// firstPlace is the smallest place of others that want something of the same.
func firstPlace(ctx context.Context, tx *db.Tx, run int64) (sql.NullInt64, error) {
	var n sql.NullInt64
	err := tx.QueryRow(ctx, "SELECT MIN(o.place) FROM control_line o JOIN control_line w ON w.object = o.object "+
		"WHERE w.run = ? AND o.run <> ?", run, run).Scan(&n)
	return n, err
}

// wanted is what a request in the line wants to hold.
func wanted(ctx context.Context, q db.Querier, run int64) ([]Claim, error) {
	rows, err := q.Query(ctx, "SELECT object, mode FROM control_line WHERE run = ? ORDER BY object", run)
	return db.Scan(rows, err, func(r *sql.Rows) (c Claim, err error) { return c, r.Scan(&c.Object, &c.Mode) })
}

// alikeRow is a request on the same objects.
type alikeRow struct {
	run         int64
	state, same string
}

func requestsAlike(ctx context.Context, q db.Querier, project, alike string) ([]alikeRow, error) {
	rows, err := q.Query(ctx, "SELECT run, state, same FROM control_request "+
		"WHERE project = ? AND alike = ? AND state IN (?, ?) ORDER BY place, run LIMIT ?", project, alike, stateWaiting, stateOpen, shownLocks)
	return db.Scan(rows, err, func(r *sql.Rows) (o alikeRow, err error) { return o, r.Scan(&o.run, &o.state, &o.same) })
}

func countWaiting(ctx context.Context, q db.Querier, project, process string) (n int, err error) {
	err = q.QueryRow(ctx, "SELECT COUNT(*) FROM control_request WHERE project = ? AND process = ? AND state = ?",
		project, process, stateWaiting).Scan(&n)
	return n, err
}

// heads lists the runs that come first for objects: of each object the leading ones
// that share it, or the one that is alone.
func heads(ctx context.Context, q db.Querier, objects []string) ([]int64, error) {
	const leading = 16 // of one object; the next ones are looked at when these are gone
	var all []int64
	for _, o := range objects {
		rows, err := q.Query(ctx, "SELECT run, mode FROM control_line WHERE object = ? ORDER BY place LIMIT ?", o, leading)
		some, err := db.Scan(rows, err, func(r *sql.Rows) (l Lock, err error) { return l, r.Scan(&l.Run, &l.Mode) })
		if err != nil {
			return nil, err
		}
		for i, l := range some {
			if i > 0 && l.Mode == Exclusive {
				break
			}
			all = append(all, int64(l.Run))
			if l.Mode == Exclusive {
				break
			}
		}
	}
	return all, nil
}

// allWaiting lists who waits, in the order of the line.
func allWaiting(ctx context.Context, q db.Querier) ([]int64, error) {
	rows, err := q.Query(ctx, "SELECT run FROM control_request WHERE state = ? ORDER BY place", stateWaiting)
	return db.Scan(rows, err, scanRunKey)
}

func scanRunKey(r *sql.Rows) (run int64, err error) { return run, r.Scan(&run) }

// allOpen lists the runs with which others may be merged or that they may replace.
func allOpen(ctx context.Context, q db.Querier) ([]int64, error) {
	rows, err := q.Query(ctx, "SELECT run FROM control_request WHERE state = ?", stateOpen)
	return db.Scan(rows, err, scanRunKey)
}

// expired lists who has waited as long as it may, and tells when the next has.
func expired(ctx context.Context, q db.Querier, now time.Time) (runs []int64, next time.Time, err error) {
	rows, err := q.Query(ctx, "SELECT run FROM control_request WHERE state = ? AND expires <= ? ORDER BY expires LIMIT ?",
		stateWaiting, clock.Micros(now), shownLocks)
	if runs, err = db.Scan(rows, err, scanRunKey); err != nil {
		return nil, next, err
	}
	var at sql.NullInt64
	if err = q.QueryRow(ctx, "SELECT MIN(expires) FROM control_request WHERE state = ? AND expires > ?", stateWaiting, clock.Micros(now)).
		Scan(&at); err == nil && at.Valid {
		next = clock.FromMicros(at.Int64)
	}
	return runs, next, err
}

// listWaiting reads who waits in a project, in the order of the line.
func (d *Door) listWaiting(ctx context.Context, f LineFilter) ([]*waitingRow, error) {
	query, args := "SELECT "+waitingColumns+" FROM control_request WHERE project = ? AND state = ?", []any{f.Project, stateWaiting}
	if seen, some := d.Seen(ctx, "run.read", f.Project, "control_request.run"); seen != "" {
		query, args = query+" AND "+seen, append(args, some...)
	}
	if f.Process != "" {
		query, args = query+" AND process = ?", append(args, f.Process)
	}
	if f.Run.Key != 0 {
		query, args = query+" AND run = ?", append(args, int64(f.Run.Key))
	}
	if f.After != "" {
		var after api.Key
		if err := after.UnmarshalText([]byte(f.After)); err != nil {
			return nil, api.BadCursor()
		}
		query, args = query+" AND place > ?", append(args, int64(after))
	}
	rows, err := d.DB.Query(ctx, query+" ORDER BY place LIMIT ?", append(args, f.Limit+1)...)
	return db.Scan(rows, err, scanWaiting)
}

const verdictColumns = "id, run, time, subject, process, verdict, code, reason, detail, ruling"

func scanVerdict(r *sql.Rows) (Verdict, error) {
	var v Verdict
	var at, run int64
	var steps []byte
	var ruling string
	if err := r.Scan(&v.ID, &run, &at, &v.Subject, &v.Process, &v.Verdict, &v.Code, &v.Reason, &steps, &ruling); err != nil {
		return v, err
	}
	v.Time, v.Run = clock.FromMicros(at), api.Key(run)
	return v, errors.Join(json.Unmarshal(steps, &v.Steps), v.readMore(ruling))
}

// countClaims counts what each run holds and waits for.
const countClaims = "SELECT run, COUNT(*) FROM control_claim GROUP BY run UNION ALL SELECT run, COUNT(*) FROM control_wait GROUP BY run"

func insertVerdict(tx *db.Tx, project string, v Verdict, mandate, places string) error {
	if v.Steps == nil {
		v.Steps = []Step{}
	}
	steps, err := json.Marshal(v.Steps)
	if err != nil {
		return err
	}
	ruling, err := v.more()
	if err != nil {
		return err
	}
	return tx.Append("INSERT INTO control_verdict (id, run, project, time, "+
		"subject, process, verdict, code, reason, detail, mandate, places, ruling) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		v.ID, int64(v.Run), project, clock.Micros(v.Time), v.Subject, v.Process, v.Verdict, v.Code, v.Reason, steps, mandate, places, ruling)
}

// listVerdicts reads what the door said in a project, newest first.
func (d *Door) listVerdicts(ctx context.Context, project string, run api.Key, p api.Paging) ([]Verdict, error) {
	var where strings.Builder
	where.WriteString("SELECT " + verdictColumns + " FROM control_verdict WHERE project = ?")
	args := []any{project}
	add := func(condition string, some ...any) {
		if condition != "" {
			where.WriteString(" AND " + condition)
			args = append(args, some...)
		}
	}
	if run != 0 {
		add("run = ?", int64(run))
	}
	seen, some := d.Seen(ctx, "run.read", project, "control_verdict.run")
	add(seen, some...)
	seen, some = identity.Sight(ctx, "run.read", project, "places")
	add(seen, some...)
	if p.After != "" {
		add("id < ?", p.After)
	}
	rows, err := d.DB.Query(ctx, where.String()+" ORDER BY id DESC LIMIT ?", append(args, p.Limit+1)...)
	return db.Scan(rows, err, scanVerdict)
}
