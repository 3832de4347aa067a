package worklist_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/worklist"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

// runs completes tasks by dropping them in the write of the audit record.
type runs struct {
	r    *rig
	fail error
	vars map[string]json.RawMessage
	asks []worklist.Question
}

func (c *runs) MayComplete(ctx context.Context, t worklist.Task) error {
	return identity.Require(ctx, "task.complete", t.Project)
}

func (c *runs) CompleteTask(ctx context.Context, t worklist.Task, vars map[string]json.RawMessage, with func(*db.Tx) error) error {
	c.vars = vars
	return c.r.db.Do(ctx, func(tx *db.Tx) error {
		return errors.Join(with(tx), c.r.Drop(tx, int64(t.Key)), c.fail)
	})
}

// ExplainTasks asks whatever the test wants of every task.
func (c *runs) ExplainTasks(_ context.Context, tasks []worklist.Task) error {
	for i := range tasks {
		tasks[i].Questions = c.asks
	}
	return nil
}

type rig struct {
	*worklist.List
	t     *testing.T
	db    *db.DB
	clock *clock.Fake
	trail *audit.Log
	runs  *runs
}

func newRig(t *testing.T) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	r := &rig{t: t, db: d, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	r.must(err)
	t.Cleanup(func() { _ = d.Close() })
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), worklist.Domain, worklist.Migrations))
	r.must(d.Migrate(t.Context(), api.Domain, api.Migrations))
	r.trail = audit.New(d, r.clock)
	r.must(d.Migrate(t.Context(), bus.Domain, bus.Migrations))
	r.List = worklist.New(d, r.trail, bus.New(d, r.clock, slog.New(slog.DiscardHandler)), r.clock)
	r.runs = &runs{r: r}
	r.Attach(r.runs)
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) put(tasks ...worklist.Task) {
	r.t.Helper()
	r.must(r.db.Do(r.t.Context(), func(tx *db.Tx) error {
		for _, t := range tasks {
			if err := r.Put(tx, t); err != nil {
				return err
			}
		}
		return nil
	}))
}

