package object

import (
	"context"
	"encoding/json"
	"net/http"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// TypeInfo is an object type with the plugin that owns it.
type TypeInfo struct {
	Plugin string `json:"plugin"`
	wire.ObjectType
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
	api.Register(a, api.Endpoint{ID: "listObjectTypes", Method: http.MethodGet, Path: "/api/v1/object-types", Tag: "objects", Summary: "All object types", Permission: "object.read"},
		func(ctx context.Context, _ *struct{}) (*types, error) {
			page, err := s.allTypes(ctx)
			return &types{page}, err
		})
	type query struct {
		Typed
		Body wire.Query
	}
	api.Register(a, api.Endpoint{ID: "queryObjects", Method: http.MethodPost, Path: "/api/v1/objects/{type}/query", Tag: "objects", Summary: "Find objects", Permission: "object.read"},
		func(ctx context.Context, in *query) (*rowsOut, error) {
			if in.Body.Limit == 0 {
				in.Body.Limit = 100
			}
			rows, next, err := s.Query(ctx, in.Type, Scope{Project: in.Project}, in.Body)
			return &rowsOut{api.Page[wire.Row]{Items: rows, Next: next}}, err
		})
	s.changeRoutes(a)
	s.searchRoute(a)
	type get struct {
		Typed
		ID string `path:"id" maxLength:"190"`
	}
	type one struct{ Body wire.Row }
	api.Register(a, api.Endpoint{ID: "getObject", Method: http.MethodGet, Path: "/api/v1/objects/{type}/{id}", Tag: "objects", Summary: "One object", Permission: "object.read"},
		func(ctx context.Context, in *get) (*one, error) {
			ref, err := ParseRef(in.Type + "/" + in.ID)
			if err != nil {
				return nil, err
			}
			row, err := s.Get(ctx, ref, Scope{Project: in.Project})
			return &one{row}, err
		})
	s.pathRoute(a)
	s.graphRoute(a)
	s.historyRoute(a)
}

func (s *Service) changeRoutes(a *api.API) {
	type many struct {
		Typed
		Body []wire.Row `maxItems:"1000"`
	}
	api.Register(a, api.Endpoint{ID: "createObjects", Method: http.MethodPost, Path: "/api/v1/objects/{type}", Tag: "objects", Summary: "Create objects, all or none", Permission: "object.write", Status: http.StatusCreated},
		func(ctx context.Context, in *many) (*rowsOut, error) {
			rows, err := s.Create(ctx, in.Type, Scope{Project: in.Project}, in.Body)
			return &rowsOut{api.Page[wire.Row]{Items: rows}}, err
		})
	api.Register(a, api.Endpoint{ID: "updateObjects", Method: http.MethodPatch, Path: "/api/v1/objects/{type}", Tag: "objects", Summary: "Change the given attributes of objects, all or none", Permission: "object.write"},
		func(ctx context.Context, in *many) (*rowsOut, error) {
			rows, err := s.Update(ctx, in.Type, Scope{Project: in.Project}, in.Body)
			return &rowsOut{api.Page[wire.Row]{Items: rows}}, err
		})
	type remove struct {
		Typed
		ID string `path:"id" maxLength:"190"`
	}
	api.Register(a, api.Endpoint{ID: "deleteObject", Method: http.MethodDelete, Path: "/api/v1/objects/{type}/{id}", Tag: "objects", Summary: "Delete an object", Permission: "object.write", Status: http.StatusNoContent},
		func(ctx context.Context, in *remove) (*struct{}, error) {
			return nil, s.Delete(ctx, in.Type, Scope{Project: in.Project}, []string{in.ID})
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
	api.Register(a, api.Endpoint{ID: "searchObjects", Method: http.MethodGet, Path: "/api/v1/object-search", Tag: "objects", Summary: "Objects of every type whose name holds a text", Permission: "object.read"},
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
	api.Register(a, api.Endpoint{ID: "evaluatePath", Method: http.MethodPost, Path: "/api/v1/object-paths/evaluate", Tag: "objects", Summary: "Follow an object path from objects", Permission: "object.read"},
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
			list.Items = append(list.Items, TypeInfo{m.Plugin, t})
		}
	}
	return list, nil
}

// TypeList is the object types of all plugins.
type TypeList struct {
	Items   []TypeInfo `json:"items"`
	Missing []string   `json:"missing,omitempty" doc:"Plugins that did not answer, so that their types are not here"`
}
