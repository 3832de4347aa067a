package server

import (
	"context"
	"log/slog"
	"os"

	"sextant/internal/config"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
)

// OpenAPI describes every endpoint of the platform, as YAML: OpenAPI 3.1, or 3.0
// for tools that know no newer one. It starts a server in a folder of its own to
// ask it.
func OpenAPI(ctx context.Context, older bool) ([]byte, error) {
	dir, err := os.MkdirTemp("", "sextant-openapi")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	l, err := config.Load("", map[string]any{"data": dir, "listen": "127.0.0.1:0", "admin.listen": ""})
	if err != nil {
		return nil, err
	}
	s, err := Open(ctx, Options{Config: l.Config, Version: "v1", Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if older {
		return s.parts.api.OpenAPI30()
	}
	return s.parts.api.OpenAPI()
}

// Endpoints lists what the API answers, by path and method.
func (s *Server) Endpoints() []api.Endpoint { return s.parts.api.Endpoints() }
