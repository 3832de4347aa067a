package server

import (
	"context"
	"net/http"
	"time"

	"sextant/internal/config"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/process/runs"
	"sextant/internal/kit/api"
	"sextant/internal/kit/retention"
)

const day = 24 * time.Hour

// kept are the kinds of things that are removed after a while.
func kept(p *parts, c config.Retention) []retention.Kind {
	of := func(days int) time.Duration { return time.Duration(days) * day }
	others := runs.Forgetters{p.door.Forget, p.decision.Forget}
	return []retention.Kind{
		{Name: "events", Keep: of(c.Events), Forget: p.bus.Forget, Stock: p.bus.Stock},
		{Name: "audit", Keep: of(c.Audit), Forget: p.audit.Forget, Stock: p.audit.Stock},
		{Name: "runs", Keep: of(c.Runs), Forget: func(ctx context.Context, before time.Time, limit int) (int, error) {
			return p.runs.Forget(ctx, before, limit, others)
		}, Stock: p.runs.Stock},
		{Name: "refusals", Keep: of(c.Runs), Forget: p.door.ForgetRefused},
		{Name: "output", Keep: of(c.Output), Forget: p.output.Forget, Stock: p.output.Stock},
		{Name: "files", Keep: of(c.Files), Forget: func(ctx context.Context, before time.Time, limit int) (int, error) {
			return p.blobs.Sweep(ctx, before, limit, p.uses)
		}, Stock: p.blobs.Stock},
		{Name: "idempotency", Keep: of(c.Idempotency), Forget: p.api.Forget, Stock: p.api.Stock},
	}
}

// uses reports whether a process or a decision has a file.
func (p *parts) uses(ctx context.Context, digest string) (bool, error) {
	for _, by := range []func(context.Context, string) (bool, error){p.versions.Uses, p.decision.Uses} {
		if yes, err := by(ctx, digest); err != nil || yes {
			return yes, err
		}
	}
	return false, nil
}

// retentionRoutes are the endpoints on what is kept for how long.
func (p *parts) retentionRoutes(s *Server) {
	p.sweeper = retention.New(p.clock, s.Log, kept(p, s.Config.Retention)...)
	type out struct {
		Body api.Page[retention.Report]
	}
	told := func() *out { return &out{api.Page[retention.Report]{Items: p.sweeper.Reports()}} }
	api.Register(p.api, api.Endpoint{ID: "listRetention", Method: http.MethodGet, Path: "/api/v1/retention", Tag: "settings",
		Summary: "For how long what happened is kept, and how it stands with removing what is older", Permission: "setting.read"},
		func(ctx context.Context, _ *struct{}) (*out, error) {
			if err := identity.Require(ctx, "setting.read", "*"); err != nil {
				return nil, err
			}
			p.sweeper.Count(ctx)
			return told(), nil
		})
	api.Register(p.api, api.Endpoint{ID: "sweepRetention", Method: http.MethodPost, Path: "/api/v1/retention",
		Tag: "settings", Summary: "Remove what is older now, and not within the hour", Status: http.StatusAccepted, Permission: "setting.write"},
		func(ctx context.Context, _ *struct{}) (*out, error) {
			if err := identity.Require(ctx, "setting.write", "*"); err != nil {
				return nil, err
			}
			p.sweeper.Now()
			return told(), nil
		})
}
