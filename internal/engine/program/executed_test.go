package program_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
)

// whole is a file with everything that is executed.
const whole = head + `<error id="bad" errorCode="E1"/><escalation id="up" escalationCode="U1"/><message id="M" name="paid">` +
	`<extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements></message><signal id="S" name="alarm"/>` +
	`<process id="p" name="Whole" isExecutable="true"><extensionElements><zeebe:versionTag value="v1"/></extensionElements>
<startEvent id="s"><extensionElements><sextant:start object="host:host" min="1" max="2" title="=t" onBusy="reject">` +
	`<sextant:schema>{"type": "object"}</sextant:schema></sextant:start></extensionElements></startEvent>` +
	`<sequenceFlow id="f1" sourceRef="s" targetRef="job"/>
<serviceTask id="job" name="Job"><extensionElements><zeebe:taskDefinition type="plugin:a/b/c" retries="4"/>` +
	`<zeebe:taskHeaders><zeebe:header key="hk" value="hv"/></zeebe:taskHeaders>` +
	`<zeebe:ioMapping><zeebe:input source="=1" target="in"/><zeebe:output source="=2" target="out"/></zeebe:ioMapping>
<sextant:bind path=".hosts>host:host"/><sextant:input name="i" from="constant" value="v"/>` +
	`<sextant:output name="o" to=".at"/><sextant:risk level="read"/></extensionElements></serviceTask>
<boundaryEvent id="late" attachedToRef="job" cancelActivity="false"><timerEventDefinition>` +
	`<timeCycle>R3/PT10S</timeCycle></timerEventDefinition></boundaryEvent><sequenceFlow id="f2" sourceRef="late" targetRef="e2"/>
<boundaryEvent id="caught" attachedToRef="job"><errorEventDefinition errorRef="bad"/></boundaryEvent>` +
	`<sequenceFlow id="f3" sourceRef="caught" targetRef="e3"/><endEvent id="e3"/>
<endEvent id="e2"><errorEventDefinition errorRef="bad"/></endEvent>
<sequenceFlow id="f4" sourceRef="job" targetRef="ask"/>
<userTask id="ask" default="f5"><extensionElements><zeebe:userTask/><zeebe:assignmentDefinition ` +
	`assignee="ann" candidateGroups="ops" candidateUsers="bob"/><zeebe:formDefinition formKey="fk"/>` +
	`<zeebe:taskSchedule dueDate="=due" followUpDate="2027-02-03T04:05:06Z"/></extensionElements></userTask>
<sequenceFlow id="f5" sourceRef="ask" targetRef="wait"/>
<intermediateCatchEvent id="wait"><timerEventDefinition>` +
	`<timeDuration>PT10S</timeDuration></timerEventDefinition></intermediateCatchEvent><sequenceFlow id="f6" sourceRef="wait" targetRef="day"/>
<intermediateCatchEvent id="day"><timerEventDefinition><timeDate>2027-01-01T00:00:00Z</timeDate>` +
	`</timerEventDefinition></intermediateCatchEvent><sequenceFlow id="f7" sourceRef="day" targetRef="which"/>
<exclusiveGateway id="which" default="no"/><sequenceFlow id="no" sourceRef="which" targetRef="fork"/>` +
	`<sequenceFlow id="yes" sourceRef="which" targetRef="fork"><conditionExpression>=out = 1</conditionExpression></sequenceFlow>
<parallelGateway id="fork"/><sequenceFlow id="f8" sourceRef="fork" targetRef="calc"/>
<scriptTask id="calc"><extensionElements><zeebe:script expression="=1 + 1" resultVariable="two"/></extensionElements>
<multiInstanceLoopCharacteristics isSequential="true"><extensionElements>` +
	`<zeebe:loopCharacteristics inputCollection="=[1]" inputElement="one" outputCollection="all" outputElement="=two"/></extensionElements>` +
	`<completionCondition>=numberOfCompletedInstances = 2</completionCondition></multiInstanceLoopCharacteristics></scriptTask>
<sequenceFlow id="f9" sourceRef="calc" targetRef="sub"/>
<subProcess id="sub"><extensionElements><sextant:bind path=".rows>host:host"/></extensionElements><multiInstanceLoopCharacteristics ` +
	`isSequential="true"><extensionElements><sextant:batch expression="1 50%"/></extensionElements></multiInstanceLoopCharacteristics>
<startEvent id="s2"/><sequenceFlow id="f10" sourceRef="s2" targetRef="e4"/><endEvent id="e4"/></subProcess>
<sequenceFlow id="f11" sourceRef="sub" targetRef="many"/>
<scriptTask id="many"><extensionElements><zeebe:script expression="=1" resultVariable="x"/></extensionElements>` +
	`<multiInstanceLoopCharacteristics><loopCardinality>3</loopCardinality></multiInstanceLoopCharacteristics></scriptTask>
<sequenceFlow id="f12" sourceRef="many" targetRef="byhand"/>
<manualTask id="byhand"/><sequenceFlow id="f13" sourceRef="byhand" targetRef="plain"/>` +
	`<task id="plain"/><sequenceFlow id="f14" sourceRef="plain" targetRef="tell"/>
<intermediateThrowEvent id="tell"><escalationEventDefinition escalationRef="up"/></intermediateThrowEvent>` +
	`<sequenceFlow id="f15" sourceRef="tell" targetRef="away"/>
<intermediateThrowEvent id="away"><linkEventDefinition name="L"/></intermediateThrowEvent><intermediateCatchEvent id="here">` +
	`<linkEventDefinition name="L"/></intermediateCatchEvent><sequenceFlow id="f16" sourceRef="here" targetRef="e"/>
<subProcess id="told" triggeredByEvent="true"><startEvent id="s3" isInterrupting="false"><escalationEventDefinition ` +
	`escalationRef="up"/></startEvent><sequenceFlow id="f17" sourceRef="s3" targetRef="e5"/><endEvent id="e5"/></subProcess>
<sequenceFlow id="f18" sourceRef="fork" targetRef="send"/><sendTask id="send"><extensionElements>` +
	`<zeebe:taskDefinition type="send"/></extensionElements></sendTask><sequenceFlow id="f19" sourceRef="send" targetRef="first"/>
<eventBasedGateway id="first"/><sequenceFlow id="f20" sourceRef="first" targetRef="paid"/>` +
	`<sequenceFlow id="f21" sourceRef="first" targetRef="alarm"/>
<intermediateCatchEvent id="paid"><messageEventDefinition messageRef="M"/></intermediateCatchEvent>` +
	`<intermediateCatchEvent id="alarm"><signalEventDefinition signalRef="S"/></intermediateCatchEvent>
<sequenceFlow id="f22" sourceRef="paid" targetRef="got"/><sequenceFlow id="f23" sourceRef="alarm" targetRef="got"/>` +
	`<receiveTask id="got" messageRef="M"/><sequenceFlow id="f24" sourceRef="got" targetRef="rule"/><businessRuleTask id="rule">` +
	`<extensionElements><zeebe:calledDecision decisionId="risk" resultVariable="level"/></extensionElements></businessRuleTask>` +
	`<sequenceFlow id="f25" sourceRef="rule" targetRef="call"/>
<callActivity id="call"><extensionElements><zeebe:calledElement processId="inner" bindingType="versionTag" ` +
	`versionTag="v2" propagateAllParentVariables="false" propagateAllChildVariables="false"/></extensionElements></callActivity>` +
	`<sequenceFlow id="f26" sourceRef="call" targetRef="e"/>
<endEvent id="e"><terminateEventDefinition/></endEvent></process></definitions>`

