package identity

import "strings"

// Rights are what a subject may do at a moment, kept for what acts on its behalf
// later.
type Rights struct {
	Subject string   `json:"subject"`
	Name    string   `json:"name"`
	Grants  []Grant  `json:"grants"`
	Scope   []string `json:"scope"` // null is no narrowing
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
	return Subject{ID: "run/" + key, Name: r.Name, Kind: Run, Grants: r.Grants, Scope: r.Scope}
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
			switch {
			case matches(p, own):
				both = append(both, own)
			case matches(own, p):
				both = append(both, p)
			}
		}
	}
	s.Scope = both
	return s
}
