package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The first byte of every record is its format; a record of another one is refused
// rather than misread. An element is written in the second only where it has what
// the first has no place for.
const (
	formatV1 = 1
	formatV2 = 2 // elements: the first, and after it what scopes and waits have besides
	formatV3 = 3 // elements: the second, and after it calls
)

// ErrFormat is returned for a record that cannot be read.
var ErrFormat = errors.New("stored record cannot be read")

// Writer appends the parts of a record.
type Writer struct{ buf []byte }

// NewWriter starts a record with its format byte.
func NewWriter() *Writer { return &Writer{buf: append(make([]byte, 0, 64), formatV1)} }

// Int appends a signed number.
func (w *Writer) Int(n int64) { w.buf = binary.AppendVarint(w.buf, n) }

// Bytes appends a length and bytes.
func (w *Writer) Bytes(b []byte) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(b)))
	w.buf = append(w.buf, b...)
}

// String appends a length and text.
func (w *Writer) String(s string) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

// Bool appends a truth value.
func (w *Writer) Bool(b bool) {
	if b {
		w.buf = append(w.buf, 1)
		return
	}
	w.buf = append(w.buf, 0)
}

// Time appends a time in microseconds; the zero time is 0.
func (w *Writer) Time(t time.Time) {
	if t.IsZero() {
		w.Int(0)
		return
	}
	w.Int(t.UnixMicro())
}

// Data is the record.
func (w *Writer) Data() []byte { return w.buf }

// Reader takes a record apart. After the first fault every call gives zero
// values and Err tells.
type Reader struct {
	buf    []byte
	format byte
	err    error
}

// NewReader checks the format byte.
func NewReader(data []byte) *Reader { return newReader(data, formatV1) }

// newReader reads formats up to the one that is the newest of a kind of record.
func newReader(data []byte, newest byte) *Reader {
	if len(data) == 0 || data[0] < formatV1 || data[0] > newest {
		return &Reader{err: fmt.Errorf("%w: unknown format", ErrFormat)}
	}
	return &Reader{buf: data[1:], format: data[0]}
}

