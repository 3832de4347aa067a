package object

import (
	"context"
	"encoding/json"
	"net/http"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// TypeInfo is an object type with the plugin that owns it.
type TypeInfo struct {
	Plugin string `json:"plugin"`
	wire.ObjectType
	// Writable and Creatable say whether anybody but the plugin writes such objects;
	// of definitions, whether the subject may.
	Writable  bool `json:"writable" doc:"Objects of this type can be changed and deleted; definitions, by you"`
	Creatable bool `json:"creatable" doc:"Objects of this type can be created; definitions, by you"`
}

// Typed is the path of what belongs to an object type.
type Typed struct {
	Type    string `path:"type" maxLength:"128" doc:"package:type"`
	Project string `query:"project" default:"default" maxLength:"64"`
}

type rowsOut struct{ Body api.Page[wire.Row] }

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	type types struct{ Body TypeList }
	api.Register(a, api.Endpoint{ID: "listObjectTypes", Method: http.MethodGet,
		Path: "/api/v1/object-types", Tag: "objects", Summary: "All object types", Permission: "object.read"},
		func(ctx context.Context, _ *struct{}) (*types, error) {
			page, err := s.allTypes(ctx)
			return &types{page}, err
		})
	type query struct {
		Typed
		Body wire.Query
	}
	api.Register(a, api.Endpoint{ID: "queryObjects", Method: http.MethodPost,
		Path: "/api/v1/objects/{type}/query", Tag: "objects", Summary: "Find objects", Permission: "object.read"},
		func(ctx context.Context, in *query) (*rowsOut, error) {
			if in.Body.Limit == 0 {
				in.Body.Limit = 100
			}
			rows, next, err := s.Query(ctx, in.Type, Scope{Project: in.Project}, in.Body)
			return &rowsOut{api.Page[wire.Row]{Items: rows, Next: next}}, err
		})
	s.changeRoutes(a)
	s.searchRoute(a)
	s.countRoute(a)
	s.statesRoute(a)
	type get struct {
		Typed
		ID string `path:"id" maxLength:"190"`
	}
	type one struct {
		ETag string `header:"ETag" doc:"The version, in quotes"`
		Body wire.Row
	}
	api.Register(a, api.Endpoint{ID: "getObject", Method: http.MethodGet,
		Path: "/api/v1/objects/{type}/{id}", Tag: "objects", Summary: "One object", Permission: "object.read"},
		func(ctx context.Context, in *get) (*one, error) {
			ref, err := ParseRef(in.Type + "/" + in.ID)
			if err != nil {
				return nil, err
			}
			row, err := s.Get(ctx, ref, Scope{Project: in.Project})
			return &one{tag(row), row}, err
		})
	s.pathRoute(a)
	s.graphRoute(a)
	s.historyRoute(a)
}

// Override is the header by which a change passes a lock.
type Override struct {
	Reason string `header:"Override-Reason" maxLength:"500" doc:"Why a lock does not bind this change; needs the right lock.override, and goes on record"`
}

func (o Override) on(ctx context.Context) context.Context {
	if o.Reason == "" {
		return ctx
	}
	return WithReason(ctx, o.Reason)
}

// tag is the version of a row as an entity tag; nothing where there is none.
func tag(row wire.Row) string {
	if v, ok := row[wire.AttrVersion]; ok {
		return `"` + unquote(v) + `"`
	}
	return ""
}

// expecting makes a change one of a version, where a header names it.
func expecting(ifMatch string, rows []wire.Row) error {
	if ifMatch == "" {
		return nil
	}
	v, err := api.Version(ifMatch)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return errs.New(errs.Invalid, "object.if_match", "If-Match names one version, and there are %d objects: give each row its %s",
			len(rows), wire.AttrVersion)
	}
	rows[0][wire.AttrVersion] = wire.Raw(v)
	return nil
}

func (s *Service) changeRoutes(a *api.API) {
	type many struct {
		Typed
		Override
		Body []wire.Row `maxItems:"1000"`
	}
	api.Register(a, api.Endpoint{ID: "createObjects", Method: http.MethodPost, Path: "/api/v1/objects/{type}",
		Tag: "objects", Summary: "Create objects, all or none", Permission: "object.write", Status: http.StatusCreated},
		func(ctx context.Context, in *many) (*rowsOut, error) {
			rows, err := s.Create(in.on(ctx), in.Type, Scope{Project: in.Project}, in.Body)
			return &rowsOut{api.Page[wire.Row]{Items: rows}}, err
		})
	type update struct {
		Typed
		Override
		IfMatch string     `header:"If-Match" doc:"Version of the one object that is to be changed, in quotes; of several, each row names its @version"`
		Body    []wire.Row `maxItems:"1000"`
	}
	type updated struct {
		ETag string `header:"ETag" doc:"The version of the one object, in quotes"`
		Body api.Page[wire.Row]
	}
	api.Register(a, api.Endpoint{ID: "updateObjects", Method: http.MethodPatch, Path: "/api/v1/objects/{type}",
		Tag: "objects", Summary: "Change the given attributes of objects, all or none", Permission: "object.write"},
		func(ctx context.Context, in *update) (*updated, error) {
			if err := expecting(in.IfMatch, in.Body); err != nil {
				return nil, err
			}
			rows, err := s.Update(in.on(ctx), in.Type, Scope{Project: in.Project}, in.Body)
			out := &updated{Body: api.Page[wire.Row]{Items: rows}}
			if len(rows) == 1 {
				out.ETag = tag(rows[0])
			}
			return out, err
		})
	type remove struct {
		Typed
		Override
		ID      string `path:"id" maxLength:"190"`
		IfMatch string `header:"If-Match" doc:"Version that is to be deleted, in quotes; without it any is"`
	}
	api.Register(a, api.Endpoint{ID: "deleteObject", Method: http.MethodDelete, Path: "/api/v1/objects/{type}/{id}",
		Tag: "objects", Summary: "Delete an object that nothing refers to", Permission: "object.write", Status: http.StatusNoContent},
		func(ctx context.Context, in *remove) (*struct{}, error) {
			rows := []wire.Row{{wire.AttrID: wire.Raw(in.ID)}}
			if err := expecting(in.IfMatch, rows); err != nil {
				return nil, err
			}
			_, err := s.same(in.on(ctx), Scope{Project: in.Project}, wire.OpDelete, in.Type, rows)
			return nil, err
		})
	s.setRoute(a)
}

