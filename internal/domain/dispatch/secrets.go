package dispatch

import (
	"context"
	"encoding/json"

	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"

	"sextant/internal/domain/plugin"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

// open replaces references to connections and their secrets by what they hold,
// for a call that is about to be sent. The result is neither stored nor logged;
// the mask hides what was opened where it comes back.
func (s *Service) open(ctx context.Context, sc *plan.Scope, svc plugin.Service, body []byte) ([]byte, *secret.Mask, error) {
	var hidden []wire.Param
	for _, p := range svc.Action.Input {
		if p.Type == wire.TypeConnection || p.Secret {
			hidden = append(hidden, p)
		}
	}
	if len(hidden) == 0 {
		return body, nil, nil
	}
	var req wire.Request
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, nil, err
	}
	o := s.Settings.Opener(sc.Project(), itoa(int64(sc.Run)))
	for _, row := range req.Inputs {
		for _, p := range hidden {
			v, err := o.Open(ctx, p.Name, p.Type == wire.TypeConnection, row[p.Name])
			if err != nil {
				return nil, nil, err
			}
			if v != nil {
				row[p.Name] = v
			}
		}
	}
	body, err := json.Marshal(req)
	return body, secret.NewMask(o.Opened()), err
}

// maskOf gives what has to be hidden in what a plugin reports about a call: after
// a restart, and when it reports late, the secrets are opened for that alone.
func (s *Service) maskOf(ctx context.Context, key string, r *record.Job, c *record.Chunk) (*secret.Mask, error) {
	if mask, ok := s.masks.Of(key); ok {
		return mask, nil
	}
	svc, err := s.Plugins.Resolve(r.Service)
	if err != nil {
		return nil, err
	}
	sc, err := s.scopeOf(ctx, r)
	if err != nil {
		return nil, err
	}
	_, mask, err := s.open(sc.As(ctx), sc, svc, c.Body)
	if err != nil {
		return nil, err
	}
	s.masks.Set(key, mask) // a plugin that reports late does so more than once
	return mask, nil
}
