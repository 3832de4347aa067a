package bpmn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/lang/bpmn"
	"sextant/internal/testkit/corpora"
)

func TestReadCorpora(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"miwg", "bpmn-exec"} {
		for _, file := range corpora.Files(t, folder, ".bpmn") {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := bpmn.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bpmn.Read(doc); err != nil {
				t.Logf("%s: %v", filepath.Base(file), err)
				for _, p := range err.(*bpmn.Error).Problems {
					if p.Line == 0 || p.Code == "" {
						t.Errorf("%s: a problem without place: %+v", file, p)
					}
				}
			}
		}
	}
}

const head = `<definitions id="file" xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" xmlns:x="urn:x">`

func TestReadNamesPlaceOfProblem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, code, element string }{
		"dangling_flow": {`<process id="p"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="gone"/></process>`,
			"bpmn.dangling_flow", "f"},
		"duplicate_id":   {`<process id="p"><startEvent id="s"/><endEvent id="s"/></process>`, "bpmn.duplicate_id", "s"},
		"id_of_the_file": {`<process id="file"><startEvent id="s"/></process>`, "bpmn.duplicate_id", "file"},
		"boundary":       {`<process id="p"><boundaryEvent id="b" attachedToRef="gone"/></process>`, "bpmn.boundary", "b"},
		"unknown_zeebe": {`<process id="p"><serviceTask id="t"><extensionElements>` +
			`<zeebe:nonsense/></extensionElements></serviceTask></process>`, "bpmn.extension.unknown", "t"},
		"unknown_sextant": {`<process id="p"><serviceTask id="t"><extensionElements>` +
			`<sextant:nonsense/></extensionElements></serviceTask></process>`, "bpmn.extension.unknown", "t"},
		"bad_input_source": {`<process id="p"><serviceTask id="t"><extensionElements>` +
			`<sextant:input name="a" from="moon"/></extensionElements></serviceTask></process>`, "bpmn.input", "t"},
		"mapping_no_target": {`<process id="p"><serviceTask id="t"><extensionElements>` +
			`<zeebe:ioMapping><zeebe:input source="=1"/></zeebe:ioMapping></extensionElements></serviceTask></process>`, "bpmn.mapping", "t"},
		"no_id":             {`<process id="p"><startEvent/></process>`, "bpmn.no_id", ""},
		"default_elsewhere": {`<process id="p"><exclusiveGateway id="g" default="f"/></process>`, "bpmn.default", "g"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := bpmn.Parse([]byte(head + "\n" + tc.body + "</definitions>"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = bpmn.Read(doc)
			if err == nil {
				t.Fatalf("accepted, want %s", tc.code)
			}
			p := err.(*bpmn.Error).Problems[0]
			if p.Code != tc.code || p.Element != tc.element || p.Line != 2 {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestForeignExtensionsAreKeptAndListed(t *testing.T) {
	t.Parallel()
	in := head +
		`<process id="p"><startEvent id="s"><extensionElements><x:y z="1">t</x:y></extensionElements></startEvent></process></definitions>`
	doc, err := bpmn.Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0].Message, "x:y") {
		t.Errorf("warnings: %+v", m.Warnings)
	}
	if string(doc.Write()) != in {
		t.Error("not kept")
	}
}

func TestChangedAttributeIsWritten(t *testing.T) {
	t.Parallel()
	doc, err := bpmn.Parse([]byte(`<a  x="1"><b/></a>`))
	if err != nil {
		t.Fatal(err)
	}
	doc.Root.SetAttr("x", `"<&`)
	if got, want := string(doc.Write()), `<a x="&quot;&lt;&amp;"><b/></a>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A reference may name the file's own namespace; a name from elsewhere stays what it is.
func TestReferencesMayHaveThePrefixOfTheFile(t *testing.T) {
	t.Parallel()
	const text = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
		`xmlns:tns="urn:here" xmlns:o="urn:other" targetNamespace="urn:here">` +
		`<message id="M" name="paid"/><process id="p" isExecutable="true">` +
		`<startEvent id="a"><messageEventDefinition messageRef="tns:M"/></startEvent>` +
		`<userTask id="u"/><boundaryEvent id="b" attachedToRef="tns:u">` +
		`<errorEventDefinition errorRef="o:E"/></boundaryEvent></process></definitions>`
	doc, err := bpmn.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	refs := map[string]string{}
	for _, e := range m.Processes[0].Scope.Elements {
		refs[e.ID] = e.AttachedTo
		for _, ev := range e.Events {
			refs[e.ID] += "|" + ev.MessageRef + ev.ErrorRef
		}
	}
	if refs["a"] != "|M" || refs["b"] != "u|o:E" {
		t.Errorf("%v", refs)
	}
}
