package guide_test

import (
	"regexp"
	"strings"
	"testing"
)

// differ are the forms of what is another each time.
var differ = []string{
	`127\.\d+\.\d+\.\d+(?::\d+)?`,
	`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`, `\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?`, `\d{4}-\d\d-\d\d`,
	`\d\d:\d\d:\d\d`,
	`[0-9a-f]{64}`, `01[0-9A-HJKMNP-TV-Z]{24}`, `\d{15,}`, `sx[a-z]_[\w-]+`, `SHA256:[\w+/]{43}`, `(?:\d+m)?\d+(?:\.\d+)? ?(?:ms|µs|s)\b`,
}

var anyForm = regexp.MustCompile(`…|\b(?:` + strings.Join(differ, "|") + `)`)

// shape is the pattern of what is printed where a document shows a line.
func shape(line string) *regexp.Regexp {
	var b strings.Builder
	at := 0
	for _, found := range anyForm.FindAllStringIndex(line, -1) {
		b.WriteString(regexp.QuoteMeta(line[at:found[0]]))
		b.WriteString(form(line[found[0]:found[1]]))
		at = found[1]
	}
	b.WriteString(regexp.QuoteMeta(line[at:]))
	return regexp.MustCompile(`^` + b.String() + `$`)
}

func form(text string) string {
	for _, p := range differ {
		if regexp.MustCompile(`^(?:` + p + `)$`).MatchString(text) {
			return p
		}
	}
	return `.*`
}

// same reports whether what was printed is what a document shows. A line of `…`
// stands for any lines; columns may be of other widths.
func same(want, got string) bool { return follows(lines(want), lines(got)) }

func lines(text string) []string {
	var all []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		all = append(all, strings.Join(strings.Fields(line), " "))
	}
	return all
}

func follows(want, got []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == "…":
		for skip := range len(got) + 1 {
			if follows(want[1:], got[skip:]) {
				return true
			}
		}
		return false
	case len(got) == 0:
		return false
	}
	return shape(want[0]).MatchString(got[0]) && follows(want[1:], got[1:])
}

func TestWhatIsPrintedIsCompared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want, got string
		same      bool
	}{
		"the very same":            {"a  b\nc", "a b\nc\n", true},
		"another word":             {"state ok", "state failed", false},
		"another key and time":     {"27021597764222976  2026-01-31 08:00:00", "18014398509481985 2027-02-01 09:10:11", true},
		"another duration":         {"took 1.2s", "took 350ms", true},
		"a key in place of a word": {"run ok", "run 27021597764222976", false},
		"a small number differs":   {"3 hosts", "4 hosts", false},
		"the rest of a line":       {"stdout=…", "stdout=Linux", true},
		"any lines":                {"a\n…\nz", "a\nb\nc\nz", true},
		"any lines, but the last":  {"a\n…\nz", "a\nb", false},
		"a line too many":          {"a", "a\nb", false},
		"a line is missing":        {"a\nb", "a", false},
	} {
		if got := same(c.want, c.got); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCommandsEndWhereTheirQuotesDo(t *testing.T) {
	t.Parallel()
	d := parse("x.md", "# T\n```sh\na 'b\nc' \\\n  d   # exit code 4\n# no command\n\ne \"it's\" # don't\n```\n```text\nshown\n```\n")
	if len(d.steps) != 2 || d.steps[0].command != "a 'b\nc' \\\n  d   # exit code 4" || d.steps[0].code != 4 || d.steps[0].line != 3 {
		t.Fatalf("%+v", d.steps)
	}
	if s := d.steps[1]; s.command != `e "it's" # don't` || s.shows != "shown" || s.heading != "T" || s.line != 8 {
		t.Errorf("%+v", s)
	}
}
