package segment

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// Kinds of frames.
const (
	frameRecords = 'R' // records, in a journal
	frameHead    = 'H' // what a block holds
	frameData    = 'D' // the records of the block, compressed
	frameTable   = 'T' // the heads of a sealed segment, without filters
	frameEnd     = 'E' // the last 32 bytes of a sealed segment; its position is where the table stands
)

const (
	headSize = 32 // bytes before the payload of a frame
	fileHead = 48 // bytes before the first frame: two copies of magic and salt
	copySize = fileHead / 2
	maxFrame = 64 << 20
	fileName = "SXSEG001"
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	frameMagic = []byte("SxF1")
)

var errDamaged = errors.New("segment: the check sum is wrong")

// frame is one piece of a file: 4 bytes magic, kind, 3 bytes of nothing, length,
// position of the first record, how many records, sum of payload, sum of head.
type frame struct {
	kind    byte
	off     int64 // of its head
	length  int64 // of its payload
	seq     uint64
	count   int
	sum     uint32
	payload []byte
}

func (f *frame) next() int64 { return f.off + headSize + f.length }

// salt begins the check sums of a file.
type salt uint32

func (s salt) sum(b []byte) uint32 { return crc32.Update(uint32(s), castagnoli, b) }

func (s salt) frame(kind byte, seq uint64, count int, payload []byte) []byte {
	b := make([]byte, headSize, headSize+len(payload))
	copy(b, frameMagic)
	b[4] = kind
	binary.LittleEndian.PutUint32(b[8:], uint32(len(payload)))
	binary.LittleEndian.PutUint64(b[12:], seq)
	binary.LittleEndian.PutUint32(b[20:], uint32(count))
	binary.LittleEndian.PutUint32(b[24:], s.sum(payload))
	binary.LittleEndian.PutUint32(b[28:], s.sum(b[:28]))
	return append(b, payload...)
}

// head reads the head of a frame; false is no head of this file.
func (s salt) head(b []byte, off int64) (frame, bool) {
	if !bytes.HasPrefix(b, frameMagic) || s.sum(b[:28]) != binary.LittleEndian.Uint32(b[28:]) {
		return frame{}, false
	}
	f := frame{kind: b[4], off: off, length: int64(binary.LittleEndian.Uint32(b[8:])),
		seq: binary.LittleEndian.Uint64(b[12:]), count: int(binary.LittleEndian.Uint32(b[20:])), sum: binary.LittleEndian.Uint32(b[24:])}
	return f, f.length <= maxFrame
}

// newSalt begins a file: both copies of its head.
func newSalt() (salt, []byte) {
	one := make([]byte, copySize)
	copy(one, fileName)
	_, _ = rand.Read(one[8:16]) // never fails
	binary.LittleEndian.PutUint32(one[16:], crc32.Checksum(one[:16], castagnoli))
	return salt(crc32.Checksum(one[8:16], castagnoli)), append(one, one...)
}

// readSalt reads the head of a file, of which one copy may be damaged.
func readSalt(r io.ReaderAt) (salt, error) {
	b := make([]byte, fileHead)
	n, err := r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	for at := 0; at+copySize <= n; at += copySize {
		one := b[at : at+copySize]
		if bytes.HasPrefix(one, []byte(fileName)) && crc32.Checksum(one[:16], castagnoli) == binary.LittleEndian.Uint32(one[16:]) {
			return salt(crc32.Checksum(one[8:16], castagnoli)), nil
		}
	}
	return 0, errDamaged
}

// load reads and checks the payload of a frame.
func (s salt) load(r io.ReaderAt, f *frame) error {
	f.payload = make([]byte, f.length)
	if _, err := r.ReadAt(f.payload, f.off+headSize); err != nil && (!errors.Is(err, io.EOF) || f.length > 0) {
		return fmt.Errorf("segment: read: %w", err)
	}
	if s.sum(f.payload) != f.sum {
		return errDamaged
	}
	return nil
}

// at reads the frame that stands at a place, with its payload.
func (s salt) at(r io.ReaderAt, off int64) (frame, error) {
	b := make([]byte, headSize)
	if _, err := r.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
		return frame{}, err
	}
	f, ok := s.head(b, off)
	if !ok {
		return f, errDamaged
	}
	return f, s.load(r, &f)
}

// walk gives the frames of a file in order, those with records of a block
// without their payload. bad is called for what is none. It returns where the
// file ends well: a frame that is not there in full was never acknowledged.
func (s salt) walk(r io.ReaderAt, size int64, good func(frame) error, bad func(from, to int64)) (end int64, err error) {
	b := make([]byte, headSize)
	for off := int64(fileHead); ; {
		if size-off < headSize {
			return min(off, size), nil
		}
		if _, err := r.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		f, ok := s.head(b, off)
		if !ok {
			next, err := s.resume(r, off+1, size)
			if err != nil {
				return 0, err
			}
			bad(off, next)
			off = next
			continue
		}
		if f.next() > size {
			return off, nil
		}
		if f.kind != frameData {
			if err := s.load(r, &f); errors.Is(err, errDamaged) {
				bad(off, f.next())
				off = f.next()
				continue
			} else if err != nil {
				return 0, err
			}
		}
		if err := good(f); err != nil {
			return 0, err
		}
		off = f.next()
	}
}

// resume finds the next head of a frame behind damage; without one, the end.
func (s salt) resume(r io.ReaderAt, from, size int64) (int64, error) {
	const piece = 1 << 20
	buf := make([]byte, piece+headSize)
	for at := from; at < size; at += piece {
		n, err := r.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		b := buf[:n]
		for i := 0; ; i++ {
			j := bytes.Index(b[i:], frameMagic)
			if j < 0 || i+j+headSize > n {
				break
			}
			i += j
			if _, ok := s.head(b[i:i+headSize], at+int64(i)); ok {
				return at + int64(i), nil
			}
		}
	}
	return size, nil
}

// create makes a file with its head.
func create(path string) (*os.File, salt, error) {
	s, head := newSalt()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, 0, err
	}
	if _, err := f.WriteAt(head, 0); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, s, nil
}
