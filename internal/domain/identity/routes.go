package identity

import (
	"context"
	"net/http"
	"slices"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

type sessionOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Token   string    `json:"token" doc:"Send as Authorization: Bearer <token>"`
		Expires time.Time `json:"expires"`
	}
}

// cookie carries a session. Over TLS its name binds it to this very host.
func cookie(secret string, secure bool, expires time.Time) http.Cookie {
	c := http.Cookie{Name: Cookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Expires: expires}
	if secure {
		c.Name, c.Secure = SecureCookie, true
	}
	return c
}

func newSession(secret string, expires time.Time, secure bool) *sessionOut {
	out := &sessionOut{SetCookie: cookie(secret, secure, expires)}
	out.Body.Token, out.Body.Expires = secret, expires
	return out
}

// Routes adds the endpoints.
func (s *Service) Routes(a *api.API) {
	s.sessionRoutes(a)
	s.meRoutes(a)
	s.tokenRoutes(a)
	s.userRoutes(a)
	s.roleRoutes(a)
}

func (s *Service) sessionRoutes(a *api.API) {
	type loginIn struct {
		api.Caller
		Body struct {
			Name     string `json:"name" maxLength:"64"`
			Password string `json:"password" maxLength:"256"`
		}
	}
	api.Register(a, api.Endpoint{ID: "login", Method: "POST", Path: "/api/v1/session",
		Tag: "identity", Summary: "Log in with name and password", Public: true, Secret: true, MaxBody: 4 << 10},
		func(ctx context.Context, in *loginIn) (*sessionOut, error) {
			secret, expires, err := s.Login(ctx, in.Body.Name, in.Body.Password, in.Origin())
			if err != nil {
				return nil, err
			}
			return newSession(secret, expires, in.Secure()), nil
		})
	type redeemIn struct {
		api.Caller
		Body struct {
			Link string `json:"link" maxLength:"128"`
		}
	}
	api.Register(a, api.Endpoint{ID: "redeemLink", Method: "POST", Path: "/api/v1/session/link",
		Tag: "identity", Summary: "Log in with a one-time link", Public: true, Secret: true, MaxBody: 4 << 10},
		func(ctx context.Context, in *redeemIn) (*sessionOut, error) {
			secret, expires, err := s.Redeem(ctx, in.Body.Link, in.Origin())
			if err != nil {
				return nil, err
			}
			return newSession(secret, expires, in.Secure()), nil
		})
	type proveIn struct {
		api.Caller
		Body struct {
			Password string `json:"password" maxLength:"256"`
		}
	}
	api.Register(a, api.Endpoint{ID: "proveSession", Method: "POST", Path: "/api/v1/session/proof",
		Tag: "identity", Summary: "Confirm the session with the password, for what needs a fresh proof",
		Permission: api.SignedIn, Secret: true, MaxBody: 4 << 10, Status: http.StatusNoContent},
		func(ctx context.Context, in *proveIn) (*struct{}, error) {
			return nil, s.Prove(ctx, in.Body.Password, in.Origin())
		})
	a.Handle(api.Endpoint{ID: "logout", Tag: "identity", Summary: "End the session",
		Method: "DELETE", Path: "/api/v1/session", Permission: api.SignedIn}, func(w http.ResponseWriter, r *http.Request) error {
		if err := s.Logout(r.Context()); err != nil {
			return err
		}
		gone := cookie("", r.TLS != nil, time.Time{})
		gone.MaxAge = -1
		http.SetCookie(w, &gone)
		w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

func (s *Service) meRoutes(a *api.API) {
	type meOut struct {
		Body struct {
			ID     string   `json:"id"`
			Name   string   `json:"name"`
			Kind   Kind     `json:"kind"`
			Grants []Grant  `json:"grants" doc:"Those in one environment name one by one what is judged there"`
			Scope  []string `json:"scope,omitempty" doc:"Permissions that the token is narrowed to"`
		}
	}
	api.Register(a, api.Endpoint{ID: "getMe", Method: "GET", Path: "/api/v1/me",
		Tag: "identity", Summary: "Who am I and what may I do", Permission: api.SignedIn},
		func(ctx context.Context, _ *struct{}) (*meOut, error) {
			o, sub := &meOut{}, From(ctx)
			o.Body.ID, o.Body.Name, o.Body.Kind, o.Body.Grants, o.Body.Scope = sub.ID, sub.Name, sub.Kind, effective(sub.Grants), sub.Scope
			return o, nil
		})
	type passwordIn struct {
		api.Caller
		Body struct {
			Current string `json:"current" maxLength:"256"`
			New     string `json:"new" maxLength:"256"`
		}
	}
	api.Register(a, api.Endpoint{ID: "changeMyPassword", Method: "PUT", Path: "/api/v1/me/password", Tag: "identity",
		Summary: "Change my password; my other sessions end", Permission: api.SignedIn, Status: http.StatusNoContent, MaxBody: 4 << 10},
		func(ctx context.Context, in *passwordIn) (*struct{}, error) {
			return nil, s.ChangePassword(ctx, in.Body.Current, in.Body.New, in.Origin())
		})
	type listOut struct{ Body api.Page[Token] }
	api.Register(a, api.Endpoint{ID: "listMySessions", Method: "GET", Path: "/api/v1/me/sessions",
		Tag: "identity", Summary: "My sessions", Permission: api.SignedIn},
		func(ctx context.Context, in *api.Paging) (*listOut, error) {
			page, err := s.Tokens(ctx, true, *in)
			return &listOut{page}, err
		})
	type endIn struct {
		ID string `path:"id" maxLength:"64"`
	}
	api.Register(a, api.Endpoint{ID: "endMySession", Method: "DELETE", Path: "/api/v1/me/sessions/{id}",
		Tag: "identity", Summary: "End a session of mine", Permission: api.SignedIn, Status: http.StatusNoContent},
		func(ctx context.Context, in *endIn) (*struct{}, error) { return nil, s.EndSession(ctx, in.ID) })
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
			Token
			Secret string `json:"token" doc:"The secret, shown once"`
		}
	}
	api.Register(a, api.Endpoint{ID: "createToken", Method: "POST", Path: "/api/v1/tokens",
		Tag: "identity", Summary: "Create an API token", Permission: api.SignedIn, Status: http.StatusCreated, Secret: true, Reauth: true},
		func(ctx context.Context, in *createIn) (*createOut, error) {
			n := in.Body.NewToken
			n.For = time.Duration(in.Body.Days) * 24 * time.Hour
			t, secret, err := s.CreateToken(ctx, n)
			o := &createOut{}
			o.Body.Token, o.Body.Secret = t, secret
			return o, err
		})
	type listOut struct{ Body api.Page[Token] }
	api.Register(a, api.Endpoint{ID: "listTokens", Method: "GET", Path: "/api/v1/tokens",
		Tag: "identity", Summary: "My API tokens", Permission: api.SignedIn},
		func(ctx context.Context, in *api.Paging) (*listOut, error) {
			page, err := s.Tokens(ctx, false, *in)
			return &listOut{page}, err
		})
	type deleteIn struct {
		ID string `path:"id" maxLength:"64"`
	}
	api.Register(a, api.Endpoint{ID: "deleteToken", Method: "DELETE", Path: "/api/v1/tokens/{id}",
		Tag: "identity", Summary: "End an API token", Permission: api.SignedIn, Status: http.StatusNoContent},
		func(ctx context.Context, in *deleteIn) (*struct{}, error) { return nil, s.RevokeToken(ctx, in.ID) })
}

// UserKey is the path of what belongs to a user.
type UserKey struct {
	ID string `path:"id" maxLength:"64"`
}

type userOut struct{ Body Account }

func (s *Service) userRoutes(a *api.API) {
	type createIn struct{ Body NewUser }
	api.Register(a, api.Endpoint{ID: "createUser", Method: "POST", Path: "/api/v1/users",
		Tag: "identity", Summary: "Create a user", Permission: "user.create", Status: http.StatusCreated, Reauth: true},
		func(ctx context.Context, in *createIn) (*userOut, error) {
			u, err := s.CreateUser(ctx, in.Body)
			return &userOut{u}, err
		})
	type listOut struct{ Body api.Page[Account] }
	api.Register(a, api.Endpoint{ID: "listUsers", Method: "GET", Path: "/api/v1/users",
		Tag: "identity", Summary: "Users with their roles and rights", Permission: "user.read"},
		func(ctx context.Context, in *api.Paging) (*listOut, error) {
			page, err := s.Users(ctx, *in)
			return &listOut{page}, err
		})
	api.Register(a, api.Endpoint{ID: "getUser", Method: "GET", Path: "/api/v1/users/{id}",
		Tag: "identity", Summary: "One user", Permission: "user.read"},
		func(ctx context.Context, in *UserKey) (*userOut, error) {
			u, err := s.User(ctx, in.ID)
			return &userOut{u}, err
		})
	type changeIn struct {
		UserKey
		IfMatch string `header:"If-Match" doc:"Version that was read, in quotes"`
		Body    Change
	}
	api.Register(a, api.Endpoint{ID: "changeUser", Method: "PATCH", Path: "/api/v1/users/{id}",
		Tag: "identity", Summary: "Change a user's name, roles and rights, or disable it", Permission: "user.write", Reauth: true},
		func(ctx context.Context, in *changeIn) (*userOut, error) {
			version, err := api.Version(in.IfMatch)
			if err != nil {
				return nil, err
			}
			u, err := s.ChangeUser(ctx, in.ID, version, in.Body)
			return &userOut{u}, err
		})
	type resetIn struct {
		UserKey
		Body struct {
			Password string `json:"password" maxLength:"256"`
		}
	}
	api.Register(a, api.Endpoint{ID: "resetPassword", Method: "PUT", Path: "/api/v1/users/{id}/password", Tag: "identity",
		Summary: "Give a user a new password and end its sessions", Permission: "user.write", Status: http.StatusNoContent, Reauth: true},
		func(ctx context.Context, in *resetIn) (*struct{}, error) {
			return nil, s.ResetPassword(ctx, in.ID, in.Body.Password)
		})
	api.Register(a, api.Endpoint{ID: "endSessions", Method: "DELETE", Path: "/api/v1/users/{id}/sessions",
		Tag: "identity", Summary: "End all sessions and tokens of a user", Permission: "user.write", Status: http.StatusNoContent, Reauth: true},
		func(ctx context.Context, in *UserKey) (*struct{}, error) { return nil, s.EndSessions(ctx, in.ID) })
}

func (s *Service) roleRoutes(a *api.API) {
	type listOut struct{ Body api.Page[Role] }
	api.Register(a, api.Endpoint{ID: "listRoles", Method: "GET", Path: "/api/v1/roles",
		Tag: "identity", Summary: "Roles with their permissions", Permission: "role.read"},
		func(ctx context.Context, _ *struct{}) (*listOut, error) {
			all, err := s.Roles(ctx)
			return &listOut{api.Page[Role]{Items: all}}, err
		})
	type putIn struct {
		Name    string `path:"name" maxLength:"63"`
		IfMatch string `header:"If-Match" doc:"Version that was read, in quotes; left out to create a role"`
		Body    struct {
			Description string   `json:"description,omitempty" maxLength:"256"`
			Permissions []string `json:"permissions" minItems:"1" maxItems:"200"`
		}
	}
	type putOut struct{ Body Role }
	api.Register(a, api.Endpoint{ID: "putRole", Method: "PUT", Path: "/api/v1/roles/{name}",
		Tag: "identity", Summary: "Create or change a role", Permission: "role.write", Reauth: true},
		func(ctx context.Context, in *putIn) (*putOut, error) {
			version := int64(0)
			if in.IfMatch != "" {
				v, err := api.Version(in.IfMatch)
				if err != nil {
					return nil, err
				}
				version = v
			}
			r, err := s.PutRole(ctx, Role{Name: in.Name, Description: in.Body.Description, Permissions: in.Body.Permissions}, version)
			return &putOut{r}, err
		})
	type deleteIn struct {
		Name string `path:"name" maxLength:"63"`
	}
	api.Register(a, api.Endpoint{ID: "deleteRole", Method: "DELETE", Path: "/api/v1/roles/{name}",
		Tag: "identity", Summary: "Remove a role that nobody has", Permission: "role.write", Status: http.StatusNoContent, Reauth: true},
		func(ctx context.Context, in *deleteIn) (*struct{}, error) { return nil, s.DeleteRole(ctx, in.Name) })
	s.permissionRoutes(a)
}

func (s *Service) permissionRoutes(a *api.API) {
	type permissionsOut struct {
		Body struct {
			Items []string `json:"items"`
		}
	}
	api.Register(a, api.Endpoint{ID: "listPermissions", Method: "GET", Path: "/api/v1/permissions",
		Tag: "identity", Summary: "Every permission that there is", Permission: "role.read"},
		func(context.Context, *struct{}) (*permissionsOut, error) {
			o := &permissionsOut{}
			o.Body.Items = append(a.Permissions(), beside...)
			slices.Sort(o.Body.Items)
			o.Body.Items = slices.Compact(o.Body.Items)
			return o, nil
		})
	type whoIn struct {
		Permission  string `query:"permission" required:"true" maxLength:"64"`
		Project     string `query:"project" default:"default" maxLength:"64"`
		Environment string `query:"environment" maxLength:"64"`
	}
	type whoOut struct {
		Body struct {
			Items []Access `json:"items"`
		}
	}
	api.Register(a, api.Endpoint{ID: "whoCan", Method: "GET", Path: "/api/v1/access",
		Tag: "identity", Summary: "Who can do this, and by which right", Permission: "user.read"},
		func(ctx context.Context, in *whoIn) (*whoOut, error) {
			if !permissionForm.MatchString(in.Permission) {
				return nil, errs.New(errs.Invalid, "identity.scope", "%q is no permission: write domain.verb", in.Permission).
					At(errs.Field{Path: "permission", Message: "want domain.verb"})
			}
			o := &whoOut{}
			var err error
			o.Body.Items, err = s.WhoCan(ctx, in.Permission, in.Project, in.Environment)
			return o, err
		})
}
