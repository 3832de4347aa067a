package segment

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options is how a log is kept. The zero value is ready for use.
type Options struct {
	// Block is how many bytes of bodies make a block; 512 KiB where it is 0.
	Block int
	// Segment is how large a segment grows; 64 MiB where it is 0.
	Segment int64
	// Every closes a segment whose first record is that old; 0 for never.
	Every time.Duration
	// Joined says that the bodies of a stream are pieces of one text.
	Joined bool
	// Codec is shared by logs that are open at once; nil for one of its own.
	Codec *Codec
}

// Log is one log. It is safe for concurrent use; a folder belongs to one Log at
// a time.
type Log struct {
	dir string
	o   Options

	mu      sync.Mutex
	files   []*file
	journal *journal
	next    uint64
	last    int64 // time of the newest record
	raw     int64 // bytes of bodies ever taken
	ends    map[string]int64
	open    map[string][]byte // lines that are open where the journal begins
	dirty   bool
	closed  bool
}

var errClosed = errors.New("segment: the log is closed")

// Open opens the log in a folder; what does not exist is made with the first
// append. What a crash left behind is put right here.
func Open(dir string, o Options) (*Log, error) {
	if o.Block == 0 {
		o.Block = 512 << 10
	}
	if o.Segment == 0 {
		o.Segment = 64 << 20
	}
	if o.Codec == nil {
		o.Codec = &Codec{}
	}
	l := &Log{dir: dir, o: o, ends: map[string]int64{}, open: map[string][]byte{}, next: 1}
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		f, err := openFile(name, o.Codec)
		if err != nil {
			return nil, fmt.Errorf("segment: open %s: %w", name, err)
		}
		if f != nil {
			l.files = append(l.files, f)
		}
	}
	if l.journal, err = openJournal(filepath.Join(dir, "journal")); err != nil {
		return nil, fmt.Errorf("segment: open %s: %w", dir, err)
	}
	return l, l.recover()
}

// recover brings segments and journal together: the last block of the segments
// may be cut short, or stand in the journal still.
func (l *Log) recover() error {
	j := l.journal
	if n := len(l.files); n > 0 && len(j.frames) > 0 {
		f := l.files[n-1]
		if k := len(f.blocks); k > 0 && !f.sealed && f.blocks[k-1].seq >= j.frames[0].seq {
			if _, err := f.blocks[k-1].read(l.o.Codec); err != nil {
				f.size, f.blocks = f.blocks[k-1].head, f.blocks[:k-1]
			}
		}
	}
	for i, f := range l.files {
		if info, err := os.Stat(f.path); err == nil && info.Size() > f.size && i == len(l.files)-1 {
			if err := os.Truncate(f.path, f.size); err != nil {
				return err
			}
		}
		for _, b := range f.blocks {
			l.count(b)
		}
		for _, h := range f.holes {
			l.next = max(l.next, h.Seq)
		}
	}
	if err := l.reopenLines(); err != nil {
		return err
	}
	j.frames = slices.DeleteFunc(j.frames, func(f frame) bool { return f.seq < l.next })
	all, err := j.records(0)
	if err != nil {
		return err
	}
	for i := range j.holes {
		j.holes[i].Seq = max(j.holes[i].Seq, l.next)
	}
	j.raw = 0
	for i := range all {
		l.track(&all[i])
		j.raw += len(all[i].Body)
	}
	if len(j.frames) == 0 && j.out != nil && len(j.holes) == 0 {
		return j.reset()
	}
	for _, h := range j.holes { // no reader has seen a position beyond this
		l.next = max(l.next, h.Seq+uint64(h.Lost.Bytes))
	}
	return nil
}

// count takes a block into account.
func (l *Log) count(b *block) {
	l.next, l.last = max(l.next, b.last+1), max(l.last, b.to)
	l.raw = max(l.raw, b.before+b.raw)
	for name, p := range b.streams {
		l.ends[name] = max(l.ends[name], p.end)
	}
}

// track takes a record of the journal into account.
func (l *Log) track(r *Record) {
	l.next, l.last = max(l.next, r.Seq+1), max(l.last, r.Time)
	l.raw += int64(len(r.Body))
	if r.Stream != "" || r.Lost == nil {
		l.ends[r.Stream] = max(l.ends[r.Stream], r.end())
	}
}

// reopenLines finds the lines that were not ended when the last block was made.
func (l *Log) reopenLines() error {
	if !l.o.Joined {
		return nil
	}
	for _, f := range slices.Backward(l.files) {
		if n := len(f.blocks); n > 0 {
			c, err := f.blocks[n-1].read(l.o.Codec)
			if errors.Is(err, errDamaged) {
				return nil
			}
			if err != nil {
				return err
			}
			l.open = maps.Clone(c.open)
			for i := range c.records {
				carry(l.open, &c.records[i])
			}
			return nil
		}
	}
	return nil
}

