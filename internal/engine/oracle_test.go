package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/engine"
	"sextant/internal/engine/enginetest"
)

// grower makes blocks by chance.
type grower struct {
	t    *rapid.T
	n    int
	subs []string // codes that a Sub around catches
}

func (g *grower) id(kind string) string {
	g.n++
	return fmt.Sprintf("%s%d", kind, g.n)
}

func (g *grower) task() enginetest.Block { return enginetest.Task{ID: g.id("t")} }

func (g *grower) blocks(depth, least int) []enginetest.Block {
	var all []enginetest.Block
	for range rapid.IntRange(least, 3).Draw(g.t, "blocks") {
		all = append(all, g.block(depth))
	}
	return all
}

func (g *grower) block(depth int) enginetest.Block {
	if depth == 0 {
		return g.task()
	}
	switch rapid.IntRange(0, 10).Draw(g.t, "kind") {
	case 0:
		return enginetest.Seq(g.blocks(depth-1, 1))
	case 1:
		return enginetest.Par(g.blocks(depth-1, 2))
	case 2:
		return enginetest.Each{ID: g.id("each"), N: rapid.IntRange(0, 3).Draw(g.t, "n"), Sequential: rapid.Bool().Draw(g.t, "sequential")}
	case 3:
		return enginetest.Either{ID: g.id("g"), Below: rapid.IntRange(0, 4).Draw(g.t, "below"), Then: g.block(depth - 1), Not: g.block(depth - 1)}
	case 4, 5:
		return g.sub(depth)
	case 6:
		return enginetest.Race{ID: g.id("race"), Ways: g.blocks(depth-1, 1)}
	case 7:
		return enginetest.Task{ID: g.id("t"), Limit: rapid.IntRange(1, 4).Draw(g.t, "limit"), Late: g.block(depth - 1)}
	case 8, 9:
		return g.call(depth)
	}
	return g.task()
}

func (g *grower) call(depth int) enginetest.Block {
	c := enginetest.Call{ID: g.id("call")}
	if rapid.Bool().Draw(g.t, "catches") {
		c.Code, c.Broken = rapid.SampledFrom([]string{"A", "B"}).Draw(g.t, "code"), g.block(depth-1)
	}
	c.Body = g.throwing(g.block(depth - 1))
	return c
}

// throwing adds to a block, now and then, a way that throws an error after it.
func (g *grower) throwing(b enginetest.Block) enginetest.Block {
	if rapid.IntRange(0, 3).Draw(g.t, "throws") != 0 {
		return b
	}
	return enginetest.Seq{b, enginetest.Race{
		ID: g.id("race"), Ways: []enginetest.Block{g.task(), enginetest.Seq{g.task(), enginetest.Throw{ID: g.id("throw"), Code: "A"}}}}}
}

func (g *grower) sub(depth int) enginetest.Block {
	s := enginetest.Sub{ID: g.id("sub")}
	if rapid.Bool().Draw(g.t, "catches") {
		s.Code, s.Broken = rapid.SampledFrom([]string{"A", "B"}).Draw(g.t, "code"), g.block(depth-1)
		s.Inside = rapid.Bool().Draw(g.t, "inside")
	}
	if rapid.Bool().Draw(g.t, "beside") {
		s.Every, s.Beside = rapid.IntRange(1, 3).Draw(g.t, "every"), g.block(depth-1)
	}
	s.Body = g.throwing(g.block(depth - 1))
	return s
}

// Random models do what an interpreter says that has nothing in common with the
// engine, in whatever way the run is driven.
func TestRandomModelsAgreeWithTheOracle(t *testing.T) {
	t.Parallel()
	for range 10 {
		rapid.Check(t, randomModel)
	}
}

func randomModel(t *rapid.T) {
	g := &grower{t: t}
	block := enginetest.Seq{g.task(), g.block(4)}
	v := rapid.IntRange(0, 4).Draw(t, "v")
	s := &enginetest.Scenario{Title: "random", Model: enginetest.Draw(block)}
	w, err := s.World(rapid.SampledFrom(enginetest.Modes).Draw(t, "mode"))
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Model)
	}
	o := enginetest.NewOracle(block, v)
	apply(t, w, engine.Start{Variables: engine.Variables{"v": json.RawMessage(fmt.Sprint(v))}})
	for range 40 {
		agree(t, w, o, s.Model)
		if o.Ended != "" {
			return
		}
		happen(t, w, o)
	}
}

// happen lets the same happen to both.
func happen(t *rapid.T, w *enginetest.World, o *enginetest.Oracle) {
	jobs := o.Jobs()
	what := rapid.IntRange(0, 9).Draw(t, "what")
	if len(jobs) == 0 || what == 0 {
		hours := rapid.IntRange(1, 3).Draw(t, "hours")
		o.Pass(hours)
		if err := w.Pass(time.Duration(hours) * time.Hour); err != nil {
			t.Fatal(err)
		}
		return
	}
	id := rapid.SampledFrom(jobs).Draw(t, "job")
	key, err := w.Job(id, 1)
	if err != nil {
		t.Fatal(err)
	}
	if what > 2 {
		o.Complete(id)
		apply(t, w, engine.JobCompleted{Job: key})
		return
	}
	code := rapid.SampledFrom([]string{"A", "B"}).Draw(t, "thrown")
	caught := o.Break(id, code)
	apply(t, w, engine.JobThrew{Job: key, Code: code})
	if !caught { // it is an incident, and taken up again
		for _, i := range w.Incidents() {
			apply(t, w, engine.Resolve{Incident: i})
		}
	}
}

func apply(t *rapid.T, w *enginetest.World, ev engine.Event) {
	if err := w.Step(ev); err != nil {
		t.Fatalf("%T: %v", ev, err)
	}
}

func agree(t *rapid.T, w *enginetest.World, o *enginetest.Oracle, model []byte) {
	ended := ""
	if w.Ended != nil {
		ended = w.Ended.State
	}
	if got, want := w.Jobs(), o.Jobs(); !slices.Equal(got, want) || ended != o.Ended {
		t.Fatalf("the engine has the jobs [%s] and ended %q, the oracle [%s] and %q\n%s",
			strings.Join(got, " "), ended, strings.Join(want, " "), o.Ended, model)
	}
}
