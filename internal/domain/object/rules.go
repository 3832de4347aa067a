package object

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	namedAtOnce = 2000 // ids in one question
	wholeUpTo   = 100  // changes whose objects are read with all attributes
)

// check holds every change against what there is: whether the object exists and
// may be changed, in which version, and where it belongs.
func (w *set) check(ctx context.Context) error {
	if err := w.read(ctx); err != nil {
		return err
	}
	seen := map[Ref]bool{}
	for _, i := range w.items {
		if i.failed {
			continue
		}
		if i.id != "" && seen[i.ref()] {
			w.add(i, wire.AttrID, errs.New(errs.Invalid, "object.twice", "%s stands in the set twice: put both together", i.ref()))
			continue
		}
		seen[i.ref()] = true
		if w.exists(i) && i.Op != wire.OpDelete {
			w.belong(ctx, i)
			dropHidden(i.t, i.Row)
		}
	}
	return nil
}

// read gets the objects as they are, those that the subject of ctx may change.
func (w *set) read(ctx context.Context) error {
	ids := map[string][]string{}
	for _, i := range w.items {
		if i.id != "" && !i.failed {
			ids[i.Type] = append(ids[i.Type], i.id)
		}
	}
	for typ, all := range ids {
		_, name, _ := strings.Cut(typ, ":")
		t, known := w.model.find(name)
		if !known {
			continue // the set defines it: it has no objects yet
		}
		var fields []string
		if w.bundles && len(w.items) > wholeUpTo {
			fields = vital(t)
		}
		there, err := w.present(ctx, typ, w.scope.writing(), all, fields...)
		if err != nil {
			return err
		}
		for _, i := range w.items {
			if i.Type == typ {
				i.before = there[i.id]
			}
		}
	}
	return nil
}

// vital are the attributes that the rules look at.
func vital(t wire.ObjectType) []string {
	out := []string{wire.AttrID}
	if t.Scope != nil {
		out = append(out, t.Scope.Project, t.Scope.Environment)
	}
	for _, a := range t.Attributes {
		if a.Type == wire.TypeRef || a.Type == wire.TypeMultiRef {
			out = append(out, a.Name)
		}
	}
	return slices.DeleteFunc(out, func(name string) bool { return name == "" })
}

// exists decides whether a change creates or changes, and reports whether it can.
func (w *set) exists(i *item) bool {
	want, conditional := i.Row[wire.AttrVersion]
	delete(i.Row, wire.AttrVersion)
	if i.Op == OpPut && i.before != nil {
		i.Op = wire.OpUpdate
	} else if i.Op == OpPut {
		i.Op = wire.OpCreate
	}
	switch {
	case i.Op == wire.OpCreate && i.before != nil:
		w.add(i, wire.AttrID, errs.New(errs.Conflict, "object.exists", "there is an object %s already", i.ref()).With("object", i.ref().String()))
		return false
	case i.Op == wire.OpCreate:
		return true
	case i.before == nil:
		w.add(i, wire.AttrID, errs.New(errs.NotFound, "object.not_found", "there is no object %s in project %q", i.ref(), w.scope.Project).
			With("object", i.ref().String()))
		return false
	case !conditional || string(want) == "null":
		return true
	}
	now, kept := i.before[wire.AttrVersion]
	switch {
	case !kept:
		w.add(i, "", errs.New(errs.Invalid, "object.no_versions", "the plugin %s keeps no versions, so that no version can be asked for", w.pkg))
		return false
	case unquote(now) != unquote(want):
		w.add(i, "", stale(i, unquote(want)))
		return false
	}
	i.Row[wire.AttrVersion] = now
	return true
}

// Conflict is the data of object.stale: what is stored by now, and what somebody
// wanted to store over it.
type Conflict struct {
	Version string   `json:"version"`
	Stored  wire.Row `json:"stored"`
	Yours   wire.Row `json:"yours"`
}

