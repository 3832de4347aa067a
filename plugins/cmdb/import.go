package cmdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

type importIn struct {
	Text    string `sx:"text,type=text,required" title:"en=Document;zh=文档" doc:"YAML document with types (see types/define) and objects: for each type a list of objects with id and attributes; attribute@observed for observed values; null removes a value."`
	DryRun  bool   `sx:"dry_run" title:"en=Only try;zh=仅预演" doc:"Find out what would change, and change nothing."`
	Project string `sx:"project,default=default" title:"en=Project;zh=项目" doc:"Project for the objects of types that have projects."`
}

type importOut struct {
	Created   int          `sx:"created" title:"en=Created;zh=新建" doc:"Objects that were created."`
	Changed   int          `sx:"changed" title:"en=Changed;zh=有变更" doc:"Objects that were changed."`
	Unchanged int          `sx:"unchanged" title:"en=Unchanged;zh=未变" doc:"Objects that were as the document wants them."`
	Types     []typeResult `sx:"types" title:"en=Types;zh=类型" doc:"What was done about each type."`
	Problems  []Problem    `sx:"problems" title:"en=Problems;zh=问题" doc:"What is wrong, with line and column; then nothing was changed."`
}

// errDryRun undoes what a dry run did.
var errDryRun = errors.New("dry run")

// importYAML defines the types and stores the objects of a document, all or
// nothing.
func (s *store) importYAML(ctx context.Context, call *plugin.Call, in importIn) (importOut, error) {
	doc, err := ParseYAML([]byte(in.Text))
	if err != nil {
		return importOut{Problems: found(err)}, failed("cmdb.import", err)
	}
	out := importOut{Types: []typeResult{}}
	objects := func(tx *objectstore.Tx, m model) error {
		work := &importer{tx: tx, model: m, project: in.Project, byID: map[[2]string]Entry{}}
		if err := work.all(ctx, doc.Objects, &out); err != nil {
			return err
		}
		if in.DryRun {
			return errDryRun
		}
		return nil
	}
	if len(doc.Types) == 0 {
		err = s.with(ctx, byCall(call), objects)
	} else {
		err = s.alter(ctx, byCall(call), func(faults []fault) error { return blame(doc.Types, faults) }, func(tx *objectstore.Tx) (err error) {
			out.Types, err = putTypes(ctx, tx, doc.Types)
			return err
		}, objects)
	}
	if err != nil && !errors.Is(err, errDryRun) {
		return importOut{Problems: found(err)}, failed("cmdb.import", err)
	}
	return out, nil
}

// importer stores the objects of a document.
type importer struct {
	tx       *objectstore.Tx
	model    model
	project  string
	byID     map[[2]string]Entry
	problems []Problem
}

func key(e Entry) [2]string { return [2]string{e.Type, e.ID} }

func (i *importer) add(e Entry, attr, format string, args ...any) {
	at := e.place(attr)
	i.problems = append(i.problems, Problem{at.Line, at.Column, e.Type + "/" + e.ID, attr, fmt.Sprintf(format, args...)})
}

// all stores all objects, those that others refer to first.
func (i *importer) all(ctx context.Context, objects []Entry, out *importOut) error {
	for _, e := range objects {
		i.byID[key(e)] = e
	}
	sorted, err := i.sorted(ctx, objects)
	if err != nil {
		return err
	}
	for _, e := range sorted {
		effect, err := i.put(ctx, e)
		if err != nil {
			return err
		}
		switch effect {
		case objectstore.Created:
			out.Created++
		case objectstore.Changed:
			out.Changed++
		case objectstore.Unchanged:
			out.Unchanged++
		}
	}
	if len(i.problems) == 0 {
		err = i.tx.Check(ctx)
		var row *objectstore.RowError
		if errors.As(err, &row) {
			i.problems, err = rowProblems(i.byID[[2]string{row.Type, row.ID}], row.Type+"/"+row.ID, err)
		}
	}
	if err == nil && len(i.problems) > 0 {
		err = problems(i.problems)
	}
	return err
}

