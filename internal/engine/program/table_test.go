package program_test

import (
	"slices"
	"testing"

	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
)

func compiled(t *testing.T, xml string, opts ...program.Option) *program.Program {
	t.Helper()
	doc, err := bpmn.Parse([]byte(xml))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(m, "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A number means what it meant when the process was deployed, in whatever order a
// compiler goes.
func TestElementsKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	first := compiled(t, whole)
	kept := first.Table()
	slices.Reverse(kept.Nodes[1:])
	slices.Reverse(kept.Flows)
	again := compiled(t, whole, program.Numbered(first.ProcessID, kept))
	if !again.Table().Equal(kept) || len(again.Lost()) > 0 {
		t.Fatalf("the numbers are\n%v\nand were\n%v", again.Table(), kept)
	}
	for i, n := range again.Nodes {
		if found, ok := again.Lookup(n.ID); !ok || found != n || int(n.Index) != i {
			t.Errorf("%s stands at %d and says %d", n.ID, i, n.Index)
		}
		was, _ := first.Lookup(n.ID)
		if was == nil || !slices.Equal(names(first, was.Outgoing), names(again, n.Outgoing)) ||
			first.Nodes[max(was.Scope, 0)].ID != again.Nodes[max(n.Scope, 0)].ID {
			t.Errorf("%s is connected otherwise than before", n.ID)
		}
	}
}

func names(p *program.Program, flows []int32) (ids []string) {
	for _, f := range flows {
		ids = append(ids, p.Flows[f].ID+" to "+p.Nodes[p.Flows[f].Target].ID)
	}
	return ids
}

// What a table does not name comes after it: an element that a later compiler makes
// moves none.
func TestNewElementsComeAfterTheOthers(t *testing.T) {
	t.Parallel()
	all := compiled(t, whole).Table()
	older := program.Table{Nodes: all.Nodes[:len(all.Nodes)-2], Flows: all.Flows[1:]}
	p := compiled(t, whole, program.Numbered(compiled(t, whole).ProcessID, older))
	got := p.Table()
	if !slices.Equal(got.Nodes[:len(older.Nodes)], older.Nodes) || !slices.Equal(got.Flows, append(slices.Clone(older.Flows), all.Flows[0])) {
		t.Fatalf("%v became %v", older, got)
	}
}

// A table with an element that the file lacks is told: a run may be at it.
func TestElementsThatAreLostAreNamed(t *testing.T) {
	t.Parallel()
	p := compiled(t, whole)
	was := p.Table()
	was.Nodes = append(was.Nodes, "gone")
	if got := compiled(t, whole, program.Numbered(p.ProcessID, was)).Lost(); !slices.Equal(got, []string{"gone"}) {
		t.Fatal(got)
	}
}
