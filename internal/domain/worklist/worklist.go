// Package worklist is the one inbox for the work of people: the user tasks of
// runs, and those that decide about a verdict.
//
//	created ─► open ─► completed by a person who does it, or is asked
//	           │  ▲ └► withdrawn by the run
//	    claimed│  │released
//	           ▼  │
//	         assigned ─► delegated to another
//
// A task is stored in the write of the step that created it and goes in the
// write that completes it; the run that asks decides what completing means.
package worklist

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
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
	Verdict  string    `json:"verdict,omitempty" doc:"The verdict that it decides, where it is no step of the run"`
	Assignee string    `json:"assignee,omitempty" doc:"Only this user may complete it, and who may manage tasks"`
	Claimed  time.Time `json:"claimed,omitzero" doc:"Since when the assignee has taken it; absent where the process assigned it"`
	People   []string  `json:"people,omitempty" doc:"Groups and users that are asked: they alone may take and complete it, and who may manage tasks"`
	Groups   []string  `json:"groups,omitempty" doc:"Roles that are asked"`
	Users    []string  `json:"users,omitempty" doc:"Users that are asked"`
	Due      time.Time `json:"due,omitzero" doc:"By when it should be done"`
	FollowUp time.Time `json:"followUp,omitzero" doc:"When somebody should look at it"`
	Form     string    `json:"form,omitempty"`
	Created  time.Time `json:"created"`
	Nobody   bool      `json:"nobody,omitempty" doc:"None of those who are asked may see and complete it; told where the tasks of one run are asked for"`
	// What the run says of it.
	Process       string     `json:"process,omitempty"`
	Title         string     `json:"title,omitempty" doc:"Title of the run"`
	Objects       []string   `json:"objects,omitempty" doc:"What the run acts on, the first five"`
	ObjectCount   int        `json:"objectCount,omitempty"`
	Documentation string     `json:"documentation,omitempty" doc:"What the author of the process says about the task"`
	Questions     []Question `json:"questions,omitempty" doc:"What has to be answered"`
}

// Question is a variable that the person who completes a task gives.
type Question struct {
	Name        string    `json:"name" doc:"Name of the variable"`
	Title       wire.Text `json:"title,omitempty"`
	Description wire.Text `json:"description,omitempty"`
	Type        string    `json:"type,omitempty" doc:"Type of the parameter that takes it, where one does"`
	Choices     []Choice  `json:"choices,omitempty" doc:"The answers that the process tells apart; others are possible where one stands for them"`
	Required    bool      `json:"required,omitempty" doc:"The task is not completed without it"`
	Secret      bool      `json:"secret,omitempty" doc:"The answer is kept in no record"`
}

// Choice is an answer that the process tells apart from others.
type Choice struct {
	Value string `json:"value"`
	Title string `json:"title,omitempty" doc:"What the process calls the way that it leads to"`
	Else  bool   `json:"else,omitempty" doc:"It stands for every answer that is not another choice"`
}

// Completer is the run of a task: it completes tasks, where with shares the
// commit, and tells what they ask.
type Completer interface {
	// MayComplete asks for the right to complete tasks on all that the run acts on.
	MayComplete(ctx context.Context, t Task) error
	CompleteTask(ctx context.Context, t Task, vars map[string]json.RawMessage, with func(*db.Tx) error) error
	ExplainTasks(ctx context.Context, tasks []Task) error
}

// List is the inbox. It is safe for concurrent use.
type List struct {
	// Seen is the condition for tasks of a project whose run the subject of ctx may
	// see with a permission; nothing where that is every one.
	Seen func(ctx context.Context, permission, project, column string) (condition string, args []any)
	// Person gives the user of a name, as he would ask; false for none, and for one
	// who is disabled. People gives those of some names and those who have a role.
	Person func(ctx context.Context, name string) (identity.Subject, bool, error)
	People func(ctx context.Context, names, roles []string) ([]identity.Subject, error)
	Bus    *bus.Bus
	Clock  clock.Clock
	db     *db.DB
	audit  *audit.Log
	runs   Completer
	of     db.Marks // runs with tasks
}

