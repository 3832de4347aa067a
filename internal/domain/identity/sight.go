package identity

import (
	"context"
	"slices"
	"strings"
)

// Unplaced is the environment of what nobody has looked up yet: it is in sight only
// for those who have a right in all of them.
const Unplaced = "?"

// Places writes environments into one text, which a condition of Sight reads.
func Places(environments []string) string {
	all := make([]string, 0, len(environments))
	for _, e := range environments {
		if e == "" {
			continue
		}
		if strings.ContainsAny(e, "\n\x00") {
			e = Unplaced // it would read as others
		}
		all = append(all, "\n"+e+"\n")
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "")
}

// placesIn are the environments that Places has written into a text.
func placesIn(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// Join adds environments to a text of Places; it is the same where all are there.
func Join(text string, environments []string) string {
	return Places(append(placesIn(text), environments...))
}

// Sight is the condition for rows whose column of environments holds only such as
// the subject of ctx has a permission in; nothing where that is every one.
func Sight(ctx context.Context, permission, project, column string) (condition string, args []any) {
	environments, everywhere := From(ctx).Environments(permission, project)
	if everywhere {
		return "", nil
	}
	condition = column
	for _, e := range environments {
		if e == Unplaced || strings.ContainsAny(e, "\n\x00") {
			continue // Places writes no such name
		}
		condition, args = "REPLACE("+condition+", ?, '')", append(args, "\n"+e+"\n")
	}
	return condition + " = ''", args
}

// InSight is Sight for one text.
func InSight(ctx context.Context, permission, project, places string) bool {
	environments, everywhere := From(ctx).Environments(permission, project)
	return everywhere || !slices.ContainsFunc(placesIn(places), func(e string) bool {
		return e == Unplaced || !slices.Contains(environments, e)
	})
}
