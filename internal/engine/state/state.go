// Package state is the state of one run as the engine keeps it: a record per
// active element, per variable and per output of a multi-instance. A step
// changes few records, however large the run is, and tells which.
package state

import (
	"encoding/json"
	"slices"
	"time"

	"sextant/internal/key"
)

// Key identifies a run, an element instance, a job, a timer, a task or an incident.
type Key = key.Key

// Phase is how far an element instance has come.
type Phase uint8

// The phases. An instance whose phase cannot be finished carries an incident and
// takes it up again when that is resolved.
const (
	// Activating: inputs are mapped, the work has not begun.
	Activating Phase = iota
	// Active: a job, a timer, a person or children are waited for.
	Active
	// Completing: the work is done, outputs are not mapped yet.
	Completing
	// Parked: no instance yet, but a token on its way to the node when the turn of
	// the run was over. Joins has the flow on which it came.
	Parked
)

// Element is an active element instance: the process itself, a sub-process, the
// body of a multi-instance, a task or an event that waits.
type Element struct {
	Key    Key
	Parent Key // 0 for the process
	Node   int32
	Phase  Phase
	// Body marks the body of a multi-instance; its children are iterations of
	// the same node.
	Body bool
	// Index is the number of an iteration, from 1.
	Index int32
	// Children counts active children, Tokens the tokens that wait at joins.
	Children int32
	Tokens   int32
	Joins    []Join
	Loop     *LoopState
	// Items is what a body runs over, read once; it is stored as a variable.
	Items    []json.RawMessage
	Job      *Job
	Timers   []Timer
	Human    bool
	Incident *Incident
	// Interrupted scopes have had an event sub-process that ends all else.
	Interrupted bool
	// Start is the start event of a process that an event began, 0 for the one
	// without a trigger.
	Start         int32
	Subscriptions []Subscription
	// Call is the run that a call activity has called or is about to call.
	Call *Call
	// Caller is what has called the run, for the process of one that was.
	Caller *Caller
}

// Call is a called run. Its key is given before it begins; the process is that of the
// model, by id.
type Call struct {
	Run     Key
	Process string
	Begun   bool
}

// Caller is the run and the element instance that called a run. Depth counts the runs
// above it.
type Caller struct {
	Run, Element Key
	Depth        int32
}

// Join counts the tokens that wait at a parallel gateway on one flow.
type Join struct{ Flow, Count int32 }

// LoopState is the progress of a multi-instance body.
type LoopState struct{ Total, Started, Completed int32 }

// Job is work that somebody outside has to do.
type Job struct {
	Key     Key
	Type    string
	Retries int32
	// Round grows when a person retries with other inputs.
	Round int32
	// NotBefore is when a failed job may be tried again.
	NotBefore time.Time
	// Override replaces inputs by name, given by a person with a retry.
	Override json.RawMessage
}

// Timer is an armed timer. Node is the timer event; for a boundary event that
// differs from the element that carries the timer.
type Timer struct {
	Key    Key
	Node   int32
	Due    time.Time
	Repeat int32 // firings left after this one; -1 without end
	Every  string
}

// Subscription waits for a message or a signal. Node is the event; as with timers it
// may be another than that of the element which carries it.
type Subscription struct {
	Key         Key
	Node        int32
	Signal      bool
	Name        string
	Correlation string
}

// Incident stops an element instance until a person resolves it.
type Incident struct {
	Key     Key
	Kind    string
	Message string
	Since   time.Time
}

// Variable is a variable of a scope; Value is JSON.
type Variable struct {
	Key   Key
	Scope Key
	Name  string
	Value json.RawMessage
}

// Output is what one iteration gave to the output collection.
type Output struct {
	Key   Key
	Body  Key
	Index int32
	Value json.RawMessage
}

// RecordKind tells what a record holds.
type RecordKind uint8

// The kinds of records.
const (
	RecordElement RecordKind = iota + 1
	RecordVariable
	RecordOutput
	// RecordMandate is what the platform knows of the run; no expression reads or
	// writes it.
	RecordMandate
)

// Record is one stored record of a run.
type Record struct {
	Key  Key
	Kind RecordKind
	Data []byte
}

// Change is a record to store, or to delete where Data is nil.
type Change = Record

