package object

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"sextant/internal/domain/identity"
	"sextant/sdk/go/wire"
)

// place is the environment in which an object is: "*" where it has none set, empty
// where its type knows none.
func place(t wire.ObjectType, row wire.Row) string {
	if t.Scope == nil || t.Scope.Environment == "" {
		return ""
	}
	return cmp.Or(textOf(row[t.Scope.Environment]), "*")
}

// placing are the attributes that tell where an object is.
func placing(t wire.ObjectType) []string {
	if t.Scope == nil || t.Scope.Environment == "" {
		return []string{wire.AttrID}
	}
	return []string{wire.AttrID, t.Scope.Environment}
}

// Placed is Exist that tells in which environments the objects are.
func (s *Service) Placed(ctx context.Context, ref string, scope Scope, ids []string) ([]string, error) {
	t, err := s.Type(ctx, ref)
	if err != nil {
		return nil, err
	}
	rows, err := s.named(ctx, ref, scope, ids, placing(t)...)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, row := range rows {
		if e := place(t, row); !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all, nil
}

// Find gives those of some objects that are there for the subject of ctx, each with
// its environment.
func (s *Service) Find(ctx context.Context, scope Scope, refs []Ref) (map[Ref]string, error) {
	found := map[Ref]string{}
	for typ, ids := range byType(refs) {
		t, err := s.Type(ctx, typ)
		if err != nil {
			return nil, err
		}
		there, err := s.present(ctx, typ, scope, ids, placing(t)...)
		if err != nil {
			return nil, err
		}
		for _, r := range refs {
			if row := there[r.ID]; row != nil && r.TypeRef() == typ {
				found[r] = place(t, row)
			}
		}
	}
	return found, nil
}

// Where tells in which environments some objects are, whoever may see them: for what
// decides who may, and for nobody to read. Those that are not there are left out.
func (s *Service) Where(ctx context.Context, project string, refs []Ref) (map[Ref]string, error) {
	found := map[Ref]string{}
	for typ, ids := range byType(refs) {
		for some := range slices.Chunk(ids, namedAtOnce) {
			if err := s.whereabouts(ctx, project, typ, some, found); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func (s *Service) whereabouts(ctx context.Context, project, typ string, ids []string, found map[Ref]string) error {
	after := ""
	for {
		var t wire.ObjectType
		var rows []wire.Row
		var next string
		err := s.under(ctx, typ, func(now wire.ObjectType, _ string) (held string, err error) {
			t = now
			q := wire.Query{Fields: placing(t), After: after,
				AdditionalFilters: []wire.Filter{{Attr: wire.AttrID, Op: wire.OpIn, Condition: wire.Raw(ids)}}}
			if t.Scope != nil && t.Scope.Project != "" {
				q.AdditionalFilters = append(q.AdditionalFilters, wire.Filter{Attr: t.Scope.Project, Op: wire.OpEq, Condition: wire.Raw(project)})
			}
			rows, next, held, err = s.rows(ctx, t, typ, q)
			return held, err
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if r, err := ParseRef(typ + "/" + unquote(row[wire.AttrID])); err == nil {
				found[r] = place(t, row)
			}
		}
		if after = next; next == "" || len(rows) == 0 {
			return nil
		}
	}
}

// byType gives the ids of objects by their type.
func byType(refs []Ref) map[string][]string {
	by := map[string][]string{}
	for _, r := range refs {
		if r.Type != "" {
			by[r.TypeRef()] = append(by[r.TypeRef()], r.ID)
		}
	}
	return by
}

// Noted are the environments of the objects that a run has read.
type Noted struct {
	mu sync.Mutex
	by map[Ref]string
}

type notedKey struct{}

// Noting gives a context that notes where the objects are that a run reads.
func Noting(ctx context.Context) (context.Context, *Noted) {
	n := &Noted{by: map[Ref]string{}}
	return context.WithValue(ctx, notedKey{}, n), n
}

func note(ctx context.Context, t wire.ObjectType, ref string, rows []wire.Row) {
	n, ok := ctx.Value(notedKey{}).(*Noted)
	if !ok || identity.From(ctx).Kind != identity.Run {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, row := range rows {
		if r, err := ParseRef(ref + "/" + unquote(row[wire.AttrID])); err == nil {
			n.by[r] = place(t, row)
		}
	}
}

// Of gives the environments of objects, and those objects that were not read.
func (n *Noted) Of(refs []Ref) (environments []string, unread []Ref) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range refs {
		if r.Type == "" {
			continue
		}
		switch e, ok := n.by[r]; {
		case !ok:
			unread = append(unread, r)
		case !slices.Contains(environments, e): // there are few
			environments = append(environments, e)
		}
	}
	return environments, unread
}
