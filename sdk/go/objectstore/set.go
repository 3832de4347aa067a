package objectstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// maxFaults is how many faults of a set are told.
const maxFaults = 1000

// SetError tells all that is wrong with a set of changes.
type SetError struct{ all []wire.Fault }

// Error lists the faults.
func (e *SetError) Error() string {
	lines := make([]string, 0, len(e.all))
	for _, f := range e.all {
		lines = append(lines, strings.Trim(fmt.Sprintf("[%d].%s", f.Index, f.Attr), ".")+": "+f.Message)
	}
	return "the changes are not possible: " + strings.Join(lines, "; ")
}

// Faults lists them by change.
func (e *SetError) Faults() []wire.Fault { return e.all }

// NewSetError makes an error of faults; nil where there are none.
func NewSetError(all []wire.Fault) error {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b wire.Fault) int { return a.Index - b.Index })
	if more := len(all) - maxFaults; more > 0 {
		all = all[:maxFaults]
		all[maxFaults-1].Message += fmt.Sprintf(" (%d more problems follow: mend these first)", more)
	}
	return &SetError{all}
}

// errDry undoes what a dry run did.
var errDry = errors.New("dry run")

// Change makes a set of changes, all or none.
func (s *Store) Change(ctx context.Context, set wire.ChangeSet, by plugin.By) (wire.Changed, error) {
	var out wire.Changed
	err := s.Do(ctx, by, func(tx *Tx) (err error) {
		if out.Results, err = tx.Apply(ctx, set.Changes, set.Rows); err == nil && set.DryRun {
			err = errDry
		}
		return err
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return out, err
}

// Apply makes changes in order and tells of all that is wrong, not of the first
// fault alone. References among the changes may come in any order; a fault that
// only follows another is left out.
func (t *Tx) Apply(ctx context.Context, changes []wire.Change, rows bool) ([]wire.Result, error) {
	out := make([]wire.Result, len(changes))
	var faults []wire.Fault
	failed := map[[2]string]bool{}
	shapes := map[string]*shape{}
	for i, c := range changes {
		def := shapes[c.Type]
		var err error
		if def == nil {
			if def, err = t.resolve(ctx, c.Type); err == nil {
				shapes[c.Type] = def
			}
		}
		if err == nil {
			out[i], err = t.one(ctx, def, c, place{row: i})
		}
		found, err := faultsOf(i, err)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			faults = append(faults, found...)
			failed[[2]string{c.Type, text(c.Row[wire.AttrID])}] = true
		}
		if !rows {
			out[i].Row = nil
		}
	}
	for _, c := range t.checks {
		if failed[[2]string{c.typ, c.id}] {
			continue
		}
		fault, err := t.holds(ctx, c)
		if err != nil {
			return nil, err
		}
		if fault != nil {
			found, _ := faultsOf(c.from.place.row, fault) // a RowError is no other error
			faults = append(faults, found...)
		}
	}
	t.checks = nil
	return out, NewSetError(faults)
}

// faultsOf turns the error of a change into faults; other errors stay.
func faultsOf(i int, err error) ([]wire.Fault, error) {
	var row *RowError
	var refused *plugin.Error
	switch {
	case errors.As(err, &row):
		var out []wire.Fault
		for attr, message := range row.At {
			out = append(out, wire.Fault{Index: i, Attr: attr, Code: row.Code, Message: message})
		}
		slices.SortFunc(out, func(a, b wire.Fault) int { return strings.Compare(a.Attr, b.Attr) })
		return out, nil
	case errors.As(err, &refused):
		return []wire.Fault{{Index: i, Code: refused.Code, Message: refused.Error()}}, nil
	}
	return nil, err
}

// one makes one change.
func (t *Tx) one(ctx context.Context, def *shape, c wire.Change, p place) (wire.Result, error) {
	id := text(c.Row[wire.AttrID])
	if c.Op == wire.OpCreate {
		made, err := t.create(ctx, def, c.Row, p)
		if err != nil {
			return wire.Result{}, err
		}
		return result(made, Created), nil
	}
	before, version, err := t.load(ctx, def, id)
	if err != nil {
		return wire.Result{}, err
	}
	if before == nil {
		return wire.Result{}, t.missing(def.Type, id)
	}
	whole := change{t: def, id: id, version: version, before: before, after: c.Row, place: p}
	switch c.Op {
	case wire.OpUpdate:
		row, effect, err := t.update(ctx, whole)
		if err != nil {
			return wire.Result{}, err
		}
		return result(row, effect), nil
	case wire.OpDelete:
		if err := whole.expected(c.Row); err != nil {
			return wire.Result{}, err
		}
		whole.after, whole.op, whole.version = nil, deleted, version+1
		return wire.Result{ID: id, Effect: string(deleted), Version: whole.version}, t.store(ctx, whole)
	}
	return wire.Result{}, plugin.Fail("object.operation", fmt.Sprintf("the operation %q is none of create, update and delete", c.Op))
}

func result(row wire.Row, effect Effect) wire.Result {
	var version int64
	_ = json.Unmarshal(row[wire.AttrVersion], &version) // a number, made here
	return wire.Result{ID: text(row[wire.AttrID]), Effect: string(effect), Version: version, Row: row}
}

// Entries reads the outbox: what was stored after an entry, in order, and the
// number of the last one there is.
func (s *Store) Entries(ctx context.Context, after int64, limit int) ([]wire.Entry, int64, error) {
	var last int64
	if err := s.db.QueryRowContext(ctx, "SELECT COALESCE(MAX(seq), 0) FROM object_history").Scan(&last); err != nil ||
		limit == 0 || after >= last {
		return nil, last, err
	}
	rows, err := s.db.QueryContext(ctx,
		`SELECT h.seq, h.type, h.id, h.version, h.time, h.operator, h.run, h.op, h.project, h.environment, h.diff, COALESCE(o.note, '')
		FROM object_history h LEFT JOIN object_origin o ON o.id = h.origin WHERE h.seq > ? ORDER BY h.seq LIMIT ?`, after, limit)
	found, err := scan(rows, err, outboxEntry)
	size := 0
	for i, e := range found {
		for _, side := range []wire.Row{e.Before, e.After} {
			for _, v := range side {
				size += len(v)
			}
		}
		if i > 0 && size > maxBytes {
			return found[:i], last, err
		}
	}
	return found, last, err
}

func outboxEntry(r *sql.Rows) (wire.Entry, error) {
	var e wire.Entry
	var at int64
	var diff []byte
	if err := r.Scan(&e.Seq, &e.Type, &e.ID, &e.Version, &at, &e.Operator,
		&e.Run, &e.Op, &e.Project, &e.Environment, &diff, &e.Change); err != nil {
		return e, err
	}
	e.Time = time.UnixMicro(at).UTC()
	var all map[string]Diff
	if err := json.Unmarshal(diff, &all); err != nil {
		return e, err
	}
	e.Before, e.After = wire.Row{}, wire.Row{}
	for name, d := range all {
		switch attr := strings.TrimSuffix(name, wire.ObservedSuffix); d.Apart {
		case drifted:
			e.Drifted = append(e.Drifted, attr)
		case settled:
			e.Settled = append(e.Settled, attr)
		}
		if d.Secret {
			e.Secret = append(e.Secret, name)
			continue
		}
		if !isNull(d.From) {
			e.Before[name] = d.From
		}
		if !isNull(d.To) {
			e.After[name] = d.To
		}
	}
	slices.Sort(e.Secret)
	for _, names := range []*[]string{&e.Drifted, &e.Settled} { // both sides of one may have changed
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return e, nil
}
