package identity

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/kit/errs"
)

// Kind is what a subject is.
type Kind string

// The kinds of subjects.
const (
	User   Kind = "user"
	Plugin Kind = "plugin"
	System Kind = "system"
	// Run is a run, which has the rights that its requester had when it was
	// admitted.
	Run Kind = "run"
)

// Subject is who asks.
type Subject struct {
	ID     string
	Name   string
	Kind   Kind
	Grants []Grant
	// Scope narrows an API token to these permissions; nil is no narrowing.
	Scope []string
	// Session is the id of the session that asks, empty for tokens; Proved is
	// when its owner last gave a password or another proof.
	Session string
	Proved  time.Time
	// Token is the id of the API token that asks, empty for sessions and plugins.
	Token string

	given []Given
}

// Actor is how the audit log names the subject.
func (s Subject) Actor() audit.Actor { return audit.Actor{Subject: s.ID, Name: s.Name} }

// Grant is a right: domain.verb, domain.* or * on a project and in an
// environment, or on all of them with "*".
type Grant struct {
	Permission string `json:"permission" maxLength:"64"`
	Project    string `json:"project" maxLength:"64"`
	// Environment is that of objects and connections; empty is "*".
	Environment string `json:"environment,omitempty" maxLength:"64" doc:"Environment of objects and connections; * for all"`
	// Role is the role that brings the right, empty for one of the user's own.
	Role string `json:"role,omitempty" readOnly:"true"`
}

// in reports whether the grant holds in an environment; an empty one asks for
// any at all.
func (g Grant) in(environment string) bool {
	return environment == "" || g.place() == "*" || g.Environment == environment
}

// brings reports whether a grant brings a permission. One that is kept to an
// environment brings only what is judged there: what holds for a whole project
// does not come from a part of it.
func (g Grant) brings(permission string) bool {
	return matches(g.Permission, permission) && (g.place() == "*" || Environmental(permission))
}

// Can reports whether the subject has a permission on a project, in any
// environment where it is one that is judged there; an empty project asks for any.
func (s Subject) Can(permission, project string) bool { return s.CanIn(permission, project, "") }

// CanIn is Can in an environment; an empty one asks for any.
func (s Subject) CanIn(permission, project, environment string) bool {
	if s.Kind == System {
		return true
	}
	if s.Scope != nil && !anyMatches(s.Scope, permission) {
		return false
	}
	return slices.ContainsFunc(s.Grants, func(g Grant) bool {
		return g.brings(permission) && (project == "" || g.Project == "*" || g.Project == project) && g.in(environment)
	})
}

// Projects lists the projects on which the subject has a permission; all is
// true where it has it on every project.
func (s Subject) Projects(permission string) (projects []string, all bool) {
	return s.where(permission, func(g Grant) (string, bool) { return g.Project, true })
}

// Environments lists the environments in which the subject has a permission on
// a project; all is true where it has it in every one.
func (s Subject) Environments(permission, project string) (environments []string, all bool) {
	return s.where(permission, func(g Grant) (string, bool) {
		return g.place(), g.Project == "*" || g.Project == project
	})
}

// where lists the places that grants of a permission name.
func (s Subject) where(permission string, place func(Grant) (string, bool)) (places []string, all bool) {
	if s.Kind == System {
		return nil, true
	}
	if s.Scope != nil && !anyMatches(s.Scope, permission) {
		return nil, false
	}
	for _, g := range s.Grants {
		p, ok := place(g)
		if !ok || !g.brings(permission) {
			continue
		}
		if p == "*" {
			return nil, true
		}
		if !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	return places, false
}

// covers reports whether the subject has every right of the list, so that it may
// give them away or act on who has them.
func (s Subject) covers(grants []Grant) bool {
	return !slices.ContainsFunc(grants, func(g Grant) bool {
		return !s.CanIn(g.Permission, g.Project, g.place())
	})
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
	return RequireIn(ctx, permission, project, "")
}

// RequireIn is Require in an environment; an empty one asks for any.
func RequireIn(ctx context.Context, permission, project, environment string) error {
	s := From(ctx)
	if s.CanIn(permission, project, environment) {
		return nil
	}
	if s.ID == "" {
		return errs.New(errs.Unauthenticated, "identity.unauthenticated", "log in first")
	}
	return errs.New(errs.Forbidden, "identity.forbidden", "%s has no permission %s %s%s",
		s.Lacking(permission, project, environment), permission, where(project, environment), s.because(permission, project)).
		With("permission", permission).With("project", project).With("environment", environment)
}

// where says where a permission is wanted.
func where(project, environment string) string {
	text := fmt.Sprintf("on project %q", project)
	switch project {
	case "":
		text = "on any project"
	case "*":
		text = "on all projects"
	}
	if environment != "" && environment != "*" {
		text += fmt.Sprintf(" in environment %q", environment)
	}
	return text
}

// because adds to a refusal what is not seen from the rights of the subject: that
// its token is narrowed, or that a right in one environment is not enough.
func (s Subject) because(permission, project string) string {
	if s.Scope != nil && !anyMatches(s.Scope, permission) {
		return fmt.Sprintf(": the token is narrowed to %s", cmp.Or(strings.Join(s.Scope, ", "), "nothing"))
	}
	partly := func(g Grant) bool {
		return matches(g.Permission, permission) && (project == "" || g.Project == project || g.Project == "*") && g.place() != "*"
	}
	if !Environmental(permission) && slices.ContainsFunc(s.Grants, partly) {
		return ": it holds for a whole project, and a right in one environment does not bring it"
	}
	return ""
}
