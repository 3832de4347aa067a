package durable_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/lang/bpmn"
	"sextant/internal/testkit/dbserver"
)

const sequence = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="a"/>
<serviceTask id="a"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements></serviceTask>` +
	`<sequenceFlow id="f2" sourceRef="a" targetRef="t"/>
<intermediateCatchEvent id="t"><timerEventDefinition><timeDuration>PT0.01S</timeDuration></timerEventDefinition></intermediateCatchEvent>` +
	`<sequenceFlow id="f3" sourceRef="t" targetRef="b"/>
<serviceTask id="b"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements></serviceTask>` +
	`<sequenceFlow id="f4" sourceRef="b" targetRef="e"/>
<endEvent id="e"/></process></definitions>`

func compile(t testing.TB, src string) *program.Program {
	t.Helper()
	doc, err := bpmn.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(m, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// worker answers jobs on goroutines of its own and counts how often each came.
type worker struct {
	mu    sync.Mutex
	seen  map[state.Key]int
	offer func(durable.Job)
}

func (w *worker) Offer(j durable.Job) {
	w.mu.Lock()
	w.seen[j.Key]++
	w.mu.Unlock()
	w.offer(j)
}

func (w *worker) Withdraw(state.Key) {}

// again is who comes again after a kill.
var again = db.Holder{ID: "again", Name: "the one before"}

func open(t testing.TB, file string, p *program.Program, w durable.Worker, proj durable.Projector) (*durable.Host, *db.DB) {
	t.Helper()
	ctx := context.Background()
	d, err := db.OpenAs(ctx, dbserver.Address(t, file), again)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(ctx, durable.Domain, durable.Migrations); err != nil {
		t.Fatal(err)
	}
	h, err := durable.Open(ctx,
		durable.Deps{DB: d, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), Zone: time.LoadLocation, Projector: proj,
			Programs: func(key int64) (*program.Program, error) {
				if key == 1 {
					return compile(t, caller), nil
				}
				return p, nil
			}, Calls: &catalog{keys: map[string]int64{"inner": 0}},
			Workers: []durable.Subscription{{Accepts: func(string) bool { return true }, Worker: w}}})
	if err != nil {
		t.Fatal(err)
	}
	h.Start()
	return h, d
}

// ends is a projector that tells when runs end.
type ends struct{ ch chan state.Key }

func (e ends) Project(tx *db.Tx, c *durable.Change) error {
	for _, ef := range c.Effects {
		if ef.Kind == engine.RunEnded {
			tx.AfterCommit(func() { e.ch <- c.Run })
		}
	}
	return nil
}

func TestRunsSurviveARestart(t *testing.T) {
	t.Parallel()
	file, p := filepath.Join(t.TempDir(), "s.db"), compile(t, sequence)
	jobs := make(chan durable.Job, 100)
	w := &worker{seen: map[state.Key]int{}, offer: func(j durable.Job) { jobs <- j }}
	h, d := open(t, file, p, w, nil)
	key := h.NewKey()
	if err := h.StartOne(t.Context(), durable.StartRun{Key: key, Variables: engine.Variables{"x": json.RawMessage("1")}}); err != nil {
		t.Fatal(err)
	}
	first := <-jobs
	h.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	e := ends{make(chan state.Key, 1)}
	h, d = open(t, file, p, w, e)
	again := <-jobs
	if again.Key != first.Key || again.Run != key {
		t.Fatalf("the job came back as %+v, was %+v", again, first)
	}
	complete := func(j durable.Job) error {
		return h.Apply(t.Context(), j.Run, engine.JobCompleted{Job: j.Key}, nil)
	}
	if err := complete(again); err != nil {
		t.Fatal(err)
	}
	if err := complete(again); !errors.Is(err, engine.ErrGone) {
		t.Errorf("a second completion: %v", err)
	}
	if err := complete(<-jobs); err != nil {
		t.Fatal(err)
	}
	if got := <-e.ch; got != key {
		t.Errorf("run %d ended, want %d", got, key)
	}
	if err := complete(again); !errors.Is(err, durable.ErrNoRun) {
		t.Errorf("a completion after the end: %v", err)
	}
	chunks, err := durable.History(t.Context(), d, key, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []engine.FactKind
	for i, c := range chunks {
		if c.Seq != int64(i) {
			t.Errorf("chunk %d has number %d", i, c.Seq)
		}
		for _, f := range c.Facts {
			kinds = append(kinds, f.Kind)
		}
	}
	if kinds[0] != engine.FactStarted || kinds[len(kinds)-1] != engine.FactEnded {
		t.Errorf("history %v", kinds)
	}
	var left int
	if err := d.QueryRow(t.Context(), "SELECT COUNT(*) FROM engine_record").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d records left, %v", left, err)
	}
	h.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFailedWriteUndoesTheStep(t *testing.T) {
	t.Parallel()
	jobs := make(chan durable.Job, 10)
	w := &worker{seen: map[state.Key]int{}, offer: func(j durable.Job) { jobs <- j }}
	h, d := open(t, filepath.Join(t.TempDir(), "s.db"), compile(t, sequence), w, nil)
	defer func() { h.Close(); _ = d.Close() }()
	if err := h.StartOne(t.Context(), durable.StartRun{Key: h.NewKey()}); err != nil {
		t.Fatal(err)
	}
	j := <-jobs
	no := errors.New("no")
	if err := h.Apply(t.Context(), j.Run, engine.JobCompleted{Job: j.Key}, func(*db.Tx) error { return no }); !errors.Is(err, no) {
		t.Fatalf("got %v", err)
	}
	if err := h.Apply(t.Context(), j.Run, engine.JobCompleted{Job: j.Key}, nil); err != nil {
		t.Fatalf("the job was gone after a write that failed: %v", err)
	}
}

func TestMain(m *testing.M) {
	if file := os.Getenv("SEXTANT_TEST_KILL_FILE"); file != "" {
		killedChild(file)
	}
	if dir := os.Getenv("SEXTANT_TEST_DIE"); dir != "" {
		dying(dir)
	}
	os.Exit(m.Run())
}

// killedChild is the process that TestKill kills: it starts runs, answers jobs,
// and prints what it was told is done.
func killedChild(file string) {
	t := &testing.T{}
	var h *durable.Host
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	ready := make(chan struct{})
	w := &worker{seen: map[state.Key]int{}, offer: func(j durable.Job) {
		go func() {
			<-ready
			if err := h.Apply(context.Background(), j.Run, engine.JobCompleted{Job: j.Key}, nil); err == nil {
				say("done %d", j.Key)
			}
		}()
	}}
	e := ends{make(chan state.Key, 1000)}
	h, _ = open(t, file, compile(t, sequence), w, e)
	close(ready)
	go func() {
		for k := range e.ch {
			say("ended %d", k)
		}
	}()
	for range 8 {
		go func() {
			for n := int64(0); ; n++ {
				key := h.NewKey()
				if err := h.StartOne(context.Background(), durable.StartRun{Key: key, Program: n % 2}); err == nil {
					say("started %d", key)
				}
			}
		}()
	}
	select {}
}

func TestKill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "s.db")
	started, done, ended := map[int64]bool{}, map[int64]int{}, map[int64]int{}
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(os.Environ(), "SEXTANT_TEST_KILL_FILE="+file), dbserver.Inherit(t, file)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 0
		for s := bufio.NewScanner(out); s.Scan(); {
			word, rest, _ := strings.Cut(s.Text(), " ")
			key, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				continue
			}
			switch word {
			case "started":
				started[key] = true
			case "done":
				done[key]++
			case "ended":
				ended[key]++
			}
			if lines++; lines == 300+round*170 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
	}
	if len(started) < 500 || len(done) < 500 {
		t.Fatalf("only %d runs were started and %d jobs done", len(started), len(done))
	}
	for key, n := range done {
		if n > 1 {
			t.Errorf("job %d was completed %d times", key, n)
		}
	}
	for key, n := range ended {
		if n > 1 {
			t.Errorf("run %d ended %d times", key, n)
		}
	}
	// What is left goes on and ends.
	var h *durable.Host
	ready := make(chan struct{})
	e := ends{make(chan state.Key, 100_000)}
	w := &worker{seen: map[state.Key]int{}, offer: func(j durable.Job) {
		go func() {
			<-ready
			if err := h.Apply(context.Background(), j.Run, engine.JobCompleted{Job: j.Key}, nil); err != nil {
				t.Errorf("job %d: %v", j.Key, err)
			}
		}()
	}}
	h, d := open(t, file, compile(t, sequence), w, e)
	active := map[state.Key]bool{}
	rows, err := d.Query(t.Context(), "SELECT DISTINCT run FROM engine_record")
	_, err = db.Scan(rows, err, func(r *sql.Rows) (key state.Key, err error) {
		err = r.Scan(&key)
		active[key] = true
		return key, err
	})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	t.Logf("%d started, %d ended, %d left active", len(started), len(ended), len(active))
	for len(active) > 0 {
		key := <-e.ch // of one that was called too
		ended[int64(key)]++
		delete(active, key)
	}
	for key := range started {
		if ended[key] == 0 {
			chunks, err := durable.History(t.Context(), d, state.Key(key), 0, 1000)
			if err != nil || len(chunks) == 0 {
				t.Errorf("run %d was acknowledged and is lost: %v", key, err)
				continue
			}
			last := chunks[len(chunks)-1].Facts
			if last[len(last)-1].Kind != engine.FactEnded {
				t.Errorf("run %d neither ended nor is active", key)
			}
		}
	}
	var orphans int
	if err := d.QueryRow(t.Context(), "SELECT COUNT(*) FROM engine_record").Scan(&orphans); err != nil || orphans != 0 {
		t.Errorf("%d records are left of runs that nobody started, %v", orphans, err)
	}
	h.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
