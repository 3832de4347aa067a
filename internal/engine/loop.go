package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/feel/value"
	"sextant/internal/lang/rolling"
)

// itemsVariable keeps what a multi-instance iterates over, on its body. No
// expression can name it.
const itemsVariable = "$items"

// beginBody finds out what a multi-instance runs over. A batch asks for its rows
// with a job first.
func (s *stepper) beginBody(body *state.Element, node *program.Node) {
	loop := node.Loop
	if loop.Batch != nil {
		s.createJob(body, BindJob, 3)
		return
	}
	if loop.Input == nil {
		n, err := s.number(program.Value{Expr: loop.Cardinality}, body.Parent)
		if err != nil || n < 0 {
			s.incident(body, IncidentValue, "the loop cardinality is no whole number: "+reason(err))
			return
		}
		s.beginLoop(body, int(n), nil)
		return
	}
	v, err := s.eval(loop.Input, body.Key, nil)
	if err != nil {
		s.incident(body, IncidentValue, "the input collection cannot be evaluated: "+err.Error())
		return
	}
	if v.Kind() != value.KindList {
		s.incident(body, IncidentValue, fmt.Sprintf("the input collection %q %s", loop.Input.Source(), s.unfit(loop.Input, v, "a list")))
		return
	}
	raw, err := value.ToJSON(v)
	if err != nil {
		s.incident(body, IncidentValue, "the input collection cannot be stored: "+err.Error())
		return
	}
	s.loopOver(body, raw)
}

// bound cuts the rows that a bind job gave into batches.
func (s *stepper) bound(body *state.Element, vars Variables) error {
	var rows []json.RawMessage
	if err := json.Unmarshal(vars["rows"], &rows); err != nil {
		body.Phase = state.Activating
		s.incident(body, IncidentValue, "the bound rows are no list")
		return nil
	}
	batches := rolling.Split(*s.p.Nodes[body.Node].Loop.Batch, rows)
	raw, err := json.Marshal(batches)
	if err != nil {
		return fmt.Errorf("%w: the rows are no JSON: %w", ErrRefused, err)
	}
	s.loopOver(body, raw)
	return nil
}

func (s *stepper) loopOver(body *state.Element, raw json.RawMessage) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		s.incident(body, IncidentValue, "the input collection is no list")
		return
	}
	s.beginLoop(body, len(items), raw)
}

func (s *stepper) beginLoop(body *state.Element, n int, items json.RawMessage) {
	if n > MaxFanOut {
		body.Phase = state.Activating
		s.incident(body, IncidentLimit, fmt.Sprintf("the multi-instance has %d iterations: at most %d are possible", n, MaxFanOut))
		return
	}
	body.Loop = &state.LoopState{Total: int32(n)}
	s.activate(body)
	if n == 0 {
		s.finish(body)
		return
	}
	if items != nil && string(items) != "null" {
		s.run.Set(body.Key, itemsVariable, items, s.env.NextKey)
	}
	s.queue = append(s.queue, move{scope: body, iterate: true})
}

// iterate starts the next iteration of a sequential body, all of a parallel one.
func (s *stepper) iterate(body *state.Element) {
	node := s.p.Nodes[body.Node]
	if raw, ok := s.run.Local(body.Key, itemsVariable); ok && body.Items == nil {
		if err := json.Unmarshal(raw, &body.Items); err != nil {
			s.incident(body, IncidentValue, "what the multi-instance runs over is damaged: "+err.Error())
			return
		}
	}
	items := body.Items
	for first := true; s.run.Elements[body.Key] == body && !s.ended && body.Loop.Started < body.Loop.Total; first = false {
		if !first {
			if s.held() || s.tired() || s.over() != "" {
				s.queue = append(s.queue, move{scope: body, iterate: true})
				return
			}
			s.moves++
		}
		i := body.Loop.Started
		body.Loop.Started++
		s.run.Touch(body)
		var item json.RawMessage
		if int(i) < len(items) {
			item = items[i]
		}
		s.iteration(body, node, item)
		if node.Loop.Sequential {
			return
		}
	}
}

