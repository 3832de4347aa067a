package gift_test

import (
	"encoding/json"
	"testing"

	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
)

// relay sets b to what a holds and throws a signal with v made of b; c is beside it.
const relay = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="urn:t">
<signal id="sig" name="told"/><process id="p" isExecutable="true">
<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="set"/>
<userTask id="set"><extensionElements><zeebe:ioMapping>` +
	`<zeebe:output source="=a + 1" target="b"/></zeebe:ioMapping></extensionElements></userTask>
<sequenceFlow id="f2" sourceRef="set" targetRef="throw"/>
<intermediateThrowEvent id="throw"><extensionElements><zeebe:ioMapping><zeebe:input ` +
	`source="=b * 2" target="v"/></zeebe:ioMapping></extensionElements><signalEventDefinition signalRef="sig"/></intermediateThrowEvent>
<sequenceFlow id="f3" sourceRef="throw" targetRef="e"/><endEvent id="e"/></process></definitions>`

func rights(name string, permissions ...string) identity.Rights {
	r := identity.Rights{Subject: "user/" + name, Name: name}
	for _, p := range permissions {
		r.Grants = append(r.Grants, identity.Grant{Permission: p, Project: "default", Environment: "*"})
	}
	return r
}

// A signal goes out with the rights of the run and of all who gave what it carries,
// however the value came to be made of theirs; others count for nothing.
func TestASignalCarriesTheRightsOfItsGivers(t *testing.T) {
	t.Parallel()
	doc, err := bpmn.Parse([]byte(relay))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(m, "")
	if err != nil {
		t.Fatal(err)
	}
	node, _ := p.Lookup("throw")
	own := rights("op", "run.start", "run.read")
	of := func(by identity.Rights, name string) gift.Gift {
		return gift.Gift{Kind: gift.Variable, Name: name, Label: name, Giver: by.Subject, Rights: by}
	}
	signaller, reader := rights("sig", "message.publish"), rights("reader", "run.read")
	for name, c := range map[string]struct {
		given        []gift.Gift
		start, reads bool
		people       string
	}{
		"nothing was given":           {nil, true, true, "op"},
		"what it is called":           {[]gift.Gift{of(signaller, "v")}, false, false, "op and sig"},
		"what it is made of":          {[]gift.Gift{of(signaller, "b")}, false, false, "op and sig"},
		"what that is made of":        {[]gift.Gift{of(signaller, "a")}, false, false, "op and sig"},
		"something beside it":         {[]gift.Gift{of(signaller, "c")}, true, true, "op"},
		"of several, what all have":   {[]gift.Gift{of(reader, "a"), of(own, "b")}, false, true, "op and reader"},
		"the same of one, twice":      {[]gift.Gift{of(reader, "a"), of(reader, "b")}, false, true, "op and reader"},
		"of one's own, without giver": {[]gift.Gift{{Kind: gift.Variable, Name: "a"}}, true, true, "op"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := gift.Signal{Own: own, Program: p, Node: node, Variables: engine.Variables{"v": json.RawMessage("4")},
				Reads: func(*program.Node) ([]string, bool) { return nil, false }}.Carried(c.given)
			as := by.Again()
			if as.Can("run.start", "default") != c.start || as.Can("run.read", "default") != c.reads || by.Name != c.people {
				t.Errorf("%s goes out with %+v", by.Name, by.Grants)
			}
		})
	}
}
