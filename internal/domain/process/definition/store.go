package definition

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

func rawJSON(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}

const definitionColumns = "definition, project, process, version, name, digest, subject, created, tag"

func scanDefinition(read func(...any) error) (Definition, error) {
	var d Definition
	var created int64
	err := read(&d.Key, &d.Project, &d.Process, &d.Version, &d.Name, &d.Digest, &d.Subject, &created, &d.Tag)
	d.Created = clock.FromMicros(created)
	return d, err
}

func insertDefinition(tx *db.Tx, d Definition) error {
	_, err := tx.Exec("INSERT INTO process_definition ("+definitionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		int64(d.Key), d.Project, d.Process, d.Version, d.Name, d.Digest, d.Subject, clock.Micros(d.Created), d.Tag)
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
	return optional(scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition "+
		"WHERE project = ? AND process = ? ORDER BY version DESC LIMIT 1", project, process).Scan))
}

// tagged gives the newest version with a tag, ofFile the newest that came with a file.
func tagged(ctx context.Context, q db.Querier, project, process, tag string) (*Definition, error) {
	return optional(scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition "+
		"WHERE project = ? AND process = ? AND tag = ? ORDER BY version DESC LIMIT 1", project, process, tag).Scan))
}

func ofFile(ctx context.Context, q db.Querier, project, process, digest string) (*Definition, error) {
	return optional(scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition "+
		"WHERE project = ? AND process = ? AND digest = ? ORDER BY version DESC LIMIT 1", project, process, digest).Scan))
}

func setTag(tx *db.Tx, definition int64, tag string) error {
	_, err := tx.Exec("UPDATE process_definition SET tag = ? WHERE definition = ?", tag, definition)
	return err
}

func definition(ctx context.Context, q db.Querier, project, process string, version int) (*Definition, error) {
	return optional(scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition "+
		"WHERE project = ? AND process = ? AND version = ?", project, process, version).Scan))
}

func definitionByKey(ctx context.Context, q db.Querier, key int64) (Definition, error) {
	return scanDefinition(q.QueryRow(ctx, "SELECT "+definitionColumns+" FROM process_definition WHERE definition = ?", key).Scan)
}

// definitions lists the newest version of every process, or all versions of one.
func definitions(ctx context.Context, q db.Querier, project, process string, p api.Paging) ([]Definition, error) {
	query := "SELECT " + definitionColumns + " FROM process_definition d WHERE project = ? AND process > ? " +
		"AND version = (SELECT MAX(version) FROM process_definition WHERE project = d.project AND process = d.process) ORDER BY process LIMIT ?"
	args := []any{project, p.After, p.Limit + 1}
	if process != "" {
		before := math.MaxInt32
		if p.After != "" {
			var err error
			if before, err = strconv.Atoi(p.After); err != nil {
				return nil, api.BadCursor()
			}
		}
		query = "SELECT " + definitionColumns + " FROM process_definition " +
			"WHERE project = ? AND process = ? AND version < ? ORDER BY version DESC LIMIT ?"
		args = []any{project, process, before, p.Limit + 1}
	}
	rows, err := q.Query(ctx, query, args...)
	return db.Scan(rows, err, func(r *sql.Rows) (Definition, error) { return scanDefinition(r.Scan) })
}

// Uses reports whether a version of a process has a file.
func (s *Service) Uses(ctx context.Context, digest string) (bool, error) {
	var n int
	err := s.DB.QueryRow(ctx, "SELECT COUNT(*) FROM process_definition WHERE digest = ?", digest).Scan(&n)
	return n > 0, err
}