// New makes the inbox over a migrated database; Attach connects it to the runs.
func New(d *db.DB, a *audit.Log, b *bus.Bus, c clock.Clock) *List {
	all := func(context.Context, string, string, string) (string, []any) { return "", nil }
	return &List{db: d, audit: a, Bus: b, Clock: c, Seen: all,
		Person: func(context.Context, string) (identity.Subject, bool, error) { return identity.Subject{}, false, nil },
		People: func(context.Context, []string, []string) ([]identity.Subject, error) { return nil, nil },
		of:     db.Marks{Load: "SELECT run, COUNT(*) FROM worklist_task GROUP BY run"}}
}

// Attach connects the inbox to what completes tasks.
func (l *List) Attach(c Completer) { l.runs = c }

// Put adds a task in the write of the step that created it.
func (l *List) Put(tx *db.Tx, t Task) error {
	l.of.Add(int64(t.Run))
	t.People = slices.Concat(t.Groups, t.Users)
	return tx.Upsert("worklist_task", 1, []string{"task", "run", "project",
		"node", "name", "assignee", "people", "form", "created", "asked_groups", "asked_users", "claimed", "due", "follow_up", "verdict"},
		int64(t.Key), int64(t.Run), t.Project, t.Element, t.Name, t.Assignee,
		lines(t.People), t.Form, clock.Micros(t.Created), lines(t.Groups), lines(t.Users), stored(t.Claimed),
		stored(t.Due), stored(t.FollowUp), t.Verdict)
}

// Drop removes a task that was done or is wanted no more.
func (l *List) Drop(tx *db.Tx, task int64) error {
	_, err := tx.Exec("DELETE FROM worklist_task WHERE task = ?", task)
	return err
}

// DropRun removes the tasks of a run that has ended.
func (l *List) DropRun(tx *db.Tx, run int64) error {
	if !l.of.May(tx, run) {
		return nil
	}
	l.of.Gone(tx, run)
	_, err := tx.Exec("DELETE FROM worklist_task WHERE run = ?", run)
	return err
}

const columns = "task, run, project, node, name, assignee, people, form, created, asked_groups, asked_users, " +
	"claimed, due, follow_up, verdict"

func scan(read func(...any) error) (Task, error) {
	var t Task
	var people, groups, users string
	var created, claimed, due, follow int64
	err := read(&t.Key, &t.Run, &t.Project, &t.Element, &t.Name, &t.Assignee,
		&people, &t.Form, &created, &groups, &users, &claimed, &due, &follow, &t.Verdict)
	t.People, t.Groups, t.Users = unlines(people), unlines(groups), unlines(users)
	t.Created, t.Claimed, t.Due, t.FollowUp = clock.FromMicros(created), time0(claimed), time0(due), time0(follow)
	return t, err
}

// Filter selects tasks.
type Filter struct {
	Project string       `query:"project" default:"default" maxLength:"64"`
	Run     api.KeyParam `query:"run" doc:"Only tasks of this run"`
	api.Paging
}

// Find lists open tasks of a project, newest first.
func (l *List) Find(ctx context.Context, f Filter) (api.Page[Task], error) {
	if err := identity.Require(ctx, "task.read", f.Project); err != nil {
		return api.Page[Task]{}, err
	}
	query, args := l.inSight(ctx, f.Project)
	query = "SELECT " + columns + " FROM worklist_task WHERE " + query
	if f.Run.Key != 0 {
		query, args = query+" AND run = ?", append(args, int64(f.Run.Key))
	}
	if f.After != "" {
		var created, after int64
		if n, err := fmt.Sscanf(f.After, "%d.%d", &created, &after); err != nil || n != 2 {
			return api.Page[Task]{}, api.BadCursor()
		}
		query, args = query+" AND (created < ? OR created = ? AND task < ?)", append(args, created, created, after)
	}
	rows, err := l.db.Query(ctx, query+" ORDER BY created DESC, task DESC LIMIT ?", append(args, f.Limit+1)...)
	all, err := db.Scan(rows, err, func(r *sql.Rows) (Task, error) { return scan(r.Scan) })
	if err != nil {
		return api.Page[Task]{}, err
	}
	if err := l.runs.ExplainTasks(ctx, all[:min(len(all), f.Limit)]); err != nil {
		return api.Page[Task]{}, err
	}
	for i := range all {
		if f.Run.Key == 0 {
			break // to look at all who are asked is for one run
		}
		if all[i].Nobody, err = l.unreachable(ctx, all[i]); err != nil {
			return api.Page[Task]{}, err
		}
	}
	return api.PageOf(all, f.Limit, func(t Task) string { return fmt.Sprintf("%d.%d", clock.Micros(t.Created), t.Key) }), nil
}

