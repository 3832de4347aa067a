package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/process/definition"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
)

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	s.againRoute(a)
	s.startRoutes(a)
	s.runRoutes(a)
	s.incidentRoutes(a)
	s.waitRoutes(a)
}

// startBody is what a start is asked with.
type startBody struct {
	Project   string                     `json:"project,omitempty" default:"default" maxLength:"64"`
	Process   string                     `json:"process" minLength:"1" maxLength:"190"`
	Version   int                        `json:"version,omitempty" minimum:"0" doc:"0 for the newest"`
	Objects   []string                   `json:"objects,omitempty" maxItems:"5000" doc:"What the run acts on: package:type/id"`
	Variables map[string]json.RawMessage `json:"variables,omitempty"`
	Title     string                     `json:"title,omitempty" maxLength:"200"`
	Priority  *int                       `json:"priority,omitempty" minimum:"0" maximum:"100" doc:"How urgent it is where the process has a line by priority; 50 without it. Over 50 needs run.operate"`
	Due       time.Time                  `json:"due,omitzero" doc:"Until when it has to start: it does not wait longer"`
}

func (b startBody) request() control.Request {
	return control.Request{Project: b.Project, Process: b.Process, Version: b.Version,
		Objects: b.Objects, Variables: b.Variables, Title: b.Title, Source: "api", Priority: b.Priority, Due: b.Due}
}

// statusOf says how a verdict is answered: a run was made, waits to start, or another
// stands for it.
func statusOf(v control.Verdict) int {
	switch v.Verdict {
	case control.Waits, control.ToBeApproved:
		return http.StatusAccepted
	case control.WasMerged:
		return http.StatusOK
	}
	return http.StatusCreated
}

func (s *Service) startRoutes(a *api.API) {
	type in struct{ Body startBody }
	type out struct {
		Status int
		Body   control.Verdict
	}
	answer := func(v control.Verdict, err error) (*out, error) {
		return &out{statusOf(v), v}, err
	}
	api.Register(a, api.Endpoint{ID: "startRun", Method: http.MethodPost,
		Path: "/api/v1/runs", Tag: "runs", Summary: "Ask the door for a run", Permission: "run.start", Status: http.StatusCreated},
		func(ctx context.Context, i *in) (*out, error) {
			return answer(s.admit(ctx, i.Body.request()))
		})
	type callIn struct{ Body definition.Call }
	api.Register(a, api.Endpoint{ID: "callService", Method: http.MethodPost, Path: "/api/v1/calls",
		Tag: "runs", Summary: "Ask the door for a run of one step that calls a service", Permission: "run.start", Status: http.StatusCreated},
		func(ctx context.Context, i *callIn) (*out, error) {
			return answer(s.Call(ctx, i.Body))
		})
	type preview struct{ Body Preview }
	api.Register(a, api.Endpoint{ID: "previewRun", Method: http.MethodPost, Path: "/api/v1/runs/preview",
		Tag: "runs", Summary: "What a start would do: the door's checks and every row of every step", Permission: "run.start"},
		func(ctx context.Context, i *in) (*preview, error) {
			p, err := s.Preview(ctx, i.Body.request())
			return &preview{p}, err
		})
	api.Register(a, api.Endpoint{ID: "previewCall", Method: http.MethodPost, Path: "/api/v1/calls/preview",
		Tag: "runs", Summary: "What a call would do: the door's checks and every row of its step", Permission: "run.start"},
		func(ctx context.Context, i *callIn) (*preview, error) {
			p, err := s.PreviewCall(ctx, i.Body)
			return &preview{p}, err
		})
}

// listedObjects is how many objects a run in a list names; the run itself names
// all of them.
const listedObjects = 5

// RunKey is the path of what belongs to a run.
type RunKey struct {
	Run api.KeyParam `path:"run"`
}