// put stores one object and notes what is wrong with it.
func (i *importer) put(ctx context.Context, e Entry) (objectstore.Effect, error) {
	t, ok := i.model[e.Type]
	if !ok {
		i.add(e, "", "there is no object type %s:%s: define it under types", name, e.Type)
		return "", nil
	}
	if attr := projectOf(t); attr != "" {
		existing, err := i.tx.Get(ctx, e.Type, e.ID)
		if err != nil {
			return "", err
		}
		given := e.Row[attr]
		if given != nil && text(given) != i.project {
			i.add(e, attr, "the object would be in project %q, but the import is for project %q", text(given), i.project)
			return "", nil
		}
		if existing != nil && text(existing[attr]) != i.project {
			i.add(e, wire.AttrID, "%q is taken by an object of another project", e.ID)
			return "", nil
		}
		e.Row[attr] = wire.Raw(i.project)
	}
	effect, err := i.tx.Put(ctx, e.Type, e.Row)
	more, err := rowProblems(e, e.Type+"/"+e.ID, err)
	i.problems = append(i.problems, more...)
	return effect, err
}

// reference is one that leads to another object of the document.
type reference struct {
	to       Entry
	attr     string
	required bool
}

// references lists the references of an object to others of the document.
func (i *importer) references(e Entry) []reference {
	var out []reference
	for _, a := range i.model[e.Type].Attributes {
		typ, own := strings.CutPrefix(a.To, name+":")
		raw, given := e.Row[a.Name]
		if !own || !given {
			continue
		}
		clean, err := objectstore.Check(a, raw)
		if err != nil {
			continue // told when it is stored
		}
		for _, id := range valuesOf(clean) {
			if to, ok := i.byID[[2]string{typ, id}]; ok && key(to) != key(e) {
				out = append(out, reference{to, a.Name, a.Required})
			}
		}
	}
	return out
}

// sorted puts objects behind those that they refer to. Where they refer to each
// other in a ring, one comes before what it refers to. A ring of new objects whose
// references are all required is refused: none of them could be removed again.
func (i *importer) sorted(ctx context.Context, objects []Entry) ([]Entry, error) {
	const walking, done = 1, 2
	var out []Entry
	state := map[[2]string]int{}
	var visit func(e Entry)
	visit = func(e Entry) {
		state[key(e)] = walking
		for _, r := range i.references(e) {
			if state[key(r.to)] == 0 {
				visit(r.to)
			}
		}
		state[key(e)] = done
		out = append(out, e)
	}
	for _, e := range objects {
		if state[key(e)] == 0 {
			visit(e)
		}
	}
	return out, i.rings(ctx, objects)
}

// rings tells of rings of required references among new objects: it takes away
// what refers to nothing that is left, and what nothing left refers to, until only
// rings and what lies between them are left.
func (i *importer) rings(ctx context.Context, objects []Entry) error {
	left := map[[2]string][]reference{}
	for _, e := range objects {
		needed := slices.DeleteFunc(i.references(e), func(r reference) bool { return !r.required })
		if len(needed) == 0 {
			continue
		}
		existing, err := i.tx.Get(ctx, e.Type, e.ID)
		if err != nil {
			return err
		}
		if existing == nil {
			left[key(e)] = needed
		}
	}
	for again := true; again; {
		again = false
		wanted := map[[2]string]bool{}
		for _, needed := range left {
			for _, r := range needed {
				wanted[key(r.to)] = true
			}
		}
		for k, needed := range left {
			if !wanted[k] || !slices.ContainsFunc(needed, func(r reference) bool { return left[key(r.to)] != nil }) {
				delete(left, k)
				again = true
			}
		}
	}
	for k, needed := range left {
		for _, r := range needed {
			if left[key(r.to)] != nil {
				i.add(i.byID[k], r.attr, "required references lead in a ring over %s/%s: make one of these attributes optional", r.to.Type, r.to.ID)
			}
		}
	}
	return nil
}
