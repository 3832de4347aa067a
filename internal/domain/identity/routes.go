package identity

import (
	"context"
	"net/http"
	"time"

	"sextant/internal/kit/api"
)

type sessionOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Token   string    `json:"token" doc:"Send as Authorization: Bearer <token>"`
		Expires time.Time `json:"expires"`
	}
}

func newSession(secret string, expires time.Time, err error) (*sessionOut, error) {
	if err != nil {
		return nil, err
	}
	out := &sessionOut{SetCookie: http.Cookie{Name: Cookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Expires: expires}}
	out.Body.Token, out.Body.Expires = secret, expires
	return out, nil
}

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	type loginIn struct {
		Body struct {
			Name     string `json:"name" maxLength:"64"`
			Password string `json:"password" maxLength:"256"`
		}
	}
	api.Register(a, api.Endpoint{ID: "login", Method: "POST", Path: "/api/v1/session", Tag: "identity", Summary: "Log in with name and password", Public: true, Secret: true},
		func(ctx context.Context, in *loginIn) (*sessionOut, error) {
			return newSession(s.Login(ctx, in.Body.Name, in.Body.Password))
		})
	type redeemIn struct {
		Body struct {
			Link string `json:"link" maxLength:"128"`
		}
	}
	api.Register(a, api.Endpoint{ID: "redeemLink", Method: "POST", Path: "/api/v1/session/link", Tag: "identity", Summary: "Log in with a one-time link", Public: true, Secret: true},
		func(ctx context.Context, in *redeemIn) (*sessionOut, error) {
			return newSession(s.Redeem(ctx, in.Body.Link))
		})
	a.Handle(api.Endpoint{ID: "logout", Tag: "identity", Summary: "End the session", Method: "DELETE", Path: "/api/v1/session"}, func(w http.ResponseWriter, r *http.Request) error {
		if err := s.Logout(r.Context(), Secret(r)); err != nil {
			return err
		}
		http.SetCookie(w, &http.Cookie{Name: Cookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	s.meRoute(a)
	s.tokenRoutes(a)
	s.userRoutes(a)
}

func (s *Service) meRoute(a *api.API) {
	type out struct {
		Body struct {
			ID     string  `json:"id"`
			Name   string  `json:"name"`
			Kind   Kind    `json:"kind"`
			Grants []Grant `json:"grants"`
		}
	}
	api.Register(a, api.Endpoint{ID: "getMe", Method: "GET", Path: "/api/v1/me", Tag: "identity", Summary: "Who am I and what may I do"},
		func(ctx context.Context, _ *struct{}) (*out, error) {
			o, sub := &out{}, From(ctx)
			o.Body.ID, o.Body.Name, o.Body.Kind, o.Body.Grants = sub.ID, sub.Name, sub.Kind, sub.Grants
			return o, nil
		})
}

func (s *Service) tokenRoutes(a *api.API) {
	type createIn struct {
		Body struct {
			NewToken
			Days int `json:"days,omitempty" minimum:"1" maximum:"366" default:"30" doc:"Days until it expires"`
		}
	}
	type createOut struct {
		Body struct {
			token
			Token string `json:"token" doc:"The secret, shown once"`
		}
	}
	api.Register(a, api.Endpoint{ID: "createToken", Method: "POST", Path: "/api/v1/tokens", Tag: "identity", Summary: "Create an API token", Status: http.StatusCreated, Secret: true},
		func(ctx context.Context, in *createIn) (*createOut, error) {
			n := in.Body.NewToken
			n.For = time.Duration(in.Body.Days) * 24 * time.Hour
			t, secret, err := s.CreateToken(ctx, n)
			o := &createOut{}
			o.Body.token, o.Body.Token = t, secret
			return o, err
		})
	type listOut struct{ Body api.Page[token] }
	api.Register(a, api.Endpoint{ID: "listTokens", Method: "GET", Path: "/api/v1/tokens", Tag: "identity", Summary: "My API tokens"},
		func(ctx context.Context, in *api.Paging) (*listOut, error) {
			page, err := s.Tokens(ctx, *in)
			return &listOut{page}, err
		})
	type deleteIn struct {
		ID string `path:"id"`
	}
	api.Register(a, api.Endpoint{ID: "deleteToken", Method: "DELETE", Path: "/api/v1/tokens/{id}", Tag: "identity", Summary: "End an API token", Status: http.StatusNoContent},
		func(ctx context.Context, in *deleteIn) (*struct{}, error) { return nil, s.RevokeToken(ctx, in.ID) })
}

func (s *Service) userRoutes(a *api.API) {
	type createIn struct{ Body NewUser }
	type createOut struct{ Body user }
	api.Register(a, api.Endpoint{ID: "createUser", Method: "POST", Path: "/api/v1/users", Tag: "identity", Summary: "Create a user", Permission: "user.create", Status: http.StatusCreated},
		func(ctx context.Context, in *createIn) (*createOut, error) {
			u, err := s.CreateUser(ctx, in.Body)
			return &createOut{u}, err
		})
	type listOut struct{ Body api.Page[user] }
	api.Register(a, api.Endpoint{ID: "listUsers", Method: "GET", Path: "/api/v1/users", Tag: "identity", Summary: "All users", Permission: "user.read"},
		func(ctx context.Context, in *api.Paging) (*listOut, error) {
			all, err := s.users(ctx, *in)
			return &listOut{api.PageOf(all, in.Limit, func(u user) string { return u.ID })}, err
		})
}