// Run is the state of a run. It is not safe for concurrent use.
type Run struct {
	Key Key
	// Mandate is what the host knows of the run: on whose behalf it acts, on what.
	// The engine keeps it and understands nothing of it.
	Mandate  []byte
	Elements map[Key]*Element
	jobs     map[Key]*Element
	vars     map[Key]map[string]*Variable
	outputs  map[Key][]*Output
	changed  map[Key]RecordKind
	objects  map[Key]any // changed variables and outputs by key
	fresh    map[Key]bool
	bytes    int
	// Facts counts the lines of the run's history, after a restart to a thousand.
	Facts int
}

// Bytes is what the variables and outputs hold.
func (r *Run) Bytes() int { return r.bytes }

// Count adds to the facts, and has the root keep them every thousand.
func (r *Run) Count(facts int) {
	before := r.Facts
	r.Facts += facts
	if root := r.Root(); root != nil && before/factsStep != r.Facts/factsStep {
		r.Touch(root)
	}
}

// factsStep is how exact the stored count of facts is.
const factsStep = 1000

// New makes the state of a run that has not begun.
func New(key Key) *Run {
	return &Run{Key: key, Elements: map[Key]*Element{}, vars: map[Key]map[string]*Variable{},
		changed: map[Key]RecordKind{}, objects: map[Key]any{}, fresh: map[Key]bool{}}
}

// Root is the process instance, nil once the run has ended.
func (r *Run) Root() *Element { return r.Elements[r.Key] }

// Caller tells what has called the run; nil for nothing.
func (r *Run) Caller() *Caller {
	if root := r.Root(); root != nil {
		return root.Caller
	}
	return nil
}

// Put adds an element instance.
func (r *Run) Put(e *Element) {
	r.Elements[e.Key] = e
	r.fresh[e.Key] = true
	r.Touch(e)
}

// Touch notes that an element instance was changed.
func (r *Run) Touch(e *Element) {
	r.changed[e.Key] = RecordElement
	r.indexJob(e)
}

func (r *Run) indexJob(e *Element) {
	if e.Job == nil {
		return
	}
	if r.jobs == nil {
		r.jobs = map[Key]*Element{}
	}
	r.jobs[e.Job.Key] = e
}

// JobHolder finds the element instance that waits for a job.
func (r *Run) JobHolder(job Key) *Element {
	e := r.jobs[job]
	if e == nil || e.Job == nil || e.Job.Key != job || r.Elements[e.Key] != e {
		delete(r.jobs, job)
		return nil
	}
	return e
}

// Remove deletes an element instance with its variables and outputs.
func (r *Run) Remove(e *Element) {
	for _, v := range r.vars[e.Key] {
		r.bytes -= len(v.Value)
		r.forget(v.Key, RecordVariable)
	}
	delete(r.vars, e.Key)
	for _, o := range r.outputs[e.Key] {
		r.bytes -= len(o.Value)
		r.forget(o.Key, RecordOutput)
	}
	delete(r.outputs, e.Key)
	delete(r.Elements, e.Key)
	r.forget(e.Key, RecordElement)
}

func (r *Run) forget(key Key, kind RecordKind) {
	delete(r.objects, key)
	if r.fresh[key] { // never stored
		delete(r.fresh, key)
		delete(r.changed, key)
		return
	}
	r.changed[key] = kind
}

// Set sets a variable of a scope; key is used where the variable is new.
func (r *Run) Set(scope Key, name string, value json.RawMessage, key func() Key) {
	names := r.vars[scope]
	if names == nil {
		names = map[string]*Variable{}
		r.vars[scope] = names
	}
	v := names[name]
	if v == nil {
		v = &Variable{Key: key(), Scope: scope, Name: name}
		names[name] = v
		r.fresh[v.Key] = true
	}
	r.bytes += len(value) - len(v.Value)
	v.Value = value
	r.changed[v.Key], r.objects[v.Key] = RecordVariable, v
}

// SetMandate keeps the mandate of a run that begins.
func (r *Run) SetMandate(mandate []byte, key Key) {
	r.Mandate = mandate
	r.fresh[key] = true
	r.changed[key], r.objects[key] = RecordMandate, mandate
}

// Local gives a variable of exactly this scope.
func (r *Run) Local(scope Key, name string) (json.RawMessage, bool) {
	v, ok := r.vars[scope][name]
	if !ok {
		return nil, false
	}
	return v.Value, true
}

