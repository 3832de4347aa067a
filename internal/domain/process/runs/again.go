package runs

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"sextant/internal/domain/setting"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/kit/api"
)

// Start is what a run was started with, so that it can be asked for again.
type Start struct {
	Process   string                     `json:"process"`
	Version   int                        `json:"version"`
	Title     string                     `json:"title,omitempty"`
	Objects   []string                   `json:"objects"`
	Variables map[string]json.RawMessage `json:"variables"`
	Sealed    []string                   `json:"sealed,omitempty" doc:"Variables that were secrets: they are not told, and have to be given again"`
}

// Started reads what a run was started with from the first entry of its history.
func (s *Service) Started(ctx context.Context, run api.Key) (Start, error) {
	r, err := s.Readable(ctx, run)
	if err != nil {
		return Start{}, err
	}
	out := Start{Process: r.Process, Version: r.Version, Title: r.Title, Objects: append([]string{}, r.Objects...),
		Variables: map[string]json.RawMessage{}}
	asked, waited, err := s.door.Asked(ctx, run)
	if err != nil {
		return out, err
	}
	for name, v := range asked.Variables {
		out.add(name, v)
	}
	if waited {
		slices.Sort(out.Sealed)
		return out, nil
	}
	given, err := s.startedWith(ctx, run)
	for _, f := range given {
		out.add(f.Text, f.Data)
	}
	return out, err
}

func (s *Start) add(name string, v json.RawMessage) {
	if setting.Sealed(v) {
		s.Sealed = append(s.Sealed, name)
		return
	}
	s.Variables[name] = v
}

// startedWith reads which variables the request of a run gave.
func (s *Service) startedWith(ctx context.Context, run api.Key) (given []engine.Fact, err error) {
	chunks, err := durable.History(ctx, s.DB, run, 0, 1)
	if err != nil || len(chunks) == 0 {
		return nil, err
	}
	for _, f := range chunks[0].Facts {
		switch {
		case f.Kind == engine.FactStarted:
		case f.Kind == engine.FactVariable && f.Key == run:
			given = append(given, f)
		default:
			return given, nil // what comes later the process set itself
		}
	}
	return given, nil
}

func (s *Service) againRoute(a *api.API) {
	type out struct{ Body Start }
	api.Register(a, api.Endpoint{ID: "getRunStart", Method: http.MethodGet,
		Path: "/api/v1/runs/{run}/start", Tag: "runs", Summary: "What a run was started with", Permission: "run.read"},
		func(ctx context.Context, in *RunKey) (*out, error) {
			v, err := s.Started(ctx, in.Run.Key)
			return &out{v}, err
		})
}