// Open counts the open tasks of runs; a run without one is not in the answer.
func (l *List) Open(ctx context.Context, runs []api.Key) (map[api.Key]int, error) {
	open := map[api.Key]int{}
	for len(runs) > 0 {
		some := runs[:min(len(runs), maxKeys)]
		runs = runs[len(some):]
		args := make([]any, len(some))
		for i, k := range some {
			args[i] = int64(k)
		}
		rows, err := l.db.Query(ctx, "SELECT run, COUNT(*) FROM worklist_task WHERE run IN (?"+
			strings.Repeat(", ?", len(some)-1)+") GROUP BY run", args...)
		if _, err = db.Scan(rows, err, func(r *sql.Rows) (struct{}, error) {
			var run int64
			var n int
			err := r.Scan(&run, &n)
			open[api.Key(run)] = n
			return struct{}{}, err
		}); err != nil {
			return nil, err
		}
	}
	return open, nil
}

// Count tells how many tasks of a project are open that the subject of ctx may see, of
// those for which a condition holds on worklist_task; an empty one is all.
func (l *List) Count(ctx context.Context, project, condition string, values ...any) (n int, err error) {
	where, args := l.inSight(ctx, project)
	if condition != "" {
		where, args = where+" AND "+condition, append(args, values...)
	}
	err = l.db.QueryRow(ctx, "SELECT COUNT(*) FROM worklist_task WHERE "+where, args...).Scan(&n)
	return n, err
}

// inSight is the condition for the tasks of a project that the subject of ctx may
// see.
func (l *List) inSight(ctx context.Context, project string) (where string, args []any) {
	return l.seenWith(ctx, read, project)
}

// seenWith is the condition for the tasks of a project whose runs act only where the
// subject of ctx has a permission.
func (l *List) seenWith(ctx context.Context, permission, project string) (where string, args []any) {
	where, args = "project = ?", []any{project}
	if seen, some := l.Seen(ctx, permission, project, "worklist_task.run"); seen != "" {
		where, args = where+" AND "+seen, append(args, some...)
	}
	return where, args
}

const maxKeys = 500 // keys asked for in one query

// Complete ends a task with its results. The reason, which may be empty, is kept
// with the answers.
func (l *List) Complete(ctx context.Context, key api.Key, vars map[string]json.RawMessage, reason string) error {
	t, err := l.open(ctx, key)
	if err == nil {
		err = l.mayDo(ctx, t)
	}
	if err != nil {
		return err
	}
	who := identity.From(ctx)
	one := []Task{t}
	if err := l.runs.ExplainTasks(ctx, one); err != nil {
		return err
	}
	if err := answered(one[0], vars); err != nil {
		return err
	}
	told := kept(one[0], vars)
	if reason = strings.TrimSpace(reason); reason != "" {
		told["reason"] = reason
	}
	detail, err := json.Marshal(told)
	if err != nil {
		return err
	}
	return l.runs.CompleteTask(ctx, one[0], vars, func(tx *db.Tx) error {
		return l.audit.Write(ctx, tx,
			audit.Record{Project: t.Project, Actor: who.Actor(), Verb: "task.complete", Object: "task/" + key.String(), Detail: detail})
	})
}

