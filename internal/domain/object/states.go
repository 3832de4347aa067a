package object

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/sdk/go/wire"
)

// StateCount is how many objects of a type are in one state, in one environment.
type StateCount struct {
	Type        string `json:"type" doc:"package:type"`
	Attribute   string `json:"attribute" doc:"The attribute that is the state, as a filter names it"`
	Environment string `json:"environment" doc:"Empty for objects without one"`
	State       string `json:"state" doc:"Empty for objects whose state is not known"`
	Count       int    `json:"count"`
}

// States is how all objects are whose types have a state.
type States struct {
	Items   []StateCount `json:"items"`
	Missing []string     `json:"missing,omitempty" doc:"Types that could not be counted, and plugins that did not answer"`
}

// stateName is what the attribute is called that is the state of an object.
var stateName = regexp.MustCompile(`^(?i:state|status|health|phase)$`)

// stateOf gives the attribute that is the state of objects of a type: one that is
// called so, else the first that is observed; what is seen where that is told
// apart from what is wanted.
func stateOf(t wire.ObjectType) string {
	few := slices.DeleteFunc(slices.Clone(t.Attributes), func(a wire.Attribute) bool { return a.Type != wire.TypeEnum || a.Secret })
	i := slices.IndexFunc(few, func(a wire.Attribute) bool { return stateName.MatchString(a.Name) })
	if i < 0 {
		i = slices.IndexFunc(few, func(a wire.Attribute) bool { return a.Observed })
	}
	if i < 0 {
		return ""
	}
	if few[i].Observed {
		return few[i].Name + wire.ObservedSuffix
	}
	return few[i].Name
}

// States counts the objects of every type that has a state, by environment and
// state: those that the subject of ctx may read.
func (s *Service) States(ctx context.Context, project string) (States, error) {
	if err := identity.Require(ctx, "object.read", project); err != nil {
		return States{}, err
	}
	types, err := s.allTypes(ctx)
	if err != nil {
		return States{}, err
	}
	out := States{Items: []StateCount{}, Missing: types.Missing}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, askAtOnce)
	for _, t := range types.Items {
		state := stateOf(t.ObjectType)
		if state == "" || t.Definition {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			counts, err := s.statesOf(ctx, project, t, state)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.Missing = append(out.Missing, t.Plugin+":"+t.Type)
			}
			out.Items = append(out.Items, counts...)
		})
	}
	wg.Wait()
	slices.Sort(out.Missing)
	slices.SortFunc(out.Items, func(a, b StateCount) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Environment, b.Environment), strings.Compare(a.State, b.State))
	})
	return out, ctx.Err()
}

func (s *Service) statesOf(ctx context.Context, project string, t TypeInfo, state string) ([]StateCount, error) {
	ref, by := t.Plugin+":"+t.Type, []string{state}
	if t.Scope != nil && t.Scope.Environment != "" {
		by = append(by, t.Scope.Environment)
	}
	scope := Scope{Project: project}
	tallies, ok := s.tallies(ctx, ref, scope, wire.Query{}, by...)
	if !ok {
		rows, err := s.every(ctx, ref, scope, wire.Query{Fields: by, Limit: countPage})
		if err != nil {
			return nil, err
		}
		tallies = tally(rows, by)
	}
	var out []StateCount
	for _, c := range tallies {
		n := StateCount{Type: ref, Attribute: state, State: c.Values[0], Count: c.Count}
		if len(by) > 1 {
			n.Environment = c.Values[1]
		}
		out = append(out, n)
	}
	return out, nil
}

// tally counts rows by the values of attributes.
func tally(rows []wire.Row, by []string) []wire.Tally {
	counts := map[string]*wire.Tally{}
	for _, row := range rows {
		values := make([]string, len(by))
		for i, name := range by {
			values[i] = word(row[name])
		}
		at := strings.Join(values, "\x1f")
		if counts[at] == nil {
			counts[at] = &wire.Tally{Values: values}
		}
		counts[at].Count++
	}
	var out []wire.Tally
	for _, t := range counts {
		out = append(out, *t)
	}
	return out
}

func (s *Service) statesRoute(a *api.API) {
	type in struct {
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type out struct{ Body States }
	api.Register(a, api.Endpoint{ID: "countObjectStates", Method: http.MethodGet, Path: "/api/v1/object-states",
		Tag: "objects", Summary: "How many objects are in which state, by type and environment", Permission: "object.read"},
		func(ctx context.Context, i *in) (*out, error) {
			states, err := s.States(ctx, i.Project)
			return &out{states}, err
		})
}
