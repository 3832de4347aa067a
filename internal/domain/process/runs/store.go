package runs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

func rawJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}

func optional[T any](v T, err error) (*T, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &v, err
}

const runColumns = "r.run, r.project, r.definition, r.process, r.title, r.subject, r.verdict, r.state, " +
	"r.code, r.incidents, r.objects, r.started, r.ended, r.places, d.version, COALESCE(c.parent, 0), COALESCE(c.root, 0), COALESCE(c.node, '')"

const runTables = "process_run r JOIN process_definition d ON d.definition = r.definition LEFT JOIN process_call c ON c.run = r.run"

func scanRun(read func(...any) error) (Run, error) {
	var r Run
	var objects string
	var started, ended int64
	err := read(&r.Key, &r.Project, &r.definition, &r.Process, &r.Title, &r.Subject,
		&r.Verdict, &r.State, &r.Code, &r.Incidents, &objects, &started, &ended, &r.places, &r.Version, &r.Parent, &r.Root, &r.Caller)
	r.Objects = []string{}
	if objects != "" {
		r.Objects = strings.Split(objects, "\n")
	}
	r.ObjectCount = len(r.Objects)
	r.Started, r.Ended = clock.FromMicros(started), clock.FromMicros(ended)
	return r, err
}

func insertRun(tx *db.Tx, r Run) error {
	err := tx.Append("INSERT INTO process_run (run, project, definition, process, "+
		"title, subject, verdict, state, code, incidents, objects, started, ended, places) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', 0, ?, ?, 0, ?)",
		int64(r.Key), r.Project, r.definition, r.Process, r.Title, r.Subject,
		r.Verdict, r.State, strings.Join(r.Objects, "\n"), clock.Micros(r.Started), r.places)
	for _, o := range r.Objects {
		if err == nil {
			err = tx.Append("INSERT INTO process_run_object (project, object, run) VALUES (?, ?, ?)", r.Project, o, int64(r.Key))
		}
	}
	return err
}

// beginRun turns a run that waited into an active one; false where it does not wait.
func beginRun(tx *db.Tx, r Run) (bool, error) {
	n, err := tx.Exec("UPDATE process_run SET state = ?, verdict = ?, started = ?, places = ? WHERE run = ? AND state = ?",
		StateActive, r.Verdict, clock.Micros(r.Started), r.places, int64(r.Key), StateWaiting)
	return n > 0, err
}

// dropRun ends a run that waited and will not start.
func dropRun(tx *db.Tx, run int64, state, code string, now int64) error {
	_, err := tx.Exec("UPDATE process_run SET state = ?, code = ?, ended = ? WHERE run = ? AND state = ?", state, code, now, run, StateWaiting)
	return err
}

func findRun(ctx context.Context, q db.Querier, key api.Key) (Run, error) {
	r, err := optional(scanRun(q.QueryRow(ctx, "SELECT "+runColumns+" FROM "+runTables+" WHERE r.run = ?", int64(key)).Scan))
	if err == nil && r == nil {
		err = errs.New(errs.NotFound, "run.not_found", "there is no run %d", key)
	}
	if err != nil {
		return Run{}, err
	}
	return *r, nil
}

// Choice is what runs are chosen by.
type Choice struct {
	Project string       `query:"project" default:"default" maxLength:"64"`
	Process string       `query:"process" maxLength:"190" doc:"Only runs of this process"`
	Subject string       `query:"subject" maxLength:"190" doc:"Only runs that this user or token asked for"`
	Object  string       `query:"object" maxLength:"190" doc:"Only runs that were given this object"`
	Parent  api.KeyParam `query:"parent" doc:"Only runs that this run has called"`
	Called  string       `query:"called" enum:"no,only" doc:"Leave out runs that other runs have called, or list those alone"`
	Text    string       `query:"text" maxLength:"100" doc:"Only runs with this text in their title"`
	Since   time.Time    `query:"since" doc:"Only runs that started at this time or later"`
	Until   time.Time    `query:"until" doc:"Only runs that started before this time"`
}

