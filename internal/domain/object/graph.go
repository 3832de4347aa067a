package object

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	// MaxNodes is the most objects that a graph has.
	MaxNodes  = 400
	graphPage = 200 // rows of one question
)

// Direction says which references a graph follows.
type Direction string

// Out leads to what an object needs, In to what depends on it.
const (
	Both Direction = "both"
	Out  Direction = "out"
	In   Direction = "in"
)

// GraphNode is an object of a graph.
type GraphNode struct {
	Object   string `json:"object" doc:"package:type/id"`
	Name     string `json:"name"`
	Type     string `json:"type" doc:"package:type"`
	Distance int    `json:"distance" doc:"References from the object in the middle"`
}

// GraphEdge is a reference: From holds To in an attribute.
type GraphEdge struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Attribute string `json:"attribute"`
}

// Graph is an object with what hangs together with it.
type Graph struct {
	Nodes     []GraphNode `json:"nodes" doc:"By distance; the object in the middle is the first"`
	Edges     []GraphEdge `json:"edges"`
	Truncated bool        `json:"truncated" doc:"There are more objects than a graph has"`
	Missing   []string    `json:"missing,omitempty" doc:"Plugins that did not answer, so that their objects are not here"`
}

// walk finds the objects of a graph, all of one distance and type together.
type walk struct {
	*Service
	scope   Scope
	types   map[string]wire.ObjectType
	names   []string // of the types, in order
	seen    map[string]wire.Row
	graph   Graph
	missing map[string]bool
}

// Graph follows references from an object and to it. Objects that the subject of
// ctx may not see are not there, and neither is what lies behind them alone.
func (s *Service) Graph(ctx context.Context, ref Ref, scope Scope, depth int, along Direction) (Graph, error) {
	row, err := s.Get(ctx, ref, scope)
	if err != nil {
		return Graph{}, err
	}
	all, err := s.allTypes(ctx)
	if err != nil {
		return Graph{}, err
	}
	w := &walk{Service: s, scope: scope, types: map[string]wire.ObjectType{}, seen: map[string]wire.Row{}, missing: map[string]bool{}}
	for _, t := range all.Items {
		w.types[t.Plugin+":"+t.Type] = t.ObjectType
		w.names = append(w.names, t.Plugin+":"+t.Type)
	}
	for _, name := range all.Missing {
		w.missing[name] = true
	}
	w.add(ref.TypeRef(), row, 0)
	border := map[string][]string{ref.TypeRef(): {ref.ID}}
	for distance := 1; distance <= depth && len(border) > 0 && !w.graph.Truncated; distance++ {
		next := map[string][]string{}
		if along != In {
			err = w.outwards(ctx, border, next, distance)
		}
		if along != Out && err == nil {
			err = w.inwards(ctx, border, next, distance)
		}
		if err != nil {
			return Graph{}, err
		}
		border = next
	}
	w.join()
	return w.graph, nil
}

// add takes an object in, unless it is there already; false where there is no
// room for it.
func (w *walk) add(typ string, row wire.Row, distance int) (isNew, room bool) {
	id := unquote(row[wire.AttrID])
	object := typ + "/" + id
	if _, ok := w.seen[object]; ok {
		return false, true
	}
	if len(w.graph.Nodes) == MaxNodes {
		w.graph.Truncated = true
		return false, false
	}
	w.seen[object] = row
	w.graph.Nodes = append(w.graph.Nodes, GraphNode{object, nameOf(w.types[typ], row, id), typ, distance})
	return true, true
}

// nameOf is what an object is called.
func nameOf(t wire.ObjectType, row wire.Row, id string) string {
	for _, attr := range []string{wire.AttrDisplayName, t.Display} {
		if raw := row[attr]; len(raw) > 0 && string(raw) != "null" && unquote(raw) != "" {
			return unquote(raw)
		}
	}
	return id
}

// links are the attributes of a type that lead to other objects.
func links(t wire.ObjectType) (out []wire.Attribute) {
	for _, a := range t.Attributes {
		if a.To != "" && !a.Secret {
			out = append(out, a)
		}
	}
	return out
}

