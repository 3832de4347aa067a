package view

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/process/runs"
	"sextant/internal/domain/setting"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
)

// Decision is what a person decided about a run: he ended it, answered a task, took a
// step up again or left it out, or published what it heard; or what the worker of a job
// said of it.
type Decision struct {
	Time    time.Time                  `json:"time"`
	Who     string                     `json:"who"`
	Verb    string                     `json:"verb" enum:"run.cancel,run.fail,run.give_up,task.complete,incident.retry,incident.skip,message.publish,signal.publish,job.complete,job.fail,job.error"`
	Element string                     `json:"element,omitempty" doc:"Id of the step that it was about"`
	Name    string                     `json:"name,omitempty" doc:"Name of that step, or of the message or signal"`
	Reason  string                     `json:"reason,omitempty"`
	Worker  string                     `json:"worker,omitempty" doc:"What the worker of a job called itself"`
	Token   string                     `json:"token,omitempty" doc:"Id of the API token of a worker, where he came with one"`
	Answers map[string]json.RawMessage `json:"answers,omitempty" doc:"What a task was answered"`
	Changed []string                   `json:"changed,omitempty" doc:"Names of the inputs, outputs and variables that were given anew"`
}

const (
	maxDecisions = 200 // decisions that are told of a run
	maxAsked     = 50  // tasks and jobs of a run of which it is looked up who did them
)

// decisionVerbs are the acts that are told, by what the audit log calls them.
func decisionVerbs(verb string) bool {
	return slices.Contains([]string{"run.cancel", "run.fail", "run.give_up",
		"task.complete", "incident.retry", "incident.skip", "message.publish", "signal.publish",
		"job.complete", "job.fail", "job.error"}, verb)
}

// Decisions lists what people decided about a run, oldest first.
func (s *Service) Decisions(ctx context.Context, key api.Key) ([]Decision, error) {
	r, err := s.Runs.Readable(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := s.steps(ctx, r)
	if err != nil {
		return nil, err
	}
	objects := []string{"run/" + key.String()}
	for _, step := range slices.Backward(f.steps) {
		if step.Type == "user" && step.Over() && len(objects) <= maxAsked {
			objects = append(objects, "task/"+step.Key)
		}
		if step.Job != "" && step.Service == "" && len(objects) <= maxAsked { // a worker has pulled it, or may yet
			objects = append(objects, "job/"+step.Job)
		}
	}
	all := []Decision{}
	for _, o := range objects {
		page, err := s.Audit.List(ctx, audit.Filter{Project: r.Project, Object: o, Outcome: audit.Done, Paging: api.Paging{Limit: maxDecisions}})
		if err != nil {
			return nil, err
		}
		for _, record := range page.Items {
			if decisionVerbs(record.Verb) {
				all = append(all, f.decision(record))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Decision) int { return a.Time.Compare(b.Time) })
	return all, nil
}

func (f *fold) decision(r audit.Record) Decision {
	var detail struct {
		Element   string                     `json:"element"`
		Name      string                     `json:"name"`
		Reason    string                     `json:"reason"`
		Worker    string                     `json:"worker"`
		Token     string                     `json:"token"`
		Answers   map[string]json.RawMessage `json:"answers"`
		Inputs    []string                   `json:"inputs"`
		Outputs   []string                   `json:"outputs"`
		Variables []string                   `json:"variables"`
	}
	_ = json.Unmarshal(r.Detail, &detail) // what an older server kept may be of another form
	d := Decision{Time: r.Time, Who: r.Name, Verb: r.Verb, Element: detail.Element,
		Name: detail.Name, Reason: detail.Reason, Worker: detail.Worker, Token: detail.Token, Answers: detail.Answers,
		Changed: slices.Concat(detail.Inputs, detail.Outputs, detail.Variables)}
	if n, ok := f.prog.Lookup(detail.Element); ok {
		d.Name = n.Name
	}
	return d
}

// hiddenValue stands for a secret that was given to a run.
const hiddenValue = `"***"`

// Variables gives the variables of a run as its process sees them: those of now,
// or of its end. Secrets are not told.
func (s *Service) Variables(ctx context.Context, key api.Key) (map[string]json.RawMessage, error) {
	if _, err := s.Runs.Readable(ctx, key); err != nil {
		return nil, err
	}
	vars := map[string]json.RawMessage{}
	err := s.Runs.Look(ctx, key, func(r *state.Run, _ *program.Program) {
		for _, name := range r.Names(r.Key) {
			vars[name], _ = r.Local(r.Key, name)
		}
	})
	if errors.Is(err, durable.ErrNoRun) {
		if err = s.lastVariables(ctx, key, vars); err == nil && len(vars) == 0 {
			vars, err = s.Runs.AskedWith(ctx, key)
		}
	}
	if err != nil {
		return nil, err
	}
	for name, v := range vars {
		switch {
		case strings.HasPrefix(name, "$"):
			delete(vars, name)
		case setting.Sealed(v):
			vars[name] = json.RawMessage(hiddenValue)
		}
	}
	return vars, nil
}

// lastVariables reads from the history what the variables of a run were last.
func (s *Service) lastVariables(ctx context.Context, key api.Key, vars map[string]json.RawMessage) error {
	for from := int64(0); ; {
		chunks, err := durable.History(ctx, s.DB, key, from, historyPage)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			from = c.Seq + 1
			for _, fact := range c.Facts {
				if fact.Kind == engine.FactVariable && fact.Key == key {
					vars[fact.Text] = fact.Data
				}
			}
		}
		if len(chunks) < historyPage {
			return nil
		}
	}
}

func (s *Service) lookRoutes(a *api.API) {
	type decisions struct{ Body api.Page[Decision] }
	api.Register(a, api.Endpoint{ID: "listRunDecisions", Method: http.MethodGet,
		Path: "/api/v1/runs/{run}/decisions", Tag: "runs", Summary: "What people decided about a run, oldest first", Permission: "run.read"},
		func(ctx context.Context, in *runs.RunKey) (*decisions, error) {
			all, err := s.Decisions(ctx, in.Run.Key)
			return &decisions{api.Page[Decision]{Items: all}}, err
		})
	type vars struct{ Body map[string]json.RawMessage }
	api.Register(a, api.Endpoint{ID: "getRunVariables", Method: http.MethodGet,
		Path: "/api/v1/runs/{run}/variables", Tag: "runs", Summary: "Variables of a run: of now, or of its end", Permission: "run.read"},
		func(ctx context.Context, in *runs.RunKey) (*vars, error) {
			v, err := s.Variables(ctx, in.Run.Key)
			return &vars{v}, err
		})
}
