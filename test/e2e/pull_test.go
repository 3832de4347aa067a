package e2e_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// working is a process with one job of a type that workers pull, and a way for an error.
const working = opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/>` +
	`<serviceTask id="w" name="Work"><extensionElements><zeebe:taskDefinition type="paint" retries="2"/></extensionElements></serviceTask>` +
	`<sequenceFlow id="f2" sourceRef="w" targetRef="e"/><boundaryEvent id="b" attachedToRef="w">` +
	`<errorEventDefinition errorRef="E"/></boundaryEvent><sequenceFlow id="f3" sourceRef="b" targetRef="bad"/>` +
	`<endEvent id="bad"/></process><error id="E" errorCode="no.colour"/></definitions>`

type job struct {
	Key, Lease, Run, Element, Worker string
	Retries                          int
	Deadline                         time.Time
	Variables                        map[string]any
}

// pull activates jobs as a worker.
func pull(ctx context.Context, c *client.Client, worker string, body map[string]any) ([]job, error) {
	all := map[string]any{"type": "paint", "worker": worker}
	for k, v := range body {
		all[k] = v
	}
	var page struct{ Items []job }
	err := c.Call(ctx, "POST", "/api/v1/jobs/activate", all, &page)
	return page.Items, err
}

func one(t *testing.T, c *client.Client, worker string, body map[string]any) job {
	t.Helper()
	all, err := pull(t.Context(), c, worker, body)
	if err != nil || len(all) != 1 {
		t.Fatalf("%s gets %+v, %v", worker, all, err)
	}
	return all[0]
}

func says(c *client.Client, j job, what string, body map[string]any) error {
	body["lease"] = j.Lease
	return c.Call(context.Background(), "POST", "/api/v1/jobs/"+j.Key+"/"+what, body, nil)
}

func refusedWith(t *testing.T, err error, code string) {
	t.Helper()
	if e := (*client.Error)(nil); err == nil || !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// Who waits for jobs of a type is told of one that comes; what it gives goes to the run.
func TestAWorkerPullsJobsByType(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(working)); err != nil {
		t.Fatal(err)
	}
	got := make(chan []job, 1)
	go func() {
		all, err := pull(t.Context(), p.Client, "w1", map[string]any{"wait": 60})
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	run := p.Run(platform.Request{Process: "p", Variables: map[string]any{"colour": "red", "size": 3}})
	var all []job
	select {
	case all = <-got:
	case <-time.After(30 * time.Second):
		t.Fatal("who waits is not told")
	}
	if len(all) != 1 || all[0].Run != run || all[0].Element != "w" || all[0].Retries != 2 ||
		all[0].Variables["colour"] != "red" || all[0].Worker != "w1" {
		t.Fatalf("it gets %+v", all)
	}
	if more, err := pull(t.Context(), p.Client, "w2", nil); err != nil || len(more) != 0 {
		t.Errorf("a leased job is given to another: %+v, %v", more, err)
	}
	wrong := all[0]
	wrong.Lease = "77"
	refusedWith(t, says(p.Client, wrong, "complete", map[string]any{}), "job.lease")
	if err := says(p.Client, all[0], "complete", map[string]any{"variables": map[string]any{"painted": true}}); err != nil {
		t.Fatal(err)
	}
	if r := p.Ended(run); r.State != "completed" {
		t.Errorf("the run is %s", r.State)
	}
	refusedWith(t, says(p.Client, all[0], "complete", map[string]any{}), "job.gone")
}

// Many workers share many jobs: each is done once.
func TestWorkersShareJobs(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(working)); err != nil {
		t.Fatal(err)
	}
	const jobs, workers = 40, 4
	var runs []string
	for range jobs {
		runs = append(runs, p.Run(platform.Request{Process: "p"}))
	}
	var mu sync.Mutex
	done := map[string]int{}
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for {
				all, err := pull(t.Context(), p.Client, "w"+string(rune('0'+i)), map[string]any{"max": 3})
				if err != nil {
					t.Error(err)
				}
				if len(all) == 0 {
					return
				}
				for _, j := range all {
					if err := says(p.Client, j, "complete", map[string]any{}); err != nil {
						t.Error(err)
					}
					mu.Lock()
					done[j.Key]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(done) != jobs {
		t.Errorf("%d jobs were done", len(done))
	}
	for key, n := range done {
		if n != 1 {
			t.Errorf("the job %s was done %d times", key, n)
		}
	}
	for _, run := range runs {
		if r := p.Ended(run); r.State != "completed" {
			t.Errorf("a run is %s", r.State)
		}
	}
}

// A job whose time is over is another worker's, over a restart too; more time is given
// to who asks in time.
func TestAJobWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(working)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p"})
	first := one(t, p.Client, "w1", map[string]any{"lease": 1, "wait": 10})
	second := one(t, p.Client, "w2", map[string]any{"lease": 1, "wait": 30}) // as soon as the second is over
	if second.Key != first.Key || second.Lease == first.Lease {
		t.Errorf("the jobs are %+v and %+v", first, second)
	}
	refusedWith(t, says(p.Client, first, "complete", map[string]any{}), "job.lease")
	refusedWith(t, says(p.Client, first, "extend", map[string]any{"seconds": 60}), "job.lease")
	if err := says(p.Client, second, "extend", map[string]any{"seconds": 3600}); err != nil {
		t.Fatal(err)
	}
	if err := p.Server.Close(); err != nil {
		t.Fatal(err)
	}
	p = platform.Start(t, map[string]any{"data": p.Data})
	if all, err := pull(t.Context(), p.Client, "w3", map[string]any{"wait": 2}); err != nil || len(all) != 0 {
		t.Errorf("what was given more time is another's: %+v, %v", all, err)
	}
	if err := says(p.Client, second, "complete", map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if r := p.Ended(run); r.State != "completed" {
		t.Errorf("the run is %s", r.State)
	}
}

// A job that failed comes again after its pause; with no tries left it waits for help,
// and comes again with that. An error goes its own way.
func TestAJobThatFails(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(working)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p"})
	j := one(t, p.Client, "w1", map[string]any{"wait": 10})
	if err := says(p.Client, j, "fail", map[string]any{"message": "no brush", "backoff": 1}); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, says(p.Client, j, "complete", map[string]any{}), "job.lease")
	again := one(t, p.Client, "w1", map[string]any{"wait": 30})
	if again.Key != j.Key || again.Retries != 1 {
		t.Errorf("it comes again as %+v", again)
	}
	if err := says(p.Client, again, "fail", map[string]any{"message": "no brush at all"}); err != nil {
		t.Fatal(err)
	}
	if r := p.Ended(run); r.State != "incident" || !strings.Contains(p.Incidents()[0].Message, "no brush at all") {
		t.Errorf("the run is %s: %+v", r.State, p.Incidents())
	}
	if all, err := pull(t.Context(), p.Client, "w1", nil); err != nil || len(all) != 0 {
		t.Errorf("a job that waits for help is given out: %+v, %v", all, err)
	}
	refusedWith(t, says(p.Client, again, "complete", map[string]any{}), "job.stuck")
	p.Must("POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/retry", map[string]any{}, nil)
	last := one(t, p.Client, "w1", map[string]any{"wait": 30})
	if err := says(p.Client, last, "error", map[string]any{"code": "no.colour"}); err != nil {
		t.Fatal(err)
	}
	r := p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "completed" })
	if r.State != "completed" {
		t.Errorf("the run is %s", r.State)
	}
	// A cancelled run takes its jobs away.
	run = p.Run(platform.Request{Process: "p"})
	j = one(t, p.Client, "w1", map[string]any{"wait": 10})
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	refusedWith(t, says(p.Client, j, "complete", map[string]any{}), "job.gone")
}

// A worker gets jobs of runs alone that he may work for, and what he gives is used with
// his rights, too.
func TestTheRightsOfWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	xml := strings.Replace(working, `<sequenceFlow id="f2" sourceRef="w" targetRef="e"/>`, `<sequenceFlow `+
		`id="f2" sourceRef="w" targetRef="v"/><serviceTask id="v"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/>`+
		input("credential", `="connection/" + x`)+`</extensionElements></serviceTask><sequenceFlow id="f4" sourceRef="v" targetRef="e"/>`, 1)
	if err := w.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	worker, none := w.user("worker", "dev", "job.work"), w.user("none", "dev", "run.read")
	prod := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/prod-1"}})
	dev := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/dev-1"}})
	if _, err := pull(t.Context(), none, "none", nil); err == nil || !strings.Contains(err.Error(), "job.work") {
		t.Errorf("without the right: %v", err)
	}
	j := one(t, worker, "worker", map[string]any{"wait": 10})
	if j.Run != dev {
		t.Errorf("a worker of dev works for the run %s; %s is that of prod", j.Run, prod)
	}
	theirs := one(t, w.Client, "admin", map[string]any{"wait": 10})
	refusedWith(t, says(worker, theirs, "complete", map[string]any{}), "job.gone")
	if err := says(worker, j, "complete", map[string]any{"variables": map[string]any{"x": "prodlab"}}); err != nil {
		t.Fatal(err)
	}
	w.stopped(dev, "worker, who gave x")
}
