package segment

import (
	"encoding/binary"
	"errors"
)

// Reasons of gaps that this package finds itself.
const (
	// Damaged is what is there and cannot be read.
	Damaged = "damaged"
	// Dropped is what had to make room.
	Dropped = "dropped"
)

// Attr is one attribute of a record.
type Attr struct{ Key, Value string }

// Record is one entry of a log: text, or a gap where text is missing.
type Record struct {
	// Seq is the position in the log, given by Append.
	Seq uint64
	// Time is nanoseconds since 1970; Append lets it never go back.
	Time int64
	// Stream is whose text it is; empty in a gap that may concern any stream.
	Stream string
	// Offset is where the body begins in its stream, in bytes.
	Offset int64
	Level  uint8
	Trace  [16]byte
	Body   []byte
	Attrs  []Attr
	// Lost makes the record a gap.
	Lost *Lost
}

// Lost is what a gap stands for.
type Lost struct {
	Bytes, Lines int64
	Reason       string
}

// end is where the record ends in its stream.
func (r *Record) end() int64 {
	if r.Lost != nil {
		return r.Offset + r.Lost.Bytes
	}
	return r.Offset + int64(len(r.Body))
}

const (
	hasLost = 1 << iota
	hasTrace
	hasAttrs
)

func putText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// put encodes a record; its position is given as the distance to that before.
func (r *Record) put(b []byte, before uint64) []byte {
	flags := byte(0)
	if r.Lost != nil {
		flags |= hasLost
	}
	if r.Trace != [16]byte{} {
		flags |= hasTrace
	}
	if len(r.Attrs) > 0 {
		flags |= hasAttrs
	}
	b = append(b, flags, r.Level)
	b = binary.AppendUvarint(b, r.Seq-before)
	b = binary.AppendVarint(b, r.Time)
	b = putText(b, r.Stream)
	b = binary.AppendVarint(b, r.Offset)
	if r.Lost != nil {
		b = binary.AppendVarint(b, r.Lost.Bytes)
		b = binary.AppendVarint(b, r.Lost.Lines)
		b = putText(b, r.Lost.Reason)
	}
	if flags&hasTrace != 0 {
		b = append(b, r.Trace[:]...)
	}
	if flags&hasAttrs != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.Attrs)))
		for _, a := range r.Attrs {
			b = putText(putText(b, a.Key), a.Value)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Body)))
	return append(b, r.Body...)
}

var errShort = errors.New("segment: a record ends too early")

// decoder reads what put wrote; the first error stays.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.b, d.err = nil, errShort
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) text() string { return string(d.bytes(d.uvarint())) }

func (d *decoder) record(before uint64) (r Record) {
	head := d.bytes(2)
	if head == nil {
		return r
	}
	flags := head[0]
	r.Level = head[1]
	r.Seq = before + d.uvarint()
	r.Time = d.varint()
	r.Stream = d.text()
	r.Offset = d.varint()
	if flags&hasLost != 0 {
		r.Lost = &Lost{Bytes: d.varint(), Lines: d.varint(), Reason: d.text()}
	}
	if flags&hasTrace != 0 {
		copy(r.Trace[:], d.bytes(16))
	}
	if flags&hasAttrs != 0 {
		for n := d.uvarint(); n > 0 && d.err == nil; n-- {
			r.Attrs = append(r.Attrs, Attr{d.text(), d.text()})
		}
	}
	r.Body = d.bytes(d.uvarint())
	return r
}

// putAll encodes records that follow each other; the first position stands apart.
func putAll(b []byte, all []Record) []byte {
	before := all[0].Seq
	for i := range all {
		b = all[i].put(b, before)
		before = all[i].Seq
	}
	return b
}

// readAll reads what putAll wrote.
func readAll(b []byte, first uint64, n int) ([]Record, error) {
	d := decoder{b: b}
	all := make([]Record, 0, min(n, len(b)))
	for range n {
		r := d.record(first)
		if d.err != nil {
			return nil, d.err
		}
		first = r.Seq
		all = append(all, r)
	}
	return all, nil
}
