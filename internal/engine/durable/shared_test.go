package durable_test

import (
	"errors"
	"path/filepath"
	"testing"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

const fan = 20

const wide = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="a"/>
<serviceTask id="a"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements>` +
	`<multiInstanceLoopCharacteristics><extensionElements><zeebe:loopCharacteristics inputCollection="=for i in 1..20 return i" ` +
	`inputElement="i"/></extensionElements></multiInstanceLoopCharacteristics></serviceTask><sequenceFlow id="f2" sourceRef="a" targetRef="e"/>
<endEvent id="e"/></process></definitions>`

// picky refuses a write that holds more than one finished job, and writes that
// finish one job in particular.
type picky struct {
	ends
	alone  bool
	reject state.Key
	chunks chan int
}

func (p *picky) Project(tx *db.Tx, c *durable.Change) error {
	gone := 0
	for _, e := range c.Effects {
		if e.Kind == engine.JobGone {
			gone++
			if e.Key == p.reject {
				return errors.New("not this one")
			}
		}
	}
	if p.alone && gone > 1 {
		return errors.New("one at a time")
	}
	if gone > 0 {
		tx.AfterCommit(func() { p.chunks <- gone })
	}
	return p.ends.Project(tx, c)
}

// Completions of one run that wait together are stored by one write; where that
// fails each is stored alone, and only the culprit fails.
func TestStepsOfOneRunShareAWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alone, reject bool
		writes        int
	}{
		"shared":      {writes: 1},
		"alone":       {alone: true, writes: fan},
		"one_refused": {reject: true, writes: fan - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs := make(chan durable.Job, 2*fan)
			w := &worker{seen: map[state.Key]int{}, offer: func(j durable.Job) { jobs <- j }}
			p := &picky{ends: ends{make(chan state.Key, 1)}, alone: c.alone, chunks: make(chan int, fan)}
			h, d := open(t, filepath.Join(t.TempDir(), "s.db"), compile(t, wide), w, p)
			defer func() { h.Close(); _ = d.Close() }()
			key := h.NewKey()
			if err := h.StartOne(t.Context(), durable.StartRun{Key: key}); err != nil {
				t.Fatal(err)
			}
			all := make([]durable.Job, fan)
			for i := range all {
				all[i] = <-jobs
			}
			if c.reject {
				p.reject = all[3].Key
			}
			answers := completeTogether(t, h, key, all)
			refused := 0
			for err := range answers {
				if err != nil {
					refused++
				}
			}
			if want := map[bool]int{true: 1}[c.reject]; refused != want {
				t.Errorf("%d completions were refused, want %d", refused, want)
			}
			if n := len(p.chunks); n != c.writes {
				t.Errorf("%d writes, want %d", n, c.writes)
			}
			if !c.reject {
				<-p.ch
				return
			}
			p.reject = 0
			if err := h.Apply(t.Context(), key, engine.JobCompleted{Job: all[3].Key}, nil); err != nil {
				t.Errorf("the refused one afterwards: %v", err)
			}
			<-p.ch
		})
	}
}

// completeTogether lets the completions pile up while the run's loop is held.
func completeTogether(t *testing.T, h *durable.Host, run state.Key, all []durable.Job) <-chan error {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = h.Read(t.Context(), run, func(*state.Run, *program.Program) { close(held); <-release })
	}()
	<-held
	answers := make(chan error, len(all))
	for _, j := range all {
		if err := h.ApplyAsync(run, engine.JobCompleted{Job: j.Key}, nil, func(err error) { answers <- err }); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	out := make(chan error, len(all))
	for range all {
		out <- <-answers
	}
	close(out)
	return out
}
