package engine_test

import (
	"strings"
	"testing"
)

// A completion condition is asked after each iteration, with or without "=" before
// it: once it is true, what still runs is ended and what has not begun never begins.
func TestCompletionConditionsEndTheLoop(t *testing.T) {
	t.Parallel()
	loop := func(sequential, condition string) string {
		return process(flow("start", "a"), strings.Replace(service("a", ""), "</serviceTask>",
			`<multiInstanceLoopCharacteristics isSequential="`+sequential+`"><loopCardinality>4</loopCardinality><completionCondition>`+
				condition+`</completionCondition></multiInstanceLoopCharacteristics></serviceTask>`, 1), flow("a", "end"))
	}
	w := newWorld(t, compile(t, loop("true", "numberOfCompletedInstances = 2 and numberOfInstances = 4 and numberOfActiveInstances = 0")), nil)
	w.complete("a", nil)
	w.reload()
	w.complete("a", nil)
	w.want("completed")

	w = newWorld(t, compile(t, loop("false", "=stop")), nil)
	w.complete("a", map[string]string{"stop": "false"})
	w.reload()
	if len(w.jobs) != 3 {
		t.Errorf("%d jobs are left of four", len(w.jobs))
	}
	w.complete("a", map[string]string{"stop": "true"})
	w.want("completed")
	if len(w.jobs) != 0 {
		t.Errorf("%d jobs outlive their loop", len(w.jobs))
	}

	w = newWorld(t, compile(t, loop("false", "stop")), nil)
	w.complete("a", map[string]string{"stop": `"maybe"`})
	if !strings.Contains(w.incidents(), "completion condition") {
		t.Errorf("a condition that is no boolean: %q", w.incidents())
	}
}
