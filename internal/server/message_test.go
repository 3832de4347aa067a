package server_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/message"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// heard is what publishing answers.
type heard struct {
	Key  string
	Runs []struct {
		Run, Process string
		Began        bool
	}
	Refused []struct {
		Process, Code string
	}
	Buffered bool
}

func (g *gate) deployed(token, body string) {
	g.t.Helper()
	if status, _, answer := g.deployFile(token, body); status >= 300 {
		g.t.Fatalf("%d: %s", status, answer)
	}
}

// until waits for news until something holds.
func (g *gate) until(token string, holds func() bool) {
	g.t.Helper()
	next := g.events(token, "")
	for !holds() {
		if next() == "end" {
			g.t.Fatal("it did not come in time")
		}
	}
}

func (g *gate) untilState(token, run, state string) {
	g.t.Helper()
	g.until(token, func() bool { return g.state(token, run) == state })
}

// untilRuns waits for so many runs of a process and gives the newest.
func (g *gate) untilRuns(token, process string, n int) (newest string) {
	g.t.Helper()
	g.until(token, func() bool {
		var page struct{ Items []struct{ Key string } }
		g.must("GET", "/api/v1/runs?process="+process, token, nil, &page)
		if len(page.Items) > 0 {
			newest = page.Items[0].Key
		}
		return len(page.Items) >= n
	})
	return newest
}

// complete completes the open task of a run.
func (g *gate) complete(token, run string) {
	g.t.Helper()
	var tasks struct{ Items []struct{ Key string } }
	g.must("GET", "/api/v1/tasks?run="+run, token, nil, &tasks)
	if len(tasks.Items) != 1 {
		g.t.Fatalf("the run %s has %d open tasks", run, len(tasks.Items))
	}
	g.must("POST", "/api/v1/tasks/"+tasks.Items[0].Key+"/complete", token, map[string]any{}, nil)
}

func waitsFor(process, event string) string {
	return `<process id="` + process +
		`" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="w"/><intermediateCatchEvent id="w">` +
		event + `</intermediateCatchEvent><sequenceFlow id="f2" sourceRef="w" targetRef="e"/><endEvent id="e"/></process>`
}

const (
	onPaid   = `<messageEventDefinition messageRef="M"/>`
	onAlarm  = `<signalEventDefinition signalRef="S"/>`
	whenPaid = `<message id="M" name="paid"><extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements></message>`
	alarm    = `<signal id="S" name="alarm"/>`
)

func (g *gate) startWith(token, process string, vars map[string]any) string {
	g.t.Helper()
	var v struct{ Run string }
	g.must("POST", "/api/v1/runs", token, map[string]any{"process": process, "variables": vars}, &v)
	return v.Run
}

func (g *gate) state(token, run string) string {
	g.t.Helper()
	var r struct{ State string }
	g.must("GET", "/api/v1/runs/"+run, token, nil, &r)
	return r.State
}

// A message goes to the run that waits for it by its key, once for each process, and
// waits where it is told to; it survives the server.
func TestMessagesFindTheirRuns(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.deployed(admin, whenPaid+waitsFor("one", onPaid))
	g.deployed(admin, whenPaid+waitsFor("two", onPaid))
	a, b := g.startWith(admin, "one", map[string]any{"order": "A"}), g.startWith(admin, "one", map[string]any{"order": "A"})
	c, d := g.startWith(admin, "two", map[string]any{"order": "A"}), g.startWith(admin, "one", map[string]any{"order": "B"})
	var waits struct {
		Items []struct{ Run, Element, Name, CorrelationKey, Kind string }
	}
	g.must("GET", "/api/v1/waits?run="+d, admin, nil, &waits)
	if len(waits.Items) != 1 || waits.Items[0].Name != "paid" || waits.Items[0].CorrelationKey != "B" || waits.Items[0].Element != "w" {
		t.Errorf("it waits for %v", waits.Items)
	}
	var h heard
	g.must("POST", "/api/v1/messages", admin, map[string]any{"name": "paid", "correlationKey": "A", "variables": map[string]any{"amount": 3}},
		&h)
	if len(h.Runs) != 2 || h.Runs[0].Run != a || h.Runs[1].Run != c || h.Buffered {
		t.Fatalf("the message went to %+v, want %s and %s", h, a, c)
	}
	for run, want := range map[string]string{a: "completed", b: "active", c: "completed", d: "active"} {
		if got := g.state(admin, run); got != want {
			t.Errorf("%s is %s, want %s", run, got, want)
		}
	}
	// It waits for somebody who comes later, across a restart.
	h = heard{}
	g.must("POST", "/api/v1/messages", admin, map[string]any{"name": "paid", "correlationKey": "C", "messageId": "m1", "timeToLive": "PT1H"},
		&h)
	if len(h.Runs) != 0 || !h.Buffered {
		t.Errorf("%+v", h)
	}
	if status, answer := g.ask("POST", "/api/v1/messages", admin,
		map[string]any{"name": "paid", "correlationKey": "C", "messageId": "m1"}); status != 409 ||
		!strings.Contains(string(answer), "message.twice") {
		t.Errorf("the same message again: %d %s", status, answer)
	}
	g.stop()
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	admin = g.login("admin", adminPass)
	e := g.startWith(admin, "one", map[string]any{"order": "C"})
	g.untilState(admin, e, "completed")
	f := g.startWith(admin, "one", map[string]any{"order": "C"})
	if got := g.state(admin, f); got != "active" {
		t.Errorf("a second run of the process took the message: %s", got)
	}
}

