package cmdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// store answers for the objects of all types. Whoever works with objects holds mu
// for reading, whoever changes definitions for writing: a definition never changes
// while an object is checked against it.
type store struct {
	rows   *objectstore.Store
	mu     sync.RWMutex
	model  model
	marked string
}

func (s *store) open(ctx context.Context, on *plugin.Host) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	find := func(ctx context.Context, typ string) (wire.ObjectType, bool, error) { return s.model.find(ctx, typ) }
	var err error
	if s.rows, err = objectstore.Open(ctx, on, name, find); err != nil {
		return err
	}
	err = s.rows.Do(ctx, plugin.By{}, func(tx *objectstore.Tx) error {
		m, faults, err := readModel(ctx, tx)
		for _, f := range faults {
			on.Log.WarnContext(ctx, "a definition is left out", "object", name+":"+f.typ+"/"+f.id, "reason", f.message)
		}
		s.take(m)
		return err
	})
	if err != nil {
		return err
	}
	return s.rows.Upgrade(ctx) // now that the types are known
}

// types lists the types that people have defined.
func (s *store) types(context.Context) ([]wire.ObjectType, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.model.all(), nil
}

// mark is another one whenever the types are.
func (s *store) mark() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.marked
}

// take makes a model hold.
func (s *store) take(m model) {
	sum := sha256.Sum256(wire.Raw(m.all()))
	s.model, s.marked = m, hex.EncodeToString(sum[:8])
}

// current refuses a change that was checked against other types than those that
// hold. Whoever calls it holds mu.
func (s *store) current(by plugin.By) error {
	if by.Model != "" && by.Model != s.marked {
		return plugin.ErrModel
	}
	return nil
}

// errDry undoes what a dry run did.
var errDry = errors.New("dry run")

