package segment

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Query is what a search looks for: lines that have all of its words and
// phrases, and none of those that are excluded.
type Query struct {
	words   []uint64 // each must stand in the line as a word
	phrases [][]byte // each must stand in the line, in lower case
	without [][]byte
	must    []uint64 // words that certainly stand in a line that fits
}

// ErrQuery says that a query asks for nothing.
var ErrQuery = errors.New("segment: the search has no word to look for")

// ParseQuery reads a query: words, all of which must be there as words,
// "phrases" that must be there as they are, -without. Case does not matter.
func ParseQuery(text string) (*Query, error) {
	q := &Query{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		rest, not := strings.CutPrefix(text, "-")
		word, quoted := "", false
		if word, quoted = strings.CutPrefix(rest, `"`); quoted {
			word, text, _ = strings.Cut(word, `"`)
		} else if i := strings.IndexAny(rest, " \t\n"); i >= 0 {
			word, text = rest[:i], rest[i:]
		} else {
			word, text = rest, ""
		}
		if word == "" {
			continue
		}
		q.add(bytes.ToLower([]byte(word)), quoted, not)
	}
	if len(q.words)+len(q.phrases) == 0 {
		return nil, ErrQuery
	}
	return q, nil
}

func (q *Query) add(word []byte, quoted, not bool) {
	switch {
	case not:
		q.without = append(q.without, word)
	case quoted:
		q.phrases = append(q.phrases, word)
		// Its first and its last word may go on in the line.
		inner := word
		if i := bytes.IndexFunc(inner, apart); i >= 0 {
			inner = inner[i:]
		} else {
			inner = nil
		}
		inner = inner[:bytes.LastIndexFunc(inner, apart)+1]
		tokens(inner, func(h uint64) { q.must = append(q.must, h) })
	default:
		n := len(q.words)
		tokens(word, func(h uint64) { q.words = append(q.words, h) })
		if bytes.ContainsFunc(word, apart) || len(q.words) == n { // no word alone, such as 10.0.0.1
			q.phrases = append(q.phrases, word)
		}
		q.must = append(q.must, q.words[n:]...)
	}
}

// apart reports whether a sign ends words.
func apart(r rune) bool {
	some := false
	tokens([]byte(string(r)), func(uint64) { some = true })
	return !some && !ideograph(r)
}

// Match reports whether a line fits.
func (q *Query) Match(line []byte) bool {
	low := bytes.ToLower(line)
	for _, p := range q.without {
		if bytes.Contains(low, p) {
			return false
		}
	}
	for _, p := range q.phrases {
		if !bytes.Contains(low, p) {
			return false
		}
	}
	if len(q.words) == 0 {
		return true
	}
	left := slices.Clone(q.words)
	tokens(line, func(h uint64) {
		if i := slices.Index(left, h); i >= 0 {
			left = slices.DeleteFunc(left, func(w uint64) bool { return w == h })
		}
	})
	return len(left) == 0
}

func (q *Query) mayStandIn(f filter) bool {
	for _, h := range q.must {
		if !f.may(h) {
			return false
		}
	}
	return true
}

// Match is a line that a search found, or a gap where it could not look.
type Match struct {
	// Seq is the position of the record in which the line ends.
	Seq  uint64
	Time int64
	// Stream and Offset say where the line begins.
	Stream string
	Offset int64
	Line   []byte
	Attrs  []Attr
	Lost   *Lost
}

// Search gives the lines that fit, in order, until fn returns false, and every
// gap among the streams that were searched. Where bodies are joined, a line is
// one of the text, else a record is.
func (l *Log) Search(ctx context.Context, q *Query, s Select, fn func(Match) bool) error {
	f := &finder{l: l, q: q, s: s, fn: fn, open: map[string]line{}}
	err := l.visit(ctx, s.From, visitor{
		whole:  true,
		want:   func(b *block) bool { return s.block(b) && (b.gap || q.mayStandIn(b.filter())) },
		block:  f.begin,
		record: f.record,
	})
	if err != nil || f.done {
		return err
	}
	f.finish()
	return nil
}

// line is one that has not ended yet.
type line struct {
	offset int64
	time   int64
	seq    uint64
	text   []byte
}

// finder puts lines together.
type finder struct {
	l    *Log
	q    *Query
	s    Select
	fn   func(Match) bool
	open map[string]line
	done bool
}

// begin takes over the lines that were open when a block began: that before it
// may not have been read.
func (f *finder) begin(c *content) {
	if !f.l.o.Joined {
		return
	}
	seen := map[string]bool{}
	for i := range c.records {
		r := &c.records[i]
		if seen[r.Stream] || r.Lost != nil {
			continue
		}
		seen[r.Stream] = true
		text, goesOn := c.open[r.Stream]
		now, known := f.open[r.Stream]
		switch {
		case !goesOn:
			delete(f.open, r.Stream)
		case !known || now.offset < 0 || now.offset+int64(len(now.text)) != r.Offset:
			f.open[r.Stream] = line{offset: -1, text: text}
		}
	}
}

func (f *finder) tell(m Match) bool {
	if m.Seq < f.s.From {
		return true
	}
	if f.done = !f.fn(m); f.done {
		return false
	}
	return true
}

func (f *finder) record(r *Record) bool {
	if !f.s.wants(r.Stream) && (r.Stream != "" || r.Lost == nil) {
		return true
	}
	if r.Lost != nil {
		if r.Stream == "" {
			clear(f.open)
		}
		delete(f.open, r.Stream)
		return f.tell(Match{Seq: r.Seq, Time: r.Time, Stream: r.Stream, Offset: r.Offset, Lost: r.Lost})
	}
	if !f.l.o.Joined {
		text := r.Body
		for _, a := range r.Attrs {
			text = slices.Concat(text, []byte(" "+a.Key+"="+a.Value))
		}
		return !f.q.Match(text) || f.tell(Match{r.Seq, r.Time, r.Stream, r.Offset, r.Body, r.Attrs, nil})
	}
	rest, at := r.Body, r.Offset
	for len(rest) > 0 {
		now := f.open[r.Stream]
		if len(now.text) == 0 {
			now.offset = at
		} else if now.offset < 0 {
			now.offset = at - int64(len(now.text))
		}
		end := bytes.IndexByte(rest, '\n')
		part := rest
		if end >= 0 {
			part = rest[:end]
		}
		now.text = slices.Concat(now.text, part)
		now.seq, now.time = r.Seq, r.Time
		if end < 0 {
			if len(now.text) > maxLine {
				now.text = now.text[len(now.text)-maxLine:]
				now.offset = -1
			}
			f.open[r.Stream] = now
			return true
		}
		delete(f.open, r.Stream)
		if f.q.Match(now.text) && !f.tell(Match{r.Seq, r.Time, r.Stream, now.offset, now.text, nil, nil}) {
			return false
		}
		rest, at = rest[end+1:], at+int64(end)+1
	}
	return true
}

// finish looks at the lines that nothing has ended.
func (f *finder) finish() {
	for _, name := range slices.Sorted(maps.Keys(f.open)) {
		now := f.open[name]
		if now.seq == 0 || now.offset < 0 || now.offset+int64(len(now.text)) != f.l.End(name) {
			continue // it goes on where the words cannot be
		}
		if f.q.Match(now.text) && !f.tell(Match{now.seq, now.time, name, now.offset, now.text, nil, nil}) {
			return
		}
	}
}
