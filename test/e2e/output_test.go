package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// hundredThousand prints 100,000 lines as fast as awk can.
const hundredThousand = `awk 'BEGIN { for (i = 1; i <= 100000; ` +
	`i++) printf "line %06d of a script that prints as fast as it can, word%d\n", i, i }'`

// numbered checks that a text is the lines from 1 to n, whole and in order.
func numbered(t *testing.T, what, text string, n int) {
	t.Helper()
	i := 0
	for line := range strings.Lines(text) {
		i++
		if want := fmt.Sprintf("line %06d of a script that prints as fast as it can, word%d\n", i, i); line != want {
			t.Fatalf("%s: line %d is %q, want %q", what, i, line, want)
		}
	}
	if i != n {
		t.Fatalf("%s: %d lines, want %d", what, i, n)
	}
}

func outputText(t *testing.T, p *platform.Platform, job, object string) string {
	t.Helper()
	data, err := p.Download(t.Context(), client.Query("/api/v1/jobs/"+job+"/output/text", "object", object))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func outputSearch(t *testing.T, p *platform.Platform, job, q string) []client.DispatchHit {
	t.Helper()
	var page client.PageOfDispatchHit
	p.Must("GET", client.Query("/api/v1/jobs/"+job+"/output/search", "q", q), nil, &page)
	return page.Items
}

// followOutput reads the stream of a job's output until enough says so.
func followOutput(t *testing.T, p *platform.Platform, path string, enough func(client.DispatchPiece) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %v", path, resp, err)
	}
	defer resp.Body.Close()
	for in := bufio.NewReader(resp.Body); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "{}\n" {
			continue
		}
		var pieces []client.DispatchPiece
		if err := json.Unmarshal([]byte(data), &pieces); err != nil {
			t.Fatal(err)
		}
		for _, piece := range pieces {
			if enough(piece) {
				return
			}
		}
	}
}

func TestAHundredThousandFastLinesAreKeptWhole(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	host(t, p, "h1")
	run := p.Service("host/script/run", map[string]any{"script": hundredThousand, "credential": "connection/h1"}, "host:host/h1")
	job := ""
	p.Until(run, time.Minute, func(client.Update) bool {
		if jobs := p.Jobs(run); len(jobs) > 0 {
			job = jobs[0].Job
		}
		return job != ""
	})
	var live strings.Builder
	followOutput(t, p, "/api/v1/jobs/"+job+"/output/events?object=host:host/h1", func(piece client.DispatchPiece) bool {
		if piece.Lost.Reason != "" || int(piece.Offset) != live.Len() {
			t.Fatalf("after %d bytes the stream gives %+v", live.Len(), piece)
		}
		live.WriteString(piece.Text)
		return strings.Contains(piece.Text, "word100000\n")
	})
	numbered(t, "the live stream", live.String(), 100_000)
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s: %+v", r.State, p.Incidents())
	}
	numbered(t, "the download", outputText(t, p, job, "host:host/h1"), 100_000)
	for _, n := range []int{1, 54_321, 100_000} {
		hits := outputSearch(t, p, job, fmt.Sprintf("WORD%d", n))
		if len(hits) != 1 || hits[0].Line != fmt.Sprintf("line %06d of a script that prints as fast as it can, word%d", n, n) {
			t.Fatalf("the search for line %d finds %+v", n, hits)
		}
	}
	lines := 0
	followOutput(t, p, "/api/v1/jobs/"+job+"/output/events?last=10", func(piece client.DispatchPiece) bool {
		if lines == 0 && !strings.HasPrefix(piece.Text, "line 099991 ") {
			t.Fatalf("the tail begins with %.60q", piece.Text)
		}
		lines += strings.Count(piece.Text, "\n")
		return lines == 10
	})
}

// Four at once may be more than a busy machine takes: each byte is kept, or told as
// missing at its place.
func TestFourFastScriptsAtOnceAreKeptOrTold(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	var refs []string
	for i := range 4 {
		id := fmt.Sprintf("h%d", i)
		host(t, p, id)
		refs = append(refs,
			p.Service("host/script/run", map[string]any{"script": hundredThousand, "credential": "connection/" + id}, "host:host/"+id))
	}
	for i, run := range refs {
		if r := p.Ended(run); r.State != "completed" {
			t.Fatalf("the run is %s: %+v", r.State, p.Incidents())
		}
		keptOrTold(t, fmt.Sprint("script ", i), outputText(t, p, p.Jobs(run)[0].Job, fmt.Sprint("host:host/h", i)))
	}
}

