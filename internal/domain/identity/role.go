package identity

import (
	"context"
	"regexp"
	"slices"

	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Role is a named set of permissions. Built-in ones cannot be changed.
type Role struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Permissions []string `json:"permissions"`
	BuiltIn     bool     `json:"builtIn"`
	Version     int64    `json:"version"`
}

// Membership is a role that a user has on a project and in an environment, or on
// all of them with "*".
type Membership struct {
	Role        string `json:"role" minLength:"1" maxLength:"64"`
	Project     string `json:"project" minLength:"1" maxLength:"64"`
	Environment string `json:"environment,omitempty" maxLength:"64" doc:"* or empty for all"`
}

// builtIn are the roles that every platform has.
var builtIn = []Role{
	{Name: "admin", Description: "Everything", Permissions: []string{"*"}},
	{Name: "approver", Description: "Sees everything and completes tasks", Permissions: []string{
		"object.read", "process.read", "decision.read", "run.read", "task.read", "task.complete", "plugin.read", "connection.read"}},
	{Name: "auditor", Description: "Sees everything, the audit log and who may do what", Permissions: []string{"object.read", "process.read",
		"decision.read", "run.read", "task.read", "plugin.read", "connection.read", "setting.read", "audit.read", "user.read", "role.read"}},
	{Name: "designer", Description: "Deploys processes and tries them", Permissions: []string{"object.*", "type.*", "process.*",
		"decision.*", "run.*", "task.*", "message.publish", "plugin.read", "connection.read", "connection.use", "setting.read", "blob.*"}},
	{Name: "operator", Description: "Starts and operates runs, changes objects",
		Permissions: []string{"object.*", "process.read", "decision.read", "decision.evaluate",
			"run.*", "task.read", "task.complete", "message.publish", "plugin.read", "connection.read", "connection.use", "setting.read", "blob.*"}},
	{Name: "viewer", Description: "Sees objects, processes, runs and tasks",
		Permissions: []string{"object.read", "process.read", "decision.read", "run.read", "task.read", "plugin.read"}},
}

// roleForm is what names of roles look like: one spelling each, so that no two
// read the same.
var roleForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

func builtInRole(name string) (Role, bool) {
	i := slices.IndexFunc(builtIn, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	r := builtIn[i]
	r.BuiltIn, r.Permissions = true, slices.Clone(r.Permissions)
	return r, true
}

// Roles lists all roles, built-in ones first.
func (s *Service) Roles(ctx context.Context) ([]Role, error) {
	custom, err := s.customRoles(ctx)
	if err != nil {
		return nil, err
	}
	var all []Role
	for _, r := range builtIn {
		b, _ := builtInRole(r.Name)
		all = append(all, b)
	}
	return append(all, custom...), nil
}

// PutRole creates a role, or replaces the version that was read.
func (s *Service) PutRole(ctx context.Context, r Role, version int64) (Role, error) {
	if err := Require(ctx, "role.write", "*"); err != nil {
		return Role{}, err
	}
	if _, ok := builtInRole(r.Name); ok {
		return Role{}, errs.New(errs.Conflict, "role.built_in", "the role %s is built in and cannot be changed: make one of another name", r.Name)
	}
	if !roleForm.MatchString(r.Name) {
		return Role{}, errs.New(errs.Invalid, "role.name", "%q is no name of a role: small letters, digits and dashes, a letter first", r.Name).
			At(errs.Field{Path: "name", Message: "small letters, digits and dashes"})
	}
	for _, p := range r.Permissions {
		if !permissionForm.MatchString(p) {
			return Role{}, errs.New(errs.Invalid, "identity.scope", "%q is no permission: write domain.verb, domain.* or *", p).
				At(errs.Field{Path: "permissions", Message: "want domain.verb, domain.* or *"})
		}
		if !From(ctx).CanIn(p, "*", "*") {
			return Role{}, errs.New(errs.Forbidden, "identity.grant", "you cannot put %s into a role, which you do not have everywhere", p)
		}
	}
	r.Version = version + 1
	err := s.write(ctx, func(tx *db.Tx) error {
		if err := putRole(tx, r, version); err != nil {
			return err
		}
		return s.record(ctx, tx, "role.put", "role/"+r.Name, map[string]any{"permissions": r.Permissions})
	})
	return r, err
}

// DeleteRole removes a role that nobody has.
func (s *Service) DeleteRole(ctx context.Context, name string) error {
	if err := Require(ctx, "role.write", "*"); err != nil {
		return err
	}
	if _, ok := builtInRole(name); ok {
		return errs.New(errs.Conflict, "role.built_in", "the role %s is built in and cannot be removed", name)
	}
	return s.write(ctx, func(tx *db.Tx) error {
		var members int
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM identity_member WHERE role = ?", name).Scan(&members); err != nil {
			return err
		}
		if members > 0 {
			return errs.New(errs.Conflict, "role.in_use", "%d users have the role %s: take it from them first", members, name)
		}
		n, err := tx.Exec("DELETE FROM identity_role WHERE name = ?", name)
		if err != nil {
			return err
		}
		if n == 0 {
			return errs.New(errs.NotFound, "role.not_found", "there is no role %q", name)
		}
		return s.record(ctx, tx, "role.delete", "role/"+name, nil)
	})
}

