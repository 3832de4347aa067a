package output_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	const want = "one\n<missing 6 0>two\n<sender 100 7>three\n<job_limit 22 3>seven\n"
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10})); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	var b strings.Builder
	if err := s.Write(t.Context(), &b, output.Selection{Run: 1, Job: 10, Object: "r"}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got,
		"one\n── 6 bytes of output are missing here: they never came ──\ntwo\n── 100 bytes (7 lines)") || strings.Count(got, "──\n") != 3 ||
		!strings.HasSuffix(got, "── 22 bytes (3 lines) of output are missing here: the job wrote more than is kept of one ──\nseven\n") {
		t.Fatalf("the download is %q", got)
	}
	hits, _, err := s.Search(t.Context(), output.Selection{Run: 1, Job: 10}, "two", 100)
	if err != nil || len(hits) != 4 || hits[0].Lost == nil || hits[1].Line != "two" ||
		hits[1].Offset != 10 || hits[2].Lost.Lines != 7 || hits[3].Lost.Bytes != 22 {
		t.Fatalf("the search gives %+v, %v", hits, err)
	}
}

// Of a job that writes more than is kept, the beginning and the end are there with
// one gap for each row between, however it is read, and after another start.
func TestTheBeginningAndTheEndAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, output.Options{PerJob: 400_000})
	whole := map[string]*strings.Builder{"a": {}, "b": {}}
	live, after := "", ""
	follow := func() {
		for more := true; more; {
			var pieces []output.Piece
			var err error
			sel := output.Selection{Run: 1, Job: 10, Object: "a", After: after}
			if pieces, after, more, err = s.Read(t.Context(), sel); err != nil {
				t.Fatal(err)
			}
			live += text(pieces)
		}
	}
	for i := range 20_000 {
		row := []string{"a", "b"}[i%2]
		line := fmt.Sprintf("%s %d of many lines that say %x\n", row, i, i*i*7919)
		keep(t, s, 1, wire.LogChunk{Row: row, Offset: int64(whole[row].Len()), Bytes: []byte(line)})
		keep(t, s, 1, wire.LogChunk{Row: row, Offset: int64(whole[row].Len()), Bytes: []byte(line)}) // sent again
		whole[row].WriteString(line)
		if i%5000 == 0 {
			follow()
			s = open(t, dir, output.Options{PerJob: 400_000})
		}
		if i%100 == 0 {
			follow()
		}
	}
	follow()
	if live != whole["a"].String() {
		t.Errorf("who follows saw %d bytes, want %d", len(live), whole["a"].Len())
	}
	for range 2 {
		for row, all := range whole {
			pieces := read(t, s, output.Selection{Run: 1, Job: 10, Object: row})
			got, gaps := "", 0
			for _, p := range pieces {
				if p.Lost == nil {
					if p.Text != all.String()[p.Offset:p.End] {
						t.Fatalf("%s: at %d stands %.60q", row, p.Offset, p.Text)
					}
					got += p.Text
					continue
				}
				gaps++
				missing := all.String()[p.Offset:p.End]
				if p.Offset != int64(len(got)) || p.Lost.Reason != "job_limit" || p.Lost.Bytes != int64(len(missing)) ||
					int(p.Lost.Lines) != strings.Count(missing, "\n") {
					t.Errorf("%s: the gap is %+v %+v", row, p, p.Lost)
				}
			}
			if gaps != 1 || pieces[len(pieces)-1].End != int64(all.Len()) {
				t.Errorf("%s: %d gaps, the end is %d of %d", row, gaps, pieces[len(pieces)-1].End, all.Len())
			}
			last := text(read(t, s, output.Selection{Run: 1, Job: 10, Object: row, Last: 3}))
			if strings.Count(last, "\n") != 3 || !strings.HasSuffix(all.String(), last) {
				t.Errorf("%s: the last lines are %q", row, last)
			}
		}
		for word, want := range map[string]int{"19999": 1, "a": 10_000, `"b 1 of"`: 1, `"b 15001 of"`: 0} {
			n, gaps := 0, 0
			for sel := (output.Selection{Run: 1, Job: 10}); ; {
				hits, next, err := s.Search(t.Context(), sel, word, 100)
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range hits {
					if h.Lost != nil {
						gaps++
					} else {
						n++
					}
				}
				if sel.After = next; next == "" {
					break
				}
			}
			if n > want || n == 0 && want > 0 || gaps != 2 {
				t.Errorf("%s is found %d times, with %d gaps", word, n, gaps)
			}
		}
		var b strings.Builder
		if err := s.Write(t.Context(), &b, output.Selection{Run: 1, Job: 10}); err != nil || strings.Count(b.String(), "are missing here") != 2 {
			t.Errorf("the download tells %d gaps, %v", strings.Count(b.String(), "are missing here"), err)
		}
		size := int64(0)
		files, err := filepath.Glob(filepath.Join(dir, "1", "10", "end.job_limit", "*"))
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				size += info.Size()
			}
		}
		if size > 150_000 || err != nil || len(files) == 0 {
			t.Errorf("%d bytes of the end lie on the disk, %v", size, err)
		}
		s = open(t, dir, output.Options{PerJob: 400_000})
	}
}

