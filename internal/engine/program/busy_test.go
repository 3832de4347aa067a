package program

import (
	"strings"
	"testing"
	"time"
)

func TestWhatAProcessSaysOfStartsOnWhatIsHeld(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for text, want := range map[string]Busy{
		"":                     {Reject, FIFO, day, 100},
		"reject":               {Reject, FIFO, day, 100},
		"queue":                {Queue, FIFO, day, 100},
		"queue()":              {Queue, FIFO, day, 100},
		"queue(latest)":        {Queue, Newest, day, 100},
		" queue ( priority ) ": {Queue, Priority, day, 100},
		"queue(priority; maxWait=PT1H; maxLength=20)": {Queue, Priority, time.Hour, 20},
		"queue(maxLength=1,fifo)":                     {Queue, FIFO, day, 1},
		"merge":                                       {Merge, FIFO, day, 100},
		"merge(maxWait=PT5M)":                         {Merge, FIFO, 5 * time.Minute, 100},
		"replace(maxLength=3)":                        {Replace, FIFO, day, 3},
	} {
		if got, err := parseBusy(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, word := range map[string]string{
		"wait": "want reject", "Queue": "want reject", "queue(fifo": "not closed",
		"queue(lifo)": "no order", "merge(latest)": "only queue has an order",
		"reject(maxWait=PT1H)": "nothing waits", "queue(maxWait=1h)": "no duration",
		"queue(maxWait=PT0S)": "no duration", "queue(maxLength=0)": "from 1 to",
		"queue(maxLength=10001)": "from 1 to", "queue(max=1)": "not known", "queue(fifo; latest)": "twice",
		"queue(maxWait=PT1H; maxWait=PT2H)": "twice",
	} {
		if _, err := parseBusy(text); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v, want a word on %q", text, err, word)
		}
	}
}
