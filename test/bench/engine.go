package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/lang/bpmn"
)

const opening = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t"><process id="p" isExecutable="true"><startEvent ` +
	`id="s"/><endEvent id="e"/>`

func task(id string) string {
	return `<serviceTask id="` + id + `"><extensionElements><zeebe:taskDefinition type="noop"/></extensionElements></serviceTask>`
}

func flow(from, to string) string {
	return fmt.Sprintf(`<sequenceFlow id="%s_%s" sourceRef="%s" targetRef="%s"/>`, from, to, from, to)
}

// sequenceOf is n tasks one after the other, parallelOf n at once and joined.
func sequenceOf(n int) string {
	var b strings.Builder
	b.WriteString(opening)
	last := "s"
	for i := range n {
		id := fmt.Sprintf("t%d", i)
		b.WriteString(task(id) + flow(last, id))
		last = id
	}
	b.WriteString(flow(last, "e") + `</process></definitions>`)
	return b.String()
}

func parallelOf(n int) string {
	var b strings.Builder
	b.WriteString(opening + `<parallelGateway id="f"/><parallelGateway id="j"/>` + flow("s", "f") + flow("j", "e"))
	for i := range n {
		id := fmt.Sprintf("t%d", i)
		b.WriteString(task(id) + flow("f", id) + flow(id, "j"))
	}
	b.WriteString(`</process></definitions>`)
	return b.String()
}

func compile(src string) (*program.Program, error) {
	doc, err := bpmn.Parse([]byte(src))
	if err != nil {
		return nil, err
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		return nil, err
	}
	return program.Compile(m, "")
}

// rig is a durable host with a worker that completes every job at once.
type rig struct {
	host  *durable.Host
	db    *db.DB
	mu    sync.Mutex
	ended map[state.Key]chan struct{}

	idle    atomic.Bool // its jobs are left alone, and told of
	offered chan state.Key
}

// errEnough ends a load.
var errEnough = errors.New("enough")

func newRig(dir, src string) (*rig, error) {
	return newRigOn("sqlite:"+filepath.Join(dir, "bench.db"), src)
}

func newRigOn(address, src string) (*rig, error) {
	p, err := compile(src)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	d, err := db.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := d.Migrate(ctx, durable.Domain, durable.Migrations); err != nil {
		return nil, err
	}
	r := &rig{db: d, ended: map[state.Key]chan struct{}{}, offered: make(chan state.Key, 1)}
	r.host, err = durable.Open(ctx, durable.Deps{DB: d, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), Projector: r,
		Programs: func(int64) (*program.Program, error) { return p, nil },
		Workers:  []durable.Subscription{{Accepts: func(string) bool { return true }, Worker: r}}})
	if err != nil {
		return nil, err
	}
	r.host.Start()
	return r, nil
}

// Offer completes a job at once.
func (r *rig) Offer(j durable.Job) {
	if r.idle.Load() {
		select {
		case r.offered <- j.Key:
		default: // nobody asks
		}
		return
	}
	_ = r.host.ApplyAsync(j.Run, engine.JobCompleted{Job: j.Key}, nil, func(error) {})
}

// Withdraw has nothing to withdraw.
func (r *rig) Withdraw(state.Key) {}

// Project tells the caller that its run has ended.
func (r *rig) Project(tx *db.Tx, c *durable.Change) error {
	for _, e := range c.Effects {
		if e.Kind == engine.RunEnded {
			tx.AfterCommit(func() {
				r.mu.Lock()
				ch := r.ended[c.Run]
				delete(r.ended, c.Run)
				r.mu.Unlock()
				if ch != nil {
					close(ch)
				}
			})
		}
	}
	return nil
}

func (r *rig) one(ctx context.Context) error {
	key, ch := r.host.NewKey(), make(chan struct{})
	r.mu.Lock()
	r.ended[key] = ch
	r.mu.Unlock()
	if err := r.host.StartOne(ctx, durable.StartRun{Key: key}); err != nil {
		return err
	}
	<-ch
	return nil
}

func (r *rig) close() error {
	r.host.Close()
	return r.db.Close()
}

// load runs instances with some callers for a while.
type load struct {
	n         int
	elapsed   time.Duration
	cpu       time.Duration
	latencies []time.Duration
}

func (l load) rate() float64 { return float64(l.n) / l.elapsed.Seconds() }

func (l load) percentile(p float64) float64 {
	slices.Sort(l.latencies)
	return float64(l.latencies[int(float64(len(l.latencies)-1)*p)].Microseconds()) / 1000
}

func drive(callers int, d time.Duration, one func(context.Context) error) (load, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d+10*time.Second)
	defer cancel()
	var mu sync.Mutex
	var l load
	var first error
	var wg sync.WaitGroup
	cpu, start := cpuTime(), time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(start) < d {
				begun := time.Now()
				err := one(ctx)
				took := time.Since(begun)
				mu.Lock()
				if err != nil && first == nil {
					first = err
				}
				l.n++
				l.latencies = append(l.latencies, took)
				stop := first != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	l.elapsed, l.cpu = time.Since(start), cpuTime()-cpu
	return l, first
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func engineFigures(r *report) error {
	for _, w := range []struct {
		name, src string
		target    float64
	}{{"w1", sequenceOf(1), 5000}, {"w2", sequenceOf(10), 1200}, {"w3", parallelOf(10), 1200}} {
		if err := engineWorkload(r, w.name, w.src, w.target); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func engineWorkload(r *report, name, src string, target float64) error {
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g, err := newRig(dir, src)
	if err != nil {
		return err
	}
	defer g.close()
	l, err := drive(64, 4*time.Second, g.one)
	if err != nil {
		return err
	}
	r.add("engine."+name+".rate64", l.rate(), "/s", target, "64 callers, SQLite WAL synchronous=FULL: survives kill and power loss")
	if name != "w1" {
		return nil
	}
	r.add("engine.w1.cpu_ms", l.cpu.Seconds()*1000/float64(l.n), "ms", 0.25, "caller and worker included")
	bytes, err := tableBytes(g.db, "engine_")
	if err != nil {
		return err
	}
	r.add("engine.w1.bytes", bytes/float64(l.n), "B", 2048, "engine tables of finished instances, history kept")
	alone, err := drive(1, 2*time.Second, g.one)
	if err != nil {
		return err
	}
	r.add("engine.w1.p50_ms", alone.percentile(0.5), "ms", 1.5, "one caller")
	r.add("engine.w1.p99_ms", alone.percentile(0.99), "ms", 5, "one caller")
	return nil
}

// tableBytes counts the pages of tables and their indexes.
func tableBytes(d *db.DB, prefix string) (float64, error) {
	var n float64
	err := d.QueryRow(context.Background(), "SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE name LIKE ?", prefix+"%").Scan(&n)
	return n, err
}
