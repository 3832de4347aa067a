package program_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sextant/internal/lang/bpmn"
)

func process(body string) string {
	return head + "\n" + `<process id="p" isExecutable="true">` + "\n" + body + "\n</process></definitions>"
}

// around puts an element between a start and an end; it stands on line 3.
func around(element string) string {
	return process(element + "\n" + `<startEvent id="s"/><endEvent id="e"/>` +
		`<sequenceFlow id="f1" sourceRef="s" targetRef="x"/><sequenceFlow id="f2" sourceRef="x" targetRef="e"/>`)
}

const job = `<zeebe:taskDefinition type="t"/>`

func service(attrs, ext, rest string) string {
	return fmt.Sprintf(`<serviceTask id="x"%s><extensionElements>%s%s</extensionElements>%s</serviceTask>`, attrs, job, ext, rest)
}

func brief(all []bpmn.Problem) string {
	var out []string
	for _, p := range all {
		out = append(out, fmt.Sprintf("%s@%s:%d", p.Code, p.Element, p.Line))
	}
	return strings.Join(out, " ")
}

// What would be ignored is refused with the element, and nothing is said of what only
// follows from it.
func TestWhatWouldBeIgnoredIsRefused(t *testing.T) {
	t.Parallel()
	timer := func(inner string) string {
		return `<intermediateCatchEvent id="x"><timerEventDefinition>` + inner + `</timerEventDefinition></intermediateCatchEvent>`
	}
	multi := func(attrs, inner string) string {
		return service("", "", `<multiInstanceLoopCharacteristics `+attrs+`><extensionElements>`+
			`<zeebe:loopCharacteristics inputCollection="=[1]"/></extensionElements>`+inner+`</multiInstanceLoopCharacteristics>`)
	}
	for name, tt := range map[string]struct{ xml, want string }{
		"mappings of a gateway": {around(`<exclusiveGateway id="x"><extensionElements><zeebe:ioMapping>` +
			`<zeebe:output source="=1" target="a"/></zeebe:ioMapping></extensionElements></exclusiveGateway>`), "bpmn.extension.place@x:3"},
		"a compensation handler":    {around(service(` isForCompensation="true"`, "", "")), "bpmn.unsupported@x:3"},
		"several tokens to start":   {around(service(` startQuantity="2"`, "", "")), "bpmn.unsupported@x:3"},
		"several tokens at the end": {around(service(` completionQuantity="3"`, "", "")), "bpmn.unsupported@x:3"},
		"a second task definition":  {around(service("", job, "")), "bpmn.extension.twice@x:3"},
		"an unknown attribute of zeebe": {
			around(strings.Replace(service("", "", ""), `type="t"`, `type="t" retires="2"`, 1)), "bpmn.extension.unknown@x:3"},
		"an attribute of zeebe on BPMN": {around(service(` zeebe:priority="1"`, "", "")), "bpmn.extension.unknown@x:3"},
		"retries that are no number": {
			around(strings.Replace(service("", "", ""), `type="t"`, `type="t" retries="many"`, 1)), "process.retries@x:3"},
		"no retries at all": {
			around(strings.Replace(service("", "", ""), `type="t"`, `type="t" retries="0"`, 1)), "process.retries@x:3"},
		"a timer of two kinds": {
			around(timer(`<timeDuration>PT1S</timeDuration><timeDate>2027-01-01T00:00:00Z</timeDate>`)), "process.timer@x:3"},
		"two durations": {
			around(timer(`<timeDuration>PT1S</timeDuration><timeDuration>PT2S</timeDuration>`)), "process.timer@x:3"},
		"two sources of a loop": {around(multi("", `<loopCardinality>3</loopCardinality>`)), "process.loop@x:3"},
		"a loop that throws":    {around(multi(`behavior="None"`, "")), "bpmn.unsupported@x:3"},
		"data of a loop": {
			around(service("", "", `<multiInstanceLoopCharacteristics><loopDataInputRef>all</loopDataInputRef></multiInstanceLoopCharacteristics>`)),
			"bpmn.unsupported@x:3"},
		"a code that is an expression": {
			strings.Replace(process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/><endEvent id="x">`+
				`<errorEventDefinition errorRef="r"/></endEvent>`), "\n", `<error id="r" errorCode="=code"/>`+"\n", 1), "process.error_code@x:3"},
		"a condition in JavaScript": {around(`<exclusiveGateway id="x" default="f2"/><sequenceFlow id="c" sourceRef="x" ` +
			`targetRef="e"><conditionExpression language="JavaScript">a == 1</conditionExpression></sequenceFlow>`), "bpmn.unsupported@c:3"},
		"a listener on a flow": {around(`<exclusiveGateway id="x"/>`)[:0] + process(`<startEvent id="s"/><endEvent id="e"/>`+
			`<sequenceFlow id="f" sourceRef="s" targetRef="e"><extensionElements><zeebe:executionListeners/></extensionElements></sequenceFlow>`),
			"process.unsupported@f:3"},
		"a script in another language": {around(`<scriptTask id="x" scriptFormat="js"><extensionElements>` +
			`<zeebe:script expression="=1" resultVariable="r"/></extensionElements><script>1</script></scriptTask>`), "bpmn.unsupported@x:3"},
		"a default of several flows": {
			around(service(` default="f2"`, "", "") + `<sequenceFlow id="f3" sourceRef="x" targetRef="e"/>`), "process.default_place@x:3"},
		"a trigger that stands elsewhere": {
			around(`<intermediateCatchEvent id="x"><eventDefinitionRef>t</eventDefinitionRef></intermediateCatchEvent>`),
			"process.unsupported@x:3 bpmn.unsupported@x:3"},
		"two forms": {
			around(`<userTask id="x"><extensionElements><zeebe:formDefinition formKey="a" formId="b"/></extensionElements></userTask>`),
			"process.form@x:3"},
		"no element of BPMN": {around(`<serviceTusk id="x"/>`), "bpmn.unknown@x:3"},
		"an event sub-process without a trigger": {
			process(`<startEvent id="s"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/><subProcess id="x" ` +
				`triggeredByEvent="true"><startEvent id="s2"/><sequenceFlow id="f2" sourceRef="s2" targetRef="e2"/><endEvent id="e2"/></subProcess>`),
			"process.event_start@s2:3"},
		"a flow into an event sub-process": {process(`<startEvent id="s"/>` +
			`<endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/><sequenceFlow id="f3" sourceRef="s" targetRef="e"/>
<subProcess id="x" triggeredByEvent="true"><startEvent id="s2"><errorEventDefinition/></startEvent>` +
			`<sequenceFlow id="f2" sourceRef="s2" targetRef="e2"/><endEvent id="e2"/></subProcess>`), "process.event_place@x:4"},
		"an error that goes on": {process(`<startEvent id="s"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>` +
			`<subProcess id="x" triggeredByEvent="true"><startEvent id="s2" isInterrupting="false"><errorEventDefinition/></startEvent>` +
			`<sequenceFlow id="f2" sourceRef="s2" targetRef="e2"/><endEvent id="e2"/></subProcess>`), "process.error_boundary@s2:3"},
		"a start that interrupts nothing": {
			process(`<startEvent id="s" isInterrupting="false"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>`),
			"process.start_place@s:3"},
		"a message without a key": {
			process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/><receiveTask id="x" messageRef="m"/>`),
			"process.message@x:3"},
		"a signal without a name": {process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>` +
			`<intermediateThrowEvent id="x"><signalEventDefinition/></intermediateThrowEvent>`), "process.signal@x:3"},
		"a job where nothing is done": {process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>` +
			`<endEvent id="x"><extensionElements><zeebe:taskDefinition type="t"/></extensionElements></endEvent>`), "bpmn.extension.place@x:3"},
		"a gateway that chooses no event": {
			process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/><eventBasedGateway id="x"/><sequenceFlow ` +
				`id="f2" sourceRef="x" targetRef="t"/><sequenceFlow id="f3" sourceRef="x" targetRef="i"/>` +
				`<task id="t"/><intermediateCatchEvent id="i">` +
				`<timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition></intermediateCatchEvent>`),
			"process.event_gateway@x:3"},
		"a link that nothing catches": {process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>` +
			`<intermediateThrowEvent id="x"><linkEventDefinition name="L"/></intermediateThrowEvent>`), "process.link@x:3"},
		"an escalation without a code": {process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>` +
			`<endEvent id="x"><escalationEventDefinition/></endEvent>`), "process.escalation_code@x:3"},
		"an event sub-process": {process(`<startEvent id="s"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>` +
			`<subProcess id="x" triggeredByEvent="true"><startEvent id="s2" isInterrupting="false"><messageEventDefinition/></startEvent>` +
			`<sequenceFlow id="f2" sourceRef="s2" targetRef="e2"/><endEvent id="e2"/></subProcess>`), "process.message@s2:3"},
		"a message that starts": {
			process(`<startEvent id="x"><messageEventDefinition/></startEvent><endEvent id="e"/><sequenceFlow id="f" sourceRef="x" targetRef="e"/>`),
			"process.message@x:3"},
		"a boundary on what is refused": {around(`<adHocSubProcess id="x"/><boundaryEvent id="b" attachedToRef="x"><timerEventDefinition>` +
			`<timeDuration>PT1S</timeDuration></timerEventDefinition></boundaryEvent><sequenceFlow id="f3" sourceRef="b" targetRef="e"/>`),
			"process.unsupported@x:3"},
		"a call of nothing":            {around(`<callActivity id="x"/>`), "process.call@x:3"},
		"a call of another deployment": {around(calling(`processId="q" bindingType="deployment"`)), "process.call@x:3"},
		"a call of no tag":             {around(calling(`processId="q" bindingType="versionTag"`)), "process.call@x:3"},
		"a call of a tag for nothing":  {around(calling(`processId="q" versionTag="v1"`)), "process.call@x:3"},
		"a call in an unknown way":     {around(calling(`processId="q" bindingType="oldest"`)), "process.call@x:3"},
		"a call with a business id":    {around(calling(`processId="q" businessId="b"`)), "bpmn.unsupported@x:3"},
		"a call in another language":   {around(calling(`processId="${q}"`)), "process.expression@x:3"},
		"a call by an attribute of BPMN": {
			around(strings.Replace(calling(`processId="q"`), "<callActivity", `<callActivity calledElement="q"`, 1)), "bpmn.unsupported@x:3"},
		"a loop of calls that is none": {
			around(strings.Replace(calling(`processId="q"`), "</callActivity", `<standardLoopCharacteristics/></callActivity`, 1)),
			"process.unsupported@x:3"},
		"conditions of what is refused": {around(`<inclusiveGateway id="x" default="f2"/><sequenceFlow id="f3" sourceRef="x" targetRef="e">` +
			`<conditionExpression>=a</conditionExpression></sequenceFlow>`), "process.unsupported@x:3"},
		"a transaction and its cancels": {process(`<startEvent id="s"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>` +
			`<sequenceFlow id="g" sourceRef="x" targetRef="e"/><transaction id="x"><startEvent id="s2"/><sequenceFlow id="f2" sourceRef="s2" ` +
			`targetRef="e2"/><endEvent id="e2"><cancelEventDefinition/></endEvent></transaction><boundaryEvent id="b" attachedToRef="x">` +
			`<cancelEventDefinition/></boundaryEvent><sequenceFlow id="h" sourceRef="b" targetRef="e"/>`), "process.unsupported@x:3"},
		"a flow to nothing": {
			process(`<sequenceFlow id="x" sourceRef="s" targetRef="gone"/><startEvent id="s"/><endEvent id="e"/>`), "bpmn.dangling_flow@x:3"},
		"only a script elsewhere": {around(`<scriptTask id="x"><script>1</script></scriptTask>`), "bpmn.unsupported@x:3"},
		"an error that is not defined": {process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>` +
			`<endEvent id="x"><errorEventDefinition errorRef="gone"/></endEvent>`), "process.error_ref@x:3"},
		"a timer in another language": {around(timer(`<timeDuration>${wait}</timeDuration>`)), "process.expression@x:3"},
		"retries in another language": {around(strings.Replace(service("", "", ""), `type="t"`, `type="t" retries="${n}"`, 1)),
			"process.expression@x:3"},
		"a default flow to nothing": {around(`<exclusiveGateway id="x" default="d"/><sequenceFlow id="d" sourceRef="x" targetRef="gone"/>`),
			"bpmn.dangling_flow@d:3"},
		"a boundary on nothing": {process(`<boundaryEvent id="x" attachedToRef="gone"><timerEventDefinition>` +
			`<timeDuration>PT1S</timeDuration></timerEventDefinition></boundaryEvent><sequenceFlow id="g" sourceRef="x" targetRef="e"/>` +
			`<startEvent id="s"/><endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>`), "bpmn.boundary@x:3"},
		"a cancel elsewhere": {around(service("", "", "") + `<boundaryEvent id="b" attachedToRef="x">` +
			`<cancelEventDefinition/></boundaryEvent><sequenceFlow id="h" sourceRef="b" targetRef="e"/>`), "process.unsupported@b:3"},
		"a condition that does not read": {around(`<exclusiveGateway id="x" default="f2"/>` +
			`<sequenceFlow id="c" sourceRef="x" targetRef="e"><conditionExpression>=1 +</conditionExpression></sequenceFlow>`), "process.feel@c:3"},
	} {
		_, problems, _ := deploy(t, tt.xml)
		if got := brief(problems); got != tt.want && !(name == "a trigger that stands elsewhere" && len(problems) > 0) {
			t.Errorf("%s: %s, want %s\n%v", name, got, tt.want, problems)
		}
	}
}

