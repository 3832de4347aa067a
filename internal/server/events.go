package server

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/internal/domain/decision"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/message"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/process/definition"
	"sextant/internal/domain/process/runs"
	"sextant/internal/domain/worklist"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/errs"
)

// EventTypes are the kinds of events that the platform publishes, by type.
func EventTypes() []bus.Declared {
	all := slices.Concat(plugin.Events(), object.Events(), decision.Events(),
		message.Events(), dispatch.Events(), definition.Events(), runs.Events(), worklist.Events())
	slices.SortFunc(all, func(a, b bus.Declared) int { return strings.Compare(a.Type, b.Type) })
	return all
}

// EventType is a kind of event as the API tells it.
type EventType struct {
	Type       string          `json:"type" doc:"sextant.<domain>.<past tense>.v<n>; another form of data is another type"`
	Subject    string          `json:"subject" doc:"Form of what it is about"`
	Says       string          `json:"says" doc:"When it is written"`
	Permission string          `json:"permission" doc:"Who has it in the project hears that it happened"`
	Schema     json.RawMessage `json:"schema" doc:"JSON Schema 2020-12 of its data"`
}

// Event is an event in the form of CloudEvents.
type Event struct {
	SpecVersion     string          `json:"specversion" enum:"1.0"`
	ID              string          `json:"id"`
	Source          string          `json:"source" doc:"/projects/<project>"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype" enum:"application/json"`
	Sequence        string          `json:"sequence" doc:"Number in the order of all events; as after it gives what followed"`
	Data            json.RawMessage `json:"data"`
}

// eventRoutes are the endpoints on events.
func (p *parts) eventRoutes() {
	type typesOut struct{ Body api.Page[EventType] }
	api.Register(p.api, api.Endpoint{ID: "listEventTypes", Method: http.MethodGet, Path: "/api/v1/event-types",
		Tag: "platform", Summary: "The types of events that are published, with the schemas of their data", Permission: api.SignedIn},
		func(context.Context, *struct{}) (*typesOut, error) {
			o := &typesOut{api.Page[EventType]{Items: []EventType{}}}
			for _, d := range EventTypes() {
				o.Body.Items = append(o.Body.Items, EventType{d.Type, d.Subject, d.Says, d.Read, api.Schema(d.Data)})
			}
			return o, nil
		})
	type in struct {
		api.Paging
		Project string `query:"project" default:"default" maxLength:"64"`
		Follows int64  `query:"follows" minimum:"0" doc:"The sequence of an event: only what came later. From the oldest that is kept without it"`
		Type    string `query:"type" maxLength:"190" doc:"Only events of this type"`
		Subject string `query:"subject" maxLength:"330" doc:"Only events about this, such as an object or run/<key>"`
	}
	type out struct{ Body api.Page[Event] }
	api.Register(p.api, api.Endpoint{ID: "listEvents", Method: http.MethodGet, Path: "/api/v1/events",
		Tag: "platform", Summary: "What happened in a project, oldest first, in the form of CloudEvents", Permission: "event.read"},
		func(ctx context.Context, i *in) (*out, error) {
			if err := identity.Require(ctx, "event.read", i.Project); err != nil {
				return nil, err
			}
			if i.Type != "" && !slices.ContainsFunc(EventTypes(), func(d bus.Declared) bool { return d.Type == i.Type }) {
				return nil, errs.New(errs.Invalid, "event.type", "there is no type of event %q: GET /api/v1/event-types lists them", i.Type).
					With("type", i.Type)
			}
			f := bus.Filter{After: i.Follows, Projects: []string{i.Project}, Type: i.Type, Subject: i.Subject}
			if i.After != "" {
				seq, err := strconv.ParseInt(i.After, 10, 64)
				if err != nil {
					return nil, api.BadCursor()
				}
				f.After = max(f.After, seq)
			}
			first, err := p.bus.First(ctx)
			if err != nil {
				return nil, err
			}
			if f.After > 0 && f.After < first-1 {
				return nil, errs.New(errs.Gone, "event.gone",
					"the events between %d and %d are not kept any more: begin without follows, and read anew what they would have told", f.After, first)
			}
			found, err := p.bus.Select(ctx, f, i.Limit+1)
			if err != nil {
				return nil, err
			}
			all := make([]Event, len(found))
			for n, e := range found {
				all[n] = Event{"1.0", e.ID, "/projects/" + e.Project, e.Type, e.Subject,
					e.Time, "application/json", strconv.FormatInt(e.Seq, 10), e.Data}
			}
			return &out{api.PageOf(all, i.Limit, func(e Event) string { return e.Sequence })}, nil
		})
}

// heard is who may hear of events: the permission by type, and by what all types
// on one thing begin with.
type heard struct{ byType, byStart map[string]string }

func hearing() heard {
	h := heard{map[string]string{}, map[string]string{}}
	for _, d := range EventTypes() {
		h.byType[d.Type] = d.Read
		parts := strings.SplitN(d.Type, ".", 3)
		h.byStart[parts[0]+"."+parts[1]+"."] = d.Read
	}
	return h
}

// starts are what the types of events begin with, in order.
func (h heard) starts() []string { return slices.Sorted(maps.Keys(h.byStart)) }