// Gaps that follow each other are one, whatever their reasons and whatever rows
// have gaps between.
// What a job writes passes its limit while it is read, searched and brought to the
// disk: every reader sees each byte kept or told as missing.
func TestReadersDoNotNoticeWhereTheEndBegins(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), output.Options{PerJob: 40_000})
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() { _ = s.Run(ctx) })
	first := make(chan struct{})
	for reader := range 3 {
		others.Go(func() {
			<-first
			for ctx.Err() == nil {
				if reader == 0 {
					if _, _, err := s.Search(ctx, output.Selection{Run: 1, Job: 10}, "line", 10); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					continue
				}
				pieces, _, _, err := s.Read(ctx, output.Selection{Run: 1, Job: 10, Last: int64(10 * reader)})
				if len(pieces) == 0 && err == nil || err != nil && ctx.Err() == nil {
					t.Errorf("%d pieces, %v", len(pieces), err)
				}
			}
		})
	}
	size := 0
	for i := range 4000 {
		line := fmt.Sprintf("line %d\n", i)
		keep(t, s, 1, chunk(size, line))
		if size += len(line); i == 0 {
			close(first)
		}
	}
	stop()
	others.Wait()
	kept := 0
	for _, p := range read(t, s, output.Selection{Run: 1, Job: 10}) {
		if kept += len(p.Text); p.Lost != nil {
			kept += int(p.Lost.Bytes)
		}
	}
	if kept != size {
		t.Errorf("%d bytes of %d are kept or told as missing", kept, size)
	}
}

func TestGapsThatFollowEachOtherAreOne(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), output.Options{})
	at := map[string]int64{}
	lose := func(row string, n int64) {
		keep(t, s, 1, wire.LogChunk{Row: row, Offset: at[row], Lost: n, Lines: 1})
		at[row] += n
	}
	for range 200 {
		lose("a", 10)
		lose("b", 20)
		at["a"] += 5 // and this never comes
	}
	keep(t, s, 1, wire.LogChunk{Row: "a", Offset: at["a"], Bytes: []byte("end\n")})
	pieces := read(t, s, output.Selection{Run: 1, Job: 10})
	if len(pieces) != 3 || pieces[0].Lost.Bytes != 3000 || pieces[0].Lost.Reason != "sender" ||
		pieces[1].Lost.Bytes != 4000 || pieces[1].Lost.Lines != 200 || pieces[2].Text != "end\n" {
		t.Fatalf("there are %d pieces: %+v", len(pieces), pieces[:min(len(pieces), 5)])
	}
	hits, _, err := s.Search(t.Context(), output.Selection{Run: 1, Job: 10}, "end", 100)
	if err != nil || len(hits) != 3 {
		t.Errorf("the search gives %d, %v", len(hits), err)
	}
	var b strings.Builder
	if err := s.Write(t.Context(), &b, output.Selection{Run: 1, Job: 10}); err != nil || strings.Count(b.String(), "are missing") != 2 {
		t.Errorf("the download is %q, %v", b.String(), err)
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
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10, Last: 2})); strings.Count(got, "\n") != 2 ||
		!strings.HasSuffix(want.String(), got) {
		t.Fatalf("the last two lines are %.80q", got)
	}
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10, Last: 2, After: "5", Tail: true})); strings.Count(got, "\n") != 2 ||
		!strings.HasSuffix(want.String(), got) {
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
	keep(t, s, 1, chunk(12508, strings.Repeat("0123456789abcdef", 40_000)), chunk(652_508, "why\n"))
	if got := text(read(t, s, output.Selection{Run: 1, Job: 10})); !strings.HasSuffix(got, "abcdefwhy\n") {
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

// Output that was kept long enough goes, of runs that have ended alone, and a gap tells so.
func TestOldOutputIsForgotten(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), clock.NewFake(time.Unix(1_800_000_000, 0))
	s := open(t, dir, output.Options{Clock: now})
	s.Ended(func(run int64) bool { return run != 2 })
	for run := range int64(4) {
		keep(t, s, run+1, chunk(0, "hello\n"))
		now.Advance(time.Hour)
	}
	before := now.Now().Add(-90 * time.Minute) // the last wrote an hour ago
	if n, err := s.Forget(t.Context(), before, 1); n != 1 || err != nil {
		t.Errorf("%d went, %v", n, err)
	}
	if n, err := s.Forget(t.Context(), before, 10); n != 1 || err != nil {
		t.Errorf("%d went, %v", n, err)
	}
	st, err := s.Stock(t.Context())
	if err != nil || st.Count != 2 || st.Bytes <= 0 || !st.Oldest.Equal(time.Unix(1_800_000_000, 0).Add(time.Hour)) {
		t.Errorf("%+v, %v", st, err)
	}
	got := ""
	for run := range int64(4) {
		got += text(read(t, s, output.Selection{Run: run + 1, Job: (run + 1) * 10}))[:6] + " "
	}
	if got != "<dropp hello\n <dropp hello\n " {
		t.Errorf("there is %q", got)
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
