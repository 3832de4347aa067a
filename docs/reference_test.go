package docs_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
)

const written = "<!-- Written by go test ./docs -update. Do not edit. -->\n"

// cell is a text that stands in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// The cases of test/trust, for those who want to know what was tried.
func TestTheSecurityCasesAreCurrent(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(bytes.NewReader([]byte(read(t, "test/trust/cases.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	var b strings.Builder
	group := ""
	for _, r := range rows[1:] {
		id, in, input, answer, status, proof := r[0], r[1], r[2], r[3], r[4], r[5]
		count[status]++
		if in != group {
			group = in
			fmt.Fprintf(&b, "\n## %s\n\n| Case | Input | Answer | Proof |\n|---|---|---|---|\n", group)
		}
		if status != "tested" {
			fmt.Fprintf(&b, "| %s | %s | *%s* | *%s*: %s |\n", id, cell(input), cell(answer), status, cell(proof))
			continue
		}
		var proofs []string
		for p := range strings.SplitSeq(proof, "; ") {
			if dir, name, other := strings.Cut(p, " "); other {
				proofs = append(proofs, name+" in `"+dir+"`")
			} else {
				proofs = append(proofs, "`"+p+"`")
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", id, cell(input), cell(answer), strings.Join(proofs, ", "))
	}
	head := written + "# Security cases\n\nFor those who decide whether to trust Sextant: what attackers and mistakes send, what a running platform has to answer, and the test that proves it. " +
		fmt.Sprintf("%d cases are tested. %d do not apply yet, because what they attack is not built; %d are open: the platform does not yet do what it should. ", count["tested"], count["not applicable yet"], count["open"]) +
		"Where an answer is *slanted*, it is what will be wanted.\n\n`go test ./test/trust` runs those of `test/trust` and checks that every other test named here is there. Every answer is also searched for stacks, queries, paths and secrets.\n"
	current(t, "docs/reference/security-cases.md", head+b.String())
}
