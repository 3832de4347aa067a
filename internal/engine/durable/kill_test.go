package durable_test

import (
	"errors"
	"sync"
	"testing"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
)

var errKilled = errors.New("the server was killed")

// death ends a server before a write that it chooses: from there on none is stored.
type death struct {
	mu   sync.Mutex
	left int
	over chan struct{} // closed when it has come
}

func (d *death) dies() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left > 0 {
		d.left--
		return nil
	}
	select {
	case <-d.over:
	default:
		close(d.over)
	}
	return errKilled
}

// Before whichever write the server is killed while a run calls one that calls another,
// an error leaves that, is caught above, and all end: each run begins once and ends once.
func TestAKillBetweenTwoWritesOfRunsThatCallEachOther(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		if n > 100 {
			t.Fatal("it never lives to the end")
		}
		if !killedBefore(t, n) {
			if n < 6 {
				t.Errorf("there were only %d boundaries", n)
			}
			t.Logf("killed before each of %d writes", n)
			return
		}
	}
}

// killedBefore plays it with a kill before a write, and reports whether that came.
func killedBefore(t *testing.T, n int) (killed bool) {
	t.Helper()
	p, c, _ := calling(t)
	d := &death{left: n, over: make(chan struct{})}
	p.close()
	p.told.dies = d.dies
	p.open()
	again := func() {
		p.close()
		killed, p.told.dies, d.over = true, nil, nil
		p.open()
	}
	top := p.h.NewKey()
	if err := p.h.StartOne(t.Context(), durable.StartRun{Key: top, Program: deepKey}); err != nil {
		again()
		p.empty() // nobody was told that it began
		return killed
	}
	for p.state(top) == "" {
		select {
		case <-d.over:
			again()
		case <-p.told.news:
		case j := <-p.jobs:
			var ev engine.Event = engine.JobCompleted{Job: j.Key}
			if j.Node.ID == "a" {
				ev = engine.JobThrew{Job: j.Key, Code: "broken"}
			}
			err := p.h.Apply(t.Context(), j.Run, ev, nil)
			if err != nil && !errors.Is(err, errKilled) && !errors.Is(err, engine.ErrGone) && !errors.Is(err, durable.ErrNoRun) {
				t.Fatalf("killed before write %d: %v", n, err)
			}
		}
	}
	if len(c.begun) != 2 || p.state(top) != engine.Completed {
		t.Errorf("killed before write %d: %d runs were called, the first is %q", n, len(c.begun), p.state(top))
	}
	for _, run := range []state.Key{top, c.begun[0].Run, c.begun[1].Run} {
		begun, ended := 0, 0
		chunks, err := durable.History(t.Context(), p.d, run, 0, 1000)
		for _, chunk := range chunks {
			for _, f := range chunk.Facts {
				switch f.Kind {
				case engine.FactStarted:
					begun++
				case engine.FactEnded:
					ended++
				}
			}
		}
		if err != nil || begun != 1 || ended != 1 {
			t.Errorf("killed before write %d: a run began %d times and ended %d times, %v", n, begun, ended, err)
		}
	}
	p.empty()
	return killed
}
