package outcome

import (
	"context"
	"slices"
	"strings"

	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/sdk/go/wire"
)

// Observed writes what was observed of objects whose rows are not ok: that a host
// cannot be reached is true of it, whatever became of the script. Where that
// cannot be written the step still ends for its own reason.
func (w *Writer) Observed(ctx context.Context, t *Step) {
	var refs []object.Ref
	outputs := map[string]wire.Row{}
	for _, r := range t.Rows {
		if r.Done() || len(r.Outputs) == 0 || !strings.Contains(r.Object, "/") {
			continue
		}
		if ref, err := object.ParseRef(r.Object); err == nil {
			refs, outputs[ref.ID] = append(refs, ref), r.Outputs
		}
	}
	if len(refs) == 0 {
		return
	}
	goals, err := t.goals(refs[0].TypeRef())
	goals = slices.DeleteFunc(goals, func(g goal) bool {
		_, corrected := t.Corrected[g.output.Name]
		return corrected || !strings.HasSuffix(g.path.Field(), wire.ObservedSuffix)
	})
	refs = slices.DeleteFunc(refs, func(ref object.Ref) bool {
		return !slices.ContainsFunc(goals, func(g goal) bool { return !source.Missing(outputs[ref.ID][g.output.Name]) })
	})
	if err == nil && len(refs) > 0 {
		err = w.to(ctx, t, refs, goals, outputs)
	}
	if err != nil && ctx.Err() == nil {
		w.Log.WarnContext(ctx, "what was observed of objects whose rows failed cannot be written", "job", int64(t.Job.Key), "err", err)
	}
}
