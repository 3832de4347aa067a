// Command bench measures Sextant on this machine and writes build/bench.json.
// Figures on a noisy machine are worth little alone: compare those of one run.
package main

import (
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

type figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Target float64 `json:"target"`
	Note   string  `json:"note"`
}

type report struct{ figures []figure }

func (r *report) add(name string, value float64, unit string, target float64, note string) {
	r.figures = append(r.figures, figure{name, value, unit, target, note})
	fmt.Fprintf(os.Stderr, "  %s %.3g %s\n", name, value, unit)
}

func (r *report) write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r.figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

func (r *report) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tvalue\ttarget\tunit\tnote")
	for _, f := range r.figures {
		fmt.Fprintf(w, "%s\t%.4g\t%.4g\t%s\t%s\n", f.Name, f.Value, f.Target, f.Unit, f.Note)
	}
	_ = w.Flush() // standard output
}

func main() {
	r := &report{}
	for name, part := range parts() {
		if len(os.Args) > 1 && !slices.Contains(os.Args[1:], name) {
			continue
		}
		if err := part(r); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	r.print()
	if err := r.write("build/bench.json"); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parts are what is measured, by the name that asks for it alone.
func parts() iter.Seq2[string, func(*report) error] {
	return func(yield func(string, func(*report) error) bool) {
		_ = yield("server", serverFigures) && yield("engine", engineFigures) && yield("scale", scaleFigures) &&
			yield("door", doorFigures) && yield("feel", feelFigures) && yield("dmn", decisionFigures) &&
			yield("hostile", hostileFigures) && yield("path", pathFigures) &&
			yield("databases", databaseFigures) && yield("hosts", fanoutFigures) && yield("output", outputFigures) &&
			yield("retention", retentionFigures) && yield("demo", demoFigures)
	}
}
