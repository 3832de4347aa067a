package fair_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"sextant/internal/kit/fair"
)

// A project, a plugin or a service that has all its places taken leaves those of
// the others alone.
func TestNobodyTakesThePlacesOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, nobodyTakesThePlacesOfOthers)
}

func nobodyTakesThePlacesOfOthers(t *testing.T) {
	s := fair.New(8)
	hold := func(project, plugin, service string) func() {
		t.Helper()
		free, err := s.Take(t.Context(), project+"/"+plugin, service)
		if err != nil {
			t.Fatal(err)
		}
		return free
	}
	var frees []func()
	for range 6 { // one service has six of eight
		frees = append(frees, hold("a", "p", "p/s/run"))
	}
	waiting, given := make(chan func(), 1), make(chan struct{})
	go func() {
		defer close(given)
		free, err := s.Take(t.Context(), "a/p", "p/s/run")
		if err != nil {
			t.Error(err)
			return
		}
		waiting <- free
	}()
	synctest.Wait()
	select {
	case <-given:
		t.Fatal("a service has more than its share")
	default:
	}
	for _, other := range [][3]string{{"a", "p", "p/s/stop"}, {"a", "p", "p/t/run"}, {"a", "q", "q/s/run"}, {"b", "p", "p/s/run"}} {
		defer hold(other[0], other[1], other[2])()
	}
	frees[0]()
	frees[0]() // twice is once
	defer (<-waiting)()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	cancel(stop)
	if _, err := s.Take(ctx, "a/p", "p/s/run"); !errors.Is(err, stop) {
		t.Errorf("who gives up waiting gets %v", err)
	}
	for _, free := range frees[1:] {
		free()
	}
}

// When everybody has left nothing is remembered.
func TestPlacesAreForgotten(t *testing.T) {
	t.Parallel()
	s := fair.New(2)
	for range 5 {
		free, err := s.Take(t.Context(), "a/p", "p/s/run")
		if err != nil {
			t.Fatal(err)
		}
		free()
	}
	if s.Groups() != 0 {
		t.Errorf("%d groups are left", s.Groups())
	}
}
