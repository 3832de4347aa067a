package identity

import (
	"cmp"
	"slices"
	"strings"
)

// Rights are what a subject may do at a moment, kept for what acts on its behalf
// later.
type Rights struct {
	Subject string   `json:"subject"`
	Name    string   `json:"name"`
	Grants  []Grant  `json:"grants"`
	Scope   []string `json:"scope"` // null is no narrowing

	given []Given
}

// Given is what somebody gave to a run of another: the names of the values, and
// the rights that he had when he did.
type Given struct {
	Names  []string `json:"names"`
	Rights Rights   `json:"rights"`
}

// Rights freezes what the subject may do now.
func (s Subject) Rights() Rights {
	r := Rights{Subject: s.ID, Name: s.Name, Scope: s.Scope, Grants: make([]Grant, 0, len(s.Grants))}
	if s.Kind == System {
		r.Grants = append(r.Grants, Grant{Permission: "*", Project: "*", Environment: "*"})
		return r
	}
	for _, g := range s.Grants {
		g.Role = ""
		r.Grants = append(r.Grants, g)
	}
	return r
}

// Run is the subject of a run that acts with these rights.
func (r Rights) Run(key string) Subject {
	return Subject{ID: "run/" + key, Name: r.Name, Kind: Run, Grants: r.Grants, Scope: r.Scope, given: r.given}
}

// And gives the rights that both have: for what acts on behalf of both. They are
// those of the first by name.
func (r Rights) And(other Rights) Rights {
	both := Rights{Subject: r.Subject, Name: r.Name, Grants: []Grant{}, given: r.given}
	theirs := other.whole()
	for _, a := range r.whole() {
		for _, b := range theirs {
			if g, ok := a.and(b); ok {
				both.add(g)
			}
		}
	}
	return both
}

// With gives the rights for a use of values that others gave: those that all of
// them have, with who gave what, for a refusal to name.
func (r Rights) With(given []Given) Rights {
	for _, g := range given {
		r = r.And(g.Rights)
	}
	r.given = given
	return r
}

// Cover reports whether each of the other rights is one of these.
func (r Rights) Cover(other Rights) bool {
	own := r.whole()
	return !slices.ContainsFunc(other.whole(), func(g Grant) bool {
		return !slices.ContainsFunc(own, func(o Grant) bool { return o.covers(g) })
	})
}

// add takes a right in, unless there is one that holds for more.
func (r *Rights) add(g Grant) {
	if slices.ContainsFunc(r.Grants, func(o Grant) bool { return o.covers(g) }) {
		return
	}
	r.Grants = append(slices.DeleteFunc(r.Grants, g.covers), g)
}

// whole are the rights with their narrowing worked into each.
func (r Rights) whole() []Grant {
	if r.Scope == nil {
		return r.Grants
	}
	var all []Grant
	for _, g := range r.Grants {
		for _, p := range r.Scope {
			if both, ok := narrower(g.Permission, p); ok {
				all = append(all, Grant{Permission: both, Project: g.Project, Environment: g.Environment})
			}
		}
	}
	return all
}

// and is the right that is part of two others.
func (g Grant) and(o Grant) (Grant, bool) {
	permission, ok := narrower(g.Permission, o.Permission)
	project, here := narrower(g.Project, o.Project)
	environment, there := narrower(g.place(), o.place())
	return Grant{Permission: permission, Project: project, Environment: environment}, ok && here && there
}

// covers reports whether who has one right has the other.
func (g Grant) covers(o Grant) bool {
	return matches(g.Permission, o.Permission) && matches(g.Project, o.Project) && matches(g.place(), o.place())
}

// place is the environment of a right, "*" for every one.
func (g Grant) place() string { return cmp.Or(g.Environment, "*") }

// narrower is the pattern that stands for what two patterns have in common.
func narrower(a, b string) (string, bool) {
	switch {
	case matches(a, b):
		return b, true
	case matches(b, a):
		return a, true
	}
	return "", false
}

// Lacking names who has not a right that is wanted: the subject itself, or who
// gave a value that it uses.
func (s Subject) Lacking(permission, project, environment string) string {
	for _, g := range s.given {
		if !g.Rights.Run("").CanIn(permission, project, environment) {
			return g.Rights.Name + ", who gave " + strings.Join(g.Names, ", ") + ","
		}
	}
	return s.Name
}

// Everyone names all whose rights are asked for: the subject itself, and who gave a
// value that it uses.
func (s Subject) Everyone() string {
	all := s.Name
	for _, g := range s.given {
		all += " or " + g.Rights.Name + ", who gave " + strings.Join(g.Names, ", ") + ","
	}
	return all
}

// Again is the subject that had these rights, for what it asked for and is done
// later.
func (r Rights) Again() Subject {
	kind, _, _ := strings.Cut(r.Subject, "/")
	if Kind(kind) == System {
		kind = string(User) // it has what it had then, and no more
	}
	return Subject{ID: r.Subject, Name: r.Name, Kind: Kind(kind), Grants: r.Grants, Scope: r.Scope}
}

// Narrow gives the subject with its rights cut down to some permissions.
func (s Subject) Narrow(permissions ...string) Subject {
	if s.Scope == nil {
		s.Scope = permissions
		return s
	}
	both := []string{}
	for _, own := range s.Scope {
		for _, p := range permissions {
			if one, ok := narrower(own, p); ok {
				both = append(both, one)
			}
		}
	}
	s.Scope = both
	return s
}
