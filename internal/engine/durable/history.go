package durable

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

const factFormat = 1

// Chunk is the facts that one step left.
type Chunk struct {
	Seq   int64
	Facts []engine.Fact
}

// History reads the facts of a run from a chunk on, at most limit chunks.
func History(ctx context.Context, q db.Querier, run state.Key, from int64, limit int) ([]Chunk, error) {
	rows, err := q.Query(ctx, "SELECT seq, data FROM engine_history WHERE run = ? AND seq >= ? ORDER BY seq LIMIT ?", int64(run), from, limit)
	return db.Scan(rows, err, func(r scanner) (Chunk, error) {
		var c Chunk
		var data []byte
		if err := r.Scan(&c.Seq, &data); err != nil {
			return c, err
		}
		var err error
		c.Facts, err = decodeFacts(run, data)
		return c, err
	})
}

// encodeFacts writes facts as a format byte, a start time in microseconds and
// per fact its kind, time since the start, node, key relative to the run's,
// text and data.
func encodeFacts(run state.Key, facts []engine.Fact) []byte {
	b := make([]byte, 0, 16+24*len(facts))
	b = append(b, factFormat)
	start := facts[0].Time.UnixMicro()
	b = binary.AppendVarint(b, start)
	for i := range facts {
		f := &facts[i]
		b = append(b, byte(f.Kind))
		b = binary.AppendVarint(b, f.Time.UnixMicro()-start)
		b = binary.AppendVarint(b, int64(f.Node))
		b = binary.AppendVarint(b, int64(f.Key-run))
		b = binary.AppendUvarint(b, uint64(len(f.Text)))
		b = append(b, f.Text...)
		b = binary.AppendUvarint(b, uint64(len(f.Data)))
		b = append(b, f.Data...)
	}
	return b
}

var errDamaged = errors.New("a piece of history is damaged")

type factReader struct {
	rest []byte
	bad  bool
}

func (r *factReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *factReader) bytes() []byte {
	n, k := binary.Uvarint(r.rest)
	if k <= 0 || n > uint64(len(r.rest)-k) {
		r.bad, r.rest = true, nil
		return nil
	}
	v := r.rest[k : k+int(n)]
	r.rest = r.rest[k+int(n):]
	return v
}

func decodeFacts(run state.Key, data []byte) ([]engine.Fact, error) {
	if len(data) == 0 {
		return nil, errDamaged
	}
	if data[0] != factFormat {
		return nil, fmt.Errorf("%w: unknown format %d", errDamaged, data[0])
	}
	r := &factReader{rest: data[1:]}
	start := r.varint()
	var facts []engine.Fact
	for len(r.rest) > 0 && !r.bad {
		f := engine.Fact{Kind: engine.FactKind(r.rest[0])}
		r.rest = r.rest[1:]
		f.Time = time.UnixMicro(start + r.varint()).UTC()
		f.Node = int32(r.varint())
		f.Key = run + state.Key(r.varint())
		f.Text = string(r.bytes())
		if d := r.bytes(); len(d) > 0 {
			f.Data = append([]byte(nil), d...)
		}
		facts = append(facts, f)
	}
	if r.bad {
		return nil, errDamaged
	}
	return facts, nil
}
