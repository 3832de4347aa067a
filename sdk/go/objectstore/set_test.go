package objectstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

func change(op, typ, text string) wire.Change { return wire.Change{Op: op, Type: typ, Row: row(text)} }

func set(all ...wire.Change) wire.ChangeSet { return wire.ChangeSet{Changes: all} }

// effects is what a set did, in short.
func effects(out wire.Changed) string {
	var all []string
	for _, r := range out.Results {
		all = append(all, fmt.Sprint(r.ID, " ", r.Effect, " ", r.Version))
	}
	return strings.Join(all, ", ")
}

// told lists the faults of an error.
func told(err error) string {
	var e plugin.SetFaults
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	var all []string
	for _, f := range e.Faults() {
		all = append(all, fmt.Sprintf("%d %s %s", f.Index, f.Attr, f.Code))
	}
	return strings.Join(all, ", ")
}

func TestASetOfChangesIsMadeWholeInAnyOrder(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"old","name":"old"}`, `{"id":"gone","name":"gone","parent":"old"}`)
	out, err := r.Change(t.Context(), set(
		change(wire.OpCreate, "thing", `{"id":"a","name":"a","zones":["z"],"parent":"b"}`),
		change(wire.OpUpdate, "thing", `{"id":"old","note":"n"}`),
		change(wire.OpCreate, "zone", `{"id":"z","main":"a"}`),
		change(wire.OpUpdate, "thing", `{"id":"old","note":"n"}`),
		change(wire.OpDelete, "thing", `{"id":"gone"}`),
		change(wire.OpCreate, "thing", `{"id":"b","name":"b","parent":"a"}`),
	), by)
	if got := effects(out); err != nil || got != "a created 1, old changed 2, z created 1, old unchanged 2, gone deleted 2, b created 1" {
		t.Errorf("%s %v", got, err)
	}
	try := set(change(wire.OpCreate, "thing", `{"id":"c","name":"c"}`))
	try.DryRun = true
	if out, err := r.Change(t.Context(), try, by); err != nil || effects(out) != "c created 1" {
		t.Errorf("%v %v", out, err)
	}
	if got := r.ids("thing", wire.Query{}); got != "a b old" {
		t.Errorf("a dry run left %s", got)
	}
}

func TestEveryFaultOfASetIsToldAndNothingIsMade(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("zone", `{"id":"used"}`)
	r.create("thing", `{"id":"u","name":"u","zones":["used"]}`)
	_, err := r.Change(t.Context(), set(
		change(wire.OpCreate, "thing", `{"id":"bad","size":"x"}`),
		change(wire.OpCreate, "thing", `{"id":"follows","name":"follows","parent":"bad"}`),
		change(wire.OpCreate, "thing", `{"id":"lost","name":"lost","parent":"nowhere"}`),
		change(wire.OpCreate, "thing", `{"id":"fine","name":"fine"}`),
		change(wire.OpUpdate, "thing", `{"id":"nobody","name":"n"}`),
		change(wire.OpDelete, "zone", `{"id":"used"}`),
		change(wire.OpCreate, "planet", `{"id":"x"}`),
		change(wire.OpUpdate, "thing", `{"id":"u","@version":7,"note":"n"}`),
	), by)
	if got, want := told(err), "0 name , 0 size , 2 parent , 4 id , 5 id , 6  object.type, 7 @version stale"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := r.ids("thing", wire.Query{}); got != "u" {
		t.Error(got)
	}
}

func TestAVersionIsChangedOnce(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a"}`)
	if got := string(r.update("thing", `{"id":"a","@version":1,"note":"x"}`)[0]["@version"]); got != "2" {
		t.Error(got)
	}
	for _, again := range []string{`{"id":"a","@version":1,"note":"y"}`, `{"id":"a","@version":"1","note":"y"}`,
		`{"id":"a","@version":3,"note":"y"}`} {
		_, err := r.Change(t.Context(), set(change(wire.OpUpdate, "thing", again)), by)
		if got := told(err); got != "0 @version stale" {
			t.Error(got)
		}
	}
	if _, err := r.Change(t.Context(), set(change(wire.OpDelete, "thing", `{"id":"a","@version":1}`)), by); told(err) != "0 @version stale" {
		t.Error(err)
	}
	if _, err := r.Change(t.Context(), set(change(wire.OpDelete, "thing", `{"id":"a","@version":2}`)), by); err != nil {
		t.Error(err)
	}
	r.create("thing", `{"id":"a","name":"a"}`)
	found, _, err := r.Query(t.Context(), "thing", wire.Query{Fields: []string{"name"}})
	if err != nil || string(found[0]["@version"]) != "4" {
		t.Errorf("an object of the same name begins at a version that another had: %v %v", found, err)
	}
}

