package segment_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sextant/sdk/go/segment"
)

// small makes several blocks and segments of little.
var small = segment.Options{Block: 400, Segment: 600, Joined: true}

func open(t testing.TB, dir string, o segment.Options) *segment.Log {
	t.Helper()
	l, err := segment.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func appendTo(t testing.TB, l *segment.Log, records ...segment.Record) {
	t.Helper()
	if err := l.Append(records...); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, l *segment.Log, s segment.Select) (all []segment.Record) {
	t.Helper()
	if err := l.Read(t.Context(), s, func(r segment.Record) bool { all = append(all, r); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

// texts joins what is read of each stream.
func texts(all []segment.Record) map[string]string {
	by := map[string]string{}
	for _, r := range all {
		if r.Lost == nil {
			by[r.Stream] += string(r.Body)
		}
	}
	return by
}

func find(t testing.TB, l *segment.Log, query string, s segment.Select) (lines []string) {
	t.Helper()
	q, err := segment.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Search(t.Context(), q, s, func(m segment.Match) bool {
		if m.Lost == nil {
			lines = append(lines, fmt.Sprintf("%s@%d:%s", m.Stream, m.Offset, m.Line))
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := []segment.Record{
		{Time: 5, Stream: "a", Offset: 7, Level: 9, Trace: [16]byte{1, 2}, Body: []byte("one\n"), Attrs: []segment.Attr{{"k", "v"}, {"n", ""}}},
		{Time: 3, Stream: "b", Body: []byte{0, 255, 10}},
		{Time: 9, Stream: "a", Offset: 11, Lost: &segment.Lost{Bytes: 100, Lines: 3, Reason: "quota"}},
	}
	l := open(t, dir, segment.Options{})
	appendTo(t, l, slices.Clone(want)...)
	for i := range want {
		want[i].Seq = uint64(i + 1)
	}
	want[1].Time = 5 // time never goes back
	check := func() {
		t.Helper()
		if got := read(t, l, segment.Select{}); fmt.Sprintf("%+v %+v", got, got[2].Lost) != fmt.Sprintf("%+v %+v", got, want[2].Lost) ||
			len(got) != 3 || got[0].Trace != want[0].Trace || !slices.Equal(got[0].Attrs, want[0].Attrs) ||
			got[1].Time != 5 || !bytes.Equal(got[1].Body, want[1].Body) || got[0].Level != 9 || got[0].Offset != 7 {
			t.Fatalf("got %+v", got)
		}
	}
	check()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, segment.Options{})
	check()
	if l.End("a") != 111 || l.End("b") != 3 || l.Next() != 4 || l.Raw() != 7 {
		t.Fatalf("ends %d %d, next %d, raw %d", l.End("a"), l.End("b"), l.Next(), l.Raw())
	}
}

// model is what a log should hold.
type model struct {
	records []segment.Record
	text    map[string]string
}

func (m *model) lines() (all []string) {
	for name, text := range m.text {
		at := 0
		for line := range strings.SplitAfterSeq(text, "\n") {
			if line != "" {
				all = append(all, fmt.Sprintf("%s@%d:%s", name, at, strings.TrimSuffix(line, "\n")))
			}
			at += len(line)
		}
	}
	return all
}

func TestALogIsWhatWasAppendedWhateverHappensMeanwhile(t *testing.T) {
	t.Parallel()
	words := []string{"error", "Disk", "full", "error_7", "错误", "磁盘已满", "x", "10.0.0.1", "\n", "\n", " ", "é", "ERROR"}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "log")
		if err != nil {
			rt.Fatal(err)
		}
		m := model{text: map[string]string{}}
		l := open(t, dir, small)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				_ = l.Close()
				l = open(t, dir, small)
			case 1:
				_ = l.Seal()
			default:
				var some []segment.Record
				for range rapid.IntRange(1, 4).Draw(rt, "records") {
					stream := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "stream")
					body := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 30).Draw(rt, "words"),
						rapid.SampledFrom([]string{"", " "}).Draw(rt, "between"))
					some = append(some,
						segment.Record{Time: int64(len(m.records)) * 10, Stream: stream, Offset: int64(len(m.text[stream])), Body: []byte(body)})
					m.text[stream] += body
				}
				if err := l.Append(some...); err != nil {
					rt.Fatal(err)
				}
				m.records = append(m.records, some...)
			}
		}
		compare(t, rt, l, &m)
		_ = l.Close()
		l = open(t, dir, small)
		compare(t, rt, l, &m)
		_ = l.Close()
	})
}

