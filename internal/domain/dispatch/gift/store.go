package gift

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"sync"

	"sextant/internal/domain/identity"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

// Store keeps what was given to the runs that go on. It is safe for concurrent
// use.
type Store struct {
	mu sync.RWMutex
	of map[state.Key]*held
}

// held is what was given to a run, with what is on its way there.
type held struct {
	version  int64
	kept     []Gift
	underway map[int64][]Gift
}

// Load reads what is stored.
func (s *Store) Load(ctx context.Context, q db.Querier) error {
	type row struct {
		run state.Key
		Gift
	}
	rows, err := q.Query(ctx, "SELECT run, place, kind, name, giver, node, label, rights FROM dispatch_gift")
	all, err := db.Scan(rows, err, func(r *sql.Rows) (row, error) {
		var one row
		var rights string
		if err := r.Scan(&one.run, &one.Place, &one.Kind, &one.Name, &one.Giver, &one.Node, &one.Label, &rights); err != nil {
			return one, err
		}
		return one, json.Unmarshal([]byte(rights), &one.Rights)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range all {
		h := s.held(r.run)
		h.kept = append(h.kept, r.Gift)
	}
	return nil
}

// held gives what is known of a run; the lock is held.
func (s *Store) held(run state.Key) *held {
	h := s.of[run]
	if h == nil {
		if s.of == nil {
			s.of = map[state.Key]*held{}
		}
		h = &held{underway: map[int64][]Gift{}}
		s.of[run] = h
	}
	return h
}

// Of gives what was given to a run, and a number that is another one once that has
// changed; nothing and 0 for a run that nobody has given anything.
func (s *Store) Of(run state.Key) ([]Gift, int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.of[run]
	if h == nil {
		return nil, 0
	}
	all := slices.Clone(h.kept)
	for _, some := range h.underway {
		all = append(all, some...)
	}
	return all, h.version
}

// Give notes what is given to a run, before the event that brings it. with is part
// of the commit of that event; done is called once it is known whether it came.
func (s *Store) Give(run state.Key, p *program.Program, reads Reads, gifts []Gift) (with func(*db.Tx) error, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	foreign := slices.ContainsFunc(gifts, func(g Gift) bool { return g.Giver != "" })
	if s.of[run] == nil && !foreign {
		return func(*db.Tx) error { return nil }, func() {}
	}
	h := s.held(run)
	gifts = slices.Concat(gifts, left(h.kept, gifts, madeOf(p, reads)))
	h.version++
	id := h.version
	h.underway[id] = gifts
	with = func(tx *db.Tx) error {
		tx.AfterCommit(func() { s.kept(run, gifts) })
		return store(tx, run, gifts)
	}
	return with, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(h.underway, id)
		h.version++
	}
}

// left is what stays behind of values that are given anew: what the process may
// have computed from them.
func left(kept, gifts []Gift, made graph) []Gift {
	var all []Gift
	for _, old := range kept {
		if old.Kind != Variable || old.Giver == "" || !slices.ContainsFunc(gifts, old.same) {
			continue
		}
		for _, name := range made.results(old.Name) {
			one := old
			one.Place, one.Name = Anywhere, name
			for _, o := range slices.Concat(kept, all) {
				if o.same(one) && o.Giver == one.Giver {
					one.Rights = one.Rights.And(o.Rights)
				}
			}
			all = append(slices.DeleteFunc(all, one.replaces), one)
		}
	}
	return all
}

// kept takes over what was stored.
func (s *Store) kept(run state.Key, gifts []Gift) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held(run)
	h.kept = slices.DeleteFunc(h.kept, func(o Gift) bool {
		return slices.ContainsFunc(gifts, func(g Gift) bool { return g.replaces(o) })
	})
	h.kept = append(h.kept, gifts...)
	h.version++
}

// replaces reports whether a value takes the place of another. With the inputs and
// outputs of a retry go all of those before.
func (g Gift) replaces(o Gift) bool {
	switch {
	case g.Place == Anywhere:
		return g.same(o) && g.Giver == o.Giver
	case g.Kind == Variable:
		return g.same(o)
	}
	return g.Place == o.Place && o.Kind != Variable
}

func store(tx *db.Tx, run state.Key, gifts []Gift) error {
	for _, g := range gifts {
		query, args := "DELETE FROM dispatch_gift WHERE run = ? AND place = ? AND kind = ? AND name = ?",
			[]any{int64(run), int64(g.Place), g.Kind, g.Name}
		switch {
		case g.Place == Anywhere:
			query, args = query+" AND giver = ?", append(args, g.Giver)
		case g.Kind != Variable:
			query, args = "DELETE FROM dispatch_gift WHERE run = ? AND place = ? AND kind <> ?", []any{int64(run), int64(g.Place), Variable}
		}
		if _, err := tx.Exec(query, args...); err != nil {
			return err
		}
	}
	for _, g := range gifts {
		rights, err := json.Marshal(g.Rights)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO dispatch_gift (run, place, kind, name, giver, node, label, rights) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			int64(run), int64(g.Place), g.Kind, g.Name, g.Giver, g.Node, g.Label, string(rights)); err != nil {
			return err
		}
	}
	return nil
}

// Pass gives a run what another one was given, for whatever it may have come to there:
// under every name that it may have by now, wherever that lies. It is stored within the
// write that begins the one or ends the other.
func (s *Store) Pass(tx *db.Tx, to state.Key, from *program.Program, reads Reads, given []Gift) error {
	made := madeOf(from, reads)
	var all []Gift
	for _, g := range given {
		if g.Giver == "" {
			continue
		}
		name := seed(g)
		for _, n := range append(made.results(name), name) {
			one := Gift{Place: Anywhere, Kind: Variable, Name: n, Giver: g.Giver, Label: g.Label, Rights: g.Rights}
			for _, o := range all {
				if o.same(one) && o.Giver == one.Giver {
					one.Rights = one.Rights.And(o.Rights)
				}
			}
			all = append(slices.DeleteFunc(all, one.replaces), one)
		}
	}
	if len(all) == 0 {
		return nil
	}
	s.mu.Lock()
	h := s.held(to)
	h.version++
	id := h.version
	h.underway[id] = all // the run may begin and end in one write
	s.mu.Unlock()
	tx.AfterCommit(func() {
		s.kept(to, all)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(h.underway, id)
	})
	return store(tx, to, all)
}

// Forget drops what was given to a run that has ended, in the write that ends it.
func (s *Store) Forget(tx *db.Tx, run state.Key) error {
	s.mu.RLock()
	known := s.of[run] != nil
	s.mu.RUnlock()
	if !known {
		return nil
	}
	tx.AfterCommit(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.of, run)
	})
	_, err := tx.Exec("DELETE FROM dispatch_gift WHERE run = ?", int64(run))
	return err
}

// Encode gives the form in which a job keeps who gave what it uses; nothing for
// nobody.
func Encode(given []identity.Given) (string, error) {
	if len(given) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(given)
	return string(raw), err
}

// Decode reads what Encode wrote.
func Decode(text string) (given []identity.Given, err error) {
	if text == "" {
		return nil, nil
	}
	return given, json.Unmarshal([]byte(text), &given)
}
