package engine

import (
	"fmt"
	"slices"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// timerCatch waits for a time.
type timerCatch struct{ waiting }

func (timerCatch) await(s *stepper, el *state.Element, node *program.Node) bool {
	return s.arm(el, node)
}

func (timerCatch) work(s *stepper, el *state.Element, _ *program.Node) { s.activate(el) }

// boundaryTimer takes the token of an activity when a time has come, or sends one
// of its own where it does not interrupt.
type boundaryTimer struct{ waiting }

func (boundaryTimer) await(s *stepper, el *state.Element, node *program.Node) bool {
	return s.arm(el, node)
}

func (boundaryTimer) work(s *stepper, el *state.Element, _ *program.Node) { s.finish(el) }

// startTimer begins an event sub-process when a time has come.
type startTimer struct{ startEvent }

func (startTimer) await(s *stepper, el *state.Element, node *program.Node) bool {
	return s.arm(el, node)
}

// arm sets the timer of a node for an element instance.
func (s *stepper) arm(el *state.Element, node *program.Node) bool {
	t, err := s.timer(el, node)
	if err != nil {
		s.forget(el)
		s.incident(el, IncidentValue, fmt.Sprintf("the timer of %s cannot be set: %s", node.ID, err))
		return false
	}
	el.Timers = append(el.Timers, t)
	s.run.Touch(el)
	s.effect(Effect{Kind: TimerArmed, Key: t.Key, Element: el.Key, Node: node.Index, Due: t.Due})
	return true
}

// disarm forgets the timers of some events of an element instance, all where which is
// nil.
func (s *stepper) disarm(el *state.Element, which func(node int32) bool) {
	el.Timers = slices.DeleteFunc(el.Timers, func(t state.Timer) bool {
		if which != nil && !which(t.Node) {
			return false
		}
		s.effect(Effect{Kind: TimerGone, Key: t.Key, Element: el.Key, Node: t.Node})
		return true
	})
	if len(el.Timers) == 0 {
		el.Timers = nil
	}
}

func (s *stepper) timer(el *state.Element, node *program.Node) (state.Timer, error) {
	t := state.Timer{Key: s.env.NextKey(), Node: node.Index}
	text, err := s.text(node.Timer.Value, el.Key)
	if err != nil {
		return t, err
	}
	switch node.Timer.Kind {
	case program.TimerDate:
		t.Due, err = program.ParseDate(text, s.env.Zone)
		return t, err
	case program.TimerCycle:
		c, err := CheckCycle(text, s.budget.Cycle, s.env.Zone)
		if err != nil {
			return t, err
		}
		t.Repeat, t.Every = int32(max(c.Repeat-1, -1)), text
		t.Due, err = c.First(s.env.Now)
		return t, err
	}
	d, err := program.ParseDuration(text)
	if err != nil {
		return t, err
	}
	t.Due, err = d.After(s.env.Now)
	return t, err
}

// fire lets the i-th timer of an element instance happen.
func (s *stepper) fire(el *state.Element, i int) {
	t := el.Timers[i]
	node := s.p.Nodes[t.Node]
	if s.held() && t.Every != "" && s.again(el, i) {
		s.run.Touch(el) // a run that rests gathers no more to do
		return
	}
	s.fact(Fact{Kind: FactTimer, Node: t.Node, Key: t.Key})
	if node.Kind == program.TimerCatch || node.Interrupting {
		s.occur(el, node, nil)
		return
	}
	if !s.again(el, i) {
		el.Timers = append(el.Timers[:i:i], el.Timers[i+1:]...)
		s.effect(Effect{Kind: TimerGone, Key: t.Key, Element: el.Key, Node: t.Node})
	}
	s.run.Touch(el)
	s.occur(el, node, nil)
}

// again arms a repeating timer for its next firing, counted from the last one.
func (s *stepper) again(el *state.Element, i int) bool {
	t := &el.Timers[i]
	if t.Every == "" || t.Repeat == 0 {
		return false
	}
	c, err := program.ParseCycle(t.Every, s.env.Zone)
	if err != nil {
		return false
	}
	due, err := s.following(t.Due, c)
	if err != nil {
		return false
	}
	if t.Repeat > 0 {
		t.Repeat--
	}
	t.Due = due
	s.effect(Effect{Kind: TimerArmed, Key: t.Key, Element: el.Key, Node: t.Node, Due: due})
	return true
}

// following is the first time after now in a row of times. What was missed while
// nobody looked has fired once, and does not fire again.
func (s *stepper) following(last time.Time, c program.Cycle) (time.Time, error) {
	now := s.env.Now
	if c.Cron != nil {
		if now.After(last) {
			last = now
		}
		return c.Next(last)
	}
	every := c.Every
	if every.Months == 0 {
		step := max(every.Time, s.budget.Cycle)
		if due := last.Add(step); due.After(now) {
			return due, nil
		}
		return last.Add(step * (now.Sub(last)/step + 1)), nil
	}
	if every.Negative() {
		return last, fmt.Errorf("the cycle goes back in time")
	}
	for n := int64(1); ; n++ { // from the last, so that the 31st stays the last of a month
		times := every
		times.Months, times.Time = every.Months*n, every.Time*time.Duration(n)
		due, err := times.After(last)
		if err != nil || due.After(now) {
			return due, err
		}
	}
}

// CheckCycle reads a repeating interval and refuses one that fires more often
// than every shortest, 1 s where that is 0. Without zones every name of one may be
// that of one.
func CheckCycle(text string, shortest time.Duration, zones func(string) (*time.Location, error)) (program.Cycle, error) {
	shortest = Budget{Cycle: shortest}.WithDefaults().Cycle
	if zones == nil {
		zones = func(string) (*time.Location, error) { return time.UTC, nil }
	}
	c, err := program.ParseCycle(text, zones)
	if err != nil {
		return c, err
	}
	if c.Repeat == 0 {
		return c, fmt.Errorf("the cycle %q repeats 0 times", text)
	}
	if c.Cron == nil && (c.Every.Negative() || c.Every.Months == 0 && c.Every.Time < shortest) {
		return c, fmt.Errorf("the cycle %q fires more often than every %s: make it slower, or lower the setting limits.cycle", text, shortest)
	}
	return c, nil
}
