package identity

import (
	"context"
	"strings"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// NewUser describes a user to create.
type NewUser struct {
	Name     string       `json:"name" minLength:"1" maxLength:"64" pattern:"^[a-z0-9][a-z0-9._@-]*$"`
	Display  string       `json:"display,omitempty" maxLength:"128"`
	Password string       `json:"password" maxLength:"256"`
	Roles    []Membership `json:"roles,omitempty" maxItems:"200"`
	Grants   []Grant      `json:"grants,omitempty" maxItems:"200"`
}

// Change describes what becomes of a user; what is left out stays.
type Change struct {
	Display  *string       `json:"display,omitempty" maxLength:"128"`
	Disabled *bool         `json:"disabled,omitempty" doc:"A disabled user is cut off at once: sessions and tokens end"`
	Roles    *[]Membership `json:"roles,omitempty" maxItems:"200"`
	Grants   *[]Grant      `json:"grants,omitempty" maxItems:"200"`
}

// CreateUser makes a user.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (Account, error) {
	if err := checkPassword(n.Name, n.Password); err != nil {
		return Account{}, err
	}
	if err := s.grantable(ctx, n.Roles, n.Grants); err != nil {
		return Account{}, err
	}
	u := Account{ID: clock.NewID(s.clock), Name: n.Name, Display: n.Display,
		password: s.hasher.hash(n.Password), Created: s.clock.Now(), Version: 1, Roles: n.Roles, Grants: n.Grants}
	err := s.write(ctx, func(tx *db.Tx) error {
		if err := insertUser(tx, u); err != nil {
			return err
		}
		return s.record(ctx, tx, "user.create", "user/"+u.ID, map[string]any{"name": u.Name, "roles": u.Roles, "grants": u.Grants})
	})
	if errs.Is(err, errs.Conflict) {
		err = errs.New(errs.Conflict, "user.exists", "there is a user %q already", n.Name).At(errs.Field{Path: "name", Message: "taken"})
	}
	return u, err
}

// grantable checks that the subject of ctx has every right that it gives.
func (s *Service) grantable(ctx context.Context, roles []Membership, grants []Grant) error {
	for _, g := range grants {
		if !permissionForm.MatchString(g.Permission) || strings.TrimSpace(g.Project) == "" {
			return errs.New(errs.Invalid, "identity.grant_form",
				"%q on project %q is no grant: write domain.verb, domain.* or *, and a project or *", g.Permission, g.Project).
				At(errs.Field{Path: "grants", Message: "not a grant"})
		}
		if err := placed(g); err != nil {
			return err
		}
		if !From(ctx).covers([]Grant{g}) {
			return errs.New(errs.Forbidden, "identity.grant", "you cannot grant %s on %s, which you do not have", g.Permission, g.Project)
		}
	}
	for _, m := range roles {
		brought, err := s.expand(ctx, []Membership{m})
		if err != nil {
			return err
		}
		if len(brought) == 0 {
			return errs.New(errs.Invalid, "role.not_found", "there is no role %q, or it holds no permission", m.Role).
				At(errs.Field{Path: "roles", Message: "not a role"})
		}
		if !From(ctx).covers(brought) {
			return errs.New(errs.Forbidden, "identity.grant", "you cannot give the role %s on %s, whose rights you do not have", m.Role, m.Project)
		}
	}
	return nil
}

// Users lists the users that the subject of ctx may see: all, or those who have
// rights on the projects where it may read users.
func (s *Service) Users(ctx context.Context, p api.Paging) (api.Page[Account], error) {
	projects, everywhere := From(ctx).Projects("user.read")
	all, err := s.users(ctx, p, projects, everywhere)
	if err != nil {
		return api.Page[Account]{}, err
	}
	for i := range all {
		if err := s.own(ctx, &all[i]); err != nil {
			return api.Page[Account]{}, err
		}
	}
	return api.PageOf(all, p.Limit, func(u Account) string { return u.ID }), nil
}