// Change makes a set of changes, all or none. Definitions come first and hold for
// the objects of the set.
func (s *store) Change(ctx context.Context, set wire.ChangeSet, by plugin.By) (wire.Changed, error) {
	out := wire.Changed{Results: make([]wire.Result, len(set.Changes))}
	parts, err := divide(set.Changes)
	if err != nil {
		return out, err
	}
	if len(parts.definitions) == 0 {
		s.mu.RLock()
		defer s.mu.RUnlock()
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	if err := s.current(by); err != nil {
		return out, err
	}
	made := s.model
	err = s.rows.Do(ctx, by, func(tx *objectstore.Tx) (err error) {
		if made, err = s.define1(ctx, tx, parts, &out); err != nil {
			return err
		}
		if err := parts.apply(ctx, tx, parts.objects, set.Rows, &out); err != nil {
			return err
		}
		if set.DryRun {
			return errDry
		}
		return nil
	})
	if set.Model {
		out.Model = made.all()
	}
	if errors.Is(err, errDry) {
		return out, nil
	}
	if err == nil && len(parts.definitions) > 0 {
		s.take(made)
	}
	return out, err
}

// Entries reads the outbox.
func (s *store) Entries(ctx context.Context, after int64, limit int) ([]wire.Entry, int64, error) {
	return s.rows.Entries(ctx, after, limit)
}

// parted is a set of changes, divided into definitions and objects; both are
// places in the set.
type parted struct {
	all                  []wire.Change
	definitions, objects []int
}

func divide(changes []wire.Change) (parted, error) {
	p := parted{all: slices.Clone(changes)}
	var faults []wire.Fault
	for i, c := range p.all {
		switch {
		case c.Type == typeHistory:
			faults = append(faults, wire.Fault{Index: i, Code: "cmdb.history_read_only", Message: errReadOnly().Error()})
		case !definition(c.Type):
			p.objects = append(p.objects, i)
		default:
			p.definitions = append(p.definitions, i)
			row, wrong := prepared(c)
			p.all[i].Row = row
			if wrong != "" {
				faults = append(faults, wire.Fault{Index: i, Attr: wire.AttrID, Message: wrong})
			}
		}
	}
	return p, objectstore.NewSetError(faults)
}

// apply makes those changes of a set that stand at the given places.
func (p parted) apply(ctx context.Context, tx *objectstore.Tx, at []int, rows bool, out *wire.Changed) error {
	some := make([]wire.Change, len(at))
	for i, place := range at {
		some[i] = p.all[place]
	}
	done, err := tx.Apply(ctx, some, rows)
	var wrong plugin.SetFaults
	if errors.As(err, &wrong) {
		faults := slices.Clone(wrong.Faults())
		for i := range faults {
			faults[i].Index = at[faults[i].Index]
		}
		return objectstore.NewSetError(faults)
	}
	for i, r := range done {
		out.Results[at[i]] = r
	}
	return err
}

// define1 changes definitions and settles the model that follows from them.
func (s *store) define1(ctx context.Context, tx *objectstore.Tx, p parted, out *wire.Changed) (model, error) {
	if len(p.definitions) == 0 {
		return s.model, nil
	}
	if err := p.complete(ctx, tx); err != nil {
		return nil, err
	}
	if err := p.apply(ctx, tx, p.definitions, true, out); err != nil {
		return nil, err
	}
	m, faults, err := settle(ctx, tx, s.model)
	if err == nil && len(faults) > 0 {
		err = p.blame(faults)
	}
	return m, err
}

// complete gives new attributes that say nothing about it a place behind the
// others of their type, and removes the attributes of types that go.
func (p *parted) complete(ctx context.Context, tx *objectstore.Tx) error {
	last := map[string]int64{}
	for _, i := range p.definitions {
		c := p.all[i]
		id := text(c.Row[wire.AttrID])
		switch {
		case c.Op == wire.OpDelete && c.Type == typeType:
			if err := p.dropAttributes(ctx, tx, id); err != nil {
				return err
			}
		case c.Op == wire.OpCreate && c.Type == typeAttribute:
			of, _, _ := strings.Cut(id, ".")
			if _, known := last[of]; !known {
				n, err := lastPosition(ctx, tx, of)
				if err != nil {
					return err
				}
				last[of] = n
			}
			if _, given := c.Row["position"]; !given {
				c.Row["position"] = wire.Raw(last[of] + 1)
			}
			last[of] = max(last[of], number(c.Row["position"]))
		}
	}
	return nil
}

// lastPosition is the greatest position of a type's attributes.
func lastPosition(ctx context.Context, tx *objectstore.Tx, typ string) (int64, error) {
	rows, _, err := tx.Query(ctx, typeAttribute,
		wire.Query{AdditionalFilters: []wire.Filter{{Attr: "object_type", Op: wire.OpEq, Condition: wire.Raw(typ)}}})
	var last int64
	for _, row := range rows {
		last = max(last, number(row["position"]))
	}
	return last, err
}

// dropAttributes removes the attributes of a type that the set itself leaves.
func (p *parted) dropAttributes(ctx context.Context, tx *objectstore.Tx, typ string) error {
	q := wire.Query{AdditionalFilters: []wire.Filter{{Attr: "object_type", Op: wire.OpEq, Condition: wire.Raw(typ)}}}
	found, _, err := tx.Query(ctx, typeAttribute, q)
	if err != nil {
		return err
	}
	var ids []string
	for _, row := range found {
		id := text(row[wire.AttrID])
		named := slices.ContainsFunc(p.definitions, func(i int) bool {
			return p.all[i].Type == typeAttribute && p.all[i].Op == wire.OpDelete && text(p.all[i].Row[wire.AttrID]) == id
		})
		if !named {
			ids = append(ids, id)
		}
	}
	return tx.Delete(ctx, typeAttribute, ids)
}

// blame says which changes of the set a fault of the model comes from. One of a
// definition that the set does not have is told at its first definition.
func (p parted) blame(faults []fault) error {
	var out []wire.Fault
	for _, f := range faults {
		i := slices.IndexFunc(p.definitions, func(i int) bool {
			return p.all[i].Type == f.typ && text(p.all[i].Row[wire.AttrID]) == f.id
		})
		w := wire.Fault{Index: p.definitions[0], Attr: f.attr, Message: f.message}
		if i < 0 {
			w.Attr = name + ":" + f.typ + "/" + f.id + "." + f.attr
		} else {
			w.Index = p.definitions[i]
		}
		out = append(out, w)
	}
	return objectstore.NewSetError(out)
}

func definition(typ string) bool { return typ == typeType || typ == typeAttribute }

// Query finds objects, definitions or history.
func (s *store) Query(ctx context.Context, typ string, q wire.Query) ([]wire.Row, string, error) {
	if typ == typeHistory {
		return s.rows.QueryHistory(ctx, q)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows.Query(ctx, typ, q)
}

// Count counts objects or definitions.
func (s *store) Count(ctx context.Context, typ string, c wire.Counting) ([]wire.Tally, error) {
	if typ == typeHistory {
		return nil, plugin.Fail("object.count_by", "the history is not counted: ask for its pages")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows.Count(ctx, typ, c)
}

// Create adds objects or definitions.
func (s *store) Create(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	return s.each(ctx, wire.OpCreate, typ, rows, by)
}

// Update changes objects or definitions.
func (s *store) Update(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	return s.each(ctx, wire.OpUpdate, typ, rows, by)
}

// Delete removes objects or definitions. With a type go its attributes.
func (s *store) Delete(ctx context.Context, typ string, ids []string, by plugin.By) error {
	rows := make([]wire.Row, len(ids))
	for i, id := range ids {
		rows[i] = wire.Row{wire.AttrID: wire.Raw(id)}
	}
	_, err := s.each(ctx, wire.OpDelete, typ, rows, by)
	return err
}

// each makes a set of changes of one type, and tells what is wrong by attribute.
func (s *store) each(ctx context.Context, op, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	set := wire.ChangeSet{Rows: true}
	for _, row := range rows {
		set.Changes = append(set.Changes, wire.Change{Op: op, Type: typ, Row: row})
	}
	done, err := s.Change(ctx, set, by)
	var wrong plugin.SetFaults
	if errors.As(err, &wrong) {
		return nil, byAttribute(wrong.Faults(), len(rows))
	}
	if err != nil {
		return nil, err
	}
	out := make([]wire.Row, 0, len(rows))
	for _, r := range done.Results {
		out = append(out, r.Row)
	}
	return out, nil
}

// byAttribute turns faults into the error of a call about rows of one type.
func byAttribute(faults []wire.Fault, rows int) error {
	e := &objectstore.RowError{Message: "the change is not possible", At: map[string]string{}}
	for _, f := range faults {
		at := f.Attr
		switch {
		case at == "":
			return plugin.Fail(f.Code, f.Message)
		case rows > 1 && !strings.Contains(at, "/"):
			at = fmt.Sprintf("[%d].%s", f.Index, at)
		}
		if told := e.At[at]; told != "" {
			f.Message = told + "; " + f.Message
		}
		e.At[at] = f.Message
	}
	return e
}

// prepared brings a definition into the form in which it is kept, or says what is
// wrong with its id.
func prepared(c wire.Change) (row wire.Row, wrong string) {
	row = maps.Clone(c.Row)
	id := text(row[wire.AttrID])
	if c.Type == typeType {
		if id == "" {
			wrong = "the id is the name of the type: give it"
		}
		return row, wrong
	}
	if id == "" {
		row[wire.AttrID] = wire.Raw(text(row["object_type"]) + "." + text(row["name"]))
	}
	if v := row["values"]; text(v) != "" {
		row["values"] = wire.Raw(string(wire.Raw(valuesOf(v))))
	}
	return row, ""
}
