package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
)

// EventHandler is how it stands with what acts on events.
type EventHandler struct {
	Name      string    `json:"name"`
	Says      string    `json:"says" doc:"What it does"`
	Types     []string  `json:"types" doc:"Types of the events that it acts on"`
	Once      bool      `json:"once" doc:"It acts exactly once on each event; else at least once, and once more where the server was killed meanwhile"`
	State     string    `json:"state" enum:"working,waiting" doc:"waiting is for a lease that another server has"`
	Sequence  string    `json:"sequence" doc:"The event up to which all are done or held"`
	Newest    string    `json:"newest" doc:"The newest event of all types"`
	Retrying  int       `json:"retrying" doc:"Events that failed and are tried again"`
	Behind    int       `json:"behind" doc:"Events that wait for an earlier one on the same subject"`
	Parked    int       `json:"parked" doc:"Events that failed too often and wait for a person"`
	Since     time.Time `json:"since,omitzero" doc:"Since when it holds the oldest of those"`
	LastError string    `json:"lastError,omitempty" doc:"Why the first of those failed"`
}

// HeldEvent is an event that a handler could not act on yet.
type HeldEvent struct {
	Sequence string    `json:"sequence"`
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Subject  string    `json:"subject"`
	Project  string    `json:"project"`
	Time     time.Time `json:"time"`
	State    string    `json:"state" enum:"again,behind,parked" doc:"again: it is tried again; behind: an earlier one on the same subject comes first; parked: a person retries or skips it"`
	Tries    int       `json:"tries"`
	Next     time.Time `json:"next,omitzero" doc:"When it is tried again"`
	Error    string    `json:"error,omitempty" doc:"Why the last try failed"`
	Since    time.Time `json:"since" doc:"When it failed first, or came to wait"`
}

// handlerRoutes are the endpoints on what acts on events.
func (p *parts) handlerRoutes() {
	type listOut struct{ Body api.Page[EventHandler] }
	api.Register(p.api, api.Endpoint{ID: "listEventHandlers", Method: http.MethodGet, Path: "/api/v1/event-handlers",
		Tag: "platform", Summary: "What acts on events, how far each has come, and what it could not do", Permission: "setting.read"},
		func(ctx context.Context, _ *struct{}) (*listOut, error) {
			if err := identity.Require(ctx, "setting.read", "*"); err != nil {
				return nil, err
			}
			all, err := p.bus.Standings(ctx)
			o := &listOut{api.Page[EventHandler]{Items: []EventHandler{}}}
			for _, h := range all {
				o.Body.Items = append(o.Body.Items, EventHandler{
					h.Name, h.Says, h.Types, h.Exactly, h.State, number(h.Seq), number(h.Newest), h.Again, h.Behind, h.Parked, h.Oldest, h.LastError})
			}
			return o, err
		})
	type heldIn struct {
		api.Paging
		Name  string `path:"name" maxLength:"190"`
		State string `query:"state" enum:"again,behind,parked" doc:"Only events in this state"`
	}
	type heldOut struct{ Body api.Page[HeldEvent] }
	api.Register(p.api, api.Endpoint{ID: "listParkedEvents", Method: http.MethodGet, Path: "/api/v1/event-handlers/{name}/parked",
		Tag: "platform", Summary: "The events that a handler could not act on yet, oldest first", Permission: "setting.read"},
		func(ctx context.Context, i *heldIn) (*heldOut, error) {
			if err := identity.Require(ctx, "setting.read", "*"); err != nil {
				return nil, err
			}
			var after int64
			if i.After != "" {
				var err error
				if after, err = strconv.ParseInt(i.After, 10, 64); err != nil {
					return nil, api.BadCursor()
				}
			}
			held, err := p.bus.Held(ctx, i.Name, i.State, after, i.Limit+1)
			if err != nil {
				return nil, err
			}
			all := make([]HeldEvent, len(held))
			for n, h := range held {
				all[n] = HeldEvent{number(h.Seq), h.ID, h.Type, h.Subject, h.Project, h.Time, h.State, h.Tries, time.Time{}, h.Error, h.Since}
				if h.State == bus.HeldAgain {
					all[n].Next = h.Due
				}
			}
			return &heldOut{api.PageOf(all, i.Limit, func(h HeldEvent) string { return h.Sequence })}, nil
		})
	p.decideRoutes()
}

func number(seq int64) string { return strconv.FormatInt(seq, 10) }

// decideRoutes are what a person may do about an event that failed.
func (p *parts) decideRoutes() {
	type ParkedKey struct {
		Name     string       `path:"name" maxLength:"190"`
		Sequence api.KeyParam `path:"sequence"`
	}
	type skipIn struct {
		ParkedKey
		Body struct {
			Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why it need not be done; kept in the audit log"`
		}
	}
	api.Register(p.api, api.Endpoint{ID: "retryParkedEvent", Method: http.MethodPost,
		Path: "/api/v1/event-handlers/{name}/parked/{sequence}/retry", Tag: "platform",
		Summary: "Let a handler act again at once on an event that failed", Permission: "setting.write", Status: http.StatusNoContent},
		func(ctx context.Context, i *ParkedKey) (*struct{}, error) {
			if err := identity.Require(ctx, "setting.write", "*"); err != nil {
				return nil, err
			}
			return nil, p.bus.Retry(ctx, i.Name, int64(i.Sequence.Key), p.onRecord(ctx, decided{Verb: "event.retry", handler: i.Name}))
		})
	api.Register(p.api, api.Endpoint{ID: "skipParkedEvent", Method: http.MethodPost,
		Path: "/api/v1/event-handlers/{name}/parked/{sequence}/skip", Tag: "platform",
		Summary: "Let a handler pass over an event that it could not act on", Permission: "setting.write", Status: http.StatusNoContent},
		func(ctx context.Context, i *skipIn) (*struct{}, error) {
			if err := identity.Require(ctx, "setting.write", "*"); err != nil {
				return nil, err
			}
			return nil,
				p.bus.Skip(ctx, i.Name, int64(i.Sequence.Key), p.onRecord(ctx, decided{Verb: "event.skip", handler: i.Name, reason: i.Body.Reason}))
		})
}

// decided is what a person has decided about an event that a handler holds.
type decided struct{ Verb, handler, reason string }

// onRecord keeps who decided about an event, and why.
func (p *parts) onRecord(ctx context.Context, d decided) func(*db.Tx, bus.Held) error {
	return func(tx *db.Tx, h bus.Held) error {
		told := map[string]string{"handler": d.handler, "type": h.Type, "subject": h.Subject, "error": h.Error}
		if d.reason != "" {
			told["reason"] = d.reason
		}
		detail, err := json.Marshal(told)
		if err != nil {
			return err
		}
		return p.audit.Write(ctx, tx,
			audit.Record{Project: "default", Actor: identity.From(ctx).Actor(), Verb: d.Verb, Object: "event/" + number(h.Seq), Detail: detail})
	}
}
