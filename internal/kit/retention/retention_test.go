package retention_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/retention"
)

// shelf keeps things by when they were made.
type shelf struct {
	made   []time.Time
	most   int // that one call removed
	fails  error
	before time.Time
}

func (s *shelf) forget(_ context.Context, before time.Time, limit int) (n int, err error) {
	s.before = before
	for n < limit && len(s.made) > 0 && s.made[0].Before(before) && s.fails == nil {
		s.made = s.made[1:]
		n++
	}
	s.most = max(s.most, n)
	return n, s.fails
}

// asked is a clock that tells when somebody waits for it.
type asked struct {
	*clock.Fake
	waits chan struct{}
}

func (a asked) After(d time.Duration) (<-chan time.Time, func()) {
	tick, stop := a.Fake.After(d)
	a.waits <- struct{}{}
	return tick, stop
}

const day = 24 * time.Hour

// What is old goes in portions, what is not stays, whatever becomes of other kinds,
// and everything is told.
func TestWhatIsOldGoes(t *testing.T) {
	t.Parallel()
	c := asked{clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), make(chan struct{})}
	old, broken, ever := &shelf{}, &shelf{fails: errors.New("no room")}, &shelf{}
	for i := range 2100 {
		old.made = append(old.made, c.Now().Add(-40*day+time.Duration(i)*time.Second))
	}
	old.made = append(old.made, c.Now().Add(-30*day), c.Now())
	s := retention.New(c, slog.New(slog.DiscardHandler), retention.Kind{Name: "broken", Keep: day, Forget: broken.forget},
		retention.Kind{Name: "ever", Forget: ever.forget},
		retention.Kind{Name: "old", Keep: 30 * day, Forget: old.forget})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	<-c.waits
	all := s.Reports()
	if r := all[0]; r.State != "failed" || r.Reason != "no room" || r.Days != 1 {
		t.Errorf("%+v", r)
	}
	if r := all[1]; r.State != "forever" || r.Began != nil || !ever.before.IsZero() {
		t.Errorf("%+v", r)
	}
	if r := all[2]; r.State != "waiting" || r.Removed != 2100 || r.Ended == nil || len(old.made) != 2 || old.most > 500 {
		t.Errorf("%+v, %d are left, %d went at once", r, len(old.made), old.most)
	}
	s.Now()
	<-c.waits
	if len(old.made) != 2 {
		t.Errorf("%d are left", len(old.made))
	}
	c.Advance(time.Hour)
	<-c.waits
	if len(old.made) != 1 {
		t.Errorf("%d are left after 30 days", len(old.made))
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
