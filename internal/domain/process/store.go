package process

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

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

const definitionColumns = "definition, project, process, version, name, digest, subject, created"

func scanDefinition(read func(...any) error) (Definition, error) {
	var d Definition
	var created int64
	err := read(&d.Key, &d.Project, &d.Process, &d.Version, &d.Name, &d.Digest, &d.Subject, &created)
	d.Created = clock.FromMicros(created)
	return d, err
}

func insertDefinition(tx *db.Tx, d Definition) error {
	_, err := tx.Exec("INSERT INTO process_definition ("+definitionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		int64(d.Key), d.Project, d.Process, d.Version, d.Name, d.Digest, d.Subject, micros(d.Created))
	return err
}

// olderDefinitions lists the versions that were numbered by an older compiler, or
// by none.
func olderDefinitions(ctx context.Context, q db.Querier, compiler int) ([]Definition, error) {
	rows, err := q.Query(ctx, "SELECT "+definitionColumns+" FROM process_definition WHERE compiler < ? ORDER BY definition", compiler)
	return db.Scan(rows, err, func(r *sql.Rows) (Definition, error) { return scanDefinition(r.Scan) })
}

func optional[T any](v T, err error) (*T, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &v, err
}

func newest(ctx context.Context, q db.Querier, project, process string) (*Definition, error) {
	return optional(scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition WHERE project = ? AND process = ? ORDER BY version DESC LIMIT 1", project, process).Scan))
}

func definition(ctx context.Context, q db.Querier, project, process string, version int) (*Definition, error) {
	return optional(scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition WHERE project = ? AND process = ? AND version = ?", project, process, version).Scan))
}

func definitionByKey(ctx context.Context, q db.Querier, key int64) (Definition, error) {
	return scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition WHERE definition = ?", key).Scan)
}

// definitions lists the newest version of every process, or all versions of one.
func definitions(ctx context.Context, q db.Querier, project, process string, p api.Paging) ([]Definition, error) {
	query := "SELECT " + definitionColumns + " FROM process_definition d WHERE project = ? AND process > ? AND version = (SELECT MAX(version) FROM process_definition WHERE project = d.project AND process = d.process) ORDER BY process LIMIT ?"
	args := []any{project, p.After, p.Limit + 1}
	if process != "" {
		before := math.MaxInt32
		if p.After != "" {
			var err error
			if before, err = strconv.Atoi(p.After); err != nil {
				return nil, api.BadCursor()
			}
		}
		query = "SELECT " + definitionColumns + " FROM process_definition WHERE project = ? AND process = ? AND version < ? ORDER BY version DESC LIMIT ?"
		args = []any{project, process, before, p.Limit + 1}
	}
	rows, err := q.Query(ctx, query, args...)
	return db.Scan(rows, err, func(r *sql.Rows) (Definition, error) { return scanDefinition(r.Scan) })
}

const runColumns = "r.run, r.project, r.definition, r.process, r.title, r.subject, r.verdict, r.state, r.code, r.incidents, r.objects, r.started, r.ended, r.places, d.version"

func scanRun(read func(...any) error) (Run, error) {
	var r Run
	var objects string
	var started, ended int64
	err := read(&r.Key, &r.Project, &r.definition, &r.Process, &r.Title, &r.Subject, &r.Verdict, &r.State, &r.Code, &r.Incidents, &objects, &started, &ended, &r.places, &r.Version)
	r.Objects = []string{}
	if objects != "" {
		r.Objects = strings.Split(objects, "\n")
	}
	r.ObjectCount = len(r.Objects)
	r.Started, r.Ended = clock.FromMicros(started), clock.FromMicros(ended)
	return r, err
}

func insertRun(tx *db.Tx, r Run) error {
	_, err := tx.Exec("INSERT INTO process_run (run, project, definition, process, title, subject, verdict, state, code, incidents, objects, started, ended, places) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', 0, ?, ?, 0, ?)",
		int64(r.Key), r.Project, r.definition, r.Process, r.Title, r.Subject, r.Verdict, StateActive, strings.Join(r.Objects, "\n"), micros(r.Started), r.places)
	for _, o := range r.Objects {
		if err == nil {
			_, err = tx.Exec("INSERT INTO process_run_object (project, object, run) VALUES (?, ?, ?)", r.Project, o, int64(r.Key))
		}
	}
	return err
}

func findRun(ctx context.Context, q db.Querier, key api.Key) (Run, error) {
	r, err := optional(scanRun(q.QueryRow(ctx, "SELECT "+runColumns+" FROM process_run r JOIN process_definition d ON d.definition = r.definition WHERE r.run = ?", int64(key)).Scan))
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
	Project string    `query:"project" default:"default" maxLength:"64"`
	Process string    `query:"process" maxLength:"190" doc:"Only runs of this process"`
	Subject string    `query:"subject" maxLength:"190" doc:"Only runs that this user or token asked for"`
	Object  string    `query:"object" maxLength:"190" doc:"Only runs that were given this object"`
	Text    string    `query:"text" maxLength:"100" doc:"Only runs with this text in their title"`
	Since   time.Time `query:"since" doc:"Only runs that started at this time or later"`
	Until   time.Time `query:"until" doc:"Only runs that started before this time"`
}

// Filter selects runs.
type Filter struct {
	Choice
	State string `query:"state" enum:"active,incident,stopping,completed,failed,cancelled" doc:"Only runs in this state"`
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
		query, args = query+" AND r.run IN (SELECT run FROM process_run_object WHERE project = ? AND object = ?)", append(args, f.Project, f.Object)
	}
	for _, c := range []struct{ column, value string }{{"r.state", f.State}, {"r.process", f.Process}, {"r.subject", f.Subject}} {
		if c.value != "" {
			query, args = query+" AND "+c.column+" = ?", append(args, c.value)
		}
	}
	if f.Text != "" {
		like := "%" + likeEscape.Replace(f.Text) + "%"
		query, args = query+" AND (r.title LIKE ? ESCAPE '!' OR r.process LIKE ? ESCAPE '!')", append(args, like, like)
	}
	if !f.Since.IsZero() {
		query, args = query+" AND r.started >= ?", append(args, micros(f.Since))
	}
	if !f.Until.IsZero() {
		query, args = query+" AND r.started < ?", append(args, micros(f.Until))
	}
	return query, args
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
	rows, err := q.Query(ctx, "SELECT "+runColumns+" FROM process_run r JOIN process_definition d ON d.definition = r.definition WHERE "+where+" ORDER BY r.started DESC, r.run DESC LIMIT ?", append(args, f.Limit+1)...)
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

const incidentColumns = "incident, run, project, element, node, name, kind, message, since"

// incidentQuery reads incidents with the title of their run.
const incidentQuery = "SELECT i.incident, i.run, i.project, i.element, i.node, i.name, i.kind, i.message, i.since, r.title, r.process, r.places FROM process_incident i JOIN process_run r ON r.run = i.run WHERE "

func scanIncident(read func(...any) error) (Incident, error) {
	var i Incident
	var since int64
	err := read(&i.Key, &i.Run, &i.Project, &i.element, &i.Element, &i.Name, &i.Kind, &i.Message, &since, &i.Title, &i.Process, &i.places)
	i.Since = clock.FromMicros(since)
	return i, err
}

func insertIncident(tx *db.Tx, i Incident) error {
	_, err := tx.Exec("INSERT INTO process_incident ("+incidentColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		int64(i.Key), int64(i.Run), i.Project, i.element, i.Element, i.Name, i.Kind, cutText(i.Message), micros(i.Since))
	if err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE process_run SET incidents = incidents + 1, state = ? WHERE run = ?", StateIncident, int64(i.Run))
	return err
}

const maxMessage = 4 << 10 // bytes of an incident's message in a list

func cutText(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

// pastIncidents keeps which step the incidents were of that are about to go.
func pastIncidents(tx *db.Tx, column string, key int64) error {
	_, err := tx.Exec("INSERT INTO process_incident_past (incident, run, node) SELECT incident, run, node FROM process_incident WHERE "+column+" = ?", key)
	return err
}

func dropIncident(tx *db.Tx, run, incident int64) error {
	if err := pastIncidents(tx, "incident", incident); err != nil {
		return err
	}
	n, err := tx.Exec("DELETE FROM process_incident WHERE incident = ?", incident)
	if err != nil || n == 0 {
		return err
	}
	if _, err := tx.Exec("UPDATE process_run SET incidents = incidents - 1 WHERE run = ?", run); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE process_run SET state = ? WHERE run = ? AND incidents = 0 AND state = ?", StateActive, run, StateIncident)
	return err
}

func incidentByKey(ctx context.Context, q db.Querier, key api.Key) (*Incident, error) {
	return optional(scanIncident(q.QueryRow(ctx, incidentQuery+"i.incident = ?", int64(key)).Scan))
}

// newerIncident finds the incident with which the step of an incident that is over
// stands still now; nil where it does not.
func newerIncident(ctx context.Context, q db.Querier, key api.Key) (*Incident, error) {
	return optional(scanIncident(q.QueryRow(ctx, incidentQuery+"i.incident = (SELECT MAX(n.incident) FROM process_incident n JOIN process_incident_past p ON p.run = n.run AND p.node = n.node WHERE p.incident = ?)", int64(key)).Scan))
}

// firstIncident finds the oldest open incident of a run; nil where there is none.
func firstIncident(ctx context.Context, q db.Querier, run api.Key) (*Incident, error) {
	return optional(scanIncident(q.QueryRow(ctx, incidentQuery+"i.run = ? ORDER BY i.since, i.incident LIMIT 1", int64(run)).Scan))
}

// incidents lists open incidents, the newest first.
func incidents(ctx context.Context, q db.Querier, project string, run api.Key, p api.Paging) ([]Incident, error) {
	query, args := incidentQuery+"i.project = ?", []any{project}
	if seen, some := identity.Sight(ctx, "run.read", project, "r.places"); seen != "" {
		query, args = query+" AND "+seen, append(args, some...)
	}
	if run != 0 {
		query, args = query+" AND i.run = ?", append(args, int64(run))
	}
	if p.After != "" {
		var since, last int64
		if n, err := fmt.Sscanf(p.After, "%d.%d", &since, &last); err != nil || n != 2 {
			return nil, api.BadCursor()
		}
		query, args = query+" AND (i.since < ? OR i.since = ? AND i.incident < ?)", append(args, since, since, last)
	}
	rows, err := q.Query(ctx, query+" ORDER BY i.since DESC, i.incident DESC LIMIT ?", append(args, p.Limit+1)...)
	return db.Scan(rows, err, func(r *sql.Rows) (Incident, error) { return scanIncident(r.Scan) })
}

// endRun closes the row of a run.
func endRun(tx *db.Tx, run int64, e engine.Effect, now int64) error {
	if _, err := tx.Exec("UPDATE process_run SET state = ?, code = ?, ended = ?, incidents = 0, final = '' WHERE run = ?", e.State, e.Code, now, run); err != nil {
		return err
	}
	return dropIncidents(tx, run)
}

func dropIncidents(tx *db.Tx, run int64) error {
	if err := pastIncidents(tx, "run", run); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM process_incident WHERE run = ?", run)
	return err
}

// stopRun notes that a run has ended but for what it began.
func stopRun(tx *db.Tx, run int64, e engine.Effect) error {
	if _, err := tx.Exec("UPDATE process_run SET state = ?, code = ?, final = ?, incidents = 0 WHERE run = ?", StateStopping, e.Code, e.State, run); err != nil {
		return err
	}
	return dropIncidents(tx, run)
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
