// Package worklist is the one inbox for the work of people: the user tasks of
// runs.
//
//	created by a run ─► open ─► completed by a person
//	                     └────► withdrawn by the run
//
// A task is stored in the write of the step that created it and goes in the
// write that completes it; the run that asks decides what completing means.
package worklist

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Migrations holds the open tasks.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "worklist"

// Task is work that waits for a person.
type Task struct {
	Key      api.Key   `json:"key"`
	Run      api.Key   `json:"run"`
	Project  string    `json:"project"`
	Element  string    `json:"element" doc:"Id of the step"`
	Name     string    `json:"name"`
	Assignee string    `json:"assignee,omitempty" doc:"Only this user may complete it"`
	People   []string  `json:"people,omitempty" doc:"Groups and users that are asked"`
	Form     string    `json:"form,omitempty"`
	Created  time.Time `json:"created"`
}

// Completer completes the task of a run; with shares the commit.
type Completer interface {
	CompleteTask(ctx context.Context, t Task, vars map[string]json.RawMessage, with func(*db.Tx) error) error
}

// List is the inbox. It is safe for concurrent use.
type List struct {
	db    *db.DB
	audit *audit.Log
	runs  Completer
}

// New makes the inbox over a migrated database; Attach connects it to the runs.
func New(d *db.DB, a *audit.Log) *List { return &List{db: d, audit: a} }

// Attach connects the inbox to what completes tasks.
func (l *List) Attach(c Completer) { l.runs = c }

// Put adds a task in the write of the step that created it.
func (l *List) Put(tx *db.Tx, t Task) error {
	return tx.Upsert("worklist_task", 1, []string{"task", "run", "project", "node", "name", "assignee", "people", "form", "created"},
		int64(t.Key), int64(t.Run), t.Project, t.Element, t.Name, t.Assignee, strings.Join(t.People, ","), t.Form, clock.Micros(t.Created))
}

// Drop removes a task that was done or is wanted no more.
func (l *List) Drop(tx *db.Tx, task int64) error {
	_, err := tx.Exec("DELETE FROM worklist_task WHERE task = ?", task)
	return err
}

// DropRun removes the tasks of a run that has ended.
func (l *List) DropRun(tx *db.Tx, run int64) error {
	_, err := tx.Exec("DELETE FROM worklist_task WHERE run = ?", run)
	return err
}

const columns = "task, run, project, node, name, assignee, people, form, created"

func scan(read func(...any) error) (Task, error) {
	var t Task
	var people string
	var created int64
	err := read(&t.Key, &t.Run, &t.Project, &t.Element, &t.Name, &t.Assignee, &people, &t.Form, &created)
	if people != "" {
		t.People = strings.Split(people, ",")
	}
	t.Created = clock.FromMicros(created)
	return t, err
}

// Filter selects tasks.
type Filter struct {
	Project string       `query:"project" default:"default" maxLength:"64"`
	Run     api.KeyParam `query:"run" doc:"Only tasks of this run"`
	api.Paging
}

// Find lists open tasks of a project, oldest first.
func (l *List) Find(ctx context.Context, f Filter) (api.Page[Task], error) {
	if err := identity.Require(ctx, "task.read", f.Project); err != nil {
		return api.Page[Task]{}, err
	}
	query, args := "SELECT "+columns+" FROM worklist_task WHERE project = ?", []any{f.Project}
	if f.Run.Key != 0 {
		query, args = query+" AND run = ?", append(args, int64(f.Run.Key))
	}
	if f.After != "" {
		var after api.Key
		if err := after.UnmarshalText([]byte(f.After)); err != nil {
			return api.Page[Task]{}, errs.New(errs.Malformed, "request.malformed", "%.40q is not where a page ended", f.After)
		}
		query, args = query+" AND task > ?", append(args, int64(after))
	}
	rows, err := l.db.Query(ctx, query+" ORDER BY task LIMIT ?", append(args, f.Limit+1)...)
	all, err := db.Scan(rows, err, func(r *sql.Rows) (Task, error) { return scan(r.Scan) })
	if err != nil {
		return api.Page[Task]{}, err
	}
	return api.PageOf(all, f.Limit, func(t Task) string { return t.Key.String() }), nil
}

// Complete ends a task with its results.
func (l *List) Complete(ctx context.Context, key api.Key, vars map[string]json.RawMessage) error {
	missing := errs.New(errs.NotFound, "task.not_found", "there is no open task %d", key)
	t, err := scan(l.db.QueryRow(ctx, "SELECT "+columns+" FROM worklist_task WHERE task = ?", int64(key)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	if err != nil {
		return err
	}
	if identity.Require(ctx, "task.read", t.Project) != nil {
		return missing
	}
	if err := identity.Require(ctx, "task.complete", t.Project); err != nil {
		return err
	}
	who := identity.From(ctx)
	if t.Assignee != "" && t.Assignee != who.Name && !who.Can("task.manage", t.Project) {
		return errs.New(errs.Forbidden, "task.assigned", "the task is assigned to %s", t.Assignee).With("assignee", t.Assignee)
	}
	detail, err := json.Marshal(map[string]any{"run": t.Run.String(), "element": t.Element})
	if err != nil {
		return err
	}
	return l.runs.CompleteTask(ctx, t, vars, func(tx *db.Tx) error {
		return l.audit.Write(ctx, tx, audit.Record{Project: t.Project, Actor: who.Actor(), Verb: "task.complete", Object: "task/" + key.String(), Detail: detail})
	})
}

// Routes adds the endpoints.
func (l *List) Routes(a *api.API) {
	type page struct{ Body api.Page[Task] }
	api.Register(a, api.Endpoint{ID: "listTasks", Method: http.MethodGet, Path: "/api/v1/tasks", Tag: "tasks", Summary: "Work that waits for people", Permission: "task.read"},
		func(ctx context.Context, in *Filter) (*page, error) {
			p, err := l.Find(ctx, *in)
			return &page{p}, err
		})
	type complete struct {
		Key  api.KeyParam `path:"key"`
		Body struct {
			Variables map[string]json.RawMessage `json:"variables,omitempty" doc:"Results of the task"`
		}
	}
	api.Register(a, api.Endpoint{ID: "completeTask", Method: http.MethodPost, Path: "/api/v1/tasks/{key}/complete", Tag: "tasks", Summary: "Complete a task", Permission: "task.complete", Status: http.StatusNoContent},
		func(ctx context.Context, in *complete) (*struct{}, error) {
			return nil, l.Complete(ctx, in.Key.Key, in.Body.Variables)
		})
}
