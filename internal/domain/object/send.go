package object

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// send hands a checked set to its plugin and records what became of it.
func (w *set) send(ctx context.Context) ([]Done, error) {
	if !w.bundles {
		return w.single(ctx)
	}
	if !w.options.DryRun {
		if err := w.expect(ctx, w.pkg); err != nil {
			return nil, err
		}
	}
	out, err := w.ask(ctx, false)
	if err != nil {
		return nil, err
	}
	if len(out.Results) != len(w.items) {
		return nil, errs.New(errs.Unavailable, "object.owner_garbage", "the plugin %s answered %d results to %d changes",
			w.pkg, len(out.Results), len(w.items))
	}
	if !w.options.DryRun {
		w.settle(ctx)
	}
	done := make([]Done, len(w.items))
	for n, r := range out.Results {
		if r.Row != nil {
			hide(w.items[n].t, r.Row)
		}
		done[n] = Done{w.items[n].Type + "/" + r.ID, r.Effect, r.Version, r.Row}
	}
	return done, nil
}

// settle records what the plugin has stored. The change is made, whatever becomes
// of this: what cannot be recorded now is recorded later, from the outbox.
func (w *set) settle(ctx context.Context) {
	if err := w.Collect(context.WithoutCancel(ctx), w.pkg); err != nil {
		w.Log.WarnContext(ctx, "changes of objects are recorded later", "plugin", w.pkg, "err", err)
	}
}

// ask puts the set to the plugin. A model is wanted of a set of definitions alone,
// to know what they will make of the types.
func (w *set) ask(ctx context.Context, foresee bool) (wire.Changed, error) {
	body := wire.ChangeSet{DryRun: w.options.DryRun, Rows: w.options.rows, Model: foresee}
	for _, i := range w.items {
		_, name, _ := strings.Cut(i.Type, ":")
		body.Changes = append(body.Changes, wire.Change{Op: i.Op, Type: name, Row: i.Row})
	}
	note, err := w.note(ctx, w.pkg)
	if err != nil {
		return wire.Changed{}, err
	}
	var out wire.Envelope[wire.Changed]
	mark, err := w.try(ctx, question{pkg: w.pkg, method: http.MethodPost,
		path: "/changes", body: body, mark: w.model.mark, change: note, longer: time.Duration(len(w.items)) * perChange}, &out)
	if mark != w.model.mark && !foresee {
		w.forget(w.pkg)
	}
	return out.Data, w.refused(ctx, err)
}

// refused tells what the plugin has against the set, by its changes.
func (w *set) refused(ctx context.Context, err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	if len(r.Faults) == 0 {
		return r.problem()
	}
	if r.Code == wire.CodeStale { // somebody was faster since it was read
		if err := w.read(ctx); err != nil {
			return err
		}
	}
	for _, f := range r.Faults {
		if f.Index < 0 || f.Index >= len(w.items) {
			return errs.New(errs.Unavailable, "object.owner_garbage", "the plugin %s finds fault with change %d of %d", w.pkg, f.Index, len(w.items))
		}
		i := w.items[f.Index]
		if f.Code == wire.CodeStale && i.before != nil {
			w.add(i, "", stale(i, unquote(i.Row[wire.AttrVersion])))
			continue
		}
		w.add(i, f.Attr, errs.New(errs.Invalid, "object.refused", "%s", f.Message).At(errs.Field{Path: f.Attr, Message: f.Message}))
	}
	return w.problem()
}

// single makes changes of one kind of one type: a plugin without sets takes no
// others.
func (w *set) single(ctx context.Context) ([]Done, error) {
	first := w.items[0]
	if w.options.DryRun || slices.ContainsFunc(w.items, func(i *item) bool { return i.Op != first.Op || i.Type != first.Type }) {
		return nil, errs.New(errs.Invalid, "object.no_sets",
			"the plugin %s makes no sets of changes: create, change and delete objects of one type at a time", w.pkg)
	}
	_, name, _ := strings.Cut(first.Type, ":")
	rows := make([]wire.Row, len(w.items))
	before := map[string]wire.Row{}
	for n, i := range w.items {
		rows[n] = i.Row
		if i.before != nil {
			before[i.id] = i.before
		}
	}
	var out wire.Envelope[[]wire.Row]
	if _, err := w.Service.ask(ctx, question{
		pkg: w.pkg, method: http.MethodPost, path: "/entities/" + name + "/" + first.Op, body: rows, mark: w.model.mark}, &out); err != nil {
		return nil, err
	}
	op := operation{first.Type, w.scope, first.Op, before}
	effect := map[string]string{wire.OpCreate: "created", wire.OpUpdate: "changed", wire.OpDelete: "deleted"}[first.Op]
	done := make([]Done, len(w.items))
	if first.Op == wire.OpDelete {
		for n, i := range w.items {
			done[n] = Done{Object: i.ref().String(), Effect: effect}
		}
		return done, w.announce(ctx, first.t, op, rows, nil)
	}
	stored, err := answered(first.t, first.Type, out.Data)
	if err != nil {
		return nil, err
	}
	if len(stored) != len(rows) {
		return nil, errs.New(errs.Unavailable, "object.owner_garbage", "the plugin %s answered %d rows to %d", w.pkg, len(stored), len(rows))
	}
	for n, row := range stored {
		done[n] = Done{Object: fmt.Sprint(first.Type, "/", unquote(row[wire.AttrID])), Effect: effect, row: row}
	}
	if first.Op == wire.OpUpdate {
		return done, w.announce(ctx, first.t, op, rows, stored) // what was asked for, not all that the owner answers
	}
	return done, w.announce(ctx, first.t, op, stored, nil)
}
