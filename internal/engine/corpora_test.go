package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sextant/internal/engine/enginetest"
	"sextant/internal/testkit/corpora"
)

// scripts are what models of other engines have to do, by their file: what their
// own tests say, in our words.
var scripts = map[string]string{
	"camunda7/gateway/EventBasedGatewayTest.testCatchAlertAndTimer.bpmn": "start\nwaits signalEvent\n" +
		"timers timerEvent\nsignal alert\ntasks task2\nwaits\ntimers\ntask task2\nended completed",
	"camunda7/gateway/ExclusiveGatewayTest.testDivergingExclusiveGateway.bpmn": "start input=2\n" +
		"tasks theTask2\ntask theTask2\nended completed",
	"camunda7/gateway/ExclusiveGatewayTest.testMergingExclusiveGateway.bpmn": "start\ntasks theTask theTask theTask",
	"camunda7/gateway/ExclusiveGatewayTest.testMultipleValidConditions.bpmn": "start input=5\ntasks theTask2",
	"camunda7/gateway/ExclusiveGatewayTest.testNoSequenceFlowSelected.bpmn": "start input=4\n" +
		"incident exclusiveGw condition no condition of the gateway is true",
	"camunda7/gateway/ParallelGatewayTest.testNestedForkJoin.bpmn": "start\ntask Task_0\n" +
		"tasks Task_A Task_B\ntask Task_A\ntasks Task_B\ntask Task_B\ntasks Task_B1 Task_B2\n" +
		"task Task_B2\ntask Task_B1\ntasks Task_C\ntask Task_C\nended completed",
	"camunda7/gateway/ParallelGatewayTest.testSplitMergeNoWaitstates.bpmn": "start\nended completed",
	"camunda7/subprocess/SubProcessTest.testSimpleSubProcess.bpmn": "start\ntask subProcessTask\n" +
		"ended completed",
	"camunda7/multiinstance/MultiInstanceTest.testParallelUserTasksCompletionCondition.bpmn": "start\ntasks " +
		"miTasks miTasks miTasks miTasks miTasks\ntask miTasks\ntask miTasks\ntask miTasks\nended completed",
	"camunda7/multiinstance/MultiInstanceTest.testNestedParallelSubProcess.bpmn": "start\ntasks " +
		"subProcessTask1 subProcessTask1 subProcessTask1 subProcessTask1 subProcessTask2 subProcessTask2 subProcessTask2 subProcessTask2\n" +
		"task subProcessTask1\ntask subProcessTask1\ntask subProcessTask1\n" +
		"task subProcessTask1\ntask subProcessTask2\ntask subProcessTask2\ntask subProcessTask2\ntask subProcessTask2\nended completed",
	"camunda7/multiinstance/MultiInstanceTest.testParallelReceiveTasks.bpmn": "start\nwaits miTasks miTasks miTasks\n" +
		"message message 1\nwaits miTasks miTasks\nmessage message 1\nmessage message 1\nended completed",
	"camunda7/event-error/ErrorEventSubProcessTest.testCatchErrorInEmbeddedSubProcess.bpmn": "start\ntasks taskAfterErrorCatch\n" +
		"task taskAfterErrorCatch\nended completed",
	"camunda7/event-message/MessageEventSubprocessTest.testInterruptingUnderProcessDefinition.bpmn": "start\nwaits eventProcessStart\n" +
		"tasks task\nmessage newMessage 1\ntasks eventSubProcessTask\nwaits\ntask eventSubProcessTask\nended completed",
	"camunda7/event-link/LinkEventTest.testEventLinkMultipleSources.bpmn": "start\ntasks " +
		"WaitAfterLink WaitAfterLink",
	"lib-bpmn-engine/fork-controlled-exclusive-join.bpmn": "start\njobs id-a-1 id-a-2\n" +
		"complete id-a-1\ncomplete id-a-2\njobs id-b-1 id-b-1",
	"lib-bpmn-engine/fork-uncontrolled-join.bpmn": "start\njobs id-a-1 id-a-2\n" +
		"complete id-a-1\ncomplete id-a-2\njobs id-b-1 id-b-1\ncomplete id-b-1\ncomplete id-b-1\nended completed",
}

var (
	juel     = regexp.MustCompile(`\$\{([^}]*)\}`)
	keyless  = regexp.MustCompile(`<message id="([^"]*)" name="([^"]*)" ?/>`)
	counters = strings.NewReplacer("==", "=", "&&", " and ", "nrOf", "numberOf")
)

// ours writes a model of another engine as this one reads it: expressions in FEEL,
// and a key for every message.
func ours(xml string) string {
	xml = juel.ReplaceAllStringFunc(xml, func(e string) string { return "=" + counters.Replace(juel.FindStringSubmatch(e)[1]) })
	xml = keyless.ReplaceAllString(xml, `<message id="$1" name="$2"><extensionElements>`+
		`<zeebe:subscription xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" correlationKey="=1"/></extensionElements></message>`)
	return strings.Replace(xml, `<receiveTask id="WaitAfterLink" />`, `<userTask id="WaitAfterLink" />`, 1)
}

// Models of other engines do here what their own tests say, in each way.
func TestModelsOfOtherEngines(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpora.Dir(t), "bpmn-exec")
	for name, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".bpmn"), func(t *testing.T) {
			t.Parallel()
			xml, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			s := &enginetest.Scenario{Title: name, Model: []byte(ours(string(xml))), Script: strings.Split(script, "\n")}
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
