package control

import (
	"encoding/json"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// Ruling is what the door decided about a request: exactly one of Admit, Wait,
// NeedsApproval, Merged, Replaced and Rejected.
type Ruling interface {
	// Word is what the verdict is called.
	Word() string
}

// The words of the verdicts.
const (
	Admitted      = "ADMIT"
	Waits         = "WAIT"
	ToBeApproved  = "NEEDS_APPROVAL"
	WasMerged     = "MERGED"
	WasReplaced   = "REPLACED"
	Rejected      = "REJECTED"
	shownBlockers = 20 // of those for whom a request waits
)

// Admit lets the run start.
type Admit struct{}

// Wait keeps the request until what it waits for is over.
type Wait struct {
	Until time.Time `json:"until" doc:"When it gives up"`
	For   []Blocker `json:"for" doc:"Who holds what it wants, and who comes first"`
	Place int       `json:"place" doc:"Its place among those that wait for the same, from 1"`
}

// Blocker is who holds what a request wants, or comes before it.
type Blocker struct {
	Object  string    `json:"object"`
	Mode    Mode      `json:"mode" enum:"exclusive,shared"`
	Since   time.Time `json:"since"`
	Run     api.Key   `json:"run,omitzero" doc:"Absent where it is a run of another project, or one that you may not see"`
	Subject string    `json:"subject,omitempty"`
	Waits   bool      `json:"waits,omitempty" doc:"It waits too, and comes first"`
}

// NeedsApproval keeps the request until a person has decided on a task.
type NeedsApproval struct {
	Task api.Key `json:"task"`
}

// Merged says that another run stands for the request.
type Merged struct {
	Run api.Key `json:"run"`
}

// Replaced says that another run took the place of the one that was asked for.
type Replaced struct {
	Run api.Key `json:"run"`
}

// Reject refuses the request.
type Reject struct{ Err error }

// Word is that of an admission.
func (Admit) Word() string { return Admitted }

// Word is that of a wait.
func (Wait) Word() string { return Waits }

// Word is that of a request that a person has to allow.
func (NeedsApproval) Word() string { return ToBeApproved }

// Word is that of a request for which another stands.
func (Merged) Word() string { return WasMerged }

// Word is that of a request that another has replaced.
func (Replaced) Word() string { return WasReplaced }

// Word is that of a refusal.
func (Reject) Word() string { return Rejected }

// Next is what becomes of a request that a check did not let pass.
type Next string

// What becomes of such a request.
const (
	NextAsk     Next = "ask_again" // nothing: ask again when what stands against it is over
	NextCorrect Next = "correct"   // nothing: it has to be corrected
	NextRight   Next = "get_right" // nothing: who asks needs a right
	NextWait    Next = "wait"      // it waits, and starts by itself
	NextMerge   Next = "merge"     // the run that is there stands for it
	NextReplace Next = "replace"   // it takes the place of the one that is there
)

// Step is one check of the door.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	Holder *Lock  `json:"holder,omitempty" doc:"Who stands against it first, where that is a run of the project; without its number where you may not see it"`
	Next   Next   `json:"next,omitempty" enum:"ask_again,correct,get_right,wait,merge,replace" doc:"What becomes of the request"`

	err error
}

// failed notes why a step does not let a request pass.
func (s *Step) failed(err error, next Next) {
	s.OK, s.err, s.Next = err == nil, err, next
	if err == nil {
		s.Next = ""
		return
	}
	s.Code, s.Reason = errs.As(err).Code, errs.As(err).Message
}

// Verdict is what the door said.
type Verdict struct {
	ID      string    `json:"id"`
	Run     api.Key   `json:"run" doc:"Key of the run; a refused request has one too, of a run that never was. That of a merged one is the run that stands for it"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Process string    `json:"process"`
	Verdict string    `json:"verdict" enum:"ADMIT,WAIT,NEEDS_APPROVAL,MERGED,REPLACED,REJECTED"`
	Code    string    `json:"code,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Steps   []Step    `json:"steps"`
	Cause   Cause     `json:"cause,omitzero"`
	Risk    string    `json:"risk,omitempty" doc:"The greatest risk of its steps that was known"`
	Wait    *Wait     `json:"wait,omitempty" doc:"For whom it waits, and until when"`
	Task    api.Key   `json:"task,omitzero" doc:"The task of a person that decides"`
	By      api.Key   `json:"by,omitzero" doc:"The run that took the place of this one"`
}

// Cause is what led to a request, where no person asked for it.
type Cause struct {
	Event    string `json:"event,omitempty" doc:"Id of the event"`
	Decision string `json:"decision,omitempty" doc:"Id of the decision that asked"`
}

// rule writes down what was decided.
func (v *Verdict) rule(r Ruling) {
	v.Verdict = r.Word()
	switch r := r.(type) {
	case Admit:
	case Wait:
		v.Wait = &r
	case NeedsApproval:
		v.Task = r.Task
	case Merged:
		v.Run = r.Run
	case Replaced:
		v.By = r.Run
	case Reject:
		v.Code, v.Reason = errs.As(r.Err).Code, errs.As(r.Err).Message
	}
}

// Ruling gives what was decided; a verdict that was stored before there were others is
// an admission or a refusal.
func (v Verdict) Ruling() Ruling {
	switch v.Verdict {
	case Admitted:
		return Admit{}
	case Waits:
		if v.Wait == nil {
			return Wait{}
		}
		return *v.Wait
	case ToBeApproved:
		return NeedsApproval{v.Task}
	case WasMerged:
		return Merged{v.Run}
	case WasReplaced:
		return Replaced{v.By}
	}
	return Reject{errs.New(errs.Conflict, v.Code, "%s", v.Reason)}
}

// more is what is stored of a verdict beside its columns.
type more struct {
	Wait  *Wait   `json:"wait,omitempty"`
	Task  api.Key `json:"task,omitzero"`
	By    api.Key `json:"by,omitzero"`
	Cause Cause   `json:"cause,omitzero"`
	Risk  string  `json:"risk,omitempty"`
}

func (v Verdict) more() (string, error) {
	m := more{v.Wait, v.Task, v.By, v.Cause, v.Risk}
	if m == (more{}) {
		return "", nil
	}
	data, err := json.Marshal(m)
	return string(data), err
}

func (v *Verdict) readMore(data string) error {
	if data == "" {
		return nil
	}
	var m more
	err := json.Unmarshal([]byte(data), &m)
	v.Wait, v.Task, v.By, v.Cause, v.Risk = m.Wait, m.Task, m.By, m.Cause, m.Risk
	return err
}
