package language

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/value"
)

// Decision is the group of commands about decisions: those on this machine, and what
// others add.
func (a *Tools) Decision(more ...*cobra.Command) *cobra.Command {
	local := []*cobra.Command{a.decisionEvalCmd(), a.decisionCheckCmd(), a.decisionTestCmd()}
	return command.Group("decision", "Decision models in DMN: deployed, or evaluated and checked on this machine", append(more, local...)...)
}

// decisionOptions say what of a model is evaluated, and on what.
type decisionOptions struct {
	decision, service string
	input             string
	now               string
	explain           bool
}

func (a *Tools) decisionEvalCmd() *cobra.Command {
	var o decisionOptions
	c := &cobra.Command{
		Use: "eval <model.dmn>", Short: "Evaluate a decision or a decision service",
		Long: "Evaluates a decision of a DMN file and prints its value as FEEL writes it, " +
			"or as JSON with --json. What became null is told on standard error.\n" +
			"Models that it imports are looked for in its folder. What has a mistake is null; where it was needed, the command ends with 1." +
			command.ExitHelp,
		Example: "  sextant decision eval change-risk.dmn --decision Approval --input @change.json\n" +
			"  sextant decision eval change-risk.dmn --service Gate --input '{\"Change\": {\"environment\": \"test\"}}' --explain",
		Args: command.Exactly(1, "a DMN file"),
		RunE: func(_ *cobra.Command, args []string) error { return a.decisionEval(args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.decision, "decision", "", "name or id of a decision; not needed where the model has one")
	f.StringVar(&o.service, "service", "", "name or id of a decision service")
	f.StringVar(&o.input, "input", "",
		"inputs by name as JSON object or FEEL context, or @file; texts become dates, times and durations where the model wants these")
	f.StringVar(&o.now, "now", "", "the time that now() gives, such as 2026-01-31T12:00:00Z; else that of the clock")
	f.BoolVar(&o.explain, "explain", false, "show every value on the way and the rules that matched")
	return c
}

func (a *Tools) decisionCheckCmd() *cobra.Command {
	return &cobra.Command{
		Use: "check <model.dmn> …", Short: "Find mistakes, gaps and contradictions in decision models",
		Long: "Tells what is wrong with DMN files: what cannot be read or evaluated, " +
			"rules that contradict one another or never decide, and inputs that no rule covers.\n" +
			"Ends with 1 where a file has errors; warnings alone end with 0." + command.ExitHelp,
		Args: command.AtLeastOne("DMN files"),
		RunE: func(_ *cobra.Command, args []string) error { return a.decisionCheck(args) },
	}
}

// loadModel reads a model with those that it imports.
func loadModel(file string) (*dmn.Model, error) {
	dir, name := filepath.Split(filepath.Clean(file))
	if dir == "" {
		dir = "."
	}
	set, err := dmn.Load(os.DirFS(dir), name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file", file)
	}
	if err != nil {
		return nil, err
	}
	return dmn.Compile(set), nil
}

func (a *Tools) decisionEval(file string, o decisionOptions) error {
	m, err := loadModel(file)
	if err != nil {
		return err
	}
	target, err := decisionTarget(m, &o)
	if err != nil {
		return err
	}
	if target.Name == "" {
		return a.noDecision(file, m, o)
	}
	env, err := decisionEnv(o.now)
	if err != nil {
		return err
	}
	inputs, err := a.feelValue("input", o.input)
	if err != nil {
		return err
	}
	ctx, ok := value.AsContext(inputs)
	if !ok && o.input != "" {
		return command.Usage("--input is %s and no context of inputs by name", inputs.Kind())
	}
	if ctx == nil {
		ctx = &value.Context{}
	}
	run := m.Decide
	if o.service != "" {
		run = m.Serve
	}
	res, err := run(dmn.Target{Name: target.Name}, m.JSONInputs(ctx, time.LoadLocation), env)
	if err != nil {
		return err
	}
	return a.showDecision(m, res, o.explain)
}

// decisionEnv is what a decision may see besides its inputs.
func decisionEnv(now string) (dmn.Env, error) {
	env := dmn.Env{Now: time.Now(), Zone: time.LoadLocation, Random: rand.Uint64}
	if now == "" {
		return env, nil
	}
	var err error
	if env.Now, err = time.Parse(time.RFC3339, now); err != nil {
		return env, command.Usage("--now: %q is no time such as 2026-01-31T12:00:00Z", now)
	}
	return env, nil
}

// decisionTarget finds what is to be evaluated; its name is empty where the
// model has nothing of that name.
func decisionTarget(m *dmn.Model, o *decisionOptions) (dmn.Element, error) {
	kind, name := "decision", o.decision
	if o.service != "" {
		if o.decision != "" {
			return dmn.Element{}, command.Usage("want --decision or --service, not both")
		}
		kind, name = "service", o.service
	}
	var found []dmn.Element
	for _, e := range m.Elements() {
		if e.Kind == kind && (name == "" || e.Name == name || e.ID == name) {
			found = append(found, e)
		}
	}
	switch {
	case len(found) == 0:
		return dmn.Element{}, nil
	case name == "" && len(found) > 1:
		return dmn.Element{}, command.Usage("the model has %d decisions: say which with --decision: %s", len(found), elementNames(found))
	}
	return found[0], nil
}

func elementNames(all []dmn.Element) string {
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.Name
	}
	return strings.Join(names, ", ")
}

// noDecision says that a model has nothing of a name, and what it has.
func (a *Tools) noDecision(file string, m *dmn.Model, o decisionOptions) error {
	kind, name := "decision", o.decision
	if o.service != "" {
		kind, name = "service", o.service
	}
	var has []dmn.Element
	for _, e := range m.Elements() {
		if e.Kind == kind {
			has = append(has, e)
		}
	}
	text := "none"
	if len(has) > 0 {
		text = elementNames(has)
	}
	fmt.Fprintf(a.Err, "sextant: %s has no %s %q; it has: %s\n", file, kind, name, text)
	return command.Outcome{Code: command.ExitNotFound}
}

// decided is the answer of decision eval with --json.
type decided struct {
	Value    json.RawMessage `json:"value"`
	Broken   []string        `json:"broken,omitempty"`
	Warnings []dmn.Warning   `json:"warnings,omitempty"`
	Steps    []*dmn.Step     `json:"steps,omitempty"`
}

func (a *Tools) showDecision(m *dmn.Model, res *dmn.Result, explain bool) error {
	out := decided{Value: dmn.JSON(res.Value), Broken: res.Broken, Warnings: res.Warnings}
	if explain {
		out.Steps = res.Trace.Steps
	}
	err := a.Show(out, func(w io.Writer) {
		if explain {
			for _, s := range res.Trace.Steps {
				explainStep(w, s, 0)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, feelText(res.Value))
	})
	if err != nil {
		return err
	}
	if !a.JSON {
		for _, w := range res.Warnings {
			fmt.Fprintf(a.Err, "%s: line %d: %s\n", w.Owner, w.Line, w.Message)
		}
	}
	if len(res.Broken) == 0 {
		return nil
	}
	for _, p := range m.Check() {
		if slices.Contains(res.Broken, p.Owner) && p.Level == model.Failure {
			fmt.Fprintln(a.Err, "error:", p)
		}
	}
	return command.Outcome{Code: command.ExitFailed}
}

// explainStep shows a step and all below it.
func explainStep(w io.Writer, s *dmn.Step, depth int) {
	indent := strings.Repeat("  ", depth)
	shown := feelText(s.Value)
	if s.Omitted {
		shown = "(too large to keep)"
	}
	fmt.Fprintf(w, "%s%s %s = %s\n", indent, s.Kind, s.Name, shown)
	for _, t := range s.Tables {
		var inputs []string
		for _, in := range t.Inputs {
			inputs = append(inputs, in.Label+" = "+feelText(in.Value))
		}
		fmt.Fprintf(w, "%s  table in line %d: %s\n", indent, t.Line, strings.Join(inputs, ", "))
		if len(t.Rules) == 0 {
			fmt.Fprintf(w, "%s  no rule matched\n", indent)
		}
		for _, r := range t.Rules {
			fmt.Fprintf(w, "%s  rule %d matched%s\n", indent, r.Number, because(r.Annotations))
		}
	}
	for _, inner := range s.Steps {
		explainStep(w, inner, depth+1)
	}
}

func because(annotations []string) string {
	text := strings.TrimSpace(strings.Join(annotations, " "))
	if text == "" {
		return ""
	}
	return ": " + text
}

// checked is what decision check says about a file.
type checked struct {
	File     string        `json:"file"`
	Problems []dmn.Problem `json:"problems"`
	Tables   []tableReport `json:"tables"`
}

type tableReport struct {
	Owner            string   `json:"owner"`
	Line             int      `json:"line"`
	HitPolicy        string   `json:"hitPolicy"`
	Rules            int      `json:"rules"`
	GapsComplete     bool     `json:"gapsComplete"`
	OverlapsComplete bool     `json:"overlapsComplete"`
	Notes            []string `json:"notes,omitempty"`
}

func (a *Tools) decisionCheck(files []string) error {
	all, failed := []checked{}, false
	for _, file := range files {
		c, err := check(file)
		if err != nil {
			return err
		}
		for _, p := range c.Problems {
			failed = failed || p.Level == model.Failure
		}
		all = append(all, c)
	}
	err := a.Show(all, func(w io.Writer) {
		for _, c := range all {
			for _, p := range c.Problems {
				fmt.Fprintf(w, "%s:%d:%d: %s: %s%s (%s)\n", c.File, p.Line, p.Column, p.Level, ownedBy(p.Owner), p.Message, p.Code)
			}
			for _, t := range c.Tables {
				for _, n := range t.Notes {
					fmt.Fprintf(w, "%s:%d: note: %s%s\n", c.File, t.Line, ownedBy(t.Owner), n)
				}
			}
			if len(c.Problems) == 0 {
				fmt.Fprintf(w, "%s: no problems, %d decision tables\n", c.File, len(c.Tables))
			}
		}
	})
	if err != nil {
		return err
	}
	if failed {
		return command.Outcome{Code: command.ExitFailed}
	}
	return nil
}

func ownedBy(owner string) string {
	if owner == "" {
		return ""
	}
	return owner + ": "
}

// check checks a file; one that is no model has its reasons as problems.
func check(file string) (checked, error) {
	c := checked{File: file, Problems: []dmn.Problem{}, Tables: []tableReport{}}
	m, err := loadModel(file)
	var refused *model.Error
	if errors.As(err, &refused) {
		c.Problems = refused.Problems
		return c, nil
	}
	if err != nil {
		return c, err
	}
	for _, p := range m.Check() {
		if p.Model != m.Name() {
			p.Message = "in the imported model " + p.Model + ": " + p.Message
		}
		c.Problems = append(c.Problems, p)
	}
	for _, r := range m.Analyse() {
		c.Problems = append(c.Problems, r.Findings()...)
		c.Tables = append(c.Tables,
			tableReport{r.Owner, r.Line, r.HitPolicy, r.Rules, r.Analysis.GapsComplete, r.Analysis.OverlapsComplete, r.Analysis.Notes})
	}
	return c, nil
}
