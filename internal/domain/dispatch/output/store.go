// Package output keeps what the rows of jobs say while they run, in segments on
// disk, a log for each job below a folder for each run:
//
//	output/<run>/<job>/{journal,<position>.seg}
//	output/<run>/<job>/end.<reason>/   the same for the last part of a job that writes
//	                                   more than is kept of one
//	output/dropped     runs whose output had to make room, or was kept long enough
//
// What was stored outlives a kill at once, and a power cut after about a second.
// A byte of a row is stored once, whoever sends it how often. What is not kept is
// a gap at its place, with its size and its reason: nothing is left out silently.
// Of a job that writes more than is kept, the beginning and the end are.
package output

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/retention"
	"sextant/sdk/go/segment"
	"sextant/sdk/go/wire"
)

// Reasons of gaps, beside those of the segments.
const (
	overJob   = "job_limit"   // the job has written more than is kept of one
	overTotal = "total_limit" // all output together is more than may be kept
	fromRow   = "sender"      // it came faster than it could be sent
	missing   = "missing"     // it was to come before and did not
)

// AtEnd is the offset of a piece that belongs at the end of what the row has.
const AtEnd = -1

const (
	syncEvery = time.Second
	idleAfter = time.Minute
	maxRecord = 64 << 10 // bytes of output in one record
)

// Options is how much is kept.
type Options struct {
	// PerJob and Total are limits in bytes: of what a job writes, and of what lies
	// on the disk.
	PerJob, Total int64
	Clock         clock.Clock
	Log           *slog.Logger
}

// Store keeps output. It is safe for concurrent use.
type Store struct {
	Options
	dir   string
	codec segment.Codec

	mu      sync.Mutex
	ended   func(run int64) bool
	logs    map[place]*held
	runs    map[int64]*kept
	total   int64
	dropped map[int64]int64 // bytes that were dropped of a run
}

type place struct{ run, job int64 }

// kept is what lies on the disk of a run.
type kept struct {
	size int64
	last time.Time
}

// held is a log that is open.
type held struct {
	mu  sync.Mutex // one writer at a time
	log *segment.Log
	// end is nil until the job has passed a limit; readers see it once it is whole.
	end  atomic.Pointer[ending]
	size int64
	used time.Time
	refs int
}

// Open opens the store in a folder.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{Options: o, dir: dir, logs: map[place]*held{}, runs: map[int64]*kept{}, dropped: map[int64]int64{}, ended: func(int64) bool {
		return false
	}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.readDropped(); err != nil {
		return nil, err
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path) // it lies below
		first, _, below := strings.Cut(filepath.ToSlash(rel), "/")
		run, notRun := strconv.ParseInt(first, 10, 64)
		info, err := d.Info()
		if err != nil || !below || notRun != nil {
			return err
		}
		s.grow(run, info.Size(), info.ModTime())
		return nil
	})
	return s, err
}

// Ended connects what knows whether a run is over: its output may go.
func (s *Store) Ended(fn func(run int64) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = fn
}

func (s *Store) grow(run, by int64, at time.Time) {
	k := s.runs[run]
	if k == nil {
		k = &kept{}
		s.runs[run] = k
	}
	k.size += by
	s.total += by
	if at.After(k.last) {
		k.last = at
	}
}

func (s *Store) readDropped() error {
	f, err := os.Open(filepath.Join(s.dir, "dropped"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var run, n int64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &run, &n); err == nil { // else it was cut short
			s.dropped[run] += n
		}
	}
	return nil
}

func (s *Store) path(p place) string {
	return filepath.Join(s.dir, strconv.FormatInt(p.run, 10), strconv.FormatInt(p.job, 10))
}

// hold opens the log of a job, and gives it back with the returned function.
func (s *Store) hold(p place) (*held, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.logs[p]
	if h == nil {
		l, err := segment.Open(s.path(p), segment.Options{Joined: true, Codec: &s.codec})
		if err != nil {
			return nil, nil, errs.New(errs.Unavailable, "dispatch.output_unreadable", "the output of the job %d cannot be opened: %s", p.job, err)
		}
		h = &held{log: l}
		if err := h.openEnd(s.path(p), &s.codec, endRoom(s.PerJob)); err != nil {
			return nil, nil, errs.New(errs.Unavailable, "dispatch.output_unreadable",
				"the output of the job %d cannot be opened: %s", p.job, errors.Join(err, l.Close()))
		}
		h.size = h.onDisk()
		s.logs[p] = h
	}
	h.refs++
	return h, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.refs--
		h.used = s.Clock.Now()
	}, nil
}

