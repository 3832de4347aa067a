package objectstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

// A database of the first version keeps its references and its history.
func TestTheFirstTablesAreTakenOver(t *testing.T) {
	t.Parallel()
	const first = "202611240900_create.sql"
	data, err := os.ReadFile("migrations/sqlite/" + first)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, path: filepath.Join(t.TempDir(), "db")}
	db, dialect, err := sqldb.Open("sqlite:"+r.path, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqldb.Migrate(t.Context(), db, dialect, "objectstore", fstest.MapFS{first: {Data: data}}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`INSERT INTO object_row VALUES ('zone', 'z', 1, '{"id":"z"}', 1, 1), ('thing', 'a', 2, '{"id":"a","name":"a","zones":["z"]}', 1, 2)`,
		`INSERT INTO object_value VALUES ('thing', 'name', 'a', 'a'), ('thing', 'zones', 'z', 'a'), ('thing', 'zones->', 'p:zone/z', 'a')`,
		`INSERT INTO object_history VALUES ('thing', 'a', 1, 5, 'ann', '', 'create', '{}'), ('thing', 'a', 2, 7, 'ann', '', 'update', '{}'), ('zone', 'z', 1, 4, 'ann', '', 'create', '{}')`,
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r.reopen(objectstore.Fixed([]wire.ObjectType{thing(), zone()}))
	if err := r.Delete(t.Context(), "zone", []string{"z"}, by); err == nil || !strings.Contains(err.Error(), `an object of type p:thing refers to "z" by zones`) {
		t.Error(err)
	}
	if got := r.ids("thing", where(`{"attrName":"zones","op":"eq","condition":"z"}`)); got != "a" {
		t.Error(got)
	}
	found, _, err := r.QueryHistory(t.Context(), wire.Query{})
	var got []string
	for _, f := range found {
		got = append(got, strings.Trim(string(f["id"])+" "+string(f["object_id"])+" "+string(f["version"]), " "))
	}
	if want := `"3" "a" 2, "2" "a" 1, "1" "z" 1`; err != nil || strings.Join(got, ", ") != want {
		t.Errorf("%v %v", got, err)
	}
}
