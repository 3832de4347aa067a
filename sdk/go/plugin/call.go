package plugin

import (
	"slices"

	"sextant/sdk/go/wire"
)

// Call is one row of a call, as an author's function sees it.
type Call struct {
	// Host is where the plugin runs.
	Host *Host
	// Key is the key of this row: the same work always comes with the same key.
	Key string
	// Row is the id of the object that the row stands for.
	Row string
	// Operator is who asked, Run the run that asks.
	Operator, Run string
	// Project is that of the run.
	Project string
	// Fence grows with each new holder of the run's lock.
	Fence string
	// Again says that this row was sent before and that nobody knows what became of
	// it: it may be done, or at work. It is never set for an action that only reads.
	Again bool

	typed []string
	log   *logger
}

// Typed reports whether an input that the manifest takes from the object came from
// elsewhere, such as an address that somebody typed.
func (c *Call) Typed(input string) bool { return slices.Contains(c.typed, input) }

// Early ends a row before the function has found out what became of an earlier
// sending of it: as err says where there was none, and else as unknown.
func (c *Call) Early(err error) error {
	if !c.Again || err == nil {
		return err
	}
	e := Unknown("it was sent before, and what became of it cannot be asked: find out what was done, and whether it is still at work")
	e.Err = err
	return e
}

// Write sends output of the row to the platform, which keeps it. It returns at
// once while there is room for some MiB that wait to be sent, and waits for room
// else; where the platform takes nothing for five seconds, whole lines are left
// out and told as a gap at their place. A command on a host is never held up by
// that: it writes to a file there.
func (c *Call) Write(p []byte) (int, error) {
	c.log.write(c.Row, p)
	return len(p), nil
}

// Progress tells how far the row is, in percent. Only the newest matters.
func (c *Call) Progress(percent int, message string) {
	c.log.progress(wire.Progress{Row: c.Row, Percent: min(max(percent, 0), 100), Message: message})
}
