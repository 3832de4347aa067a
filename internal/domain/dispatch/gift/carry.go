package gift

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/program"
)

// Signal is one that a run throws.
type Signal struct {
	Own       identity.Rights // of the run
	Program   *program.Program
	Node      *program.Node
	Variables engine.Variables
	Reads     Reads
}

// Carried gives the rights with which a signal goes out: those of the run, and of
// those no others than each has had who gave anything that it carries, or its name.
// Where a value lies in the run is not asked: all that has its name counts.
func (s Signal) Carried(all []Gift) identity.Rights {
	own, node := s.Own, s.Node
	if len(all) == 0 {
		return own
	}
	var read []string
	for name := range s.Variables {
		read = append(read, name)
	}
	for _, m := range node.Inputs {
		if m.Source.Expr != nil {
			read = append(read, m.Source.Expr.Names()...)
		}
	}
	if node.Event != nil && node.Event.Name.Expr != nil {
		read = append(read, node.Event.Name.Expr.Names()...)
	}
	return Bounded(own, read, all, s.Program, s.Reads)
}

// Bounded gives of some rights those alone that each has had, too, who gave anything
// that names stand for. Where a value lies in the run is not asked.
func Bounded(own identity.Rights, names []string, all []Gift, p *program.Program, reads Reads) identity.Rights {
	made := madeOf(p, reads)
	var given []identity.Given
	for _, name := range names {
		from := made.sources(name)
		for _, g := range all {
			if g.Giver != "" && (g.Kind == Variable && g.Name == name || from.has(seed(g))) {
				given = append(given, identity.Given{Names: []string{g.Label}, Rights: g.Rights})
			}
		}
	}
	given = slices.CompactFunc(sorted(given), func(a, b identity.Given) bool { return token(a.Rights) == token(b.Rights) })
	both := own.With(given)
	both.Name = people(own, given)
	return both
}

func sorted(given []identity.Given) []identity.Given {
	slices.SortFunc(given, func(a, b identity.Given) int { return cmp.Compare(token(a.Rights), token(b.Rights)) })
	return given
}

const and = " and "

// people names all whose rights are asked for.
func people(own identity.Rights, given []identity.Given) string {
	all := strings.Split(own.Name, and)
	for _, g := range given {
		for _, name := range strings.Split(g.Rights.Name, and) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return strings.Join(all, and)
}

// token tells who gives apart by what he may do, too: a run brings values of several
// people, and what it brings for one is not taken back by what it brings for another.
func token(r identity.Rights) string {
	raw, err := json.Marshal(r)
	if err != nil {
		return r.Subject // rights are texts
	}
	sum := sha256.Sum256(raw)
	return r.Subject + "#" + hex.EncodeToString(sum[:8])
}