// Int reads a signed number.
func (r *Reader) Int() int64 {
	n, size := binary.Varint(r.buf)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

// Bytes reads bytes; they are a copy.
func (r *Reader) Bytes() []byte {
	n, size := binary.Uvarint(r.buf)
	if size <= 0 || n > uint64(len(r.buf)-size) {
		r.fail()
		return nil
	}
	b := append([]byte(nil), r.buf[size:size+int(n)]...)
	r.buf = r.buf[size+int(n):]
	return b
}

// String reads a text.
func (r *Reader) String() string { return string(r.Bytes()) }

// Bool reads a truth value.
func (r *Reader) Bool() bool {
	if len(r.buf) == 0 {
		r.fail()
		return false
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b == 1
}

// Time reads a time.
func (r *Reader) Time() time.Time {
	us := r.Int()
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Len reads a length that cannot pass what is left.
func (r *Reader) Len() int {
	n := r.Int()
	if n < 0 || n > int64(len(r.buf)) {
		r.fail()
		return 0
	}
	return int(n)
}

// More reports whether something is left to read.
func (r *Reader) More() bool { return r.err == nil && len(r.buf) > 0 }

// Err is the first fault, or nil.
func (r *Reader) Err() error { return r.err }

func (r *Reader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: it is cut short", ErrFormat)
	}
	r.buf = nil
}

// encodeRoot adds to the process what the run has used; records from before have
// nothing there.
func encodeRoot(e *Element, facts int) []byte {
	w := &Writer{encodeElement(e)}
	w.Int(int64(facts))
	return w.Data()
}

func encodeElement(e *Element) []byte {
	w := NewWriter()
	w.Int(int64(e.Parent))
	w.Int(int64(e.Node))
	w.Int(int64(e.Phase))
	w.Bool(e.Body)
	w.Int(int64(e.Index))
	w.Int(int64(e.Children))
	w.Int(int64(e.Tokens))
	w.Bool(e.Human)
	w.Int(int64(len(e.Joins)))
	for _, j := range e.Joins {
		w.Int(int64(j.Flow))
		w.Int(int64(j.Count))
	}
	w.Int(int64(len(e.Timers)))
	for _, t := range e.Timers {
		encodeTimer(w, t)
	}
	w.Bool(e.Loop != nil)
	if e.Loop != nil {
		w.Int(int64(e.Loop.Total))
		w.Int(int64(e.Loop.Started))
		w.Int(int64(e.Loop.Completed))
	}
	w.Bool(e.Job != nil)
	if e.Job != nil {
		encodeJob(w, e.Job)
	}
	w.Bool(e.Incident != nil)
	if e.Incident != nil {
		w.Int(int64(e.Incident.Key))
		w.String(e.Incident.Kind)
		w.String(e.Incident.Message)
		w.Time(e.Incident.Since)
	}
	calls := e.Call != nil || e.Caller != nil
	if calls || e.Interrupted || e.Start != 0 || len(e.Subscriptions) > 0 {
		w.buf[0] = formatV2
		w.Bool(e.Interrupted)
		w.Int(int64(e.Start))
		w.Int(int64(len(e.Subscriptions)))
		for _, s := range e.Subscriptions {
			w.Int(int64(s.Key))
			w.Int(int64(s.Node))
			w.Bool(s.Signal)
			w.String(s.Name)
			w.String(s.Correlation)
		}
	}
	if calls {
		w.buf[0] = formatV3
		encodeCalls(w, e)
	}
	return w.Data()
}

func encodeCalls(w *Writer, e *Element) {
	w.Bool(e.Call != nil)
	if e.Call != nil {
		w.Int(int64(e.Call.Run))
		w.String(e.Call.Process)
		w.Bool(e.Call.Begun)
	}
	w.Bool(e.Caller != nil)
	if e.Caller != nil {
		w.Int(int64(e.Caller.Run))
		w.Int(int64(e.Caller.Element))
		w.Int(int64(e.Caller.Depth))
	}
}

func encodeTimer(w *Writer, t Timer) {
	w.Int(int64(t.Key))
	w.Int(int64(t.Node))
	w.Time(t.Due)
	w.Int(int64(t.Repeat))
	w.String(t.Every)
}

func encodeJob(w *Writer, j *Job) {
	w.Int(int64(j.Key))
	w.String(j.Type)
	w.Int(int64(j.Retries))
	w.Int(int64(j.Round))
	w.Time(j.NotBefore)
	w.Bytes(j.Override)
}

func decodeElement(key Key, data []byte) (e *Element, facts int, err error) {
	r := newReader(data, formatV3)
	e = &Element{Key: key, Parent: Key(r.Int()), Node: int32(r.Int()), Phase: Phase(r.Int()), Body: r.Bool(),
		Index: int32(r.Int()), Children: int32(r.Int()), Tokens: int32(r.Int()), Human: r.Bool()}
	for range r.Len() {
		e.Joins = append(e.Joins, Join{int32(r.Int()), int32(r.Int())})
	}
	for range r.Len() {
		e.Timers = append(e.Timers, Timer{Key(r.Int()), int32(r.Int()), r.Time(), int32(r.Int()), r.String()})
	}
	if r.Bool() {
		e.Loop = &LoopState{int32(r.Int()), int32(r.Int()), int32(r.Int())}
	}
	if r.Bool() {
		e.Job = &Job{Key: Key(r.Int()), Type: r.String(), Retries: int32(r.Int()),
			Round: int32(r.Int()), NotBefore: r.Time(), Override: r.Bytes()}
	}
	if r.Bool() {
		e.Incident = &Incident{Key(r.Int()), r.String(), r.String(), r.Time()}
	}
	if r.format >= formatV2 {
		e.Interrupted, e.Start = r.Bool(), int32(r.Int())
		for range r.Len() {
			e.Subscriptions = append(e.Subscriptions, Subscription{Key(r.Int()), int32(r.Int()), r.Bool(), r.String(), r.String()})
		}
	}
	if r.format >= formatV3 {
		if r.Bool() {
			e.Call = &Call{Key(r.Int()), r.String(), r.Bool()}
		}
		if r.Bool() {
			e.Caller = &Caller{Key(r.Int()), Key(r.Int()), int32(r.Int())}
		}
	}
	if e.Parent == 0 && r.More() {
		facts = int(r.Int())
	}
	return e, facts, r.Err()
}

func encodeVariable(v *Variable) []byte {
	w := NewWriter()
	w.Int(int64(v.Scope))
	w.String(v.Name)
	w.Bytes(v.Value)
	return w.Data()
}

func decodeVariable(key Key, data []byte) (*Variable, error) {
	r := NewReader(data)
	v := &Variable{Key: key, Scope: Key(r.Int()), Name: r.String(), Value: r.Bytes()}
	return v, r.Err()
}

func encodeOutput(o *Output) []byte {
	w := NewWriter()
	w.Int(int64(o.Body))
	w.Int(int64(o.Index))
	w.Bytes(o.Value)
	return w.Data()
}

func decodeOutput(key Key, data []byte) (*Output, error) {
	r := NewReader(data)
	o := &Output{Key: key, Body: Key(r.Int()), Index: int32(r.Int()), Value: r.Bytes()}
	return o, r.Err()
}
