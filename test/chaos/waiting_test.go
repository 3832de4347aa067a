package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/sdk/go/client"
)

const inTurn = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" ` +
	`xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t"><process id="in-turn" isExecutable="true">
<startEvent id="s"><extensionElements><sextant:start object="host:host" onBusy="queue(maxLength=50)"/></extensionElements></startEvent>` +
	`<sequenceFlow id="f1" sourceRef="s" targetRef="hold"/>
<userTask id="hold" name="Hold"><extensionElements><zeebe:userTask/></extensionElements></userTask>` +
	`<sequenceFlow id="f2" sourceRef="hold" targetRef="e"/><endEvent id="e"/></process></definitions>`

// Runs that wait are started each once and in the order in which they were asked for,
// however often the server is killed.
func TestTheLineOutlivesKills(t *testing.T) {
	w := newWorld(t)
	const runs, kills = 40, 8
	var hosts client.PageOfWireRow
	w.must(w.Call(t.Context(), "POST", "/api/v1/objects/host:host/query", map[string]any{"limit": 1}, &hosts))
	host := "host:host/" + fmt.Sprint(hosts.Items[0]["id"])
	w.must(w.Upload(t.Context(), "/api/v1/processes", "application/xml", strings.NewReader(inTurn), nil))
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Minute, errors.New("the line does not end"))
	defer cancel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	var wg sync.WaitGroup
	wg.Go(func() { w.askInTurn(ctx, runs, host) })
	over := make(chan struct{})
	wg.Go(func() {
		defer close(over)
		w.completeAll(ctx, runs)
	})
	killed := 0
	for range kills {
		select {
		case <-time.After(time.Duration(20+chance.IntN(150)) * time.Millisecond):
			w.kill()
			w.start()
			killed++
		case <-over:
		}
	}
	wg.Wait()
	if t.Logf("killed %d times", killed); killed < kills/2 {
		t.Errorf("the server was killed only %d times", killed)
	}
	all := w.inTurn(ctx)
	slices.SortFunc(all, func(a, b client.ProcessRun) int { return a.Started.Compare(b.Started) })
	for i, r := range all {
		if want := fmt.Sprintf("turn %02d", i); r.Title != want || r.State != "completed" {
			t.Errorf("number %d to start is %q, %s: want %q", i, r.Title, r.State, want)
		}
	}
	if len(all) != runs {
		t.Errorf("%d runs are there, want %d", len(all), runs)
	}
}

// inTurn lists the runs of the line.
func (w *world) inTurn(ctx context.Context) []client.ProcessRun {
	var page client.PageOfProcessRun
	for w.Call(ctx, "GET", "/api/v1/runs?process=in-turn&limit=100", nil, &page) != nil && ctx.Err() == nil {
		page = client.PageOfProcessRun{}
		w.breathe(ctx)
	}
	return page.Items
}

// breathe waits a moment for a server that is started anew.
func (w *world) breathe(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

// askInTurn asks for runs one after the other; what a killed server did not answer is
// looked up before it is asked for again.
func (w *world) askInTurn(ctx context.Context, n int, host string) {
	for i := range n {
		title := fmt.Sprintf("turn %02d", i)
		for ctx.Err() == nil {
			err := w.Call(ctx, "POST", "/api/v1/runs", map[string]any{"process": "in-turn", "objects": []string{host}, "title": title}, nil)
			if err == nil {
				break
			}
			w.breathe(ctx)
			if slices.ContainsFunc(w.inTurn(ctx), func(r client.ProcessRun) bool { return r.Title == title }) {
				break
			}
		}
	}
}

// completeAll completes the tasks of runs until so many are over.
func (w *world) completeAll(ctx context.Context, n int) {
	for ctx.Err() == nil {
		over, active := 0, 0
		for _, r := range w.inTurn(ctx) {
			switch r.State {
			case "completed":
				over++
			case "active":
				active++
			}
		}
		if active > 1 {
			w.t.Errorf("%d runs hold the host at once", active)
		}
		if over == n {
			return
		}
		var tasks client.PageOfWorklistTask
		if err := w.Call(ctx, "GET", "/api/v1/tasks", nil, &tasks); err == nil {
			for _, task := range tasks.Items {
				_ = w.Call(ctx, "POST", "/api/v1/tasks/"+url.PathEscape(task.Key)+"/complete", map[string]any{}, nil) // it is tried again
			}
		}
		w.breathe(ctx)
	}
	w.t.Errorf("%v", context.Cause(ctx))
}