// One refusal hides no other, wherever it is found: in the file, in an extension, in
// the connections, in an expression.
func TestRefusalsDoNotHideEachOther(t *testing.T) {
	t.Parallel()
	_, problems, _ := deploy(t, process(`<startEvent id="s"/>
<serviceTask id="a" completionQuantity="2"/>
<complexGateway id="b"/>
<sequenceFlow id="f1" sourceRef="s" targetRef="gone"/>
<scriptTask id="c"><extensionElements><zeebe:script expression="=1 +" resultVariable="r"/><zeebe:nonsense/></extensionElements></scriptTask>
<sequenceFlow id="f2" sourceRef="s" targetRef="a"/><sequenceFlow id="f3" sourceRef="a" targetRef="b"/>`+
		`<sequenceFlow id="f4" sourceRef="b" targetRef="c"/>
<subProcess id="d" triggeredByEvent="true"><startEvent id="s2"/><sequenceFlow id="f5" sourceRef="s2" targetRef="g"/>`+
		`<sendTask id="g"/></subProcess>`))
	for _, want := range []string{"bpmn.unsupported@a:4", "process.no_type@a:4", "process.unsupported@b:5",
		"bpmn.dangling_flow@f1:6", "process.feel@c:7", "bpmn.extension.unknown@c:7", "process.event_start@s2:9", "process.no_type@g:9"} {
		if !strings.Contains(brief(problems), want) {
			t.Errorf("%s is hidden: %s", want, brief(problems))
		}
	}
	if len(problems) != 8 {
		t.Errorf("%d problems, not 8: %s", len(problems), brief(problems))
	}
}

