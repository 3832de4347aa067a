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

// verdict says whether a file deploys. A file that does not has reasons, each with its line.
func verdict(t *testing.T, file string) bool {
	t.Helper()
	xml, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m *bpmn.Model
	doc, err := bpmn.Parse(xml)
	if err == nil {
		if m, err = bpmn.Read(doc); m != nil {
			_, err = program.All(m)
		}
	}
	if err == nil {
		return true
	}
	var refused *bpmn.Error
	if !errors.As(err, &refused) || len(refused.Problems) == 0 {
		t.Fatalf("%s: refused without a reason: %v", file, err)
	}
	for _, p := range refused.Problems {
		if p.Code == "" || p.Message == "" || p.Line == 0 {
			t.Errorf("%s: %+v does not say what and where", file, p)
		}
	}
	t.Logf("%s: %v", filepath.Base(file), refused.Problems[0])
	return false
}

// Diagrams that others drew for Camunda 8 deploy; those that do not are named with
// their reason.
func TestDiagramsOfOthersDeploy(t *testing.T) {
	t.Parallel()
	files := corpora.Files(t, "camunda8-examples", ".bpmn")
	deployed := 0
	for _, file := range files {
		if verdict(t, file) {
			deployed++
		}
	}
	t.Logf("%d of %d files deploy", deployed, len(files))
	if float64(deployed) < share*float64(len(files)) {
		t.Errorf("%d of %d files deploy: at least %.0f %% should", deployed, len(files), 100*share)
	}
}

// What other tools have drawn, for whatever purpose, deploys or says why it does not.
func TestDiagramsOfOtherToolsHaveAVerdict(t *testing.T) {
	t.Parallel()
	files := corpora.Files(t, "miwg", ".bpmn")
	deployed := 0
	for _, file := range files {
		if verdict(t, file) {
			deployed++
		}
	}
	t.Logf("%d of %d files deploy", deployed, len(files))
}