// A process begins with a message by the door; while one with its key is at work
// another message waits.
func TestMessagesBeginRuns(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.deployed(admin, `<message id="M" name="order"/><process id="shop" isExecutable="true">`+
		`<startEvent id="by"><messageEventDefinition messageRef="M"/></startEvent><sequenceFlow id="f" sourceRef="by" targetRef="u"/>`+
		`<userTask id="u"/><sequenceFlow id="f2" sourceRef="u" targetRef="e"/><endEvent id="e"/></process>`)
	if status, answer := g.ask("POST", "/api/v1/runs", admin, map[string]any{"process": "shop"}); status != 409 && status != 422 {
		t.Errorf("it is started by hand: %d %s", status, answer)
	}
	var h heard
	g.must("POST", "/api/v1/messages", admin, map[string]any{"name": "order", "correlationKey": "7", "variables": map[string]any{"n": 1}}, &h)
	if len(h.Runs) != 1 || !h.Runs[0].Began {
		t.Fatalf("%+v", h)
	}
	first := h.Runs[0].Run
	h = heard{}
	g.must("POST", "/api/v1/messages", admin, map[string]any{"name": "order", "correlationKey": "7", "timeToLive": "PT1H"}, &h)
	if len(h.Runs) != 0 || !h.Buffered {
		t.Fatalf("a second one with the key began: %+v", h)
	}
	g.complete(admin, first)
	g.untilState(admin, first, "completed")
	second := g.untilRuns(admin, "shop", 2)
	g.complete(admin, second)
	g.untilState(admin, second, "completed")
	var v struct {
		Items []struct{ Verdict, Subject string }
	}
	g.must("GET", "/api/v1/verdicts?run="+second, admin, nil, &v)
	if len(v.Items) != 1 || v.Items[0].Verdict != "ADMIT" || !strings.HasPrefix(v.Items[0].Subject, "user/") {
		t.Errorf("the door says %v of the run that began later", v.Items)
	}
	// Who may publish and not start is refused by the door, and told so.
	g.must("POST", "/api/v1/users", admin, map[string]any{
		"name": "teller", "password": adminPass, "grants": []identity.Grant{{Permission: "message.publish", Project: "default"}}}, nil)
	teller := g.login("teller", adminPass)
	h = heard{}
	g.must("POST", "/api/v1/messages", teller, map[string]any{"name": "order", "correlationKey": "8"}, &h)
	if len(h.Runs) != 0 || len(h.Refused) != 1 || h.Refused[0].Code != "identity.forbidden" {
		t.Errorf("who may not start runs published: %+v", h)
	}
	if status, _ := g.ask("POST", "/api/v1/signals", g.login("teller", adminPass),
		map[string]any{"name": "x", "project": "other"}); status != 403 {
		t.Errorf("in another project: %d", status)
	}
}

