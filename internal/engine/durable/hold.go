package durable

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Why a run is set aside: the kinds of its incident. What is damaged is tried
// again at every start, everything else waits for a person.
const (
	HeldPoison   = "engine.quarantined"
	HeldDamaged  = "engine.damaged"
	heldDropped  = "engine.dropped" // asked for while the server was stopped
	maxHeldText  = 2000
	stackMessage = "\n"
)

// hold is a run that is set aside: its records stay, it is not in memory, and one
// incident tells. Resolving the incident takes it up, a cancel ends it.
type hold struct {
	kind, message string
	incident      state.Key // 0 until it has been told
}

// holds are the runs that are set aside.
type holds struct {
	mu  sync.RWMutex
	all map[state.Key]hold
}

func (h *holds) get(run state.Key) (hold, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	v, ok := h.all[run]
	return v, ok
}

func (h *holds) put(run state.Key, v hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[state.Key]hold{}
	}
	h.all[run] = v
}

func (h *holds) drop(run state.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, run)
}

// absent says why a run is not in memory.
func (h *Host) absent(run state.Key) error {
	v, ok := h.held.get(run)
	switch {
	case !ok && h.closed.Load(): // it may be one that could not be read back
		return errStopping()
	case !ok:
		return ErrNoRun
	}
	return errs.New(errs.Conflict, "engine.held", "the run %d is set aside (%s): retry its incident to take it up, or cancel it", run, v.kind)
}

