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

// score counts cases and result nodes.
type score struct{ cases, passed, nodes, good int }

func (s *score) add(o score) {
	s.cases, s.passed, s.nodes, s.good = s.cases+o.cases, s.passed+o.passed, s.nodes+o.nodes, s.good+o.good
}

func (s score) String() string {
	return fmt.Sprintf("%4d/%-4d cases  %4d/%-4d results", s.passed, s.cases, s.good, s.nodes)
}

var tckEnv = dmn.Env{Now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Zone: time.LoadLocation}

func TestTCK(t *testing.T) {
	t.Parallel()
	for _, level := range []struct {
		folder string
		least  float64 // share of cases that must pass
	}{{"compliance-level-2", 1}, {"compliance-level-3", 0}, {"non-compliant", 0}} {
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
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := tck.Read(data, time.LoadLocation)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		failed := map[*tck.Case]bool{}
		for _, o := range tck.Run(compileSet(t, dir, f.Model), f, tckEnv) {
			sum.nodes++
			if o.Passed {
				sum.good++
				continue
			}
			failed[o.Case] = true
			why := ""
			if len(o.Warnings) > 0 {
				why = " (" + o.Warnings[0].Message + ")"
			}
			t.Logf("%s: %s %s: %s%s", filepath.Base(dir), o.Case.ID, o.Node.Name, o.Reason, why)
		}
		sum.cases += len(f.Cases)
		sum.passed += len(f.Cases) - len(failed)
	}
	return sum
}

// compileSet compiles a model with the others of its folder at hand.
func compileSet(t testing.TB, dir, name string) *dmn.Model {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.dmn"))
	if err != nil {
		t.Fatal(err)
	}
	var set []*dmn.File
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := dmn.Read(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if filepath.Base(file) == name {
			set = append([]*dmn.File{d}, set...)
		} else {
			set = append(set, d)
		}
	}
	m := dmn.Compile(set)
	for _, p := range m.Check() {
		t.Logf("%s: %s", filepath.Base(dir), p)
	}
	return m
}