// Lookup finds a variable as seen from a scope: its own, or that of the nearest
// scope around it.
func (r *Run) Lookup(scope Key, name string) (json.RawMessage, bool) {
	for {
		if v, ok := r.vars[scope][name]; ok {
			return v.Value, true
		}
		e := r.Elements[scope]
		if e == nil || e.Parent == 0 {
			return nil, false
		}
		scope = e.Parent
	}
}

// Names lists the variables of exactly this scope, sorted.
func (r *Run) Names(scope Key) []string {
	names := make([]string, 0, len(r.vars[scope]))
	for n := range r.vars[scope] {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// AddOutput stores what an iteration gave.
func (r *Run) AddOutput(body Key, index int32, value json.RawMessage, key Key) {
	if r.outputs == nil {
		r.outputs = map[Key][]*Output{}
	}
	o := &Output{Key: key, Body: body, Index: index, Value: value}
	r.outputs[body] = append(r.outputs[body], o)
	r.bytes += len(value)
	r.fresh[key] = true
	r.changed[key], r.objects[key] = RecordOutput, o
}

// Outputs gives the outputs of a body by iteration; an iteration that gave none
// has nil.
func (r *Run) Outputs(body Key, total int32) []json.RawMessage {
	all := make([]json.RawMessage, total)
	for _, o := range r.outputs[body] {
		if o.Index >= 1 && o.Index <= total {
			all[o.Index-1] = o.Value
		}
	}
	return all
}

// Children lists the element instances directly below one, by key.
func (r *Run) Children(parent Key) []*Element {
	var all []*Element
	for _, e := range r.Elements {
		if e.Parent == parent {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *Element) int { return int(a.Key - b.Key) })
	return all
}

// Sorted lists all element instances by key.
func (r *Run) Sorted() []*Element {
	all := make([]*Element, 0, len(r.Elements))
	for _, e := range r.Elements {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Element) int { return int(a.Key - b.Key) })
	return all
}

// Drain gives what was changed since the last call, by key.
func (r *Run) Drain() []Change {
	changes := make([]Change, 0, len(r.changed))
	for key, kind := range r.changed {
		changes = append(changes, Change{Key: key, Kind: kind, Data: r.encode(key, kind)})
	}
	slices.SortFunc(changes, func(a, b Change) int { return int(a.Key - b.Key) })
	clear(r.changed)
	clear(r.objects)
	clear(r.fresh)
	return changes
}

func (r *Run) encode(key Key, kind RecordKind) []byte {
	switch kind {
	case RecordElement:
		if e := r.Elements[key]; e != nil {
			if e.Parent == 0 {
				return encodeRoot(e, r.Facts)
			}
			return encodeElement(e)
		}
	case RecordVariable:
		if v, ok := r.objects[key].(*Variable); ok {
			return encodeVariable(v)
		}
	case RecordOutput:
		if o, ok := r.objects[key].(*Output); ok {
			return encodeOutput(o)
		}
	case RecordMandate:
		if m, ok := r.objects[key].([]byte); ok {
			w := NewWriter()
			w.Bytes(m)
			return w.Data()
		}
	}
	return nil
}

// Load rebuilds the state of a run from its records.
func Load(key Key, records []Record) (*Run, error) {
	r := New(key)
	for _, rec := range records {
		if err := r.load(rec); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Run) load(rec Record) error {
	switch rec.Kind {
	case RecordElement:
		e, facts, err := decodeElement(rec.Key, rec.Data)
		if err != nil {
			return err
		}
		r.Facts += facts
		r.Elements[e.Key] = e
		r.indexJob(e)
	case RecordVariable:
		v, err := decodeVariable(rec.Key, rec.Data)
		if err != nil {
			return err
		}
		if r.vars[v.Scope] == nil {
			r.vars[v.Scope] = map[string]*Variable{}
		}
		r.vars[v.Scope][v.Name] = v
		r.bytes += len(v.Value)
	case RecordOutput:
		o, err := decodeOutput(rec.Key, rec.Data)
		if err != nil {
			return err
		}
		if r.outputs == nil {
			r.outputs = map[Key][]*Output{}
		}
		r.outputs[o.Body] = append(r.outputs[o.Body], o)
		r.bytes += len(o.Value)
	case RecordMandate:
		read := NewReader(rec.Data)
		r.Mandate = read.Bytes()
		return read.Err()
	}
	return nil
}
