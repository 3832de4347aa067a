package view

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/bpmn"
)

const looping = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">` +
	`<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="u"/>` +
	`<userTask id="u"/><sequenceFlow id="f2" sourceRef="u" targetRef="e"/><endEvent id="e"/></process></definitions>`

// A look at a run costs what is new, however long the run is; whoever looks, and
// from wherever a view goes on, all are told the same.
func TestViewsOfALongRun(t *testing.T) {
	t.Parallel()
	doc, err := bpmn.Parse([]byte(looping))
	if err != nil {
		t.Fatal(err)
	}
	model, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	all, err := program.All(model)
	if err != nil {
		t.Fatal(err)
	}
	p := all[0]
	node, _ := p.Lookup("u")
	const passes = 24_000
	f, at := newFold(1, p), time.Unix(1, 0)
	early := &watch{told: -1}
	early.news(f, 0)
	early.told = len(f.log)
	told, looked := map[string]Step{}, 0
	for n := range int64(passes) {
		key := state.Key(1_000 + n)
		f.take(durable.Chunk{Seq: n, Facts: []engine.Fact{
			{Kind: engine.FactEntered, Time: at, Node: node.Index, Key: key},
			{Kind: engine.FactIncident, Time: at, Node: node.Index, Key: key + passes,
				Text: "stuck", Data: json.RawMessage(fmt.Sprint(int64(key) - 1))},
			{Kind: engine.FactResolved, Time: at, Node: node.Index, Key: key + passes},
			{Kind: engine.FactLeft, Time: at, Node: node.Index, Key: key},
		}})
		looked += len(f.log) - early.told
		for _, step := range early.news(f, 0) {
			told[step.Key] = *step
		}
		early.told = len(f.log)
	}
	open := state.Key(1)
	f.take(durable.Chunk{Seq: passes, Facts: []engine.Fact{
		{Kind: engine.FactEntered, Time: at, Node: node.Index, Key: open}, {Kind: engine.FactEnded, Time: at, Key: 1}}})
	for _, step := range early.news(f, 0) {
		told[step.Key] = *step
	}
	if looked > 6*passes {
		t.Errorf("%d looks at steps for %d passes", looked, passes)
	}
	late := (&watch{told: -1}).news(f, 0)
	if len(late) != passes+1 || len(told) != len(late) {
		t.Fatalf("one who came late is told of %d steps, one who was there of %d", len(late), len(told))
	}
	for _, step := range late {
		if got := told[step.Key]; got.State != step.State || !got.Left.Equal(step.Left) || !step.Over() || got.Incident != "" {
			t.Fatalf("one who was there was told %+v, one who came late %+v", got, *step)
		}
	}
	if resumed := (&watch{told: -1}).news(f, passes-2); len(resumed) != 3 {
		t.Errorf("a view that goes on is told of %d steps, want 3", len(resumed))
	}
}
