package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sextant/docs"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/errs"
	"sextant/web"
)

// base is the path under which a browser finds the platform, with a slash at
// both ends.
func (s *Server) base() string {
	return strings.TrimSuffix(s.Config.Base, "/") + "/"
}

// belowBase cuts the base off, where the proxy in front has left it.
func (s *Server) belowBase(next http.Handler) http.Handler {
	base := s.base()
	if base == "/" {
		return next
	}
	cut := http.StripPrefix(strings.TrimSuffix(base, "/"), next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path+"/" == base:
			http.Redirect(w, r, base, http.StatusPermanentRedirect)
		case strings.HasPrefix(r.URL.Path, base):
			cut.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// console is everything that is not the API.
func (s *Server) console() (http.Handler, error) {
	missing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := errs.New(errs.NotFound, "route.not_found", "there is nothing at %s %s", r.Method, r.URL.Path)
		api.WriteProblem(w, r, &api.Problem{Status: e.Kind.Status(), Title: e.Message, Code: e.Code})
	})
	return web.Handler(web.Options{Base: s.base(), Docs: docs.Files, Missing: missing})
}

// Started is a value that the server was started with.
type Started struct {
	Key    string `json:"key"`
	Value  string `json:"value" doc:"Secrets are hidden"`
	Origin string `json:"origin" doc:"built-in, the name of a file, environment or flag"`
}

// frontRoutes are the endpoints of the console's frame.
func (s *Server) frontRoutes(p *parts) {
	p.eventRoutes()
	p.handlerRoutes()
	p.retentionRoutes(s)
	type aboutOut struct {
		Body struct {
			Version     string `json:"version"`
			Environment string `json:"environment,omitempty" doc:"What this platform is named, such as production"`
		}
	}
	api.Register(p.api, api.Endpoint{ID: "about", Method: http.MethodGet,
		Path: "/api/v1/about", Tag: "platform", Summary: "What platform this is", Permission: api.SignedIn},
		func(context.Context, *struct{}) (*aboutOut, error) {
			o := &aboutOut{}
			o.Body.Version, o.Body.Environment = s.Version, s.Config.Environment
			return o, nil
		})
	type itemsOut struct{ Body api.Page[Started] }
	api.Register(p.api, api.Endpoint{ID: "listServerSettings", Method: http.MethodGet, Path: "/api/v1/server-settings", Tag: "settings",
		Summary: "What the server was started with, for those who may read the settings of all projects", Permission: "setting.read"},
		func(ctx context.Context, _ *struct{}) (*itemsOut, error) {
			if err := identity.Require(ctx, "setting.read", "*"); err != nil {
				return nil, err
			}
			o := &itemsOut{api.Page[Started]{Items: []Started{}}}
			for _, i := range s.Settings {
				o.Body.Items = append(o.Body.Items, Started{i.Key, i.Shown(), i.Origin})
			}
			return o, nil
		})
	p.api.Handle(api.Endpoint{ID: "news", Method: http.MethodGet, Path: "/api/v1/news",
		Tag: "platform", Summary: "That something has happened in a project, as server-sent events; what it was is read from the lists",
		Permission: api.SignedIn, Query: []string{"project", "after", "ago"}},
		func(w http.ResponseWriter, r *http.Request) error { return p.news(w, r) })
}

// newsAtOnce bounds how many events are read together.
const newsAtOnce = 200

// news streams that something has happened: the type of each event and no more,
// so that a list that shows such things is read again.
func (p *parts) news(w http.ResponseWriter, r *http.Request) error {
	project := r.URL.Query().Get("project")
	if project == "" {
		project = "default"
	}
	heard, stop := p.bus.Listen()
	defer stop()
	return p.api.Stream(w, r, api.Feed{News: heard, After: func(ctx context.Context, id string) ([]api.Message, bool, error) {
		if id == "" {
			seq, err := p.newsFrom(ctx, r.URL.Query().Get("ago"))
			if err != nil {
				return nil, false, err
			}
			missed, err := p.newsAfter(ctx, project, seq)
			return append([]api.Message{{ID: strconv.FormatInt(seq, 10), Event: "hello", Data: []byte("{}")}}, missed...), false, err
		}
		seq, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return nil, false, errs.New(errs.Malformed, "stream.last_event_id", "the Last-Event-ID is not one that was sent")
		}
		messages, err := p.newsAfter(ctx, project, seq)
		return messages, false, err
	}})
}

// newsFrom is the number after which a new stream begins: now, or so many
// milliseconds ago, since when the client reads what the news may make old.
func (p *parts) newsFrom(ctx context.Context, ago string) (int64, error) {
	if ago == "" {
		return p.bus.Last(ctx)
	}
	ms, err := strconv.Atoi(ago)
	if err != nil || ms < 0 || ms > 60_000 {
		return 0, errs.New(errs.Malformed, "news.ago", "ago is a number of milliseconds, from 0 to 60000")
	}
	return p.bus.Before(ctx, p.clock.Now().Add(-time.Duration(ms)*time.Millisecond), newsAtOnce)
}

// newsAfter is what the subject of ctx may hear of what followed a number.
func (p *parts) newsAfter(ctx context.Context, project string, seq int64) ([]api.Message, error) {
	events, err := p.bus.After(ctx, seq, []string{project}, newsAtOnce)
	if err != nil || len(events) < newsAtOnce {
		return told(identity.From(ctx), project, events), err
	}
	// Far behind: what exactly happened matters no more.
	last, err := p.bus.Last(ctx)
	return much(identity.From(ctx), project, last), err
}

// much tells a subject that a lot has happened of everything it may hear of.
func much(sub identity.Subject, project string, last int64) []api.Message {
	out := []api.Message{{ID: strconv.FormatInt(last, 10), Event: "mark", Data: []byte("{}")}}
	h := hearing()
	for _, start := range h.starts() {
		if sub.Can(h.byStart[start], project) {
			out = append(out, api.Message{ID: out[0].ID, Event: "news", Data: []byte(`{"type":"` + start + `many"}`)})
		}
	}
	return out
}

// told are the events that a subject may hear of. Those between still move the
// mark on, with the last one.
func told(sub identity.Subject, project string, events []bus.Event) []api.Message {
	var out []api.Message
	h := hearing()
	for i, e := range events {
		permission, known := h.byType[e.Type]
		allowed := known && sub.Can(permission, project)
		event := "news"
		if !allowed {
			if i < len(events)-1 {
				continue
			}
			event = "mark"
		}
		data, err := json.Marshal(map[string]string{"type": e.Type})
		if err != nil || !allowed {
			data = []byte("{}")
		}
		out = append(out, api.Message{ID: strconv.FormatInt(e.Seq, 10), Event: event, Data: data})
	}
	return out
}