func stale(i *item, want string) *errs.Error {
	now := unquote(i.before[wire.AttrVersion])
	e := errs.New(errs.Stale, "object.stale", "%s has version %s by now and not %s: read it again", i.ref(), now, want).
		With("object", i.ref().String()).With("version", now).With("expected", want)
	yours := make(wire.Row, len(i.Row))
	for k, v := range i.Row {
		if k != wire.AttrVersion {
			yours[k] = v
		}
	}
	hide(i.t, yours)
	e.Data = Conflict{now, i.before, yours}
	return e
}

// belong puts a row into the project and refuses one of another, and one of an
// environment in which the subject of ctx may not change objects.
func (w *set) belong(ctx context.Context, i *item) {
	if i.t.Scope == nil || i.t.Definition {
		return
	}
	if attr := i.t.Scope.Project; attr != "" {
		if given, ok := i.Row[attr]; ok && unquote(given) != w.scope.Project {
			w.add(i, attr, errs.New(errs.Forbidden, "object.project", "a row belongs to project %s and not to %q", given, w.scope.Project).
				At(errs.Field{Path: attr, Message: "another project"}))
			return
		}
		i.Row[attr] = wire.Raw(w.scope.Project)
	}
	attr := i.t.Scope.Environment
	given, ok := i.Row[attr]
	if attr == "" || !ok && i.before != nil { // a change leaves the environment as it is
		return
	}
	who := identity.From(ctx)
	environments, everywhere := who.Environments("object.write", w.scope.Project)
	if everywhere || slices.Contains(environments, unquote(given)) {
		return
	}
	if lacks := who.Lacking("object.write", w.scope.Project, cmp.Or(unquote(given), "*")); lacks != who.Name {
		w.add(i, attr, errs.New(errs.Forbidden, "object.environment", "%s has no right object.write on %s in environment %q",
			lacks, i.ref(), unquote(given)).At(errs.Field{Path: attr, Message: "an environment without the right object.write"}))
	} else {
		w.add(i, attr, errs.New(errs.Forbidden, "object.environment", "you may change objects in %s only, not in environment %q",
			strings.Join(environments, ", "), unquote(given)).At(errs.Field{Path: attr, Message: "an environment without the right object.write"}))
	}
}

// present reads those objects with the given ids that there are; without fields
// with all attributes. Definitions belong to every project.
func (s *Service) present(ctx context.Context, ref string, scope Scope, ids []string, fields ...string) (map[string]wire.Row, error) {
	t, err := s.Type(ctx, ref)
	if err != nil {
		return nil, err
	}
	there := make(map[string]wire.Row, len(ids))
	for some := range slices.Chunk(ids, namedAtOnce) {
		q := wire.Query{Fields: fields, AdditionalFilters: []wire.Filter{{Attr: wire.AttrID, Op: wire.OpIn, Condition: wire.Raw(some)}}}
		var rows []wire.Row
		if t.Definition { // of the installation: whoever knows a type may know that it is there
			rows, err = s.definitions(ctx, ref, q)
		} else {
			rows, err = s.every(ctx, ref, scope, q)
		}
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			there[unquote(row[wire.AttrID])] = row
		}
	}
	return there, nil
}

