package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sextant/internal/engine/enginetest"
	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
	"sextant/internal/testkit/corpora"
)

// other is what a model of another engine has to do.
type other struct{ file, called, script string }

func readOthers(t *testing.T) (all []other) {
	t.Helper()
	text, err := os.ReadFile("testdata/others.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		one := other{}
		one.file, one.script, _ = strings.Cut(part, "\n")
		if rest, ok := strings.CutPrefix(one.script, "+ "); ok {
			one.called, one.script, _ = strings.Cut(rest, "\n")
		}
		all = append(all, one)
	}
	return all
}

// rewrites turn what Camunda 7 and others write into what is read here: expressions in
// FEEL, a key for every message, a type for every service task.
var rewrites = []struct {
	is *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`<(\w+:|)message id="([^"]*)" name="([^"]*)" ?/>`),
		`<${1}message id="$2" name="$3"><${1}extensionElements><zeebe:subscription correlationKey="=1"/></${1}extensionElements></${1}message>`},
	{regexp.MustCompile(`<callActivity id="(\w+)" calledElement="([^"]*)" ?/>`),
		`<callActivity id="$1"><extensionElements><zeebe:calledElement processId="$2"/></extensionElements></callActivity>`},
	{regexp.MustCompile(`<callActivity id="(\w+)" calledElement="([^"]*)" ?>\s*<extensionElements>`),
		`<callActivity id="$1"><extensionElements><zeebe:calledElement processId="$2" propagateAllChildVariables="false"/>`},
	{regexp.MustCompile(`<camunda:in source="(\w+)" target="(\w+)" ?/>`),
		`<zeebe:ioMapping><zeebe:input source="=$1" target="$2"/></zeebe:ioMapping>`},
	{regexp.MustCompile(`<camunda:out source ?="(\w+)" target="(\w+)" ?/>`),
		`<zeebe:ioMapping><zeebe:output source="=$1" target="$2"/></zeebe:ioMapping>`},
	{regexp.MustCompile(`<camunda:in sourceExpression="([^"]*)" target="(\w+)" ?/>`),
		`<zeebe:ioMapping><zeebe:input source="$1" target="$2"/></zeebe:ioMapping>`},
	{regexp.MustCompile(`<camunda:out sourceExpression="([^"]*)" target="(\w+)" ?/>`),
		`<zeebe:ioMapping><zeebe:output source="$1" target="$2"/></zeebe:ioMapping>`},
	{regexp.MustCompile(`</zeebe:ioMapping>\s*<zeebe:ioMapping>`), ""},
	{regexp.MustCompile(`<camunda:inputParameter name="(\w+)">([^<]*)</camunda:inputParameter>`), `<zeebe:input source="$2" target="$1"/>`},
	{regexp.MustCompile(`<camunda:outputParameter name="(\w+)">([^<]*)</camunda:outputParameter>`), `<zeebe:output source="$2" target="$1"/>`},
	{regexp.MustCompile(`camunda:inputOutput>`), `zeebe:ioMapping>`},
	{regexp.MustCompile(`(<(\w+:|)serviceTask id="(\w+)"[^>]*)/>`),
		`$1><${2}extensionElements><zeebe:taskDefinition type="$3"/></${2}extensionElements></${2}serviceTask>`},
	{regexp.MustCompile(`(<(\w+:|)serviceTask id="(\w+)"[^>]*class=[^>]*[^/]>)(\s*<\w+:incoming>)`),
		`$1<${2}extensionElements><zeebe:taskDefinition type="$3"/></${2}extensionElements>$4`},
	{regexp.MustCompile(`(<(\w+:|)serviceTask id="(Activity_\d)">)`),
		`$1<${2}extensionElements><zeebe:taskDefinition type="$3"/></${2}extensionElements>`},
	{regexp.MustCompile(`(?s)<bpmn:scriptTask id="(\w+)".*?</bpmn:scriptTask>`),
		`<bpmn:serviceTask id="$1"><bpmn:extensionElements><zeebe:taskDefinition type="$1"/></bpmn:extensionElements></bpmn:serviceTask>`},
	{regexp.MustCompile(`(tFormalExpression">)(\w+=)`), `$1=$2`},
	{regexp.MustCompile(`<(\w+:|)error id="(\w+)" name="(\w+)" />`), `<${1}error id="$2" name="$3" errorCode="$3"/>`},
	{regexp.MustCompile(`<receiveTask id="WaitAfterLink" />`), `<userTask id="WaitAfterLink" />`},
}

