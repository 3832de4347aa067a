package docs_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"sextant/internal/cli"
)

// split cuts a line into words as a shell does, as far as our lines need it.
func split(line string) []string {
	var words []string
	word, in, quote := "", false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
				continue
			}
			word += string(r)
		case r == '\'' || r == '"':
			in, quote = true, r
		case r == '#' && !in, strings.ContainsRune("|;", r):
			return finish(words, word, in)
		case r == ' ' || r == '\t':
			words = finish(words, word, in)
			word, in = "", false
		default:
			word, in = word+string(r), true
		}
	}
	return finish(words, word, in)
}

func finish(words []string, word string, in bool) []string {
	if in {
		words = append(words, word)
	}
	return words
}

// shell are the lines of commands of a document.
func shell(text string) []string {
	var all []string
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		if m[1] == "sh" {
			all = append(all, strings.Split(strings.ReplaceAll(m[2], "\\\n", " "), "\n")...)
		}
	}
	return all
}

// Every command of our program in the documents is one, with flags that it has;
// every request is one that the API takes.
func TestCommandsInTheDocumentsExist(t *testing.T) {
	t.Parallel()
	var spec struct {
		Paths map[string]map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "api/openapi.yaml")), &spec); err != nil {
		t.Fatal(err)
	}
	inner := regexp.MustCompile(`\$\((sextant [^()]*)\)`)
	makefile := read(t, "Makefile")
	commands, requests := 0, 0
	for _, doc := range documents(t) {
		named := coded.FindAllString(prose(read(t, doc)), -1)
		if doc == "CHANGELOG.md" || strings.HasPrefix(doc, "docs/reference/") { // which tells of what was, or is written by a test
			named = nil
		}
		for _, code := range named {
			if words := split(strings.Trim(code, "`")); len(words) > 1 && (words[0] == "sextant" || words[0] == "build/sextant") {
				commands++
				exists(t, doc, words[1:])
			}
		}
		for _, line := range shell(read(t, doc)) {
			for _, m := range inner.FindAllStringSubmatch(line, -1) {
				commands++
				exists(t, doc, split(m[1])[1:])
			}
			words := split(line)
			switch {
			case len(words) == 0:
			case words[0] == "sextant", words[0] == "build/sextant":
				commands++
				exists(t, doc, words[1:])
			case words[0] == "curl":
				requests++
				asks(t, doc, words, spec.Paths)
			case words[0] == "make" && len(words) > 1:
				if !regexp.MustCompile(`(?m)^` + words[1] + `:`).MatchString(makefile) {
					t.Errorf("%s: make has no target %s", doc, words[1])
				}
			case words[0] == "go":
				if path := words[len(words)-1]; !there(path) {
					t.Errorf("%s: %s: there is no %s", doc, line, path)
				}
			}
		}
	}
	if commands < 60 || requests < 4 {
		t.Errorf("only %d commands and %d requests were found", commands, requests)
	}
}

func exists(t *testing.T, doc string, args []string) {
	t.Helper()
	if slices.Contains(args, "…") {
		return
	}
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i] // what follows is somebody else's
	}
	var out, trouble bytes.Buffer
	code := cli.Run(t.Context(), cli.Streams{In: &bytes.Buffer{}, Out: &out, Err: &trouble}, "dev", append(slices.Clone(args), "--help"))
	group := strings.Contains(out.String(), "Available Commands:") && len(args) > 0 && !strings.HasPrefix(args[0], "-")
	if code != 0 || group {
		t.Errorf("%s: sextant %s is no command: %s", doc, strings.Join(args, " "), trouble.String())
	}
}

var place = regexp.MustCompile(`^\{\w+\}$`)

// asks checks that a path of the API has the method of a request.
func asks(t *testing.T, doc string, words []string, paths map[string]map[string]any) {
	t.Helper()
	method, url := "get", ""
	for i, w := range words {
		if w == "-X" && i+1 < len(words) {
			method = strings.ToLower(words[i+1])
		}
		if at := strings.Index(w, "/api/v1/"); at >= 0 && url == "" {
			url, _, _ = strings.Cut(w[at:], "?")
		}
	}
	for path, methods := range paths {
		want, got := strings.Split(path, "/"), strings.Split(url, "/")
		same := len(want) == len(got)
		for i := 0; same && i < len(want); i++ {
			same = want[i] == got[i] || place.MatchString(want[i])
		}
		if same && methods[method] != nil {
			return
		}
	}
	t.Errorf("%s: the API takes no %s %s", doc, method, url)
}

