package control

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/domain/setting"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// check is one thing that the door asks of a request. The checks come in their order,
// and the first that says no gives the reason; all are told, as far as they can be
// asked.
type check interface {
	// name is the word by which the check is told.
	name() string
	// stored says that it looks at what is stored: it is asked in the write that decides.
	stored() bool
	// judge asks it; nil where it cannot be asked, since one before it said no.
	judge(ctx context.Context, d *Door, q db.Querier, c *candidate) *Step
}

// checks are those of the door in their order.
func checks() []check {
	return []check{stopCheck{}, permissionCheck{}, chainCheck{}, inputCheck{}, objectCheck{}, touchCheck{}, lockCheck{}}
}

// candidate is a request while it is judged.
type candidate struct {
	req       Request
	key       state.Key
	found     Found
	who       identity.Subject
	fit       Fitness
	permitted bool // who asks may start there, and may be told who holds what
	placed    bool // the objects are there
	plan      Plan
	claims    []Claim
	places    []string  // environments of the objects and of the connections
	place     int64     // in the line: those with a smaller one come first
	against   []*Lock   // what stands against its claims
	steps     []Step    // that were asked before the write
	since     time.Time // since when it waits, zero for one that came now
	mayEnd    []int64   // runs that who asks may end to take their place
}

// busy is what its process says of starts on what is held.
func (c *candidate) busy() program.Busy {
	if p := c.found.Program; p != nil && p.Begin != nil {
		return p.Begin.Busy
	}
	return program.Busy{Policy: program.Reject}
}

// judge asks the checks that look at what is stored, or the others.
func (d *Door) judge(ctx context.Context, q db.Querier, c *candidate, stored bool) []Step {
	var steps []Step
	for _, k := range checks() {
		if k.stored() != stored {
			continue
		}
		if s := k.judge(ctx, d, q, c); s != nil {
			s.Name = k.name()
			steps = append(steps, *s)
		}
	}
	return steps
}

// inOrder puts steps in the order of the checks.
func inOrder(steps []Step) []Step {
	rank := map[string]int{}
	for i, k := range checks() {
		rank[k.name()] = i
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return rank[a.Name] - rank[b.Name] })
	return steps
}

// fault is the first fault of the platform among steps: that is no verdict.
func fault(steps []Step) error {
	for _, s := range steps {
		if s.err != nil && errs.Is(s.err, errs.Internal) {
			return s.err
		}
	}
	return nil
}

// refusalOf is the first step that does not let a request pass; nil for none.
func refusalOf(steps []Step) *Step {
	for i := range steps {
		if !steps[i].OK {
			return &steps[i]
		}
	}
	return nil
}

func stepOf(err error, next Next) *Step {
	s := &Step{}
	s.failed(err, next)
	return s
}

// stopCheck refuses while the platform is stopped, by a person or by the file.
type stopCheck struct{}

func (stopCheck) name() string { return "global stop" }
func (stopCheck) stored() bool { return true }

func (stopCheck) judge(ctx context.Context, d *Door, q db.Querier, _ *candidate) *Step {
	if d.byFile() {
		return stepOf(d.errByFile(), NextAsk)
	}
	s, err := d.stop.read(ctx, q)
	if err == nil && s.Active {
		err = errs.New(errs.Locked, "control.stopped", "%s has stopped all starts since %s: %s",
			s.Subject, s.Since.Format(time.RFC3339), s.Reason).With("by", s.Subject)
	}
	return stepOf(err, NextAsk)
}

// permissionCheck asks for the right to start runs in the project.
type permissionCheck struct{}

func (permissionCheck) name() string { return "permission" }
func (permissionCheck) stored() bool { return false }

func (permissionCheck) judge(ctx context.Context, _ *Door, _ db.Querier, c *candidate) *Step {
	err := identity.Require(ctx, "run.start", c.req.Project)
	c.permitted = err == nil
	return stepOf(err, NextRight)
}

// chainCheck refuses what begins without end.
type chainCheck struct{}

func (chainCheck) name() string { return "chain" }
func (chainCheck) stored() bool { return false }

func (chainCheck) judge(_ context.Context, _ *Door, _ db.Querier, c *candidate) *Step {
	if !c.permitted || c.req.Barred == nil {
		return nil
	}
	c.permitted = false
	return stepOf(c.req.Barred, NextCorrect)
}

// inputCheck looks at the variables.
type inputCheck struct{}

func (inputCheck) name() string { return "input" }
func (inputCheck) stored() bool { return false }

func (inputCheck) judge(ctx context.Context, d *Door, _ db.Querier, c *candidate) *Step {
	err := checkInput(c.req)
	if c.permitted {
		if c.fit = d.Starter.Fit(ctx, c.found, c.req); err == nil && !c.sealed() {
			err = c.fit.Input
		}
	}
	if err == nil && c.permitted {
		err = c.mayHurry(ctx, d.Objects)
	}
	return stepOf(err, NextCorrect)
}

// objectCheck asks whether the objects are there, and are what the process is started
// on.
type objectCheck struct{}

func (objectCheck) name() string { return "objects" }
func (objectCheck) stored() bool { return false }

