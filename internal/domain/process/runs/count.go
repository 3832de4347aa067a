package runs

import (
	"context"
	"net/http"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
)

// Hour counts the runs that began within an hour and are in one state.
type Hour struct {
	Hour  time.Time `json:"hour" doc:"When it began"`
	State string    `json:"state"`
	Runs  int       `json:"runs"`
}

// Summary counts runs.
type Summary struct {
	Total   int            `json:"total"`
	States  map[string]int `json:"states" doc:"Runs by state"`
	Waiting int            `json:"waiting" doc:"Open tasks of people in these runs"`
	Hours   []Hour         `json:"hours" doc:"Runs by the hour in which they began and by state, where a beginning is given"`
}

// Summarize counts the runs that a filter selects. Its state is left out, so that
// the counts are those of all states that could be chosen.
func (s *Service) Summarize(ctx context.Context, f Filter) (Summary, error) {
	if err := identity.Require(ctx, "run.read", f.Project); err != nil {
		return Summary{}, err
	}
	out := Summary{States: map[string]int{}, Hours: []Hour{}}
	f.State = ""
	hours, err := runsByHour(ctx, s.DB, f)
	if err != nil {
		return out, err
	}
	for _, h := range hours {
		out.Total += h.Runs
		out.States[h.State] += h.Runs
	}
	if !f.Since.IsZero() {
		out.Hours = append(out.Hours, hours...)
	}
	if identity.Require(ctx, "task.read", f.Project) == nil {
		where, args := f.where(ctx)
		out.Waiting, err = s.Tasks.Count(ctx, f.Project,
			"EXISTS (SELECT 1 FROM process_run r WHERE r.run = worklist_task.run AND "+where+")", args...)
	}
	return out, err
}

func (s *Service) countRoutes(a *api.API) {
	type summary struct{ Body Summary }
	api.Register(a, api.Endpoint{ID: "summarizeRuns", Method: http.MethodGet,
		Path: "/api/v1/runs/summary", Tag: "runs", Summary: "How many runs there are by state and hour", Permission: "run.read"},
		func(ctx context.Context, in *Choice) (*summary, error) {
			v, err := s.Summarize(ctx, Filter{Choice: *in})
			return &summary{v}, err
		})
}
