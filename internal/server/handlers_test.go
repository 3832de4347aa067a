package server_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// What a handler could not do is listed, tried again when a person says so, and skipped
// with a reason that stays.
func TestEventsThatFailAreShownAndDecided(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	for range 2 {
		if err := p.Server.Odd(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const path = "/api/v1/event-handlers/run-output/parked"
	var held client.PageOfServerHeldEvent
	wait := func(there func() bool) {
		t.Helper()
		for deadline := time.After(30 * time.Second); ; {
			held = client.PageOfServerHeldEvent{}
			p.Must("GET", path, nil, &held)
			if there() {
				return
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-deadline:
				t.Fatalf("%+v", held.Items)
			}
		}
	}
	wait(func() bool { return len(held.Items) == 2 })
	first, second := held.Items[0], held.Items[1]
	if first.State != "again" || first.Tries < 1 || first.Next.IsZero() ||
		first.Error == "" || first.Subject != "run/none" || second.State != "behind" {
		t.Errorf("%+v", held.Items)
	}
	var all client.PageOfServerEventHandler
	p.Must("GET", "/api/v1/event-handlers", nil, &all)
	if len(all.Items) != 2 || all.Items[1].Name != "run-output" || all.Items[1].Retrying != 1 ||
		all.Items[1].Behind != 1 || all.Items[1].LastError != first.Error || !all.Items[0].Once {
		t.Errorf("%+v", all.Items)
	}
	p.Must("POST", path+"/"+first.Sequence+"/retry", nil, nil)
	wait(func() bool { return held.Items[0].Tries == 1 }) // from the start, and it failed again
	var wrong *client.Error
	for what, want := range map[string]string{
		second.Sequence + "/retry": "event.behind", "999/skip": "event.not_held", first.Sequence + "/skip": "request.invalid"} {
		body := map[string]any{"reason": "a test"}
		if want == "request.invalid" {
			body["reason"] = ""
		}
		if want == "event.behind" {
			body = nil
		}
		if err := p.Call(t.Context(), http.MethodPost, path+"/"+what, body, nil); !errors.As(err, &wrong) || wrong.Code != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := p.Call(t.Context(), http.MethodGet, "/api/v1/event-handlers/none/parked", nil, nil); !errors.As(err, &wrong) ||
		wrong.Code != "event.handler_not_found" {
		t.Error(err)
	}
	p.Must("POST", path+"/"+first.Sequence+"/skip", map[string]any{"reason": "there is no such run"}, nil)
	wait(func() bool { return len(held.Items) == 1 && held.Items[0].State == "again" && held.Items[0].Tries > 0 })
	var trail struct {
		Items []struct {
			Verb, Object string
			Detail       map[string]string
		}
	}
	p.Must("GET", "/api/v1/audit?object=event/"+first.Sequence+"", nil, &trail)
	if len(trail.Items) != 2 || trail.Items[0].Verb != "event.skip" || trail.Items[0].Object != "event/"+first.Sequence ||
		trail.Items[0].Detail["reason"] != "there is no such run" || trail.Items[0].Detail["handler"] != "run-output" {
		t.Errorf("%+v", trail.Items)
	}
}
