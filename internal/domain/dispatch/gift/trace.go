package gift

import (
	"slices"

	"sextant/internal/domain/identity"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/feel"
)

// Reads gives the variables that the service of a step takes; all is true where
// that is not known before the step begins.
type Reads func(*program.Node) (names []string, all bool)

// Look is the step that is about to use values.
type Look struct {
	Run     *state.Run
	Program *program.Program
	Element state.Key
	// Names are the variables that it reads.
	Names []string
	Reads Reads
}

// Touching gives, of all that was given to a run, what a step uses, by giver.
func Touching(all []Gift, l Look) []identity.Given {
	if len(all) == 0 {
		return nil
	}
	made := madeOf(l.Program, l.Reads)
	var out []identity.Given
	take := func(g Gift, label string) {
		if g.Giver == "" {
			return
		}
		i := slices.IndexFunc(out, func(o identity.Given) bool {
			return o.Rights.Subject == g.Rights.Subject && o.Rights.Name == g.Rights.Name && o.Rights.Cover(g.Rights) && g.Rights.Cover(o.Rights)
		})
		if i < 0 {
			i, out = len(out), append(out, identity.Given{Rights: g.Rights})
		}
		if !slices.Contains(out[i].Names, label) {
			out[i].Names = append(out[i].Names, label)
		}
	}
	for _, g := range all {
		if g.Place == l.Element && g.Kind != Variable {
			take(g, g.Label)
		}
	}
	for _, name := range l.Names {
		here := func(g Gift) bool { return g.Kind == Variable && g.Place == l.Element && g.Name == name }
		if i := slices.IndexFunc(all, here); i >= 0 { // the step's own value, whatever lies around it
			take(all[i], all[i].Label)
			continue
		}
		place, found := inSight(l.Run, l.Element, name)
		from := made.sources(name)
		for _, g := range all {
			switch {
			case g.Kind == Variable && g.Name == name && (g.Place == Anywhere || found && g.Place == place):
				take(g, g.Label)
			case from.has(seed(g)):
				take(g, g.Label+" (of which "+name+" is made)")
			}
		}
	}
	for i := range out {
		slices.Sort(out[i].Names)
	}
	return out
}

// seed is the name from which a gift spreads: of an input, the result of its step.
func seed(g Gift) string {
	if g.Kind == Variable {
		return g.Name
	}
	return g.Node
}

// inSight finds the scope whose variable a step sees.
func inSight(r *state.Run, scope state.Key, name string) (state.Key, bool) {
	for {
		if _, ok := r.Local(scope, name); ok {
			return scope, true
		}
		el := r.Elements[scope]
		if el == nil || el.Parent == 0 {
			return 0, false
		}
		scope = el.Parent
	}
}

// graph tells for each name of a process from which others it is computed; every
// stands for all.
type graph map[string][]string

const every = "*"

// names are found names.
type names map[string]bool

func (n names) has(name string) bool { return n[every] || n[name] }

// sources are the names from which a name is computed, over any number of steps.
func (g graph) sources(name string) names {
	all := names{}
	next := g[name]
	for len(next) > 0 {
		one := next[0]
		next = next[1:]
		if !all[one] {
			all[one] = true
			next = append(slices.Clone(next), g[one]...)
		}
	}
	return all
}

// results are the names that are computed from a name.
func (g graph) results(name string) []string {
	var all []string
	for made := range g {
		if made != name && g.sources(made).has(name) {
			all = append(all, made)
		}
	}
	slices.Sort(all)
	return all
}

// madeOf reads a process for what computes a name from others: mappings, scripts,
// iterations, and services, whose results are made of what they take.
func madeOf(p *program.Program, reads Reads) graph {
	g := graph{}
	from := func(target string, exprs ...*feel.Expr) {
		for _, x := range exprs {
			if x != nil && target != "" {
				g[target] = append(g[target], x.Names()...)
			}
		}
	}
	for _, n := range p.Nodes {
		for _, m := range slices.Concat(n.Inputs, n.Outputs) {
			if len(m.Target) > 0 {
				from(m.Target[0], m.Source.Expr)
			}
		}
		if n.Script != nil {
			from(n.Script.Result, n.Script.Expr)
		}
		if l := n.Loop; l != nil {
			from(l.InputElement, l.Input)
			from(l.OutputCollection, l.OutputElement)
		}
		if n.Decision != nil { // it sees all that the step sees
			g[n.Decision.Result] = append(g[n.Decision.Result], every)
		}
		if n.Task == nil {
			continue
		}
		taken, unknown := reads(n)
		if unknown {
			taken = append(taken, every)
		}
		for _, result := range []string{n.ID, "errorCode", "errorMessage"} {
			from(result, n.Task.Type.Expr)
			// A service that was told by a person what to take gives that on, too.
			g[result] = append(append(g[result], taken...), n.ID)
		}
	}
	return g
}
