package engine_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sextant/internal/engine/enginetest"
)

// Each scenario holds, and its history is the same in whatever way the run is
// driven.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 25 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := enginetest.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			straight, err := s.Play(enginetest.Modes[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, mode := range enginetest.Modes[1:] {
				got, err := s.Play(mode)
				if err != nil {
					t.Errorf("%s: %v", mode.Name, err)
				} else if !slices.Equal(got, straight) {
					t.Errorf("%s: another history\n%s\n\nstraight\n%s", mode.Name, strings.Join(got, "\n"), strings.Join(straight, "\n"))
				}
			}
		})
	}
}
