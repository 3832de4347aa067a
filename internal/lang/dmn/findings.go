package dmn

import (
	"fmt"
	"strings"

	"sextant/internal/lang/dmn/eval"
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/table"
)

// Analysis is what the rules of a table leave out and where they meet.
type Analysis = table.Analysis

// TableReport is the analysis of one decision table.
type TableReport struct {
	Model, Owner, Element string
	Line                  int
	HitPolicy             string
	Rules                 int
	Inputs                []string
	Analysis              *Analysis
	table                 eval.Table
}

// Analyse looks for gaps and overlaps in the decision tables of the first file.
func (m *Model) Analyse() []TableReport {
	var all []TableReport
	for _, t := range m.program.Tables() {
		src := t.Table.Source()
		r := TableReport{Model: t.Node.Model, Owner: t.Node.Name, Element: src.ID,
			Line: src.Line, HitPolicy: string(src.HitPolicy), Rules: len(src.Rules), table: t, Analysis: t.Table.Analyse()}
		for _, in := range src.Inputs {
			r.Inputs = append(r.Inputs, in.Label)
		}
		all = append(all, r)
	}
	return all
}

// Findings are what an analysis says against a table: gaps where the table gives
// nothing, rules that contradict one another, rules that never decide.
func (r *TableReport) Findings() []Problem {
	var all []Problem
	src := r.table.Table.Source()
	add := func(at model.Place, code, format string, args ...any) {
		all = append(all, Problem{Level: model.Caution, Code: code, Model: r.Model,
			Owner: r.Owner, Element: at.ID, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
	}
	if !hasDefault(src) && !givesList(src) {
		for _, g := range r.Analysis.Gaps {
			add(src.Place, "dmn.table.gap", "no rule matches where %s", r.region(g.Region))
		}
	}
	for _, o := range r.Analysis.Overlaps {
		if o.Contradiction {
			add(src.Rules[o.Rules[1]-1].Place, "dmn.table.overlap", "rules %d and %d match both where %s: the hit policy %s does not allow it",
				o.Rules[0], o.Rules[1], r.region(o.Region), r.HitPolicy)
		}
	}
	for _, u := range r.Analysis.Unreachable {
		add(src.Rules[u.Rule-1].Place, "dmn.table.unreachable", "rule %d never decides: %s", u.Rule, u.Why)
	}
	return all
}

func hasDefault(t *model.Table) bool {
	for _, o := range t.Outputs {
		if o.Default != nil {
			return true
		}
	}
	return false
}

// givesList tells tables for which no hit is a result like any other.
func givesList(t *model.Table) bool {
	switch t.HitPolicy {
	case model.RuleOrder, model.OutputOrder:
		return true
	case model.Collect:
		return t.Aggregation == "" || t.Aggregation == model.Count
	}
	return false
}

// region writes a region for people: "age is < 18, risk is "high"".
func (r *TableReport) region(tests []string) string {
	var parts []string
	for i, t := range tests {
		if t != "-" {
			parts = append(parts, r.Inputs[i]+" is "+t)
		}
	}
	if len(parts) == 0 {
		return "the inputs are anything"
	}
	return strings.Join(parts, " and ")
}
