package dispatch

import (
	"context"
	"encoding/json"

	"sextant/internal/domain/plugin"
	"sextant/sdk/go/wire"
)

// open replaces references to connections and their secrets by what they hold,
// for a call that is about to be sent. The result is neither stored nor logged.
func (s *Service) open(ctx context.Context, project string, svc plugin.Service, body []byte) ([]byte, error) {
	var secret []wire.Param
	for _, p := range svc.Action.Input {
		if p.Type == wire.TypeConnection || p.Secret {
			secret = append(secret, p)
		}
	}
	if len(secret) == 0 {
		return body, nil
	}
	var req wire.Request
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	o := s.Settings.Opener(project)
	for _, row := range req.Inputs {
		for _, p := range secret {
			v, err := o.Open(ctx, p.Name, p.Type == wire.TypeConnection, row[p.Name])
			if err != nil {
				return nil, err
			}
			if v != nil {
				row[p.Name] = v
			}
		}
	}
	return json.Marshal(req)
}
