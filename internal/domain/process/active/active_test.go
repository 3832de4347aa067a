package active_test

import (
	"errors"
	"sync"
	"testing"

	"sextant/internal/domain/process/active"
)

// The count is read once, and goes with what is told from there on.
func TestCounts(t *testing.T) {
	t.Parallel()
	var runs active.Runs
	reads := 0
	get := func(project string, found, want int) {
		t.Helper()
		if n, err := runs.Get(project, func() (int, error) { reads++; return found, nil }); err != nil || n != want {
			t.Errorf("%s: %d, %v; want %d", project, n, err, want)
		}
	}
	runs.Add("a", 5) // of a project that nobody has asked about: it will be read
	if _, err := runs.Get("a", func() (int, error) { return 0, errors.New("away") }); err == nil {
		t.Error("an error is kept for a count")
	}
	get("a", 7, 7)
	runs.Add("a", 2)
	runs.Add("a", -1)
	runs.Add("b", 1)
	get("a", 100, 8)
	get("b", 3, 3)
	if reads != 2 {
		t.Errorf("%d reads", reads)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				runs.Add("a", 1)
			}
		})
	}
	wg.Wait()
	get("a", 0, 808)
}