func (s *stepper) iteration(body *state.Element, node *program.Node, item json.RawMessage) {
	el := &state.Element{Key: s.env.NextKey(), Parent: body.Key, Node: node.Index, Index: body.Loop.Started}
	s.run.Put(el)
	s.count(body, 1)
	s.entered(el)
	counter := json.RawMessage(fmt.Sprint(el.Index))
	s.set(el.Key, "loopCounter", counter)
	if node.Loop.Batch != nil {
		s.set(el.Key, "batch", item)
		s.set(el.Key, "batchIndex", counter)
	} else if node.Loop.InputElement != "" && item != nil {
		s.set(el.Key, node.Loop.InputElement, item)
	}
	if name := outputName(node.Loop); name != "" {
		s.set(el.Key, name, json.RawMessage("null"))
	}
	s.begin(el)
}

// outputName is the variable that an output element names, if it is just that;
// it is made local to the iteration so that iterations do not overwrite each
// other's.
func outputName(loop *program.Loop) string {
	if loop.OutputElement == nil {
		return ""
	}
	src := strings.TrimSpace(loop.OutputElement.Source())
	if names := loop.OutputElement.Names(); len(names) == 1 && names[0] == src && src != loop.InputElement {
		return src
	}
	return ""
}

// finishIteration ends one iteration that has completed.
func (s *stepper) finishIteration(el *state.Element, node *program.Node) {
	body := s.run.Elements[el.Parent]
	var out json.RawMessage
	if node.Loop.OutputElement != nil {
		v, err := s.json(program.Value{Expr: node.Loop.OutputElement}, el.Key)
		if err != nil {
			s.incident(el, IncidentValue, "the output element cannot be evaluated: "+err.Error())
			return
		}
		out = v
	}
	enough, message := s.enough(el, body, node)
	if message != "" {
		s.incident(el, IncidentCondition, message)
		return
	}
	if out != nil {
		s.run.AddOutput(body.Key, el.Index, out, s.env.NextKey())
	}
	s.iterationDone(el, enough)
}

// enough evaluates the completion condition as it stands once el is done.
func (s *stepper) enough(el, body *state.Element, node *program.Node) (bool, string) {
	if node.Loop.Completion == nil {
		return false, ""
	}
	l := body.Loop
	over := map[string]value.Value{
		"numberOfInstances":           value.Int(int64(l.Total)),
		"numberOfActiveInstances":     value.Int(int64(l.Started - l.Completed - 1)),
		"numberOfCompletedInstances":  value.Int(int64(l.Completed + 1)),
		"numberOfTerminatedInstances": value.Int(0),
	}
	v, err := s.eval(node.Loop.Completion, el.Key, over)
	if err != nil {
		return false, "the completion condition cannot be evaluated: " + err.Error()
	}
	b, ok := value.AsBool(v)
	if !ok {
		return false, fmt.Sprintf("the completion condition %q %s", node.Loop.Completion.Source(),
			s.unfit(node.Loop.Completion, v, "true or false"))
	}
	return b, ""
}

// iterationDone removes an iteration and goes on with its body; enough ends the
// body whatever is still to do.
func (s *stepper) iterationDone(el *state.Element, enough bool) {
	body := s.run.Elements[el.Parent]
	s.fact(Fact{Kind: FactLeft, Node: el.Node, Key: el.Key})
	s.clear(el)
	s.run.Remove(el)
	s.count(body, -1)
	body.Loop.Completed++
	s.run.Touch(body)
	switch {
	case enough, body.Loop.Completed == body.Loop.Total:
		s.terminateBelow(body)
		s.finish(body)
	case s.p.Nodes[body.Node].Loop.Sequential:
		s.queue = append(s.queue, move{scope: body, iterate: true})
	}
}

func (s *stepper) finishBody(body *state.Element, node *program.Node) {
	if name := node.Loop.OutputCollection; name != "" {
		outputs := s.run.Outputs(body.Key, body.Loop.Total)
		raw, err := json.Marshal(outputs)
		if err != nil {
			s.incident(body, IncidentValue, "the output collection is no JSON: "+err.Error())
			return
		}
		if len(raw) > MaxVariableBytes {
			s.incident(body, IncidentLimit, fmt.Sprintf("the output collection has %d bytes: at most %d are possible", len(raw), MaxVariableBytes))
			return
		}
		s.propagate(body.Parent, name, raw)
	}
	s.clear(body)
	s.leave(body, node.Outgoing)
}
