package control

import (
	"context"
	"encoding/json"
	"slices"

	"sextant/internal/domain/object"
	"sextant/internal/engine/program"
	"sextant/sdk/go/wire"
)

// Planned is a step as it would act now: every row it would touch, and with what.
type Planned struct {
	Element string     `json:"element" doc:"Id of the step; within a called process with the id of the call and a slash before it"`
	Name    string     `json:"name,omitempty"`
	Service string     `json:"service"`
	Risk    string     `json:"risk,omitempty"`
	Rows    []string   `json:"rows" doc:"Objects that the step would act on, as far as they are known now"`
	Batches [][]string `json:"batches,omitempty" doc:"The same rows by the batch in which they come"`
	Calls   int        `json:"calls" doc:"Calls to the plugin that these rows take"`
	// Later is what only the run can know.
	Later       string   `json:"later,omitempty" doc:"What only the run can know: the path whose rows are found when the step begins"`
	Locks       []Claim  `json:"locks,omitempty" doc:"What the step holds, by the mode that its service declares"`
	Connections []string `json:"connections,omitempty" doc:"Connections whose fields or secrets the step is given"`
	Files       []string `json:"files,omitempty" doc:"Files that the step is given, by SHA-256"`
	// Places are the environments of the connections.
	Places  []string `json:"-"`
	Problem string   `json:"problem,omitempty" doc:"Why the step cannot be done"`
	// Err refuses a start; a problem without it may be gone when the step begins.
	Err error `json:"-"`
}

// Plan is what a request would touch.
type Plan struct {
	Steps []Planned
	// Reads says that every step of the process is a service that only reads.
	Reads bool
	// Secrets are the variables that fill secret inputs: what is given for them in
	// clear is sealed before anything is stored.
	Secrets []string
}

// Ask is a request whose plan is wanted. The context carries the subject of the
// run that would be.
type Ask struct {
	Project string
	// Definition is the version of the process, Program what it compiles to.
	Definition int64
	Program    *program.Program
	Objects    []object.Ref
	Variables  map[string]json.RawMessage
}

// Planner tells what a request would touch: for every step its service, rows,
// locks, connections and files. Preview, admission and run all ask it. server
// fills it with dispatch.
type Planner interface {
	Plan(ctx context.Context, ask Ask) (Plan, error)
}

// claims lists what a run holds from its admission on: all rows that are known,
// and the objects that it was started on. Those it holds exclusively, unless
// everything it does is to read.
func (p Plan) claims(objects []string) []Claim {
	var all []Claim
	if !p.Reads {
		for _, o := range objects {
			all = append(all, Claim{o, Exclusive})
		}
	}
	for _, s := range p.Steps {
		all = append(all, s.Locks...)
	}
	return Merge(all)
}

// refusal is the first reason for which the plan cannot be admitted.
func (p Plan) refusal() error {
	for _, s := range p.Steps {
		if s.Err != nil {
			return s.Err
		}
	}
	return nil
}

// risk is the greatest risk of the steps that is known.
func (p Plan) risk() string {
	risk := ""
	for _, s := range p.Steps {
		if slices.Index(risks, s.Risk) > slices.Index(risks, risk) {
			risk = s.Risk
		}
	}
	return risk
}

var risks = []string{"", wire.RiskRead, wire.RiskChange, wire.RiskDestructive}