// changes are, for everything that is executed, what to write instead so that the
// program is another one, or is refused.
var changes = map[string][2]string{
	"Activity@default": {` default="f5"`, ""}, "BaseElement@id": {`id="e3"`, `id="e5"`},
	"BoundaryEvent": {
		`<boundaryEvent id="caught" attachedToRef="job"><errorEventDefinition errorRef="bad"/></boundaryEvent>`, ""},
	"BoundaryEvent@attachedToRef":  {`id="caught" attachedToRef="job"`, `id="caught" attachedToRef="ask"`},
	"BoundaryEvent@cancelActivity": {`cancelActivity="false"`, ""}, "CallableElement@name": {`name="Whole"`, ""},
	"EndEvent": {`<endEvent id="e"><terminateEventDefinition/></endEvent>`, ""}, "TerminateEventDefinition": {
		`<terminateEventDefinition/>`, ""}, "Task": {`<task id="plain"/>`, `<task id="plane"/>`}, "ManualTask": {`<manualTask id="byhand"/>`, ""},
	"CallActivity": {`callActivity`, `task`}, "zeebe:CalledElement": {`<zeebe:calledElement processId="inner" ` +
		`bindingType="versionTag" versionTag="v2" propagateAllParentVariables="false" propagateAllChildVariables="false"/>`, ""},
	"zeebe:CalledElement@processId":   {`"inner"`, `"outer"`},
	"zeebe:CalledElement@bindingType": {`bindingType="versionTag" versionTag="v2"`, ""}, "zeebe:CalledElement@versionTag": {`"v2"`, `"v3"`},
	"zeebe:CalledElement@propagateAllParentVariables": {`propagateAllParentVariables="false"`, ""},
	"zeebe:CalledElement@propagateAllChildVariables":  {`propagateAllChildVariables="false"`, ""},
	"zeebe:VersionTag": {`<zeebe:versionTag value="v1"/>`, ""}, "zeebe:VersionTag@value": {`value="v1"`, `value="v9"`},
	"BusinessRuleTask":                {`businessRuleTask`, `complexGateway`},
	"zeebe:CalledDecision":            {`<zeebe:calledDecision decisionId="risk" resultVariable="level"/>`, ""},
	"zeebe:CalledDecision@decisionId": {`"risk"`, `"cost"`}, "zeebe:CalledDecision@resultVariable": {`"level"`, `"height"`},
	"EventBasedGateway": {`<eventBasedGateway id="first"/>`, `<exclusiveGateway id="first"/>`}, "Message": {
		`<message id="M" name="paid"><extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements></message>`, ""},
	"Message@name": {`name="paid"`, `name="sent"`}, "zeebe:Subscription": {`<zeebe:subscription correlationKey="=order"/>`, ""},
	"zeebe:Subscription@correlationKey": {`"=order"`, `"=id"`},
	"MessageEventDefinition":            {`<messageEventDefinition messageRef="M"/>`, `<signalEventDefinition signalRef="S"/>`},
	"MessageEventDefinition@messageRef": {`<messageEventDefinition messageRef="M"/>`, `<messageEventDefinition/>`},
	"ReceiveTask":                       {`receiveTask`, `task`}, "ReceiveTask@messageRef": {`id="got" messageRef="M"`, `id="got"`},
	"SendTask": {`sendTask`, `task`}, "Signal": {`<signal id="S" name="alarm"/>`, ""}, "Signal@name": {`name="alarm"`, `name="fire"`},
	"SignalEventDefinition":           {`<signalEventDefinition signalRef="S"/>`, `<messageEventDefinition messageRef="M"/>`},
	"SignalEventDefinition@signalRef": {`<signalEventDefinition signalRef="S"/>`, `<signalEventDefinition/>`},
	"IntermediateThrowEvent":          {`intermediateThrowEvent`, `intermediateCatchEvent`}, "LinkEventDefinition": {
		`<intermediateCatchEvent id="here"><linkEventDefinition name="L"/>`, `<intermediateCatchEvent id="here">`}, "LinkEventDefinition@name": {
		`<intermediateThrowEvent id="away"><linkEventDefinition name="L"/>`, `<intermediateThrowEvent id="away"><linkEventDefinition name="M"/>`},
	"Escalation": {`<escalation id="up" escalationCode="U1"/>`, ""}, "Escalation@escalationCode": {`"U1"`, `"U2"`},
	"EscalationEventDefinition": {`<startEvent id="s3" isInterrupting="false"><escalationEventDefinition escalationRef="up"/>`,
		`<startEvent id="s3" isInterrupting="false">`},
	"EscalationEventDefinition@escalationRef": {`<startEvent id="s3" isInterrupting="false"><escalationEventDefinition escalationRef="up"/>`,
		`<startEvent id="s3" isInterrupting="false"><escalationEventDefinition/>`}, "StartEvent@isInterrupting": {` isInterrupting="false"`, ""},
	"SubProcess@triggeredByEvent": {` triggeredByEvent="true"`, ""}, "Error": {`<error id="bad" errorCode="E1"/>`, ""}, "Error@errorCode": {
		`"E1"`, `"E2"`}, "ErrorEventDefinition": {`<endEvent id="e2"><errorEventDefinition errorRef="bad"/>`, `<endEvent id="e2">`},
	"ErrorEventDefinition@errorRef": {`<errorEventDefinition errorRef="bad"/></boundaryEvent>`, `<errorEventDefinition/></boundaryEvent>`},
	"ExclusiveGateway":              {`<exclusiveGateway id="which" default="no"/>`, ""}, "ExclusiveGateway@default": {`default="no"`, ""},
	"FlowElement@name": {`name="Job"`, ""}, "IntermediateCatchEvent": {`<intermediateCatchEvent id="wait">` +
		`<timerEventDefinition><timeDuration>PT10S</timeDuration></timerEventDefinition></intermediateCatchEvent>`, ""},
	"MultiInstanceLoopCharacteristics": {
		`<multiInstanceLoopCharacteristics><loopCardinality>3</loopCardinality></multiInstanceLoopCharacteristics>`, ""},
	"MultiInstanceLoopCharacteristics/completionCondition": {"Instances = 2", "Instances = 3"},
	"MultiInstanceLoopCharacteristics/loopCardinality":     {"<loopCardinality>3", "<loopCardinality>4"},
	"MultiInstanceLoopCharacteristics@isSequential": {`<multiInstanceLoopCharacteristics isSequential="true"><extensionElements><zeebe`,
		`<multiInstanceLoopCharacteristics><extensionElements><zeebe`},
	"ParallelGateway": {`<parallelGateway id="fork"/>`, ""}, "Process@isExecutable": {`isExecutable="true"`, ""},
	"ScriptTask": {`scriptTask`, `callActivity`}, "SequenceFlow": {`<sequenceFlow id="f12" sourceRef="many" targetRef="byhand"/>`, ""},
	"SequenceFlow/conditionExpression": {"=out = 1", "=out = 2"}, "SequenceFlow@sourceRef": {`sourceRef="late"`, `sourceRef="caught"`},
	"SequenceFlow@targetRef": {`targetRef="e3"`, `targetRef="e2"`}, "ServiceTask": {`serviceTask`, `callActivity`},
	"StartEvent": {`<startEvent id="s2"/>`, ""}, "SubProcess": {`<sequenceFlow id="f10" sourceRef="s2" targetRef="e4"/>`, ""},
	"TimerEventDefinition":           {`<timerEventDefinition><timeDuration>PT10S</timeDuration></timerEventDefinition>`, ""},
	"TimerEventDefinition/timeCycle": {"R3/", "R4/"}, "TimerEventDefinition/timeDate": {"2027-01-01", "2027-01-02"},
	"TimerEventDefinition/timeDuration": {"<timeDuration>PT10S", "<timeDuration>PT11S"}, "UserTask": {`userTask`, `callActivity`},
	"zeebe:AssignmentDefinition":          {`<zeebe:assignmentDefinition assignee="ann" candidateGroups="ops" candidateUsers="bob"/>`, ""},
	"zeebe:AssignmentDefinition@assignee": {`"ann"`, `"eve"`}, "zeebe:AssignmentDefinition@candidateGroups": {`"ops"`, `"dev"`},
	"zeebe:AssignmentDefinition@candidateUsers": {`"bob"`, `"eve"`},
	"zeebe:FormDefinition":                      {`<zeebe:formDefinition formKey="fk"/>`, ""},
	"zeebe:FormDefinition@formId":               {`formKey="fk"`, `formId="fi"`}, "zeebe:FormDefinition@formKey": {`"fk"`, `"fx"`},
	"zeebe:Input": {`<zeebe:input source="=1" target="in"/>`, ""}, "zeebe:Output": {`<zeebe:output source="=2" target="out"/>`, ""},
	"zeebe:InputOutputParameter@source": {`source="=1"`, `source="=7"`},
	"zeebe:InputOutputParameter@target": {`target="in"`, `target="into"`}, "zeebe:IoMapping": {
		`<zeebe:ioMapping><zeebe:input source="=1" target="in"/><zeebe:output source="=2" target="out"/></zeebe:ioMapping>`, ""},
	"zeebe:LoopCharacteristics": {
		`<zeebe:loopCharacteristics inputCollection="=[1]" inputElement="one" outputCollection="all" outputElement="=two"/>`, ""},
	"zeebe:LoopCharacteristics@inputCollection": {"=[1]", "=[2]"}, "zeebe:LoopCharacteristics@inputElement": {`"one"`, `"eins"`},
	"zeebe:LoopCharacteristics@outputCollection": {`"all"`, `"alle"`}, "zeebe:LoopCharacteristics@outputElement": {`"=two"`, `"=one"`},
	"zeebe:Script":            {`<zeebe:script expression="=1" resultVariable="x"/>`, ""},
	"zeebe:Script@expression": {`"=1 + 1"`, `"=1 + 2"`}, "zeebe:Script@resultVariable": {`"two"`, `"zwei"`},
	"zeebe:TaskDefinition": {`<zeebe:taskDefinition type="plugin:a/b/c" retries="4"/>`, ""}, "zeebe:TaskDefinition@retries": {`"4"`, `"5"`},
	"zeebe:TaskDefinition@type": {"plugin:a/b/c", "plugin:a/b/d"}, "zeebe:UserTask": {"<zeebe:userTask/>", ""},
	"zeebe:TaskSchedule":              {`<zeebe:taskSchedule dueDate="=due" followUpDate="2027-02-03T04:05:06Z"/>`, ""},
	"zeebe:TaskSchedule@dueDate":      {`"=due"`, `"=late"`},
	"zeebe:TaskSchedule@followUpDate": {`2027-02-03T04`, `2027-02-03T05`},
	"zeebe:TaskHeaders":               {`<zeebe:taskHeaders><zeebe:header key="hk" value="hv"/></zeebe:taskHeaders>`, ""},
	"zeebe:Header":                    {`<zeebe:header key="hk" value="hv"/>`, ""},
	"zeebe:Header@key":                {`"hk"`, `"hx"`}, "zeebe:Header@value": {`"hv"`, `"hx"`},
	"sextant:bind": {`<sextant:bind path=".hosts>host:host"/>`, ""}, "sextant:bind@path": {".hosts>", ".servers>"},
	"sextant:input":      {`<sextant:input name="i" from="constant" value="v"/>`, ""},
	"sextant:input@name": {`name="i"`, `name="j"`}, "sextant:input@from": {`"constant"`, `"setting"`}, "sextant:input@value": {`"v"`, `"w"`},
	"sextant:output": {`<sextant:output name="o" to=".at"/>`, ""}, "sextant:output@name": {`name="o"`, `name="q"`}, "sextant:output@to": {
		`".at"`, `".on"`}, "sextant:risk": {`<sextant:risk level="read"/>`, ""}, "sextant:risk@level": {`level="read"`, `level="change"`},
	"sextant:start": {` onBusy="reject"><sextant:schema>{"type": "object"}</sextant:schema></sextant:start>`, `/>`}, "sextant:start@object": {
		`object="host:host"`, `object="a:b"`}, "sextant:start@min": {`min="1"`, `min="2"`}, "sextant:start@max": {`max="2"`, `max="3"`},
	"sextant:start@title": {`"=t"`, `"=u"`}, "sextant:start@onBusy": {`"reject"`, `"queue"`}, "sextant:schema": {`{"type": "object"}`, `{}`},
	"sextant:batch": {`<sextant:batch expression="1 50%"/>`, ""}, "sextant:batch@expression": {"1 50%", "2 50%"},
}

