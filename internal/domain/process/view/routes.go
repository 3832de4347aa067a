package view

import (
	"context"
	"net/http"

	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/process/runs"
	"sextant/internal/kit/api"
)

const maxSteps = 5000 // steps answered at once

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	s.stepRoutes(a)
	s.lookRoutes(a)
}

func (s *Service) stepRoutes(a *api.API) {
	type steps struct{ Body api.Page[*Step] }
	api.Register(a, api.Endpoint{ID: "listSteps", Method: http.MethodGet, Path: "/api/v1/runs/{run}/steps",
		Tag: "runs", Summary: "Steps of a run in the order in which they began, the newest where there are too many", Permission: "run.read"},
		func(ctx context.Context, in *runs.RunKey) (*steps, error) {
			r, err := s.Runs.Readable(ctx, in.Run.Key)
			if err != nil {
				return nil, err
			}
			f, err := s.steps(ctx, r)
			if err != nil {
				return nil, err
			}
			all := f.steps[max(0, len(f.steps)-maxSteps):]
			return &steps{api.Page[*Step]{Items: append([]*Step{}, all...)}}, nil
		})
	type jobs struct{ Body api.Page[dispatch.JobState] }
	api.Register(a, api.Endpoint{ID: "listJobs", Method: http.MethodGet, Path: "/api/v1/runs/{run}/jobs",
		Tag: "runs", Summary: "Service calls of a run with the outcome of every row", Permission: "run.read"},
		func(ctx context.Context, in *runs.RunKey) (*jobs, error) {
			if _, err := s.Runs.Readable(ctx, in.Run.Key); err != nil {
				return nil, err
			}
			all, err := s.Dispatch.Jobs(ctx, in.Run.Key)
			return &jobs{api.Page[dispatch.JobState]{Items: all}}, err
		})
	a.Handle(api.Endpoint{ID: "watchRun", Tag: "runs", Summary: "Live view of a run as server-sent events, resumed by Last-Event-ID",
		Method: http.MethodGet, Path: "/api/v1/runs/{run}/events", Permission: "run.read", Query: []string{"after", "rows"}},
		func(w http.ResponseWriter, r *http.Request) error {
			return s.events(a, w, r)
		})
}