var (
	juel     = regexp.MustCompile(`\$\{([^}]*)\}`)
	operator = strings.NewReplacer("==", "=", "&&", " and ", "nrOfCompleted",
		"numberOfCompleted", "nrOfInstances", "numberOfInstances", "!terminate", "not(terminate)")
	thrown = regexp.MustCompile(`errorRef="([^"]*)"`)
	whole  = regexp.MustCompile(`(?s)<process .*</process>`)
	ids    = regexp.MustCompile(`="(theStart|theEnd|flow\d)"`)
	ends   = regexp.MustCompile(`</(\w+:|)definitions>`)
)

// ours writes a model of another engine as this one reads it, with the process that it calls.
func ours(xml, called string) string {
	xml = juel.ReplaceAllStringFunc(xml, func(e string) string { return "=" + operator.Replace(juel.FindStringSubmatch(e)[1]) })
	more := ids.ReplaceAllString(whole.FindString(called), `="${1}_called"`)
	for _, m := range thrown.FindAllStringSubmatch(xml+called, -1) {
		if e := fmt.Sprintf(`<error id="%s"`, m[1]); !strings.Contains(more+xml, e) && !strings.Contains(xml, `:error id="`+m[1]) {
			more += e + ` errorCode="` + m[1] + `"/>`
		}
	}
	xml = ends.ReplaceAllStringFunc(xml, func(end string) string { return more + end })
	for _, r := range rewrites {
		xml = r.is.ReplaceAllString(xml, r.to)
	}
	if !strings.Contains(xml, "xmlns:zeebe") {
		xml = strings.Replace(xml, "definitions ", `definitions xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" `, 1)
	}
	return xml
}

// Models of other engines do here what their own tests say, in each way.
func TestModelsOfOtherEngines(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpora.Dir(t), "bpmn-exec")
	read := func(file string) string {
		xml, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(xml)
	}
	for n, o := range readOthers(t) {
		t.Run(fmt.Sprintf("%s#%d", strings.TrimSuffix(filepath.Base(o.file), ".bpmn"), n), func(t *testing.T) {
			t.Parallel()
			called := ""
			if o.called != "" {
				called = read(o.called)
			}
			s := &enginetest.Scenario{Title: o.file, Model: []byte(ours(read(o.file), called)), Script: strings.Split(o.script, "\n")}
			straight, err := s.Play(enginetest.Modes[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, mode := range enginetest.Modes[1:] {
				if got, err := s.Play(mode); err != nil || !slices.Equal(got, straight) {
					t.Errorf("%s: %v", mode.Name, err)
				}
			}
		})
	}
}

// Of the models of other engines each is played above, or refused with the elements that
// are not executed, or that must not be.
func TestModelsOfOtherEnginesHaveAVerdict(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpora.Dir(t), "bpmn-exec")
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index []struct{ File, Cls string }
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	played := map[string]bool{}
	for _, o := range readOthers(t) {
		played[o.file] = true
	}
	counts := map[string]int{}
	for _, f := range index {
		if played[f.File] {
			counts["played"]++
			continue
		}
		xml, err := os.ReadFile(filepath.Join(dir, f.File))
		if err != nil {
			t.Fatal(err)
		}
		var m *bpmn.Model
		doc, err := bpmn.Parse([]byte(ours(string(xml), "")))
		if err == nil {
			m, err = bpmn.Read(doc)
		}
		if err == nil {
			_, err = program.All(m)
		}
		var refused *bpmn.Error
		if !errors.As(err, &refused) || len(refused.Problems) == 0 {
			t.Errorf("%s (%s) is neither played nor refused: %v", f.File, f.Cls, err)
			continue
		}
		counts["refused"]++
		reasons := map[string]bool{}
		for _, p := range refused.Problems {
			reasons[p.Code+" "+p.Element] = true
		}
		t.Logf("%s: %s", f.File, strings.Join(slices.Sorted(maps.Keys(reasons)), ", "))
	}
	t.Logf("of %d models %v", len(index), counts)
}
