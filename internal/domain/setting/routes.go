package setting

import (
	"context"
	"net/http"

	"sextant/internal/kit/api"
)

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	type Named struct {
		Name    string `path:"name" maxLength:"64" pattern:"^[a-z0-9][a-z0-9._-]*$"`
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type put struct {
		Named
		IfMatch string `header:"If-Match" doc:"Version that is to be replaced, in quotes; without it any is"`
		Body    Input
	}
	type out struct{ Body Connection }
	api.Register(a, api.Endpoint{ID: "putConnection", Method: http.MethodPut,
		Path: "/api/v1/connections/{name}", Tag: "settings", Summary: "Create or replace a connection", Permission: "connection.write"},
		func(ctx context.Context, in *put) (*out, error) {
			expect, err := Expected(in.IfMatch)
			if err != nil {
				return nil, err
			}
			in.Body.Expect = expect
			c, err := s.Put(ctx, in.Project, in.Name, in.Body)
			return &out{c}, err
		})
	api.Register(a, api.Endpoint{ID: "deleteConnection", Method: http.MethodDelete, Path: "/api/v1/connections/{name}",
		Tag: "settings", Summary: "Remove a connection", Permission: "connection.write", Status: http.StatusNoContent},
		func(ctx context.Context, in *Named) (*struct{}, error) {
			return nil, s.Delete(ctx, in.Project, in.Name)
		})
	type list struct {
		api.Paging
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type page struct{ Body api.Page[Connection] }
	api.Register(a, api.Endpoint{ID: "listConnections", Method: http.MethodGet,
		Path: "/api/v1/connections", Tag: "settings", Summary: "Connections without their secrets", Permission: "connection.read"},
		func(ctx context.Context, in *list) (*page, error) {
			p, err := s.List(ctx, in.Project, in.Paging)
			return &page{p}, err
		})
	s.mergeRoutes(a)
	s.valueRoutes(a)
}

// Expected reads the version that is to be replaced; nil where none is named.
func Expected(header string) (*int64, error) {
	if header == "" {
		return nil, nil //nolint:nilnil // nothing is expected
	}
	v, err := api.Version(header)
	return &v, err
}

func (s *Service) valueRoutes(a *api.API) {
	type Named struct {
		Name    string `path:"name" maxLength:"128" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$"`
		Project string `query:"project" default:"default" maxLength:"64"`
		IfMatch string `header:"If-Match" doc:"Version that is to be replaced, in quotes, \"0\" for none; without it any is"`
	}
	type put struct {
		Named
		Body struct {
			Value string `json:"value" maxLength:"4096"`
		}
	}
	type out struct{ Body Value }
	api.Register(a, api.Endpoint{ID: "putSetting", Method: http.MethodPut,
		Path: "/api/v1/settings/{name}", Tag: "settings", Summary: "Set a plain value", Permission: "setting.write"},
		func(ctx context.Context, in *put) (*out, error) {
			expect, err := Expected(in.IfMatch)
			if err != nil {
				return nil, err
			}
			v, err := s.SetValue(ctx, in.Project, in.Name, in.Body.Value, expect)
			return &out{v}, err
		})
	api.Register(a, api.Endpoint{ID: "deleteSetting", Method: http.MethodDelete, Path: "/api/v1/settings/{name}",
		Tag: "settings", Summary: "Remove a plain value", Permission: "setting.write", Status: http.StatusNoContent},
		func(ctx context.Context, in *Named) (*struct{}, error) {
			expect, err := Expected(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return nil, s.DeleteValue(ctx, in.Project, in.Name, expect)
		})
	type list struct {
		api.Paging
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type page struct{ Body api.Page[Value] }
	api.Register(a, api.Endpoint{ID: "listSettings", Method: http.MethodGet,
		Path: "/api/v1/settings", Tag: "settings", Summary: "Plain values of a project", Permission: "setting.read"},
		func(ctx context.Context, in *list) (*page, error) {
			p, err := s.Values(ctx, in.Project, in.Paging)
			return &page{p}, err
		})
}