// Append adds records and gives them their positions. They are there when it
// returns: a killed process loses none of them, a power cut those since the last
// Sync.
func (l *Log) Append(records ...Record) error {
	if len(records) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if err := l.journal.begin(l.dir); err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	last := l.last
	for i := range records {
		records[i].Seq = l.next + uint64(i)
		last = max(last, records[i].Time)
		records[i].Time = last
	}
	if err := l.journal.add(records); err != nil {
		return fmt.Errorf("segment: append: %w", err)
	}
	l.dirty = true
	for i := range records {
		l.track(&records[i])
	}
	if l.journal.raw >= l.o.Block {
		return l.roll()
	}
	return nil
}

// roll makes blocks of what is in the journal. The journal is emptied once they
// are on the disk.
func (l *Log) roll() error {
	all, err := l.journal.all()
	if err != nil || len(all) == 0 {
		return err
	}
	for len(all) > 0 {
		n, size := 0, 0
		for n < len(all) && (n == 0 || size+len(all[n].Body) <= l.o.Block) {
			size += len(all[n].Body)
			n++
		}
		if err := l.addBlock(all[:n]); err != nil {
			return fmt.Errorf("segment: make a block: %w", err)
		}
		all = all[n:]
	}
	return l.journal.reset()
}

func (l *Log) addBlock(records []Record) error {
	f, err := l.current(records[0])
	if err != nil {
		return err
	}
	b := &block{streams: map[string]part{}}
	for i := range records {
		b.note(&records[i])
	}
	if k := len(f.blocks); k > 0 {
		b.before = f.blocks[k-1].before + f.blocks[k-1].raw
	} else if n := len(l.files); n > 1 {
		if p := l.files[n-2]; len(p.blocks) > 0 {
			b.before = p.blocks[len(p.blocks)-1].before + p.blocks[len(p.blocks)-1].raw
		}
	}
	c := &content{open: l.open, records: records}
	if err := f.add(b, c, l.o.Joined, l.o.Codec); err != nil {
		return err
	}
	if l.o.Joined {
		open := maps.Clone(l.open)
		for i := range records {
			carry(open, &records[i])
		}
		l.open = open
	}
	return nil
}

// current is the segment that takes the next block.
func (l *Log) current(r Record) (*file, error) {
	if n := len(l.files); n > 0 {
		f := l.files[n-1]
		old := l.o.Every > 0 && len(f.blocks) > 0 && time.Duration(r.Time-f.blocks[0].from) >= l.o.Every
		if !f.sealed && f.size < l.o.Segment && !old {
			return f, nil
		}
		if !f.sealed {
			if err := f.seal(); err != nil {
				return nil, err
			}
		}
	}
	f := &file{path: segmentPath(l.dir, r.Seq), first: r.Seq, size: fileHead}
	out, s, err := create(f.path)
	if err != nil {
		return nil, err
	}
	f.salt = s
	if err := errors.Join(out.Close(), syncDir(l.dir)); err != nil {
		return nil, err
	}
	l.files = append(l.files, f)
	return f, nil
}

// syncDir brings the names of a folder to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Sync brings what was appended to the disk, so that a power cut leaves it.
func (l *Log) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dirty || l.closed {
		return nil
	}
	l.dirty = false
	return l.journal.out.Sync()
}

// Seal makes a block of what is in the journal and closes the segment, where
// that is worth it: a few lines stay as they are.
func (l *Log) Seal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	const few = 8 << 10
	if l.journal.raw >= few {
		if err := l.roll(); err != nil {
			return err
		}
	}
	if n := len(l.files); n > 0 && !l.files[n-1].sealed && l.journal.raw == 0 {
		return l.files[n-1].seal()
	}
	return nil
}

// Close ends the use of the log.
func (l *Log) Close() error {
	err := l.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return err
	}
	l.closed = true
	return errors.Join(err, l.journal.close())
}

// Next is the position that the next record gets.
func (l *Log) Next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// End is where a stream ends, in bytes.
func (l *Log) End(stream string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends[stream]
}

// Raw is how many bytes of bodies were taken, Size how many lie on the disk.
func (l *Log) Raw() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.raw
}

// Size is how many bytes lie on the disk.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.journal.size
	for _, f := range l.files {
		n += f.size
	}
	return n
}

// Gone is what was dropped of one stream: from and to where, and how many lines.
type Gone struct {
	Stream            string
	Start, End, Lines int64
}

// Trim drops the oldest segments while the log is larger than size bytes, or
// they hold nothing from the time on; 0 is no limit. The newest segment stays.
// told hears of each block's part of a stream that is dropped; it may be nil.
func (l *Log) Trim(size, from int64, told func(Gone)) error {
	total := l.Size()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.files) > 1 {
		f := l.files[0]
		old := from > 0 && len(f.blocks) > 0 && f.blocks[len(f.blocks)-1].to < from
		if !old && (size == 0 || total <= size) {
			return nil
		}
		if err := os.Remove(f.path); err != nil {
			return err
		}
		for _, b := range f.blocks {
			for name, p := range b.streams {
				if told != nil {
					told(Gone{name, p.start, p.end, p.lines})
				}
			}
		}
		total -= f.size
		l.files = l.files[1:]
	}
	return nil
}