var toldGap = regexp.MustCompile(`── (\d+) bytes .* of output are missing here: .* ──\n`)

// keptOrTold compares an output with that of the fast script: what is not there is a
// gap of that size, on a line of its own.
func keptOrTold(t *testing.T, what, text string) {
	t.Helper()
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "line %06d of a script that prints as fast as it can, word%d\n", i+1, i+1)
	}
	all, at := b.String(), 0
	piece := func(s string) {
		if !strings.HasPrefix(all[at:], s) {
			s = strings.TrimSuffix(s, "\n")
		}
		if !strings.HasPrefix(all[at:], s) {
			d := 0
			for d < len(s) && at+d < len(all) && s[d] == all[at+d] {
				d++
			}
			t.Fatalf("%s: at byte %d stands %.200q, want %.100q", what, at+d, s[d:], all[at+d:])
		}
		at += len(s)
	}
	for {
		gap := toldGap.FindStringSubmatchIndex(text)
		if gap == nil {
			break
		}
		piece(text[:gap[0]])
		n, err := strconv.Atoi(text[gap[2]:gap[3]])
		if err != nil || at+n > len(all) {
			t.Fatalf("%s: a gap of %s at byte %d of %d", what, text[gap[2]:gap[3]], at, len(all))
		}
		at, text = at+n, text[gap[1]:]
	}
	if piece(text); at != len(all) {
		t.Errorf("%s ends at byte %d of %d", what, at, len(all))
	}
}

func TestOutputOverTheLimitIsALoudGapAtItsPlace(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, map[string]any{"output.job": 1})
	host(t, p, "h1")
	run := p.Service("host/script/run", map[string]any{"script": hundredThousand, "credential": "connection/h1"}, "host:host/h1")
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s: %+v", r.State, p.Incidents())
	}
	job := p.Jobs(run)[0].Job
	text := outputText(t, p, job, "host:host/h1")
	kept, rest, told := strings.Cut(text, "── ")
	gap, end, _ := strings.Cut(rest, "──\n")
	gap += "──\n"
	var all strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&all, "line %06d of a script that prints as fast as it can, word%d\n", i+1, i+1)
	}
	if !strings.HasPrefix(all.String(), kept) { // a gap begins on a line of its own
		kept = strings.TrimSuffix(kept, "\n")
	}
	if !strings.HasPrefix(all.String(), kept) {
		t.Fatalf("what was kept ends with %q", kept[max(0, len(kept)-200):])
	}
	if !strings.HasSuffix(all.String(), end) || !strings.HasSuffix(end, "word100000\n") || len(end) < 100_000 {
		t.Fatalf("the end that was kept has %d bytes: %.200q", len(end), end)
	}
	lines, whole := strings.Count(kept, "\n")+strings.Count(end, "\n"), int64(all.Len()-len(end))
	if want := fmt.Sprintf("%d bytes (%d lines) of output are missing here: the job wrote more than is kept of one ──\n",
		whole-int64(len(kept)), 100_000-lines); !told || gap != want || len(kept) < 700_000 || len(kept) > 1<<20 {
		t.Fatalf("%d bytes are kept, and the gap reads %q, want %q", len(kept), gap, want)
	}
	check := func(what string, l client.DispatchLost) {
		if l.Reason != "job_limit" || l.Bytes != whole-int64(len(kept)) || int(l.Lines) != 100_000-lines {
			t.Fatalf("%s tells the gap %+v", what, l)
		}
	}
	var page client.PageOfDispatchPiece
	var last client.DispatchPiece
	gaps := 0
	for after := ""; ; after = page.Next {
		page = client.PageOfDispatchPiece{}
		p.Must("GET", client.Query("/api/v1/jobs/"+job+"/output", "after", after), nil, &page)
		for _, piece := range page.Items {
			if piece.Lost.Reason != "" {
				last, gaps = piece, gaps+1
			}
		}
		if page.Next == "" {
			break
		}
	}
	if gaps != 1 {
		t.Fatalf("%d gaps are told", gaps)
	}
	check("reading", last.Lost)
	if last.Offset != int64(len(kept)) || last.End != whole {
		t.Fatalf("the gap stands from %d to %d, want %d to %d", last.Offset, last.End, len(kept), whole)
	}
	hits := outputSearch(t, p, job, "word20000")
	if len(hits) != 1 {
		t.Fatalf("the search gives %+v", hits)
	}
	check("the search", hits[0].Lost)
	var lost client.DispatchLost
	followOutput(t, p, "/api/v1/jobs/"+job+"/output/events", func(piece client.DispatchPiece) bool {
		lost = piece.Lost
		return lost.Reason != ""
	})
	check("the stream", lost)
}

