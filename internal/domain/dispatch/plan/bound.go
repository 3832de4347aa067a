package plan

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"sextant/internal/domain/dispatch/answer"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/domain/setting"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// paramAddress is the input that says where a call goes, by which patterns of a
// connection's targets are compared.
const paramAddress = "address"

// mayRead checks the right to the files of a project.
func mayRead(ctx context.Context, project string) error {
	return identity.Require(ctx, "blob.read", project)
}

// Bound checks every reference that rows are about to be sent with: that the run
// may use the connection, and that its secrets go where it is meant for. Without
// targets of its own a connection serves any object, at the address that the
// object has; an address typed by hand could be anybody's. It gives the environments
// of the connections.
func (s *Service) Bound(ctx context.Context, w Step, f *Form, todo Intent) (places []string, err error) {
	b := binding{s: s, w: w, f: f, touched: todo.Touched.All, known: map[string]*usable{}}
	for i, row := range todo.Inputs {
		for _, src := range f.Sources {
			if source.Missing(row[src.Param.Name]) {
				continue
			}
			g := source.References(src.Param, row[src.Param.Name])
			if g.File != "" {
				if err := mayRead(ctx, w.Project); err != nil {
					return nil, err
				}
			}
			for _, name := range g.Connections {
				c, err := b.connection(ctx, name)
				if err == nil {
					err = b.meant(c, row, todo.Touched.By[todo.Rows[i]])
				}
				if err != nil {
					return nil, err
				}
			}
		}
	}
	for _, c := range b.known {
		places = append(places, c.Environment)
	}
	return places, nil
}

// binding checks the connections of one round; each is looked up once.
type binding struct {
	s       *Service
	w       Step
	f       *Form
	touched []object.Ref
	known   map[string]*usable
}

// usable is a connection that a run may use, with the objects that it is for;
// nil is every one.
type usable struct {
	setting.Connection
	objects map[object.Ref]bool
}

func (b *binding) connection(ctx context.Context, name string) (*usable, error) {
	if c, ok := b.known[name]; ok {
		return c, nil
	}
	c, err := b.s.Settings.Usable(ctx, b.w.Project, name)
	if err != nil {
		return nil, err
	}
	u := &usable{Connection: c}
	if len(c.Targets) > 0 {
		u.objects = map[object.Ref]bool{}
	}
	for _, t := range c.Targets {
		if err := b.among(ctx, u, t); err != nil {
			return nil, err
		}
	}
	b.known[name] = u
	return u, nil
}

// among notes which of the touched objects a target's path takes in.
func (b *binding) among(ctx context.Context, u *usable, target string) error {
	if setting.AddressPattern(target) {
		return nil
	}
	p, err := objectpath.Parse(target)
	if err != nil {
		return fmt.Errorf("the target %s: %w", target, err)
	}
	var ids []string
	for _, ref := range b.touched {
		if ref.Type != "" && ref.TypeRef() == p.Last().TypeRef() {
			ids = append(ids, ref.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	values, err := b.s.Objects.Evaluate(ctx, object.Scope{Project: b.w.Project}, ids, []*objectpath.Path{p})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if len(values.Reached(id, 0)) > 0 {
			u.objects[object.Ref{Package: p.Last().Package, Type: p.Last().Type, ID: id}] = true
		}
	}
	return nil
}

// meant checks that one row is what a connection is for.
func (b *binding) meant(c *usable, row wire.Row, touched []object.Ref) error {
	address := answer.Plain(row[paramAddress])
	if slices.ContainsFunc(c.Targets, func(t string) bool {
		ok, err := path.Match(t, address)
		return setting.AddressPattern(t) && err == nil && ok
	}) {
		return nil
	}
	if typed := b.f.typed(row); len(typed) > 0 {
		return errs.New(errs.Forbidden, "dispatch.secret_moves", "the input %s does not come from the object, and the secrets "+
			"of connection %s would go where it says: name the address among the connection's targets, or leave the input out", typed[0], c.Name).
			With("input", typed[0]).With("connection", c.Name)
	}
	for _, ref := range touched {
		if c.objects != nil && !c.objects[ref] && ref.TypeRef() == b.w.Svc.Action.Target {
			return errs.New(errs.Forbidden, "dispatch.connection_target", "the connection %s is not meant for %s: its targets are %s",
				c.Name, RefText(ref), strings.Join(c.Targets, ", ")).
				With("connection", c.Name).With("object", RefText(ref))
		}
	}
	return nil
}

// typed names the inputs of a row that its manifest takes from the object and that
// came from elsewhere: from a person, a variable or a constant.
func (f *Form) typed(row wire.Row) (names []string) {
	for _, src := range f.Sources {
		if src.Param.From != source.FromPath || source.Missing(row[src.Param.Name]) {
			continue
		}
		if _, replaced := f.given[src.Param.Name]; replaced || src.Path == nil {
			names = append(names, src.Param.Name)
		}
	}
	return names
}
