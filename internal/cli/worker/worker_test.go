package worker_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/cli/worker"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

const painting = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" 
xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<process id="p" isExecutable="true">
<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="w"/>
<serviceTask id="w" name="Work"><extensionElements>
<zeebe:taskDefinition type="paint" retries="2"/><zeebe:taskHeaders><zeebe:header key="brush-size" value="3 mm"/></zeebe:taskHeaders>
</extensionElements></serviceTask>
<sequenceFlow id="f2" sourceRef="w" targetRef="u"/><userTask id="u"><extensionElements>
<zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f3" sourceRef="u" targetRef="e"/>
<endEvent id="e"/></process></definitions>`

// safe is a buffer that several write to.
type safe struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.String()
}

func studio(t *testing.T) (*platform.Platform, func(script string) *worker.Worker) {
	t.Helper()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(painting)); err != nil {
		t.Fatal(err)
	}
	return p, func(script string) *worker.Worker {
		return &worker.Worker{API: p.Client, Project: "default", Type: "paint", Name: "w",
			Command: []string{"sh", "-c", script}, Lease: time.Minute, Once: true, Err: &safe{}}
	}
}

func open(t *testing.T, p *platform.Platform) []client.JobOpen {
	t.Helper()
	var page client.PageOfJobOpen
	p.Must("GET", "/api/v1/jobs?type=paint", nil, &page)
	return page.Items
}

func eventually(t *testing.T, what string, there func() bool) {
	t.Helper()
	for deadline := time.After(30 * time.Second); !there(); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("it did not come: %s", what)
		}
	}
}

// A command gets the variables and the headers of a job, and what it says are results.
func TestACommandDoesAJob(t *testing.T) {
	t.Parallel()
	p, by := studio(t)
	run := p.Run(platform.Request{Process: "p", Variables: map[string]any{"colour": "red"}})
	dir := t.TempDir()
	file := filepath.Join(dir, "in")
	w := by(`cat > ` + file + `; echo "{\"painted\": \"$SEXTANT_HEADER_BRUSH_SIZE in $SEXTANT_RUN\"}"`)
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if in, err := os.ReadFile(file); err != nil || string(in) != `{"colour":"red"}` {
		t.Errorf("%s, %v", in, err)
	}
	var vars map[string]any
	eventually(t, "its result", func() bool {
		vars = map[string]any{}
		p.Must("GET", "/api/v1/runs/"+run+"/variables", nil, &vars)
		return vars["painted"] != nil
	})
	if vars["painted"] != "3 mm in "+run {
		t.Errorf("%v", vars)
	}
	if all := open(t, p); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// A command that fails, or says what is no JSON object, costs a try and says why; with
// none left the job is stuck.
func TestACommandThatFails(t *testing.T) {
	t.Parallel()
	p, by := studio(t)
	p.Run(platform.Request{Process: "p"})
	if err := by("echo no brush >&2; exit 3").Run(t.Context()); err == nil {
		t.Error("a worker for one job says nothing of its failure")
	}
	all := open(t, p)
	if len(all) != 1 || all[0].Retries != 1 || all[0].State != "free" {
		t.Fatalf("%+v", all)
	}
	if err := by("echo painted").Run(t.Context()); err == nil {
		t.Error("what is no JSON is taken")
	}
	if all = open(t, p); len(all) != 1 || all[0].State != "stuck" || all[0].Retries != 0 {
		t.Fatalf("%+v", all)
	}
	if i := p.Incidents(); len(i) != 1 || !strings.Contains(i[0].Message, "no JSON object of variables: painted") {
		t.Errorf("%+v", i)
	}
}

// The lease is extended for as long as a command works; when the run is cancelled it is
// ended.
func TestALeaseIsExtendedAndLost(t *testing.T) {
	t.Parallel()
	p, by := studio(t)
	p.Run(platform.Request{Process: "p"})
	w := by("sleep 2; echo '{}'")
	w.Lease = 1500 * time.Millisecond // told as one second, and extended every half
	if err := w.Run(t.Context()); err != nil {
		t.Errorf("a long job is lost: %v\n%s", err, w.Err)
	}
	run := p.Run(platform.Request{Process: "p"})
	begun := filepath.Join(t.TempDir(), "begun")
	w = by("touch " + begun + "; exec sleep 60")
	w.Lease = 1500 * time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- w.Run(t.Context()) }()
	eventually(t, "the command", func() bool { _, err := os.Stat(begun); return err == nil })
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "a test"}, nil)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a job that is gone is told as done")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the command goes on")
	}
}

// A worker that is stopped ends its command and gives the job back, with as many tries.
func TestAWorkerThatIsStoppedGivesItsJobBack(t *testing.T) {
	t.Parallel()
	p, by := studio(t)
	p.Run(platform.Request{Process: "p"})
	begun := filepath.Join(t.TempDir(), "begun")
	w := by("touch " + begun + "; exec sleep 60")
	w.Once, w.Parallel = false, 2
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	eventually(t, "the command", func() bool { _, err := os.Stat(begun); return err == nil })
	if all := open(t, p); len(all) != 1 || all[0].State != "leased" || all[0].Worker != "w" {
		t.Errorf("%+v", all)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not stop")
	}
	if all := open(t, p); len(all) != 1 || all[0].State != "free" || all[0].Retries != 2 {
		t.Errorf("%+v", all)
	}
}
