package object

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

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

// Count counts what a query finds, up to the limit of the query or MaxRows, and
// the values of an attribute among it; by may be empty. Owners answer rows alone,
// so that a count reads their ids.
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

// countable refuses to count by what is secret, or by what may be anything.
func (s *Service) countable(ctx context.Context, ref, by string) error {
	t, err := s.Type(ctx, ref)
	if err != nil {
		return err
	}
	name, observed := strings.CutSuffix(by, wire.ObservedSuffix)
	i := slices.IndexFunc(t.Attributes, func(a wire.Attribute) bool { return a.Name == name })
	if i < 0 {
		return errs.New(errs.Invalid, "object.unknown_attribute", "%s has no attribute %q to count by", ref, by).At(errs.Field{Path: "by", Message: "no such attribute"})
	}
	if a := t.Attributes[i]; a.Secret || observed && !a.Observed || a.Type != wire.TypeEnum && a.Type != wire.TypeBool {
		return errs.New(errs.Invalid, "object.count_by", "objects are counted by an attribute of few values, and %s is of type %s: take one of type enum or bool that is not secret", by, a.Type).At(errs.Field{Path: "by", Message: "is no attribute of few values"})
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
			Most              int           `json:"most,omitempty" minimum:"1" maximum:"100000" default:"100000" doc:"Count no further than this"`
			By                string        `json:"by,omitempty" maxLength:"64" doc:"An attribute of few values (enum or bool), whose values are counted too"`
		}
	}
	type countOut struct{ Body Count }
	api.Register(a, api.Endpoint{ID: "countObjects", Method: http.MethodPost, Path: "/api/v1/objects/{type}/count", Tag: "objects", Summary: "How many objects a query finds", Permission: "object.read"},
		func(ctx context.Context, in *countIn) (*countOut, error) {
			c, err := s.Count(ctx, in.Type, Scope{Project: in.Project}, wire.Query{Criteria: in.Body.Criteria, AdditionalFilters: in.Body.AdditionalFilters, Limit: in.Body.Most}, in.Body.By)
			return &countOut{c}, err
		})
}
