package main

import (
	"fmt"
	"testing"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// condition is what rules and gateways ask all day.
const condition = `(Origin="MOW" or Country="RU") and (Value>=100 or Adults=1)`

func feelFigures(r *report) error {
	x, err := feel.Compile(condition)
	if err != nil {
		return err
	}
	vars := map[string]value.Value{"Origin": value.String("MOW"), "Country": value.String("RU"), "Value": value.Int(100),
		"Adults": value.Int(1)}
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
	return nil
}
