package number_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sextant/internal/domain/process"
	"sextant/internal/domain/process/number"
	"sextant/internal/engine/program"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
)

// What a number meant it means for ever: more may follow, nothing moves.
func TestNumbersStay(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context(), process.Domain, process.Migrations); err != nil {
		t.Fatal(err)
	}
	definition := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		definition++
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(d.Do(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO process_definition (definition, project, process, version, name, digest, subject, created, tag) "+
				"VALUES (?, 'p', ?, 1, '', '', '', 0, '')", definition, fmt.Sprint("n", definition))
			return err
		}))
		id := rapid.SampledFrom([]string{"a", "b", "ü", "a b", "流程", ""})
		var want program.Table
		for range rapid.IntRange(1, 4).Draw(t, "compilers") {
			table := program.Table{Nodes: append(append([]string{}, want.Nodes...), rapid.SliceOfN(id, 0, 3).Draw(t, "nodes")...),
				Flows: append(append([]string{}, want.Flows...), rapid.SliceOfN(id, 0, 3).Draw(t, "flows")...)}
			if rapid.Bool().Draw(t, "fails") {
				failed := errors.New("no")
				if err := d.Do(t.Context(), func(tx *db.Tx) error {
					return errors.Join(number.Keep(tx, definition, table), failed)
				}); !errors.Is(err, failed) {
					t.Fatalf("%v", err)
				}
			} else {
				must(d.Do(t.Context(), func(tx *db.Tx) error { return number.Keep(tx, definition, table) }))
				want = table
			}
			got, err := number.Of(t.Context(), d, definition)
			must(err)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
		}
		if other, err := number.Of(t.Context(), d, -definition); err != nil || len(other.Nodes)+len(other.Flows) > 0 {
			t.Errorf("%+v, %v", other, err)
		}
	})
}

func TestProgramsAreKeptByKey(t *testing.T) {
	t.Parallel()
	var all number.Programs
	a, b := &program.Program{ProcessID: "a"}, &program.Program{ProcessID: "b"}
	if all.Get(1) != nil {
		t.Error("there is one before any was put")
	}
	all.Put(1, a)
	all.Put(2, b)
	all.Put(1, b)
	if all.Get(1) != b || all.Get(2) != b || all.Get(3) != nil {
		t.Error("they are not kept by their keys")
	}
}
