package enginetest

import (
	"fmt"
	"strings"
)

// Block is a part of a process that has one way in and one way out. Blocks are what
// random models are made of: Draw writes one as BPMN, an Oracle says what it has to
// do without the engine.
type Block interface {
	// draw writes the elements and flows and gives the first and the last element.
	draw(w *writer) (first, last string)
	// begin starts an instance; done is called when it is over.
	begin(o *Oracle, in *frame, done func())
}

// The blocks.
type (
	// Task has a job, Limit is how many hours it has before the boundary event takes
	// over to Late; 0 is without.
	Task struct {
		ID    string
		Limit int
		Late  Block
	}
	// Seq is one after the other, Par all at once, Each a task for each of N items.
	Seq  []Block
	Par  []Block
	Each struct {
		ID         string
		N          int
		Sequential bool
	}
	// Either takes the first way if v is less than Below.
	Either struct {
		ID        string
		Below     int
		Then, Not Block
	}
	// Sub is a sub-process. Broken takes over when the error of that code is thrown
	// within: on its boundary or, Inside, in an event sub-process. Every has an event
	// sub-process run beside it after that many hours.
	Sub struct {
		ID     string
		Body   Block
		Code   string
		Broken Block
		Inside bool
		Every  int
		Beside Block
	}
	// Call is a process of its own that is called. Broken takes over on the boundary
	// when the error of that code leaves it.
	Call struct {
		ID     string
		Body   Block
		Code   string
		Broken Block
	}
	// Race is a sub-process of ways that nothing joins; the first way ends it.
	Race struct {
		ID   string
		Ways []Block
	}
	// Throw is an end of a way within a Sub: it throws an error.
	Throw struct{ ID, Code string }
)

type writer struct {
	b     strings.Builder
	other strings.Builder // processes that are called
	n     int
	codes map[string]bool
}