// Keep stores output of a job's round. What was stored before is not stored
// again.
func (s *Store) Keep(run, job int64, round int, chunks []wire.LogChunk) error {
	p := place{run, job}
	h, release, err := s.hold(p)
	if err != nil {
		return err
	}
	defer release()
	h.mu.Lock()
	defer h.mu.Unlock()
	room := endRoom(s.PerJob)
	in := &intake{h: h, limit: s.PerJob - room, now: s.Clock.Now().UnixNano(),
		full: s.full(), ends: map[string]int64{}, raw: h.log.Raw(), why: h.why()}
	for _, c := range chunks {
		in.take(streamOf(round, c.Row), c)
	}
	if err := h.log.Append(in.records...); err != nil {
		return unwritten(job, err)
	}
	if in.why != "" && h.end.Load() == nil {
		if err := h.beginEnd(s.path(p), in.why, &s.codec, room); err != nil {
			return unwritten(job, err)
		}
	}
	if len(in.last) > 0 {
		if err := h.end.Load().add(in.last, room); err != nil {
			return unwritten(job, err)
		}
	}
	size := h.onDisk()
	s.mu.Lock()
	s.grow(run, size-h.size, s.Clock.Now())
	h.size = size
	s.mu.Unlock()
	return nil
}

// intake makes records of what comes for one job.
type intake struct {
	h       *held
	limit   int64
	now     int64
	full    bool
	why     string // the limit that the job has passed
	ends    map[string]int64
	raw     int64
	records []segment.Record
	last    []segment.Record // of the end of a job that has passed a limit
}

func (in *intake) take(stream string, c wire.LogChunk) {
	end, known := in.ends[stream]
	if !known {
		end = in.h.endOf(stream)
	}
	if c.Offset == AtEnd {
		c.Offset = end
	}
	length := max(c.Lost, int64(len(c.Bytes)))
	if c.Lost > 0 {
		c.Bytes = nil
	}
	switch old := end - c.Offset; {
	case old >= length:
		return
	case old > 0 && c.Lost > 0:
		c.Lost -= old
		c.Offset = end
	case old > 0:
		c.Bytes, c.Offset = c.Bytes[old:], end
	case old < 0:
		in.gap(stream, end, segment.Lost{Bytes: -old, Reason: missing})
	}
	in.ends[stream] = c.Offset + max(c.Lost, int64(len(c.Bytes)))
	if c.Lost > 0 {
		in.gap(stream, c.Offset, segment.Lost{Bytes: c.Lost, Lines: c.Lines, Reason: fromRow})
		return
	}
	room := in.room(c.Bytes)
	in.text(stream, c.Offset, c.Bytes[:room])
	in.raw += int64(room)
	if rest := c.Bytes[room:]; len(rest) > 0 {
		if in.why == "" {
			in.why = overJob
			if in.full {
				in.why = overTotal
			}
		}
		in.text(stream, c.Offset+int64(room), rest)
	}
}

// text adds output: to the end of the job where a limit was passed.
func (in *intake) text(stream string, offset int64, b []byte) {
	for at := 0; at < len(b); {
		n := cut(b[at:])
		in.add(segment.Record{Time: in.now, Stream: stream, Offset: offset + int64(at), Body: b[at : at+n]})
		at += n
	}
}

func (in *intake) add(r segment.Record) {
	if in.why != "" {
		in.last = append(in.last, r)
		return
	}
	in.records = append(in.records, r)
}

// room is how much of a piece belongs to the beginning: whole lines up to the limit.
func (in *intake) room(b []byte) int {
	left := in.limit - in.raw
	switch {
	case in.full || in.why != "" || left <= 0:
		return 0
	case int64(len(b)) <= left:
		return len(b)
	}
	return bytes.LastIndexByte(b[:left], '\n') + 1
}

func (in *intake) gap(stream string, at int64, l segment.Lost) {
	in.add(segment.Record{Time: in.now, Stream: stream, Offset: at, Lost: &l})
}

