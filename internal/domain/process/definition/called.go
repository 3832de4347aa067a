package definition

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/process/schema"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
)

// Called gives the version of a process that a version of another one calls; a NotFound
// error, with what to do, where there is none. The process is the id that the call has
// come to, since an expression may say it.
func (s *Service) Called(ctx context.Context, project string, caller int64, c *program.Call, process string) (Definition, error) {
	var d *Definition
	var err error
	which := "process " + strconv.Quote(process)
	switch c.Binding {
	case program.Deployment:
		which = "process " + strconv.Quote(process) + " in the file of the process that calls it"
		var from Definition
		if from, err = definitionByKey(ctx, s.DB, caller); err == nil {
			d, err = ofFile(ctx, s.DB, project, process, from.Digest)
		}
	case program.VersionTag:
		which += " with the version tag " + strconv.Quote(c.Tag)
		d, err = tagged(ctx, s.DB, project, process, c.Tag)
	default:
		d, err = s.find(ctx, project, process, 0)
	}
	switch {
	case err != nil:
		return Definition{}, err
	case d == nil:
		return Definition{}, errs.New(errs.NotFound, "process.not_called", "there is no %s in the project %q: deploy it and retry",
			which, project).With("process", process)
	}
	return *d, nil
}

// CalledBy is Called with the program, where the file says which process is called.
func (s *Service) CalledBy(ctx context.Context, project string, caller int64, c *program.Call) (control.Found, error) {
	d, err := s.Called(ctx, project, caller, c, c.Process.Static)
	if err != nil {
		return control.Found{}, err
	}
	p, err := s.Program(int64(d.Key))
	return control.Found{Definition: int64(d.Key), Program: p}, err
}

// Begins finds out whether a process can begin with what a call hands over.
func (s *Service) Begins(p *program.Program, vars map[string]json.RawMessage) error {
	if err := schema.Startable(p, ""); err != nil {
		return err
	}
	if p.Begin == nil {
		return nil
	}
	return s.schemas.Matches(p.Begin, vars)
}

// uncalled lists the calls of processes that are not there yet.
func (s *Service) uncalled(ctx context.Context, project string, file []*program.Program, p *program.Program) []errs.Field {
	var all []errs.Field
	for _, n := range p.Nodes {
		if n.Call == nil || n.Call.Process.Expr != nil || n.Call.Binding == program.Deployment {
			continue
		}
		with := slices.ContainsFunc(file, func(o *program.Program) bool {
			return o.ProcessID == n.Call.Process.Static && (n.Call.Binding == program.Latest || o.VersionTag == n.Call.Tag)
		})
		if _, err := s.Called(ctx, project, 0, n.Call, n.Call.Process.Static); !with && errs.Is(err, errs.NotFound) {
			all = append(all, errs.Field{Path: n.ID, Code: "process.no_called",
				Line: n.Line, Message: errs.As(err).Message + "; until then the step stops with an incident"})
		}
	}
	return all
}

// asker is the version of a process whose needs are asked for, seen what has asked on
// the way to it.
type asker struct {
	project    string
	definition int64
	seen       []int64
}

// callNeeds are what a called process has to be given by the one that calls it: it is
// asked for with the start of that.
func (s *Service) callNeeds(ctx context.Context, f asker, n *program.Node) []source.Want {
	if n.Call == nil || n.Call.Process.Expr != nil || !n.Call.In {
		return nil
	}
	found, err := s.CalledBy(ctx, f.project, f.definition, n.Call)
	if err != nil || slices.Contains(f.seen, found.Definition) {
		return nil // told by a warning, and by the plan
	}
	var all []source.Want
	for _, need := range s.needs(ctx, asker{f.project, found.Definition, append(slices.Clone(f.seen), found.Definition)}, found.Program) {
		mapped := slices.ContainsFunc(n.Inputs, func(m program.Mapping) bool { return len(m.Target) > 0 && m.Target[0] == need.Name })
		if !mapped && !need.Later {
			param := need.Param
			all = append(all, source.Want{Name: need.Name, Param: &param})
		}
	}
	return all
}