func (s *Service) runRoutes(a *api.API) {
	type page struct{ Body api.Page[Run] }
	api.Register(a, api.Endpoint{ID: "listRuns", Method: http.MethodGet, Path: "/api/v1/runs",
		Tag: "runs", Summary: "Runs, newest first", Permission: "run.read"},
		func(ctx context.Context, in *Filter) (*page, error) {
			if err := identity.Require(ctx, "run.read", in.Project); err != nil {
				return nil, err
			}
			all, err := runs(ctx, s.DB, *in)
			if err != nil {
				return nil, err
			}
			if err := s.withTasks(ctx, all); err != nil {
				return nil, err
			}
			for i := range all {
				all[i].Objects = all[i].Objects[:min(len(all[i].Objects), listedObjects)]
			}
			return &page{api.PageOf(all, in.Limit, func(r Run) string { return fmt.Sprintf("%d.%d", clock.Micros(r.Started), r.Key) })}, nil
		})
	type one struct{ Body Run }
	api.Register(a, api.Endpoint{ID: "getRun", Method: http.MethodGet, Path: "/api/v1/runs/{run}",
		Tag: "runs", Summary: "One run", Permission: "run.read"},
		func(ctx context.Context, in *RunKey) (*one, error) {
			r, err := s.Readable(ctx, in.Run.Key)
			return &one{r}, err
		})
	s.actRoutes(a)
	s.countRoutes(a)
}

func (s *Service) actRoutes(a *api.API) {
	type cancel struct {
		RunKey
		Body struct {
			Reason string `json:"reason" minLength:"3" maxLength:"500"`
			Failed bool   `json:"failed,omitempty" doc:"End it as a run that failed, which stands still with an incident"`
		}
	}
	type giveUp struct {
		RunKey
		Body struct {
			Reason string `json:"reason" minLength:"3" maxLength:"500"`
		}
	}
	api.Register(a, api.Endpoint{ID: "cancelRun", Method: http.MethodPost, Path: "/api/v1/runs/{run}/cancel",
		Tag: "runs", Summary: "End a run; what it has begun is told to stop", Permission: "run.operate", Status: http.StatusNoContent},
		func(ctx context.Context, in *cancel) (*struct{}, error) {
			if in.Body.Failed {
				return nil, s.Fail(ctx, in.Run.Key, in.Body.Reason)
			}
			return nil, s.Cancel(ctx, in.Run.Key, in.Body.Reason)
		})
	api.Register(a, api.Endpoint{ID: "giveUpRun", Method: http.MethodPost, Path: "/api/v1/runs/{run}/give-up",
		Tag: "runs", Summary: "End a run that is stopping although a plugin gives no word; what it began is unknown",
		Permission: "lock.override", Status: http.StatusNoContent},
		func(ctx context.Context, in *giveUp) (*struct{}, error) {
			return nil, s.GiveUp(ctx, in.Run.Key, in.Body.Reason)
		})
}

func (s *Service) incidentRoutes(a *api.API) {
	type list struct {
		Project string       `query:"project" default:"default" maxLength:"64"`
		Run     api.KeyParam `query:"run" doc:"Only incidents of this run and of those that it has called"`
		api.Paging
	}
	type page struct{ Body api.Page[Incident] }
	api.Register(a, api.Endpoint{ID: "listIncidents", Method: http.MethodGet,
		Path: "/api/v1/incidents", Tag: "incidents", Summary: "What waits for help, newest first", Permission: "run.read"},
		func(ctx context.Context, in *list) (*page, error) {
			if err := identity.Require(ctx, "run.read", in.Project); err != nil {
				return nil, err
			}
			all, err := incidents(ctx, s.DB, in.Project, in.Run.Key, in.Paging)
			if err != nil {
				return nil, err
			}
			return &page{api.PageOf(all, in.Limit, func(i Incident) string { return fmt.Sprintf("%d.%d", clock.Micros(i.Since), i.Key) })}, nil
		})
	type IncidentKey struct {
		Incident api.KeyParam `path:"incident"`
	}
	type retry struct {
		IncidentKey
		Body Retry
	}
	api.Register(a, api.Endpoint{ID: "retryIncident", Method: http.MethodPost, Path: "/api/v1/incidents/{incident}/retry",
		Tag: "incidents", Summary: "Try again, with the same or with new inputs", Permission: "run.operate", Status: http.StatusNoContent},
		func(ctx context.Context, in *retry) (*struct{}, error) {
			return nil, s.Retry(ctx, in.Incident.Key, in.Body)
		})
	type skip struct {
		IncidentKey
		Body Skip
	}
	api.Register(a, api.Endpoint{ID: "skipIncident", Method: http.MethodPost, Path: "/api/v1/incidents/{incident}/skip",
		Tag: "incidents", Summary: "Leave the step as if it had completed", Permission: "run.operate", Status: http.StatusNoContent},
		func(ctx context.Context, in *skip) (*struct{}, error) {
			return nil, s.Skip(ctx, in.Incident.Key, in.Body)
		})
}
