package control

import (
	"context"
	"net/http"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// Verdicts lists what the door said in a project, newest first; with a run that
// on this one.
func (d *Door) Verdicts(ctx context.Context, project string, run api.Key, p api.Paging) (api.Page[Verdict], error) {
	if err := identity.Require(ctx, "run.read", project); err != nil {
		return api.Page[Verdict]{}, err
	}
	all, err := d.listVerdicts(ctx, project, run, p)
	if err != nil {
		return api.Page[Verdict]{}, err
	}
	s := d.sight(ctx)
	for i := range all {
		if _, err := s.verdict(project, &all[i]); err != nil {
			return api.Page[Verdict]{}, err
		}
	}
	return api.PageOf(all, p.Limit, func(v Verdict) string { return v.ID }), nil
}

// Routes adds the endpoints.
func (d *Door) Routes(a *api.API) {
	type list struct {
		api.Paging
		Project string       `query:"project" default:"default" maxLength:"64"`
		Run     api.KeyParam `query:"run" doc:"Only the verdict on this run"`
	}
	type page struct{ Body api.Page[Verdict] }
	api.Register(a, api.Endpoint{ID: "listVerdicts", Method: http.MethodGet,
		Path: "/api/v1/verdicts", Tag: "control", Summary: "What the door said, newest first", Permission: "run.read"},
		func(ctx context.Context, in *list) (*page, error) {
			p, err := d.Verdicts(ctx, in.Project, in.Run.Key, in.Paging)
			return &page{p}, err
		})
	type stop struct{ Body Stop }
	api.Register(a, api.Endpoint{ID: "getStop", Method: http.MethodGet, Path: "/api/v1/stop",
		Tag: "control", Summary: "Is everything stopped", Permission: api.SignedIn},
		func(ctx context.Context, _ *struct{}) (*stop, error) {
			s, err := d.state(ctx, d.DB)
			return &stop{s}, err
		})
	type set struct {
		Body struct {
			Active bool   `json:"active"`
			Reason string `json:"reason,omitempty" maxLength:"500"`
		}
	}
	api.Register(a, api.Endpoint{ID: "setStop", Method: http.MethodPut, Path: "/api/v1/stop",
		Tag: "control", Summary: "Stop all starts, or allow them again", Permission: "control.stop"},
		func(ctx context.Context, in *set) (*stop, error) {
			s, err := d.SetStop(ctx, in.Body.Active, in.Body.Reason)
			return &stop{s}, err
		})
	d.lockRoutes(a)
	d.lineRoutes(a)
}

func (d *Door) lockRoutes(a *api.API) {
	type in struct {
		Object string       `query:"object" maxLength:"190" doc:"Who holds this object and who waits for it"`
		Run    api.KeyParam `query:"run" doc:"What this run holds and waits for"`
	}
	type out struct {
		Body struct {
			Held    bool    `json:"held"`
			Lock    *Lock   `json:"lock,omitempty" doc:"The first of the holders"`
			Holders []*Lock `json:"holders"`
			Waiting []*Lock `json:"waiting" doc:"Who waits, in the order of the queue"`
		}
	}
	api.Register(a, api.Endpoint{ID: "getLock", Method: http.MethodGet, Path: "/api/v1/locks",
		Tag: "control", Summary: "Who holds an object, or what a run holds", Permission: "run.read"},
		func(ctx context.Context, i *in) (*out, error) {
			o := &out{}
			var err error
			switch {
			case (i.Object == "") == (i.Run.Key == 0):
				return nil, errs.New(errs.Invalid, "control.lock_query", "name an object or a run, and not both")
			case i.Object != "":
				o.Body.Holders, o.Body.Waiting, err = d.LocksOf(ctx, i.Object)
			default:
				o.Body.Holders, o.Body.Waiting, err = d.LocksOfRun(ctx, int64(i.Run.Key))
			}
			if o.Body.Held = len(o.Body.Holders) > 0; o.Body.Held {
				o.Body.Lock = o.Body.Holders[0]
			}
			return o, err
		})
}