func task(key int64, project string) worklist.Task {
	return worklist.Task{Key: api.Key(key), Run: api.Key(key / 10), Project: project,
		Element: "approve", Name: "Approve", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// as is a user of a project with the given verbs on tasks.
func as(ctx context.Context, name, project string, verbs ...string) context.Context {
	s := identity.Subject{ID: "user/" + name, Name: name, Kind: identity.User}
	for _, v := range verbs {
		s.Grants = append(s.Grants, identity.Grant{Permission: "task." + v, Project: project})
	}
	return identity.With(ctx, s)
}

func refused(t *testing.T, err error, kind errs.Kind, code string) {
	t.Helper()
	if !errs.Is(err, kind) || !errs.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func (r *rig) keys(ctx context.Context, f worklist.Filter) (all []int64) {
	r.t.Helper()
	for {
		page, err := r.Find(ctx, f)
		r.must(err)
		for _, t := range page.Items {
			all = append(all, int64(t.Key))
		}
		if f.After = page.Next; f.After == "" {
			return all
		}
	}
}

func TestTheInboxOfAProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	full := task(20, "a")
	full.Assignee, full.Groups, full.Users, full.Form = "ann", []string{"ops"}, []string{"dba"}, "form-1"
	full.People = []string{"ops", "dba"}
	// The newest comes first, whatever its key is; of one moment keys sort as numbers.
	late := task(9, "a")
	late.Created = late.Created.Add(time.Minute)
	r.put(full, late, task(100, "a"), task(101, "a"), task(math.MaxInt64, "a"), task(30, "b"))
	ctx := as(t.Context(), "ann", "a", "read")
	if got := r.keys(ctx, worklist.Filter{Project: "a", Paging: api.Paging{Limit: 2}}); !slices.Equal(got,
		[]int64{9, math.MaxInt64, 101, 100, 20}) {
		t.Errorf("%v", got)
	}
	if got := r.keys(ctx, worklist.Filter{Project: "a", Run: api.KeyParam{Key: 10}, Paging: api.Paging{Limit: 10}}); !slices.Equal(got,
		[]int64{101, 100}) {
		t.Errorf("%v", got)
	}
	page, err := r.Find(ctx, worklist.Filter{Project: "a", Paging: api.Paging{Limit: 4}})
	r.must(err)
	page, err = r.Find(ctx, worklist.Filter{Project: "a", Paging: api.Paging{Limit: 1, After: page.Next}})
	if err != nil || fmt.Sprint(page.Items[0]) != fmt.Sprint(full) {
		t.Errorf("%+v, %v", page, err)
	}
	_, err = r.Find(ctx, worklist.Filter{Project: "b", Paging: api.Paging{Limit: 1}})
	refused(t, err, errs.Forbidden, "identity.forbidden")
	r.must(r.db.Do(ctx, func(tx *db.Tx) error { return r.DropRun(tx, 10) }))
	if got := r.keys(ctx, worklist.Filter{Project: "a", Paging: api.Paging{Limit: 10}}); !slices.Equal(got, []int64{9, math.MaxInt64, 20}) {
		t.Errorf("after its run ended: %v", got)
	}
}

func TestCompletingATask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(task(20, "a"))
	ctx := as(t.Context(), "ann", "a", "read", "complete")
	r.runs.fail = errs.New(errs.Conflict, "run.ended", "over")
	refused(t, r.Complete(ctx, 20, nil, ""), errs.Conflict, "run.ended")
	audited := func() int {
		page, err := r.trail.List(ctx, audit.Filter{Project: "a", Paging: api.Paging{Limit: 10}})
		r.must(err)
		if len(page.Items) == 1 &&
			(page.Items[0].Subject != "user/ann" || page.Items[0].Verb != "task.complete" || page.Items[0].Object != "task/20") {
			t.Errorf("%+v", page.Items)
		}
		return len(page.Items)
	}
	if n := audited(); n != 0 || len(r.keys(ctx, worklist.Filter{Project: "a", Paging: api.Paging{Limit: 9}})) != 1 {
		t.Errorf("a completion that failed left %d records", n)
	}
	r.runs.fail = nil
	r.must(r.Complete(ctx, 20, map[string]json.RawMessage{"ok": json.RawMessage("true")}, ""))
	if audited() != 1 || string(r.runs.vars["ok"]) != "true" {
		t.Errorf("%d records, %v", audited(), r.runs.vars)
	}
	refused(t, r.Complete(ctx, 20, nil, ""), errs.NotFound, "task.not_found")
}

func TestWhoMayComplete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mine := task(20, "a")
	mine.Assignee = "ann"
	r.put(mine, task(30, "a"))
	for _, c := range []struct {
		name string
		ctx  context.Context
		key  api.Key
		kind errs.Kind
		code string
	}{
		{"of-another-project", as(t.Context(), "bob", "b", "read", "complete", "manage"), 30, errs.NotFound, "task.not_found"},
		{"nobody", t.Context(), 30, errs.NotFound, "task.not_found"},
		{"not-there", as(t.Context(), "ann", "a", "read", "complete"), 31, errs.NotFound, "task.not_found"},
		{"reader", as(t.Context(), "bob", "a", "read"), 30, errs.Forbidden, "identity.forbidden"},
		{"other-assignee", as(t.Context(), "bob", "a", "read", "complete"), 20, errs.Forbidden, "task.assigned"},
	} {
		refused(t, r.Complete(c.ctx, c.key, nil, ""), c.kind, c.code)
	}
	r.must(r.Complete(as(t.Context(), "ann", "a", "read", "complete"), 20, nil, ""))
	r.put(mine)
	r.must(r.Complete(as(t.Context(), "bob", "a", "read", "complete", "manage"), 20, nil, ""))
}

func TestTheEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(task(math.MaxInt64, "a"), task(30, "b"))
	a := api.New(api.Deps{Version: "test", DB: r.db, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Authorize: identity.Require,
		Authenticate: func(q *http.Request) (context.Context, string, error) {
			return as(q.Context(), "ann", "a", "read", "complete"), "ann", nil
		}})
	r.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/api/v1/tasks?project=a", "", 200, `"key":"9223372036854775807"`},
		{"GET", "/api/v1/tasks?project=a&run=1", "", 200, `"items":[]`},
		{"GET", "/api/v1/tasks?project=a&run=x", "", 422, "request.invalid"},
		{"GET", "/api/v1/tasks?project=a&after=x", "", 400, "request.malformed"},
		{"GET", "/api/v1/tasks?project=b", "", 403, "identity.forbidden"},
		{"POST", "/api/v1/tasks/30/complete", `{}`, 404, "task.not_found"},
		{"POST", "/api/v1/tasks/9223372036854775807/complete", `{"variables":{"n":12345678901234567890.10}}`, 204, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body))
		r.must(err)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		r.must(err)
		var body json.RawMessage
		_ = json.NewDecoder(resp.Body).Decode(&body) // 204 has none
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.has) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, resp.StatusCode, body, c.status, c.has)
		}
	}
	if got := string(r.runs.vars["n"]); got != "12345678901234567890.10" {
		t.Errorf("a number became %s", got)
	}
}

// What a task asks has to be answered, and the answer stands in the audit log with
// its reason; secrets and what nobody asked for do not.
func TestATaskIsNotCompletedWithoutItsAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.runs.asks = []worklist.Question{{Name: "decision", Required: true,
		Choices: []worklist.Choice{{Value: "retry"}, {Value: "stop", Else: true}}}, {Name: "note"}, {Name: "pin", Secret: true}}
	r.put(task(10, "p"))
	ctx := as(t.Context(), "ana", "p", "read", "complete")
	for name, v := range map[string]string{"nothing": "", "null": "null", "empty": `""`, "blank": `"  "`} {
		vars := map[string]json.RawMessage{"note": json.RawMessage(`"x"`)}
		if v != "" {
			vars["decision"] = json.RawMessage(v)
		}
		err := r.Complete(ctx, 10, vars, "")
		refused(t, err, errs.Invalid, "task.unanswered")
		var e *errs.Error
		if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Path != "variables.decision" ||
			!strings.Contains(e.Fields[0].Message, "retry or stop") {
			t.Errorf("%s: the refusal is %v, fields %v", name, err, e.Fields)
		}
	}
	r.must(r.Complete(ctx, 10, map[string]json.RawMessage{
		"decision": json.RawMessage(`"stop"`), "pin": json.RawMessage(`"1234"`), "more": json.RawMessage("1.10")}, " the balancer is quiet "))
	page, err := r.trail.List(t.Context(), audit.Filter{Project: "p", Paging: api.Paging{Limit: 10}})
	r.must(err)
	if got, want := string(page.Items[0].Detail),
		`{"answers":{"decision":"stop"},"element":"approve","reason":"the balancer is quiet","run":"1","variables":["more","pin"]}`; got != want {
		t.Errorf("the record keeps %s, want %s", got, want)
	}
}

// A slip of the pen is no answer; what a choice stands for besides itself is one.
func TestSlipsAreNoAnswers(t *testing.T) {
	t.Parallel()
	retry, stop, others := worklist.Choice{Value: "retry"}, worklist.Choice{Value: "stop"}, worklist.Choice{Value: "stop", Else: true}
	for _, c := range []struct {
		answer  string
		choices []worklist.Choice
		taken   bool
	}{
		{"retry", []worklist.Choice{retry, stop}, true}, {"maybe", []worklist.Choice{retry, stop}, false},
		{"retyr", []worklist.Choice{retry, others}, false},
		{"maybe", []worklist.Choice{retry, others}, true}, {"no", []worklist.Choice{{Value: "yes"}, others}, true}, {"anything", nil, true},
	} {
		task := worklist.Task{Name: "Decide", Questions: []worklist.Question{{Name: "decision", Choices: c.choices}}}
		err := worklist.Answered(task, map[string]json.RawMessage{"decision": json.RawMessage(`"` + c.answer + `"`)})
		if (err == nil) != c.taken {
			t.Errorf("%q of %v: %v", c.answer, c.choices, err)
		}
	}
}
