package decision

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

const columns = "project, decision, version, name, model, digest, subject, created"

func scan(read func(...any) error) (v Version, err error) {
	var created int64
	err = read(&v.Project, &v.Decision, &v.Version, &v.Name, &v.Model, &v.Digest, &v.Subject, &created)
	v.Created = clock.FromMicros(created)
	return v, err
}

func insert(tx *db.Tx, v Version) error {
	_, err := tx.Exec("INSERT INTO decision_definition ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		v.Project, v.Decision, v.Version, v.Name, v.Model, v.Digest, v.Subject, clock.Micros(v.Created))
	return err
}

// find gives a version, the newest for 0; nil where there is none.
func find(ctx context.Context, q db.Querier, project, decision string, version int) (*Version, error) {
	query, args := "SELECT "+columns+" FROM decision_definition WHERE project = ? AND decision = ?", []any{project, decision}
	if version > 0 {
		query, args = query+" AND version = ?", append(args, version)
	}
	v, err := scan(q.QueryRow(ctx, query+" ORDER BY version DESC LIMIT 1", args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &v, err
}

// list gives the newest version of every decision, or all versions of one.
func list(ctx context.Context, q db.Querier, project, decision string, p api.Paging) ([]Version, error) {
	query := "SELECT " + columns + " FROM decision_definition d WHERE project = ? AND decision > ? AND version = (SELECT MAX(version) " +
		"FROM decision_definition WHERE project = d.project AND decision = d.decision) ORDER BY decision LIMIT ?"
	args := []any{project, p.After, p.Limit + 1}
	if decision != "" {
		before := math.MaxInt32
		if p.After != "" {
			var err error
			if before, err = strconv.Atoi(p.After); err != nil {
				return nil, api.BadCursor()
			}
		}
		query, args = "SELECT "+columns+" FROM decision_definition WHERE project = ? AND decision = ? AND version < ? "+
			"ORDER BY version DESC LIMIT ?", []any{project, decision, before, p.Limit + 1}
	}
	rows, err := q.Query(ctx, query, args...)
	return db.Scan(rows, err, func(r *sql.Rows) (Version, error) { return scan(r.Scan) })
}

// Evaluation is what a step of a run got from a decision.
type Evaluation struct {
	Job      api.Key         `json:"job"`
	Element  string          `json:"element" doc:"Id of the step"`
	Decision string          `json:"decision"`
	Version  int             `json:"version"`
	Time     time.Time       `json:"time"`
	Value    json.RawMessage `json:"value"`
	Trace    json.RawMessage `json:"trace,omitempty" doc:"Every value on the way, and the rules that matched; not kept where it has more than 48 KiB"`
	Warnings []string        `json:"warnings,omitempty" doc:"Why something on the way became null"`
}

func made(ctx context.Context, q db.Querier, run, after int64, limit int) ([]Evaluation, error) {
	rows, err := q.Query(ctx, "SELECT job, node, decision, version, time, value, trace, warnings "+
		"FROM decision_made WHERE run = ? AND job > ? ORDER BY job LIMIT ?", run, after, limit)
	return db.Scan(rows, err, func(r *sql.Rows) (m Evaluation, err error) {
		var at int64
		var value, trace, warnings string
		err = r.Scan(&m.Job, &m.Element, &m.Decision, &m.Version, &at, &value, &trace, &warnings)
		if warnings != "" {
			m.Warnings = strings.Split(warnings, "\n")
		}
		m.Time, m.Value = clock.FromMicros(at), json.RawMessage(value)
		if trace != "" {
			m.Trace = json.RawMessage(trace)
		}
		return m, err
	})
}

// Uses reports whether a version of a decision has a file.
func (s *Service) Uses(ctx context.Context, digest string) (bool, error) {
	var n int
	err := s.DB.QueryRow(ctx, "SELECT COUNT(*) FROM decision_definition WHERE digest = ?", digest).Scan(&n)
	return n > 0, err
}