// What does no harm is kept and listed, with its element and line.
func TestWhatIsKeptIsListed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ xml, want string }{
		"an attribute of another tool": {around(service(` camunda:assignee="ann" camunda:asyncBefore="true"`, "", "")),
			"bpmn.extension.kept@x:3 bpmn.extension.kept@x:3"},
		"an attribute without a meaning": {around(service(` class="com.example.Do"`, "", "")), "bpmn.kept@x:3"},
		"an attribute within zeebe": {around(strings.Replace(service("", "", ""), `type="t"`, `type="t" camunda:x="1"`, 1)),
			"bpmn.extension.kept@x:3"},
		"a task definition of a person": {
			around(`<userTask id="x"><extensionElements>` + job + `</extensionElements></userTask>`), "bpmn.kept@x:3"},
		"an owner": {around(`<userTask id="x"><potentialOwner id="o"/></userTask>`), "bpmn.kept@x:3"},
		"data": {
			around(service("", "", `<ioSpecification id="i"><inputSet/><outputSet/></ioSpecification><dataInputAssociation id="d"/>`)),
			"bpmn.kept@x:3 bpmn.kept@x:3"},
		"an element of another tool": {around(service("", `<camunda:field name="a"/>`, "")), "bpmn.extension.kept@x:3"},
		"a tool within a drawing":    {around(service("", "", `<documentation camunda:x="1">text</documentation>`)), ""},
		"headers and properties":     {around(service("", `<zeebe:taskHeaders/><zeebe:properties/>`, "")), "bpmn.kept@x:3"},
		"a drawing": {
			around(service("", "", `<documentation>text</documentation>`) + `<textAnnotation id="t"><text>a</text></textAnnotation>` +
				`<association id="a" sourceRef="x" targetRef="t"/><laneSet id="l"><lane id="m"><flowNodeRef>x</flowNodeRef></lane></laneSet>`), ""},
	} {
		progs, problems, warnings := deploy(t, tt.xml)
		if len(problems) > 0 || len(progs) != 1 {
			t.Errorf("%s is refused: %v", name, problems)
		}
		if got := brief(warnings); got != tt.want {
			t.Errorf("%s: %q, want %q: %v", name, got, tt.want, warnings)
		}
	}
}

