package output

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/segment"
)

const (
	// endBase is where the positions of the end of a job's output begin.
	endBase = uint64(1) << 48
	// endMost is how many bytes of the end lie on the disk at most.
	endMost = 2 << 20
	// endPrefix begins the folder of the end, within that of the job; why the rest is
	// not kept follows.
	endPrefix = "end."
	// goneName is the file that says what made room there, row by row.
	goneName = "gone"
)

// endRoom is how much of what a job may have belongs to its end.
func endRoom(perJob int64) int64 { return max(min(perJob/4, endMost), 1) }

// halfLog is one of the two logs of a job: what it wrote first, or last.
type halfLog struct {
	*segment.Log
	base uint64
}

// halves are the logs of a job in their order.
func (h *held) halves() []halfLog {
	all := []halfLog{{h.log, 0}}
	if h.end != nil {
		all = append(all, halfLog{h.end, endBase})
	}
	return all
}

// openEnd opens the log of the end where there is one already.
func (h *held) openEnd(dir string, codec *segment.Codec, room int64) error {
	found, err := filepath.Glob(filepath.Join(dir, endPrefix+"*"))
	if err != nil || len(found) == 0 {
		return err
	}
	return h.beginEnd(dir, strings.TrimPrefix(filepath.Base(found[0]), endPrefix), codec, room)
}

// beginEnd opens the log of the end. From then on everything goes there, and the
// oldest of it makes room.
func (h *held) beginEnd(dir, reason string, codec *segment.Codec, room int64) (err error) {
	dir = filepath.Join(dir, endPrefix+reason)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	h.end, err = segment.Open(dir, segment.Options{Joined: true, Codec: codec, Block: int(max(room/8, 1)), Segment: 1})
	if h.why, h.gone = reason, map[string]segment.Gone{}; err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, goneName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && json.Unmarshal(data, &h.gone) != nil {
		h.gone = map[string]segment.Gone{} // it was cut short: how much is gone the log tells, and not of whom
	}
	return err
}

// endOf is where what was taken of a stream ends.
func (h *held) endOf(stream string) int64 {
	end := int64(0)
	for _, l := range h.halves() {
		end = max(end, l.End(stream))
	}
	return end
}

func (h *held) onDisk() int64 {
	n := int64(0)
	for _, l := range h.halves() {
		n += l.Size()
	}
	return n
}

// each does something with both logs.
func (h *held) each(fn func(*segment.Log) error) error {
	var err error
	for _, l := range h.halves() {
		err = errors.Join(err, fn(l.Log))
	}
	return err
}

// appendEnd adds to the end of a job's output, and lets the oldest of it go.
func (h *held) appendEnd(dir string, records []segment.Record, room int64) error {
	if len(records) == 0 {
		return nil
	}
	if err := h.end.Append(records...); err != nil {
		return err
	}
	h.goneMu.Lock()
	defer h.goneMu.Unlock()
	more := false
	err := h.end.Trim(room, 0, func(g segment.Gone) {
		more = true
		if old, ok := h.gone[g.Stream]; ok {
			g.Start, g.Lines = old.Start, old.Lines+g.Lines
		}
		h.gone[g.Stream] = g
	})
	if err != nil || !more {
		return err
	}
	data, err := json.Marshal(h.gone)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, endPrefix+h.why, goneName)
	return errors.Join(os.WriteFile(file+".new", data, 0o600), os.Rename(file+".new", file))
}

// within is a selection in the positions of one log; false where it lies behind.
func (l halfLog) within(s segment.Select) (segment.Select, bool) {
	if l.base == 0 {
		return s, s.From < endBase
	}
	s.From -= min(s.From, l.base)
	return s, true
}

// lost gives the gaps in place of one: what had to make room in the end of a job is
// beyond what is kept of it, and is told row by row.
func (h *held) lost(l halfLog, s segment.Select, r segment.Record) []segment.Record {
	if l.base == 0 || r.Lost.Reason != segment.Dropped {
		return []segment.Record{r}
	}
	h.goneMu.Lock()
	defer h.goneMu.Unlock()
	var all []segment.Record
	for _, name := range slices.Sorted(maps.Keys(h.gone)) {
		if g := h.gone[name]; s.Stream == nil || s.Stream(name) {
			all = append(all, segment.Record{Seq: r.Seq, Time: r.Time, Stream: name, Offset: g.Start, Lost: &segment.Lost{Bytes: g.End - g.Start, Lines: g.Lines, Reason: h.why}})
		}
	}
	if len(h.gone) == 0 {
		r.Lost = &segment.Lost{Bytes: r.Lost.Bytes, Reason: h.why}
		all = append(all, r)
	}
	return all
}

// read is segment.Log.Read over both logs.
func (h *held) read(ctx context.Context, s segment.Select, fn func(segment.Record) bool) error {
	more := true
	for _, l := range h.halves() {
		in, ok := l.within(s)
		if !ok || !more {
			continue
		}
		err := l.Read(ctx, in, func(r segment.Record) bool {
			all := []segment.Record{r}
			if r.Lost != nil {
				all = h.lost(l, in, r)
			}
			for _, r := range all {
				r.Seq += l.base
				if more = more && fn(r); !more {
					break
				}
			}
			return more
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// search is segment.Log.Search over both logs.
func (h *held) search(ctx context.Context, q *segment.Query, s segment.Select, fn func(segment.Match) bool) error {
	more := true
	for _, l := range h.halves() {
		in, ok := l.within(s)
		if !ok || !more {
			continue
		}
		err := l.Search(ctx, q, in, func(m segment.Match) bool {
			if m.Lost == nil {
				m.Seq += l.base
				more = fn(m)
				return more
			}
			for _, r := range h.lost(l, in, segment.Record{Seq: m.Seq, Time: m.Time, Stream: m.Stream, Offset: m.Offset, Lost: m.Lost}) {
				if more = more && fn(segment.Match{Seq: r.Seq + l.base, Time: r.Time, Stream: r.Stream, Offset: r.Offset, Lost: r.Lost}); !more {
					break
				}
			}
			return more
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// at is segment.Log.At over both logs.
func (h *held) at(ctx context.Context, time int64) (uint64, error) {
	pos, err := h.log.At(ctx, time)
	if err != nil || h.end == nil || pos < h.log.Next() {
		return pos, err
	}
	pos, err = h.end.At(ctx, time)
	return pos + endBase, err
}

// last is segment.Log.Last over both logs.
func (h *held) last(ctx context.Context, s segment.Select, n int64) (at uint64, skip int64, err error) {
	if h.end == nil {
		return h.log.Last(ctx, s, n)
	}
	at, skip, err = h.end.Last(ctx, s, n)
	if err != nil || at > 0 {
		return at + endBase, skip, err
	}
	gap := false
	err = h.end.Read(ctx, s, func(r segment.Record) bool {
		gap = gap || r.Lost != nil
		n -= int64(strings.Count(string(r.Body), "\n"))
		return true
	})
	if err != nil || n <= 0 || gap { // what comes before the gap does not belong to the last lines
		return endBase, 0, err
	}
	return h.log.Last(ctx, s, n)
}

// unwritten is an error of the disk as people see it.
func unwritten(job int64, err error) error {
	return errs.New(errs.Unavailable, "dispatch.output_unwritten", "the output of the job %d cannot be stored: %s", job, err)
}
