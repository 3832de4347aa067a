package control

import (
	"context"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// sight finds out which runs the subject of a context may see, each once.
type sight struct {
	d     *Door
	ctx   context.Context
	known map[api.Key]bool
}

func (d *Door) sight(ctx context.Context) *sight { return &sight{d, ctx, map[api.Key]bool{}} }

// sees reports whether a run of a project may be seen.
func (s *sight) sees(project string, run api.Key) (bool, error) {
	if seen, asked := s.known[run]; asked {
		return seen, nil
	}
	if identity.Require(s.ctx, "run.read", project) != nil {
		s.known[run] = false
		return false, nil
	}
	seen, err := s.d.InSight(s.ctx, project, int64(run))
	if errs.Is(err, errs.NotFound) {
		seen, err = false, nil
	}
	s.known[run] = seen && err == nil
	return s.known[run], err
}

// lock is what may be told of a lock: of a run out of sight that there is one, and since
// when.
func (s *sight) lock(l *Lock) (*Lock, error) {
	seen, err := s.sees(l.project, l.Run)
	if err != nil || seen {
		return l, err
	}
	bare := *l
	bare.Run, bare.Subject, bare.Fence = 0, "", 0
	return &bare, nil
}

// Told gives locks as the subject of ctx may be told of them: one of a run that he may
// not see has neither its number nor its owner.
func (d *Door) Told(ctx context.Context, locks []*Lock) ([]*Lock, error) {
	s := d.sight(ctx)
	told := make([]*Lock, 0, len(locks))
	for _, l := range locks {
		one, err := s.lock(l)
		if err != nil {
			return nil, err
		}
		told = append(told, one)
	}
	return told, nil
}

// blockers leaves out of who stands against a request which runs out of sight those are.
func (s *sight) blockers(project string, all []Blocker) error {
	for i, b := range all {
		if b.Run == 0 {
			continue
		}
		seen, err := s.sees(project, b.Run)
		if err != nil {
			return err
		}
		if !seen {
			all[i].Run, all[i].Subject = 0, ""
		}
	}
	return nil
}

// runs leaves out the runs that are out of sight.
func (s *sight) runs(project string, all []api.Key) (seen []api.Key, err error) {
	for _, run := range all {
		is, err := s.sees(project, run)
		if err != nil {
			return nil, err
		}
		if is {
			seen = append(seen, run)
		}
	}
	return seen, nil
}

// steps leaves out of checks who holds what, where that is a run out of sight; hidden is
// the error that says so in place of the one that names it.
func (s *sight) steps(project string, all []Step) (hidden error, err error) {
	for i := range all {
		if all[i].Holder == nil {
			continue
		}
		l := *all[i].Holder
		l.project = project // it is told of runs of the project alone
		told, err := s.lock(&l)
		if err != nil {
			return nil, err
		}
		if all[i].Holder = told; told.Run == 0 {
			hidden = locked(told, project, toStart)
			all[i].Reason = errs.As(hidden).Message
		}
	}
	return hidden, nil
}

// look leaves out of what the door would say what verdict leaves out of what it says.
func (s *sight) look(project string, l *Look) error {
	_, err := s.steps(project, l.Steps)
	if err == nil && l.Wait != nil {
		err = s.blockers(project, l.Wait.For)
	}
	if err != nil || l.Other == 0 {
		return err
	}
	seen, err := s.sees(project, l.Other)
	if !seen {
		l.Other = 0
	}
	return err
}

// verdict leaves out of a verdict which runs out of sight stand against it or took its
// place; hidden is as with steps.
func (s *sight) verdict(project string, v *Verdict) (hidden error, err error) {
	v.Steps = append([]Step{}, v.Steps...)
	if hidden, err = s.steps(project, v.Steps); err != nil {
		return nil, err
	}
	if hidden != nil && v.Verdict == Rejected && v.Code == errs.As(hidden).Code {
		v.Reason = errs.As(hidden).Message
	}
	if v.Wait != nil {
		w := *v.Wait
		w.For = append([]Blocker{}, w.For...)
		v.Wait = &w
		if err := s.blockers(project, w.For); err != nil {
			return nil, err
		}
	}
	if v.By != 0 {
		seen, err := s.sees(project, v.By)
		if err != nil {
			return nil, err
		}
		if !seen {
			v.By = 0
		}
	}
	return hidden, nil
}

// here reports whether the subject of ctx may see an object of a project, or runs where
// it is: who holds one that he may see neither way is nothing for him, since that would
// tell that it is there. A lock of another name lies in no environment.
func (d *Door) here(ctx context.Context, project, name string) (bool, error) {
	ref, err := object.ParseRef(name)
	if err != nil {
		return identity.Require(ctx, "run.read", project) == nil, nil
	}
	for _, permission := range []string{"run.read", "object.read"} {
		if identity.Require(ctx, permission, project) != nil {
			continue
		}
		if _, everywhere := identity.From(ctx).Environments(permission, project); everywhere {
			return true, nil
		}
		err := d.Objects.Exist(ctx, ref.TypeRef(), object.Scope{Project: project, For: permission}, []string{ref.ID})
		if err == nil || !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.Forbidden) {
			return err == nil, err
		}
	}
	return false, nil
}

// heldSince says that a run out of sight holds or waits for an object.
func heldSince(l *Lock, remedy string) error {
	verb := "held"
	if l.ticket != 0 {
		verb = "waited for"
	}
	return errs.New(errs.Locked, "control.locked", "%s is %s by a run that you may not see, since %s: %s",
		l.Object, verb, l.Since.Format(time.RFC3339), remedy).With("object", l.Object)
}
