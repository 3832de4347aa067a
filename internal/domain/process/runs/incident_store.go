package runs

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

const incidentColumns = "incident, run, project, element, node, name, kind, message, since"

// countIncidents counts the open incidents of each run.
const countIncidents = "SELECT run, COUNT(*) FROM process_incident GROUP BY run"

// incidentQuery reads incidents with the title of their run.
const incidentQuery = "SELECT i.incident, i.run, i.project, i.element, i.node, " +
	"i.name, i.kind, i.message, i.since, r.title, r.process, r.places FROM process_incident i JOIN process_run r ON r.run = i.run WHERE "

func scanIncident(read func(...any) error) (Incident, error) {
	var i Incident
	var since int64
	err := read(&i.Key, &i.Run, &i.Project, &i.element, &i.Element, &i.Name, &i.Kind, &i.Message, &since, &i.Title, &i.Process, &i.places)
	i.Since = clock.FromMicros(since)
	return i, err
}

func insertIncident(tx *db.Tx, i Incident) error {
	_, err := tx.Exec("INSERT INTO process_incident ("+incidentColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		int64(i.Key), int64(i.Run), i.Project, i.element, i.Element, i.Name, i.Kind, cutText(i.Message), clock.Micros(i.Since))
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
	_, err := tx.Exec("INSERT INTO process_incident_past (incident, run, node) SELECT incident, run, node FROM process_incident WHERE "+
		column+" = ?", key)
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
	return optional(scanIncident(q.QueryRow(ctx, incidentQuery+"i.incident = (SELECT MAX(n.incident) "+
		"FROM process_incident n JOIN process_incident_past p ON p.run = n.run AND p.node = n.node WHERE p.incident = ?)", int64(key)).Scan))
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
		query += " AND (i.run = ? OR i.run IN (SELECT run FROM process_call WHERE parent = ? OR root = ?))"
		args = append(args, int64(run), int64(run), int64(run))
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
