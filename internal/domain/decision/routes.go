package decision

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// Runs tells whether the subject may see a run; one that he may not is as if it were
// not there.
type Runs interface {
	Visible(ctx context.Context, run api.Key) error
}

// Evaluations lists what the steps of a run got from decisions.
func (s *Service) Evaluations(ctx context.Context, run api.Key, p api.Paging) (api.Page[Evaluation], error) {
	after := int64(0)
	if p.After != "" {
		var err error
		if after, err = strconv.ParseInt(p.After, 10, 64); err != nil {
			return api.Page[Evaluation]{}, api.BadCursor()
		}
	}
	all, err := made(ctx, s.DB, int64(run), after, p.Limit+1)
	return api.PageOf(all, p.Limit, func(m Evaluation) string { return m.Job.String() }), err
}

// Routes adds the endpoints. runs tells who may see the decisions of a run.
func (s *Service) Routes(a *api.API, runs Runs) {
	a.Handle(api.Endpoint{ID: "deployDecisions", Tag: "decisions", Summary: "Deploy a DMN file",
		Method: http.MethodPost, Path: "/api/v1/decisions", Permission: "decision.deploy", Query: []string{"project"}}, s.deployRoute)
	type listIn struct {
		Project  string `query:"project" default:"default" maxLength:"64"`
		Decision string `query:"decision" maxLength:"190" doc:"All versions of this decision, newest first"`
		api.Paging
	}
	type listOut struct{ Body api.Page[Version] }
	api.Register(a, api.Endpoint{ID: "listDecisions", Method: http.MethodGet,
		Path: "/api/v1/decisions", Tag: "decisions", Summary: "Decisions in their newest version", Permission: "decision.read"},
		func(ctx context.Context, in *listIn) (*listOut, error) {
			if err := identity.Require(ctx, "decision.read", in.Project); err != nil {
				return nil, err
			}
			all, err := list(ctx, s.DB, in.Project, in.Decision, in.Paging)
			if err != nil {
				return nil, err
			}
			return &listOut{api.PageOf(all, in.Limit, func(v Version) string {
				if in.Decision != "" {
					return strconv.Itoa(v.Version)
				}
				return v.Decision
			})}, nil
		})
	a.Handle(api.Endpoint{ID: "getDecisionFile", Tag: "decisions", Summary: "The DMN file of a version", Method: http.MethodGet,
		Path: "/api/v1/decisions/{decision}/{version}/xml", Permission: "decision.read", Query: []string{"project"}}, s.xmlRoute)
	type evalIn struct {
		Decision string `path:"decision" maxLength:"190"`
		Body     struct {
			Project   string                     `json:"project,omitempty" default:"default" maxLength:"64"`
			Version   int                        `json:"version,omitempty" minimum:"0" doc:"The newest without one"`
			Variables map[string]json.RawMessage `json:"variables,omitempty" doc:"Inputs by name"`
		}
	}
	type evalOut struct{ Body Answer }
	api.Register(a, api.Endpoint{ID: "evaluateDecision", Method: http.MethodPost, Path: "/api/v1/decisions/{decision}/evaluate",
		Tag: "decisions", Summary: "What a decision says to these inputs", Permission: "decision.evaluate"},
		func(ctx context.Context, in *evalIn) (*evalOut, error) {
			answer, err := s.Evaluate(ctx, in.Body.Project, in.Decision, in.Body.Version, in.Body.Variables)
			return &evalOut{answer}, err
		})
	type evaluationsIn struct {
		Run api.KeyParam `path:"run"`
		api.Paging
	}
	type evaluationsOut struct{ Body api.Page[Evaluation] }
	api.Register(a, api.Endpoint{ID: "listEvaluations", Method: http.MethodGet, Path: "/api/v1/runs/{run}/evaluations",
		Tag: "decisions", Summary: "What the steps of a run got from decisions, and why", Permission: "run.read"},
		func(ctx context.Context, in *evaluationsIn) (*evaluationsOut, error) {
			if err := runs.Visible(ctx, in.Run.Key); err != nil {
				return nil, err
			}
			page, err := s.Evaluations(ctx, in.Run.Key, in.Paging)
			return &evaluationsOut{page}, err
		})
}

func (s *Service) deployRoute(w http.ResponseWriter, r *http.Request) error {
	xml, err := api.ReadBody(w, r, MaxXML)
	if errs.Is(err, errs.TooLarge) {
		return errs.New(errs.TooLarge, "decision.too_large", "the file has more than %d bytes", MaxXML)
	}
	if err != nil {
		return err
	}
	d, err := s.Deploy(r.Context(), projectOf(r), xml)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(d)
}

func (s *Service) xmlRoute(w http.ResponseWriter, r *http.Request) error {
	project := projectOf(r)
	if err := identity.Require(r.Context(), "decision.read", project); err != nil {
		return err
	}
	n, err := strconv.Atoi(r.PathValue("version"))
	if err != nil || n < 1 {
		return errs.New(errs.Malformed, "decision.version", "the version %q is no number from 1", r.PathValue("version"))
	}
	v, err := s.version(r.Context(), project, r.PathValue("decision"), n)
	if err != nil {
		return err
	}
	xml, err := s.XML(r.Context(), v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Disposition", "attachment") // a browser would run scripts within it
	_, err = w.Write(xml)
	return err
}

func projectOf(r *http.Request) string {
	if p := r.URL.Query().Get("project"); p != "" {
		return p
	}
	return "default"
}