// maxSet is the largest set of changes in bytes.
const maxSet = 32 << 20

func (s *Service) setRoute(a *api.API) {
	type setIn struct {
		Override
		Project string `query:"project" default:"default" maxLength:"64"`
		Body    struct {
			Changes []Change `json:"changes" maxItems:"100000" doc:"Of objects of one plugin, each object once; references among them in any order"`
			DryRun  bool     `json:"dryRun,omitempty" doc:"Tell what would become of it, and change nothing"`
		}
	}
	type setOut struct {
		Body struct {
			Items []Done `json:"items" doc:"What became of the changes, in their order"`
		}
	}
	api.Register(a, api.Endpoint{ID: "changeObjects", Method: http.MethodPost, Path: "/api/v1/object-changes", Tag: "objects",
		Summary: "Create, change and delete objects of several types together or not at all", Permission: "object.write", MaxBody: maxSet},
		func(ctx context.Context, i *setIn) (*setOut, error) {
			done, err := s.Change(i.on(ctx), Scope{Project: i.Project}, i.Body.Changes, Options{DryRun: i.Body.DryRun})
			o := &setOut{}
			o.Body.Items = done
			return o, err
		})
}

func (s *Service) searchRoute(a *api.API) {
	type searchIn struct {
		Project string `query:"project" default:"default" maxLength:"64"`
		Text    string `query:"text" required:"true" minLength:"1" maxLength:"100"`
	}
	type searchOut struct {
		Body struct {
			Items []Hit `json:"items"`
		}
	}
	api.Register(a, api.Endpoint{ID: "searchObjects", Method: http.MethodGet,
		Path: "/api/v1/object-search", Tag: "objects", Summary: "Objects of every type whose name holds a text", Permission: "object.read"},
		func(ctx context.Context, in *searchIn) (*searchOut, error) {
			o := &searchOut{}
			var err error
			o.Body.Items, err = s.Search(ctx, in.Project, in.Text)
			return o, err
		})
}

// Found is what a path gives for one object.
type Found struct {
	Object string            `json:"object"`
	Values []json.RawMessage `json:"values"`
}

func (s *Service) pathRoute(a *api.API) {
	type in struct {
		Project string `query:"project" default:"default" maxLength:"64"`
		Body    struct {
			From []string `json:"from" minItems:"1" maxItems:"1000" doc:"Objects of one type: package:type/id"`
			Path string   `json:"path" minLength:"1" maxLength:"4096"`
		}
	}
	type out struct{ Body api.Page[Found] }
	api.Register(a, api.Endpoint{ID: "evaluatePath", Method: http.MethodPost,
		Path: "/api/v1/object-paths/evaluate", Tag: "objects", Summary: "Follow an object path from objects", Permission: "object.read"},
		func(ctx context.Context, i *in) (*out, error) {
			var ids []string
			var first Ref
			for n, text := range i.Body.From {
				ref, err := ParseRef(text)
				if err != nil {
					return nil, err
				}
				if n == 0 {
					first = ref
				}
				if ref.TypeRef() != first.TypeRef() {
					return nil, errs.New(errs.Invalid, "object.mixed", "objects of %s and %s cannot be asked together", first.TypeRef(), ref.TypeRef())
				}
				ids = append(ids, ref.ID)
			}
			p, err := ParsePath(i.Body.Path, first.TypeRef())
			if err != nil {
				return nil, err
			}
			got, err := s.Evaluate(ctx, Scope{Project: i.Project}, ids, []*objectpath.Path{p})
			if err != nil {
				return nil, err
			}
			o := &out{api.Page[Found]{Items: []Found{}}}
			for _, id := range ids {
				o.Body.Items = append(o.Body.Items, Found{first.TypeRef() + "/" + id, got.At(id, 0)})
			}
			return o, nil
		})
}

// allTypes lists what the plugins that answer bring; one that does not answer is
// named and holds up nobody else.
func (s *Service) allTypes(ctx context.Context) (TypeList, error) {
	list := TypeList{Items: []TypeInfo{}}
	for _, m := range s.Plugins.All() {
		types, err := s.Types(ctx, m.Plugin)
		if err != nil {
			if ctx.Err() != nil {
				return list, err
			}
			list.Missing = append(list.Missing, m.Plugin)
			continue
		}
		for _, t := range types {
			can := !t.ReadOnly && (!t.Definition || identity.From(ctx).CanIn(TypeWrite, "*", "*"))
			list.Items = append(list.Items, TypeInfo{m.Plugin, t, can, can})
		}
	}
	return list, nil
}

// TypeList is the object types of all plugins.
type TypeList struct {
	Items   []TypeInfo `json:"items"`
	Missing []string   `json:"missing,omitempty" doc:"Plugins that did not answer, so that their types are not here"`
}