func compare(t *testing.T, rt *rapid.T, l *segment.Log, m *model) {
	from := uint64(rapid.IntRange(0, len(m.records)+2).Draw(rt, "from"))
	want := m.records[min(len(m.records), int(max(from, 1)-1)):]
	got := read(t, l, segment.Select{From: from})
	if len(got) != len(want) {
		rt.Fatalf("from %d: %d records, want %d", from, len(got), len(want))
	}
	for i := range got {
		if got[i].Seq != want[i].Seq || got[i].Stream != want[i].Stream || !bytes.Equal(got[i].Body, want[i].Body) ||
			got[i].Offset != want[i].Offset {
			rt.Fatalf("from %d: record %d is %+v, want %+v", from, i, got[i], want[i])
		}
	}
	// A search goes on in the middle of a block as if it had begun at its beginning.
	q, _ := segment.ParseQuery("error")
	var all, later []string
	for into, s := range map[*[]string]segment.Select{&all: {}, &later: {From: from}} {
		if err := l.Search(t.Context(), q, s, func(m segment.Match) bool {
			if m.Seq >= from {
				*into = append(*into, fmt.Sprintf("%s@%d:%s", m.Stream, m.Offset, m.Line))
			}
			return true
		}); err != nil {
			rt.Fatal(err)
		}
	}
	if !slices.Equal(all, later) {
		rt.Fatalf("from %d the search finds %q, want %q", from, later, all)
	}
	for _, query := range []string{"error", `"rror"`, "error disk", "错误", "满", `"full error"`, "10.0.0.1", "full -disk", "é"} {
		q, _ := segment.ParseQuery(query)
		var want []string
		for _, line := range m.lines() {
			_, text, _ := strings.Cut(line, ":")
			if q.Match([]byte(text)) {
				want = append(want, line)
			}
		}
		got := find(t, l, query, segment.Select{})
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			rt.Fatalf("search %s: got %q, want %q", query, got, want)
		}
	}
	if len(m.records) > 0 {
		r := m.records[rapid.IntRange(0, len(m.records)-1).Draw(rt, "time")]
		first := m.records[slices.IndexFunc(m.records, func(o segment.Record) bool { return o.Time >= r.Time })]
		if at, err := l.At(t.Context(), r.Time); err != nil || at != first.Seq {
			rt.Fatalf("at %d: %d %v, want %d", r.Time, at, err, first.Seq)
		}
	}
	n := rapid.Int64Range(1, 20).Draw(rt, "lines")
	at, skip, err := l.Last(t.Context(), segment.Select{Stream: func(s string) bool { return s == "a" }}, n)
	tail := texts(read(t, l, segment.Select{From: at}))["a"]
	if err != nil || !strings.HasSuffix(m.text["a"], tail) ||
		int64(strings.Count(tail, "\n"))-skip != min(n, int64(strings.Count(m.text["a"], "\n"))) {
		rt.Fatalf("the last %d lines of %q are %q, %v", n, m.text["a"], tail, err)
	}
}

// sample fills a log with lines that tell their place.
func sample(t testing.TB, dir string, seal bool) (text string) {
	t.Helper()
	l := open(t, dir, small)
	for i := range 20 {
		body := fmt.Sprintf("line %03d of some words that say nothing\n", i)
		appendTo(t, l, segment.Record{Time: int64(i), Stream: "s", Offset: int64(len(text)), Body: []byte(body)})
		text += body
	}
	if seal {
		if err := l.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return text
}

func copyTo(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(all) == 0 {
		t.Fatal("no files", err)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(a, b) })
	return all
}