func TestTheOutboxGivesEveryChangeOnceInOrder(t *testing.T) {
	t.Parallel()
	r := open(t)
	who := plugin.By{Operator: "ann", Run: "7", Change: "note 1"}
	_, err := r.Change(t.Context(), set(change(wire.OpCreate, "thing", `{"id":"a","name":"a","project":"p","password":"hunter2"}`),
		change(wire.OpCreate, "zone", `{"id":"z"}`)), who)
	if err != nil {
		t.Fatal(err)
	}
	r.update("thing", `{"id":"a","name":"b","password":"hunter3"}`) // by itself
	if err := r.Delete(t.Context(), "zone", []string{"z"}, by); err != nil {
		t.Fatal(err)
	}
	var got []string
	for after := int64(0); ; {
		page, last, err := r.Entries(t.Context(), after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			if after != last || last != 4 {
				t.Errorf("it ends at %d of %d", after, last)
			}
			break
		}
		for _, e := range page {
			after = e.Seq
			got = append(got, fmt.Sprintf("%s %s/%s v%d %s|%s in %s/%s %s → %s secret %v",
				e.Op, e.Type, e.ID, e.Version, e.Operator, e.Change, e.Project, e.Environment, wire.Raw(e.Before), wire.Raw(e.After), e.Secret))
		}
	}
	want := []string{
		`create thing/a v1 ann|note 1 in p/* {} → {"id":"a","name":"a","project":"p","size":1} secret [password]`,
		`create zone/z v1 ann|note 1 in default/* {} → {"id":"z"} secret []`,
		`update thing/a v2 ann| in p/* {"name":"a"} → {"name":"b"} secret [password]`,
		`delete zone/z v2 ann| in default/* {"id":"z"} → {} secret []`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The outbox tells when what is observed of an attribute parts from what is desired,
// and when both come together.
func TestTheOutboxTellsWhatIsApart(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a","state":"up"}`, `{"id":"b","name":"b","state":"up","state@observed":"down"}`)
	for _, change := range []string{
		`{"id":"a","state@observed":"up"}`,   // as it should be
		`{"id":"a","state@observed":"down"}`, // drifts
		`{"id":"a","note":"nothing to do with it"}`,
		`{"id":"a","state":"down"}`,                       // the wish comes to what is
		`{"id":"a","state":"up","state@observed":"down"}`, // the wish goes
		`{"id":"a","state":"down","state@observed":"up"}`, // both turn: still apart
		`{"id":"a","state@observed":null}`,                // nobody knows
		`{"id":"a","state@observed":"up"}`,
		`{"id":"a","state":null}`, // no wish
	} {
		r.update("thing", change)
	}
	if err := r.Delete(t.Context(), "thing", []string{"b"}, by); err != nil {
		t.Fatal(err)
	}
	all, _, err := r.Entries(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		if len(e.Drifted)+len(e.Settled) > 0 {
			got = append(got, fmt.Sprintf("%s v%d %v %v", e.ID, e.Version, e.Drifted, e.Settled))
		}
	}
	want := []string{"b v1 [state] []", "a v3 [state] []", "a v5 [] [state]",
		"a v6 [state] []", "a v8 [] [state]", "a v9 [state] []", "a v10 [] [state]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// located is a type whose rows have an environment.
func located() wire.ObjectType {
	return wire.ObjectType{Type: "box", Scope: &wire.ObjectScope{Project: "project", Environment: "env"}, Attributes: []wire.Attribute{
		{Name: "project", Type: wire.TypeString}, {Name: "env", Type: wire.TypeString}, {Name: "name", Type: wire.TypeString, Unique: true},
	}}
}

func TestTheHistoryKnowsTheEnvironmentOfThen(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.reopen(objectstore.Fixed([]wire.ObjectType{located(), zone()}))
	r.create("box", `{"id":"a","project":"p","env":"prod","name":"secret plan"}`, `{"id":"b","project":"p","env":"dev","name":"x"}`)
	r.update("box", `{"id":"a","env":"dev"}`)
	r.update("box", `{"id":"a","name":"open plan"}`)
	r.create("zone", `{"id":"z"}`)
	seen := func(env string) string {
		found, _, err := r.QueryHistory(t.Context(), where(`{"attrName":"environment","op":"in","condition":["`+env+`"]}`))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range found {
			all = append(all, strings.ReplaceAll(string(f["object_id"])+string(f["version"]), `"`, ""))
		}
		return strings.Join(all, " ")
	}
	if dev, prod := seen("dev"), seen("prod"); dev != "z1 a3 b1" || prod != "z1 a1" {
		t.Errorf("dev sees %s, prod sees %s", dev, prod)
	}
}

func TestWhatIsUniqueIsSoInItsProject(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.reopen(objectstore.Fixed([]wire.ObjectType{located(), zone()}))
	r.create("box", `{"id":"a","project":"p","name":"x"}`, `{"id":"b","project":"q","name":"x"}`)
	if _, err := r.Create(t.Context(), "box", rows(`{"id":"c","project":"q","name":"x"}`), by); err == nil ||
		!strings.Contains(err.Error(), "already") {
		t.Error(err)
	}
	_, err := r.Create(t.Context(), "box", rows(`{"id":"a","project":"q","name":"y"}`), by)
	if err == nil || strings.Contains(err.Error(), "taken") || strings.Contains(err.Error(), "exists") {
		t.Error(err)
	}
}

// holdsText reports whether a file of the database has a text in it.
// rowsHold looks through the tables of a database on a server.
func rowsHold(t *testing.T, path, text string) bool {
	t.Helper()
	db, _, err := sqldb.Open(dbserver.Address(t, path), true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range []string{"SELECT data FROM object_row", "SELECT value FROM object_value",
		"SELECT value FROM object_unique", "SELECT diff FROM object_history"} {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var data string
			if err := rows.Scan(&data); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(data, text) {
				return true
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return false
}

func holdsText(t *testing.T, path, text string) bool {
	t.Helper()
	if dbserver.Chosen(t) != sqldb.SQLite {
		return rowsHold(t, path, text)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(text)) {
			return true
		}
	}
	return false
}

func TestSecretsAreSealedInTheDatabase(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"in clear","password":"hunter2"}`, `{"id":"b","name":"b","password":"hunter2"}`)
	r.update("thing", `{"id":"a","password":"hunter3"}`)
	if !holdsText(t, r.path, "in clear") || holdsText(t, r.path, "hunter2") || holdsText(t, r.path, "hunter3") {
		t.Error("a secret lies in clear, or the file is another one")
	}
	found, _, err := r.Query(t.Context(), "thing", wire.Query{})
	if err != nil || string(found[0]["password"]) != `"hunter3"` || string(found[1]["password"]) != `"hunter2"` {
		t.Errorf("%v %v", found, err)
	}
	db, dialect, err := sqldb.Open(dbserver.Address(r, r.path), false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := objectstore.Open(t.Context(), &plugin.Host{DB: db, Dialect: string(dialect),
		Clock: fixedClock{begin}, Key: bytes.Repeat([]byte{8}, 32)}, "p", objectstore.Fixed([]wire.ObjectType{thing()}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Query(t.Context(), "thing", wire.Query{}); err == nil || strings.Contains(err.Error(), "hunter") {
		t.Error(err)
	}
	without, err := objectstore.Open(t.Context(), &plugin.Host{DB: db, Dialect: string(dialect), Clock: fixedClock{begin}},
		"p", objectstore.Fixed([]wire.ObjectType{thing()}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := without.Create(t.Context(), "thing", rows(`{"id":"c","name":"c","password":"x"}`), by); err == nil ||
		!strings.Contains(err.Error(), "no key") {
		t.Error(err)
	}
	// A value that was moved to another row opens no more.
	var data string
	if err := db.QueryRowContext(t.Context(), "SELECT data FROM object_row WHERE id = ?", "a").Scan(&data); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE object_row SET data = ? WHERE id = ?",
		strings.Replace(data, `"id":"a"`, `"id":"b"`, 1), "a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Query(t.Context(), "thing", wire.Query{}); err == nil {
		t.Error("a sealed value was opened in another place")
	}
}

func TestSecretsThatLieInClearAreSealedAtTheStart(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a"}`)
	db, _, err := sqldb.Open(dbserver.Address(r, r.path), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE object_row SET data = '{"id":"a","name":"a","password":"hunter2"}'`); err != nil {
		t.Fatal(err)
	}
	if !holdsText(t, r.path, "hunter2") {
		t.Fatal("the test sees nothing")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.reopen(objectstore.Fixed([]wire.ObjectType{thing(), zone()}))
		if holdsText(t, r.path, "hunter2") {
			t.Error("it still lies in clear")
		}
		found, _, err := r.Query(t.Context(), "thing", wire.Query{})
		if err != nil || string(found[0]["password"]) != `"hunter2"` || string(found[0]["@version"]) != "1" {
			t.Errorf("%v %v", found, err)
		}
	}
}

// The time per object stays the same: go test -bench Import -run none.
func BenchmarkImport(b *testing.B) {
	for _, n := range []int{5_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				db, dialect, err := sqldb.Open(dbserver.Address(b, filepath.Join(b.TempDir(), "db")), false)
				if err != nil {
					b.Fatal(err)
				}
				s, err := objectstore.Open(b.Context(), &plugin.Host{DB: db, Dialect: string(dialect), Clock: fixedClock{begin}},
					"p", objectstore.Fixed([]wire.ObjectType{thing(), zone()}))
				if err != nil {
					b.Fatal(err)
				}
				var all []wire.Change
				for i := range n {
					all = append(all, change(wire.OpCreate, "thing", fmt.Sprintf(`{"id":"t%d","name":"n%d","parent":"t%d"}`, i, i, (i+1)%n)))
				}
				if _, err := s.Change(b.Context(), set(all...), by); err != nil {
					b.Fatal(err)
				}
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/object")
		})
	}
}

// A list of 60,000 references is refused for its size or taken, but not compared
// with itself.
func BenchmarkOneLongMultiReference(b *testing.B) {
	var list []string
	for i := range 60_000 {
		list = append(list, fmt.Sprint("z", i))
	}
	a := wire.Attribute{Name: "zones", Type: wire.TypeMultiRef, To: "p:zone"}
	for b.Loop() {
		if _, err := objectstore.Check(a, wire.Raw(list)); err != nil {
			b.Fatal(err)
		}
	}
}
