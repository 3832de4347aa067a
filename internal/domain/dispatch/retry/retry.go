// Package retry says how often and how fast the rows of a call are done again.
package retry

import (
	"math/rand/v2"
	"time"

	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// Policy is how often and how fast rows are tried again.
type Policy struct {
	// Max is how often a row is done again.
	Max            int
	First, Longest time.Duration
	// On are the words with which a plugin says that a row may be done again.
	On []string
}

// Of reads the policy that a manifest declares.
func Of(r *wire.Retry) (Policy, error) {
	p := Policy{First: time.Second, Longest: 30 * time.Second}
	if r == nil {
		return p, nil
	}
	p.Max, p.On = r.Max, r.On
	if r.Backoff == "" {
		return p, nil
	}
	var err error
	p.First, p.Longest, err = manifest.Backoff(r.Backoff)
	return p, err
}

// Wait is the time before try n, doubled each time, with up to a quarter of
// chance so that many rows do not come back at once.
func (p Policy) Wait(n int) time.Duration {
	d := p.First
	for ; n > 0 && d < p.Longest; n-- {
		d = min(2*d, p.Longest)
	}
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}
