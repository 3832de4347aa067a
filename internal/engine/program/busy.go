package program

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/manifest"
)

// Policy is what becomes of a start on something that is held or waited for.
type Policy string

// The policies.
const (
	Reject  Policy = "reject"  // it is refused
	Queue   Policy = "queue"   // it waits in line
	Merge   Policy = "merge"   // the same one that waits or runs stands for it, else it waits
	Replace Policy = "replace" // it takes the place of the one that waits or runs on the same objects
)

// Order is in which order those that wait come.
type Order string

// The orders.
const (
	FIFO     Order = "fifo"     // who came first
	Priority Order = "priority" // who is more urgent; a minute of waiting makes up for one of its points
	Newest   Order = "latest"   // who came first, and of those on the same objects the newest alone
)

// Busy is what a process says of starts on what is held.
type Busy struct {
	Policy Policy
	Order  Order
	// MaxWait is how long one waits, MaxLength how many of the process wait at once.
	MaxWait   time.Duration
	MaxLength int
}

const (
	defaultMaxWait   = 24 * time.Hour
	defaultMaxLength = 100
	mostLength       = 10_000
)

// busy compiles onBusy: reject, queue, merge or replace, with what holds of the line in
// brackets: queue(priority; maxWait=PT1H; maxLength=20).
func (c *compiler) busy(n *bpmn.Node, text string) Busy {
	b, err := parseBusy(text)
	if err != nil {
		c.problem(n, "process.start_busy", "onBusy=%q: %s", text, err)
	}
	return b
}

func parseBusy(text string) (Busy, error) {
	b := Busy{Policy: Reject, Order: FIFO, MaxWait: defaultMaxWait, MaxLength: defaultMaxLength}
	if text == "" {
		return b, nil
	}
	word, rest, bracket := strings.Cut(strings.TrimSpace(text), "(")
	b.Policy = Policy(strings.TrimSpace(word))
	switch b.Policy {
	case Reject, Queue, Merge, Replace:
	default:
		return b, fmt.Errorf("want reject, queue, merge or replace")
	}
	inner, closed := strings.CutSuffix(rest, ")")
	switch {
	case bracket && !closed:
		return b, fmt.Errorf("the bracket is not closed")
	case bracket && b.Policy == Reject:
		return b, fmt.Errorf("nothing waits with reject: leave the brackets out")
	}
	seen := map[string]bool{}
	for part := range strings.FieldsFuncSeq(inner, func(r rune) bool { return r == ';' || r == ',' }) {
		if err := b.set(strings.TrimSpace(part), seen); err != nil {
			return b, err
		}
	}
	return b, nil
}

// set takes one part of the brackets in.
func (b *Busy) set(part string, seen map[string]bool) error {
	name, value, named := strings.Cut(part, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	what := name
	if !named {
		what = "the order"
	}
	if seen[what] {
		return fmt.Errorf("%s is given twice", what)
	}
	seen[what] = true
	switch {
	case !named && b.Policy != Queue:
		return fmt.Errorf("%q: only queue has an order", name)
	case !named:
		b.Order = Order(name)
		if b.Order != FIFO && b.Order != Priority && b.Order != Newest {
			return fmt.Errorf("%q is no order: want fifo, priority or latest", name)
		}
	case name == "maxWait":
		d, err := manifest.Duration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("maxWait=%q is no duration over zero, such as PT30M", value)
		}
		b.MaxWait = d
	case name == "maxLength":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > mostLength {
			return fmt.Errorf("maxLength=%q is no number from 1 to %d", value, mostLength)
		}
		b.MaxLength = n
	default:
		return fmt.Errorf("%q is not known: want an order, maxWait or maxLength", name)
	}
	return nil
}
