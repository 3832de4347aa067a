package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/feel"
)

// hostileExpressions are the slowest of those that the limits have to stop.
var hostileExpressions = map[string]string{
	"brackets":     strings.Repeat("[", 127) + strings.Repeat("1,", 30_000) + "1" + strings.Repeat("]", 127),
	"parentheses":  strings.Repeat("(", 127) + strings.Repeat("1+", 30_000) + "1" + strings.Repeat(")", 127),
	"nesting":      strings.Repeat("[", 60_000),
	"10 MB":        strings.Repeat("1+", 5<<20) + "1",
	"product":      `every a in 1..100000, b in 1..100000, c in 1..100000 satisfies true`,
	"list":         `for a in 1..100000, b in 1..100000 return [a, b]`,
	"doubling":     `{a: ["xxxxxxxx"], b: for i in 1..100 return [partial, partial]}`,
	"recursion":    `{f: function(n) f(n + 1) + f(n + 2), r: f(1)}`,
	"regex":        `matches(string join(for i in 1..20000 return "ab"), "((((.{0,9}){0,9}){0,9})x)((((.{0,9}){0,9}){0,9})y)")`,
	"catastrophic": `for i in 1..100000 return matches("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "(a|aa)+\1b")`,
	"text":         `{a: string join(for i in 1..50000 return "abcdefghijklmnop"), b: for i in 1..100000 return a + string(i)}`,
	"exponential":  `for i in 1..100000 return exp(6000.1 + i)`,
	"modulo":       `for i in 1..100000 return modulo(10**6000, 3.3)`,
	"sort":         `sort(for i in 1..90000 return 90000 - i, function(a, b) a < b)`,
	"zones":        `for i in 1..100000 return date and time("2026-01-01T00:00:00@Europe/" + "Paris")`,
	"contexts":     `{c: context(for i in 1..5000 return {key: string(i), value: i}), r: for i in 1..5000 return count(get entries(c))}`,
}

const dmnHead = `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="m" namespace="urn:m">`

// hostileModels are the slowest of those that the limits have to stop: many
// decisions, a long chain of them, loops within a loop, and a table that no index
// helps.
func hostileModels() map[string]string {
	decision := func(name, body string) string {
		return fmt.Sprintf(`<decision name="%s" id="%s">%s</decision>`, name, name, body)
	}
	literal := func(text string) string { return `<literalExpression><text>` + text + `</text></literalExpression>` }
	var many, chain, table strings.Builder
	for i := range 60_000 {
		many.WriteString(decision(fmt.Sprint("d", i), literal(fmt.Sprint("1 + ", i))))
	}
	for i := range 30_000 {
		chain.WriteString(decision(fmt.Sprint("d", i),
			fmt.Sprintf(`<informationRequirement><requiredDecision href="#d%d"/></informationRequirement>`, i+1)+
				literal(fmt.Sprintf("d%d + 1", i+1))))
	}
	for i := range 20_000 {
		fmt.Fprintf(&table,
			`<rule><inputEntry><text>? &gt; %d and ? &gt; x</text></inputEntry><outputEntry><text>x + %d</text></outputEntry></rule>`, i, i)
	}
	return map[string]string{
		"many decisions": many.String(),
		"long chain":     chain.String() + decision("d30000", literal("1")),
		"loops": decision("d0",
			`<for iteratorVariable="i"><in>`+literal("[1..90000]")+`</in><return><for iteratorVariable="j"><in>`+literal("[1..90000]")+
				`</in><return>`+literal("i * j")+`</return></for></return></for>`),
		"opaque table": decision("d0",
			`<decisionTable hitPolicy="COLLECT"><input><inputExpression><text>1</text></inputExpression></input><output/>`+table.String()+
				`</decisionTable>`),
	}
}

// hostileFigures attacks FEEL and DMN; what counts is the worst of each.
func hostileFigures(r *report) error {
	expressions, models := map[string]func(){}, map[string]func(){}
	for name, src := range hostileExpressions {
		expressions[name] = func() { evaluate(src) }
	}
	for name, body := range hostileModels() {
		models[name] = func() { deploy(dmnHead + body + `</definitions>`) }
	}
	took, heap, slowest := worst(expressions)
	r.add("feel.hostile_ms", took, "ms", 1000,
		fmt.Sprintf("the slowest of %d hostile expressions to be refused or stopped: %s", len(expressions), slowest))
	r.add("feel.hostile_heap_mb", heap, "MB", 0, "the most memory that was in use while they ran")
	took, heap, slowest = worst(models)
	r.add("dmn.hostile_ms", took, "ms", 1000,
		fmt.Sprintf("the slowest of %d hostile models to be read, analysed, and decided or stopped: %s", len(models), slowest))
	r.add("dmn.hostile_heap_mb", heap, "MB", 0, "the most memory that was in use while they ran")
	return nil
}

// worst gives the longest time in milliseconds, who took it, and the most memory
// in MB.
func worst(attacks map[string]func()) (took, heap float64, slowest string) {
	for name, run := range attacks {
		d, peak := watched(run)
		heap = max(heap, float64(peak)/(1<<20))
		if ms := float64(d.Milliseconds()); ms > took {
			took, slowest = ms, name
		}
	}
	return took, heap, slowest
}

// evaluate compiles and runs an expression; to be refused, or stopped by a limit,
// is what is expected of it.
func evaluate(src string) {
	if x, err := feel.Compile(src); err == nil {
		_, _ = x.Eval(&feel.Env{Now: time.Now(), Zone: time.LoadLocation})
	}
}

// deploy does with a model what its deployment and one decision do.
func deploy(xml string) {
	file, err := dmn.Read([]byte(xml))
	if err != nil {
		return
	}
	m := dmn.Compile([]*dmn.File{file})
	m.Check()
	for _, t := range m.Analyse() {
		t.Findings()
	}
	_, _ = m.Decide(dmn.Target{Name: "d0"}, nil, dmn.Env{}) // a limit is what is expected
}

// watched runs something and watches how much memory is in use meanwhile.
func watched(run func()) (took time.Duration, peak uint64) {
	runtime.GC()
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		var top uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			top = max(top, m.HeapAlloc)
			select {
			case <-stop:
				done <- top
				return
			case <-tick.C:
			}
		}
	}()
	start := time.Now()
	run()
	took = time.Since(start)
	close(stop)
	return took, <-done
}
