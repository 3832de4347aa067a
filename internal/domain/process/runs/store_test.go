package runs

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/process"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
)

var began = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

// kept is a run of the model: what the table holds of it.
type kept struct {
	Run
	environments []string
}

// Whatever runs there are and whatever they are chosen by, the pages of the list hold
// those that a person would pick, newest first, each once, and the counts are theirs.
func TestListsAndCountsAgreeWithAModel(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context(), process.Domain, process.Migrations); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		next += 1000
		project := fmt.Sprint("p", next)
		all := fill(t, d, project, next)
		for range 5 {
			choose(t, d, project, all)
		}
	})
}

func fill(t *rapid.T, d *db.DB, project string, first int64) []kept {
	processes := []string{"deploy", "De_ploy", "heal"}
	var all []kept
	err := d.Do(t.Context(), func(tx *db.Tx) error {
		all = nil
		for i, p := range processes {
			_, err := tx.Exec("INSERT INTO process_definition (definition, project, process, version, name, digest, subject, created, tag) "+
				"VALUES (?, ?, ?, 1, ?, 'd', 'ann', 0, '')", first+int64(i), project, p, p)
			if err != nil {
				return err
			}
		}
		for i := range rapid.IntRange(0, 12).Draw(t, "runs") {
			kind := rapid.IntRange(0, len(processes)-1).Draw(t, "process")
			r := kept{
				Run: Run{Key: api.Key(first + int64(i)), Project: project, Process: processes[kind], Version: 1, definition: first + int64(kind),
					Title:   rapid.SampledFrom([]string{"", "Release 100% of it", "release 1009", "发布 web-1", "a_b", "a!b", "aXb"}).Draw(t, "title"),
					Subject: rapid.SampledFrom([]string{"ann", "bo"}).Draw(t, "subject"), Verdict: "v",
					State:   rapid.SampledFrom([]string{StateActive, StateWaiting, "completed", "failed"}).Draw(t, "state"),
					Objects: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a:b/1", "a:b/2", "a:b/3"}), 0, 3, rapid.ID).Draw(t, "objects"),
					Started: began.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "started")) * 25 * time.Minute)},
				environments: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"dev", "prod"}), 0, 2, rapid.ID).Draw(t, "places")}
			r.places, r.ObjectCount = identity.Places(r.environments), len(r.Objects)
			if r.Objects == nil {
				r.Objects = []string{}
			}
			if err := insertRun(tx, r.Run); err != nil {
				return err
			}
			if len(all) > 0 && rapid.Bool().Draw(t, "called") {
				up := all[rapid.IntRange(0, len(all)-1).Draw(t, "parent")]
				r.Parent, r.Root, r.Caller = up.Key, up.Key, "call"
				if up.Root != 0 {
					r.Root = up.Root
				}
				if err := insertCall(tx, r.Run, []byte("{}")); err != nil {
					return err
				}
			}
			all = append(all, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func choose(t *rapid.T, d *db.DB, project string, all []kept) {
	environment := rapid.SampledFrom([]string{"*", "dev", "test"}).Draw(t, "environment")
	ctx := identity.With(context.Background(), identity.Subject{ID: "user/1",
		Name: "ann", Kind: identity.User, Grants: []identity.Grant{{Permission: "run.read", Project: project, Environment: environment}}})
	f := Filter{Choice: Choice{Project: project,
		Process: rapid.SampledFrom([]string{"", "deploy", "none"}).Draw(t, "of process"),
		Subject: rapid.SampledFrom([]string{"", "bo"}).Draw(t, "of subject"),
		Object:  rapid.SampledFrom([]string{"", "a:b/2"}).Draw(t, "of object"),
		Called:  rapid.SampledFrom([]string{"", "no", "only"}).Draw(t, "called"),
		Text:    rapid.SampledFrom([]string{"", "release", "100%", "_", "!", "DEPLOY", "发布", "发布 WEB", "'"}).Draw(t, "text")},
		State: rapid.SampledFrom([]string{"", StateActive, "failed"}).Draw(t, "in state")}
	if rapid.Bool().Draw(t, "since") {
		f.Since = began.Add(time.Hour)
	}
	if rapid.Bool().Draw(t, "until") {
		f.Until = began.Add(100 * time.Minute)
	}
	if len(all) > 0 && rapid.IntRange(0, 3).Draw(t, "parent") == 0 {
		f.Parent.Key = all[0].Key
	}
	var want []Run
	for _, r := range all {
		if r.fits(f, environment) {
			want = append(want, r.Run)
		}
	}
	slices.SortFunc(want, func(a, b Run) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return int(b.Key - a.Key)
	})
	var got []Run
	f.Limit = rapid.IntRange(1, 5).Draw(t, "limit")
	for pages := 0; ; pages++ {
		page, err := runs(ctx, d, f)
		if err != nil || pages > 20 {
			t.Fatalf("%d pages, %v", pages, err)
		}
		p := api.PageOf(page, f.Limit, func(r Run) string { return fmt.Sprintf("%d.%d", clock.Micros(r.Started), r.Key) })
		got = append(got, p.Items...)
		if f.After = p.Next; p.Next == "" {
			break
		}
	}
	for i := range got {
		slices.Sort(got[i].Objects)
	}
	for i := range want {
		want[i].Objects = slices.Sorted(slices.Values(want[i].Objects))
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Run{}),
		cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) })); diff != "" {
		t.Errorf("chosen by %+v in %s: %s", f.Choice, environment, diff)
	}
	f.After, f.State = "", ""
	counted, err := runsByHour(ctx, d, f)
	if err != nil {
		t.Fatal(err)
	}
	told, model := map[string]int{}, map[string]int{}
	for _, h := range counted {
		told[h.State+" "+h.Hour.UTC().Format(time.RFC3339)] += h.Runs
	}
	for _, r := range all {
		if hour := (time.Time{}); r.fits(f, environment) {
			if !f.Since.IsZero() {
				hour = r.Started.Truncate(time.Hour)
			}
			model[r.State+" "+clock.FromMicros(clock.Micros(hour)).UTC().Format(time.RFC3339)]++
		}
	}
	if diff := cmp.Diff(model, told); diff != "" {
		t.Errorf("counts by %+v: %s", f.Choice, diff)
	}
}

// fits is what a person would say.
func (r kept) fits(f Filter, environment string) bool {
	contains := func(in string) bool { return strings.Contains(strings.ToLower(in), strings.ToLower(f.Text)) }
	seen := environment == "*" || !slices.ContainsFunc(r.environments, func(e string) bool { return e != environment })
	return seen && (f.State == "" || r.State == f.State) && (f.Process == "" || r.Process == f.Process) &&
		(f.Subject == "" || r.Subject == f.Subject) &&
		(f.Object == "" || slices.Contains(r.Objects, f.Object)) && (f.Called == "" || (f.Called == "only") == (r.Parent != 0)) &&
		(f.Parent.Key == 0 || r.Parent == f.Parent.Key) && (contains(r.Title) || contains(r.Process)) &&
		(f.Since.IsZero() || !r.Started.Before(f.Since)) && (f.Until.IsZero() || r.Started.Before(f.Until))
}
