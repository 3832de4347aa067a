package worklist

import (
	"context"
	"slices"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
)

// candidate reports whether a subject is one of those who are asked: by name, because
// nobody is named, or by a role that it has in the project and in every environment in
// which the run acts.
func (l *List) candidate(ctx context.Context, t Task, s identity.Subject) (bool, error) {
	if len(t.Groups)+len(t.Users) == 0 || slices.Contains(t.Users, s.Name) {
		return true, nil
	}
	member := identity.Subject{ID: s.ID, Name: s.Name, Kind: s.Kind}
	for _, g := range s.Grants {
		if g.Role != "" && slices.Contains(t.Groups, g.Role) {
			member.Grants = append(member.Grants, identity.Grant{Permission: complete, Project: g.Project, Environment: g.Environment})
		}
	}
	if !member.Can(complete, t.Project) {
		return false, nil
	}
	return l.sees(identity.With(ctx, member), complete, t)
}

// maxAsked is of how many who are asked it is found out whether one may do it.
const maxAsked = 100

// The rights that a task asks for of who does it.
const (
	read     = "task.read"
	complete = "task.complete"
)

// sees reports whether a permission of the subject of ctx holds wherever the run of a
// task acts.
func (l *List) sees(ctx context.Context, permission string, t Task) (bool, error) {
	where, args := l.seenWith(ctx, permission, t.Project)
	var n int
	err := l.db.QueryRow(ctx, "SELECT COUNT(*) FROM worklist_task WHERE task = ? AND "+where, append([]any{int64(t.Key)}, args...)...).Scan(&n)
	return n > 0, err
}

// mayDo asks whether the subject of ctx may complete a task: the person who does it,
// else one who is asked, and whoever may manage tasks.
func (l *List) mayDo(ctx context.Context, t Task) error {
	who := identity.From(ctx)
	switch {
	case who.Can("task.manage", t.Project):
		return nil
	case t.Assignee != "" && t.Assignee != who.Name:
		return errs.New(errs.Forbidden, "task.assigned", "the task is assigned to %s", t.Assignee).With("assignee", t.Assignee)
	case t.Assignee != "":
		return nil
	}
	asked, err := l.candidate(ctx, t, who)
	if err == nil && !asked {
		err = errs.New(errs.Forbidden, "task.not_asked",
			"the task %q asks %s: let one of them do it, or somebody who may manage tasks (task.manage)", t.Name, strings.Join(t.People, ", "))
	}
	return err
}

// lacks gives the right that the subject of ctx lacks to do a task, empty for none: to
// see it, or to complete it on all that its run acts on.
func (l *List) lacks(ctx context.Context, t Task) (permission string, err error) {
	seen := identity.Require(ctx, read, t.Project) == nil
	if seen {
		seen, err = l.sees(ctx, read, t)
	}
	if err != nil || !seen {
		return read, err
	}
	switch err := l.runs.MayComplete(ctx, t); {
	case err == nil:
		return "", nil
	case errs.Is(err, errs.Forbidden), errs.Is(err, errs.NotFound):
		return complete, nil
	default:
		return "", err
	}
}

// able refuses a person who could not do a task that is passed on to him.
func (l *List) able(ctx context.Context, t Task, name string) error {
	person, there, err := l.Person(ctx, name)
	if err != nil {
		return err
	}
	if !there || !person.Can(complete, t.Project) {
		return errs.New(errs.Invalid, "task.delegate", "there is nobody called %q who may complete tasks in the project %s", name, t.Project).
			At(errs.Field{Path: "to", Message: "may not complete tasks here"})
	}
	lacks, err := l.lacks(identity.With(ctx, person), t)
	if err == nil && lacks != "" {
		err = errs.New(errs.Invalid, "task.delegate_right", "%s has not the right %s where the run of the task %q acts, and could not do it: "+
			"choose another, or give him that right first", name, lacks, t.Name).With("person", name).With("permission", lacks).
			At(errs.Field{Path: "to", Message: "may not complete tasks here"})
	}
	return err
}

// unreachable reports whether none of those who are asked for a task may do it: it would
// wait for ever.
func (l *List) unreachable(ctx context.Context, t Task) (bool, error) {
	users, groups := t.Users, t.Groups
	if t.Assignee != "" {
		users, groups = []string{t.Assignee}, nil
	}
	if len(users)+len(groups) == 0 {
		return false, nil
	}
	people, err := l.People(ctx, users, groups)
	if len(people) > maxAsked {
		return false, err
	}
	for _, p := range people {
		as := identity.With(ctx, p)
		asked := t.Assignee != ""
		if !asked {
			if asked, err = l.candidate(ctx, t, p); err != nil {
				return false, err
			}
		}
		if lacks, err := l.lacks(as, t); err != nil || asked && lacks == "" {
			return false, err
		}
	}
	return err == nil, err
}
