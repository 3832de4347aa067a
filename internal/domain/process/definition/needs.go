package definition

import (
	"context"
	"net/http"
	"slices"

	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/process/schema"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// Need is a variable that a version of a process reads and does not make, as a
// form for its start asks for it.
type Need struct {
	wire.Param
	Steps []string `json:"steps" doc:"Names of the steps that read it"`
	// Later is true where only conditions read it.
	Later bool `json:"later,omitempty" doc:"Only conditions read it: a person or a service may give it on the way"`
}

// Needs lists what a start of a version should give. What a parameter of a
// service takes whole has the type of that parameter.
func (s *Service) Needs(ctx context.Context, project, process string, version int) ([]Need, error) {
	if err := identity.Require(ctx, "process.read", project); err != nil {
		return nil, err
	}
	d, err := s.find(ctx, project, process, version)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, errs.New(errs.NotFound, "process.not_found", "there is no process %q in version %d in the project %q",
			process, version, project)
	}
	p, err := s.Program(int64(d.Key))
	if err != nil {
		return nil, err
	}
	return s.NeedsOf(ctx, project, int64(d.Key), p), nil
}

// NeedsOf is Needs for who has the version and its program.
func (s *Service) NeedsOf(ctx context.Context, project string, definition int64, p *program.Program) []Need {
	return s.needs(ctx, asker{project, definition, []int64{definition}}, p)
}

func (s *Service) needs(ctx context.Context, by asker, p *program.Program) []Need {
	params := map[string]wire.Param{}
	vars := p.Variables(func(n *program.Node) []string {
		var names []string
		for _, w := range append(s.Planner.Wants(n), s.callNeeds(ctx, by, n)...) {
			names = append(names, w.Name)
			note(params, w)
		}
		return names
	})
	hears := p.Hears() // a message may bring it
	all := []Need{}
	for _, v := range vars {
		need := Need{Param: wire.Param{Name: v.Name}, Later: v.Decides || hears && !p.Correlates(v.Name), Steps: []string{}}
		if known, ok := params[v.Name]; ok {
			need.Param = known
		}
		if v.Decides {
			need.Values = v.Values
		}
		for _, n := range v.Nodes {
			name := n.Name
			if name == "" {
				name = n.ID
			}
			need.Steps = append(need.Steps, name)
		}
		all = append(all, need)
	}
	return declared(p.Begin, all)
}

// declared adds what the process itself says of its variables.
func declared(b *program.Begin, all []Need) []Need {
	for _, v := range schema.Variables(b) {
		i := slices.IndexFunc(all, func(n Need) bool { return n.Name == v.Name })
		if i < 0 {
			i, all = len(all), append(all, Need{Param: wire.Param{Name: v.Name}, Steps: []string{}})
		}
		schema.Lay(v, &all[i].Param)
		all[i].Later = all[i].Later && !all[i].Required
	}
	return all
}

// note keeps the parameter that says most about a variable: one that is required
// goes before one that is not.
func note(params map[string]wire.Param, w source.Want) {
	if w.Param == nil {
		return
	}
	old, ok := params[w.Name]
	if ok && (old.Required || !w.Param.Required) {
		return
	}
	p := *w.Param
	// What a service calls it says what a variable is only where the process
	// calls it the same.
	if p.Name != w.Name {
		p.Title, p.Description = nil, nil
	}
	p.Name, p.From, p.Expr = w.Name, "", ""
	params[w.Name] = p
}

func (s *Service) needsRoute(a *api.API) {
	type in struct {
		Process string `path:"process" maxLength:"190"`
		Version int    `path:"version" minimum:"1"`
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type out struct{ Body api.Page[Need] }
	api.Register(a, api.Endpoint{ID: "listProcessInputs", Method: http.MethodGet, Path: "/api/v1/processes/{process}/{version}/inputs",
		Tag: "processes", Summary: "What a start of a version should give", Permission: "process.read"},
		func(ctx context.Context, i *in) (*out, error) {
			all, err := s.Needs(ctx, i.Project, i.Process, i.Version)
			return &out{api.Page[Need]{Items: all}}, err
		})
}