// User reads a user with its roles and rights; one that the subject of ctx may
// not see does not exist.
func (s *Service) User(ctx context.Context, id string) (Account, error) {
	u, err := s.oneUser(ctx, "id", id)
	if err != nil {
		return u, err
	}
	missing := errs.New(errs.NotFound, "user.not_found", "there is no user %q", id)
	if u.ID == "" {
		return u, missing
	}
	if err := s.own(ctx, &u); err != nil {
		return u, err
	}
	projects, all := From(ctx).Projects("user.read")
	if all || u.ID == From(ctx).userID() {
		return u, nil
	}
	for _, project := range projects {
		for _, m := range u.Roles {
			if m.Project == project {
				return u, nil
			}
		}
		for _, g := range u.Grants {
			if g.Project == project {
				return u, nil
			}
		}
	}
	return Account{}, missing
}

// managed reads a user whom the subject of ctx may change: it has every right
// that the user has, so that nobody becomes another one who may do more.
func (s *Service) managed(ctx context.Context, id string) (Account, error) {
	u, err := s.User(ctx, id)
	if err != nil {
		return u, err
	}
	rights, err := s.rights(ctx, u)
	if err != nil {
		return u, err
	}
	if !From(ctx).covers(rights) {
		return u, errs.New(errs.Forbidden, "user.above", "%s has rights that you do not have, so you cannot change that user", u.Name)
	}
	return u, nil
}

// ChangeUser changes the version of a user that was read.
func (s *Service) ChangeUser(ctx context.Context, id string, version int64, c Change) (Account, error) {
	u, err := s.managed(ctx, id)
	if err != nil {
		return u, err
	}
	if c.Disabled != nil && *c.Disabled && u.ID == From(ctx).userID() {
		return u, errs.New(errs.Conflict, "user.self", "you cannot disable yourself")
	}
	if (c.Roles != nil || c.Grants != nil) && u.ID == From(ctx).userID() {
		return u, errs.New(errs.Conflict, "user.self", "you cannot change your own rights: ask another administrator")
	}
	if c.Display != nil {
		u.Display = *c.Display
	}
	if c.Disabled != nil {
		u.Disabled = *c.Disabled
	}
	if c.Roles != nil {
		u.Roles = *c.Roles
	}
	if c.Grants != nil {
		u.Grants = *c.Grants
	}
	if err := s.grantable(ctx, u.Roles, u.Grants); err != nil {
		return u, err
	}
	u.Version = version + 1
	return u, s.write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec("UPDATE identity_user SET display = ?, disabled = ?, version = ? WHERE id = ? AND version = ?",
			u.Display, u.Disabled, u.Version, u.ID, version)
		if err != nil {
			return err
		}
		if n == 0 {
			return errs.New(errs.Stale, "user.stale", "the user %s was changed meanwhile: read it again", u.Name)
		}
		if err := putRights(tx, u); err != nil {
			return err
		}
		if u.Disabled {
			if err := endSessions(tx, u.ID, "", true); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, "user.change", "user/"+u.ID,
			map[string]any{"name": u.Name, "disabled": u.Disabled, "roles": u.Roles, "grants": u.Grants})
	})
}

// ResetPassword gives a user a new password and ends its sessions.
func (s *Service) ResetPassword(ctx context.Context, id, password string) error {
	u, err := s.managed(ctx, id)
	if err != nil {
		return err
	}
	if err := checkPassword(u.Name, password); err != nil {
		return err
	}
	return s.setPassword(ctx, u, password, "")
}

// EndSessions ends all sessions and API tokens of a user.
func (s *Service) EndSessions(ctx context.Context, id string) error {
	u, err := s.managed(ctx, id)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *db.Tx) error {
		if err := endSessions(tx, u.ID, "", true); err != nil {
			return err
		}
		return s.record(ctx, tx, "user.sessions_end", "user/"+u.ID, named(u))
	})
}
