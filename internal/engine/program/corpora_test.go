package program_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
	"sextant/internal/testkit/corpora"
)

// share is how many of the Camunda 8 files of others have to deploy.
const share = 0.85

// Diagrams that others drew for Camunda 8 deploy; those that do not are named with
// their reason.
func TestDiagramsOfOthersDeploy(t *testing.T) {
	t.Parallel()
	files := corpora.Files(t, "camunda8-examples", ".bpmn")
	deployed := 0
	for _, file := range files {
		xml, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := bpmn.Parse(xml)
		if err != nil {
			t.Logf("%s: %v", filepath.Base(file), err)
			continue
		}
		m, err := bpmn.Read(doc)
		if m != nil {
			_, err = program.All(m)
		}
		var refused *bpmn.Error
		switch {
		case err == nil:
			deployed++
		case errors.As(err, &refused) && len(refused.Problems) > 0:
			t.Logf("%s: %v", filepath.Base(file), refused.Problems[0])
		default:
			t.Errorf("%s: refused without a reason: %v", file, err)
		}
	}
	t.Logf("%d of %d files deploy", deployed, len(files))
	if float64(deployed) < share*float64(len(files)) {
		t.Errorf("%d of %d files deploy: at least %.0f %% should", deployed, len(files), 100*share)
	}
}
