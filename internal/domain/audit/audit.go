// Package audit keeps who did what: one record per change, written in the same
// transaction as the change, never changed and never deleted by the platform.
package audit

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/obs"
)

// Migrations holds the table of records.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "audit"

// Actor is who did something.
type Actor struct {
	Subject string `json:"subject" doc:"Who did it: user/id, plugin/name or run/key"`
	Name    string `json:"subjectName,omitempty" doc:"What they were called then"`
}

// Changes are the attributes that an object had before a change and has after
// it; one that is absent had no value. Long values are cut.
type Changes struct {
	Before map[string]json.RawMessage `json:"before,omitempty"`
	After  map[string]json.RawMessage `json:"after,omitempty"`
	Secret []string                   `json:"secret,omitempty" doc:"Attributes that were written too, and whose values nobody sees"`
}

// Record says that a subject did something to an object.
type Record struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Project string    `json:"project"`
	Actor
	Verb    string          `json:"verb" doc:"The permission that it needed, such as process.deploy"`
	Object  string          `json:"object" doc:"What it was done to: pkg:type/id or domain/id"`
	Outcome string          `json:"outcome" doc:"done or refused"`
	Request string          `json:"requestId,omitempty"`
	Detail  json.RawMessage `json:"detail,omitempty"`
	Changes *Changes        `json:"changes,omitempty" doc:"Only in the history of an object"`
	// Environment is that of the object then, a star where it has none; empty for
	// what is no object.
	Environment string `json:"environment,omitempty" doc:"Environment of the object as of then"`
	seq         int64  // in the order of writing, whatever the clock said
}

// The outcomes.
const (
	Done    = "done"
	Refused = "refused"
)

// Log writes and reads records.
type Log struct {
	db    *db.DB
	clock clock.Clock
	mu    sync.Mutex
	last  int64 // number of the newest record; 0 before the first
}

// number gives the next record its place, within the write: a clock that was set
// back does not put what happened behind what is read already.
func (l *Log) number(ctx context.Context, tx *db.Tx) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == 0 {
		if err := tx.QueryRow(ctx, "SELECT COALESCE(MAX(seq), 0) FROM audit_record").Scan(&l.last); err != nil {
			return 0, err
		}
	}
	l.last++
	return l.last, nil
}

// New makes a log over a migrated database.
func New(d *db.DB, c clock.Clock) *Log {
	return &Log{db: d, clock: c}
}

// Write adds a record to the write that it is about. Detail holds no secret. A
// record of what was done elsewhere has its time; else it is now.
func (l *Log) Write(ctx context.Context, tx *db.Tx, r Record) error {
	if r.Outcome == "" {
		r.Outcome = Done
	}
	if r.Detail == nil {
		r.Detail = json.RawMessage("{}")
	}
	seq, err := l.number(ctx, tx)
	if err != nil {
		return err
	}
	changes := []byte{}
	if r.Changes != nil {
		if changes, err = json.Marshal(r.Changes); err != nil {
			return err
		}
	}
	if r.Time.IsZero() {
		r.Time = l.clock.Now()
	}
	return tx.Append("INSERT INTO audit_record (seq, id, time, project, "+
		"environment, subject, name, verb, object, outcome, request, detail, changes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		seq, clock.NewID(l.clock), clock.Micros(r.Time), r.Project, r.Environment,
		r.Subject, r.Name, r.Verb, r.Object, r.Outcome, cmp.Or(r.Request, obs.RequestID(ctx)), []byte(r.Detail), changes)
}

// Filter selects records; empty fields select everything.
type Filter struct {
	Project string
	Object  string
	Name    string
	Outcome string
	// Since leaves out what was before the newest record of this verb about Object.
	Since string
	// Environments keeps to records about objects that were in one of them, or in
	// none at all; nil is all records.
	Environments []string
	// Values adds what changed to what: who may read records may not read every object.
	Values bool
	api.Paging
}

// List reads records of a project, newest first.
func (l *Log) List(ctx context.Context, f Filter) (api.Page[Record], error) {
	query := "SELECT seq, id, time, project, environment, subject, name, verb, object, outcome, request, detail, changes " +
		"FROM audit_record WHERE project = ?"
	args := []any{f.Project}
	for _, c := range []struct{ where, value string }{
		{" AND object = ?", f.Object}, {" AND name = ?", f.Name}, {" AND outcome = ?", f.Outcome}} {
		if c.value != "" {
			query, args = query+c.where, append(args, c.value)
		}
	}
	if f.Environments != nil {
		query += " AND environment IN ('*'" + strings.Repeat(", ?", len(f.Environments)) + ")"
		for _, e := range f.Environments {
			args = append(args, e)
		}
	}
	if f.After != "" {
		before, err := strconv.ParseInt(f.After, 10, 64)
		if err != nil {
			return api.Page[Record]{}, api.BadCursor()
		}
		query, args = query+" AND seq < ?", append(args, before)
	}
	if f.Since != "" {
		query += " AND seq >= COALESCE((SELECT MAX(seq) FROM audit_record WHERE project = ? AND object = ? AND verb = ?), 0)"
		args = append(args, f.Project, f.Object, f.Since)
	}
	rows, err := l.db.Query(ctx, query+" ORDER BY seq DESC LIMIT ?", append(args, f.Limit+1)...)
	all, err := db.Scan(rows, err, func(r *sql.Rows) (Record, error) {
		var v Record
		var at int64
		var detail, changes []byte
		err := r.Scan(&v.seq, &v.ID, &at, &v.Project, &v.Environment, &v.Subject,
			&v.Name, &v.Verb, &v.Object, &v.Outcome, &v.Request, &detail, &changes)
		v.Time, v.Detail = clock.FromMicros(at), detail
		if err == nil && f.Values && len(changes) > 0 {
			err = json.Unmarshal(changes, &v.Changes)
		}
		return v, err
	})
	if err != nil {
		return api.Page[Record]{}, err
	}
	return api.PageOf(all, f.Limit, func(r Record) string { return strconv.FormatInt(r.seq, 10) }), nil
}

// Routes adds the endpoint that lists records.
func (l *Log) Routes(a *api.API) {
	type in struct {
		api.Paging
		Project string `query:"project" default:"default" maxLength:"64"`
		Object  string `query:"object" maxLength:"190" doc:"Only records about this object"`
		Name    string `query:"subjectName" maxLength:"190" doc:"Only what somebody of this name did"`
		Outcome string `query:"outcome" enum:"done,refused"`
	}
	type out struct{ Body api.Page[Record] }
	api.Register(a, api.Endpoint{ID: "listAuditRecords", Method: "GET", Path: "/api/v1/audit",
		Tag: "audit", Summary: "Who did what, newest first", Permission: "audit.read"},
		func(ctx context.Context, i *in) (*out, error) {
			if err := a.Authorize(ctx, "audit.read", i.Project); err != nil {
				return nil, err
			}
			page, err := l.List(ctx, Filter{Project: i.Project, Object: i.Object, Name: i.Name, Outcome: i.Outcome, Paging: i.Paging})
			return &out{page}, err
		})
}
