package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/obs"
	"sextant/internal/testkit/dbserver"
)

func open(t *testing.T) (*audit.Log, *db.DB, *clock.Fake) {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context(), audit.Domain, audit.Migrations); err != nil {
		t.Fatal(err)
	}
	c := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	return audit.New(d, c), d, c
}

func list(t *testing.T, l *audit.Log, f audit.Filter) api.Page[audit.Record] {
	t.Helper()
	page, err := l.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestRecordsByProjectNewestFirst(t *testing.T) {
	t.Parallel()
	l, d, c := open(t)
	ctx := obs.WithRequestID(t.Context(), "r1")
	for i := range 7 {
		project := []string{"a", "b"}[i%2]
		c.Advance(time.Second)
		err := d.Do(ctx, func(tx *db.Tx) error {
			return l.Write(ctx, tx, audit.Record{Project: project, Actor: audit.Actor{Subject: "user/x", Name: "x"},
				Verb: "thing.write", Object: fmt.Sprint("thing/", i/2), Detail: json.RawMessage(`{"n":1}`)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for after := ""; ; {
		page := list(t, l, audit.Filter{Project: "a", Paging: api.Paging{Limit: 3, After: after}})
		for _, r := range page.Items {
			if r.Project != "a" || r.Outcome != audit.Done || r.Request != "r1" || string(r.Detail) != `{"n":1}` || r.Time.IsZero() {
				t.Errorf("%+v", r)
			}
			seen = append(seen, r.Object)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if got := fmt.Sprint(seen); got != "[thing/3 thing/2 thing/1 thing/0]" {
		t.Errorf("%s", got)
	}
	if got := list(t, l, audit.Filter{Project: "b", Object: "thing/1", Paging: api.Paging{Limit: 10}}).Items; len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got := list(t, l, audit.Filter{Project: "none", Paging: api.Paging{Limit: 10}}).Items; got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestRecordsOfSomebodyAndOfWhatWasRefused(t *testing.T) {
	t.Parallel()
	l, d, c := open(t)
	for i, who := range []string{"ann", "bo", "ann"} {
		c.Advance(time.Second)
		r := audit.Record{Project: "a", Actor: audit.Actor{Subject: "user/" + who, Name: who},
			Verb: "thing.write", Object: fmt.Sprint("thing/", i)}
		if i > 0 {
			r.Outcome = audit.Refused
		}
		if err := d.Do(t.Context(), func(tx *db.Tx) error { return l.Write(t.Context(), tx, r) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		f    audit.Filter
		want string
	}{
		{audit.Filter{Name: "ann"}, "[thing/2 thing/0]"},
		{audit.Filter{Outcome: audit.Refused}, "[thing/2 thing/1]"},
		{audit.Filter{Name: "ann", Outcome: audit.Refused}, "[thing/2]"},
		{audit.Filter{Name: "nobody"}, "[]"},
	} {
		tt.f.Project, tt.f.Limit = "a", 10
		objects := []string{}
		for _, r := range list(t, l, tt.f).Items {
			objects = append(objects, r.Object)
		}
		if got := fmt.Sprint(objects); got != tt.want {
			t.Errorf("%+v: %s", tt.f, got)
		}
	}
}

// A record of what was not done would be a lie.
func TestARecordGoesWithItsChange(t *testing.T) {
	t.Parallel()
	l, d, _ := open(t)
	err := d.Do(t.Context(), func(tx *db.Tx) error {
		return errors.Join(l.Write(t.Context(), tx,
			audit.Record{Project: "a", Actor: audit.Actor{Subject: "user/x", Name: "x"}, Verb: "thing.write", Object: "thing/1"}), errors.New("no"))
	})
	if err == nil || len(list(t, l, audit.Filter{Project: "a", Paging: api.Paging{Limit: 10}}).Items) != 0 {
		t.Errorf("%v, and the record is there", err)
	}
}

// After the clock was set back the newest record is still the one that was written
// last, and a page goes on where the one before ended.
func TestAClockThatIsSetBackHidesNothing(t *testing.T) {
	t.Parallel()
	l, d, c := open(t)
	write := func(l *audit.Log, what string) {
		t.Helper()
		r := audit.Record{Project: "a", Actor: audit.Actor{Subject: "user/x", Name: "x"}, Verb: "thing.write", Object: "thing/" + what}
		if err := d.Do(t.Context(), func(tx *db.Tx) error { return l.Write(t.Context(), tx, r) }); err != nil {
			t.Fatal(err)
		}
	}
	write(l, "1")
	write(l, "2")
	c.Advance(-time.Hour)
	l = audit.New(d, c) // after a restart too
	write(l, "3")
	write(l, "4")
	var seen []string
	for after := ""; ; {
		page := list(t, l, audit.Filter{Project: "a", Name: "x", Paging: api.Paging{Limit: 1, After: after}})
		for _, r := range page.Items {
			seen = append(seen, r.Object)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if got := fmt.Sprint(seen); got != "[thing/4 thing/3 thing/2 thing/1]" {
		t.Errorf("the order is %s", got)
	}
	if got := list(t, l, audit.Filter{Project: "a", Object: "thing/3", Since: "thing.write", Paging: api.Paging{Limit: 5}}).
		Items; len(got) != 1 {
		t.Errorf("since the newest: %d records", len(got))
	}
}