func (w *writer) add(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

func (w *writer) name(kind string) string {
	w.n++
	return fmt.Sprintf("%s%d", kind, w.n)
}

func (w *writer) flow(from, to string) {
	w.add(`<sequenceFlow id="%s" sourceRef="%s" targetRef="%s"/>`, w.name("f"), from, to)
}

// Draw writes a process of a block.
func Draw(b Block) []byte {
	w := &writer{codes: map[string]bool{}}
	w.scope(b)
	var codes strings.Builder
	for code := range w.codes {
		fmt.Fprintf(&codes, `<error id="error-%s" errorCode="%s"/>`, code, code)
	}
	return []byte(header + codes.String() + `<process id="p" isExecutable="true">` +
		"\n" + w.b.String() + `</process>` + w.other.String() + `</definitions>`)
}

// scope writes what stands in a scope: a start event, the block, an end event.
func (w *writer) scope(b Block) {
	s, e := w.name("start"), w.name("end")
	w.add(`<startEvent id="%s"/><endEvent id="%s"/>`, s, e)
	first, last := b.draw(w)
	w.flow(s, first)
	if last != "" {
		w.flow(last, e)
	}
}

// handler writes a way that begins with an element and ends by itself.
func (w *writer) handler(from string, b Block) {
	first, last := b.draw(w)
	w.flow(from, first)
	if last != "" {
		e := w.name("end")
		w.add(`<endEvent id="%s"/>`, e)
		w.flow(last, e)
	}
}

func job(id, within string) string {
	return fmt.Sprintf(`<serviceTask id="%s"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements>%s</serviceTask>`,
		id, within)
}

func hours(n int) string {
	return fmt.Sprintf(`<timerEventDefinition><timeDuration>PT%dH</timeDuration></timerEventDefinition>`, n)
}

func (t Task) draw(w *writer) (string, string) {
	w.add("%s", job(t.ID, ""))
	if t.Limit == 0 {
		return t.ID, t.ID
	}
	late, merge := w.name("late"), w.name("merge")
	w.add(`<boundaryEvent id="%s" attachedToRef="%s">%s</boundaryEvent><exclusiveGateway id="%s"/>`, late, t.ID, hours(t.Limit), merge)
	first, last := t.Late.draw(w)
	w.flow(late, first)
	w.flow(t.ID, merge)
	if last != "" {
		w.flow(last, merge)
	}
	return t.ID, merge
}

func (s Seq) draw(w *writer) (first, last string) {
	for i, b := range s {
		f, l := b.draw(w)
		if i == 0 {
			first = f
		} else {
			w.flow(last, f)
		}
		last = l
	}
	return first, last
}

func (p Par) draw(w *writer) (string, string) {
	fork, join := w.name("fork"), w.name("join")
	w.add(`<parallelGateway id="%s"/><parallelGateway id="%s"/>`, fork, join)
	for _, b := range p {
		first, last := b.draw(w)
		w.flow(fork, first)
		w.flow(last, join)
	}
	return fork, join
}

func (e Each) draw(w *writer) (string, string) {
	w.add("%s", job(e.ID, fmt.Sprintf(`<multiInstanceLoopCharacteristics isSequential="%t">`+
		`<loopCardinality>%d</loopCardinality></multiInstanceLoopCharacteristics>`, e.Sequential, e.N)))
	return e.ID, e.ID
}

func (e Either) draw(w *writer) (string, string) {
	merge, then, not := w.name("merge"), w.name("f"), w.name("f")
	w.add(`<exclusiveGateway id="%s" default="%s"/><exclusiveGateway id="%s"/>`, e.ID, not, merge)
	for i, b := range []Block{e.Then, e.Not} {
		first, last := b.draw(w)
		if i == 0 {
			w.add(`<sequenceFlow id="%s" sourceRef="%s" targetRef="%s"><conditionExpression>=v &lt; %d</conditionExpression></sequenceFlow>`,
				then, e.ID, first, e.Below)
		} else {
			w.add(`<sequenceFlow id="%s" sourceRef="%s" targetRef="%s"/>`, not, e.ID, first)
		}
		if last != "" {
			w.flow(last, merge)
		}
	}
	return e.ID, merge
}

func (s Sub) draw(w *writer) (string, string) {
	w.add(`<subProcess id="%s">`, s.ID)
	w.scope(s.Body)
	if s.Inside {
		start := s.event(w, "", fmt.Sprintf(`<errorEventDefinition errorRef="error-%s"/>`, s.Code))
		w.handler(start, s.Broken)
		w.add(`</subProcess>`)
	}
	if s.Every > 0 {
		start := s.event(w, ` isInterrupting="false"`, hours(s.Every))
		w.handler(start, s.Beside)
		w.add(`</subProcess>`)
	}
	w.add(`</subProcess>`)
	if s.Code != "" {
		w.codes[s.Code] = true
	}
	if s.Code == "" || s.Inside {
		return s.ID, s.ID
	}
	return w.catching(s.ID, s.Code, s.Broken)
}

// catching writes the way that begins with an error on the boundary of an activity.
func (w *writer) catching(id, code string, broken Block) (string, string) {
	caught, merge := w.name("caught"), w.name("merge")
	w.add(`<boundaryEvent id="%s" attachedToRef="%s"><errorEventDefinition errorRef="error-%s"/></boundaryEvent><exclusiveGateway id="%s"/>`,
		caught, id, code, merge)
	first, last := broken.draw(w)
	w.flow(caught, first)
	w.flow(id, merge)
	if last != "" {
		w.flow(last, merge)
	}
	return id, merge
}

func (c Call) draw(w *writer) (string, string) {
	inner := &writer{n: w.n, codes: w.codes}
	inner.scope(c.Body)
	w.n = inner.n
	fmt.Fprintf(&w.other, `<process id="process-%s" isExecutable="true">%s</process>%s`, c.ID, inner.b.String(), inner.other.String())
	w.add(`<callActivity id="%s"><extensionElements><zeebe:calledElement processId="process-%[1]s"/></extensionElements></callActivity>`, c.ID)
	if c.Code == "" {
		return c.ID, c.ID
	}
	w.codes[c.Code] = true
	return w.catching(c.ID, c.Code, c.Broken)
}

// event opens an event sub-process and gives its start event.
func (s Sub) event(w *writer, attr, trigger string) string {
	start := w.name("on")
	w.add(`<subProcess id="%s" triggeredByEvent="true"><startEvent id="%s"%s>%s</startEvent>`, w.name("event"), start, attr, trigger)
	return start
}

func (r Race) draw(w *writer) (string, string) {
	w.add(`<subProcess id="%s">`, r.ID)
	s := w.name("start")
	w.add(`<startEvent id="%s"/>`, s)
	for i, b := range r.Ways {
		first, last := b.draw(w)
		w.flow(s, first)
		if last == "" {
			continue
		}
		e, trigger := w.name("end"), ""
		if i == 0 {
			trigger = `<terminateEventDefinition/>`
		}
		w.add(`<endEvent id="%s">%s</endEvent>`, e, trigger)
		w.flow(last, e)
	}
	w.add(`</subProcess>`)
	return r.ID, r.ID
}

func (t Throw) draw(w *writer) (string, string) {
	w.codes[t.Code] = true
	w.add(`<endEvent id="%s"><errorEventDefinition errorRef="error-%s"/></endEvent>`, t.ID, t.Code)
	return t.ID, ""
}
