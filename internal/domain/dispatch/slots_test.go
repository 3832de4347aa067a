package dispatch

import (
	"testing"

	"sextant/sdk/go/wire"
)

// What only waits for something holds no place; what works does, however long.
func TestWhatWaitsHoldsNoPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		risk, timeout string
		want          bool
	}{{wire.RiskRead, "PT24H", true}, {wire.RiskRead, "PT1H", true}, {wire.RiskRead, "PT5M", false},
		{wire.RiskChange, "PT24H", false}, {wire.RiskRead, "", false}} {
		if got := idle(wire.Action{Risk: c.risk, Timeout: c.timeout}); got != c.want {
			t.Errorf("%s for %s: %v", c.risk, c.timeout, got)
		}
	}
}