// A signal comes to everything that waits for it now, and begins what begins with it;
// a run throws one to others.
func TestSignalsComeToAll(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.deployed(admin, alarm+waitsFor("hears", onAlarm))
	g.deployed(admin, alarm+`<process id="begins" isExecutable="true"><startEvent id="by">`+
		onAlarm+`</startEvent><sequenceFlow id="f" sourceRef="by" targetRef="e"/><endEvent id="e"/></process>`)
	g.deployed(admin, alarm+`<process id="throws" isExecutable="true">`+
		`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="t"/><intermediateThrowEvent id="t">`+
		onAlarm+`</intermediateThrowEvent><sequenceFlow id="f2" sourceRef="t" targetRef="e"/><endEvent id="e"/></process>`)
	a, b := g.start(admin, "hears"), g.start(admin, "hears")
	var h heard
	g.must("POST", "/api/v1/signals", admin, map[string]any{"name": "alarm"}, &h)
	if len(h.Runs) != 3 {
		t.Fatalf("%+v", h)
	}
	for _, run := range []string{a, b, h.Runs[0].Run} {
		if got := g.state(admin, run); got != "completed" {
			t.Errorf("%s is %s", run, got)
		}
	}
	c := g.start(admin, "hears")
	thrower := g.start(admin, "throws")
	g.untilState(admin, thrower, "completed")
	g.untilState(admin, c, "completed")
	g.untilRuns(admin, "begins", 2)
	h = heard{}
	g.must("POST", "/api/v1/signals", admin, map[string]any{"name": "nobody"}, &h)
	if len(h.Runs) != 0 {
		t.Errorf("%+v", h)
	}
}

// A run that is over with its first step leaves its key to the next.
func TestAKeyIsFreeOnceItsRunIsOver(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.deployed(admin, `<message id="M" name="order"/><process id="shop" isExecutable="true"><startEvent id="by">`+
		`<messageEventDefinition messageRef="M"/></startEvent><sequenceFlow id="f" sourceRef="by" targetRef="e"/><endEvent id="e"/></process>`)
	for range 2 {
		var h heard
		g.must("POST", "/api/v1/messages", admin, map[string]any{"name": "order", "correlationKey": "7"}, &h)
		if len(h.Runs) != 1 || !h.Runs[0].Began {
			t.Fatalf("%+v", h)
		}
		g.untilState(admin, h.Runs[0].Run, "completed")
	}
}

// Runs that begin each other by signals come to an end, which the door tells.
func TestRunsThatBeginEachOtherComeToAnEnd(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	again := alarm + `<process id="again" isExecutable="true"><startEvent id="by">` +
		onAlarm + `</startEvent><sequenceFlow id="f" sourceRef="by" targetRef="t"/><intermediateThrowEvent id="t">` +
		onAlarm + `</intermediateThrowEvent><sequenceFlow id="f2" sourceRef="t" targetRef="e"/><endEvent id="e"/></process>`
	g.deployed(admin, again)
	var h heard
	g.must("POST", "/api/v1/signals", admin, map[string]any{"name": "alarm"}, &h)
	if len(h.Runs) != 1 || !h.Runs[0].Began {
		t.Fatalf("%+v", h)
	}
	const all = message.MaxChain + 1
	g.until(admin, func() bool {
		var page struct{ Items []struct{ State string } }
		g.must("GET", "/api/v1/runs?process=again&state=completed&limit=100", admin, nil, &page)
		return len(page.Items) >= all
	})
	// What is thrown later is told later.
	done := `<signal id="S" name="done"/>`
	g.deployed(admin, done+waitsFor("hears", onAlarm))
	g.deployed(admin, done+`<process id="throws" isExecutable="true"><startEvent id="s"/>`+
		`<sequenceFlow id="f" sourceRef="s" targetRef="t"/><intermediateThrowEvent id="t">`+
		onAlarm+`</intermediateThrowEvent><sequenceFlow id="f2" sourceRef="t" targetRef="e"/><endEvent id="e"/></process>`)
	hears := g.start(admin, "hears")
	g.start(admin, "throws")
	g.untilState(admin, hears, "completed")
	var page struct {
		Items []struct{ Verdict, Code string }
	}
	g.must("GET", "/api/v1/verdicts?limit=100", admin, nil, &page)
	refused := 0
	for _, v := range page.Items {
		if v.Verdict == "REJECTED" {
			refused++
			if v.Code != "message.chain" {
				t.Errorf("refused for %s", v.Code)
			}
		}
	}
	if refused != 1 || len(page.Items) != all+3 {
		t.Errorf("%d verdicts, %d refusals: %+v", len(page.Items), refused, page.Items)
	}
	// Asked for anew it begins anew.
	h = heard{}
	g.must("POST", "/api/v1/signals", admin, map[string]any{"name": "alarm"}, &h)
	if len(h.Runs) != 1 || len(h.Refused) != 0 {
		t.Errorf("%+v", h)
	}
}