// The table of what a script is called with is that of its service, in both languages.
func TestTheInputsOfAScriptAreThoseOfItsService(t *testing.T) {
	t.Parallel()
	var m struct {
		Services []struct {
			Name    string
			Actions []struct {
				Action string
				Input  []struct{ Name, Default, From string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "plugins/host/plugin.yaml")), &m); err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{"docs/guide/own-script-own-host.md", "docs/guide/own-script-own-host.zh-CN.md"} {
		told := map[string]string{}
		for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\| ([^|]*) \\|").FindAllStringSubmatch(read(t, doc), -1) {
			for _, name := range coded.FindAllString(row[1], -1) {
				told[strings.Trim(name, "`")] = strings.Trim(row[2], "`")
			}
		}
		for _, s := range m.Services {
			for _, a := range s.Actions {
				for _, in := range a.Input {
					if s.Name != "script" || in.From != "" {
						continue
					}
					if given, ok := told[in.Name]; !ok || in.Default != "" && given != in.Default {
						t.Errorf("%s: the input %s has the default %q, told is %q, %v", doc, in.Name, in.Default, given, ok)
					}
				}
			}
		}
	}
}

// What a server that does not start says stands in the table as it says it.
func TestWhatAServerSaysIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	_, part, _ := strings.Cut(read(t, "docs/operate/recover.md"), "| It says | Do |\n|---|---|\n")
	part, _, _ = strings.Cut(part, "\n\n")
	code := goSources(t, "internal/server") + goSources(t, "internal/kit/secret") + goSources(t, "internal/kit/db")
	rows := 0
	for line := range strings.SplitSeq(part, "\n") {
		rows++
		said := strings.TrimSpace(strings.Split(line, "|")[1])
		for words := range strings.SplitSeq(said, "…") {
			if !strings.Contains(code, strings.TrimSpace(words)) {
				t.Errorf("no server says %q", said)
			}
		}
	}
	if rows < 7 {
		t.Errorf("%d rows are found", rows)
	}
}

// Every kind of incident stands in the table of what to do about it, in both
// languages, and no other.
func TestEveryKindOfIncidentIsExplained(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{"engine.quarantined": true, "engine.damaged": true} // which are told by their code
	for _, dir := range []string{"internal/engine", "internal/domain/dispatch"} {
		for _, m := range regexp.MustCompile(`(?m)^\s+Incident\w+\s+= "([a-z_.]+)"`).FindAllStringSubmatch(goSources(t, dir), -1) {
			kinds[m[1]] = true
		}
	}
	if len(kinds) < 15 {
		t.Errorf("only %d kinds are found", len(kinds))
	}
	for doc, heading := range map[string]string{"docs/operate/repair-a-run.md": "## Kinds of incidents",
		"docs/operate/repair-a-run.zh-CN.md": "## 异常的种类"} {
		_, part, _ := strings.Cut(read(t, doc), heading)
		part, _, _ = strings.Cut(part, "\n## ")
		told := map[string]bool{}
		for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(part, -1) {
			for _, name := range coded.FindAllString(row[1], -1) {
				told[strings.Trim(name, "`")] = true
			}
		}
		for kind := range kinds {
			if !told[kind] {
				t.Errorf("%s does not say what to do about %s", doc, kind)
			}
		}
		for name := range told {
			if !kinds[name] {
				t.Errorf("%s tells of %s, which is no kind of incident", doc, name)
			}
		}
	}
}

// Every right that an operation asks for stands in the table of rights.
func TestEveryRightIsExplained(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/operate/server.md")
	asked := regexp.MustCompile(`\b(?:Require|RequireIn|RequireAll|Can|CanIn)\([^"\n]*"([a-z]+)\.([a-z]+)"`)
	for _, dir := range []string{"control", "dispatch", "identity", "object", "plugin", "process", "resource", "setting", "worklist"} {
		for _, m := range asked.FindAllStringSubmatch(goSources(t, "internal/domain/"+dir), -1) {
			if m[1] != "any" && !regexp.MustCompile("(?m)^\\| `"+m[1]+"` \\|.*`"+m[2]+"`").MatchString(page) {
				t.Errorf("docs/operate/server.md does not list the right %s.%s", m[1], m[2])
			}
		}
	}
	for _, m := range regexp.MustCompile(`x-permission: ([a-z]+)\.([a-z]+)`).FindAllStringSubmatch(read(t, "api/openapi.yaml"), -1) {
		if !regexp.MustCompile("(?m)^\\| `" + m[1] + "` \\|.*`" + m[2] + "`").MatchString(page) {
			t.Errorf("docs/operate/server.md does not list the right %s.%s", m[1], m[2])
		}
	}
}
