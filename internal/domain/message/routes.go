package message

import (
	"context"
	"net/http"
	"strconv"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
)

// Filter selects what waits.
type Filter struct {
	Project string       `query:"project" default:"default" maxLength:"64"`
	Run     api.KeyParam `query:"run" doc:"Only what this run waits for"`
	Name    string       `query:"name" maxLength:"190" doc:"Only this message or signal"`
	api.Paging

	after int64
}

// Waits lists what waits for messages and signals in a project.
func (s *Service) Waits(ctx context.Context, f Filter) (api.Page[Waiting], error) {
	if err := identity.Require(ctx, "run.read", f.Project); err != nil {
		return api.Page[Waiting]{}, err
	}
	if f.After != "" {
		var err error
		if f.after, err = strconv.ParseInt(f.After, 10, 64); err != nil {
			return api.Page[Waiting]{}, api.BadCursor()
		}
	}
	seen, args := s.Seen(ctx, "run.read", f.Project, "message_wait.run")
	all, err := findWaits(ctx, s.DB, f, seen, args)
	return api.PageOf(all, f.Limit, func(w Waiting) string { return w.Subscription.String() }), err
}

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	type told struct{ Body Told }
	type messageIn struct{ Body Message }
	api.Register(a, api.Endpoint{ID: "publishMessage", Method: http.MethodPost,
		Path: "/api/v1/messages", Tag: "messages", Summary: "Publish a message to the runs that wait for it", Permission: "message.publish"},
		func(ctx context.Context, in *messageIn) (*told, error) {
			t, err := s.Publish(ctx, in.Body)
			return &told{t}, err
		})
	type signalIn struct{ Body Signal }
	api.Register(a, api.Endpoint{ID: "broadcastSignal", Method: http.MethodPost,
		Path: "/api/v1/signals", Tag: "messages", Summary: "Broadcast a signal to everything that waits for it", Permission: "message.publish"},
		func(ctx context.Context, in *signalIn) (*told, error) {
			t, err := s.Broadcast(ctx, in.Body)
			return &told{t}, err
		})
	s.bufferRoutes(a)
	type waitsOut struct{ Body api.Page[Waiting] }
	api.Register(a, api.Endpoint{ID: "listWaits", Method: http.MethodGet,
		Path: "/api/v1/waits", Tag: "messages", Summary: "What waits for messages and signals", Permission: "run.read"},
		func(ctx context.Context, in *Filter) (*waitsOut, error) {
			page, err := s.Waits(ctx, *in)
			return &waitsOut{page}, err
		})
}