// cut is how much of a text makes a record: whole lines, else whole signs.
func cut(b []byte) int {
	if len(b) <= maxRecord {
		return len(b)
	}
	if i := bytes.LastIndexByte(b[:maxRecord], '\n'); i > 0 {
		return i + 1
	}
	n := maxRecord
	for n > maxRecord-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// full makes room where all output together passes its limit, and reports
// whether there is none to be made: runs that are under way keep what they have.
func (s *Store) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total <= s.Total {
		return false
	}
	oldest := slices.SortedFunc(maps.Keys(s.runs), func(a, b int64) int {
		return cmp.Or(s.runs[a].last.Compare(s.runs[b].last), cmp.Compare(a, b))
	})
	for _, run := range oldest {
		if s.total <= s.Total {
			break
		}
		if !s.ended(run) {
			continue
		}
		if err := s.drop(run); err != nil {
			s.Log.Error("the output of an old run could not be removed", "run", run, "err", err)
		}
	}
	return s.total > s.Total
}

// Forget removes the output of runs that have ended and wrote nothing since a time, at
// most of so many, and says of how many. A gap stays in its place as long as the run
// does.
func (s *Store) Forget(_ context.Context, before time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for run, k := range s.runs {
		if n == limit {
			break
		}
		if !k.last.Before(before) || !s.ended(run) {
			continue
		}
		if err := s.drop(run); err != nil {
			return n, err
		}
		if s.runs[run] == nil { // else somebody reads it: next time
			n++
		}
	}
	return n, nil
}

// Stock tells of how many runs there is output, and how much.
func (s *Store) Stock(context.Context) (retention.Stock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := retention.Stock{Count: int64(len(s.runs)), Bytes: s.total}
	for _, k := range s.runs {
		if st.Oldest.IsZero() || k.last.Before(st.Oldest) {
			st.Oldest = k.last
		}
	}
	return st, nil
}

// release closes the logs of a run; false where somebody reads one.
func (s *Store) release(run int64) (bool, error) {
	for p, h := range s.logs {
		if p.run != run {
			continue
		}
		if h.refs > 0 {
			return false, nil
		}
		if err := h.each((*segment.Log).Close); err != nil {
			return false, err
		}
		delete(s.logs, p)
	}
	return true, nil
}

// Remove removes the output of a run of which nothing is kept any more.
func (s *Store) Remove(run int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, err := s.release(run)
	if err == nil && !free {
		err = errs.New(errs.Conflict, "dispatch.output_read", "the output of the run %d is being read", run)
	}
	if err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.dir, strconv.FormatInt(run, 10))); err != nil {
		return err
	}
	if k := s.runs[run]; k != nil {
		s.total -= k.size
	}
	delete(s.runs, run)
	return nil
}

// drop removes the output of a run, and remembers that there was some.
func (s *Store) drop(run int64) error {
	if free, err := s.release(run); err != nil || !free {
		return err // where somebody reads it: next time
	}
	size := s.runs[run].size
	f, err := os.OpenFile(filepath.Join(s.dir, "dropped"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d %d\n", run, size)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	s.dropped[run] += size
	if err := os.RemoveAll(filepath.Join(s.dir, strconv.FormatInt(run, 10))); err != nil {
		return err
	}
	s.total -= size
	delete(s.runs, run)
	return nil
}

// Run brings output to the disk every second, and closes what is not used, until
// ctx ends; Close comes after.
func (s *Store) Run(ctx context.Context) error {
	for {
		tick, stop := s.Clock.After(syncEvery)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		}
		s.tend()
	}
}

// tend syncs every log, and closes those that nobody used for a while.
func (s *Store) tend() {
	s.mu.Lock()
	all := maps.Clone(s.logs)
	s.mu.Unlock()
	for p, h := range all {
		if err := h.each((*segment.Log).Sync); err != nil {
			s.Log.Error("output could not be brought to the disk", "job", p.job, "err", err)
		}
		s.mu.Lock()
		if h.refs == 0 && s.Clock.Now().Sub(h.used) >= idleAfter {
			s.shut(p, h)
		}
		s.mu.Unlock()
	}
}

func (s *Store) shut(p place, h *held) {
	delete(s.logs, p)
	var sealed error
	if s.ended(p.run) {
		sealed = h.each((*segment.Log).Seal)
	}
	s.grow(p.run, h.onDisk()-h.size, time.Time{})
	if err := errors.Join(sealed, h.each((*segment.Log).Close)); err != nil {
		s.Log.Error("the output of a job could not be closed", "job", p.job, "err", err)
	}
}

// Close brings everything to the disk and closes it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for p, h := range s.logs {
		err = errors.Join(err, h.each((*segment.Log).Close))
		delete(s.logs, p)
	}
	return err
}
