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

// chance decides: by what rapid draws, or by a seed.
type chance interface {
	// between gives a number from low to high.
	between(low, high int, what string) int
	Fatalf(format string, args ...any)
}

// drawn is a chance that rapid makes smaller where something fails.
type drawn struct{ *rapid.T }

func (d drawn) between(low, high int, what string) int {
	return rapid.IntRange(low, high).Draw(d.T, what)
}

// one gives one of several.
func one[T any](c chance, all []T, what string) T { return all[c.between(0, len(all)-1, what)] }

// grower makes blocks by chance.
type grower struct {
	chance
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
	for range g.between(least, 3, "blocks") {
		all = append(all, g.block(depth))
	}
	return all
}

func (g *grower) block(depth int) enginetest.Block {
	if depth == 0 {
		return g.task()
	}
	switch g.between(0, 10, "kind") {
	case 0:
		return enginetest.Seq(g.blocks(depth-1, 1))
	case 1:
		return enginetest.Par(g.blocks(depth-1, 2))
	case 2:
		return enginetest.Each{ID: g.id("each"), N: g.between(0, 3, "n"), Sequential: g.between(0, 1, "sequential") == 1}
	case 3:
		return enginetest.Either{ID: g.id("g"), Below: g.between(0, 4, "below"), Then: g.block(depth - 1), Not: g.block(depth - 1)}
	case 4, 5:
		return g.sub(depth)
	case 6:
		return enginetest.Race{ID: g.id("race"), Ways: g.blocks(depth-1, 1)}
	case 7:
		return enginetest.Task{ID: g.id("t"), Limit: g.between(1, 4, "limit"), Late: g.block(depth - 1)}
	case 8, 9:
		return g.call(depth)
	}
	return g.task()
}

func (g *grower) call(depth int) enginetest.Block {
	c := enginetest.Call{ID: g.id("call")}
	if g.between(0, 1, "catches") == 1 {
		c.Code, c.Broken = one(g.chance, []string{"A", "B"}, "code"), g.block(depth-1)
	}
	c.Body = g.throwing(g.block(depth - 1))
	return c
}

// throwing adds to a block, now and then, a way that throws an error after it.
func (g *grower) throwing(b enginetest.Block) enginetest.Block {
	if g.between(0, 3, "throws") != 0 {
		return b
	}
	return enginetest.Seq{b, enginetest.Race{
		ID: g.id("race"), Ways: []enginetest.Block{g.task(), enginetest.Seq{g.task(), enginetest.Throw{ID: g.id("throw"), Code: "A"}}}}}
}

func (g *grower) sub(depth int) enginetest.Block {
	s := enginetest.Sub{ID: g.id("sub")}
	if g.between(0, 1, "catches") == 1 {
		s.Code, s.Broken = one(g.chance, []string{"A", "B"}, "code"), g.block(depth-1)
		s.Inside = g.between(0, 1, "inside") == 1
	}
	if g.between(0, 1, "beside") == 1 {
		s.Every, s.Beside = g.between(1, 3, "every"), g.block(depth-1)
	}
	s.Body = g.throwing(g.block(depth - 1))
	return s
}

// Random models do what an interpreter says that has nothing in common with the
// engine, in whatever way the run is driven.
func TestRandomModelsAgreeWithTheOracle(t *testing.T) {
	t.Parallel()
	for range 10 {
		rapid.Check(t, func(t *rapid.T) { randomModel(drawn{t}) })
	}
}

// randomModel makes a model and lets things happen to it, and gives its history.
func randomModel(c chance) enginetest.Outcome {
	g := &grower{chance: c}
	block := enginetest.Seq{g.task(), g.block(4)}
	v := c.between(0, 4, "v")
	s := &enginetest.Scenario{Title: "random", Model: enginetest.Draw(block)}
	w, err := s.World(one(c, enginetest.Modes, "mode"))
	if err != nil {
		c.Fatalf("%v\n%s", err, s.Model)
	}
	o := enginetest.NewOracle(block, v)
	apply(c, w, engine.Start{Variables: engine.Variables{"v": json.RawMessage(fmt.Sprint(v))}})
	for range 40 {
		agree(c, w, o, s.Model)
		if o.Ended != "" {
			break
		}
		happen(c, w, o)
	}
	return w.History()
}

// happen lets the same happen to both.
func happen(c chance, w *enginetest.World, o *enginetest.Oracle) {
	jobs := o.Jobs()
	what := c.between(0, 9, "what")
	if len(jobs) == 0 || what == 0 {
		hours := c.between(1, 3, "hours")
		o.Pass(hours)
		if err := w.Pass(time.Duration(hours) * time.Hour); err != nil {
			c.Fatalf("%v", err)
		}
		return
	}
	id := one(c, jobs, "job")
	key, err := w.Job(id, 1)
	if err != nil {
		c.Fatalf("%v", err)
	}
	if what > 2 {
		o.Complete(id)
		apply(c, w, engine.JobCompleted{Job: key})
		return
	}
	code := one(c, []string{"A", "B"}, "thrown")
	caught := o.Break(id, code)
	apply(c, w, engine.JobThrew{Job: key, Code: code})
	if !caught { // it is an incident, and taken up again
		for _, i := range w.Incidents() {
			apply(c, w, engine.Resolve{Incident: i})
		}
	}
}

// apply lets an event happen, now and then after a crash of the host: before it has
// stored what came of the event, or after it.
func apply(c chance, w *enginetest.World, ev engine.Event) {
	crash := c.between(0, 5, "crash")
	if crash == 1 {
		if err := w.Crash(ev); err != nil {
			c.Fatalf("after a crash: %T: %v", ev, err)
		}
	}
	if err := w.Step(ev); err != nil {
		c.Fatalf("%T: %v", ev, err)
	}
	if crash == 2 {
		if err := w.Crash(nil); err != nil {
			c.Fatalf("after a crash: %v", err)
		}
	}
}

func agree(c chance, w *enginetest.World, o *enginetest.Oracle, model []byte) {
	ended := ""
	if w.Ended != nil {
		ended = w.Ended.State
	}
	if got, want := w.Jobs(), o.Jobs(); !slices.Equal(got, want) || ended != o.Ended {
		c.Fatalf("the engine has the jobs [%s] and ended %q, the oracle [%s] and %q\n%s", strings.Join(got, " "),
			ended, strings.Join(want, " "), o.Ended, model)
	}
}
