package definition

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/errs"
)

// Call is a service to call on objects.
type Call struct {
	Project   string                     `json:"project,omitempty" default:"default" maxLength:"64"`
	Service   string                     `json:"service" minLength:"5" maxLength:"190" doc:"plugin/service/action"`
	Objects   []string                   `json:"objects,omitempty" maxItems:"5000" doc:"What the service acts on: package:type/id"`
	Variables map[string]json.RawMessage `json:"variables,omitempty" doc:"Inputs that are not taken from the objects, by name"`
	Title     string                     `json:"title,omitempty" maxLength:"200" doc:"How the run is called; without one, what it does to what"`
	OnFailure string                     `json:"onFailure,omitempty" enum:"wait,fail" doc:"What becomes of the run where the service fails: it waits for help, as without this, or it ends as failed and gives up its objects"`
}

// ends reports whether the run ends where the service fails.
func (c Call) ends() bool { return c.OnFailure == "fail" }

// Request is what a call asks of the door. It keeps the process of that one step like
// any other.
func (s *Service) Request(ctx context.Context, c Call) (control.Request, error) {
	if err := identity.Require(ctx, "run.start", c.Project); err != nil {
		return control.Request{}, err
	}
	if strings.Count(c.Service, "/") != 2 {
		return control.Request{}, errs.New(errs.Invalid, "plugin.service_name", "the service %q is not of the form plugin/service/action",
			c.Service).At(errs.Field{Path: "service", Message: "want plugin/service/action"})
	}
	if err := s.Planner.CheckInputs(c.Service, slices.Sorted(maps.Keys(c.Variables))); err != nil {
		return control.Request{}, err
	}
	d, err := s.callProcess(ctx, c)
	if err != nil {
		return control.Request{}, err
	}
	return control.Request{Project: c.Project, Process: d.Process, Version: d.Version,
		Objects: c.Objects, Variables: c.Variables, Title: s.callTitle(c), Source: "call"}, nil
}

// titleOf is what a service calls itself in English, else its name.
func (s *Service) titleOf(service string) string {
	svc, err := s.Planner.Plugins.Resolve(plugin.JobPrefix + strings.TrimPrefix(service, plugin.JobPrefix))
	if err != nil || svc.Action.Title["en"] == "" {
		return service
	}
	return svc.Action.Title["en"]
}

// callTitle says what a call does to what.
func (s *Service) callTitle(c Call) string {
	if c.Title != "" {
		return c.Title
	}
	title := s.titleOf(c.Service)
	if len(c.Objects) == 0 {
		return title
	}
	kind, id, _ := strings.Cut(c.Objects[0], "/")
	if len(c.Objects) == 1 && len(id) > 0 && len(id) <= maxNamed && !made.MatchString(id) {
		return title + " on " + id
	}
	what := "object"
	if !slices.ContainsFunc(c.Objects, func(o string) bool { return !strings.HasPrefix(o, kind+"/") }) {
		what = kind[strings.LastIndex(kind, ":")+1:]
	}
	if len(c.Objects) > 1 {
		what += "s"
	}
	return fmt.Sprintf("%s on %d %s", title, len(c.Objects), what)
}

// made are ids that the platform has made: they say nothing to a reader.
var made = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)

const maxNamed = 60 // letters of an id in a title

// callProcess finds the process that calls a service, or deploys it.
func (s *Service) callProcess(ctx context.Context, c Call) (Definition, error) {
	xml := oneStep(c.Service, s.titleOf(c.Service), c.ends())
	last, err := s.find(ctx, c.Project, callID(c.Service, c.ends()), 0)
	if err != nil {
		return Definition{}, err
	}
	if sum := sha256.Sum256(xml); last != nil && last.Digest == hex.EncodeToString(sum[:]) {
		return *last, nil
	}
	d, err := s.deploy(ctx, c.Project, xml)
	return d.Definition, err
}