func TestDamagedOutputIsALoudGap(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := platform.Start(t, map[string]any{"data": data})
	host(t, p, "h1")
	run := p.Service("host/script/run", map[string]any{"script": hundredThousand, "credential": "connection/h1"}, "host:host/h1")
	p.Ended(run)
	job := p.Jobs(run)[0].Job
	files, err := filepath.Glob(filepath.Join(data, "output", run, job, "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatalf("segments %q, %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 3<<20 {
		t.Errorf("%d bytes lie on the disk: nothing was compressed", len(raw))
	}
	block := []byte("SxF1D") // the records of a block
	at := bytes.Index(raw[len(raw)/3:], block)
	if at < 0 {
		t.Fatal("no block is found in the file")
	}
	raw[len(raw)/3+at+1000] ^= 1
	if err := os.WriteFile(files[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	before, after, told := strings.Cut(outputText(t, p, job, "host:host/h1"), "── ")
	gap, after, _ := strings.Cut(after, "──\n")
	if !told || !strings.Contains(gap, "they cannot be read any more") || !strings.HasSuffix(after, "word100000\n") {
		t.Fatalf("the gap reads %q", gap)
	}
	var lost int
	if _, err := fmt.Sscanf(gap, "%d bytes", &lost); err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		line := fmt.Sprintf("line %06d of a script that prints as fast as it can, word%d\n", i+1, i+1)
		switch {
		case strings.HasPrefix(before, line):
			before = before[len(line):]
		case lost > 0: // a block may end within a line: what tells the gap stands on its own
			before = strings.TrimSuffix(before, "\n")
			n := min(len(before), len(line))
			if !strings.HasPrefix(line, before) {
				t.Fatalf("line %d is garbage: %.80q", i+1, before)
			}
			before, line = "", line[n:]
			n = min(lost, len(line))
			lost, line = lost-n, line[n:]
			if !strings.HasPrefix(after, line) {
				t.Fatalf("behind the gap: %.80q, want %q", after, line)
			}
			after = after[len(line):]
		default:
			if !strings.HasPrefix(after, line) {
				t.Fatalf("line %d: %.80q", i+1, after)
			}
			after = after[len(line):]
		}
	}
}

// What a script says while it is being stopped, by a person or by its time limit, is
// in its output.
func TestTheLastWordsOfAStoppedScriptAreKept(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	host(t, p, "h1")
	const script = `trap 'echo cleaning up; seq 1 20000; echo cleaned up; exit 1' TERM; echo begun; sleep 60 & wait`
	for name, vars := range map[string]map[string]any{"cancelled": {}, "timed_out": {"timeout": "PT1S"}} {
		vars["script"], vars["credential"] = script, "connection/h1"
		run := p.Service("host/script/run", vars, "host:host/h1")
		p.Until(run, time.Minute, func(client.Update) bool { return len(p.Jobs(run)) > 0 })
		followOutput(t, p, "/api/v1/jobs/"+p.Jobs(run)[0].Job+"/output/events", func(piece client.DispatchPiece) bool {
			return strings.Contains(piece.Text, "begun")
		})
		if name == "cancelled" {
			p.Must("POST", "/api/v1/runs/"+run+"/cancel", client.CancelBody{Reason: "enough of it"}, nil)
		}
		p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "cancelled" || u.Run.State == "incident" })
		text := outputText(t, p, p.Jobs(run)[0].Job, "host:host/h1")
		if !strings.HasPrefix(text, "begun\ncleaning up\n1\n2\n") || !strings.HasSuffix(text, "\n20000\ncleaned up\n") {
			t.Errorf("%s: the output has %d bytes and ends with %q", name, len(text), text[max(0, len(text)-100):])
		}
		if name == "timed_out" {
			p.Must("POST", "/api/v1/runs/"+run+"/cancel", client.CancelBody{Reason: "enough of it"}, nil)
		}
		p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "cancelled" })
	}
}