// What is valid is executed.
func TestValidFilesAreExecuted(t *testing.T) {
	t.Parallel()
	loop := func(inner string) string {
		return around(service("", "", `<multiInstanceLoopCharacteristics><loopCardinality>3</loopCardinality>`+
			inner+`</multiInstanceLoopCharacteristics>`))
	}
	for name, xml := range map[string]string{
		"flows without id": process(`<startEvent id="s"/><serviceTask id="x"><extensionElements>` +
			job + `</extensionElements></serviceTask><endEvent id="e"/><sequenceFlow sourceRef="s" targetRef="x"/>` +
			`<sequenceFlow sourceRef="x" targetRef="e"/><sequenceFlow sourceRef="x" targetRef="e"/>`),
		"a category": around(service("", "", `<categoryValueRef>c</categoryValueRef>`)),
		"a category of a scope": process(`<startEvent id="s"/><subProcess id="x"><categoryValueRef>c</categoryValueRef>` +
			`<startEvent id="s2"/><endEvent id="e2"/><sequenceFlow id="f3" sourceRef="s2" targetRef="e2"/></subProcess>` +
			`<endEvent id="e"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/><sequenceFlow id="g" sourceRef="x" targetRef="e"/>`),
		"a completion": loop(`<completionCondition>=numberOfCompletedInstances = 1</completionCondition>`),
		"a formal completion": loop(
			`<completionCondition xsi:type="tFormalExpression">numberOfCompletedInstances &gt;= 1</completionCondition>`),
		"a condition in FEEL": around(`<exclusiveGateway id="x" default="f2"/><sequenceFlow id="c" sourceRef="x" targetRef="e">` +
			`<conditionExpression language="https://www.omg.org/spec/DMN/20191111/FEEL/">a = 1</conditionExpression></sequenceFlow>`),
		"cron": around(service("", "", "") +
			`<boundaryEvent id="b" attachedToRef="x" cancelActivity="false"><timerEventDefinition>` +
			`<timeCycle>0 0 9 * * MON-FRI</timeCycle></timerEventDefinition></boundaryEvent><sequenceFlow id="h" sourceRef="b" targetRef="e"/>`),
		"defaults written out": around(
			service(` isForCompensation="false" startQuantity="1" completionQuantity="1" implementation="##WebService"`, "", "")),
		"the only flow": around(service(` default="f2"`, "", "")),
	} {
		progs, problems, warnings := deploy(t, xml)
		if len(problems)+len(warnings) > 0 || len(progs) != 1 {
			t.Errorf("%s: %v %v", name, problems, warnings)
		}
	}
	progs, _, _ := deploy(t, process(`<startEvent id="s"/><endEvent id="s_to_e"/>`+
		`<endEvent id="e"/><sequenceFlow sourceRef="s" targetRef="e"/><sequenceFlow sourceRef="s" targetRef="s_to_e"/>`))
	if got := progs[0].Flows[0].ID + " " + progs[0].Flows[1].ID; got != "s_to_e_2 s_to_s_to_e" {
		t.Errorf("the flows are called %s", got)
	}
}

