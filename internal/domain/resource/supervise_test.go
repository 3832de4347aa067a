package resource_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sextant/internal/domain/resource"
	"sextant/internal/kit/clock"
)

// place is a driver whose instance ends when the test wants it to.
type place struct {
	resource.Driver
	mu     sync.Mutex
	now    resource.Instance
	broken bool // it cannot be started
	starts []time.Time
}

// Allocate makes nothing.
func (*place) Allocate(context.Context, resource.Spec) error { return nil }

// Create keeps nothing.
func (*place) Create(context.Context, resource.Spec) error { return nil }

// Start starts another instance.
func (p *place) Start(_ context.Context, name string) (resource.Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts = append(p.starts, time.Now())
	if p.broken {
		return resource.Instance{}, errors.New("it cannot be started")
	}
	p.now = resource.Instance{Name: name, State: resource.StateRunning, Key: time.Now().String()}
	return p.now, nil
}

// Observe gives what runs.
func (p *place) Observe(context.Context, string) (resource.Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, nil
}

// become has the instance ended and not to be started, or lets it be started.
func (p *place) become(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken = broken; broken {
		p.now, p.starts = resource.Instance{State: resource.StateAbsent}, nil
	}
}

// later lets time pass, and everything that happens in it.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// What has ended is started again, twice as late each time where it cannot be, and a
// minute later at most.
func TestWhatEndsIsStartedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		var ended int
		var began []string
		s := &resource.Supervisor{Driver: p, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), Ended: func(string) {
			ended++
		}, Began: func(i resource.Instance) { began = append(began, i.Key) }}
		first, err := s.Keep(t.Context(), resource.Spec{Name: "app"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Watch(ctx, first) }()
		later(time.Hour)
		if len(p.starts) != 1 || ended != 0 {
			t.Fatalf("of what runs %d starts were made and %d ends were told", len(p.starts), ended)
		}
		p.become(true)
		later(10 * time.Minute)
		var waits []time.Duration
		for i := 1; i < len(p.starts); i++ {
			waits = append(waits, p.starts[i].Sub(p.starts[i-1]))
		}
		want := []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute}
		if len(waits) < len(want) || !slices.Equal(waits[:len(want)], want) {
			t.Errorf("it waits %v, want %v", waits, want)
		}
		p.become(false)
		later(2 * time.Minute)
		if len(began) != 1 || began[0] != p.now.Key {
			t.Errorf("told of %v, runs %s", began, p.now.Key)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	})
}
