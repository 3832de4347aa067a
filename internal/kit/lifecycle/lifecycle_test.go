package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/kit/lifecycle"
)

const patience = 30 * time.Second

func TestItStopsInReverseOrder(t *testing.T) {
	t.Parallel()
	g := lifecycle.New(t.Context())
	var mu sync.Mutex
	var told []string
	tell := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, s)
	}
	stops := func(name string) {
		g.OnStop(name, func(context.Context) error {
			if g.Context().Err() != nil {
				t.Errorf("the group's context ended before %s was stopped", name)
			}
			tell(name)
			return nil
		})
	}
	stops("a")
	// Work ends at its place, so that what was begun before it is there until then.
	g.Go("work", func(ctx context.Context) error {
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), lifecycle.ErrStopped) {
			t.Errorf("the cause is %v", context.Cause(ctx))
		}
		tell("work")
		return ctx.Err()
	})
	stops("b")
	stops("c")
	for range 2 {
		if err := g.Stop(patience); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"c", "b", "work", "a"}; !slices.Equal(told, want) {
		t.Errorf("%v, want %v", told, want)
	}
	select {
	case err := <-g.Failed():
		t.Errorf("the end is told as a failure: %v", err)
	default:
	}
}

func TestAFailureIsTold(t *testing.T) {
	t.Parallel()
	g := lifecycle.New(t.Context())
	bad := errors.New("disk gone")
	g.Go("work", func(context.Context) error { return bad })
	select {
	case err := <-g.Failed():
		if !errors.Is(err, bad) || !strings.HasPrefix(err.Error(), "work: ") {
			t.Errorf("%v", err)
		}
	case <-time.After(patience):
		t.Fatal("nothing is told")
	}
	g.OnStop("a", func(context.Context) error { return errors.New("a bad") })
	g.OnStop("b", func(context.Context) error { return errors.New("b bad") })
	err := g.Stop(patience)
	if err == nil || !strings.Contains(err.Error(), "stop a: a bad") || !strings.Contains(err.Error(), "stop b: b bad") {
		t.Errorf("%v", err)
	}
	if again := g.Stop(patience); again != err {
		t.Errorf("the second time: %v", again)
	}
}

// What does not end is left, and keeps nobody from being stopped.
func TestItDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	g := lifecycle.New(t.Context())
	stopped := false
	g.OnStop("first", func(context.Context) error { stopped = true; return nil })
	g.OnStop("hanging", func(context.Context) error { <-hang; return nil })
	g.Go("deaf", func(context.Context) error { <-hang; return nil })
	done := make(chan error, 1)
	go func() { done <- g.Stop(10 * time.Millisecond) }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "stop hanging") || !strings.Contains(err.Error(), "background work did not end") {
			t.Errorf("%v", err)
		}
	case <-time.After(patience):
		t.Fatal("it hangs")
	}
	if !stopped {
		t.Error("what was registered before was not stopped")
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	g := lifecycle.New(ctx)
	ended := make(chan struct{})
	g.Go("work", func(ctx context.Context) error { <-ctx.Done(); close(ended); return ctx.Err() })
	cancel()
	<-ended
	ran := false
	g.OnStop("late", func(ctx context.Context) error { ran = ctx.Err() == nil; return nil })
	if err := g.Stop(patience); err != nil || !ran {
		t.Errorf("%v; stopped with a live context: %v", err, ran)
	}
}
