package dmn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/tck"
	"sextant/internal/testkit/corpora"
)

// score counts cases and result nodes; foreign cases need a Java machine and
// count nowhere else.
type score struct{ cases, passed, nodes, good, foreign int }

func (s *score) add(o score) {
	s.cases, s.passed, s.nodes, s.good, s.foreign = s.cases+o.cases, s.passed+o.passed, s.nodes+o.nodes, s.good+o.good, s.foreign+o.foreign
}

func (s score) String() string {
	text := fmt.Sprintf("%4d/%-4d cases  %4d/%-4d results", s.passed, s.cases, s.good, s.nodes)
	if s.foreign > 0 {
		text += fmt.Sprintf("  (%d need Java)", s.foreign)
	}
	return text
}

// foreign tells a case that fails for want of a Java machine.
func foreign(o tck.Outcome) bool {
	return slices.ContainsFunc(o.Warnings, func(w dmn.Warning) bool {
		return strings.Contains(w.Message, "a function in Java is not run here") ||
			strings.Contains(w.Message, "functions in other languages are not executed")
	})
}

var tckEnv = dmn.Env{Now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Zone: time.LoadLocation}

func TestTCK(t *testing.T) {
	t.Parallel()
	for _, level := range []struct {
		folder string
		least  float64 // share of cases that must pass
	}{{"compliance-level-2", 1}, {"compliance-level-3", 0.995}, {"non-compliant", 0.95}} {
		t.Run(level.folder, func(t *testing.T) {
			t.Parallel()
			var sum score
			var table strings.Builder
			for _, dir := range suites(t, level.folder) {
				s := suite(t, dir)
				fmt.Fprintf(&table, "%-48s %s\n", filepath.Base(dir), s)
				sum.add(s)
			}
			t.Logf("\n%s%-48s %s", table.String(), level.folder, sum)
			if share := float64(sum.passed) / float64(sum.cases); share < level.least {
				t.Errorf("%s: %.4f of the cases pass, at least %.4f have to", level.folder, share, level.least)
			}
		})
	}
}

// suites are the folders that hold test cases.
func suites(t *testing.T, level string) []string {
	t.Helper()
	var dirs []string
	for _, file := range corpora.Files(t, "dmn-tck/TestCases/"+level, ".xml") {
		if dir := filepath.Dir(file); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// suite runs the cases of a folder and logs those that fail.
func suite(t *testing.T, dir string) score {
	t.Helper()
	var sum score
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, m, err := tck.Load(os.DirFS(dir), filepath.Base(name), time.LoadLocation)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		failed, other := map[*tck.Case]bool{}, map[*tck.Case]bool{}
		for _, o := range tck.Run(m, f, tckEnv) {
			sum.nodes++
			if o.Passed {
				sum.good++
				continue
			}
			if foreign(o) {
				sum.nodes--
				other[o.Case] = true
				continue
			}
			failed[o.Case] = true
			why := ""
			if len(o.Warnings) > 0 {
				why = " (" + o.Warnings[0].Message + ")"
			}
			t.Logf("%s: %s %s: %s%s", filepath.Base(dir), o.Case.ID, o.Node.Name, o.Reason, why)
		}
		sum.cases += len(f.Cases) - len(other)
		sum.passed += len(f.Cases) - len(failed) - len(other)
		sum.foreign += len(other)
	}
	return sum
}
