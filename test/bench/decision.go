package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/tck"
	"sextant/internal/lang/feel/value"
)

// rulesOf is a decision with a table of n rules: a text, two numbers as intervals,
// and a column that does not matter.
func rulesOf(n int) string {
	var b strings.Builder
	b.WriteString(`<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="m" namespace="urn:m">`)
	for _, in := range []string{"customer", "amount", "region", "age"} {
		fmt.Fprintf(&b, `<inputData name="%s" id="%s"/>`, in, in)
	}
	b.WriteString(`<decision name="d" id="d">`)
	for _, in := range []string{"customer", "amount", "region", "age"} {
		fmt.Fprintf(&b, `<informationRequirement><requiredInput href="#%s"/></informationRequirement>`, in)
	}
	b.WriteString(`<decisionTable hitPolicy="FIRST">`)
	for _, in := range []string{"customer", "amount", "region", "age"} {
		fmt.Fprintf(&b, `<input><inputExpression><text>%s</text></inputExpression></input>`, in)
	}
	b.WriteString(`<output/>`)
	for i := range n {
		fmt.Fprintf(&b,
			`<rule><inputEntry><text>"c%d"</text></inputEntry><inputEntry><text>[%d..%d]</text></inputEntry><inputEntry>`+
				`<text>-</text></inputEntry><inputEntry><text>&gt;= %d</text></inputEntry><outputEntry><text>%d</text></outputEntry></rule>`,
			i%5000, i%97, i%97+10, i%50, i)
	}
	b.WriteString(`</decisionTable></decision></definitions>`)
	return b.String()
}

func decisionFigures(r *report) error {
	file, err := dmn.Read([]byte(rulesOf(10_000)))
	if err != nil {
		return err
	}
	m := dmn.Compile([]*dmn.File{file})
	inputs := []dmn.Input{{Name: "customer", Value: value.String("c77")}, {Name: "amount", Value: value.Int(78)},
		{Name: "region", Value: value.String("x")}, {Name: "age", Value: value.Int(40)}}
	res := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Decide(dmn.Target{Name: "d"}, inputs, dmn.Env{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	r.add("dmn.table10k_us", float64(res.NsPerOp())/1000, "us", 50,
		"a whole decision over a table of 10,000 rules, with inputs, trace and result")
	return compatibility(r)
}

// compatibility runs the test cases of the compatibility kit where they are at
// hand.
func compatibility(r *report) error {
	dir := os.Getenv("SEXTANT_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "shared", "corpora")
	}
	for level, folder := range map[string]string{"dmn.tck.level2": "compliance-level-2", "dmn.tck.level3": "compliance-level-3"} {
		kit := os.DirFS(filepath.Join(dir, "dmn-tck", "TestCases", folder))
		files, err := fs.Glob(kit, "*/*.xml")
		if err != nil {
			return err
		}
		if len(files) == 0 {
			fmt.Fprintf(os.Stderr, "  %s: there are no test cases in %s\n", level, dir)
			continue
		}
		passed, all, foreign, err := cases(kit, files)
		if err != nil {
			return err
		}
		r.add(level, float64(passed)/float64(all), "", 0.995, fmt.Sprintf("%d of %d cases; %d more need Java", passed, all, foreign))
	}
	return nil
}

func cases(kit fs.FS, files []string) (passed, all, foreign int, err error) {
	env := dmn.Env{Now: time.Now(), Zone: time.LoadLocation}
	for _, name := range files {
		sub, err := fs.Sub(kit, path.Dir(name))
		if err != nil {
			return 0, 0, 0, err
		}
		f, m, err := tck.Load(sub, path.Base(name), time.LoadLocation)
		if err != nil {
			return 0, 0, 0, err
		}
		bad, other := map[*tck.Case]bool{}, map[*tck.Case]bool{}
		for _, o := range tck.Run(m, f, env) {
			switch {
			case o.Passed:
			case slices.ContainsFunc(o.Warnings, func(w dmn.Warning) bool {
				return strings.Contains(w.Message, "in Java") || strings.Contains(w.Message, "in other languages")
			}):
				other[o.Case] = true
			default:
				bad[o.Case] = true
			}
		}
		all += len(f.Cases) - len(other)
		passed += len(f.Cases) - len(other) - len(bad)
		foreign += len(other)
	}
	return passed, all, foreign, nil
}