// frames hold others and say nothing of their own.
var frames = []string{"Definitions", "Process", "ExtensionElements", "Expression", "FormalExpression", "zeebe:InputOutputParameter"}

// dump writes down all that a program says.
func dump(t *testing.T, xml string) string {
	t.Helper()
	progs, problems, _ := deploy(t, xml)
	if len(problems) > 0 {
		return fmt.Sprint(problems)
	}
	var b strings.Builder
	for _, p := range progs {
		fmt.Fprintln(&b, p.ProcessID, p.Name, p.VersionTag)
		if p.Begin != nil {
			fmt.Fprintln(&b, p.Begin.Object, p.Begin.Min, p.Begin.Max, p.Begin.Title.Static, source(p.Begin.Title.Expr), string(p.Begin.Schema))
		}
		for _, n := range p.Nodes {
			fmt.Fprintln(&b, n.Index, n.ID, n.Name, n.Kind, n.Scope, n.Incoming,
				n.Outgoing, n.Default, n.Start, n.Boundary, n.AttachedTo, n.Handlers, n.Interrupting, n.Code,
				said(n.Inputs), said(n.Outputs), said(n.Task), said(n.Human), said(n.Script),
				said(n.Timer), said(n.Loop), said(n.Event), said(n.Decision), said(n.Call), said(n.Ext))
		}
		for _, f := range p.Flows {
			fmt.Fprintln(&b, f.Index, f.ID, f.Source, f.Target, source(f.Condition))
		}
	}
	return b.String()
}