// definitions reads all definitions that match.
func (s *Service) definitions(ctx context.Context, ref string, q wire.Query) ([]wire.Row, error) {
	var all []wire.Row
	for {
		var rows []wire.Row
		var next string
		err := s.under(ctx, ref, func(t wire.ObjectType, _ string) (held string, err error) {
			rows, next, held, err = s.rows(ctx, t, ref, q)
			return held, err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if q.After = next; next == "" || len(rows) == 0 {
			return all, nil
		}
	}
}

// leads tells to which types of other plugins the set makes references, and of
// which it deletes objects.
func (w *set) leads() (referred, deleted []string) {
	for _, i := range w.items {
		if i.Op == wire.OpDelete {
			deleted = append(deleted, i.Type)
			continue
		}
		for _, a := range i.t.Attributes {
			if _, given := i.Row[a.Name]; given && a.To != "" && !strings.HasPrefix(a.To, w.pkg+":") {
				referred = append(referred, a.To)
			}
		}
	}
	slices.Sort(referred)
	slices.Sort(deleted)
	return slices.Compact(referred), slices.Compact(deleted)
}

// link is a reference that a change makes.
type link struct {
	at   *item
	attr wire.Attribute
	id   string
}

// missing tells of references to what is not there, once for each attribute.
func (w *set) missing(links []link, there map[string]map[string]wire.Row) {
	type place struct {
		at   *item
		attr string
	}
	first, more := map[place]*errs.Error{}, map[place]int{}
	for _, l := range links {
		found := there[l.attr.To]
		if found[l.id] != nil || found == nil && !w.defines(l.attr.To) {
			continue
		}
		at := place{l.at, l.attr.Name}
		if first[at] != nil {
			more[at]++
			continue
		}
		e := errs.New(errs.Invalid, "object.reference", "there is no object %s/%s in project %q", l.attr.To, l.id, w.scope.Project)
		first[at] = e.At(errs.Field{Path: l.attr.Name, Message: e.Message})
		w.add(l.at, l.attr.Name, e)
	}
	for at, n := range more {
		first[at].Message += fmt.Sprintf(", and of %d more there is none", n)
	}
}

// connect checks references both ways: they lead to objects that the subject of
// ctx may see, and nothing that is deleted is referred to.
func (w *set) connect(ctx context.Context) error {
	made := map[string]bool{}
	for _, i := range w.items {
		if i.Op == wire.OpCreate && i.id != "" {
			made[i.ref().String()] = true // one that failed too: what refers to it only follows
		}
	}
	wanted := map[string][]string{}
	var links []link
	for _, i := range w.items {
		if i.failed || i.Op == wire.OpDelete {
			continue
		}
		for _, a := range i.t.Attributes {
			if a.Type != wire.TypeRef && a.Type != wire.TypeMultiRef || a.To == "" ||
				i.before != nil && bytes.Equal(i.before[a.Name], i.Row[a.Name]) {
				continue
			}
			for _, id := range idsOf(i.Row[a.Name]) {
				if !made[a.To+"/"+id] {
					links = append(links, link{i, a, id})
					wanted[a.To] = append(wanted[a.To], id)
				}
			}
		}
	}
	there := map[string]map[string]wire.Row{}
	for typ, ids := range wanted {
		slices.Sort(ids)
		found, err := w.present(ctx, typ, Scope{Project: w.scope.Project}, slices.Compact(ids), wire.AttrID)
		if err != nil && !w.defines(typ) {
			if k := errs.As(err).Kind; k == errs.Unavailable || k == errs.Internal || ctx.Err() != nil {
				return err
			}
			for _, l := range links {
				if l.attr.To == typ && !l.at.failed {
					w.add(l.at, l.attr.Name, errs.New(errs.Invalid, "object.reference", "%s", errs.As(err).Message))
				}
			}
			continue
		}
		there[typ] = found
	}
	w.missing(links, there)
	return w.referred(ctx)
}

// defines reports whether a type of this plugin comes into being with the set.
func (w *set) defines(ref string) bool {
	pkg, name, _ := strings.Cut(ref, ":")
	_, now := w.model.find(name)
	_, then := model{types: w.after}.find(name)
	return pkg == w.pkg && !now && then
}

// referrer is an object that refers to one that is to be deleted.
type referrer struct {
	object, attr string
	visible      bool
}

// referred refuses to delete what objects refer to that stay as they are.
func (w *set) referred(ctx context.Context) error {
	gone := map[string][]string{}
	changed := map[string]*item{}
	for _, i := range w.items {
		if i.failed {
			continue
		}
		changed[i.ref().String()] = i
		if i.Op == wire.OpDelete {
			gone[i.Type] = append(gone[i.Type], i.id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	found := map[string][]referrer{}
	for _, m := range w.Plugins.All() {
		types, err := w.modelOf(ctx, m.Plugin, m.Plugin != w.pkg)
		if err != nil {
			return err
		}
		for _, t := range types.types {
			if t.Definition { // with a type go its attributes: their plugin sees to it
				continue
			}
			for _, a := range t.Attributes {
				if ids := gone[a.To]; len(ids) > 0 && (a.Type == wire.TypeRef || a.Type == wire.TypeMultiRef) {
					if err := w.referrers(ctx, hop{m.Plugin + ":" + t.Type, t, a}, ids, changed, found); err != nil {
						return err
					}
				}
			}
		}
	}
	for _, i := range w.items {
		if by := found[i.ref().String()]; i.Op == wire.OpDelete && len(by) > 0 {
			w.add(i, "", inUse(i.ref(), by))
		}
	}
	return nil
}

// hop is a type whose objects may refer to others by an attribute.
type hop struct {
	ref  string
	t    wire.ObjectType
	attr wire.Attribute
}

// mostReferrers is how many are looked for.
const mostReferrers = 1000

// referrers finds the objects of a type that refer to some, whoever's they are.
func (w *set) referrers(ctx context.Context, h hop, ids []string, changed map[string]*item, found map[string][]referrer) error {
	names := []string{h.attr.Name}
	if h.attr.Observed {
		names = append(names, h.attr.Name+wire.ObservedSuffix)
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	fields := append(vital(h.t), names...)
	for _, name := range names {
		for some := range slices.Chunk(ids, namedAtOnce) {
			q := wire.Query{Fields: fields, Limit: mostReferrers,
				AdditionalFilters: []wire.Filter{{Attr: name, Op: wire.OpIn, Condition: wire.Raw(some)}}}
			rows, _, _, err := w.rows(ctx, h.t, h.ref, q)
			if err != nil {
				return err
			}
			for _, row := range rows {
				by := h.ref + "/" + unquote(row[wire.AttrID])
				value := row[name]
				if c := changed[by]; c != nil {
					if given, ok := c.Row[name]; ok && c.Op != wire.OpDelete {
						value = given
					} else if c.Op == wire.OpDelete {
						continue
					}
				}
				for _, id := range idsOf(value) {
					if wanted[id] {
						found[h.attr.To+"/"+id] = append(found[h.attr.To+"/"+id], referrer{by, name, seen(ctx, h.t, row)})
					}
				}
			}
		}
	}
	return nil
}

// seen reports whether the subject of ctx may read an object.
func seen(ctx context.Context, t wire.ObjectType, row wire.Row) bool {
	project, environment := DefaultProject, ""
	if t.Scope != nil && t.Scope.Project != "" {
		project = unquote(row[t.Scope.Project])
	}
	if t.Scope != nil && t.Scope.Environment != "" {
		environment = "*"
		if v := row[t.Scope.Environment]; len(v) > 0 && string(v) != "null" && unquote(v) != "" {
			environment = unquote(v)
		}
	}
	return identity.From(ctx).CanIn("object.read", project, environment)
}

// someReferrers is how many are named.
const someReferrers = 5

// inUse names the objects that refer to one: some of those that may be read, and
// how many there are.
func inUse(ref Ref, by []referrer) *errs.Error {
	var named []string
	for _, r := range by {
		if r.visible && len(named) < someReferrers {
			named = append(named, r.object)
		}
	}
	count := fmt.Sprint(len(by))
	if len(by) >= mostReferrers {
		count = fmt.Sprintf("%d or more", len(by))
	}
	text := count + " objects refer to it"
	if len(by) == 1 {
		text = "1 object refers to it"
	}
	if len(named) > 0 {
		text += ", such as " + strings.Join(named, ", ")
	}
	e := errs.New(errs.Conflict, "object.referred", "%s cannot be deleted: %s; change or delete what refers to it first", ref, text).
		With("object", ref.String()).With("count", count).With("referrers", strings.Join(named, ", "))
	for _, r := range by {
		if r.visible && len(e.Fields) < someReferrers {
			e.At(errs.Field{Path: r.object, Code: "object.referred", Message: "refers to it by " + r.attr})
		}
	}
	return e
}
