package guide_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// step is a command of a document.
type step struct {
	doc, heading string
	line         int
	command      string
	code         int    // that it ends with
	shows        string // what it prints, if the document says so
}

var (
	exits  = regexp.MustCompile(`#.*\bexit code (\d)`)
	titled = regexp.MustCompile(`^#+ (.+)$`)
)

// document is a file of the reader, cut into what there is to do.
type document struct {
	steps []step
	files map[string]string // whole processes, by the name that they are deployed under
}

var process = regexp.MustCompile(`<process id="([\w-]+)"`)

func parse(doc, text string) document {
	d := document{files: map[string]string{}}
	heading, lang, from := "", "", 0
	var held []string
	fenced := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```") && !fenced:
			fenced, lang, from, held = true, strings.TrimPrefix(line, "```"), i+2, nil
		case strings.HasPrefix(line, "```"):
			fenced = false
			d.take(step{doc: doc, heading: heading, line: from}, lang, strings.Join(held, "\n"))
		case fenced:
			held = append(held, line)
		default:
			if m := titled.FindStringSubmatch(line); m != nil {
				heading = m[1]
			}
		}
	}
	return d
}

func (d *document) take(at step, lang, text string) {
	switch lang {
	case "sh":
		d.steps = append(d.steps, commands(at, text)...)
	case "text":
		if len(d.steps) > 0 {
			d.steps[len(d.steps)-1].shows = text
		}
	case "xml":
		if m := process.FindStringSubmatch(text); m != nil && strings.Contains(text, "<definitions") {
			d.files[m[1]+".bpmn"] = text + "\n"
		}
	}
}

// commands cuts a block where a command ends: not within quotes, and not behind a
// backslash.
func commands(at step, block string) []step {
	var all []step
	begun, from := "", 0
	for i, line := range strings.Split(block, "\n") {
		if begun == "" && (strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#")) {
			continue
		}
		s := at
		if begun == "" {
			from = at.line + i
		}
		if begun += line; open(begun) {
			begun += "\n"
			continue
		}
		s.line, s.command, begun = from, begun, ""
		if m := exits.FindStringSubmatch(s.command); m != nil {
			s.code, _ = strconv.Atoi(m[1]) // one digit
		}
		all = append(all, s)
	}
	return all
}

// open reports whether a command goes on in the next line.
func open(command string) bool {
	quote, escaped, word := rune(0), false, false
	for _, r := range command {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
			continue
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '#' && !word:
			return false
		}
		word = r != ' ' && r != '\n' && r != '\t'
	}
	return escaped || quote != 0
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// written are the documents in English; a test of the documents proves that the
// translations have the very same blocks.
func written(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".md") && !strings.HasSuffix(p, ".zh-CN.md") {
			all = append(all, path.Clean(strings.TrimPrefix(filepath.ToSlash(p), root+"/")))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
