package identity

import (
	"context"
	"regexp"
	"strings"

	"sextant/internal/kit/errs"
)

// Kind is what a subject is.
type Kind string

// The kinds of subjects.
const (
	User   Kind = "user"
	Plugin Kind = "plugin"
	System Kind = "system"
)

// Subject is who asks.
type Subject struct {
	ID     string
	Name   string
	Kind   Kind
	Grants []Grant
	// Scope narrows an API token to these permissions; nil is no narrowing.
	Scope []string
}

// Grant is a right: domain.verb, domain.* or * on a project, or on all with "*".
type Grant struct {
	Permission string `json:"permission"`
	Project    string `json:"project"`
}

// Can reports whether the subject has a permission on a project; an empty
// project asks for any.
func (s Subject) Can(permission, project string) bool {
	if s.Kind == System {
		return true
	}
	if s.Scope != nil && !anyMatches(s.Scope, permission) {
		return false
	}
	for _, g := range s.Grants {
		if matches(g.Permission, permission) && (project == "" || g.Project == "*" || g.Project == project) {
			return true
		}
	}
	return false
}

// Projects lists the projects on which the subject has a permission; all is
// true where it has it on every project.
func (s Subject) Projects(permission string) (projects []string, all bool) {
	if s.Kind == System {
		return nil, true
	}
	if s.Scope != nil && !anyMatches(s.Scope, permission) {
		return nil, false
	}
	for _, g := range s.Grants {
		if !matches(g.Permission, permission) {
			continue
		}
		if g.Project == "*" {
			return nil, true
		}
		projects = append(projects, g.Project)
	}
	return projects, false
}

// permissionForm is what grants and scopes may say.
var permissionForm = regexp.MustCompile(`^(\*|[a-z][a-z0-9_-]*\.(\*|[a-z][a-z0-9_-]*))$`)

func anyMatches(patterns []string, permission string) bool {
	for _, p := range patterns {
		if matches(p, permission) {
			return true
		}
	}
	return false
}

func matches(pattern, permission string) bool {
	if pattern == "*" || pattern == permission {
		return true
	}
	domain, ok := strings.CutSuffix(pattern, ".*")
	return ok && strings.HasPrefix(permission, domain+".")
}

type subjectKey struct{}

// With returns a context for what a subject asks.
func With(ctx context.Context, s Subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, s)
}

// From gives the subject that asks; the zero Subject, which may do nothing,
// where there is none.
func From(ctx context.Context) Subject {
	s, _ := ctx.Value(subjectKey{}).(Subject)
	return s
}

// AsSystem returns a context for what the platform does by itself.
func AsSystem(ctx context.Context, name string) context.Context {
	return With(ctx, Subject{ID: "system/" + name, Name: name, Kind: System})
}

// Require checks that the subject of ctx has a permission on a project.
func Require(ctx context.Context, permission, project string) error {
	s := From(ctx)
	if s.Can(permission, project) {
		return nil
	}
	if s.ID == "" {
		return errs.New(errs.Unauthenticated, "identity.unauthenticated", "log in first")
	}
	return errs.New(errs.Forbidden, "identity.forbidden", "%s has no permission %s on project %q", s.Name, permission, project).
		With("permission", permission).With("project", project)
}
