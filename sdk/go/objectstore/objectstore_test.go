package objectstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

// fixedClock stands still.
type fixedClock struct{ at time.Time }

func (c fixedClock) Now() time.Time { return c.at }

func (c fixedClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

var begin = time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)

func thing() wire.ObjectType {
	return wire.ObjectType{
		Type: "thing", Paging: true, Scope: &wire.ObjectScope{Project: "project"},
		Attributes: []wire.Attribute{
			{Name: "id", Type: wire.TypeString, Required: true, Unique: true},
			{Name: "name", Type: wire.TypeString, Required: true, Unique: true},
			{Name: "note", Type: wire.TypeText},
			{Name: "size", Type: wire.TypeInt, Default: "1"},
			{Name: "load", Type: wire.TypeNumber, Unique: true},
			{Name: "on", Type: wire.TypeBool},
			{Name: "since", Type: wire.TypeDateTime},
			{Name: "code", Type: wire.TypeString, Pattern: `[a-z]+|[0-9]{2}`, Description: wire.Text{"en": "Letters, or two digits"}},
			{Name: "state", Type: wire.TypeEnum, Values: []string{"up", "down"}, Observed: true},
			{Name: "parent", Type: wire.TypeRef, To: "p:thing"},
			{Name: "zones", Type: wire.TypeMultiRef, To: "p:zone"},
			{Name: "elsewhere", Type: wire.TypeRef, To: "q:other"},
			{Name: "password", Type: wire.TypeString, Secret: true},
			{Name: "project", Type: wire.TypeString},
		},
	}
}

func zone() wire.ObjectType {
	return wire.ObjectType{Type: "zone", Display: "label", Attributes: []wire.Attribute{
		{Name: "label", Type: wire.TypeString}, {Name: "main", Type: wire.TypeRef, To: "p:thing"},
	}}
}

type rig struct {
	*testing.T
	*objectstore.Store
	path string
}

func open(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, path: filepath.Join(t.TempDir(), "db")}
	r.reopen(objectstore.Fixed([]wire.ObjectType{thing(), zone()}))
	return r
}

func (r *rig) reopen(types objectstore.Types) {
	r.Helper()
	db, dialect, err := sqldb.Open(dbserver.Address(r, r.path), false)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = db.Close() })
	h := &plugin.Host{DB: db, Dialect: string(dialect), Clock: fixedClock{begin}, Key: bytes.Repeat([]byte{7}, 32)}
	if r.Store, err = objectstore.Open(r.Context(), h, "p", types); err != nil {
		r.Fatal(err)
	}
}

var by = plugin.By{Operator: "ann", Run: "7"}

// row reads a row from JSON.
func row(text string) wire.Row {
	var out wire.Row
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		panic(err)
	}
	return out
}

func rows(texts ...string) []wire.Row {
	var out []wire.Row
	for _, t := range texts {
		out = append(out, row(t))
	}
	return out
}

func (r *rig) create(typ string, texts ...string) {
	r.Helper()
	if _, err := r.Store.Create(r.Context(), typ, rows(texts...), by); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) update(typ string, texts ...string) []wire.Row {
	r.Helper()
	out, err := r.Store.Update(r.Context(), typ, rows(texts...), by)
	if err != nil {
		r.Fatal(err)
	}
	return out
}

func (r *rig) ids(typ string, q wire.Query) string {
	r.Helper()
	found, next, err := r.Query(r.Context(), typ, q)
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, f := range found {
		out = append(out, strings.Trim(string(f["id"]), `"`))
	}
	if next != "" {
		out = append(out, "…")
	}
	return strings.Join(out, " ")
}

