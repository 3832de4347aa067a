package segment

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxLine is how much of an unfinished line is looked at as one, in bytes.
const maxLine = 16 << 10

// Codec compresses blocks; logs share one. It is ready when it is needed first.
type Codec struct {
	once sync.Once
	enc  *zstd.Encoder
	dec  *zstd.Decoder
}

func (c *Codec) open() {
	c.once.Do(func() {
		// Neither fails with these options.
		c.enc, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
		c.dec, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame))
	})
}

func (c *Codec) pack(b []byte) []byte {
	c.open()
	return c.enc.EncodeAll(b, nil)
}

func (c *Codec) unpack(b []byte) ([]byte, error) {
	c.open()
	return c.dec.DecodeAll(b, nil)
}

// part is what a block holds of one stream.
type part struct {
	start, end, lines int64
}

// block is what is known of a block without reading it.
type block struct {
	file       *file
	head, data int64 // where its frames stand
	seq, last  uint64
	from, to   int64 // times
	raw        int64 // bytes of bodies
	before     int64 // bytes of bodies in the log before it
	gap        bool  // it holds gaps, which a search tells too
	streams    map[string]part
}

// content is what stands in a block: the lines that were open when it began, and
// its records.
type content struct {
	open    map[string][]byte
	records []Record
}

func (b *block) note(r *Record) {
	if len(b.streams) == 0 && b.seq == 0 && b.last == 0 {
		b.seq, b.from = r.Seq, r.Time
	}
	b.last, b.to = r.Seq, r.Time
	b.raw += int64(len(r.Body))
	b.gap = b.gap || r.Lost != nil
	if r.Stream == "" && r.Lost != nil {
		return
	}
	p, ok := b.streams[r.Stream]
	if !ok {
		p.start = r.Offset
	}
	p.end = max(p.end, r.end())
	p.lines += int64(bytes.Count(r.Body, newline))
	b.streams[r.Stream] = p
}

var newline = []byte{'\n'}

// carry adds a record to the lines that are open after it.
func carry(open map[string][]byte, r *Record) {
	if r.Lost != nil {
		if r.Stream == "" {
			clear(open)
		}
		delete(open, r.Stream)
		return
	}
	rest := r.Body
	if i := bytes.LastIndexByte(rest, '\n'); i >= 0 {
		delete(open, r.Stream)
		rest = rest[i+1:]
	}
	if len(rest) == 0 {
		return
	}
	line := slices.Concat(open[r.Stream], rest)
	open[r.Stream] = line[max(0, len(line)-maxLine):]
}

// words collects the tokens of a block's records, those of a line that began
// before it and ends in it included.
func (c *content) words(joined bool) filter {
	set := map[uint64]struct{}{}
	add := func(h uint64) { set[h] = struct{}{} }
	open := maps.Clone(c.open)
	for i := range c.records {
		r := &c.records[i]
		if before := open[r.Stream]; joined && len(before) > 0 {
			// A line may go on over many records: its words are those of all together.
			end := bytes.IndexByte(r.Body, '\n')
			if end < 0 {
				end = len(r.Body)
			}
			tokens(slices.Concat(before, r.Body[:end]), add)
			tokens(r.Body[end:], add)
		} else {
			tokens(r.Body, add)
		}
		for _, a := range r.Attrs {
			tokens([]byte(a.Key+"="+a.Value), add)
		}
		if joined {
			carry(open, r)
		}
	}
	return newFilter(set)
}

func (c *content) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(c.open)))
	for _, name := range slices.Sorted(maps.Keys(c.open)) {
		b = putText(putText(b, name), string(c.open[name]))
	}
	return putAll(b, c.records)
}

func decodeContent(b []byte, first uint64, n int) (*content, error) {
	d := decoder{b: b}
	c := &content{open: map[string][]byte{}}
	for k := d.uvarint(); k > 0 && d.err == nil; k-- {
		name := d.text()
		c.open[name] = d.bytes(d.uvarint())
	}
	if d.err != nil {
		return nil, d.err
	}
	var err error
	c.records, err = readAll(d.b, first, n)
	return c, err
}

// put encodes what is known of a block, for its head and for the table.
func (b *block) put(to []byte) []byte {
	to = binary.AppendUvarint(to, uint64(b.head))
	to = binary.AppendUvarint(to, uint64(b.data))
	to = binary.AppendUvarint(to, b.seq)
	to = binary.AppendUvarint(to, b.last-b.seq)
	gap := int64(0)
	if b.gap {
		gap = 1
	}
	for _, v := range []int64{b.from, b.to, b.raw, b.before, gap} {
		to = binary.AppendVarint(to, v)
	}
	to = binary.AppendUvarint(to, uint64(len(b.streams)))
	for _, name := range slices.Sorted(maps.Keys(b.streams)) {
		p := b.streams[name]
		to = putText(to, name)
		for _, v := range []int64{p.start, p.end - p.start, p.lines} {
			to = binary.AppendVarint(to, v)
		}
	}
	return to
}

func (d *decoder) block(of *file) *block {
	b := &block{file: of, head: int64(d.uvarint()), data: int64(d.uvarint()), seq: d.uvarint(), streams: map[string]part{}}
	b.last = b.seq + d.uvarint()
	for _, v := range []*int64{&b.from, &b.to, &b.raw, &b.before} {
		*v = d.varint()
	}
	b.gap = d.varint() != 0
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		name := d.text()
		p := part{start: d.varint()}
		p.end = p.start + d.varint()
		p.lines = d.varint()
		b.streams[name] = p
	}
	return b
}

// gaps is what is told in place of a block that cannot be read.
func (b *block) gaps() []Record {
	var all []Record
	for _, name := range slices.Sorted(maps.Keys(b.streams)) {
		p := b.streams[name]
		all = append(all, Record{Seq: b.last, Time: b.from, Stream: name, Offset: p.start, Lost: &Lost{p.end - p.start, p.lines, Damaged}})
	}
	if all == nil {
		all = []Record{{Seq: b.last, Time: b.from, Lost: &Lost{b.raw, 0, Damaged}}}
	}
	return all
}