// readHeld reads which runs are set aside, and adds those that killed the last
// two processes.
func (h *Host) readHeld(ctx context.Context) error {
	rows, err := h.deps.DB.Query(ctx, "SELECT run, kind, message, incident FROM engine_held ORDER BY run")
	_, err = db.Scan(rows, err, func(r scanner) (struct{}, error) {
		var key, incident int64
		var v hold
		err := r.Scan(&key, &v.kind, &v.message, &incident)
		v.incident = state.Key(incident)
		h.held.put(state.Key(key), v)
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("read the runs that are set aside: %w", err)
	}
	if h.marks == nil {
		return nil
	}
	for _, m := range h.marks.killers {
		if _, known := h.held.get(m.run); !known {
			h.held.put(m.run, hold{kind: HeldPoison,
				message: "the server died twice while it worked on this run: look at what it does, then retry to take it up, or cancel it"})
		}
	}
	return nil
}

// take loads a run from its records, or sets it aside. Its error is that of a database
// that is away.
func (h *Host) take(rows []row, seq int64) error {
	key := state.Key(rows[0].run)
	v, held := h.held.get(key)
	if held && v.kind != HeldDamaged {
		return nil
	}
	shard := h.shards[ShardOf(key)]
	h.marks.at(shard.keys.shard, &run{key: key, seq: seq})
	r, err := h.assemble(rows)
	h.marks.clear(shard.keys.shard)
	if db.Unasked(err) {
		return err
	}
	if err != nil {
		h.deps.Log.Error("a run cannot be loaded and is set aside", "run", key, "err", err)
		h.held.put(key, hold{kind: HeldDamaged, message: err.Error(), incident: v.incident})
		return nil
	}
	r.seq = seq
	shard.keep(r)
	return nil
}

// settleHolds tells of the runs that this start has set aside, of those that load
// again, and ends those that were dropped while the server was stopped.
func (h *Host) settleHolds(ctx context.Context) {
	h.held.mu.RLock()
	var all []state.Key
	for key := range h.held.all {
		all = append(all, key)
	}
	h.held.mu.RUnlock()
	for _, key := range all {
		v, _ := h.held.get(key)
		var err error
		switch {
		case v.kind == heldDropped:
			err = h.end(ctx, key, v.message, nil)
		case h.shards[ShardOf(key)].runs[key] != nil: // whole again
			err = h.forget(ctx, key, v, nil)
		case v.incident == 0:
			err = h.hold(ctx, key, v)
		}
		if err != nil {
			h.deps.Log.Error("what is known of a run that is set aside cannot be stored", "run", key, "err", err)
		}
	}
}

// holdSoon sets a run aside from within a shard's loop.
func (h *Host) holdSoon(key state.Key, kind string, why error) {
	h.deps.Log.Error("a run is set aside; the others go on", "run", key, "kind", kind, "err", why)
	message, _, _ := strings.Cut(why.Error(), stackMessage)
	v := hold{kind: kind, message: message}
	h.held.put(key, v)
	h.wg.Go(func() {
		if err := h.hold(context.Background(), key, v); err != nil {
			h.deps.Log.Error("what is known of a run that is set aside cannot be stored", "run", key, "err", err)
		}
	})
}

// hold stores that a run is set aside, with its incident.
func (h *Host) hold(ctx context.Context, key state.Key, v hold) error {
	v.incident = h.shards[ShardOf(key)].keys.take()
	if len(v.message) > maxHeldText {
		v.message = strings.ToValidUTF8(v.message[:maxHeldText], "") + "…"
	}
	return h.deps.DB.Do(ctx, func(tx *db.Tx) error {
		tx.AfterCommit(func() { h.held.put(key, v) }) // before anybody hears of the incident
		if err := putHeld(tx, key, v, clock.Micros(h.deps.Clock.Now())); err != nil {
			return err
		}
		return h.tell(tx, key, engine.Effect{Kind: engine.IncidentRaised, Key: v.incident, Element: key,
			Incident: state.Incident{Key: v.incident, Kind: v.kind, Message: v.message, Since: h.deps.Clock.Now()}})
	})
}

func putHeld(tx *db.Tx, key state.Key, v hold, since int64) error {
	return tx.Upsert("engine_held", 1, []string{"run", "kind", "message", "incident", "since"},
		int64(key), v.kind, v.message, int64(v.incident), since)
}

// tell hands the read side an effect on a run that is not in memory.
func (h *Host) tell(tx *db.Tx, key state.Key, e engine.Effect) error {
	if h.deps.Projector == nil {
		return nil
	}
	return h.deps.Projector.Project(tx,
		&Change{Run: key, Program: noProgram, Now: h.deps.Clock.Now(), Result: engine.Result{Effects: []engine.Effect{e}}})
}

// noProgram stands for that of a run which is not loaded: all that is told of is
// the process as a whole.
var noProgram = &program.Program{Nodes: []*program.Node{{Kind: program.Process}}}

// applyHeld does what is possible with a run that is set aside.
func (h *Host) applyHeld(ctx context.Context, key state.Key, v hold, ev engine.Event, with func(*db.Tx) error) error {
	switch e := ev.(type) {
	case engine.Cancel:
		return h.end(ctx, key, e.Reason, with)
	case engine.Resolve:
		if v.incident != 0 && e.Incident == v.incident {
			return h.free(ctx, key, v, with)
		}
	}
	return h.absent(key)
}

// end ends a run that is set aside, without its program and its state.
func (h *Host) end(ctx context.Context, key state.Key, reason string, with func(*db.Tx) error) error {
	err := h.deps.DB.Do(ctx, func(tx *db.Tx) error {
		if err := h.endIn(tx, key, reason); err != nil || with == nil {
			return err
		}
		return with(tx)
	})
	if err == nil {
		h.held.drop(key)
		h.shards[ShardOf(key)].push(command{run: key, dropped: true})
	}
	return err
}

// endIn is end within a write.
func (h *Host) endIn(tx *db.Tx, key state.Key, reason string) error {
	for _, statement := range []string{deleteRun, "DELETE FROM engine_held WHERE run = ?"} {
		if _, err := tx.Exec(statement, int64(key)); err != nil {
			return err
		}
	}
	var seq int64
	if err := tx.QueryRow(context.Background(), "SELECT COALESCE(MAX(seq) + 1, 0) FROM engine_history WHERE run = ?", int64(key)).
		Scan(&seq); err != nil {
		return err
	}
	facts := []engine.Fact{{Kind: engine.FactEnded, Time: h.deps.Clock.Now(), Key: key, Text: engine.Cancelled}}
	if _, err := tx.Exec(insertHistory, int64(key), seq, encodeFacts(key, facts)); err != nil {
		return err
	}
	return h.tell(tx, key, engine.Effect{Kind: engine.RunEnded, Key: key, State: engine.Cancelled, Code: reason})
}

// free takes a run up that was set aside.
func (h *Host) free(ctx context.Context, key state.Key, v hold, with func(*db.Tx) error) error {
	shard := h.shards[ShardOf(key)]
	r, err := h.load(ctx, key)
	if db.Unasked(err) {
		return db.Translate(err)
	}
	if err != nil {
		return errs.Wrap(err, errs.Conflict, "engine.damaged", "the run cannot be loaded: "+
			err.Error()+"; restore what is missing from a backup, or cancel the run")
	}
	if err := h.forget(ctx, key, v, with); err != nil {
		return err
	}
	shard.push(command{run: key, adopt: r, recovered: true})
	return nil
}

// forget stores that a run is no longer set aside.
func (h *Host) forget(ctx context.Context, key state.Key, v hold, with func(*db.Tx) error) error {
	err := h.deps.DB.Do(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec("DELETE FROM engine_held WHERE run = ?", int64(key))
		if err != nil {
			return err
		}
		if n == 0 {
			return engine.ErrGone // somebody else was faster
		}
		if err := h.tell(tx, key, engine.Effect{Kind: engine.IncidentGone, Key: v.incident, Element: key}); err != nil || with == nil {
			return err
		}
		return with(tx)
	})
	if err == nil {
		h.held.drop(key)
	}
	return err
}

// Quarantine sets a run aside in the database of a server that is stopped, or has
// its next start end it.
func Quarantine(ctx context.Context, d *db.DB, c clock.Clock, key state.Key, reason string, drop bool) error {
	v := hold{kind: HeldPoison, message: reason}
	if drop {
		v.kind = heldDropped
	}
	return d.Do(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM engine_record WHERE run = ? AND rec = ?", int64(key), headerRec).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return ErrNoRun
		}
		if v.kind == HeldPoison { // one that is set aside already keeps its incident
			var incident int64
			err := tx.QueryRow(ctx, "SELECT COALESCE(MAX(incident), 0) FROM engine_held WHERE run = ?", int64(key)).Scan(&incident)
			if err != nil {
				return err
			}
			v.incident = state.Key(incident)
		}
		return putHeld(tx, key, v, clock.Micros(c.Now()))
	})
}
