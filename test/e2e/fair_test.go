package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// A call that may not be done twice is sent once, whatever becomes of the
// connection; a person finds out what was done.
func TestACallThatIsNotIdempotentIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		outcome string
	}{
		"broken":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unknown"},
		"unavailable": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "unknown"},
		"bad_gateway": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "unknown"},
		"throttled":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, "failed"},
	} {
		p := platform.Start(t, nil)
		m, o := manifestOf("PT10M"), &odd{}
		m.Services[0].Actions[0].Idempotent, m.Services[0].Actions[0].Retry = false, nil
		p.Plug(m, o.serve(c.answer))
		run := p.Service("odd/task/do", map[string]any{"text": "x"})
		p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "incident" })
		if n := len(o.seen()); n != 1 {
			t.Errorf("%s: it was sent %d times", name, n)
		}
		if rows := p.Jobs(run)[0].Rows; len(rows) != 1 || rows[0].Outcome != c.outcome {
			t.Errorf("%s: the rows are %+v, want %s", name, rows, c.outcome)
		}
	}
}

// Calls that were accepted and wait for their call-back hold no place, however
// many there are.
func TestWaitingCallsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, map[string]any{"limits.calls": 4})
	m, o := manifestOf("PT10M"), &odd{}
	m.Services[0].Actions[0].Async = true
	p.Plug(m, o.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	const many = 300
	last := ""
	for range many {
		last = p.Service("odd/task/do", map[string]any{"text": "x"})
	}
	for deadline := time.Now().Add(time.Minute); len(o.seen()) < many; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d calls were sent", len(o.seen()), many)
		}
		p.Until(last, time.Minute, func(u client.Update) bool { return true })
	}
}