// What was stored and not told when the server died is told when it is there again.
func TestWhatWasNotToldIsToldAfterARestart(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.deployed(admin, whenPaid+waitsFor("one", onPaid))
	g.deployed(admin, alarm+waitsFor("hears", onAlarm))
	paid, warned := g.startWith(admin, "one", map[string]any{"order": "A"}), g.start(admin, "hears")
	g.stop()
	rights := `{"subject":"user/x","name":"x","grants":[],"scope":null}`
	post := `INSERT INTO message_post (message, project, is_signal, name, correlation, id, variables, rights, created, expires, told) VALUES `
	numbers(t, filepath.Join(g.data, "sextant.db"),
		post+`('01M', 'default', 0, 'paid', 'A', '01M', '{"amount":3}', '`+rights+`', 1, 1, 0)`,
		post+`('01S', 'default', 1, 'alarm', '', '01S', '{}', '`+rights+`', 1, 1, 0)`,
		`INSERT INTO message_target (message, subscription, process, run, element, event) `+
			`SELECT '01S', subscription, process, run, element, '' FROM message_wait WHERE is_signal = 1`)
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	admin = g.login("admin", adminPass)
	g.untilState(admin, paid, "completed")
	g.untilState(admin, warned, "completed")
}

// far lets a statement count beyond a thousand.
func far(t *testing.T) []string {
	t.Helper()
	if dbserver.Chosen(t) == sqldb.MySQL {
		return []string{"SET SESSION max_recursive_iterations = 100000"}
	}
	return nil
}

// One publisher fills a tenth of the places for messages that wait, and nobody is kept
// from publishing what does not wait.
func TestMessagesThatWaitShutNobodyOut(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.must("POST", "/api/v1/messages", admin, map[string]any{"name": "first", "timeToLive": "PT1H"}, nil)
	g.must("POST", "/api/v1/users", admin, map[string]any{
		"name": "teller", "password": adminPass, "grants": []identity.Grant{{Permission: "message.publish", Project: "default"}}}, nil)
	g.stop()
	fill := func(prefix, subject string, n int) string {
		return fmt.Sprintf(
			`INSERT INTO message_post (message, project, is_signal, name, correlation, id, variables, rights, subject, created, expires, told)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT '%s' || i, project, 0, 'x', '', '%s' `+
				`|| i, '{}', rights, %s, 1, expires, 1 FROM n, (SELECT * FROM message_post WHERE name = 'first') AS first_one`,
			n, prefix, prefix, subject)
	}
	numbers(t, filepath.Join(g.data, "sextant.db"), append(far(t), fill("A", "subject", 999))...)
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	admin = g.login("admin", adminPass)
	teller := g.login("teller", adminPass)
	waits := map[string]any{"name": "x", "timeToLive": "PT1H"}
	if status, answer := g.ask("POST", "/api/v1/messages", admin, waits); status != 429 ||
		!strings.Contains(string(answer), "1000 messages of admin") {
		t.Errorf("his 1,001st: %d %s", status, answer)
	}
	g.must("POST", "/api/v1/messages", teller, waits, nil)
	g.stop()
	numbers(t, filepath.Join(g.data, "sextant.db"), append(far(t), fill("B", "'user/' || i", 8999))...)
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	admin, teller = g.login("admin", adminPass), g.login("teller", adminPass)
	if status, answer := g.ask("POST", "/api/v1/messages", teller, waits); status != 429 ||
		!strings.Contains(string(answer), "10000 messages wait") {
		t.Errorf("the 10,001st: %d %s", status, answer)
	}
	for _, by := range []string{admin, teller} {
		g.must("POST", "/api/v1/messages", by, map[string]any{"name": "x"}, nil)
		g.must("POST", "/api/v1/signals", by, map[string]any{"name": "x"}, nil)
	}
	var page struct{ Items []struct{ Key string } }
	g.must("GET", "/api/v1/messages?limit=1", admin, nil, &page)
	g.must("DELETE", "/api/v1/messages/"+page.Items[0].Key, admin, nil, nil)
	g.must("POST", "/api/v1/messages", teller, waits, nil)
}
