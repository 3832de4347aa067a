package durable

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
)

const retryAfter = time.Second // until a timer whose step could not be stored fires again

// entry is something that becomes due: a timer, or a job that waits for its
// next try.
type entry struct {
	due     time.Time
	run     state.Key
	element state.Key
	timer   state.Key
	job     state.Key
	more    bool // the next turn of the run
	call    bool // the element calls a process
}

type entries []entry

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].due.Before(e[j].due) }
func (e entries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *entries) Push(x any)        { *e = append(*e, x.(entry)) }
func (e *entries) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// timers holds everything that is due later, in one order. An entry whose timer
// is gone stays until its time and then finds nothing.
type timers struct {
	clock clock.Clock
	fire  func(entry)
	mu    sync.Mutex
	all   entries
	wake  chan struct{}
}

func newTimers(c clock.Clock, fire func(entry)) *timers {
	return &timers{clock: c, fire: fire, wake: make(chan struct{}, 1)}
}

func (t *timers) add(e entry) {
	t.mu.Lock()
	heap.Push(&t.all, e)
	first := t.all[0] == e
	t.mu.Unlock()
	if first {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

func (t *timers) retry(run state.Key, ev engine.Event) {
	if f, ok := ev.(engine.TimerFired); ok {
		t.add(entry{due: t.clock.Now().Add(retryAfter), run: run, element: f.Element, timer: f.Timer})
	}
}

func (t *timers) run(ctx context.Context) {
	for {
		due, wait := t.take()
		for _, e := range due {
			t.fire(e)
		}
		if len(due) > 0 {
			continue
		}
		if wait < 0 {
			select {
			case <-ctx.Done():
				return
			case <-t.wake:
			}
			continue
		}
		ch, stop := t.clock.After(wait)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-t.wake:
			stop()
		case <-ch:
		}
	}
}

// take removes what is due; otherwise it tells how long to wait, negative for
// ever.
func (t *timers) take() ([]entry, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	var due []entry
	for len(t.all) > 0 && !t.all[0].due.After(now) {
		due = append(due, heap.Pop(&t.all).(entry))
	}
	if len(t.all) == 0 {
		return due, -1
	}
	return due, t.all[0].due.Sub(now)
}
