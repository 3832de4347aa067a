package db_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
)

// A memo tells what was read for a second, never something from before a write that
// was answered, and keeps no error.
func TestAMemoTellsNothingFromBeforeAChange(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	var m db.Memo[string, int]
	now, reads, value := time.Unix(0, 0), 0, 1
	get := func(want, wantReads int) {
		t.Helper()
		got, err := m.Get(now, "a", func() (int, error) { reads++; return value, nil })
		if err != nil || got != want || reads != wantReads {
			t.Errorf("got %d after %d reads, %v; want %d after %d", got, reads, err, want, wantReads)
		}
	}
	if _, err := m.Get(now, "a", func() (int, error) { return 0, errors.New("away") }); err == nil {
		t.Error("the error was not told")
	}
	get(1, 1)
	value = 2
	get(1, 1)
	change := func() {
		t.Helper()
		if err := d.Do(t.Context(), func(tx *db.Tx) error { m.Changes(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	change()
	get(2, 2)
	if err := d.Do(t.Context(), func(tx *db.Tx) error { m.Changes(tx); return errors.New("no") }); err == nil {
		t.Fatal("the write was kept")
	}
	value = 3
	get(2, 2)
	now = now.Add(time.Second)
	get(3, 3)
	// What was read before a change that came meanwhile is told, and not kept.
	now = now.Add(time.Second)
	if got, err := m.Get(now, "a", func() (int, error) { change(); return 3, nil }); got != 3 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	value = 4
	get(4, 4)
}
