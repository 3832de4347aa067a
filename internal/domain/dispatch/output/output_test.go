package output_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/domain/dispatch/output"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

func open(t testing.TB, dir string, o output.Options) *output.Store {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.PerJob == 0 {
		o.PerJob = 1 << 30
	}
	if o.Total == 0 {
		o.Total = 1 << 40
	}
	s, err := output.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func keep(t testing.TB, s *output.Store, run int64, chunks ...wire.LogChunk) {
	t.Helper()
	if err := s.Keep(run, run*10, 0, chunks); err != nil {
		t.Fatal(err)
	}
}

func chunk(offset int, text string) wire.LogChunk {
	return wire.LogChunk{Row: "r", Offset: int64(offset), Bytes: []byte(text)}
}

func read(t testing.TB, s *output.Store, sel output.Selection) (all []output.Piece) {
	t.Helper()
	for {
		pieces, next, more, err := s.Read(t.Context(), sel)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pieces...)
		if !more {
			return all
		}
		sel.After = next
	}
}

func text(all []output.Piece) string {
	var b strings.Builder
	for _, p := range all {
		b.WriteString(p.Text)
		if p.Lost != nil {
			fmt.Fprintf(&b, "<%s %d %d>", p.Lost.Reason, p.Lost.Bytes, p.Lost.Lines)
		}
	}
	return b.String()
}

// Whatever is sent again, in whatever pieces, and however often the server is
// killed meanwhile: each byte is there once.
func TestEachByteIsStoredOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "output")
		if err != nil {
			rt.Fatal(err)
		}
		s := open(t, dir, output.Options{})
		want := strings.Repeat("a line of ärger 漢字\n", rapid.IntRange(1, 50).Draw(rt, "lines"))
		for sent := 0; sent < len(want); {
			from := rapid.IntRange(0, sent).Draw(rt, "from")
			to := rapid.IntRange(from, len(want)).Draw(rt, "to")
			if rapid.IntRange(0, 3).Draw(rt, "kill") == 0 {
				s = open(t, dir, output.Options{}) // nothing was closed: that is a kill
			}
			keep(t, s, 1, chunk(from, want[from:to]))
			sent = max(sent, to)
		}
		if got := text(read(t, s, output.Selection{Run: 1, Job: 10})); got != want {
			rt.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestAGapIsToldAtItsPlace(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), output.Options{PerJob: 30})
	keep(t, s, 1, chunk(0, "one\n"), chunk(10, "two\n"))
	keep(t, s, 1, wire.LogChunk{Row: "r", Offset: 14, Lost: 100, Lines: 7})
	keep(t, s, 1, wire.LogChunk{Row: "r", Offset: 14, Lost: 100, Lines: 7}) // sent again
	keep(t, s, 1, chunk(114, "three\nfour is long\nfive\nsix\n"))
	keep(t, s, 1, chunk(142, "seven\n"))
	const want = "one\n<missing 6 0>two\n<sender 100 7>three\nfour is long\n<job_limit 15 3>"
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10})); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	var b strings.Builder
	if err := s.Write(t.Context(), &b, output.Selection{Run: 1, Job: 10, Object: "r"}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got, "one\n── 6 bytes of output are missing here: they never came ──\ntwo\n── 100 bytes (7 lines)") || strings.Count(got, "──\n") != 3 || !strings.Contains(got, "── 15 bytes (3 lines) of output are missing here: the job wrote more than is kept of one ──\n") {
		t.Fatalf("the download is %q", got)
	}
	hits, _, err := s.Search(t.Context(), output.Selection{Run: 1, Job: 10}, "two", 100)
	if err != nil || len(hits) != 4 || hits[0].Lost == nil || hits[1].Line != "two" || hits[1].Offset != 10 || hits[2].Lost.Lines != 7 || hits[3].Lost.Bytes != 15 {
		t.Fatalf("the search gives %+v, %v", hits, err)
	}
}

func TestAReaderGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, output.Options{})
	var want strings.Builder
	after, got := "", ""
	for i := range 300 {
		line := fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", i*20))
		keep(t, s, 1, chunk(want.Len(), line))
		want.WriteString(line)
		if i%7 == 0 {
			pieces, next, _, err := s.Read(t.Context(), output.Selection{Run: 1, Job: 10, After: after})
			if err != nil {
				t.Fatal(err)
			}
			got, after = got+text(pieces), next
		}
		if i%50 == 0 {
			s = open(t, dir, output.Options{})
		}
	}
	got += text(read(t, s, output.Selection{Run: 1, Job: 10, After: after}))
	if got != want.String() {
		t.Fatalf("%d bytes, want %d", len(got), want.Len())
	}
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10, Last: 2})); strings.Count(got, "\n") != 2 || !strings.HasSuffix(want.String(), got) {
		t.Fatalf("the last two lines are %.80q", got)
	}
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10, Last: 2, After: "5", Tail: true})); strings.Count(got, "\n") != 2 || !strings.HasSuffix(want.String(), got) {
		t.Fatalf("the tail is %.80q", got)
	}
}

func TestASearchGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), output.Options{})
	at := 0
	for i := range 40 {
		lines := ""
		for k := range 25 {
			lines += fmt.Sprintf("needle %d.%d\nhay\n", i, k)
		}
		keep(t, s, 1, chunk(at, lines))
		at += len(lines)
	}
	n, sel := 0, output.Selection{Run: 1, Job: 10}
	for {
		hits, next, err := s.Search(t.Context(), sel, "needle", 33)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			if want := fmt.Sprintf("needle %d.%d", n/25, n%25); h.Line != want {
				t.Fatalf("hit %d is %q, want %q", n, h.Line, want)
			}
			n++
		}
		if sel.After = next; next == "" {
			break
		}
	}
	if n != 1000 {
		t.Fatalf("%d lines are found", n)
	}
}

func TestTheOutputOfTheRunThatEndedLongestAgoMakesRoom(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), clock.NewFake(time.Unix(1_800_000_000, 0))
	s := open(t, dir, output.Options{Total: 10_000, Clock: now})
	over := map[int64]bool{2: true, 3: true}
	s.Ended(func(run int64) bool { return over[run] })
	for run := range int64(4) { // the first is under way for longest
		now.Advance(time.Hour)
		keep(t, s, run+1, chunk(0, strings.Repeat(fmt.Sprintf("run %d\n", run+1), 500)))
	}
	sizes := func() (all string) {
		for run := range int64(4) {
			all += text(read(t, s, output.Selection{Run: run + 1, Job: (run + 1) * 10}))[:6] + " "
		}
		return all
	}
	keep(t, s, 4, chunk(3000, "more\n"))
	if got := sizes(); got != "run 1\n <dropp run 3\n run 4\n " {
		t.Fatalf("there is %q", got)
	}
	keep(t, s, 1, chunk(3500, strings.Repeat("again\n", 500))) // and the next
	keep(t, s, 1, chunk(6500, strings.Repeat("again\n", 500)))
	if got := sizes(); got != "run 1\n <dropp <dropp run 4\n " {
		t.Fatalf("there is %q", got)
	}
	keep(t, s, 1, chunk(9500, strings.Repeat("again\n", 500)))
	keep(t, s, 1, chunk(12500, "no room\n"))
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10})); !strings.HasSuffix(got, "<total_limit 3008 501>") {
		t.Fatalf("without room there is %q", got[len(got)-60:])
	}
	if _, err := os.Stat(filepath.Join(dir, "2")); !os.IsNotExist(err) {
		t.Fatalf("the folder of the run is there still: %v", err)
	}
	s = open(t, dir, output.Options{})
	if got := sizes(); got != "run 1\n <dropp <dropp run 4\n " {
		t.Fatalf("after another start there is %q", got)
	}
}

func TestASecretOverTheBorderOfPiecesIsHidden(t *testing.T) {
	t.Parallel()
	mask := secret.NewMask([]string{"hunter22"})
	for cut := range len("say hunter22 now") {
		var m output.Masked
		got := ""
		whole := "say hunter22 now"
		var all []wire.LogChunk
		all = append(all, m.Take("c", chunk(0, whole[:cut]), mask)...)
		all = append(all, m.Take("c", chunk(cut, whole[cut:]), mask)...)
		for _, c := range append(all, m.Rest("c", mask)...) {
			if int(c.Offset) != len(got) {
				t.Fatalf("cut at %d: a piece at %d after %d bytes", cut, c.Offset, len(got))
			}
			got += string(c.Bytes)
		}
		if got != "say ******** now" {
			t.Fatalf("cut at %d: %q", cut, got)
		}
	}
	var m output.Masked
	all := m.Take("c", chunk(0, "say hunt"), mask)
	all = append(all, m.Take("c", wire.LogChunk{Row: "r", Offset: 8, Lost: 5}, mask)...)
	all = append(all, m.Take("c", chunk(13, "er22"), mask)...)
	if len(all) != 4 || string(all[1].Bytes) != "hunt" || all[1].Offset != 4 || all[2].Lost != 5 {
		t.Fatalf("around a gap: %+v", all)
	}
}
