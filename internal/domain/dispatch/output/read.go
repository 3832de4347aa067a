package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/segment"
)

const (
	maxPage = 1 << 20 // bytes of output in one answer
)

var errEnough = errors.New("output: enough")

// Lost is output that is not there.
type Lost struct {
	Bytes  int64  `json:"bytes" doc:"How many bytes are missing; of damaged output, how many cannot be read"`
	Lines  int64  `json:"lines,omitempty" doc:"How many lines ended in them, where it is known"`
	Reason string `json:"reason" enum:"job_limit,total_limit,sender,missing,damaged,dropped" doc:"The job passed its limit, all output together did, it came faster than it could be sent, it never came, it cannot be read any more, it had to make room or was kept long enough"`
}

// Piece is output of a row from an offset on, or a gap in it.
type Piece struct {
	Object string    `json:"object" doc:"Empty in a gap that may concern any row"`
	Round  int       `json:"round"`
	Offset int64     `json:"offset" doc:"Where it begins in what the row wrote in this round, in bytes"`
	End    int64     `json:"end" doc:"Where it ends"`
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`
	Lost   *Lost     `json:"lost,omitempty" doc:"Set where output is missing"`
}

// Selection is what of a job's output is read.
type Selection struct {
	Run, Job int64
	// Object is the row; empty is all of them.
	Object string
	// After is the mark of a reader: what it has seen already.
	After string
	// Last begins with so many lines at the end, where there is no mark.
	Last int64
	// Tail gives never more than Last lines, whatever was not seen before them.
	Tail bool
	// Limit is how many pieces are read at most; 0 is no limit but that of a page.
	Limit int
	// Since begins at a time, where there is no mark.
	Since time.Time
}

// streamOf names what a row writes in a round.
func streamOf(round int, row string) string { return strconv.Itoa(round) + " " + row }

func parts(stream string) (round int, row string) {
	head, row, _ := strings.Cut(stream, " ")
	round, _ = strconv.Atoi(head) // streamOf made it
	return round, row
}

func (sel Selection) streams() func(string) bool {
	if sel.Object == "" {
		return nil
	}
	return func(stream string) bool { _, row := parts(stream); return row == sel.Object }
}

// mark reads what a reader gave back: the next position, and how many lines of it
// it has.
func mark(after string) (at uint64, seen int, err error) {
	place, lines, more := strings.Cut(after, ".")
	if at, err = strconv.ParseUint(place, 10, 64); err == nil && more {
		seen, err = strconv.Atoi(lines)
	}
	if err != nil || seen < 0 {
		return 0, 0, errs.New(errs.Malformed, "stream.last_event_id", "the mark %.40q is not one that was sent", after)
	}
	return at, seen, nil
}

// begin is where reading begins, how many lines of that place were seen, and how
// many lines come before those that are wanted.
func (sel Selection) begin(ctx context.Context, h *held) (s segment.Select, seen int, skip int64, err error) {
	s.Stream = sel.streams()
	switch {
	case sel.After != "":
		if s.From, seen, err = mark(sel.After); err != nil || !sel.Tail {
			break
		}
		var at uint64
		if at, skip, err = h.last(ctx, s, sel.Last); at < s.From {
			skip = 0
		}
		s.From = max(s.From, at)
	case sel.Last > 0:
		s.From, skip, err = h.last(ctx, s, sel.Last)
	case !sel.Since.IsZero():
		s.From, err = h.at(ctx, sel.Since.UnixNano())
	}
	return s, seen, skip, err
}

// Read gives a page of output in the order in which it came. next is the mark
// behind it; more says that there is more now.
func (s *Store) Read(ctx context.Context, sel Selection) (all []Piece, next string, more bool, err error) {
	at := uint64(0)
	if all, at = s.gone(sel); len(all) > 0 || at > 0 {
		return all, "1", false, nil
	}
	size := 0
	err = s.each(ctx, sel, func(r segment.Record) error {
		if size > maxPage || sel.Limit > 0 && len(all) >= sel.Limit {
			more = true
			return errEnough
		}
		size += len(r.Body) + len(r.Stream)
		at = r.Seq + 1
		all = add(all, pieceOf(r))
		return nil
	})
	if next = sel.After; at > 0 {
		next = strconv.FormatUint(at, 10)
	}
	return all, next, more, err
}

// gone tells that the output of a run had to make room, to readers from the start.
func (s *Store) gone(sel Selection) ([]Piece, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, dropped := s.dropped[sel.Run]
	if !dropped || s.runs[sel.Run] != nil {
		return nil, 0
	}
	if sel.After != "" {
		return nil, 1
	}
	return []Piece{{Object: sel.Object, Lost: &Lost{Bytes: n, Reason: segment.Dropped}}}, 1
}

func (s *Store) each(ctx context.Context, sel Selection, fn func(segment.Record) error) error {
	h, release, err := s.hold(place{sel.Run, sel.Job})
	if err != nil {
		return err
	}
	defer release()
	from, _, skip, err := sel.begin(ctx, h)
	if err != nil {
		return err
	}
	var failed error
	err = h.read(ctx, from, func(r segment.Record) bool {
		for skip > 0 && r.Lost == nil {
			i := int64(bytes.IndexByte(r.Body, '\n')) + 1
			if i == 0 {
				return true
			}
			skip--
			if r.Offset, r.Body = r.Offset+i, r.Body[i:]; len(r.Body) == 0 {
				return true
			}
		}
		failed = fn(r)
		return failed == nil
	})
	if failed != nil && !errors.Is(failed, errEnough) {
		return failed
	}
	return err
}

func pieceOf(r segment.Record) Piece {
	round, row := parts(r.Stream)
	p := Piece{Object: row, Round: round, Offset: r.Offset, End: r.Offset + int64(len(r.Body)),
		Time: clock.FromMicros(r.Time / 1000), Text: string(r.Body)}
	if r.Lost != nil {
		p.End = r.Offset + r.Lost.Bytes
		p.Lost = &Lost{r.Lost.Bytes, r.Lost.Lines, r.Lost.Reason}
	}
	return p
}

// add appends a piece; gaps of a row that follow each other are one, whatever rows
// have gaps between, and so are pieces that cut a sign in two.
func add(all []Piece, p Piece) []Piece {
	if p.Lost != nil {
		for i := len(all) - 1; i >= 0 && all[i].Lost != nil; i-- {
			if last := &all[i]; last.Object == p.Object && last.Round == p.Round && (last.End == p.Offset || p.Object == "") {
				last.Lost.merge(*p.Lost)
				last.End = last.Offset + last.Lost.Bytes
				return all
			}
		}
		return append(all, p)
	}
	if n := len(all) - 1; n >= 0 && all[n].Lost == nil && all[n].Object == p.Object &&
		all[n].Round == p.Round && all[n].End == p.Offset && torn(all[n].Text) {
		all[n].Text, all[n].End = all[n].Text+p.Text, p.End
		return all
	}
	return append(all, p)
}

// merge adds a gap to the one before it. The larger one gives the reason.
func (l *Lost) merge(more Lost) {
	if more.Bytes > l.Bytes {
		l.Reason = more.Reason
	}
	l.Bytes, l.Lines = l.Bytes+more.Bytes, l.Lines+more.Lines
}

// torn reports whether a text ends within a sign.
func torn(text string) bool {
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if c := text[len(text)-i]; utf8.RuneStart(c) {
			return c >= utf8.RuneSelf && !utf8.FullRuneInString(text[len(text)-i:])
		}
	}
	return false
}

// Hit is a line that a search found, or a gap within what was searched.
type Hit struct {
	Object string    `json:"object"`
	Round  int       `json:"round"`
	Offset int64     `json:"offset" doc:"Where the line begins in what the row wrote in this round, in bytes"`
	Time   time.Time `json:"time"`
	Line   string    `json:"line"`
	Lost   *Lost     `json:"lost,omitempty" doc:"Set where output is missing, and so could not be searched"`
}

// Search gives the lines in which a text is found, oldest first. next is the mark
// from which it goes on; empty at the end.
func (s *Store) Search(ctx context.Context, sel Selection, text string, limit int) (all []Hit, next string, err error) {
	q, err := segment.ParseQuery(text)
	if err != nil {
		return nil, "", errs.New(errs.Invalid, "dispatch.output_query",
			"the search %.100q has no word to look for: give words, or a \"phrase\"; a word after - must not be there", text)
	}
	if gone, _ := s.gone(sel); len(gone) > 0 {
		return []Hit{{Object: sel.Object, Lost: gone[0].Lost}}, "", nil
	}
	h, release, err := s.hold(place{sel.Run, sel.Job})
	if err != nil {
		return nil, "", err
	}
	defer release()
	from, skip, _, err := sel.begin(ctx, h)
	if err != nil {
		return nil, "", err
	}
	size, at, same := 0, uint64(0), 0
	err = h.search(ctx, q, from, func(m segment.Match) bool {
		if m.Seq != at {
			at, same = m.Seq, 0
		}
		if same++; m.Seq == from.From && same <= skip {
			return true
		}
		if len(all) >= limit || size > maxPage {
			next = fmt.Sprintf("%d.%d", m.Seq, same-1)
			return false
		}
		size += len(m.Line)
		p := pieceOf(segment.Record{Time: m.Time, Stream: m.Stream, Offset: m.Offset, Body: m.Line, Lost: m.Lost})
		if p.Lost != nil && merged(all, p) {
			return true
		}
		all = append(all, Hit{p.Object, p.Round, p.Offset, p.Time, p.Text, p.Lost})
		return true
	})
	return slices.Clip(all), next, err
}

// merged adds a gap to that of the same row before it, where nothing but gaps is
// between.
func merged(all []Hit, p Piece) bool {
	for i := len(all) - 1; i >= 0 && all[i].Lost != nil; i-- {
		if h := &all[i]; h.Object == p.Object && h.Round == p.Round && (h.Offset+h.Lost.Bytes == p.Offset || p.Object == "") {
			h.Lost.merge(*p.Lost)
			return true
		}
	}
	return false
}

// Write writes the whole output as text: of one row its very bytes, of several a
// heading wherever the row changes, and a line in place of each gap.
func (s *Store) Write(ctx context.Context, w io.Writer, sel Selection) error {
	if gone, _ := s.gone(sel); len(gone) > 0 {
		_, err := io.WriteString(w, gone[0].Lost.sentence())
		return err
	}
	out := &text{w: w, heads: sel.Object == ""}
	err := s.each(ctx, sel, out.record)
	return errors.Join(err, out.flush())
}

// text writes records for people.
type text struct {
	w      io.Writer
	heads  bool
	stream string
	begun  bool
	open   bool // the last line has no end
	gaps   []gap
}

// gap is what is missing of a stream.
type gap struct {
	stream string
	lost   Lost
}

func (t *text) record(r segment.Record) error {
	if r.Lost != nil {
		lost := Lost{r.Lost.Bytes, r.Lost.Lines, r.Lost.Reason}
		if i := slices.IndexFunc(t.gaps, func(g gap) bool { return g.stream == r.Stream }); i >= 0 {
			t.gaps[i].lost.merge(lost)
			return nil
		}
		t.gaps = append(t.gaps, gap{r.Stream, lost})
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.head(r.Stream); err != nil {
		return err
	}
	t.open = !bytes.HasSuffix(r.Body, []byte{'\n'})
	_, err := t.w.Write(r.Body)
	return err
}

// head tells whose output follows, and a new attempt.
func (t *text) head(stream string) error {
	if t.begun && t.stream == stream || stream == "" {
		return nil
	}
	round, row := parts(stream)
	before, _ := parts(t.stream)
	first := !t.begun
	t.begun, t.stream = true, stream
	switch {
	case t.heads && round > 0:
		return t.say(fmt.Sprintf("── %s · attempt %d ──\n", row, round+1))
	case t.heads:
		return t.say(fmt.Sprintf("── %s ──\n", row))
	case !first && round != before:
		return t.say(fmt.Sprintf("── attempt %d ──\n", round+1))
	}
	return nil
}

func (t *text) say(line string) error {
	if t.open {
		line = "\n" + line
	}
	t.open = false
	_, err := io.WriteString(t.w, line)
	return err
}

func (t *text) flush() error {
	for _, g := range t.gaps {
		if err := t.head(g.stream); err != nil {
			return err
		}
		if err := t.say(g.lost.sentence()); err != nil {
			return err
		}
	}
	t.gaps = t.gaps[:0]
	return nil
}

// sentence is a gap as a line of text.
func (l *Lost) sentence() string {
	size := fmt.Sprintf("%d bytes", l.Bytes)
	if l.Lines > 0 {
		size += fmt.Sprintf(" (%d lines)", l.Lines)
	}
	why := map[string]string{
		overJob: "the job wrote more than is kept of one", overTotal: "all output together passed its limit",
		fromRow: "they came faster than they could be sent",
		missing: "they never came", segment.Damaged: "they cannot be read any more", segment.Dropped: "old output was removed to make room",
	}[l.Reason]
	return fmt.Sprintf("── %s of output are missing here: %s ──\n", size, why)
}
