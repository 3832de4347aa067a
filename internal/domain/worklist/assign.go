package worklist

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Assigned is the data of the event that another person does a task, or nobody yet.
type Assigned struct {
	Run      string `json:"run" doc:"Key of the run"`
	Assignee string `json:"assignee,omitempty" doc:"Who does it now; absent where it was given back"`
}

var assigned = bus.Kind[Assigned]{Type: "sextant.task.assigned.v1", Subject: "task/{key}",
	Says: "A person has taken a task, given it back or passed it on.", Read: "task.read"}

// Events are the kinds of events on tasks that do not come from their run.
func Events() []bus.Declared { return []bus.Declared{assigned.Declared()} }

// open reads an open task that the subject of ctx may see and has the right to complete;
// one that it may not see is as if it were not there.
func (l *List) open(ctx context.Context, key api.Key) (Task, error) {
	missing := errs.New(errs.NotFound, "task.not_found", "there is no open task %d", key)
	t, err := scan(l.db.QueryRow(ctx, "SELECT "+columns+" FROM worklist_task WHERE task = ?", int64(key)).Scan)
	if errors.Is(err, sql.ErrNoRows) || err == nil && identity.Require(ctx, read, t.Project) != nil {
		return t, missing
	}
	if err != nil {
		return t, err
	}
	there, err := l.sees(ctx, read, t)
	if err == nil && !there {
		err = missing
	}
	if err == nil {
		err = l.runs.MayComplete(ctx, t)
	}
	return t, err
}

// Claim takes a task for the subject of ctx: nobody else completes it then. A Conflict
// error says that somebody else was faster.
func (l *List) Claim(ctx context.Context, key api.Key) error {
	t, err := l.open(ctx, key)
	if err != nil {
		return err
	}
	who := identity.From(ctx)
	if t.Assignee == who.Name {
		return nil
	}
	if t.Assignee != "" {
		return errs.New(errs.Conflict, "task.assigned", "the task is assigned to %s", t.Assignee).With("assignee", t.Assignee)
	}
	if err := l.mayDo(ctx, t); err != nil {
		return err
	}
	return l.assign(ctx, t, change{To: who.Name, Verb: "task.claim"})
}

// Release gives a task back that the subject of ctx has claimed, or that somebody has
// for whom it may manage tasks.
func (l *List) Release(ctx context.Context, key api.Key) error {
	t, err := l.open(ctx, key)
	if err != nil {
		return err
	}
	if err := l.mayDo(ctx, t); err != nil {
		return err
	}
	if t.Claimed.IsZero() {
		return errs.New(errs.Conflict, "task.not_claimed", "nobody has claimed the task %q: there is nothing to give back", t.Name)
	}
	return l.assign(ctx, t, change{Verb: "task.release"})
}

// Delegate passes a task on to another person, who has to be able to see and complete it.
func (l *List) Delegate(ctx context.Context, key api.Key, to string) error {
	t, err := l.open(ctx, key)
	if err != nil {
		return err
	}
	if err := l.mayDo(ctx, t); err != nil {
		return err
	}
	if err := l.able(ctx, t, to); err != nil {
		return err
	}
	return l.assign(ctx, t, change{To: to, Verb: "task.delegate"})
}

// change is who does a task from now on, nobody where it is empty.
type change struct{ To, Verb string }

// assign notes who does a task, if nobody else was faster.
func (l *List) assign(ctx context.Context, t Task, c change) error {
	to, at := c.To, int64(0)
	if to != "" {
		at = clock.Micros(l.Clock.Now())
	}
	detail, err := json.Marshal(map[string]any{"run": t.Run.String(), "element": t.Element, "assignee": to})
	if err != nil {
		return err
	}
	return l.db.Do(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec("UPDATE worklist_task SET assignee = ?, claimed = ? WHERE task = ? AND assignee = ?", to, at, int64(t.Key), t.Assignee)
		if err != nil {
			return err
		}
		if n == 0 {
			return errs.New(errs.Conflict, "task.changed", "somebody else has taken the task %q, or it is done: look at it again", t.Name)
		}
		subject := "task/" + t.Key.String()
		if err := assigned.Publish(l.Bus, tx, bus.Of{Subject: subject, Project: t.Project}, Assigned{t.Run.String(), to}); err != nil {
			return err
		}
		return l.audit.Write(ctx, tx,
			audit.Record{Project: t.Project, Actor: identity.From(ctx).Actor(), Verb: c.Verb, Object: subject, Detail: detail})
	})
}

func (l *List) assignRoutes(a *api.API) {
	type TaskKey struct {
		Key api.KeyParam `path:"key"`
	}
	for verb, do := range map[string]struct {
		id, summary string
		do          func(context.Context, api.Key) error
	}{"claim": {"claimTask", "Take a task: nobody else completes it then", l.Claim},
		"release": {"releaseTask", "Give a task back", l.Release}} {
		api.Register(a, api.Endpoint{ID: do.id, Method: http.MethodPost, Path: "/api/v1/tasks/{key}/" + verb,
			Tag: "tasks", Summary: do.summary, Permission: "task.complete", Status: http.StatusNoContent},
			func(ctx context.Context, in *TaskKey) (*struct{}, error) { return nil, do.do(ctx, in.Key.Key) })
	}
	type delegate struct {
		TaskKey
		Body struct {
			To string `json:"to" minLength:"1" maxLength:"190" doc:"Name of the user who is to do it"`
		}
	}
	api.Register(a, api.Endpoint{ID: "delegateTask", Method: http.MethodPost, Path: "/api/v1/tasks/{key}/delegate",
		Tag: "tasks", Summary: "Pass a task on to another person", Permission: "task.complete", Status: http.StatusNoContent},
		func(ctx context.Context, in *delegate) (*struct{}, error) {
			return nil, l.Delegate(ctx, in.Key.Key, in.Body.To)
		})
}

func lines(all []string) string { return strings.Join(all, ",") }

func unlines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// time0 is a stored time, zero for 0.
func time0(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return clock.FromMicros(us)
}

func stored(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return clock.Micros(t)
}