// whole checks that each byte that is read is the one that was written there, and
// that no byte is missing without being told.
func whole(t testing.TB, l *segment.Log, text, what string, acknowledged int) {
	t.Helper()
	at, told := 0, false
	for _, r := range read(t, l, segment.Select{}) {
		switch {
		case r.Lost != nil:
			told = true
		case !strings.HasPrefix(text[min(int(r.Offset), len(text)):], string(r.Body)):
			t.Fatalf("%s: garbage at %d: %q", what, r.Offset, r.Body)
		case int(r.Offset) < at:
			t.Fatalf("%s: %d again after %d", what, r.Offset, at)
		default:
			if int(r.Offset) > at && !told {
				t.Fatalf("%s: %d to %d are missing and nothing says so", what, at, r.Offset)
			}
			at = int(r.Offset) + len(r.Body)
		}
	}
	if at < acknowledged && !told {
		t.Fatalf("%s: the end from %d is missing and nothing says so", what, at)
	}
}

func TestAFlippedByteIsAGapAndNeverGarbage(t *testing.T) {
	t.Parallel()
	for _, seal := range []bool{false, true} {
		origin := t.TempDir()
		text := sample(t, origin, seal)
		for _, path := range files(t, origin) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range data {
				dir := filepath.Join(t.TempDir(), "log")
				copyTo(t, origin, dir)
				bad := bytes.Clone(data)
				bad[i] ^= 0x41
				name := filepath.Base(path)
				if err := os.WriteFile(filepath.Join(dir, name), bad, 0o600); err != nil {
					t.Fatal(err)
				}
				l := open(t, dir, small)
				what := fmt.Sprintf("seal %v, %s, byte %d of %d", seal, name, i, len(data))
				whole(t, l, text, what, len(text))
				// What comes afterwards is kept and read.
				appendTo(t, l, segment.Record{Stream: "s", Offset: int64(len(text)), Body: []byte("after\n")})
				if got := find(t, l, "after", segment.Select{}); len(got) != 1 {
					t.Fatalf("%s: what came afterwards is not found: %q", what, got)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestATornTailIsCutAndWhatWasAcknowledgedIsThere(t *testing.T) {
	t.Parallel()
	origin := t.TempDir()
	l := open(t, origin, segment.Options{Joined: true})
	var text string
	sizes := map[int64]int{} // what was acknowledged when the journal had a size
	for i := range 12 {
		body := fmt.Sprintf("line %03d\n", i)
		appendTo(t, l, segment.Record{Stream: "s", Offset: int64(len(text)), Body: []byte(body)})
		text += body
		sizes[l.Size()] = len(text)
	}
	_ = l.Close()
	data, err := os.ReadFile(filepath.Join(origin, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for i := range data {
		if n, ok := sizes[int64(i)]; ok {
			acknowledged = n
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal"), data[:i], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, segment.Options{Joined: true})
		if got := texts(read(t, l, segment.Select{}))["s"]; got != text[:acknowledged] {
			t.Fatalf("cut at %d: %q, want %q", i, got, text[:acknowledged])
		}
		appendTo(t, l, segment.Record{Stream: "s", Offset: int64(acknowledged), Body: []byte("after\n")})
		_ = l.Close()
		l = open(t, dir, segment.Options{Joined: true})
		if got := texts(read(t, l, segment.Select{}))["s"]; got != text[:acknowledged]+"after\n" {
			t.Fatalf("cut at %d, afterwards: %q", i, got)
		}
		_ = l.Close()
	}
}

// A kill between the writing of a block and the emptying of the journal leaves
// records in both, or half a block.
func TestAKillWhileABlockIsMadeLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	origin := t.TempDir()
	l := open(t, origin, segment.Options{Block: 300, Joined: true})
	var text string
	var journal []byte
	for i := 0; ; i++ {
		before, _ := os.ReadFile(filepath.Join(origin, "journal")) // not there at first
		body := fmt.Sprintf("line %03d of %d\n", i, i*i)
		appendTo(t, l, segment.Record{Stream: "s", Offset: int64(len(text)), Body: []byte(body)})
		if got, err := filepath.Glob(filepath.Join(origin, "*.seg")); err == nil && len(got) > 0 {
			journal = before
			break
		}
		text += body
	}
	_ = l.Close()
	path := segmentFile(t, origin)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(data); cut++ {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"journal": journal, filepath.Base(path): data[:cut]} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := open(t, dir, segment.Options{Block: 300, Joined: true})
		got := texts(read(t, l, segment.Select{}))["s"]
		if got != text && !(cut == len(data) && strings.HasPrefix(got, text)) {
			t.Fatalf("cut at %d of %d: %q, want %q", cut, len(data), got, text)
		}
		for i := range 40 {
			body := fmt.Sprintf("more %d\n", i)
			appendTo(t, l, segment.Record{Stream: "s", Offset: int64(len(got)), Body: []byte(body)})
			got += body
		}
		if again := texts(read(t, l, segment.Select{}))["s"]; again != got {
			t.Fatalf("cut at %d, afterwards: %q, want %q", cut, again, got)
		}
		_ = l.Close()
	}
}

func segmentFile(t testing.TB, dir string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	return all[0]
}

func TestASearchReadsOnlyBlocksThatMayHoldTheWord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, small)
	for i := range 300 {
		word := "plain"
		if i == 150 {
			word = "needle"
		}
		appendTo(t, l, segment.Record{Stream: "s", Offset: int64(i * 20), Body: fmt.Appendf(nil, "%-19s\n", fmt.Sprint(word, " ", i))})
	}
	blocks, held := 0, 0
	for _, f := range files(t, dir) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		blocks += bytes.Count(data, []byte("SxF1D"))
	}
	q, err := segment.ParseQuery("needle")
	if err != nil {
		t.Fatal(err)
	}
	if held, err = l.Candidates(q); err != nil || blocks < 10 || held < 1 || held > 3 {
		t.Fatalf("%d of %d blocks may hold the word, %v", held, blocks, err)
	}
	if got := find(t, l, "needle", segment.Select{}); len(got) != 1 || !strings.HasPrefix(got[0], "s@3000:needle 150") {
		t.Fatalf("found %q", got)
	}
}

func TestTrimDropsTheOldestAndSaysSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tiny := segment.Options{Block: 100, Segment: 500}
	l := open(t, dir, tiny)
	text := ""
	for i := range 60 {
		body := fmt.Sprintf("line %d\n", i)
		appendTo(t, l, segment.Record{Stream: "s", Offset: int64(len(text)), Body: []byte(body)})
		text += body
	}
	size := l.Size()
	if err := l.Trim(size/2, 0, nil); err != nil {
		t.Fatal(err)
	}
	got := read(t, l, segment.Select{})
	if l.Size() >= size || got[0].Lost == nil || got[0].Lost.Reason != segment.Dropped ||
		got[0].Lost.Bytes != got[1].Offset || !strings.HasSuffix(text, texts(got)["s"]) {
		t.Fatalf("after trimming %d of %d bytes: %+v", l.Size(), size, got[0])
	}
	if l.End("s") != int64(len(text)) {
		t.Fatal("the end of the stream has changed")
	}
}

func FuzzWhateverLiesInAFileIsReadOrTold(f *testing.F) {
	dir := f.TempDir()
	_ = sample(f, dir, true)
	for _, path := range files(f, dir) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, strings.HasSuffix(path, "journal"))
	}
	f.Fuzz(func(t *testing.T, data []byte, journal bool) {
		dir := t.TempDir()
		name := "journal"
		if !journal {
			name = fmt.Sprintf("%020d.seg", 1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, small)
		before := texts(read(t, l, segment.Select{}))["s"]
		appendTo(t, l, segment.Record{Stream: "s", Offset: l.End("s"), Body: []byte("after\n")})
		if got := texts(read(t, l, segment.Select{}))["s"]; got != before+"after\n" {
			t.Fatalf("%q after %q", got, before)
		}
	})
}