// expand gives the rights that memberships bring.
func (s *Service) expand(ctx context.Context, memberships []Membership) ([]Grant, error) {
	var grants []Grant
	var custom []Role
	for _, m := range memberships {
		r, ok := builtInRole(m.Role)
		if !ok {
			if custom == nil {
				var err error
				if custom, err = s.customRoles(ctx); err != nil {
					return nil, err
				}
			}
			i := slices.IndexFunc(custom, func(r Role) bool { return r.Name == m.Role })
			if i < 0 {
				continue // it was removed; a membership of nothing gives nothing
			}
			r = custom[i]
		}
		for _, p := range r.Permissions {
			grants = append(grants, Grant{Permission: p, Project: m.Project, Environment: m.Environment, Role: m.Role})
		}
	}
	return grants, nil
}

// Access is one way in which a user may do something.
type Access struct {
	User string `json:"user"`
	Name string `json:"name"`
	Grant
}

// WhoCan tells which enabled users have a permission on a project and in an
// environment, and which right gives it to them.
func (s *Service) WhoCan(ctx context.Context, permission, project, environment string) ([]Access, error) {
	if err := Require(ctx, "user.read", project); err != nil {
		return nil, err
	}
	all, err := s.everybody(ctx)
	if err != nil {
		return nil, err
	}
	out := []Access{}
	for _, u := range all {
		grants, err := s.rights(ctx, u)
		if err != nil {
			return nil, err
		}
		for _, g := range grants {
			one := Subject{Kind: User, Grants: []Grant{g}}
			if !u.Disabled && one.CanIn(permission, project, environment) {
				out = append(out, Access{u.ID, u.Name, g})
			}
		}
	}
	return out, nil
}

// Person gives an enabled user by name, with what he may do now; false where there is
// none.
func (s *Service) Person(ctx context.Context, name string) (Subject, bool, error) {
	u, err := s.oneUser(ctx, "name", name)
	if err != nil || u.Disabled {
		return Subject{}, false, err
	}
	sub := Subject{ID: "user/" + u.ID, Name: u.Name, Kind: User}
	sub.Grants, err = s.rights(ctx, u)
	return sub, err == nil, err
}

// shownPeople is how many of those who have a role are looked at.
const shownPeople = 200

// People gives the enabled users of some names and those who have one of some roles
// anywhere, with what they may do now.
func (s *Service) People(ctx context.Context, names, roles []string) ([]Subject, error) {
	if len(roles) > 0 {
		members, err := s.members(ctx, roles)
		if err != nil {
			return nil, err
		}
		names = slices.Concat(names, members)
	}
	names = slices.Sorted(slices.Values(names))
	var all []Subject
	for _, name := range slices.Compact(names) {
		p, there, err := s.Person(ctx, name)
		if err != nil {
			return nil, err
		}
		if there {
			all = append(all, p)
		}
	}
	return all, nil
}
