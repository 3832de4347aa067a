package job

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"sextant/internal/kit/api"
)

// JobKey is the path of what is said of a job.
type JobKey struct {
	Job api.KeyParam `path:"job"`
}

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	s.takeRoutes(a)
	s.sayRoutes(a)
}

// takeRoutes are how jobs are found.
func (s *Service) takeRoutes(a *api.API) {
	type page struct{ Body api.Page[Open] }
	api.Register(a, api.Endpoint{ID: "listOpenJobs", Method: http.MethodGet, Path: "/api/v1/jobs",
		Tag: "jobs", Summary: "Open jobs that workers pull, the oldest first", Permission: "run.read"},
		func(ctx context.Context, f *Filter) (*page, error) {
			p, err := s.List(ctx, *f)
			return &page{p}, err
		})
	type in struct{ Body Pull }
	type out struct{ Body api.Page[Job] }
	api.Register(a, api.Endpoint{ID: "activateJobs", Method: http.MethodPost, Path: "/api/v1/jobs/activate",
		Tag: "jobs", Summary: "Take open jobs of a type, and wait for one where there is none", Permission: "job.work"},
		func(ctx context.Context, i *in) (*out, error) {
			all, err := s.Activate(ctx, i.Body)
			return &out{api.Page[Job]{Items: all}}, err
		})
}

// sayRoutes are what workers say of their jobs.
func (s *Service) sayRoutes(a *api.API) {
	type jobResult struct {
		JobKey
		Body struct {
			Lease     api.Key                    `json:"lease" doc:"As the activation named it"`
			Variables map[string]json.RawMessage `json:"variables,omitempty" doc:"Results"`
		}
	}
	api.Register(a, api.Endpoint{ID: "completeJob", Method: http.MethodPost, Path: "/api/v1/jobs/{job}/complete",
		Tag: "jobs", Summary: "End a job with its results", Permission: "job.work", Status: http.StatusNoContent},
		func(ctx context.Context, i *jobResult) (*struct{}, error) {
			return nil, s.Complete(ctx, Held{i.Job.Key, i.Body.Lease}, i.Body.Variables)
		})
	type jobFailure struct {
		JobKey
		Body struct {
			Lease   api.Key `json:"lease" doc:"As the activation named it"`
			Message string  `json:"message" maxLength:"2000" doc:"What went wrong"`
			Retries *int32  `json:"retries,omitempty" minimum:"0" maximum:"1000" doc:"Tries that are left; one less than before without. With none an incident waits for help"`
			Backoff int     `json:"backoff,omitempty" minimum:"0" maximum:"86400" doc:"Seconds until the next try"`
		}
	}
	api.Register(a, api.Endpoint{ID: "failJob", Method: http.MethodPost, Path: "/api/v1/jobs/{job}/fail",
		Tag: "jobs", Summary: "Say that a try has failed", Permission: "job.work", Status: http.StatusNoContent},
		func(ctx context.Context, i *jobFailure) (*struct{}, error) {
			return nil, s.Fail(ctx, Held{i.Job.Key, i.Body.Lease}, i.Body.Message, i.Body.Retries, time.Duration(i.Body.Backoff)*time.Second)
		})
	type jobError struct {
		JobKey
		Body struct {
			Lease     api.Key                    `json:"lease" doc:"As the activation named it"`
			Code      string                     `json:"code" minLength:"1" maxLength:"190" doc:"Code of the BPMN error"`
			Message   string                     `json:"message,omitempty" maxLength:"2000"`
			Variables map[string]json.RawMessage `json:"variables,omitempty"`
		}
	}
	api.Register(a, api.Endpoint{ID: "throwJobError", Method: http.MethodPost, Path: "/api/v1/jobs/{job}/error",
		Tag: "jobs", Summary: "Throw a BPMN error from a job", Permission: "job.work", Status: http.StatusNoContent},
		func(ctx context.Context, i *jobError) (*struct{}, error) {
			return nil, s.Throw(ctx, Held{i.Job.Key, i.Body.Lease}, i.Body.Code, i.Body.Message, i.Body.Variables)
		})
	type jobExtension struct {
		JobKey
		Body struct {
			Lease   api.Key `json:"lease" doc:"As the activation named it"`
			Seconds int     `json:"seconds" minimum:"1" maximum:"86400" doc:"From now on"`
		}
	}
	type jobDeadline struct {
		Body struct {
			Deadline time.Time `json:"deadline"`
		}
	}
	api.Register(a, api.Endpoint{ID: "extendJob", Method: http.MethodPost,
		Path: "/api/v1/jobs/{job}/extend", Tag: "jobs", Summary: "Have a job for longer", Permission: "job.work"},
		func(ctx context.Context, i *jobExtension) (*jobDeadline, error) {
			var o jobDeadline
			var err error
			o.Body.Deadline, err = s.Extend(ctx, Held{i.Job.Key, i.Body.Lease}, time.Duration(i.Body.Seconds)*time.Second)
			return &o, err
		})
}
