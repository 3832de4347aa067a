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
	"sync"

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

// ending is the log of what a job wrote last.
type ending struct {
	*segment.Log
	why  string // the limit that the job has passed
	file string // which says what made room
	mu   sync.Mutex
	gone map[string]segment.Gone // by stream
}

// halves are the logs of a job in their order.
func (h *held) halves() []halfLog {
	all := []halfLog{{h.log, 0}}
	if end := h.end.Load(); end != nil {
		all = append(all, halfLog{end.Log, endBase})
	}
	return all
}

// why is the limit that the job has passed, or nothing.
func (h *held) why() string {
	if end := h.end.Load(); end != nil {
		return end.why
	}
	return ""
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
func (h *held) beginEnd(dir, reason string, codec *segment.Codec, room int64) error {
	dir = filepath.Join(dir, endPrefix+reason)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	end := &ending{why: reason, file: filepath.Join(dir, goneName), gone: map[string]segment.Gone{}}
	data, err := os.ReadFile(end.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && json.Unmarshal(data, &end.gone) != nil {
		end.gone = map[string]segment.Gone{} // it was cut short: how much is gone the log tells, and not of whom
	}
	if end.Log, err = segment.Open(dir, segment.Options{Joined: true, Codec: codec, Block: int(max(room/8, 1)), Segment: 1}); err != nil {
		return err
	}
	h.end.Store(end)
	return nil
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

// add adds to the end of a job's output, and lets the oldest of it go.
func (e *ending) add(records []segment.Record, room int64) error {
	if err := e.Append(records...); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	more := false
	err := e.Trim(room, 0, func(g segment.Gone) {
		more = true
		if old, ok := e.gone[g.Stream]; ok {
			g.Start, g.Lines = old.Start, old.Lines+g.Lines
		}
		e.gone[g.Stream] = g
	})
	if err != nil || !more {
		return err
	}
	data, err := json.Marshal(e.gone)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(e.file+".new", data, 0o600), os.Rename(e.file+".new", e.file))
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
	e := h.end.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []segment.Record
	for _, name := range slices.Sorted(maps.Keys(e.gone)) {
		if g := e.gone[name]; s.Stream == nil || s.Stream(name) {
			all = append(all, segment.Record{Seq: r.Seq, Time: r.Time, Stream: name,
				Offset: g.Start, Lost: &segment.Lost{Bytes: g.End - g.Start, Lines: g.Lines, Reason: e.why}})
		}
	}
	if len(e.gone) == 0 {
		r.Lost = &segment.Lost{Bytes: r.Lost.Bytes, Reason: e.why}
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
	end := h.end.Load()
	pos, err := h.log.At(ctx, time)
	if err != nil || end == nil || pos < h.log.Next() {
		return pos, err
	}
	pos, err = end.At(ctx, time)
	return pos + endBase, err
}

// last is segment.Log.Last over both logs.
func (h *held) last(ctx context.Context, s segment.Select, n int64) (at uint64, skip int64, err error) {
	end := h.end.Load()
	if end == nil {
		return h.log.Last(ctx, s, n)
	}
	at, skip, err = end.Last(ctx, s, n)
	if err != nil || at > 0 {
		return at + endBase, skip, err
	}
	gap := false
	err = end.Read(ctx, s, func(r segment.Record) bool {
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
