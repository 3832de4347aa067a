package object

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"sextant/internal/kit/errs"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

func idsOf(raw json.RawMessage) []string { return objectpath.IDs(raw) }

// ParsePath reads a path; a relative one starts at a type pkg:type.
func ParsePath(src, from string) (*objectpath.Path, error) {
	p, err := objectpath.ParseRelative(src)
	if err != nil {
		return nil, pathError(err)
	}
	if p.Relative {
		pkg, typ, _ := strings.Cut(from, ":")
		return p.From(pkg, typ), nil
	}
	return p, nil
}

func pathError(err error) error {
	e := errs.Wrap(err, errs.Invalid, "object.path", "the object path is not understood")
	if pe, ok := err.(*objectpath.Error); ok {
		e.Code, e.Message, e.Err = string(pe.Code), "the object path "+pe.Source+" is not understood", nil
		e.At(errs.Field{Path: "path", Code: string(pe.Code), Message: pe.Error(), Line: pe.Line, Column: pe.Column})
	}
	return e
}

// CheckPath finds out whether a path's types and attributes exist. What is not
// among the types that are believed may have been defined since.
func (s *Service) CheckPath(ctx context.Context, p *objectpath.Path) error {
	err := s.checkPath(ctx, p)
	if !errs.HasCode(err, "object.unknown_attribute") {
		return err
	}
	for _, n := range p.Nodes {
		if _, err := s.modelOf(ctx, n.Package, true); err != nil {
			return err
		}
	}
	return s.checkPath(ctx, p)
}

func (s *Service) checkPath(ctx context.Context, p *objectpath.Path) error {
	var t wire.ObjectType
	for _, n := range p.Nodes {
		before := t
		var err error
		if t, err = s.Type(ctx, n.TypeRef()); err != nil {
			return err
		}
		switch n.Link.Kind {
		case objectpath.RefTo:
			if !has(before, n.Link.Attr) {
				return noAttribute(before, n.Link.Attr)
			}
		case objectpath.RefBy:
			if !has(t, n.Link.Attr) {
				return noAttribute(t, n.Link.Attr)
			}
		case objectpath.NoLink:
		}
		for _, f := range n.Filters {
			if !has(t, f.Attr) {
				return noAttribute(t, f.Attr)
			}
		}
	}
	if p.Attr != "" && !p.None && !has(t, p.Attr) {
		return noAttribute(t, p.Attr)
	}
	return nil
}

// CheckReadable refuses a path that ends at a secret attribute: nobody is told
// its value.
func (s *Service) CheckReadable(ctx context.Context, p *objectpath.Path) error {
	if p.Attr == "" || p.None {
		return nil
	}
	t, err := s.Type(ctx, p.Last().TypeRef())
	if err == nil && slices.Contains(secrets(t), p.Attr) {
		err = errs.New(errs.Invalid, "object.secret_path", "the attribute %s of %s is secret and is not read by a path; use a connection",
			p.Attr, p.Last().TypeRef())
	}
	return err
}

func has(t wire.ObjectType, attr string) bool {
	attr = strings.TrimSuffix(attr, wire.ObservedSuffix)
	return attr == wire.AttrID || attr == wire.AttrDisplayName || slices.ContainsFunc(t.Attributes, func(a wire.Attribute) bool {
		return a.Name == attr
	})
}

func noAttribute(t wire.ObjectType, attr string) error {
	var all []string
	for _, a := range t.Attributes {
		all = append(all, a.Name)
	}
	return errs.New(errs.Invalid, "object.unknown_attribute", "the type %s has no attribute %q; it has %s",
		t.Type, attr, strings.Join(all, ", "))
}

// Evaluate follows many paths from many rows of one type: one query per
// distinct hop.
func (s *Service) Evaluate(ctx context.Context, scope Scope, ids []string, paths []*objectpath.Path) (*objectpath.Values, error) {
	for _, p := range paths {
		if err := s.CheckPath(ctx, p); err != nil {
			return nil, err
		}
	}
	plan := objectpath.NewPlan(paths)
	rows := make([][]wire.Row, len(plan.Hops))
	for _, hop := range plan.Hops {
		var parents []wire.Row
		if hop.Parent >= 0 {
			parents = rows[hop.Parent]
		} else {
			for _, id := range ids {
				parents = append(parents, wire.Row{wire.AttrID: wire.Raw(id)})
			}
		}
		attr, want := objectpath.Ask(hop, parents)
		if len(want) == 0 {
			continue
		}
		q := wire.Query{Fields: hop.Fields, AdditionalFilters: []wire.Filter{{Attr: attr, Op: wire.OpIn, Condition: wire.Raw(want)}}}
		for _, f := range hop.Node.Filters {
			q.AdditionalFilters = append(q.AdditionalFilters, wire.Filter{Attr: f.Attr, Op: f.Op, Condition: f.Condition()})
		}
		found, err := s.every(ctx, hop.Node.TypeRef(), scope, q)
		if err == nil {
			err = s.dangling(ctx, scope, hop, want, found)
		}
		if err != nil {
			return nil, err
		}
		rows[hop.Index] = found
	}
	values, err := objectpath.Collect(plan, rows)
	if err != nil {
		return nil, errs.Wrap(err, errs.TooLarge, "object.path_too_much", err.Error())
	}
	return values, nil
}

// Rows gives the objects that a path leads to from objects of one type, without
// repetition, in order.
func (s *Service) Rows(ctx context.Context, scope Scope, from []Ref, src string) ([]Ref, error) {
	if len(from) == 0 {
		return nil, nil
	}
	p, err := ParsePath(src, from[0].TypeRef())
	if err != nil {
		return nil, err
	}
	if first := p.Nodes[0].TypeRef(); first != from[0].TypeRef() {
		return nil, errs.New(errs.Invalid, "object.path_start", "the path %s starts at %s, but the run acts on %s", src, first, from[0].TypeRef())
	}
	ids := make([]string, len(from))
	for i, r := range from {
		if r.TypeRef() != from[0].TypeRef() {
			return nil, errs.New(errs.Invalid, "object.mixed", "objects of %s and %s cannot be bound together", from[0].TypeRef(), r.TypeRef())
		}
		ids[i] = r.ID
	}
	values, err := s.Evaluate(ctx, scope, ids, []*objectpath.Path{p})
	if err != nil {
		return nil, err
	}
	last := p.Last()
	var out []Ref
	seen := map[string]bool{}
	for _, id := range ids {
		for _, reached := range values.Reached(id, 0) {
			if !seen[reached] {
				seen[reached] = true
				out = append(out, Ref{last.Package, last.Type, reached})
			}
		}
	}
	return out, nil
}