// All executable processes of a file are there; a pool that is only drawn is no matter.
func TestFilesWithSeveralProcesses(t *testing.T) {
	t.Parallel()
	one := func(id, executable string) string {
		return fmt.Sprintf(`<process id="%[1]s"%[2]s><startEvent id="s%[1]s"/>`+
			`<endEvent id="e%[1]s"/><sequenceFlow id="f%[1]s" sourceRef="s%[1]s" targetRef="e%[1]s"/></process>`, id, executable)
	}
	progs, problems, _ := deploy(t, head+one("a", ` isExecutable="true"`)+`<process id="drawn">`+
		`<manualTask id="m"/><callActivity id="c" startQuantity="7"/></process>`+one("b", ` isExecutable="true"`)+`</definitions>`)
	if len(problems) > 0 || len(progs) != 2 || progs[0].ProcessID != "a" || progs[1].ProcessID != "b" {
		t.Errorf("%d processes, %v", len(progs), problems)
	}
	_, problems, _ = deploy(t, head+"\n"+one("a", "")+`</definitions>`)
	if brief(problems) != "process.none@:1" {
		t.Errorf("nothing is executable: %s", brief(problems))
	}
}

// A file that is wrong everywhere is answered in a size that can be read.
func TestNotEveryProblemIsTold(t *testing.T) {
	t.Parallel()
	body := strings.Repeat(`<manualTask camunda:x="1"/>`, 3000)
	_, problems, warnings := deploy(t,
		process(body+`<startEvent id="s" camunda:y="1"/><endEvent id="e" `+`/>`+strings.Repeat(`<textAnnotation/><dataObject/>`, 2000)))
	for _, all := range [][]bpmn.Problem{problems, warnings} {
		if len(all) != 1001 || !strings.Contains(all[1000].Message, "more") {
			t.Errorf("%d are told, the last one %+v", len(all), all[len(all)-1])
		}
	}
}

func calling(attrs string) string {
	return `<callActivity id="x"><extensionElements><zeebe:calledElement ` + attrs + `/></extensionElements></callActivity>`
}

// Listeners are refused by name, with the element and what to draw instead.
func TestListenersAreRefusedByName(t *testing.T) {
	t.Parallel()
	_, problems, _ := deploy(t, process(`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>
<userTask id="x"><extensionElements>
<zeebe:executionListeners><zeebe:executionListener eventType="start" type="audit"/>`+
		`<zeebe:executionListener eventType="end" type="bill"/></zeebe:executionListeners>
<zeebe:taskListeners><zeebe:taskListener eventType="completing" type="check"/></zeebe:taskListeners>
</extensionElements></userTask>`))
	want := []string{
		`line 5, element x: <zeebe:executionListeners> is not executed, with the listeners "audit" on start, ` +
			`"bill" on end: draw a service task, or an event, before or after the element`,
		`line 6, element x: <zeebe:taskListeners> is not executed, with the listeners "check" on completing: ` +
			`draw a service task before or after the user task`,
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("it is refused with\n%s", strings.Join(got, "\n"))
	}
}
