package decisions_test

import (
	"io/fs"
	"testing"
	"time"

	"sextant/examples/decisions"
	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/tck"
)

func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(decisions.Files, "*-test.xml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			cases, m, err := tck.Load(decisions.Files, file, time.LoadLocation)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range m.Check() {
				t.Errorf("%s", p)
			}
			for _, r := range m.Analyse() {
				for _, p := range r.Findings() {
					t.Errorf("%s", p)
				}
			}
			outcomes := tck.Run(m, cases, dmn.Env{Zone: time.LoadLocation})
			if len(outcomes) < 3 {
				t.Errorf("only %d results are tested", len(outcomes))
			}
			for _, o := range outcomes {
				if !o.Passed {
					t.Errorf("%s: %s: %s %v", o.Case.ID, o.Node.Name, o.Reason, o.Warnings)
				}
			}
		})
	}
}