func TestEveryTypeHasOneForm(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("zone", `{"id":"z1"}`, `{"id":"z2"}`)
	r.create("thing", `{"id":"p","name":"parent"}`)
	tests := []struct{ name, attr, in, want string }{
		{"string", "note", `"x"`, `"x"`},
		{"number as string", "note", `1.50`, `"1.50"`},
		{"structure as text", "note", `{"a":1}`, `"{\"a\":1}"`},
		{"structure as string", "project", `{"a":1}`, "not a list or an object"},
		{"long string", "project", `"` + strings.Repeat("x", 1001) + `"`, "at most 1000"},
		{"int", "size", `"007"`, `7`},
		{"int with sign", "size", `"+5"`, `5`},
		{"no int", "size", `1.5`, `"1.5" is no whole number`},
		{"too large int", "size", `9223372036854775808`, "no whole number"},
		{"number keeps its text", "load", `"1.50"`, `1.50`},
		{"long number", "load", `123456789012345678901234567890.10`, `123456789012345678901234567890.10`},
		{"exponent", "load", `1e-7`, `1e-7`},
		{"no number", "load", `"1.2.3"`, "is no number"},
		{"no number but JSON", "load", `true`, "is no number"},
		{"bool", "on", `"true"`, `true`},
		{"no bool", "on", `"yes"`, "neither true nor false"},
		{"datetime", "since", `"2026-01-31T09:30:00.5+01:00"`, `"2026-01-31T08:30:00.5Z"`},
		{"no datetime", "since", `"2026-01-31"`, "no date and time"},
		{"datetime before the first year", "since", `"0000-01-01T00:00:00+01:00"`, "not within the years 0000 to 9999"},
		{"datetime after the last year", "since", `"9999-12-31T23:30:00-01:00"`, "not within the years 0000 to 9999"},
		{"enum", "state", `"up"`, `"up"`},
		{"no value of the enum", "state", `"odd"`, `"odd" is none of up, down`},
		{"what matches a pattern", "code", `"ab"`, `"ab"`},
		{"no value for a pattern", "code", `""`, `""`},
		{"what a pattern matches in part", "code", `"ab1"`, `"ab1" does not have the form that is wanted: Letters, or two digits`},
		{"what a pattern matches in part at the end", "code", `"123"`, "the form that is wanted"},
		{"observed", "state@observed", `"down"`, `"down"`},
		{"observed is checked", "state@observed", `"odd"`, "none of"},
		{"observed of what has none", "size@observed", `1`, "thing has the attributes"},
		{"ref", "parent", `"p"`, `"p"`},
		{"ref as object", "parent", `{"id":"p","displayName":"x"}`, `"p"`},
		{"two refs", "parent", `["p","z"]`, "one reference"},
		{"ref to nothing", "parent", `"nobody"`, `there is no p:thing with the id "nobody"`},
		{"ref elsewhere is not checked", "elsewhere", `"any"`, `"any"`},
		{"multiref", "zones", `["z2",{"id":"z1"},"z2"]`, `["z2","z1"]`},
		{"multiref with commas", "zones", `"z1, z2"`, `["z1","z2"]`},
		{"multiref to nothing", "zones", `["z1","z9"]`, `the id "z9"`},
		{"no id", "zones", `["z 1"]`, `"z 1" is no id`},
		{"unknown", "colour", `"red"`, "an attribute is unknown"},
		{"bad id", "id", `"a/b"`, "an id has letters"},
		{"empty name", "name", `""`, "it is required"},
	}
	for i, tt := range tests {
		id := fmt.Sprint("t", i)
		in := row(fmt.Sprintf(`{"id":%q,"name":%q,%q:%s}`, id, id, tt.attr, tt.in))
		out, err := r.Create(t.Context(), "thing", []wire.Row{in}, by)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if got := string(out[0][tt.attr]); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if got := string(out[0]["size"]); tt.attr != "size" && got != "1" {
			t.Errorf("%s: the default is %s", tt.name, got)
		}
	}
}

func TestNoReferenceAtAllIsNoValue(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a","parent":"","zones":[]}`)
	if got := r.ids("thing",
		where(`{"attrName":"parent","op":"is","condition":"NULL"}`, `{"attrName":"zones","op":"is","condition":"NULL"}`)); got != "a" {
		t.Error(got)
	}
}

func TestFieldsOfErrors(t *testing.T) {
	t.Parallel()
	r := open(t)
	_, err := r.Create(t.Context(), "thing", rows(`{"name":"a"}`, `{"id":"b","size":"x"}`), by)
	var e *objectstore.RowError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := map[string]string{"[1].name": "it is required", "[1].size": `"x" is no whole number`}
	if diff := cmp.Diff(want, e.Fields()); diff != "" || e.ID != "b" || e.Type != "thing" {
		t.Error(diff, e)
	}
	if got := r.ids("thing", wire.Query{}); got != "" {
		t.Errorf("the first row was kept: %s", got)
	}
	for _, err := range []error{
		second(r.Create(t.Context(), "no", rows(`{}`), by)), second(r.Update(t.Context(), "thing", rows(`{"id":"x"}`), by)),
		r.Delete(t.Context(), "thing", []string{"x"}, by),
	} {
		if err == nil || !strings.Contains(err.Error(), "there is no") {
			t.Error(err)
		}
	}
}

