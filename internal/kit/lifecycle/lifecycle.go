// Package lifecycle starts and stops the parts of a process in order. It owns
// the goroutines it starts: Stop returns once all of them have ended.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Group runs background work and stops it. The zero value is not usable; make
// one with New.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	once   sync.Once
	mu     sync.Mutex
	stops  []stop
	failed chan error
	err    error
}

type stop struct {
	name string
	fn   func(context.Context) error
}

const moment = 100 * time.Millisecond

// ErrStopped is the cause with which the context of a stopped group ends.
var ErrStopped = errors.New("stopped")

// New makes a group whose work ends when ctx does or Stop is called.
func New(ctx context.Context) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: ctx, cancel: cancel, failed: make(chan error, 1)}
}

// Context ends when the group stops.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs fn until it returns. An error that is not the end of the context is
// reported through Failed under the given name. Stop ends the context of fn and
// waits for it at its place in the order, so that what was begun before it, a
// database say, is there until it has ended.
func (g *Group) Go(name string, fn func(context.Context) error) {
	ctx, cancel := context.WithCancelCause(g.ctx)
	done := make(chan struct{})
	g.OnStop(name, func(limit context.Context) error {
		cancel(ErrStopped)
		select {
		case <-done:
			return nil
		case <-limit.Done():
			return limit.Err()
		}
	})
	g.wg.Go(func() {
		defer close(done)
		defer cancel(nil)
		err := fn(ctx)
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrStopped) {
			return
		}
		select {
		case g.failed <- fmt.Errorf("%s: %w", name, err):
		default:
		}
	})
}

// OnStop registers work for Stop, which runs it, and ends what Go has begun, in
// the reverse order of registration.
func (g *Group) OnStop(name string, fn func(context.Context) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stops = append(g.stops, stop{name, fn})
}

// Failed yields the first error of background work.
func (g *Group) Failed() <-chan error { return g.failed }

// Stop ends everything and waits, for at most the time-out. It may be called
// more than once; later calls return what the first did.
func (g *Group) Stop(timeout time.Duration) error {
	g.once.Do(func() { g.err = g.stop(timeout) })
	return g.err
}

func (g *Group) stop(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.ctx), timeout)
	defer cancel()
	g.mu.Lock()
	stops := g.stops
	g.mu.Unlock()
	var errs []error
	for i := len(stops) - 1; i >= 0; i-- {
		if err := inTime(ctx, stops[i].fn); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", stops[i].name, err))
		}
	}
	g.cancel(ErrStopped)
	done := make(chan struct{})
	go func() { g.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("background work did not end within %s", timeout))
	}
	return errors.Join(errs...)
}

// inTime runs fn and leaves it where it does not heed the end of ctx. What comes
// after that end still has a moment, so that one that hangs does not keep the
// others from being stopped.
func inTime(ctx context.Context, fn func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	last := time.NewTimer(moment)
	defer last.Stop()
	select {
	case err := <-done:
		return err
	case <-last.C:
		return ctx.Err()
	}
}
