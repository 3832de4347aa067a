package durable

import (
	"context"
	"encoding/binary"
	"fmt"

	"sextant/internal/engine"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

const (
	headerRec    = 0 // number of the record that names the program
	headerKind   = 255
	headerFormat = 1

	insertRecord  = "INSERT INTO engine_record (run, rec, kind, data) VALUES (?, ?, ?, ?)"
	deleteRun     = "DELETE FROM engine_record WHERE run = ?"
	insertHistory = "INSERT INTO engine_history (run, seq, data) VALUES (?, ?, ?)"
)

func recordColumns() []string { return []string{"run", "rec", "kind", "data"} }

// write is everything that one step stores, encoded outside the transaction.
type write struct {
	host    *Host
	run     *run
	header  bool
	ended   bool
	changes []state.Change
	history []byte
	seq     int64
	birth   *birth
	change  Change
}

func (s *shard) write(r *run, res engine.Result) *write {
	w := &write{host: s.host, run: r, seq: r.seq, ended: r.state.Root() == nil, birth: r.birth}
	r.birth = nil
	w.changes = r.state.Drain()
	if len(res.Facts) > 0 {
		w.history = encodeFacts(r.key, res.Facts)
		r.seq++
	}
	now := s.host.deps.Clock.Now()
	if len(res.Facts) > 0 {
		now = res.Facts[0].Time
	}
	w.change = Change{Run: r.key, Program: r.program, Now: now, Seq: w.seq, Result: res}
	return w
}

func (w *write) store(tx *db.Tx) error {
	run := int64(w.run.key)
	if b := w.birth; b != nil {
		if err := w.host.deps.Calls.Begin(tx, b.call, b.called, w.change.Now); err != nil {
			return err
		}
	}
	switch {
	case w.ended && !w.header:
		if err := tx.Remove(deleteRun, run); err != nil {
			return err
		}
	case !w.ended:
		if err := w.records(tx); err != nil {
			return err
		}
	}
	if w.history != nil {
		if err := tx.Append(insertHistory, run, w.seq, w.history); err != nil {
			return err
		}
	}
	if p := w.host.deps.Projector; p != nil {
		return p.Project(tx, &w.change)
	}
	return nil
}

func (w *write) records(tx *db.Tx) error {
	run := int64(w.run.key)
	if w.header {
		data := binary.AppendVarint([]byte{headerFormat}, w.run.programKey)
		if err := tx.Append(insertRecord, run, headerRec, headerKind, data); err != nil {
			return err
		}
	} else if len(w.changes) > 0 {
		if err := tx.Settle(insertRecord, run); err != nil {
			return err
		}
	}
	for _, c := range w.changes {
		var err error
		switch {
		case c.Data == nil:
			err = tx.Drop("engine_record", recordColumns(), run, int64(c.Key))
		case w.header:
			err = tx.Append(insertRecord, run, int64(c.Key), int(c.Kind), c.Data)
		default:
			err = tx.Put("engine_record", recordColumns(), run, int64(c.Key), int(c.Kind), c.Data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type row struct {
	run, rec int64
	kind     int
	data     []byte
}

func scanRow(r scanner) (row, error) {
	var v row
	return v, r.Scan(&v.run, &v.rec, &v.kind, &v.data)
}

// recover loads every active run, but for those that are set aside. One that
// cannot be loaded is set aside too: the others go on.
func (h *Host) recover(ctx context.Context) error {
	if err := h.readHeld(ctx); err != nil {
		return err
	}
	rows, err := h.deps.DB.Query(ctx, "SELECT run, rec, kind, data FROM engine_record ORDER BY run, rec")
	all, err := db.Scan(rows, err, scanRow)
	if err != nil {
		return fmt.Errorf("read the active runs: %w", err)
	}
	seqs, err := h.sequences(ctx)
	if err != nil {
		return err
	}
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].run == all[0].run {
			n++
		}
		if err := h.take(all[:n], seqs[all[0].run]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func (h *Host) sequences(ctx context.Context) (map[int64]int64, error) {
	rows, err := h.deps.DB.Query(ctx, "SELECT h.run, MAX(h.seq) FROM engine_history h "+
		"JOIN engine_record r ON r.run = h.run AND r.rec = 0 GROUP BY h.run")
	seqs := map[int64]int64{}
	_, err = db.Scan(rows, err, func(r scanner) (struct{}, error) {
		var run, seq int64
		err := r.Scan(&run, &seq)
		seqs[run] = seq + 1
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read how far the histories are: %w", err)
	}
	return seqs, nil
}

// load reads one run back.
func (h *Host) load(ctx context.Context, key state.Key) (*run, error) {
	rows, err := h.deps.DB.Query(ctx, "SELECT run, rec, kind, data FROM engine_record WHERE run = ? ORDER BY rec", int64(key))
	all, err := db.Scan(rows, err, scanRow)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNoRun
	}
	r, err := h.assemble(all)
	if err != nil {
		return nil, err
	}
	err = h.deps.DB.QueryRow(ctx, "SELECT COALESCE(MAX(seq) + 1, 0) FROM engine_history WHERE run = ?", int64(key)).Scan(&r.seq)
	return r, err
}

func (h *Host) assemble(rows []row) (*run, error) {
	key := state.Key(rows[0].run)
	r := &run{key: key}
	records := make([]state.Record, 0, len(rows))
	for _, row := range rows {
		if row.rec == headerRec {
			if len(row.data) < 2 || row.data[0] != headerFormat {
				return nil, fmt.Errorf("run %d: its header was written by a newer version", key)
			}
			r.programKey, _ = binary.Varint(row.data[1:])
			continue
		}
		records = append(records, state.Record{Key: state.Key(row.rec), Kind: state.RecordKind(row.kind), Data: row.data})
	}
	var err error
	if r.program, err = h.deps.Programs(r.programKey); err != nil {
		return nil, fmt.Errorf("run %d: %w", key, err)
	}
	if r.state, err = state.Load(key, records); err != nil {
		return nil, fmt.Errorf("run %d: %w", key, err)
	}
	r.caller = r.state.Caller()
	if engine.Unfinished(r.program, r.state) {
		r.turn = &engine.Turn{}
	}
	return r, nil
}