// outwards finds what the objects of the border refer to.
func (w *walk) outwards(ctx context.Context, border, next map[string][]string, distance int) error {
	wanted := map[string][]string{}
	for typ, ids := range border {
		for _, a := range links(w.types[typ]) {
			for _, id := range ids {
				wanted[a.To] = append(wanted[a.To], idsOf(w.seen[typ+"/"+id][a.Name])...)
			}
		}
	}
	for _, typ := range w.names {
		ids := slices.DeleteFunc(wanted[typ], func(id string) bool { _, ok := w.seen[typ+"/"+id]; return ok })
		slices.Sort(ids)
		if err := w.ask(ctx, typ, wire.AttrID, slices.Compact(ids), next, distance); err != nil {
			return err
		}
	}
	return nil
}

// inwards finds what refers to the objects of the border.
func (w *walk) inwards(ctx context.Context, border, next map[string][]string, distance int) error {
	for _, typ := range w.names {
		for _, a := range links(w.types[typ]) {
			if err := w.ask(ctx, typ, a.Name, border[a.To], next, distance); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask takes in the objects of a type that have one of the ids in an attribute. A
// plugin that does not answer is named, and its objects are not there.
func (w *walk) ask(ctx context.Context, typ, attr string, ids []string, next map[string][]string, distance int) error {
	plugin, _, _ := strings.Cut(typ, ":")
	if len(ids) == 0 || w.graph.Truncated || w.missing[plugin] {
		return nil
	}
	t := w.types[typ]
	q := wire.Query{Fields: []string{wire.AttrID}, Limit: graphPage,
		AdditionalFilters: []wire.Filter{{Attr: attr, Op: wire.OpIn, Condition: wire.Raw(ids)}}}
	if t.Display != "" && t.Display != wire.AttrID {
		q.Fields = append(q.Fields, t.Display)
	}
	for _, a := range links(t) {
		q.Fields = append(q.Fields, a.Name)
	}
	slices.Sort(q.Fields)
	q.Fields = slices.Compact(q.Fields)
	for {
		rows, after, err := w.Query(ctx, typ, w.scope, q)
		switch {
		case errs.Is(err, errs.Unavailable) && ctx.Err() == nil:
			w.missing[plugin] = true
			return nil
		case err != nil:
			return err
		}
		for _, row := range rows {
			isNew, room := w.add(typ, row, distance)
			if !room {
				return nil
			}
			if isNew {
				next[typ] = append(next[typ], unquote(row[wire.AttrID]))
			}
		}
		if after == "" || after == q.After || len(rows) == 0 {
			return nil
		}
		q.After = after
	}
}

// join adds every reference between objects that are there.
func (w *walk) join() {
	w.graph.Edges = []GraphEdge{}
	for _, n := range w.graph.Nodes {
		for _, a := range links(w.types[n.Type]) {
			for _, id := range idsOf(w.seen[n.Object][a.Name]) {
				if to := a.To + "/" + id; w.seen[to] != nil {
					w.graph.Edges = append(w.graph.Edges, GraphEdge{n.Object, to, a.Name})
				}
			}
		}
	}
	slices.SortStableFunc(w.graph.Nodes, func(a, b GraphNode) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Object, b.Object))
	})
	for name := range w.missing {
		w.graph.Missing = append(w.graph.Missing, name)
	}
	slices.Sort(w.graph.Missing)
}

func (s *Service) graphRoute(a *api.API) {
	type in struct {
		Typed
		ID        string    `path:"id" maxLength:"190"`
		Depth     int       `query:"depth" default:"1" minimum:"1" maximum:"4" doc:"How many references away from the object"`
		Direction Direction `query:"direction" default:"both" enum:"both,out,in" doc:"out leads to what it needs, in to what depends on it"`
	}
	type out struct{ Body Graph }
	api.Register(a, api.Endpoint{ID: "getObjectGraph", Method: http.MethodGet, Path: "/api/v1/objects/{type}/{id}/graph",
		Tag: "objects", Summary: "An object with what hangs together with it", Permission: "object.read"},
		func(ctx context.Context, i *in) (*out, error) {
			ref, err := ParseRef(i.Type + "/" + i.ID)
			if err != nil {
				return nil, err
			}
			g, err := s.Graph(ctx, ref, Scope{Project: i.Project}, i.Depth, i.Direction)
			return &out{g}, err
		})
}
