package dispatch

import (
	"context"
	"errors"
	"testing"

	"sextant/sdk/go/wire"
)

// A project, a plugin or a service that has all its places taken leaves those of
// the others alone.
func TestNobodyTakesThePlacesOfOthers(t *testing.T) {
	t.Parallel()
	s := newTurns(8)
	hold := func(project, plugin, service string) func() {
		t.Helper()
		free, err := s.take(t.Context(), project, plugin, service)
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
		free, err := s.take(t.Context(), "a", "p", "p/s/run")
		if err != nil {
			t.Error(err)
			return
		}
		waiting <- free
	}()
	for _, other := range [][3]string{{"a", "p", "p/s/stop"}, {"a", "p", "p/t/run"}, {"a", "q", "q/s/run"}, {"b", "p", "p/s/run"}} {
		defer hold(other[0], other[1], other[2])()
	}
	select {
	case <-given:
		t.Fatal("a service has more than its share")
	default:
	}
	frees[0]()
	frees[0]() // twice is once
	defer (<-waiting)()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	cancel(stop)
	if _, err := s.take(ctx, "a", "p", "p/s/run"); !errors.Is(err, stop) {
		t.Errorf("who gives up waiting gets %v", err)
	}
	for _, free := range frees[1:] {
		free()
	}
}

// When everybody has left nothing is remembered.
func TestPlacesAreForgotten(t *testing.T) {
	t.Parallel()
	s := newTurns(2)
	for range 5 {
		free, err := s.take(t.Context(), "a", "p", "p/s/run")
		if err != nil {
			t.Fatal(err)
		}
		free()
	}
	if len(s.of) != 0 {
		t.Errorf("%d groups are left", len(s.of))
	}
}

// What only waits for something holds no place; what works does, however long.
func TestWhatWaitsHoldsNoPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		risk, timeout string
		want          bool
	}{{wire.RiskRead, "PT24H", true}, {wire.RiskRead, "PT1H", true}, {wire.RiskRead, "PT5M", false}, {wire.RiskChange, "PT24H", false}, {wire.RiskRead, "", false}} {
		if got := idle(wire.Action{Risk: c.risk, Timeout: c.timeout}); got != c.want {
			t.Errorf("%s for %s: %v", c.risk, c.timeout, got)
		}
	}
}
