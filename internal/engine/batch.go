package engine

import (
	"encoding/json"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// Batch gives the rows of the batch within which an element instance runs, as a
// JSON list; false where it runs within none. They come from where the engine
// keeps them and from no variable, which a process could set.
func Batch(r *state.Run, p *program.Program, element state.Key) (json.RawMessage, bool) {
	for el := r.Elements[element]; el != nil; el = r.Elements[el.Parent] {
		loop := p.Nodes[el.Node].Loop
		if loop == nil || loop.Batch == nil || el.Body {
			continue
		}
		var items []json.RawMessage
		raw, ok := r.Local(el.Parent, itemsVariable)
		if !ok || json.Unmarshal(raw, &items) != nil || el.Index < 1 || int(el.Index) > len(items) {
			return nil, false
		}
		return items[el.Index-1], true
	}
	return nil, false
}
