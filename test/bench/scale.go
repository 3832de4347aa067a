package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

const (
	waiting = 50_000  // runs that wait for a job
	facts   = 100_000 // in the history of one run
	wide    = 10_000  // elements of a process
)

// scaleFigures measures what grows with the number of runs, with the length of one, and
// with the size of its process.
func scaleFigures(r *report) error {
	for _, part := range []func(*report) error{waitingFigures, longFigures, wideFigures} {
		if err := part(r); err != nil {
			return err
		}
	}
	return nil
}

// waitingFigures has many runs wait, and starts anew with them.
func waitingFigures(r *report) error {
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g, err := newRig(dir, sequenceOf(1))
	if err != nil {
		return err
	}
	g.idle.Store(true)
	before := heap()
	var left atomic.Int64
	left.Store(waiting)
	l, err := drive(64, time.Minute, func(ctx context.Context) error {
		if left.Add(-1) < 0 {
			return errEnough
		}
		return g.host.StartOne(ctx, durable.StartRun{Key: g.host.NewKey()})
	})
	if err != nil && err != errEnough {
		return err
	}
	r.add("engine.waiting.start_rate64", waiting/l.elapsed.Seconds(), "/s", 0, "until 50,000 runs wait for a job")
	r.add("engine.waiting.bytes", float64(heap()-before)/waiting, "B", 1000, "of memory for each of 50,000 runs that wait")
	if err := g.close(); err != nil {
		return err
	}
	begun := time.Now()
	if g, err = newRig(dir, sequenceOf(1)); err != nil {
		return err
	}
	took := time.Since(begun)
	if n := g.host.Active(); n < waiting {
		return fmt.Errorf("%d runs wait after a start, want %d", n, waiting)
	}
	r.add("engine.waiting.recovered_rate", waiting/took.Seconds(), "/s", 50_000, "until a start has the 50,000 runs again")
	return g.close()
}

// longFigures measures whether a long run becomes slower.
func longFigures(r *report) error {
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g, err := newRig(dir, opening+task("t")+`<exclusiveGateway id="g" default="g_t"/>`+flow("s", "t")+flow("t", "g")+flow("g", "t")+
		`<sequenceFlow id="g_e" sourceRef="g" targetRef="e">`+
		`<conditionExpression>=over = true</conditionExpression></sequenceFlow></process></definitions>`)
	if err != nil {
		return err
	}
	defer g.close()
	g.idle.Store(true)
	ctx := context.Background()
	key := g.host.NewKey()
	if err := g.host.StartOne(ctx, durable.StartRun{Key: key}); err != nil {
		return err
	}
	var first, last time.Duration
	begun, steps, done := time.Now(), 0, int64(0)
	for ; done < facts; steps++ {
		job := <-g.offered
		if err := g.host.Apply(ctx, key, engine.JobCompleted{Job: job}, nil); err != nil {
			return err
		}
		if err := g.host.Read(ctx, key, func(run *state.Run, _ *program.Program) { done = int64(run.Facts) }); err != nil {
			return err
		}
		if done >= facts/10 && first == 0 {
			first, begun = time.Since(begun)/time.Duration(steps+1), time.Now()
			steps = -1
		}
	}
	last = time.Since(begun) / time.Duration(steps)
	r.add("engine.long.step_ms", last.Seconds()*1000, "ms", 5, "a step of a run with up to 100,000 facts, one caller")
	r.add("engine.long.ratio", last.Seconds()/first.Seconds(), "", 1.2, "a step after the first tenth of 100,000 facts, to one within it")
	return nil
}

// wideFigures measures whether a large process costs more than its size.
func wideFigures(r *report) error {
	one := func(n int) (compiled, ran float64, err error) {
		dir, err := os.MkdirTemp("", "sextant-bench")
		if err != nil {
			return 0, 0, err
		}
		defer os.RemoveAll(dir)
		begun := time.Now()
		g, err := newRig(dir, parallelOf(n))
		if err != nil {
			return 0, 0, err
		}
		defer g.close()
		compiled = time.Since(begun).Seconds() / float64(n)
		begun = time.Now()
		err = g.one(context.Background())
		return compiled, time.Since(begun).Seconds() / float64(n), err
	}
	small, smallRan, err := one(wide / 10)
	if err != nil {
		return err
	}
	large, largeRan, err := one(wide)
	if err != nil {
		return err
	}
	r.add("engine.wide.element_us", largeRan*1e6, "us", 0, "a run, for each of 10,000 tasks at once")
	r.add("engine.wide.ratio", largeRan/smallRan, "", 1.5, "that, to the same with 1,000 tasks")
	r.add("engine.wide.compile_ratio", large/small, "", 1.5,
		"a process of 10,000 elements to one of 1,000, for each element; opening the store included")
	return nil
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
