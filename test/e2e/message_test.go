package e2e_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"sextant/sdk/go/client"
)

// hears is a process that has an answer and then waits for a message or a signal; more
// stands in the event that waits.
func hears(event, more string) string {
	return definitions + `<message id="M" name="paid"><extensionElements>` +
		`<zeebe:subscription correlationKey="=order"/></extensionElements></message><signal id="S" name="alarm"/>
<process id="p" isExecutable="true"><startEvent id="s"/><endEvent id="e"/>
<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><intermediateCatchEvent id="w"><extensionElements>` +
		more + `</extensionElements>` + event + `</intermediateCatchEvent>
<sequenceFlow id="f2" sourceRef="w" targetRef="u"/><userTask id="u" name="After"/><sequenceFlow id="f3" sourceRef="u" targetRef="e"/>` +
		closed
}

func (w *world) published(by *client.Client, path string, body map[string]any) client.MessageTold {
	w.t.Helper()
	var t client.MessageTold
	if err := by.Call(w.t.Context(), "POST", "/api/v1/"+path, body, &t); err != nil {
		w.t.Fatal(err)
	}
	return t
}

func (w *world) variable(run, name string) any {
	w.t.Helper()
	vars := map[string]any{}
	w.Must("GET", "/api/v1/runs/"+run+"/variables", nil, &vars)
	return vars[name]
}

// Who may publish and no more does not change what a run has: it goes on waiting, and
// the answer says why and what to do.
func TestWhatIsPublishedDoesNotOverwriteWhatARunHas(t *testing.T) {
	t.Parallel()
	const message, signal = `<messageEventDefinition messageRef="M"/>`, `<signalEventDefinition signalRef="S"/>`
	w := newWorld(t)
	teller := w.user("tess", "*", "message.publish")
	has := map[string]any{"order": "A", "answer": "no", "empty": nil}
	said := map[string]any{"answer": "yes", "order": "A", "empty": 1, "amount": 3}
	for name, c := range map[string]struct {
		event, more, path string
		said              map[string]any
		by                *client.Client
		taken             bool
		answer            any
	}{
		"a-message": {event: message, path: "messages", said: said, by: teller, answer: "no"},
		"a-signal":  {event: signal, path: "signals", said: said, by: teller, answer: "no"},
		"what-is-new-or-the-same": {event: message, path: "messages", said: map[string]any{"order": "A", "empty": 1, "amount": 3},
			by: teller, taken: true, answer: "no"},
		"what-is-mapped-elsewhere": {event: message, more: `<zeebe:ioMapping>` +
			`<zeebe:output source="=answer" target="said"/></zeebe:ioMapping>`, path: "messages", said: said, by: teller, taken: true, answer: "no"},
		"what-is-mapped-by-the-process": {
			event: message, more: `<zeebe:ioMapping><zeebe:output source="=answer" target="answer"/></zeebe:ioMapping>`,
			path: "messages", said: said, by: teller, taken: true, answer: "yes"},
		"by-who-may-operate": {event: message, path: "messages", said: said, by: w.Client, taken: true, answer: "yes"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := w.Deploy([]byte(hears(c.event, c.more))); err != nil {
				t.Fatal(err)
			}
			var v client.ControlVerdict
			w.Must("POST", "/api/v1/runs", map[string]any{"process": "p", "variables": has}, &v)
			body := map[string]any{"name": "paid", "correlationKey": "A", "variables": c.said}
			if c.path == "signals" {
				body = map[string]any{"name": "alarm", "variables": c.said}
			}
			told := w.published(c.by, c.path, body)
			if !c.taken {
				if len(told.Runs) != 0 || len(told.Refused) != 1 || told.Refused[0].Code != "message.overwrites" || told.Refused[0].Run != v.Run ||
					!strings.Contains(told.Refused[0].Reason, "has answer already") || !strings.Contains(told.Refused[0].Reason, "output mapping") {
					t.Fatalf("%+v", told)
				}
			} else if len(told.Runs) != 1 || len(told.Refused) != 0 {
				t.Fatalf("%+v", told)
			}
			if got := w.variable(v.Run, "answer"); got != c.answer {
				t.Errorf("the answer is %v", got)
			}
			var waits client.PageOfMessageWaiting
			w.Must("GET", "/api/v1/waits?run="+v.Run, nil, &waits)
			if (len(waits.Items) == 0) != c.taken {
				t.Errorf("it waits for %v", waits.Items)
			}
			w.Must("POST", "/api/v1/runs/"+v.Run+"/cancel", map[string]any{"reason": "test"}, nil)
			w.Until(v.Run, time.Minute, func(u client.Update) bool { return u.Run.State == "cancelled" })
		})
	}
}

// In an event sub-process what is published would hide what the run has; a start event
// that maps it out says that it may.
func TestWhatIsPublishedDoesNotHideWhatARunHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.user("tess", "*", "message.publish")
	for more, want := range map[string]int{"": 0, `<zeebe:ioMapping><zeebe:output source="=answer" target="answer"/></zeebe:ioMapping>`: 1} {
		xml := strings.Replace(hears(`<signalEventDefinition signalRef="S"/>`, ""), `<startEvent id="s"/>`,
			`<startEvent id="s"/><subProcess id="on" triggeredByEvent="true"><startEvent id="os" isInterrupting="false"><extensionElements>`+
				more+`</extensionElements><messageEventDefinition messageRef="M"/></startEvent><sequenceFlow id="of" sourceRef="os" targetRef="ou"/>`+
				`<userTask id="ou" name="Inside"/><sequenceFlow id="og" sourceRef="ou" targetRef="oe"/><endEvent id="oe"/></subProcess>`, 1)
		if err := w.Deploy([]byte(xml)); err != nil {
			t.Fatal(err)
		}
		var v client.ControlVerdict
		w.Must("POST", "/api/v1/runs", map[string]any{"process": "p", "variables": map[string]any{"order": "A", "answer": "no"}}, &v)
		told := w.published(teller, "messages",
			map[string]any{"name": "paid", "correlationKey": "A", "variables": map[string]any{"answer": "yes"}})
		if len(told.Runs) != want {
			t.Errorf("with %q: %+v", more, told)
		}
		w.Must("POST", "/api/v1/runs/"+v.Run+"/cancel", map[string]any{"reason": "test"}, nil)
		w.Until(v.Run, time.Minute, func(u client.Update) bool { return u.Run.State == "cancelled" })
	}
}

