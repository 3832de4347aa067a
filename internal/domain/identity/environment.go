package identity

import (
	"slices"
	"strings"

	"sextant/internal/kit/errs"
)

// environmental are the permissions that are judged in the environment of each
// object, connection or run. All others hold for a whole project.
var environmental = []string{"connection.read", "connection.use", "connection.write",
	"job.work", "lock.override", "object.read", "object.write",
	"run.operate", "run.read", "run.start", "task.complete", "task.read"}

// beside are the permissions that no endpoint asks for by itself: what is done asks
// for them on the way.
var beside = []string{"connection.use", "lock.override", "message.write", "task.manage", "type.write"}

// Environmental reports whether a permission is judged in an environment, or for a
// pattern whether one of its permissions is.
func Environmental(permission string) bool {
	return slices.ContainsFunc(environmental, func(p string) bool { return matches(permission, p) })
}

// Environmentals lists the permissions that are judged in an environment.
func Environmentals() []string { return slices.Clone(environmental) }

// placed refuses a grant in one environment of a permission that holds for a whole
// project: it would bring nothing. Patterns bring what of them is judged there.
func placed(g Grant) error {
	if g.place() == "*" || strings.HasSuffix(g.Permission, "*") || Environmental(g.Permission) {
		return nil
	}
	return errs.New(errs.Invalid, "identity.grant_environment", "%s holds for a whole project and cannot be granted in the environment %q "+
		"alone: leave the environment out; those that know environments are %s", g.Permission, g.Environment, strings.Join(environmental, ", ")).
		With("permission", g.Permission).
		At(errs.Field{Path: "grants", Code: "identity.grant_environment", Message: g.Permission + " knows no environment"})
}

// effective are grants as they come out: those that are kept to an environment
// name one by one what they bring there.
func effective(grants []Grant) []Grant {
	all := []Grant{}
	for _, g := range grants {
		if g.place() == "*" {
			all = append(all, g)
			continue
		}
		for _, p := range environmental {
			if matches(g.Permission, p) {
				one := g
				one.Permission = p
				all = append(all, one)
			}
		}
	}
	return all
}