// answered refuses a task that leaves a question open, or answers it with a slip.
func answered(t Task, vars map[string]json.RawMessage) error {
	for _, q := range t.Questions {
		var text string
		v, given := vars[q.Name]
		if !given || json.Unmarshal(v, &text) != nil || !q.slip(text) {
			continue
		}
		return errs.New(errs.Invalid, "task.choice", "the answer %q to %s is none of the choices%s", text, q.Name, options(q)).
			At(errs.Field{Path: "variables." + q.Name, Message: "is none of the choices" + options(q)})
	}
	var open []errs.Field
	var names []string
	for _, q := range t.Questions {
		if q.Required && blank(vars[q.Name]) {
			open = append(open, errs.Field{Path: "variables." + q.Name, Message: "needs an answer" + options(q)})
			names = append(names, q.Name)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return errs.New(errs.Invalid, "task.unanswered", "the task %q asks for %s: answer that to complete it", t.Name, strings.Join(names, ", ")).
		At(open...)
}

// slip reports whether an answer is none of the choices where these are all there
// are. Where one stands for all others only a word that is nearly one of them is.
func (q Question) slip(text string) bool {
	params := make([]wire.Param, 0, len(q.Choices))
	open := false
	for _, c := range q.Choices {
		if c.Value == text {
			return false
		}
		params, open = append(params, wire.Param{Name: c.Value}), open || c.Else || c.Value == ""
	}
	if open || len(params) < 2 {
		return len(text) > 3 && len(params) > 0 && manifest.Nearest(text, params) != ""
	}
	return true
}

func options(q Question) string {
	var values []string
	for _, c := range q.Choices {
		values = append(values, c.Value)
	}
	if len(values) == 0 {
		return ""
	}
	return ": " + strings.Join(values, " or ")
}

// blank reports whether a value says nothing.
func blank(v json.RawMessage) bool {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return strings.TrimSpace(text) == ""
	}
	return len(v) == 0 || strings.TrimSpace(string(v)) == "null"
}

// Chosen names the answers that are one of the choices of their question: true or
// false where that is asked, else a text that the process itself has written down.
func (t Task) Chosen(vars map[string]json.RawMessage) []string {
	var names []string
	for _, q := range t.Questions {
		v, given := vars[q.Name]
		if !given {
			continue
		}
		var text string
		choice := json.Unmarshal(v, &text) == nil && slices.ContainsFunc(q.Choices, func(c Choice) bool { return c.Value == text })
		if choice || q.Type == wire.TypeBool && (string(v) == "true" || string(v) == "false") {
			names = append(names, q.Name)
		}
	}
	return names
}

const maxAnswer = 500 // bytes of an answer in the audit log

// kept is what the audit log keeps of a completion: the answers to questions that
// are no secrets, and the names of all else.
func kept(t Task, vars map[string]json.RawMessage) map[string]any {
	detail := map[string]any{"run": t.Run.String(), "element": t.Element}
	answers, others := map[string]json.RawMessage{}, []string{}
	for name, v := range vars {
		i := slices.IndexFunc(t.Questions, func(q Question) bool { return q.Name == name })
		if i < 0 || t.Questions[i].Secret || len(v) > maxAnswer || !json.Valid(v) {
			others = append(others, name)
			continue
		}
		answers[name] = v
	}
	if len(answers) > 0 {
		detail["answers"] = answers
	}
	if slices.Sort(others); len(others) > 0 {
		detail["variables"] = others
	}
	return detail
}

// Routes adds the endpoints.
func (l *List) Routes(a *api.API) {
	type page struct{ Body api.Page[Task] }
	api.Register(a, api.Endpoint{ID: "listTasks", Method: http.MethodGet,
		Path: "/api/v1/tasks", Tag: "tasks", Summary: "Work that waits for people, newest first", Permission: "task.read"},
		func(ctx context.Context, in *Filter) (*page, error) {
			p, err := l.Find(ctx, *in)
			return &page{p}, err
		})
	type complete struct {
		Key  api.KeyParam `path:"key"`
		Body struct {
			Variables map[string]json.RawMessage `json:"variables,omitempty" doc:"Results of the task"`
			Reason    string                     `json:"reason,omitempty" maxLength:"500" doc:"Why it was answered so; kept with the answers in the history of the run and the audit log"`
		}
	}
	api.Register(a, api.Endpoint{ID: "completeTask", Method: http.MethodPost, Path: "/api/v1/tasks/{key}/complete",
		Tag: "tasks", Summary: "Complete a task", Permission: "task.complete", Status: http.StatusNoContent},
		func(ctx context.Context, in *complete) (*struct{}, error) {
			return nil, l.Complete(ctx, in.Key.Key, in.Body.Variables, in.Body.Reason)
		})
	l.assignRoutes(a)
}