func source(x *feel.Expr) string {
	if x == nil {
		return ""
	}
	return x.Source()
}

// said writes a part of a program; expressions are their texts.
func said(v any) string {
	switch v := v.(type) {
	case []program.Mapping:
		var all []string
		for _, m := range v {
			all = append(all, m.Source.Static+source(m.Source.Expr)+" to "+strings.Join(m.Target, "."))
		}
		return strings.Join(all, "; ")
	case *program.Script:
		if v == nil {
			return ""
		}
		return source(v.Expr) + " to " + v.Result
	case *program.Event:
		if v == nil {
			return ""
		}
		return fmt.Sprint(v.Name.Static, source(v.Name.Expr), v.Signal, source(v.Correlation))
	case *program.Loop:
		if v == nil {
			return ""
		}
		return fmt.Sprint(v.Sequential, source(v.Input), source(v.Cardinality),
			v.InputElement, v.OutputCollection, source(v.OutputElement), source(v.Completion), v.Batch, v.Bind)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// Whatever the table calls executed makes a difference to the program.
func TestWhatIsExecutedIsInTheProgram(t *testing.T) {
	t.Parallel()
	before := dump(t, whole)
	if strings.HasPrefix(before, "[") {
		t.Fatalf("the file is refused: %s", before)
	}
	for row, rule := range bpmn.Support() {
		if rule.Verdict != bpmn.Executed || slices.Contains(frames, row) {
			continue
		}
		change, ok := changes[row]
		if !ok {
			t.Errorf("nothing shows that %s is executed", row)
			continue
		}
		if strings.Count(whole, change[0]) == 0 {
			t.Errorf("%s: the file does not hold %s", row, change[0])
			continue
		}
		if dump(t, strings.ReplaceAll(whole, change[0], change[1])) == before {
			t.Errorf("%s makes no difference", row)
		}
	}
}