// Who publishes sees and removes his own messages that wait, whoever may manage them
// all; what they bring is told to nobody.
func TestMessagesThatWaitAreListedAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tess, other, head := w.user("tess", "*", "message.publish"), w.user("otto", "*", "message.publish"), w.user("hanna", "*", "message.*")
	body := func(name string) map[string]any {
		return map[string]any{"name": name, "correlationKey": "A", "timeToLive": "PT1H", "variables": map[string]any{"word": "hidden-word"}}
	}
	mine, his := w.published(tess, "messages", body("one")), w.published(other, "messages", body("two"))
	keys := func(by *client.Client, query string) string {
		t.Helper()
		var raw json.RawMessage
		if err := by.Call(t.Context(), "GET", "/api/v1/messages"+query, nil, &raw); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "hidden-word") {
			t.Errorf("it tells what is brought: %s", raw)
		}
		var page client.PageOfMessageBuffered
		if err := json.Unmarshal(raw, &page); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range page.Items {
			if m.Size == 0 || m.Expires.IsZero() {
				t.Errorf("%+v", m)
			}
			all = append(all, m.Key+" "+m.By)
		}
		return strings.Join(all, ", ")
	}
	var first client.PageOfMessageBuffered
	w.Must("GET", "/api/v1/messages?limit=1", nil, &first)
	next := url.QueryEscape(first.Next)
	for _, c := range []struct {
		by          *client.Client
		query, want string
	}{
		{tess, "", mine.Key + " tess"}, {other, "", his.Key + " otto"}, {head, "", mine.Key + " tess, " + his.Key + " otto"},
		{w.Client, "?name=two", his.Key + " otto"}, {tess, "?name=two", ""},
		{head, "?limit=1", mine.Key + " tess"}, {head, "?limit=1&after=" + next, his.Key + " otto"},
	} {
		if got := keys(c.by, c.query); got != c.want {
			t.Errorf("%q tells %q, want %q", c.query, got, c.want)
		}
	}
	remove := func(by *client.Client, key string) error {
		return by.Call(t.Context(), "DELETE", "/api/v1/messages/"+key, nil, nil)
	}
	if err := remove(tess, his.Key); err == nil || !strings.Contains(err.Error(), "no message") {
		t.Errorf("that of another: %v", err)
	}
	if err := w.dev.Call(t.Context(), "GET", "/api/v1/messages", nil, nil); err == nil {
		t.Error("somebody without the right lists messages")
	}
	if err := remove(tess, mine.Key); err != nil {
		t.Error(err)
	}
	if err := remove(head, his.Key); err != nil {
		t.Error(err)
	}
	if got := keys(w.Client, ""); got != "" {
		t.Errorf("there are still %s", got)
	}
	// A run that comes now waits on.
	if err := w.Deploy([]byte(strings.ReplaceAll(hears(`<messageEventDefinition messageRef="M"/>`, ""), `name="paid"`, `name="one"`))); err !=
		nil {
		t.Fatal(err)
	}
	var v client.ControlVerdict
	w.Must("POST", "/api/v1/runs", map[string]any{"process": "p", "variables": map[string]any{"order": "A"}}, &v)
	if told := w.published(w.Client, "messages", map[string]any{"name": "one", "correlationKey": "A"}); len(told.Runs) != 1 {
		t.Errorf("%+v", told)
	}
}

// The decisions about a run tell who published what it heard, and which variables that
// brought; values are not told.
func TestARunTellsWhoPublishedWhatItHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	teller := w.user("tess", "*", "message.publish", "run.start", "process.read")
	begins := strings.Replace(hears(`<signalEventDefinition signalRef="S"/>`, ""),
		`<startEvent id="s"/>`, `<startEvent id="s"><messageEventDefinition messageRef="M"/></startEvent>`, 1)
	if err := w.Deploy([]byte(begins)); err != nil {
		t.Fatal(err)
	}
	began := w.published(teller, "messages", map[string]any{"name": "paid", "variables": map[string]any{"order": "A"}})
	if len(began.Runs) != 1 || !began.Runs[0].Began {
		t.Fatalf("%+v", began)
	}
	run := began.Runs[0].Run
	told := w.published(w.Client, "signals", map[string]any{"name": "alarm", "variables": map[string]any{"word": "hidden-word", "amount": 1}})
	if len(told.Runs) != 1 || told.Runs[0].Run != run {
		t.Fatalf("%+v", told)
	}
	var raw json.RawMessage
	w.Must("GET", "/api/v1/runs/"+run+"/decisions", nil, &raw)
	var page client.PageOfProcessDecision
	if err := json.Unmarshal(raw, &page); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range page.Items {
		all = append(all, d.Who+" "+string(d.Verb)+" "+d.Name+" "+strings.Join(d.Changed, " "))
	}
	if got := strings.Join(all, ", "); got != "tess message.publish paid order, admin signal.publish alarm amount word" {
		t.Errorf("they are %q", got)
	}
	if strings.Contains(string(raw), "hidden-word") {
		t.Errorf("a value is told: %s", raw)
	}
}