func (objectCheck) judge(ctx context.Context, d *Door, _ db.Querier, c *candidate) *Step {
	if !c.permitted {
		return nil
	}
	var err error
	c.places, err = d.objects(ctx, c.req)
	if err == nil {
		err = c.fit.Objects
	}
	c.placed = err == nil
	if !c.placed {
		seen, fault := d.seen(ctx, c.req)
		if fault != nil {
			err = fault
		}
		c.claims = Plan{}.claims(seen)
	}
	return stepOf(err, NextCorrect)
}

// touchCheck asks what the run would touch, with the rights that it would have.
type touchCheck struct{}

func (touchCheck) name() string { return "touch" }
func (touchCheck) stored() bool { return false }

func (touchCheck) judge(ctx context.Context, d *Door, _ db.Querier, c *candidate) *Step {
	if !c.permitted || !c.placed {
		return nil
	}
	var err error
	c.plan, err = d.planOf(ctx, c)
	if err == nil {
		err = c.plan.refusal()
	}
	c.claims = c.plan.claims(c.req.Objects)
	for _, s := range c.plan.Steps {
		c.places = append(c.places, s.Places...)
	}
	return stepOf(err, NextCorrect)
}

// lockCheck refuses where somebody else holds something that the run would hold, or
// has asked for it earlier. Who that is is nothing for those who may not start there.
type lockCheck struct{}

func (lockCheck) name() string { return "locks" }
func (lockCheck) stored() bool { return true }

func (lockCheck) judge(ctx context.Context, d *Door, q db.Querier, c *candidate) *Step {
	if !c.permitted {
		return nil
	}
	var err error
	if c.since.IsZero() && d.line.some() { // who came in the same moment came first
		c.place, err = freePlace(ctx, q, c.place, 1)
	}
	if err == nil {
		c.against, err = d.against(ctx, q, c)
	}
	if err != nil || len(c.against) == 0 {
		return stepOf(err, NextAsk)
	}
	first, next := c.against[0], NextAsk
	switch c.busy().Policy {
	case program.Queue:
		next = NextWait
	case program.Merge:
		next = NextMerge
	case program.Replace:
		if next = NextReplace; len(c.mayEnd) == 0 {
			next = NextWait
		}
	case program.Reject:
	}
	s := stepOf(locked(first, c.req.Project, toStart), next)
	if first.project == c.req.Project {
		s.Holder = first
	}
	return s
}

// sealed reports whether secrets lie among the variables that were sealed before: they
// were looked at when they were given.
func (c *candidate) sealed() bool {
	for _, v := range c.req.Variables {
		if setting.Sealed(v) {
			return true
		}
	}
	return false
}

// mayHurry asks for the right to operate runs, on all that a request acts on, where it
// passes others by.
func (c *candidate) mayHurry(ctx context.Context, objects *object.Service) error {
	p := c.req.Priority
	switch {
	case p == nil:
		return nil
	case *p < 0 || *p > 100:
		return errs.New(errs.Invalid, "control.priority", "the priority is %d: want 0 to 100", *p).
			At(errs.Field{Path: "priority", Message: "want 0 to 100"})
	case *p <= usual:
		return nil
	}
	refs, err := refsOf(c.req.Objects)
	if err == nil {
		err = objects.Permit(ctx, c.req.Project, "run.operate", refs)
	}
	if err == nil || errs.Is(err, errs.Internal) {
		return err
	}
	return errs.New(errs.Forbidden, "control.priority_right",
		"a priority over %d passes others by, and needs the right run.operate on all that the run acts on", usual).
		At(errs.Field{Path: "priority", Message: "needs run.operate"})
}

func refsOf(objects []string) (refs []object.Ref, err error) {
	for _, text := range objects {
		ref, err := object.ParseRef(text)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func checkInput(req Request) error {
	size := 0
	for name, v := range req.Variables {
		if name == "" || strings.HasPrefix(name, "$") || len(name) > 128 {
			return errs.New(errs.Invalid, "control.variable_name", "the variable name %q is not possible: 1 to 128 characters, not beginning with $",
				name).At(errs.Field{Path: "variables." + name, Message: "not possible as a name"})
		}
		if !json.Valid(v) {
			return errs.New(errs.Invalid, "control.variable", "the variable %s is no JSON", name).
				At(errs.Field{Path: "variables." + name, Message: "no JSON"})
		}
		size += len(name) + len(v)
	}
	if size > MaxInput {
		return errs.New(errs.TooLarge, "control.input_too_large", "the variables have %d bytes: at most %d are possible", size, MaxInput)
	}
	return nil
}

func (d *Door) planOf(ctx context.Context, c *candidate) (Plan, error) {
	ask := Ask{Project: c.req.Project, Definition: c.found.Definition, Program: c.found.Program, Variables: c.req.Variables}
	var err error
	if ask.Objects, err = refsOf(c.req.Objects); err != nil {
		return Plan{}, err
	}
	return d.Planner.Plan(identity.With(ctx, c.who.Rights().Run(clock.Decimal(int64(c.key)))), ask)
}