// callID is the id of the process of a call, within what an id may have.
func callID(service string, ends bool) string {
	id := "call-" + strings.Map(idRune, service)
	if ends {
		id = "call-once-" + strings.Map(idRune, service)
	}
	if len(id) > maxID {
		sum := sha256.Sum256([]byte(service))
		id = id[:maxID-17] + "-" + hex.EncodeToString(sum[:8])
	}
	return id
}

// failing are the parts of a call that ends as failed where its service fails.
const (
	failing = `    <boundaryEvent id="failed" attachedToRef="call"><errorEventDefinition/></boundaryEvent>
    <sequenceFlow id="to_failure" sourceRef="failed" targetRef="failure"/>
    <endEvent id="failure"><errorEventDefinition errorRef="call_failed"/></endEvent>
`
	failingDrawn = `    <bpmndi:BPMNShape id="failed_di" bpmnElement="failed">` +
		`<dc:Bounds x="252" y="162" width="36" height="36"/></bpmndi:BPMNShape>
    <bpmndi:BPMNShape id="failure_di" bpmnElement="failure"><dc:Bounds x="404" y="222" width="36" height="36"/></bpmndi:BPMNShape>
    <bpmndi:BPMNEdge id="to_failure_di" bpmnElement="to_failure"><di:waypoint x="270" y="198"/>` +
		`<di:waypoint x="270" y="240"/><di:waypoint x="404" y="240"/></bpmndi:BPMNEdge>
`
	failingError = `  <error id="call_failed" name="The call failed" errorCode="call.failed"/>
`
)

// oneStep is the process that calls a service and ends, with its drawing.
func oneStep(service, title string, ends bool) []byte {
	var failure, drawn, code string
	if ends {
		failure, drawn, code = failing, failingDrawn, failingError
	}
	var name, step bytes.Buffer
	_ = xml.EscapeText(&name, []byte(service)) // a buffer takes everything
	_ = xml.EscapeText(&step, []byte(title))
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" `+
		`xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" `+
		`xmlns:di="http://www.omg.org/spec/DD/20100524/DI" targetNamespace="urn:sextant:calls">
%[6]s  <process id="%[1]s" name="%[2]s" isExecutable="true">
    <startEvent id="start"/>
    <sequenceFlow id="to_call" sourceRef="start" targetRef="call"/>
    <serviceTask id="call" name="%[3]s"><extensionElements><zeebe:taskDefinition type="plugin:%[2]s"/></extensionElements></serviceTask>
    <sequenceFlow id="to_end" sourceRef="call" targetRef="end"/>
    <endEvent id="end"/>
%[4]s  </process>
  <bpmndi:BPMNDiagram id="diagram"><bpmndi:BPMNPlane id="plane" bpmnElement="%[1]s">
    <bpmndi:BPMNShape id="start_di" bpmnElement="start"><dc:Bounds x="100" y="122" width="36" height="36"/></bpmndi:BPMNShape>
    <bpmndi:BPMNShape id="call_di" bpmnElement="call"><dc:Bounds x="200" y="100" width="140" height="80"/></bpmndi:BPMNShape>
    <bpmndi:BPMNShape id="end_di" bpmnElement="end"><dc:Bounds x="404" y="122" width="36" height="36"/></bpmndi:BPMNShape>
    <bpmndi:BPMNEdge id="to_call_di" bpmnElement="to_call"><di:waypoint x="136" y="140"/><di:waypoint x="200" y="140"/></bpmndi:BPMNEdge>
    <bpmndi:BPMNEdge id="to_end_di" bpmnElement="to_end"><di:waypoint x="340" y="140"/><di:waypoint x="404" y="140"/></bpmndi:BPMNEdge>
%[5]s  </bpmndi:BPMNPlane></bpmndi:BPMNDiagram>
</definitions>
`, callID(service, ends), name.String(), step.String(), failure, drawn, code)
}

// idRune keeps what an XML id may hold.
func idRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		return r
	}
	return '-'
}