// Filter selects runs.
type Filter struct {
	Choice
	State string `query:"state" enum:"waiting,active,incident,stopping,completed,failed,cancelled" doc:"Only runs in this state"`
	api.Paging
}

var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// where gives the conditions on process_run r, with those of what the subject of
// ctx may see.
func (f Filter) where(ctx context.Context) (query string, args []any) {
	query, args = "r.project = ?", []any{f.Project}
	if seen, some := identity.Sight(ctx, "run.read", f.Project, "r.places"); seen != "" {
		query, args = query+" AND "+seen, append(args, some...)
	}
	if f.Object != "" {
		query, args = query+" AND r.run IN (SELECT run FROM process_run_object WHERE project = ? AND object = ?)",
			append(args, f.Project, f.Object)
	}
	for _, c := range []struct{ column, value string }{{"r.state", f.State}, {"r.process", f.Process}, {"r.subject", f.Subject}} {
		if c.value != "" {
			query, args = query+" AND "+c.column+" = ?", append(args, c.value)
		}
	}
	if f.Parent.Key != 0 {
		query, args = query+" AND r.run IN (SELECT run FROM process_call WHERE parent = ?)", append(args, int64(f.Parent.Key))
	}
	switch f.Called {
	case "no":
		query += " AND NOT EXISTS (SELECT 1 FROM process_call WHERE run = r.run)"
	case "only":
		query += " AND EXISTS (SELECT 1 FROM process_call WHERE run = r.run)"
	}
	if f.Text != "" {
		holds, some := holdsText(f.Text, "r.title", "r.process")
		query, args = query+" AND "+holds, append(args, some...)
	}
	if !f.Since.IsZero() {
		query, args = query+" AND r.started >= ?", append(args, clock.Micros(f.Since))
	}
	if !f.Until.IsZero() {
		query, args = query+" AND r.started < ?", append(args, clock.Micros(f.Until))
	}
	return query, args
}

// holdsText is the condition that one of some columns holds a text, in capitals or not:
// of letters beyond ASCII databases know the other form or they do not.
func holdsText(text string, columns ...string) (condition string, args []any) {
	var either []string
	for _, c := range columns {
		either, args = append(either, "LOWER("+c+") LIKE ? ESCAPE '!'"), append(args, "%"+likeEscape.Replace(strings.ToLower(text))+"%")
		if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
			either, args = append(either, c+" LIKE ? ESCAPE '!'"), append(args, "%"+likeEscape.Replace(text)+"%")
		}
	}
	return "(" + strings.Join(either, " OR ") + ")", args
}

func runs(ctx context.Context, q db.Querier, f Filter) ([]Run, error) {
	where, args := f.where(ctx)
	if f.After != "" {
		var started, run int64
		if n, err := fmt.Sscanf(f.After, "%d.%d", &started, &run); err != nil || n != 2 {
			return nil, api.BadCursor()
		}
		where, args = where+" AND (r.started < ? OR r.started = ? AND r.run < ?)", append(args, started, started, run)
	}
	rows, err := q.Query(ctx, "SELECT "+runColumns+" FROM "+runTables+" WHERE "+where+" ORDER BY r.started DESC, r.run DESC LIMIT ?",
		append(args, f.Limit+1)...)
	return db.Scan(rows, err, func(r *sql.Rows) (Run, error) { return scanRun(r.Scan) })
}

// runsByHour counts the runs that a filter selects by state, and by the hour in
// which they began where it gives a beginning.
func runsByHour(ctx context.Context, q db.Querier, f Filter) ([]Hour, error) {
	hour := "0"
	if !f.Since.IsZero() {
		hour = "r.started - r.started % " + strconv.FormatInt(time.Hour.Microseconds(), 10)
	}
	where, args := f.where(ctx)
	rows, err := q.Query(ctx, "SELECT r.state, "+hour+", COUNT(*) FROM process_run r WHERE "+where+" GROUP BY 1, 2 ORDER BY 2, 1", args...)
	return db.Scan(rows, err, func(r *sql.Rows) (Hour, error) {
		var h Hour
		var at int64
		err := r.Scan(&h.State, &at, &h.Runs)
		h.Hour = clock.FromMicros(at)
		return h, err
	})
}

