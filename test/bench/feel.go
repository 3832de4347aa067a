package main

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// condition is what rules and gateways ask all day.
const condition = `(Origin="MOW" or Country="RU") and (Value>=100 or Adults=1)`

// hostile expressions are the slowest of those that the limits have to stop.
var hostile = map[string]string{
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

func feelFigures(r *report) error {
	x, err := feel.Compile(condition)
	if err != nil {
		return err
	}
	vars := map[string]value.Value{"Origin": value.String("MOW"), "Country": value.String("RU"), "Value": value.Int(100), "Adults": value.Int(1)}
	env := &feel.Env{Lookup: func(name string) (value.Value, bool) { v, ok := vars[name]; return v, ok }}
	res := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x.Eval(env); err != nil {
				b.Fatal(err)
			}
		}
	})
	r.add("feel.condition_ns", float64(res.NsPerOp()), "ns", 250, condition+" with variables in a map")
	r.add("feel.condition_allocs", float64(res.AllocsPerOp()), "", 1, fmt.Sprintf("%d bytes", res.AllocedBytesPerOp()))
	compiled := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := feel.Compile(condition); err != nil {
				b.Fatal(err)
			}
		}
	})
	r.add("feel.compile_us", float64(compiled.NsPerOp())/1000, "us", 0, "the same condition read and compiled")
	slowest, took, heap := "", time.Duration(0), uint64(0)
	for name, src := range hostile {
		d, peak := attack(src)
		heap = max(heap, peak)
		if d > took {
			slowest, took = name, d
		}
	}
	r.add("feel.hostile_ms", float64(took.Milliseconds()), "ms", 1000, fmt.Sprintf("the slowest of %d hostile expressions to be refused or stopped: %s", len(hostile), slowest))
	r.add("feel.hostile_heap_mb", float64(heap)/(1<<20), "MB", 0, "the most memory that was in use while they ran")
	return nil
}

// attack runs an expression and watches how much memory is in use meanwhile.
func attack(src string) (took time.Duration, peak uint64) {
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
	if x, err := feel.Compile(src); err == nil {
		_, _ = x.Eval(&feel.Env{Now: start, Zone: time.LoadLocation}) // a limit is what is expected
	}
	took = time.Since(start)
	close(stop)
	return took, <-done
}
