package segment

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sort"
)

// Select is what of a log is read.
type Select struct {
	// From is the first position.
	From uint64
	// Stream says which streams are wanted; nil is all.
	Stream func(name string) bool
}

func (s *Select) wants(stream string) bool { return s.Stream == nil || s.Stream(stream) }

func (s *Select) record(r *Record) bool {
	return r.Seq >= s.From && (r.Stream == "" && r.Lost != nil || s.wants(r.Stream))
}

func (s *Select) block(b *block) bool {
	if b.last < s.From {
		return false
	}
	if s.Stream == nil || b.gap {
		return true
	}
	for name := range b.streams {
		if s.Stream(name) {
			return true
		}
	}
	return false
}

// item is a block, or a gap between blocks.
type item struct {
	block *block
	hole  Record
}

// snapshot gives the blocks from a position on; where there are none, what is in
// the journal.
func (l *Log) snapshot(from uint64, holes, whole bool) (items []item, tail *content, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, errClosed
	}
	oldest := true
	for _, f := range l.files {
		if holes {
			for _, h := range f.holes {
				if h.Seq >= from {
					items = append(items, item{hole: h})
				}
			}
		}
		for _, b := range f.blocks {
			if oldest && holes && b.before > 0 && from < b.seq && f == l.files[0] {
				items = append(items, item{hole: Record{Seq: b.seq - 1, Time: b.from, Lost: &Lost{b.before, 0, Dropped}}})
			}
			oldest = false
			if b.last >= from {
				items = append(items, item{block: b})
			}
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return int(int64(a.place()) - int64(b.place())) })
	if len(items) > 0 || l.journal.out == nil {
		return items, &content{}, nil
	}
	first := from
	if whole {
		first = 0
	}
	records, err := l.journal.records(first)
	var later []Record
	for _, h := range l.journal.holes {
		if h.Seq >= from {
			later = append(later, h)
		}
	}
	return nil, &content{open: maps.Clone(l.open), records: between(records, later)}, err
}

func (i *item) place() uint64 {
	if i.block != nil {
		return i.block.seq
	}
	return i.hole.Seq
}

// visitor is how a log is gone through.
type visitor struct {
	want   func(*block) bool
	whole  bool           // blocks are given from their beginning
	block  func(*content) // before the records of a block, which may be nil
	record func(*Record) bool
}

// visit goes through the log from a position up to what is there now.
func (l *Log) visit(ctx context.Context, from uint64, v visitor) error {
	until := l.Next()
	for first := true; ; first = false {
		items, tail, err := l.snapshot(from, first, v.whole)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			_ = v.all(tail, from)
			return nil
		}
		for _, it := range items {
			if err := ctx.Err(); err != nil {
				return err
			}
			if it.block == nil {
				if !v.record(&it.hole) {
					return nil
				}
				continue
			}
			if it.block.seq >= until {
				return nil
			}
			if v.want(it.block) {
				if more, err := l.visitBlock(it.block, from, v); err != nil || !more {
					return err
				}
			}
			from = max(from, it.block.last+1)
		}
	}
}

func (l *Log) visitBlock(b *block, from uint64, v visitor) (more bool, err error) {
	c, err := b.read(l.o.Codec)
	if errors.Is(err, errDamaged) {
		c, err = &content{records: b.gaps()}, nil
	}
	if errors.Is(err, fs.ErrNotExist) { // it was dropped meanwhile
		c, err = &content{records: []Record{{Seq: b.last, Time: b.to, Lost: &Lost{b.raw, 0, Dropped}}}}, nil
	}
	if err != nil {
		return false, err
	}
	return v.all(c, from), nil
}

// all gives what is in a block; false is enough.
func (v *visitor) all(c *content, from uint64) bool {
	if v.block != nil {
		v.block(c)
	}
	for i := range c.records {
		if (v.whole || c.records[i].Seq >= from) && !v.record(&c.records[i]) {
			return false
		}
	}
	return true
}

// Read gives the chosen records in order, up to those that are there when it
// begins, until fn returns false. Bodies belong to who reads.
func (l *Log) Read(ctx context.Context, s Select, fn func(Record) bool) error {
	return l.visit(ctx, s.From, visitor{want: s.block, record: func(r *Record) bool { return !s.record(r) || fn(*r) }})
}

// At is the position of the first record that is not older than a time.
func (l *Log) At(ctx context.Context, time int64) (uint64, error) {
	l.mu.Lock()
	var all []*block
	for _, f := range l.files {
		all = append(all, f.blocks...)
	}
	next := l.next
	l.mu.Unlock()
	from := uint64(0)
	if i := sort.Search(len(all), func(i int) bool { return all[i].to >= time }); i < len(all) {
		from = all[i].seq
	} else if len(all) > 0 {
		from = all[len(all)-1].last + 1
	}
	at := next
	err := l.Read(ctx, Select{From: from}, func(r Record) bool {
		if r.Time >= time {
			at = r.Seq
			return false
		}
		return true
	})
	return at, err
}

// Last is the position from which on the chosen streams have n lines and skip
// more, which come before them, or all that they have.
func (l *Log) Last(ctx context.Context, s Select, n int64) (at uint64, skip int64, err error) {
	l.mu.Lock()
	tail, err := l.journal.tail()
	var all []*block
	for _, f := range l.files {
		all = append(all, f.blocks...)
	}
	l.mu.Unlock()
	if err != nil {
		return 0, 0, err
	}
	if at, skip, enough := lastOf(tail, s, &n); enough {
		return at, skip, nil
	}
	for _, b := range slices.Backward(all) {
		var lines int64
		for name, p := range b.streams {
			if s.wants(name) {
				lines += p.lines
			}
		}
		if lines < n {
			n -= lines
			continue
		}
		c, err := b.read(l.o.Codec)
		if errors.Is(err, errDamaged) || errors.Is(err, fs.ErrNotExist) {
			return b.seq, 0, nil
		}
		if err != nil {
			return 0, 0, err
		}
		if at, skip, enough := lastOf(c.records, s, &n); enough {
			return at, skip, nil
		}
		return b.seq, 0, ctx.Err()
	}
	return 0, 0, ctx.Err()
}

// lastOf counts lines from the end.
func lastOf(records []Record, s Select, n *int64) (at uint64, skip int64, enough bool) {
	for _, r := range slices.Backward(records) {
		if !s.record(&r) {
			continue
		}
		lines := int64(bytes.Count(r.Body, newline))
		if lines > *n {
			return r.Seq, lines - *n, true
		}
		*n -= lines
	}
	return 0, 0, false
}
