package server

import (
	"context"
	"testing"
	"time"

	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
)

// Forget removes what was over before a time of each kind that a setting keeps for a
// while, and tells how many of each.
func (s *Server) Forget(ctx context.Context, before time.Time, limit int) (map[string]int, error) {
	removed := map[string]int{}
	for _, k := range kept(s.parts, s.Config.Retention) {
		n, err := k.Forget(ctx, before, limit)
		if err != nil {
			return nil, err
		}
		removed[k.Name] = n
	}
	return removed, nil
}

// Odd publishes an event on no run that the handler run-output cannot act on.
func (s *Server) Odd(ctx context.Context) error {
	k := bus.Kind[struct{}]{Type: "sextant.run.removed.v1"}
	return s.db.Do(ctx, func(tx *db.Tx) error {
		return k.Publish(s.parts.bus, tx, bus.Of{Subject: "run/none", Project: "default"}, struct{}{})
	})
}

// ForgetRuns removes the runs that are over, as after their time.
func (s *Server) ForgetRuns(ctx context.Context) (int, error) {
	for _, k := range kept(s.parts, s.Config.Retention) {
		if k.Name == "runs" {
			return k.Forget(ctx, time.Now().Add(time.Hour), 100)
		}
	}
	return 0, nil
}

// CaughtUp waits until all events are numbered and handlers have acted on all.
func (s *Server) CaughtUp(t *testing.T) {
	t.Helper()
	for deadline := time.After(30 * time.Second); ; {
		var open int
		if err := s.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM bus_event WHERE seq IS NULL").Scan(&open); err != nil {
			t.Fatal(err)
		}
		all, err := s.parts.bus.Standings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range all {
			if h.Seq < h.Newest || h.Again > 0 {
				open++
			}
		}
		if open == 0 {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("handlers of events have not caught up: %+v", all)
		}
	}
}
