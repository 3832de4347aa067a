package control

import (
	"context"
	"database/sql"
	"slices"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// LocksOf tells who holds an object and who waits for it, in the order of the queue, to
// who may see the object; of runs that he may not see neither number nor owner.
func (d *Door) LocksOf(ctx context.Context, object string) (holders, waiting []*Lock, err error) {
	if holders, waiting, err = d.locksWhere(ctx, "object = ?", object); err != nil {
		return nil, nil, err
	}
	here := map[string]bool{}
	for _, l := range slices.Concat(holders, waiting) {
		if _, asked := here[l.project]; asked {
			continue
		}
		if here[l.project], err = d.here(ctx, l.project, object); err != nil {
			return nil, nil, err
		}
	}
	elsewhere := func(l *Lock) bool { return !here[l.project] }
	if holders, err = d.Told(ctx, slices.DeleteFunc(holders, elsewhere)); err != nil {
		return nil, nil, err
	}
	waiting, err = d.Told(ctx, slices.DeleteFunc(waiting, elsewhere))
	return holders, waiting, err
}

// LocksOfRun tells what a run holds and waits for, of that which the subject of ctx
// may see.
func (d *Door) LocksOfRun(ctx context.Context, run int64) (holders, waiting []*Lock, err error) {
	if holders, waiting, err = d.locksWhere(ctx, "run = ?", run); err != nil || len(holders)+len(waiting) == 0 {
		return holders, waiting, err
	}
	project := slices.Concat(holders, waiting)[0].project
	if seen, err := d.sight(ctx).sees(project, api.Key(run)); err != nil || !seen {
		return []*Lock{}, []*Lock{}, err
	}
	if _, everywhere := identity.From(ctx).Environments("run.read", project); everywhere {
		return holders, waiting, nil
	}
	var refs []object.Ref
	for _, l := range slices.Concat(holders, waiting) {
		if ref, err := object.ParseRef(l.Object); err == nil {
			refs = append(refs, ref)
		}
	}
	there, err := d.Objects.Find(ctx, object.Scope{Project: project, For: "run.read"}, refs)
	hidden := func(l *Lock) bool {
		ref, err := object.ParseRef(l.Object)
		_, seen := there[ref]
		return err == nil && !seen // a lock of another name lies in no environment
	}
	return slices.DeleteFunc(holders, hidden), slices.DeleteFunc(waiting, hidden), err
}

// Claimed names what a run holds and waits for.
func (d *Door) Claimed(ctx context.Context, q db.Querier, run int64) ([]string, error) {
	rows, err := q.Query(ctx, "SELECT object FROM control_claim WHERE run = ? UNION SELECT object FROM control_wait WHERE run = ?", run, run)
	return db.Scan(rows, err, func(r *sql.Rows) (o string, err error) { return o, r.Scan(&o) })
}

// shownLocks is how many claims are listed.
const shownLocks = 5000

func (d *Door) locksWhere(ctx context.Context, where string, arg any) (holders, waiting []*Lock, err error) {
	if holders, err = d.locksFrom(ctx, "SELECT "+claimColumns+" FROM control_claim WHERE "+where+" ORDER BY since, object, run LIMIT ?",
		arg); err != nil {
		return nil, nil, err
	}
	waiting, err = d.locksFrom(ctx, "SELECT "+waitColumns+" FROM control_wait WHERE "+where+" ORDER BY ticket, object LIMIT ?", arg)
	return holders, waiting, err
}

func (d *Door) locksFrom(ctx context.Context, query string, arg any) ([]*Lock, error) {
	rows, err := d.DB.Query(ctx, query, arg, shownLocks)
	all, err := db.Scan(rows, err, scanLock)
	if err != nil {
		return nil, err
	}
	now, shown := d.Clock.Now(), []*Lock{}
	for _, l := range all {
		if l.live(now) {
			shown = append(shown, l)
		}
	}
	return shown, nil
}

// Edit admits a change of objects by a person, or the write-back of a run, while
// no other run holds them exclusively, and keeps claims on them out until done
// is called. reason passes a lock, for who has the right lock.override.
func (d *Door) Edit(ctx context.Context, project string, objects []string, reason string) (done func(), err error) {
	leave, err := d.gate.enter(ctx, objects)
	if err != nil {
		return nil, err
	}
	held, err := locksOn(ctx, d.DB, "control_claim", objects)
	if err != nil {
		leave()
		return nil, err
	}
	own := identity.From(ctx).ID
	for _, o := range objects {
		for _, l := range held[o] {
			if l.Mode != Exclusive || !l.live(d.Clock.Now()) || own == "run/"+l.Run.String() {
				continue
			}
			if err := d.overrides(ctx, project, o, reason); err == nil {
				continue
			} else if reason != "" {
				leave()
				return nil, err
			}
			leave()
			return nil, d.tellHeld(ctx, project, l)
		}
	}
	return leave, nil
}

// tellHeld says who holds an object that is to be changed, as far as the subject of ctx
// may know; of an object that he may not see nothing is told.
func (d *Door) tellHeld(ctx context.Context, project string, l *Lock) error {
	here, err := d.here(ctx, l.project, l.Object)
	if err != nil || !here {
		return errs.New(errs.Locked, "control.locked", "%s cannot be used now: choose another", l.Object).With("object", l.Object)
	}
	told, err := d.sight(ctx).lock(l)
	if err != nil {
		return err
	}
	return locked(told, project, toChange)
}

// minReason is the shortest reason that says something.
const minReason = 3

// overrides checks that the subject of ctx may pass the lock of an object, with a
// reason and the right in the environment of the object.
func (d *Door) overrides(ctx context.Context, project, name, reason string) error {
	if len(reason) < minReason {
		return errs.New(errs.Invalid, "control.override_reason", "say why in at least %d characters: why the lock does not hold you", minReason)
	}
	ref, err := object.ParseRef(name)
	if err != nil {
		return identity.RequireIn(ctx, "lock.override", project, "*")
	}
	err = d.Objects.Permit(ctx, project, "lock.override", []object.Ref{ref})
	if errs.Is(err, errs.NotFound) {
		return errs.New(errs.Forbidden, "identity.forbidden", "%s has no permission lock.override in the environment of %s",
			identity.From(ctx).Name, name).With("permission", "lock.override").With("object", name)
	}
	return err
}
