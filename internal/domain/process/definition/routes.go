package definition

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	s.fileRoutes(a)
	s.needsRoute(a)
}

func (s *Service) fileRoutes(a *api.API) {
	a.Handle(api.Endpoint{ID: "deployProcess", Tag: "processes", Summary: "Deploy a BPMN file", Method: http.MethodPost,
		Path: "/api/v1/processes", Permission: "process.deploy", Query: []string{"project"}}, func(w http.ResponseWriter, r *http.Request) error {
		xml, err := api.ReadBody(w, r, MaxXML)
		if errs.Is(err, errs.TooLarge) {
			return errs.New(errs.TooLarge, "process.too_large", "the file has more than %d bytes", MaxXML)
		}
		if err != nil {
			return err
		}
		project := r.URL.Query().Get("project")
		if project == "" {
			project = "default"
		}
		d, err := s.Deploy(r.Context(), project, xml)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		return json.NewEncoder(w).Encode(d)
	})
	type list struct {
		Project string `query:"project" default:"default" maxLength:"64"`
		Process string `query:"process" maxLength:"190" doc:"All versions of this process, newest first"`
		api.Paging
	}
	type page struct{ Body api.Page[Definition] }
	api.Register(a, api.Endpoint{ID: "listProcesses", Method: http.MethodGet,
		Path: "/api/v1/processes", Tag: "processes", Summary: "Processes in their newest version", Permission: "process.read"},
		func(ctx context.Context, in *list) (*page, error) {
			if err := identity.Require(ctx, "process.read", in.Project); err != nil {
				return nil, err
			}
			all, err := definitions(ctx, s.DB, in.Project, in.Process, in.Paging)
			if err != nil {
				return nil, err
			}
			return &page{api.PageOf(all, in.Limit, func(d Definition) string {
				if in.Process != "" {
					return strconv.Itoa(d.Version)
				}
				return d.Process
			})}, nil
		})
	a.Handle(api.Endpoint{ID: "getProcessXML", Tag: "processes", Summary: "The BPMN file of a version",
		Method: http.MethodGet, Path: "/api/v1/processes/{process}/{version}/xml", Permission: "process.read", Query: []string{"project"}}, s.xml)
}

func (s *Service) xml(w http.ResponseWriter, r *http.Request) error {
	project := r.URL.Query().Get("project")
	if project == "" {
		project = "default"
	}
	if err := identity.Require(r.Context(), "process.read", project); err != nil {
		return err
	}
	version, err := strconv.Atoi(r.PathValue("version"))
	if err != nil || version < 1 {
		return errs.New(errs.Malformed, "process.version", "the version %q is no number from 1", r.PathValue("version"))
	}
	d, err := s.Version(r.Context(), project, r.PathValue("process"), version)
	if err != nil {
		return err
	}
	data, err := s.XML(r.Context(), d)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Disposition", "attachment") // a browser would run scripts within it
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	_, err = w.Write(data)
	return err
}
