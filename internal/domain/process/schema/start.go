package schema

import (
	"sextant/internal/domain/object"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
)

// Startable finds out whether a process has the start event that is asked for.
func Startable(p *program.Program, event string) error {
	if event == "" {
		if p.Nodes[0].Start == program.None {
			return errs.New(errs.Invalid, "process.start_event",
				"the process %s begins with a message or a signal alone: publish it, or draw a start event without a trigger", p.ProcessID)
		}
		return nil
	}
	if n, ok := p.Lookup(event); !ok || n.Kind != program.StartByEvent {
		return errs.New(errs.Invalid, "process.start_event", "the process %s has no start event %q that waits for a message or a signal",
			p.ProcessID, event)
	}
	return nil
}

// FitObjects finds out whether a process is started on the objects that it declares.
func FitObjects(b *program.Begin, objects []string) error {
	if b.Object == "" {
		return nil
	}
	for _, text := range objects {
		ref, err := object.ParseRef(text)
		if err != nil {
			return err
		}
		if ref.TypeRef() != b.Object {
			return errs.New(errs.Invalid, "process.object_type", "the process is started on objects of %s, and %s is none", b.Object, text).
				With("object", text).With("type", b.Object)
		}
	}
	switch n := len(objects); {
	case n < b.Min:
		return errs.New(errs.Invalid, "process.object_count", "the process wants at least %d objects of %s, and %d are named", b.Min, b.Object, n)
	case b.Max > 0 && n > b.Max:
		return errs.New(errs.Invalid, "process.object_count", "the process wants at most %d objects of %s, and %d are named", b.Max, b.Object, n)
	}
	return nil
}
