package chaos_test

import (
	"fmt"
	"strings"
)

const definitions = `<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t">
<message id="M" name="word"><extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements>` +
	`</message><signal id="S" name="alarm"/>
`

// effect is a step that asks the witness.
func effectStep(id, action, more string) string {
	index := ""
	if more != "" {
		index = `<sextant:input name="index" from="feel" value="=string(i)"/>`
	}
	value := `<sextant:input name="value" from="feel" value="=if word = null then &quot;&quot; else string(word)"/>`
	return fmt.Sprintf(`<serviceTask id="%[1]s" name="%[1]s"><extensionElements>`+
		`<zeebe:taskDefinition type="plugin:witness/effect/%[2]s"/>`+
		`<sextant:input name="step" from="constant" value="%[1]s"/>%[3]s%[4]s</extensionElements>%[5]s</serviceTask>`,
		id, action, value, index, more)
}

// inOrder writes a process whose elements come one after the other; their ids stand first.
func inOrder(id, start string, elements ...[2]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<process id="%s" isExecutable="true"><startEvent id="s">%s</startEvent>`, id, start)
	before := "s"
	for i, e := range append(elements, [2]string{"e", `<endEvent id="e"/>`}) {
		b.WriteString(e[1])
		at := e[0]
		fmt.Fprintf(&b, `<sequenceFlow id="f%d" sourceRef="%s" targetRef="%s"/>`, i, before, at)
		before = at
	}
	return b.String() + "</process>\n"
}

// models are the files of the load, the called process before its caller; what they
// have to do stands in audit as shapes.
func models() []string {
	a := [2]string{"a", effectStep("a", "do", "")}
	each := `<multiInstanceLoopCharacteristics><extensionElements>` +
		`<zeebe:loopCharacteristics inputCollection="=for i in 1..4 return i" inputElement="i"/></extensionElements>` +
		`</multiInstanceLoopCharacteristics>`
	effects := `<process id="effects" isExecutable="true"><startEvent id="s"/>` +
		`<sequenceFlow id="f1" sourceRef="s" targetRef="a"/>` + a[1] + `<sequenceFlow id="f2" sourceRef="a" targetRef="g"/>
<exclusiveGateway id="g" default="f4"/><sequenceFlow id="f3" sourceRef="g" targetRef="b">` +
		`<conditionExpression>=modulo(n, 2) = 1</conditionExpression></sequenceFlow><sequenceFlow id="f4" sourceRef="g" targetRef="c"/>` +
		effectStep("b", "do", "") + effectStep("c", "do", "") +
		`<exclusiveGateway id="h"/><sequenceFlow id="f5" sourceRef="b" targetRef="h"/>` +
		`<sequenceFlow id="f6" sourceRef="c" targetRef="h"/><sequenceFlow id="f7" sourceRef="h" targetRef="wait"/>
<intermediateCatchEvent id="wait"><timerEventDefinition><timeDuration>PT0.3S</timeDuration></timerEventDefinition>` +
		`</intermediateCatchEvent><sequenceFlow id="f8" sourceRef="wait" targetRef="d"/>` +
		effectStep("d", "do", "") + `<sequenceFlow id="f9" sourceRef="d" targetRef="e"/><endEvent id="e"/></process>`
	all := []string{
		inOrder("called", "", a), effects,
		inOrder("asks", "", [2]string{"u", `<userTask id="u" name="Ask"><extensionElements><zeebe:userTask/>` +
			`</extensionElements></userTask>`}, a),
		inOrder("hears", "", [2]string{"m", `<intermediateCatchEvent id="m"><messageEventDefinition messageRef="M"/>` +
			`</intermediateCatchEvent>`}, a),
		inOrder("alarms", "", [2]string{"g", `<intermediateCatchEvent id="g"><signalEventDefinition signalRef="S"/>` +
			`</intermediateCatchEvent>`}, a),
		inOrder("holds", `<extensionElements><sextant:start object="host:host" onBusy="queue(maxLength=50)"/>`+
			`</extensionElements>`, [2]string{"a", effectStep("a", "hold", "")}),
		inOrder("calls", "", [2]string{"c", `<callActivity id="c"><extensionElements>` +
			`<zeebe:calledElement processId="called"/></extensionElements></callActivity>`}, a),
		inOrder("pulls", "", [2]string{"w", `<serviceTask id="w" name="w"><extensionElements>` +
			`<zeebe:taskDefinition type="chaos"/></extensionElements></serviceTask>`}, a),
		inOrder("each", "", [2]string{"a", effectStep("a", "do", each)}),
		inOrder("once", "", [2]string{"a", effectStep("a", "once", "")}),
	}
	for i, p := range all {
		all[i] = definitions + p + "</definitions>"
	}
	return all
}