func second(_ any, err error) error { return err }

func where(filters ...string) wire.Query {
	var q wire.Query
	for _, f := range filters {
		var w wire.Filter
		if err := json.Unmarshal([]byte(f), &w); err != nil {
			panic(err)
		}
		q.AdditionalFilters = append(q.AdditionalFilters, w)
	}
	return q
}

func TestOperators(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("zone", `{"id":"z1","label":"North"}`, `{"id":"z2"}`, `{"id":"z3","label":"North"}`)
	r.create("thing",
		`{"id":"a","name":"Alpha","size":9,"load":1.50,"on":true,"since":"2026-01-01T00:00:00Z",`+
			`"state":"up","state@observed":"down","zones":["z1","z2"],"project":"default"}`,
		`{"id":"b","name":"beta","size":10,"load":9007199254740993,"on":false,`+
			`"since":"2026-01-01T01:00:00+01:00","parent":"a","project":"default","password":"s3cret"}`,
		`{"id":"c","name":"Gamma","size":-3,"load":9007199254740992,"state":"down","parent":"b","zones":["z2"],"project":"other"}`,
		`{"id":"d","name":"`+strings.Repeat("é", 200)+`","note":"`+strings.Repeat("n", 300)+`1"}`,
		`{"id":"e","name":"`+strings.Repeat("é", 201)+`","note":"`+strings.Repeat("n", 300)+`2"}`)
	tests := []struct{ name, attr, op, cond, want string }{
		{"eq", "name", "eq", `"beta"`, "b"},
		{"eq is exact", "name", "eq", `"BETA"`, ""},
		{"eq of long texts", "note", "eq", `"` + strings.Repeat("n", 300) + `2"`, "e"},
		{"eq id", "id", "eq", `"c"`, "c"},
		{"eq of numbers by value", "load", "eq", `"1.5"`, "a"},
		{"eq of large numbers", "load", "eq", `9007199254740993.0`, "b"},
		{"eq of ints by value", "size", "eq", `9.0`, "a"},
		{"eq of times by value", "since", "eq", `"2026-01-01T08:00:00+08:00"`, "a b"},
		{"eq bool", "on", "eq", `true`, "a"},
		{"eq observed", "state@observed", "eq", `"down"`, "a"},
		{"eq of a list means among", "zones", "eq", `"z2"`, "a c"},
		{"eq nothing", "state", "eq", `""`, ""},
		{"neq", "state", "neq", `"up"`, "b c d e"},
		{"neq list", "zones", "neq", `"z1"`, "b c d e"},
		{"in", "name", "in", `["Alpha","Gamma","no"]`, "a c"},
		{"in with commas", "id", "in", `"c,a,zz"`, "a c"},
		{"in none", "name", "in", `[]`, ""},
		{"in numbers", "size", "in", `[10,-3]`, "b c"},
		{"in list", "zones", "in", `["z1","z9"]`, "a"},
		{"like", "name", "like", `"AM"`, "c"},
		{"like list", "zones", "like", `"Z1"`, "a"},
		{"notLike", "name", "notLike", `"a"`, "d e"},
		{"gt", "size", "gt", `9`, "b"},
		{"gt is by number", "size", "gt", `"-4.5"`, "a b c d e"},
		{"gt of large numbers", "load", "gt", `9007199254740992`, "b"},
		{"lt", "load", "lt", `1.51`, "a"},
		{"lt time", "since", "lt", `"2026-01-01T00:00:01Z"`, "a b"},
		{"gt text", "name", "gt", `"a"`, "b d e"},
		{"is", "parent", "is", `"NULL"`, "a d e"},
		{"isnot", "parent", "isnot", `"NULL"`, "b c"},
		{"secret is there", "password", "isnot", `"NULL"`, "b"},
		{"secret is not asked", "password", "like", `"s"`, "error: password is secret: it can only be asked whether it is there"},
		{"display name", "displayName", "eq", `"Gamma"`, "c"},
		{"unknown attribute", "colour", "eq", `1`, "error: an attribute is unknown"},
		{"observed of what has none", "size@observed", "eq", `1`, "error: an attribute is unknown"},
		{"unknown operator", "name", "=", `1`, `error: the operator "=" is none of`},
		{"no number", "size", "gt", `"many"`, `error: size: "many" is no number`},
		{"no time", "since", "lt", `"now"`, `error: since: "now" is no date`},
		{"no order", "zones", "gt", `"z"`, "error: zones is of type multiref, which has no order"},
	}
	for _, tt := range tests {
		got := r.ids("thing", where(fmt.Sprintf(`{"attrName":%q,"op":%q,"condition":%s}`, tt.attr, tt.op, tt.cond)))
		if got != tt.want && (!strings.HasPrefix(tt.want, "error") || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := r.ids("zone", where(`{"attrName":"displayName","op":"eq","condition":"z2"}`)); got != "z2" {
		t.Errorf("a display name that is the id: %s", got)
	}
	q := where(`{"attrName":"project","op":"eq","condition":"default"}`, `{"attrName":"size","op":"gt","condition":9}`)
	q.Criteria = &wire.Filter{Attr: "on", Op: "neq", Condition: wire.Raw(true)}
	if got := r.ids("thing", q); got != "b" {
		t.Errorf("all together: %s", got)
	}
}

func TestPagesByIDAndInOrder(t *testing.T) {
	t.Parallel()
	r := open(t)
	var texts []string
	for i := range 25 {
		texts = append(texts, fmt.Sprintf(`{"id":"t%02d","name":"n%02d","size":%d,"state":"up"%s}`,
			i, i, i%4, map[bool]string{true: `,"since":"2026-01-01T00:00:00Z"`}[i%2 == 0]))
	}
	r.create("thing", texts...)
	for _, q := range []wire.Query{
		{},
		where(`{"attrName":"state","op":"eq","condition":"up"}`),
		{OrderBy: []string{"size"}},
		{OrderBy: []string{"-size", "name"}},
		{OrderBy: []string{"-since", "-name"}},
		{OrderBy: []string{"since"}},
		{OrderBy: []string{"-displayName"}},
	} {
		whole := strings.Fields(r.ids("thing", q))
		if len(whole) != 25 {
			t.Fatalf("%v: %v", q.OrderBy, whole)
		}
		var paged []string
		q.Limit = 4
		for pages := 0; ; pages++ {
			found, next, err := r.Query(t.Context(), "thing", q)
			if err != nil || pages > 6 {
				t.Fatalf("%v: %d pages, %v", q.OrderBy, pages, err)
			}
			for _, f := range found {
				paged = append(paged, strings.Trim(string(f["id"]), `"`))
			}
			if q.After = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(whole, paged); diff != "" {
			t.Errorf("%v: %s", q.OrderBy, diff)
		}
	}
	if got := r.ids("thing", wire.Query{OrderBy: []string{"-size", "-name"}, Limit: 3}); got != "t23 t19 t15 …" {
		t.Error(got)
	}
	if got := r.ids("thing", wire.Query{OrderBy: []string{"since"}, Limit: 2}); got != "t01 t03 …" {
		t.Errorf("without a value comes first: %s", got)
	}
	for _, q := range []wire.Query{{OrderBy: []string{"size"}, After: "t01"},
		{OrderBy: []string{"colour"}}, {OrderBy: []string{"password"}}, {Fields: []string{"colour"}}} {
		if got := r.ids("thing", q); !strings.HasPrefix(got, "error") {
			t.Errorf("%v: %s", q, got)
		}
	}
}

func TestFieldsAndDisplayName(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("zone", `{"id":"z1","label":"North"}`, `{"id":"z2"}`)
	r.create("thing", `{"id":"a","name":"Alpha","state@observed":"up"}`)
	for _, tt := range []struct {
		typ    string
		fields []string
		want   string
	}{
		{"thing", []string{"state@observed", "on"}, `[{"@version":1,"displayName":"Alpha","id":"a","state@observed":"up"}]`},
		{"zone", nil, `[{"@version":1,"displayName":"North","id":"z1","label":"North"},{"@version":1,"displayName":"z2","id":"z2"}]`},
	} {
		found, _, err := r.Query(t.Context(), tt.typ, wire.Query{Fields: tt.fields})
		if got := string(wire.Raw(found)); err != nil || got != tt.want {
			t.Errorf("got %s %v", got, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	r := open(t)
	if _, err := r.Create(t.Context(), "thing", rows(`{"name":"big","note":"`+strings.Repeat("x", 65<<10)+`"}`), by); err == nil ||
		!strings.Contains(err.Error(), "at most 65536") {
		t.Error(err)
	}
	var many []wire.Row
	for i := range 10_001 {
		many = append(many, wire.Row{"id": wire.Raw(fmt.Sprintf("z%05d", i))})
	}
	if _, err := r.Create(t.Context(), "zone", many, by); err != nil {
		t.Fatal(err)
	}
	if got := r.ids("zone", wire.Query{}); !strings.HasPrefix(got, "error: more than 10000 rows of p:zone match") {
		t.Errorf("%.100s", got)
	}
	found, next, err := r.Query(t.Context(), "zone", wire.Query{Limit: 1_000_000})
	if err != nil || len(found) != 10_000 || next != "z09999" {
		t.Errorf("%d rows, next %q, %v", len(found), next, err)
	}
	var heavy []wire.Row
	for i := range 150 {
		heavy = append(heavy, wire.Row{"name": wire.Raw(fmt.Sprint(i)), "note": wire.Raw(strings.Repeat("x", 60<<10))})
	}
	if _, err := r.Create(t.Context(), "thing", heavy, by); err != nil {
		t.Fatal(err)
	}
	found, next, err = r.Query(t.Context(), "thing", wire.Query{})
	if err != nil || len(found) > 140 || len(found) < 120 || next == "" {
		t.Errorf("a page had %d rows of 60 kB, next %q, %v", len(found), next, err)
	}
}

func TestUniqueness(t *testing.T) {
	t.Parallel()
	r := open(t)
	long := strings.Repeat("l", 200)
	r.create("thing", `{"id":"a","name":"x","load":1.50}`, `{"id":"l1","name":"`+long+`1"}`, `{"id":"l2","name":"`+long+`2"}`)
	tests := []struct{ name, row, want string }{
		{"taken", `{"id":"b","name":"x"}`, `another thing has "x" already`},
		{"taken by value", `{"id":"b","name":"y","load":"15e-1"}`, `another thing has "15e-1" already`},
		{"id", `{"id":"a","name":"z"}`, `the id "a" cannot be used: choose another`},
		{"long", `{"id":"b","name":"` + long + `1"}`, "the value is taken"},
	}
	for _, tt := range tests {
		if _, err := r.Create(t.Context(), "thing", rows(tt.row), by); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	r.update("thing", `{"id":"a","name":"other"}`)
	r.create("thing", `{"id":"b","name":"x"}`)
	if err := r.Delete(t.Context(), "thing", []string{"b"}, by); err != nil {
		t.Fatal(err)
	}
	r.create("thing", `{"id":"c","name":"x"}`)
}

func TestReferencesHoldAtTheEnd(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a","parent":"b"}`, `{"id":"b","name":"b","parent":"a"}`,
		`{"id":"self","name":"self","parent":"self"}`)
	if err := r.Delete(t.Context(), "thing", []string{"a"}, by); err == nil ||
		!strings.Contains(err.Error(), `an object of type p:thing refers to "a" by parent`) {
		t.Error(err)
	}
	if err := r.Delete(t.Context(), "thing", []string{"self"}, by); err != nil {
		t.Errorf("a row that refers to itself alone: %v", err)
	}
	if err := r.Delete(t.Context(), "thing", []string{"a", "b"}, by); err != nil {
		t.Errorf("two rows that refer to each other: %v", err)
	}
	r.create("zone", `{"id":"z1"}`, `{"id":"z2"}`)
	r.create("thing", `{"id":"m","name":"m","zones":["z1","z2"]}`)
	for _, z := range []string{"z1", "z2"} {
		if err := r.Delete(t.Context(), "zone", []string{z}, by); err == nil || !strings.Contains(err.Error(), "by zones") {
			t.Error(err)
		}
	}
	r.update("thing", `{"id":"m","zones":["z2"]}`)
	if err := r.Delete(t.Context(), "zone", []string{"z1"}, by); err != nil {
		t.Error(err)
	}
	err := r.Do(t.Context(), by, func(tx *objectstore.Tx) error {
		if _, err := tx.Put(t.Context(), "zone", row(`{"id":"new","main":"later"}`)); err != nil {
			return err
		}
		_, err := tx.Put(t.Context(), "thing", row(`{"id":"later","name":"later","zones":["new"]}`))
		return err
	})
	if err != nil {
		t.Errorf("rows of two types that refer to each other: %v", err)
	}
	_, err = r.Create(t.Context(), "thing", rows(`{"id":"x1","name":"x1"}`, `{"id":"x2","name":"x2","zones":["z2","no"]}`), by)
	var e *objectstore.RowError
	if !errors.As(err, &e) || e.At["[1].zones"] == "" || e.ID != "x2" {
		t.Error(err)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a","password":"hunter2","project":"one"}`)
	r.update("thing", `{"id":"a","state@observed":"up","size":null}`)
	r.update("thing", `{"id":"a","state@observed":"up","password":"***"}`)
	r.update("thing", `{"id":"a","password":"hunter3","project":"two"}`)
	if err := r.Delete(t.Context(), "thing", []string{"a"}, plugin.By{Operator: "bob"}); err != nil {
		t.Fatal(err)
	}
	r.create("thing", `{"id":"a","name":"again"}`)
	got, err := r.Store.History(t.Context(), "thing", "a", 100)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, v := range got {
		lines = append(lines, fmt.Sprint(v.Version, " ", v.Op, " ", v.Operator, " ", v.Run, " ", string(v.Diff)))
		if !v.Time.Equal(begin) {
			t.Error(v.Time)
		}
	}
	want := []string{
		`5 create ann 7 {"id":{"to":"a"},"name":{"to":"again"},"size":{"to":1}}`,
		`4 delete bob  {"id":{"from":"a"},"name":{"from":"a"},"password":{"from":"***",` +
			`"secret":true},"project":{"from":"two"},"state@observed":{"from":"up"}}`,
		`3 update ann 7 {"password":{"from":"***","to":"***","secret":true},"project":{"from":"one","to":"two"}}`,
		`2 update ann 7 {"size":{"from":1},"state@observed":{"to":"up"}}`,
		`1 create ann 7 {"id":{"to":"a"},"name":{"to":"a"},"password":{"to":"***","secret":true},"project":{"to":"one"},"size":{"to":1}}`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	r.create("zone", `{"id":"z"}`)
	for _, tt := range []struct {
		q    wire.Query
		want string
	}{
		{wire.Query{}, "6 5 4 3 2 1"},
		{wire.Query{Limit: 2}, "6 5 …"},
		{wire.Query{Limit: 2, After: "5"}, "4 3 …"},
		{where(`{"attrName":"object_type","op":"eq","condition":"thing"}`, `{"attrName":"object_id","op":"in","condition":["a"]}`), "5 4 3 2 1"},
		{where(`{"attrName":"operator","op":"eq","condition":"bob"}`), "4"},
		{where(`{"attrName":"project","op":"eq","condition":"two"}`), "4 3"},
		{where(`{"attrName":"project","op":"eq","condition":"default"}`), "6"},
		{where(`{"attrName":"id","op":"eq","condition":"2"}`), "2"},
		{where(`{"attrName":"difference","op":"like","condition":"observed"}`), "4 2"},
		{where(`{"attrName":"version","op":"gt","condition":4}`), "5"},
		{wire.Query{OrderBy: []string{"-time"}, Limit: 1}, "6 …"},
		{wire.Query{OrderBy: []string{"time"}}, "error"},
		{wire.Query{After: "x"}, "error"},
		{wire.Query{Fields: []string{"colour"}}, "error"},
		{where(`{"attrName":"colour","op":"eq","condition":"1"}`), "error"},
	} {
		found, next, err := r.QueryHistory(t.Context(), tt.q)
		var ids []string
		for _, f := range found {
			ids = append(ids, strings.Trim(string(f["id"]), `"`))
		}
		got := strings.TrimSpace(strings.Join(ids, " ") + map[bool]string{true: " …"}[next != ""])
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%v: got %s, want %s (%v)", tt.q, got, tt.want, err)
		}
	}
}

func TestSecretsStayInTheRow(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a","password":"hunter2"}`)
	r.update("thing", `{"id":"a","password":"***","name":"b"}`)
	found, _, err := r.Query(t.Context(), "thing", wire.Query{})
	if err != nil || string(found[0]["password"]) != `"hunter2"` {
		t.Errorf("%v %v", found, err)
	}
	if _, err := r.Create(t.Context(), "thing", rows(`{"name":"c","password":"***"}`), by); err == nil ||
		!strings.Contains(err.Error(), "give the secret") {
		t.Error(err)
	}
	if _, err := r.Create(t.Context(), "thing", rows(`{"name":"c","password":"`+strings.Repeat("hunter2", 200)+`"}`), by); err == nil ||
		strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// A type that a newer version of a plugin made stricter, or poorer, must not
// keep the rows of old from being changed.
func TestATypeMayChangeUnderItsRows(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a","note":"kept","state":"up"}`)
	newer := wire.ObjectType{Type: "thing", Attributes: []wire.Attribute{
		{Name: "name", Type: wire.TypeString}, {Name: "state", Type: wire.TypeEnum, Values: []string{"on", "off"}},
		{Name: "owner", Type: wire.TypeString, Required: true},
	}}
	r.reopen(objectstore.Fixed([]wire.ObjectType{newer}))
	if got := string(wire.Raw(r.update("thing", `{"id":"a","name":"b"}`))); got !=
		`[{"@version":2,"displayName":"b","id":"a","name":"b","state":"up"}]` {
		t.Error(got)
	}
	if _, err := r.Update(t.Context(), "thing", rows(`{"id":"a","state":"down"}`), by); err == nil {
		t.Error("a value that is no longer possible was taken")
	}
	r.reopen(objectstore.Fixed([]wire.ObjectType{thing()}))
	if got := string(wire.Raw(r.update("thing", `{"id":"a","size":2}`))); !strings.Contains(got, `"note":"kept"`) {
		t.Errorf("what the newer type did not know was lost: %s", got)
	}
}

func TestNoChangeIsLost(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a"}`)
	var wg sync.WaitGroup
	const writers, each = 20, 5
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				in := row(fmt.Sprintf(`{"id":"a","note":"%d/%d"}`, w, i))
				if _, err := r.Store.Update(t.Context(), "thing", []wire.Row{in}, by); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := r.Store.History(t.Context(), "thing", "a", 1000)
	if err != nil || len(got) != writers*each+1 {
		t.Fatalf("%d versions, %v", len(got), err)
	}
	for i, v := range got[:len(got)-1] {
		var now, earlier map[string]objectstore.Diff
		if json.Unmarshal(v.Diff, &now) != nil || json.Unmarshal(got[i+1].Diff, &earlier) != nil ||
			string(now["note"].From) != string(earlier["note"].To) {
			t.Errorf("version %d does not follow the one before: %s after %s", v.Version, v.Diff, got[i+1].Diff)
		}
	}
}

func TestAChangeWaitsNoLongerThanItsCaller(t *testing.T) {
	t.Parallel()
	r := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := r.Do(t.Context(), by, func(*objectstore.Tx) error {
		cancel()
		if err := r.Delete(ctx, "thing", nil, by); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTxSeesAndUndoesItsOwnChanges(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("thing", `{"id":"a","name":"a","state":"up"}`)
	stop := errors.New("stop")
	err := r.Do(t.Context(), by, func(tx *objectstore.Tx) error {
		var effects []objectstore.Effect
		for _, text := range []string{`{"id":"b","name":"b"}`, `{"id":"b","name":"b"}`, `{"id":"b","name":"c","state":"down"}`} {
			e, err := tx.Put(t.Context(), "thing", row(text))
			if err != nil {
				return err
			}
			effects = append(effects, e)
		}
		if !slices.Equal(effects, []objectstore.Effect{objectstore.Created, objectstore.Unchanged, objectstore.Changed}) {
			t.Error(effects)
		}
		n, err := tx.Count(t.Context(), "thing")
		used, err2 := tx.Used(t.Context(), "thing", "state")
		values, err3 := tx.Values(t.Context(), "thing", "state", 10)
		found, _, err4 := tx.Query(t.Context(), "thing", wire.Query{})
		got, err5 := tx.Get(t.Context(), "thing", "b")
		if n != 2 || used != 2 || !slices.Equal(values, []string{"down", "up"}) || len(found) != 2 || string(got["name"]) != `"c"` {
			t.Error(n, used, values, found, got)
		}
		return errors.Join(err, err2, err3, err4, err5, stop)
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
	if got := r.ids("thing", wire.Query{}); got != "a" {
		t.Error(got)
	}
}

func TestReindex(t *testing.T) {
	t.Parallel()
	r := open(t)
	r.create("zone", `{"id":"a","label":"x"}`, `{"id":"b","label":"y"}`, `{"id":"c","label":"x"}`)
	unique := zone()
	unique.Attributes[0].Unique = true
	reindex := func() error {
		return r.Do(t.Context(), by, func(tx *objectstore.Tx) error {
			tx.Use(objectstore.Fixed([]wire.ObjectType{unique}))
			return tx.Reindex(t.Context(), "zone")
		})
	}
	var e *objectstore.RowError
	if err := reindex(); !errors.As(err, &e) || e.ID != "c" {
		t.Error(err)
	}
	r.update("zone", `{"id":"c","label":"z"}`)
	if err := reindex(); err != nil {
		t.Error(err)
	}
	r.reopen(objectstore.Fixed([]wire.ObjectType{unique}))
	if _, err := r.Update(t.Context(), "zone", rows(`{"id":"b","label":"x"}`), by); err == nil {
		t.Error("a taken value was taken again")
	}
}

// What a query with a filter finds is what looking at every row finds.
func TestTheIndexFindsWhatLookingFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := open(t)
		number := rapid.SampledFrom([]string{"0", "-0", "0.0", "1", "1.0", "10e-1",
			"100", "1e2", "0.01e4", "-1", "12", "1.2e1", "9007199254740993", "9007199254740992"})
		n := rapid.IntRange(1, 12).Draw(rt, "n")
		plain := zone()
		plain.Attributes = []wire.Attribute{{Name: "n", Type: wire.TypeNumber}}
		r.reopen(objectstore.Fixed([]wire.ObjectType{plain}))
		var values []json.Number
		for i := range n {
			v := number.Draw(rt, "v")
			values = append(values, json.Number(v))
			r.create("zone", fmt.Sprintf(`{"id":"r%02d","n":%s}`, i, v))
		}
		want := number.Draw(rt, "want")
		eq := r.ids("zone", where(`{"attrName":"n","op":"eq","condition":`+want+`}`))
		gt := r.ids("zone", where(`{"attrName":"n","op":"gt","condition":`+want+`}`))
		lt := r.ids("zone", where(`{"attrName":"n","op":"lt","condition":`+want+`}`))
		if got := len(strings.Fields(eq)) + len(strings.Fields(gt)) + len(strings.Fields(lt)); got != n {
			rt.Errorf("of %v are %s eq, %s gt, %s lt %s", values, eq, gt, lt, want)
		}
		for i, v := range values {
			x, err1 := v.Float64()
			y, err2 := json.Number(want).Float64()
			if err1 != nil || err2 != nil {
				rt.Fatal(err1, err2)
			}
			if id := fmt.Sprintf("r%02d", i); x != y && strings.Contains(eq, id) ||
				x > y && !strings.Contains(gt, id) || x < y && !strings.Contains(lt, id) {
				rt.Errorf("%s and %s: eq %s gt %s lt %s", v, want, eq, gt, lt)
			}
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("int", "7")
	f.Add("number", "-1.50e+3")
	f.Add("datetime", `"2026-01-31T08:00:00+01:00"`)
	f.Add("datetime", `"0000-01-01T0:00:00+01:00"`)
	f.Add("multiref", `["a",{"id":"b"},"a,b"]`)
	f.Add("text", "\"\xff\"")
	f.Add("multiref", "[{\"\xb3\":\"\"}]")
	f.Fuzz(func(t *testing.T, kind, raw string) {
		if !json.Valid([]byte(raw)) {
			return
		}
		a := wire.Attribute{Name: "a", Type: kind, Values: []string{"x"}}
		v, err := objectstore.Check(a, json.RawMessage(raw))
		if err != nil || v == nil {
			return
		}
		if !json.Valid(v) {
			t.Fatalf("%s %q became %q, which is no JSON", kind, raw, v)
		}
		again, err := objectstore.Check(a, v)
		if err != nil || string(again) != string(v) {
			t.Errorf("%s %q became %q and then %q, %v", kind, raw, v, again, err)
		}
	})
}
