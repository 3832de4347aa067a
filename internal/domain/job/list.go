package job

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// States of an open job.
const (
	stateFree   = "free"
	stateLeased = "leased"
	statePaused = "paused"
	stateStuck  = "stuck"
)

// Open is a job that is not done, as lists tell of it.
type Open struct {
	Key     api.Key   `json:"key"`
	Type    string    `json:"type"`
	Run     api.Key   `json:"run"`
	Process string    `json:"process"`
	Element string    `json:"element" doc:"Id of the step"`
	State   string    `json:"state" enum:"free,leased,paused,stuck" doc:"free: a worker may take it; leased: one has it; paused: it failed and is free again later; stuck: it has no tries left and waits for help"`
	Retries int32     `json:"retries" doc:"Tries that are left"`
	Worker  string    `json:"worker,omitempty" doc:"Who has it"`
	Until   time.Time `json:"until,omitzero" doc:"When its lease or pause is over"`
}

// Filter selects open jobs.
type Filter struct {
	Project string       `query:"project" default:"default" maxLength:"64"`
	Type    string       `query:"type" maxLength:"190" doc:"Only jobs of this type"`
	State   string       `query:"state" enum:"free,leased,paused,stuck" doc:"Only jobs in this state"`
	Run     api.KeyParam `query:"run" doc:"Only jobs of this run"`
	api.Paging
}

// List lists the open jobs of a project whose runs the subject of ctx may see, the
// oldest first.
func (s *Service) List(ctx context.Context, f Filter) (api.Page[Open], error) {
	if err := identity.Require(ctx, "run.read", f.Project); err != nil {
		return api.Page[Open]{}, err
	}
	now := clock.Micros(s.clock.Now())
	query, args := "SELECT "+columns+" FROM job_open WHERE project = ?", []any{f.Project}
	if seen, some := s.runs().Seen(ctx, "run.read", f.Project, "job_open.run"); seen != "" {
		query, args = query+" AND "+seen, append(args, some...)
	}
	if f.Type != "" {
		query, args = query+" AND type = ?", append(args, f.Type)
	}
	if f.Run.Key != 0 {
		query, args = query+" AND run = ?", append(args, int64(f.Run.Key))
	}
	switch f.State {
	case stateFree:
		query, args = query+" AND free <= ?", append(args, now)
	case stateLeased:
		query, args = query+" AND free > ? AND free < ? AND worker <> ''", append(args, now, int64(never))
	case statePaused:
		query, args = query+" AND free > ? AND free < ? AND worker = ''", append(args, now, int64(never))
	case stateStuck:
		query, args = query+" AND free = ?", append(args, int64(never))
	}
	if f.After != "" {
		after, err := strconv.ParseInt(f.After, 10, 64)
		if err != nil {
			return api.Page[Open]{}, api.BadCursor()
		}
		query, args = query+" AND job > ?", append(args, after)
	}
	rows, err := s.db.Query(ctx, query+" ORDER BY job LIMIT ?", append(args, f.Limit+1)...)
	all, err := db.Scan(rows, err, func(r *sql.Rows) (Open, error) {
		found, err := scan(r.Scan)
		return found.open(now), err
	})
	if err != nil {
		return api.Page[Open]{}, err
	}
	return api.PageOf(all, f.Limit, func(o Open) string { return o.Key.String() }), nil
}

// open is how a job stands at a time.
func (r row) open(now int64) Open {
	o := Open{Key: api.Key(r.key), Type: r.kind, Run: api.Key(r.run), Process: r.process, Element: r.node,
		Retries: r.retries, State: stateFree}
	switch {
	case r.free == never:
		o.State, o.Retries = stateStuck, 0
	case r.free > now && r.workerOf != "":
		o.State, o.Worker, o.Until = stateLeased, r.workerOf, clock.FromMicros(r.free)
	case r.free > now:
		o.State, o.Until = statePaused, clock.FromMicros(r.free)
	}
	return o
}