// endRun closes the row of a run.
func endRun(tx *db.Tx, run int64, e engine.Effect, now int64) error {
	return tx.Later("process_run", run, "UPDATE process_run SET state = ?, code = ?, ended = ?, incidents = 0, final = '' WHERE run = ?",
		e.State, e.Code, now, run)
}

// dropIncidents removes the incidents of a run that has ended.
func (s *Service) dropIncidents(tx *db.Tx, run int64) error {
	if !s.incidents.May(tx, run) {
		return nil
	}
	s.incidents.Gone(tx, run)
	if err := pastIncidents(tx, "run", run); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM process_incident WHERE run = ?", run)
	return err
}

// stopRun notes that a run has ended but for what it began.
func stopRun(tx *db.Tx, run int64, e engine.Effect) error {
	return tx.Later("process_run", run, "UPDATE process_run SET state = ?, code = ?, final = ?, incidents = 0 WHERE run = ?",
		StateStopping, e.Code, e.State, run)
}

// finalOf gives how a run that is stopping ends; empty for another one.
func finalOf(ctx context.Context, q db.Querier, run int64) (final, code string, err error) {
	err = q.QueryRow(ctx, "SELECT final, code FROM process_run WHERE run = ? AND state = ?", run, StateStopping).Scan(&final, &code)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	return final, code, err
}

const maxStopping = 10_000 // runs that are stopping at a start

func stoppingRuns(ctx context.Context, q db.Querier) ([]int64, error) {
	rows, err := q.Query(ctx, "SELECT run FROM process_run WHERE state = ? LIMIT ?", StateStopping, maxStopping)
	return db.Scan(rows, err, func(r *sql.Rows) (run int64, err error) { return run, r.Scan(&run) })
}

func projectOf(ctx context.Context, tx *db.Tx, run int64) (project, process string, err error) {
	err = tx.QueryRow(ctx, "SELECT project, process FROM process_run WHERE run = ?", run).Scan(&project, &process)
	return project, process, err
}

// noneUnseen is the condition that the run that a column names is no run of which
// another condition, on seen, does not hold.
func noneUnseen(column, condition string) string {
	return "NOT EXISTS (SELECT 1 FROM process_run seen WHERE seen.run = " + column + " AND NOT (" + condition + "))"
}

// countActive counts the runs of a project that take up a place.
func countActive(ctx context.Context, q db.Querier, project string) (n int, err error) {
	err = q.QueryRow(ctx, "SELECT COUNT(*) FROM process_run WHERE project = ? AND state IN (?, ?)", project, StateActive, StateIncident).
		Scan(&n)
	return n, err
}

// unplacedRun is a run of which it is not known where it acts.
type unplacedRun struct {
	run              int64
	project, objects string
}

// unplaced lists such runs, the newest first; before is the last of those before.
func unplaced(ctx context.Context, q db.Querier, before int64) ([]unplacedRun, error) {
	query, args := "SELECT run, project, objects FROM process_run WHERE places LIKE ?",
		[]any{"%" + identity.Places([]string{identity.Unplaced}) + "%"}
	if before >= 0 {
		query, args = query+" AND run < ?", append(args, before)
	}
	rows, err := q.Query(ctx, query+" ORDER BY run DESC LIMIT ?", append(args, unplacedAtOnce)...)
	return db.Scan(rows, err, func(r *sql.Rows) (u unplacedRun, err error) { return u, r.Scan(&u.run, &u.project, &u.objects) })
}

func placesOf(ctx context.Context, q db.Querier, run int64) (places string, err error) {
	err = q.QueryRow(ctx, "SELECT places FROM process_run WHERE run = ?", run).Scan(&places)
	if errors.Is(err, sql.ErrNoRows) {
		err = errs.New(errs.NotFound, "run.not_found", "there is no run %d", run)
	}
	return places, err
}

func setPlaces(tx *db.Tx, run int64, places string) error {
	_, err := tx.Exec("UPDATE process_run SET places = ? WHERE run = ?", places, run)
	return err
}
