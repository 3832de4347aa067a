package program_test

import (
	"strings"
	"testing"

	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
)

// Whatever a file holds, a deployment executes it or says where it cannot.
func FuzzDeployment(f *testing.F) {
	f.Add(whole)
	f.Add(process(`<startEvent id="s"/><subProcess id="d" triggeredByEvent="true"><startEvent id="s2" isInterrupting="false"/></subProcess>` +
		`<transaction id="t"><endEvent id="x"><cancelEventDefinition/></endEvent></transaction>`))
	f.Add(process(`<boundaryEvent id="b" attachedToRef="b"><cancelEventDefinition/></boundaryEvent>` +
		`<sequenceFlow sourceRef="b" targetRef="b"/><serviceTask id="b" default="x"><standardLoopCharacteristics/></serviceTask>`))
	f.Add(strings.Replace(whole, "sequenceFlow", "adHocSubProcess", 3))
	f.Fuzz(func(t *testing.T, xml string) {
		doc, err := bpmn.Parse([]byte(xml))
		if err != nil {
			return
		}
		m, err := bpmn.Read(doc)
		if m == nil {
			if err == nil {
				t.Fatal("neither a model nor an error")
			}
			return
		}
		progs, err := program.All(m)
		if (err == nil) == (len(progs) == 0) && err == nil {
			t.Fatal("no program and no reason")
		}
		if string(doc.Write()) != xml && len(xml) > 0 && !strings.Contains(xml, "\r") && !strings.HasPrefix(xml, "\ufeff") {
			t.Fatal("the file is not written back as it was")
		}
	})
}
