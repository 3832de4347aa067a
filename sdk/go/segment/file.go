package segment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const suffix = ".seg"

// file is one segment. Its blocks are known when it is opened; it is opened again
// for each read, so that many logs can be open at once.
type file struct {
	path   string
	salt   salt
	size   int64
	sealed bool
	first  uint64
	blocks []*block
	holes  []Record // damage between blocks of which nothing is known
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, suffix))
}

func firstOf(path string) (uint64, bool) {
	name, ok := strings.CutSuffix(filepath.Base(path), suffix)
	n, err := strconv.ParseUint(name, 10, 64)
	return n, ok && err == nil
}

// openFile learns the blocks of a segment: from its table, or by its frames.
func openFile(path string, codec *Codec) (*file, error) {
	f := &file{path: path}
	f.first, _ = firstOf(path)
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	f.size = info.Size()
	if f.salt, err = readSalt(in); err != nil {
		if !errors.Is(err, errDamaged) {
			return nil, err
		}
		if f.size <= fileHead { // it was about to begin
			return nil, os.Remove(path)
		}
		f.holes = []Record{{Seq: f.first, Lost: &Lost{f.size - fileHead, 0, Damaged}}}
		f.sealed = true // nothing may be added to what cannot be read
		return f, nil
	}
	if f.fromTable(in) {
		return f, nil
	}
	f.size, err = f.fromFrames(in, codec)
	return f, err
}

// fromTable reads the table of a sealed segment.
func (f *file) fromTable(in *os.File) bool {
	end, err := f.salt.at(in, f.size-headSize)
	if err != nil || end.kind != frameEnd {
		return false
	}
	f.sealed = true
	table, err := f.salt.at(in, int64(end.seq))
	if err != nil || table.kind != frameTable {
		return false
	}
	d := decoder{b: table.payload}
	for i := 0; i < table.count && d.err == nil; i++ {
		f.blocks = append(f.blocks, d.block(f))
	}
	if d.err != nil {
		f.blocks = nil
	}
	return d.err == nil
}

// fromFrames finds the blocks of a segment that has no table, or a damaged one.
func (f *file) fromFrames(in *os.File, codec *Codec) (int64, error) {
	var head *block
	return f.salt.walk(in, f.size, func(fr frame) error {
		switch fr.kind {
		case frameHead:
			d := decoder{b: fr.payload}
			if head = d.block(f); d.err != nil {
				head = nil
				return nil
			}
			head.head = fr.off
		case frameData:
			if head == nil || head.seq != fr.seq { // its head is lost: what it holds tells
				head = f.learn(in, fr, codec)
			}
			if head != nil {
				head.data = fr.off
				f.blocks = append(f.blocks, head)
			}
			head = nil
		case frameTable, frameEnd:
			f.sealed = true
		}
		return nil
	}, func(from, to int64) { f.hole(from, to) })
}

// learn makes the head of a block out of its records.
func (f *file) learn(in *os.File, fr frame, codec *Codec) *block {
	b := &block{file: f, head: -1, data: fr.off, streams: map[string]part{}}
	c, err := f.content(in, b, codec)
	if err != nil {
		f.hole(fr.off, fr.next())
		return nil
	}
	for i := range c.records {
		b.note(&c.records[i])
	}
	return b
}

// hole notes damage of which it is not known what it held. Whether records are
// missing there shows in the positions of those around it.
func (f *file) hole(from, to int64) {
	seq := f.first
	if n := len(f.blocks); n > 0 {
		seq = f.blocks[n-1].last + 1
	}
	f.holes = append(f.holes, Record{Seq: seq, Lost: &Lost{to - from, 0, Damaged}})
}

// content reads a block.
func (f *file) content(in *os.File, b *block, codec *Codec) (*content, error) {
	fr, err := f.salt.at(in, b.data)
	if err != nil {
		return nil, err
	}
	raw, err := codec.unpack(fr.payload)
	if err != nil || fr.kind != frameData {
		return nil, errDamaged
	}
	c, err := decodeContent(raw, fr.seq, fr.count)
	if err != nil {
		return nil, errDamaged
	}
	return c, nil
}

// read opens the segment and reads a block.
func (b *block) read(codec *Codec) (*content, error) {
	in, err := os.Open(b.file.path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return b.file.content(in, b, codec)
}

// filter reads the words of a block; none where they cannot be read.
func (b *block) filter() filter {
	if b.head < 0 {
		return nil
	}
	in, err := os.Open(b.file.path)
	if err != nil {
		return nil
	}
	defer in.Close()
	fr, err := b.file.salt.at(in, b.head)
	if err != nil || fr.kind != frameHead {
		return nil
	}
	d := decoder{b: fr.payload}
	d.block(b.file)
	if d.err != nil {
		return nil
	}
	return d.bytes(d.uvarint())
}

// add writes a block at the end of the segment and brings it to the disk.
func (f *file) add(b *block, c *content, joined bool, codec *Codec) error {
	out, err := os.OpenFile(f.path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	b.file, b.head = f, f.size
	words := c.words(joined)
	data := f.salt.frame(frameData, b.seq, len(c.records), codec.pack(c.encode()))
	meta := b.put(nil) // where its records stand is found by the frames, where there is no table
	head := f.salt.frame(frameHead, b.seq, len(c.records), putText(meta, string(words)))
	b.data = b.head + int64(len(head))
	if _, err := out.WriteAt(append(head, data...), f.size); err != nil {
		return errors.Join(err, out.Truncate(f.size))
	}
	if err := out.Sync(); err != nil {
		return err
	}
	f.size = b.data + int64(len(data))
	f.blocks = append(f.blocks, b)
	return nil
}

// seal adds the table, after which nothing more is added.
func (f *file) seal() error {
	out, err := os.OpenFile(f.path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	var table []byte
	for _, b := range f.blocks {
		table = b.put(table)
	}
	fr := f.salt.frame(frameTable, f.first, len(f.blocks), table)
	fr = append(fr, f.salt.frame(frameEnd, uint64(f.size), 0, nil)...)
	if _, err := out.WriteAt(fr, f.size); err != nil {
		return errors.Join(err, out.Truncate(f.size))
	}
	f.size += int64(len(fr))
	f.sealed = true
	return out.Sync()
}
