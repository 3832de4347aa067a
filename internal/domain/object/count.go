package object

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// Count tells how many objects a query finds.
type Count struct {
	Total int `json:"total" doc:"Objects that the query finds"`
	// More says that there are more than are counted.
	More bool           `json:"more,omitempty" doc:"There are more than were to be counted"`
	By   map[string]int `json:"by,omitempty" doc:"How many have each value of the attribute; those without a value stand under the empty text"`
}

// countPage is how many objects are asked for at once.
const countPage = 1000

// Count counts what a query finds, and the values of an attribute among it; by may
// be empty. An owner that does not count itself is asked for the ids, up to the
// limit of the query or MaxRows.
func (s *Service) Count(ctx context.Context, ref string, scope Scope, q wire.Query, by string) (Count, error) {
	most := q.Limit
	if most <= 0 || most > MaxRows {
		most = MaxRows
	}
	q.Limit, q.After, q.OrderBy = min(countPage, most), "", nil
	c := Count{}
	if by != "" {
		if err := s.countable(ctx, ref, by); err != nil {
			return Count{}, err
		}
		q.Fields, c.By = []string{by}, map[string]int{}
	} else {
		q.Fields = []string{wire.AttrID}
	}
	if tallies, ok := s.tallies(ctx, ref, scope, q, by); ok {
		for _, t := range tallies {
			c.Total += t.Count
			if by != "" {
				c.By[t.Values[0]] += t.Count
			}
		}
		return c, nil
	}
	for {
		rows, next, err := s.Query(ctx, ref, scope, q)
		if err != nil {
			return Count{}, err
		}
		c.Total += len(rows)
		for _, row := range rows {
			if by != "" {
				c.By[word(row[by])]++
			}
		}
		if next == "" {
			return c, nil
		}
		if c.Total >= most || len(rows) == 0 || next == q.After {
			c.More = true
			return c, nil
		}
		q.After, q.Limit = next, min(countPage, most-c.Total)
	}
}

// tallies has the owner count what a query finds by the values of attributes; ok is
// false where it does not, or where what it finds has to be looked at.
func (s *Service) tallies(ctx context.Context, ref string, scope Scope, q wire.Query, by ...string) (found []wire.Tally, ok bool) {
	if acting(ctx, scope) || within(ctx, scope.Project) != nil || identity.Require(ctx, scope.permission(), scope.Project) != nil {
		return nil, false // told by who asks for the rows
	}
	by = slices.DeleteFunc(by, func(name string) bool { return name == "" })
	pkg, name, _ := strings.Cut(ref, ":")
	err := s.under(ctx, ref, func(t wire.ObjectType, mark string) (string, error) {
		if err := refuseGuesses(t, q); err != nil {
			return mark, err
		}
		narrow, visible := scoped(ctx, t, scope, q)
		if !visible {
			found = nil
			return mark, nil
		}
		var out wire.Envelope[[]wire.Tally]
		held, err := s.ask(ctx, question{pkg: pkg, method: http.MethodPost, path: "/entities/" + name + "/count",
			body: wire.Counting{Criteria: narrow.Criteria, AdditionalFilters: narrow.AdditionalFilters, By: by}}, &out)
		found = out.Data
		return held, err
	})
	wrong := func(t wire.Tally) bool { return len(t.Values) != len(by) || t.Count < 0 }
	return found, err == nil && !slices.ContainsFunc(found, wrong)
}

// countable refuses to count by what is secret, or by what may be anything.
func (s *Service) countable(ctx context.Context, ref, by string) error {
	t, err := s.Type(ctx, ref)
	if err != nil {
		return err
	}
	name, observed := strings.CutSuffix(by, wire.ObservedSuffix)
	i := slices.IndexFunc(t.Attributes, func(a wire.Attribute) bool { return a.Name == name })
	if i < 0 {
		return errs.New(errs.Invalid, "object.unknown_attribute", "%s has no attribute %q to count by", ref, by).
			At(errs.Field{Path: "by", Message: "no such attribute"})
	}
	if a := t.Attributes[i]; a.Secret || observed && !a.Observed || a.Type != wire.TypeEnum && a.Type != wire.TypeBool {
		return errs.New(errs.Invalid, "object.count_by",
			"objects are counted by an attribute of few values, and %s is of type %s: take one of type enum or bool that is not secret", by, a.Type).
			At(errs.Field{Path: "by", Message: "is no attribute of few values"})
	}
	return nil
}

// word is a value as the key of a count.
func word(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	if len(v) == 0 || string(v) == "null" {
		return ""
	}
	return string(v)
}

func (s *Service) countRoute(a *api.API) {
	type countIn struct {
		Typed
		Body struct {
			Criteria          *wire.Filter  `json:"criteria,omitempty"`
			AdditionalFilters []wire.Filter `json:"additionalFilters,omitempty"`
			Most              int           `json:"most,omitempty" minimum:"1" maximum:"100000" default:"100000" doc:"Where the owner does not count itself, count no further than this"`
			By                string        `json:"by,omitempty" maxLength:"64" doc:"An attribute of few values (enum or bool), whose values are counted too"`
		}
	}
	type countOut struct{ Body Count }
	api.Register(a, api.Endpoint{ID: "countObjects", Method: http.MethodPost,
		Path: "/api/v1/objects/{type}/count", Tag: "objects", Summary: "How many objects a query finds", Permission: "object.read"},
		func(ctx context.Context, in *countIn) (*countOut, error) {
			c, err := s.Count(ctx, in.Type, Scope{Project: in.Project},
				wire.Query{Criteria: in.Body.Criteria, AdditionalFilters: in.Body.AdditionalFilters, Limit: in.Body.Most}, in.Body.By)
			return &countOut{c}, err
		})
}
