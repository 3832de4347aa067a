package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

func (r *rig) get(path, permission string, reauth bool) {
	r.Handle(api.Endpoint{Method: "GET", Path: path, Permission: permission, Reauth: reauth},
		func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusNoContent)
			return nil
		})
}

func TestEveryEndpointDeclaresItsPermission(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.get("/b", "b.read", false)
	r.get("/a", api.SignedIn, false)
	defer func() {
		if text, ok := recover().(string); !ok || !strings.Contains(text, "GET /c declares no permission") {
			t.Errorf("an endpoint without a permission was taken: %q", text)
		}
		var paths []string
		for _, e := range r.Endpoints() {
			paths = append(paths, e.Path)
		}
		if !slices.Equal(paths, []string{"/a", "/b"}) || !slices.Equal(r.Permissions(), []string{"b.read"}) {
			t.Errorf("endpoints %v, permissions %v", paths, r.Permissions())
		}
	}()
	r.get("/c", "", false)
}

func TestDangerousEndpointsAskForAFreshProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.get("/danger", api.SignedIn, true)
	r.wants(r.ask("GET", "/danger", "", "Authorization", "Bearer stale"), 401, "x.reauth")
	if got := r.ask("GET", "/danger", ""); got.StatusCode != 204 {
		t.Errorf("%d", got.StatusCode)
	}
}

// What a page of another site sends carries the user's cookie as well.
func TestPagesOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Handle(api.Endpoint{Method: "POST", Path: "/do", Permission: api.SignedIn}, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"}, {"Origin", "null"}} {
		r.wants(r.ask("POST", "/do", "", header...), 403, "request.cross_origin")
	}
	for _, header := range [][]string{{}, {"Sec-Fetch-Site", "same-origin"}, {"Origin", r.url}} {
		if got := r.ask("POST", "/do", "", header...); got.StatusCode != 204 {
			t.Errorf("%v: %d", header, got.StatusCode)
		}
	}
}

// A subject that loses its rights is cut off from open streams within seconds,
// however much there is to tell.
func TestAStreamEndsWithTheRight(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*rig, chan error){
		"disabled": func(r *rig, _ chan error) { r.disabled.Store("ann", true) },
		"object":   func(_ *rig, object chan error) { object <- errs.New(errs.NotFound, "x.none", "none") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, f := newRig(t), newFeed()
			f.sent = []string{"a"}
			object, ended := make(chan error, 1), make(chan struct{})
			r.Handle(api.Endpoint{Method: "GET", Path: "/events", Permission: api.SignedIn}, func(w http.ResponseWriter, q *http.Request) error {
				defer close(ended)
				return r.Stream(w, q, api.Feed{After: f.after, News: f.news, Allowed: func(ctx context.Context) error {
					if ctx.Value(who{}) != "ann" {
						t.Error("the check is not made for the subject")
					}
					select {
					case err := <-object:
						return err
					default:
						return nil
					}
				}})
			})
			next, _ := r.listen("/events")
			next()
			cut(r, object)
			eventually(t, func() error {
				r.clock.Advance(5 * time.Second)
				select {
				case <-ended:
					return nil
				case f.news <- struct{}{}:
				default:
				}
				return errs.New(errs.Internal, "x", "it goes on")
			})
		})
	}
}
