// Package docs_test keeps the documents true: links lead somewhere, reference
// pages are those of the code, examples deploy.
//
// go test ./docs -update rewrites what is generated.
package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"sextant/internal/cli"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/platform"
)

var update = flag.Bool("update", false, "rewrite what is generated")

const root = ".."

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// documents are the files of the reader, from the root of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".md") {
			all = append(all, path.Join("docs", filepath.ToSlash(p)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// prose is a document without its fenced blocks.
func prose(text string) string {
	var out []string
	fenced := false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

var (
	linked = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`)
	coded  = regexp.MustCompile("`[^`]*`")
	block  = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```")
)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, doc := range documents(t) {
		for _, m := range linked.FindAllStringSubmatch(prose(read(t, doc)), -1) {
			target := m[1] + m[2]
			if strings.Contains(target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			to := doc
			if file != "" {
				to = path.Join(path.Dir(doc), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s: %s leads nowhere", doc, target)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, to)), anchor) {
				t.Errorf("%s: %s has no heading for #%s", doc, to, anchor)
			}
		}
	}
}

// anchors are the ids of a document's headings.
func anchors(text string) []string {
	var all []string
	for line := range strings.SplitSeq(prose(text), "\n") {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return r
			}
			return -1
		}, title))
	}
	return all
}

// A promise names a test: that test is there.
func TestPromisesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`\[(Test\w+)\]\(([^)]+)\)`)
	for _, doc := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(read(t, doc), -1) {
			if !strings.Contains(read(t, path.Join(path.Dir(doc), m[2])), "func "+m[1]+"(") {
				t.Errorf("%s: %s has no %s", doc, m[2], m[1])
			}
		}
	}
}

// What happens when the server is killed is proved, moment by moment.
func TestEveryMomentOfAKillNamesItsProof(t *testing.T) {
	t.Parallel()
	_, part, _ := strings.Cut(read(t, "ARCHITECTURE.md"), "## When the server is killed\n")
	part, _, _ = strings.Cut(part, "\n## ")
	rows := 0
	for line := range strings.SplitSeq(part, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| At ") {
			continue
		}
		if rows++; !strings.Contains(line, "[Test") {
			t.Errorf("ARCHITECTURE.md names no test: %s", line)
		}
	}
	if rows < 14 {
		t.Errorf("%d moments are told", rows)
	}
}

// The first screen has a sentence, a picture, two commands, the six words as a
// diagram, promises with their tests, and what is not there yet.
func TestTheFirstScreen(t *testing.T) {
	t.Parallel()
	const picture = "docs/img/run-page.png"
	makefile, data := read(t, "Makefile"), read(t, picture)
	if shape, err := png.DecodeConfig(strings.NewReader(data)); err != nil || shape.Width != 1440 || len(data) > 200<<10 {
		t.Errorf("%s: %d bytes, %+v, %v", picture, len(data), shape, err)
	}
	for doc, words := range map[string][]string{"README.md": {"Object", "Service", "Process", "Run", "Rule", "Door"},
		"README.zh-CN.md": {"对象", "服务", "流程", "运行", "规则", "门"}} {
		text := read(t, doc)
		lines := strings.Split(text, "\n")
		first := strings.Join(lines[:min(25, len(lines))], "\n")
		if !strings.Contains(first, `src="`+picture+`"`) {
			t.Errorf("%s: the picture is not on the first 25 lines", doc)
		}
		blocks := block.FindAllStringSubmatch(first, -1)
		if len(blocks) != 2 || blocks[0][1] != "sh" || blocks[1][1] != "mermaid" {
			t.Fatalf("%s: want a block of commands and a diagram on the first screen, there are %d blocks", doc, len(blocks))
		}
		commands := regexp.MustCompile(`(?m)^make (\w+)`).FindAllStringSubmatch(blocks[0][2], -1)
		if len(commands) != 2 {
			t.Errorf("%s: %d commands on the first screen, want 2", doc, len(commands))
		}
		for _, c := range commands {
			if !regexp.MustCompile(`(?m)^` + c[1] + `:`).MatchString(makefile) {
				t.Errorf("%s: the makefile has no %s", doc, c[1])
			}
		}
		for _, w := range words {
			if !strings.Contains(blocks[1][2], "<b>"+w+"</b>") {
				t.Errorf("%s: the diagram has no %s", doc, w)
			}
		}
		promises := 0
		for line := range strings.SplitSeq(first, "\n") {
			if strings.HasPrefix(line, "| ") {
				promises++
			}
			if strings.HasPrefix(line, "| ") && promises > 1 && !strings.Contains(line, "[Test") {
				t.Errorf("%s: a promise names no test: %s", doc, line)
			}
		}
		if promises < 6 || !strings.Contains(first, "](#") {
			t.Errorf("%s: %d rows of promises, or nothing leads to what is not there yet", doc, promises)
		}
	}
}

// Both languages have the same sections, tables and commands.
func TestBothReadmesSayTheSame(t *testing.T) {
	t.Parallel()
	shape := func(doc string) map[string]int {
		text := read(t, doc)
		count := map[string]int{"blocks": len(block.FindAllString(text, -1))}
		for line := range strings.SplitSeq(prose(text), "\n") {
			for _, mark := range []string{"## ", "| ", "- "} {
				if strings.HasPrefix(line, mark) {
					count[mark]++
				}
			}
		}
		return count
	}
	if en, zh := shape("README.md"), shape("README.zh-CN.md"); !maps.Equal(en, zh) {
		t.Errorf("README.md has %v and README.zh-CN.md %v", en, zh)
	}
	commands := func(doc string) (all [][]string) {
		for _, line := range shell(read(t, doc)) {
			if words := split(line); len(words) > 0 {
				all = append(all, words)
			}
		}
		return all
	}
	translated(t, "README.zh-CN.md")
	if en, zh := commands("README.md"), commands("README.zh-CN.md"); !reflect.DeepEqual(en, zh) {
		t.Errorf("README.md has the commands %q and README.zh-CN.md %q", en, zh)
	}
}

// A translation has the parts of its original, and the very same commands and files.
func TestTranslationsSayTheSame(t *testing.T) {
	t.Parallel()
	fences := regexp.MustCompile("(?ms)^```.*?^```$")
	headings := regexp.MustCompile(`(?m)^(#+) `)
	found := 0
	for _, doc := range documents(t) {
		original, ok := strings.CutSuffix(doc, ".zh-CN.md")
		if !ok || !strings.HasPrefix(doc, "docs/") {
			continue
		}
		found++
		en, zh := read(t, original+".md"), read(t, doc)
		blocks, n := fences.FindAllString(en, -1), -1
		same := fences.ReplaceAllStringFunc(zh, func(string) string { n++; return blocks[min(n, len(blocks)-1)] })
		if n+1 != len(blocks) {
			t.Errorf("%s has %d blocks of commands or files and %s.md %d", doc, n+1, original, len(blocks))
			continue
		}
		current(t, doc, same)
		translated(t, doc)
		alike(t, doc, prose(en), prose(zh))
		if want, got := headings.FindAllString(prose(en), -1), headings.FindAllString(prose(zh), -1); !slices.Equal(want, got) {
			t.Errorf("%s has other parts than %s.md: %d, not %d", doc, original, len(got), len(want))
		}
	}
	if found < 5 {
		t.Errorf("%d translations are found, want at least 5", found)
	}
}

// alike compares the parts of a translation with those of its original: the names
// that stand as code, the rows of tables and the items of lists.
func alike(t *testing.T, doc, en, zh string) {
	t.Helper()
	cut := regexp.MustCompile(`(?m)^#+ .*$`)
	figures := regexp.MustCompile(`\d[\d,.]*\d|\b\d\d?\b`)
	place := regexp.MustCompile(`<[^>` + "`" + `]+>`)
	count := func(part string) (names map[string]bool, shape [2]int) {
		names = map[string]bool{}
		for _, code := range coded.FindAllString(part, -1) {
			names[place.ReplaceAllString(code, "<>")] = true
		}
		for _, number := range figures.FindAllString(coded.ReplaceAllString(linked.ReplaceAllString(part, ""), ""), -1) {
			names[number] = true
		}
		return names, [2]int{strings.Count(part, "\n| "), strings.Count(part, "\n- ")}
	}
	wanted, got := cut.Split(en, -1), cut.Split(zh, -1)
	for i := range min(len(wanted), len(got)) {
		names, shape := count(wanted[i])
		theirs, its := count(got[i])
		if shape != its {
			t.Errorf("%s, part %d: %v rows and items, the original has %v", doc, i, its, shape)
		}
		for name := range names {
			if !theirs[name] {
				t.Errorf("%s, part %d does not name %s", doc, i, name)
			}
		}
		for name := range theirs {
			if !names[name] {
				t.Errorf("%s, part %d names %s, the original does not", doc, i, name)
			}
		}
	}
}

// translated checks that a translation leads to translations where there are some.
func translated(t *testing.T, doc string) {
	t.Helper()
	for _, m := range linked.FindAllStringSubmatch(prose(read(t, doc)), -1) {
		file, _, _ := strings.Cut(m[1], "#")
		other := strings.TrimSuffix(file, ".md") + ".zh-CN.md"
		if !strings.HasSuffix(file, ".md") || strings.HasSuffix(file, ".zh-CN.md") || path.Join(path.Dir(doc), other) == doc {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, path.Dir(doc), other)); err == nil {
			t.Errorf("%s leads to %s, which has a translation", doc, file)
		}
	}
}

// current compares a part of a document with what the code gives.
func current(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join(root, file), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if read(t, file) != want {
		t.Errorf("%s is not that of the code: go test ./docs -update", file)
	}
}

func TestTheCommandReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("<!-- Written by go test ./docs -update. Do not edit. -->\n# Command line\n\nFor users of the command line: what each " +
		"command says of itself with `--help`.\n" +
		"Flags of the first block go with every command. `sextant completion <shell>` writes a completion script.\n")
	commands(t, &b, nil)
	current(t, "docs/reference/cli.md", b.String())
}

// help is what a command says of itself.
func help(t *testing.T, args []string) string {
	t.Helper()
	var out, trouble bytes.Buffer
	if code := cli.Run(t.Context(), cli.Streams{In: &bytes.Buffer{}, Out: &out, Err: &trouble}, "dev",
		append(slices.Clone(args), "--help")); code != 0 {
		t.Fatalf("sextant %v --help ends with %d: %s", args, code, trouble.String())
	}
	return out.String()
}

func commands(t *testing.T, b *strings.Builder, args []string) {
	t.Helper()
	text := help(t, args)
	own, _, _ := strings.Cut(text, "\nGlobal Flags:")
	own, _, _ = strings.Cut(own, "\nUse \"sextant")
	title := strings.Join(append([]string{"sextant"}, args...), " ")
	fmt.Fprintf(b, "\n## %s\n\n```text\n%s\n```\n", title, strings.TrimSpace(own))
	_, list, _ := strings.Cut(text, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.SplitSeq(list, "\n") {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "" && name != "help" && name != "completion" {
			commands(t, b, append(slices.Clone(args), name))
		}
	}
}

// empty is a configuration file without settings.
func empty(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "sextant.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// settingDocs are the comments of the settings' fields, by key.
func settingDocs(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/config/config.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]*ast.StructType{}
	ast.Inspect(f, func(n ast.Node) bool {
		if ts, ok := n.(*ast.TypeSpec); ok {
			if st, ok := ts.Type.(*ast.StructType); ok {
				structs[ts.Name.Name] = st
			}
		}
		return true
	})
	about := map[string]string{}
	var walk func(prefix string, st *ast.StructType)
	walk = func(prefix string, st *ast.StructType) {
		doc := ""
		for _, field := range st.Fields.List {
			if field.Tag == nil {
				continue
			}
			if field.Doc != nil { // one comment may be for several fields that follow each other
				doc = meaning(field.Doc.Text())
			}
			tag, _ := strconv.Unquote(field.Tag.Value)
			key := prefix + reflect.StructTag(tag).Get("koanf")
			if id, ok := field.Type.(*ast.Ident); ok && structs[id.Name] != nil {
				walk(key+".", structs[id.Name])
				continue
			}
			about[key] = doc
		}
	}
	walk("", structs["Config"])
	return about
}

var (
	begins = regexp.MustCompile(`^\w+( and \w+)? (is|are) `)
	ends   = regexp.MustCompile(` Default \S+\.$`)
)

// meaning is a field's comment without its name and its default.
func meaning(comment string) string {
	text := strings.Join(strings.Fields(comment), " ")
	text = ends.ReplaceAllString(begins.ReplaceAllString(text, ""), "")
	return strings.ToUpper(text[:1]) + text[1:]
}

var (
	dotted = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
	noCode = regexp.MustCompile(`\.(db|log|json|yaml|pid|conf|key|gz|mod|sum|v1)$`)
)

// words are the dotted texts of the source: those that certainly are codes, with
// their statuses, and those that are rights or verbs.
type words struct {
	codes  map[string]map[int]bool
	rights map[string]bool
	all    map[string]bool
}

func source(t *testing.T) words {
	t.Helper()
	w := words{map[string]map[int]bool{}, map[string]bool{}, map[string]bool{}}
	for _, dir := range []string{"internal", "plugins", "sdk"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
			if err == nil {
				ast.Inspect(f, func(n ast.Node) bool { w.take(n); return true })
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w words) take(n ast.Node) {
	switch n := n.(type) {
	case *ast.BasicLit:
		if s := text(n); s != "" {
			w.all[s] = true
		}
	case *ast.CallExpr:
		w.call(n)
	case *ast.KeyValueExpr:
		key, _ := n.Key.(*ast.Ident)
		if s := text(n.Value); s != "" && key != nil {
			switch key.Name {
			case "Code":
				w.code(s, 0)
			case "Permission", "Verb":
				w.rights[s] = true
			}
		}
	case *ast.ValueSpec:
		for i, v := range n.Values {
			if s := text(v); s != "" && i < len(n.Names) && strings.HasPrefix(n.Names[i].Name, "Code") {
				w.code(s, 0)
			}
		}
	}
}

func (w words) call(c *ast.CallExpr) {
	name := ""
	switch fn := c.Fun.(type) {
	case *ast.Ident:
		name = fn.Name
	case *ast.SelectorExpr:
		name = fn.Sel.Name
	}
	status := 0
	for _, a := range c.Args {
		if sel, ok := a.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == "errs" {
				status = statuses()[sel.Sel.Name]
			}
		}
	}
	for _, a := range c.Args {
		s := text(a)
		switch {
		case s == "":
		case slices.Contains([]string{"Require", "RequireIn", "Can", "audited", "record"}, name):
			w.rights[s] = true
		case status > 0 || slices.Contains([]string{"Fail", "fail", "failed", "problem", "problemOf"}, name):
			w.code(s, status)
		}
	}
}

func (w words) code(s string, status int) {
	if w.codes[s] == nil {
		w.codes[s] = map[int]bool{}
	}
	if status > 0 {
		w.codes[s][status] = true
	}
}

func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil || !dotted.MatchString(s) {
		return ""
	}
	return s
}

func statuses() map[string]int {
	all := map[string]int{}
	for name, k := range map[string]errs.Kind{"Internal": errs.Internal, "Malformed": errs.Malformed,
		"Unauthenticated": errs.Unauthenticated, "Forbidden": errs.Forbidden,
		"NotFound": errs.NotFound, "Conflict": errs.Conflict, "Gone": errs.Gone, "Stale": errs.Stale, "TooLarge": errs.TooLarge,
		"Invalid": errs.Invalid, "Locked": errs.Locked,
		"Required": errs.Required, "Exhausted": errs.Exhausted, "Unavailable": errs.Unavailable, "Full": errs.Full,
		"Method": errs.Method, "Slow": errs.Slow, "LongAddress": errs.LongAddress, "Media": errs.Media, "Misdirected": errs.Misdirected} {
		all[name] = k.Status()
	}
	return all
}

// sourceCodes are all codes: the certain ones, and texts that begin as those do.
// Paths within a manifest look like them.
func sourceCodes(t *testing.T) words {
	w := source(t)
	domains := map[string]bool{}
	for c := range w.codes {
		first, _, _ := strings.Cut(c, ".")
		domains[first] = true
	}
	delete(domains, "resources") // paths within a manifest
	delete(domains, "ui")
	for s := range w.all {
		if first, _,
			_ := strings.Cut(s, "."); domains[first] && !w.rights[s] && !noCode.MatchString(s) && s != "run.binary" && s != "run.image" {
			w.code(s, 0)
		}
	}
	maps.DeleteFunc(w.codes, func(c string, _ map[int]bool) bool {
		first, _, _ := strings.Cut(c, ".")
		return !domains[first] || w.rights[c] && len(w.codes[c]) == 0
	})
	return w
}

var errorRow = regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\|([^|\n]*)\\| (.+) \\|$")

// Every code that a client may see is explained, with its status, and no other.
func TestEveryErrorCodeIsExplained(t *testing.T) {
	t.Parallel()
	const file = "docs/reference/errors.md"
	w := sourceCodes(t)
	page := read(t, file)
	explained := map[string]bool{}
	page = errorRow.ReplaceAllStringFunc(page, func(row string) string {
		m := errorRow.FindStringSubmatch(row)
		if !strings.Contains(m[1], ".") {
			return row // the table of kinds of incidents and the like
		}
		if explained[m[1]] {
			t.Errorf("%s: %s stands twice", file, m[1])
		}
		explained[m[1]] = true
		if w.codes[m[1]] == nil {
			t.Errorf("%s: no source has the code %s", file, m[1])
			return row
		}
		if len(w.codes[m[1]]) == 0 {
			return row // its status is not told where it is made
		}
		var all []string
		for _, s := range slices.Sorted(maps.Keys(w.codes[m[1]])) {
			all = append(all, strconv.Itoa(s))
		}
		return fmt.Sprintf("| `%s` | %s | %s |", m[1], strings.Join(all, ", "), m[3])
	})
	for _, c := range slices.Sorted(maps.Keys(w.codes)) {
		if !explained[c] {
			t.Errorf("%s does not explain %s", file, c)
		}
	}
	current(t, file, page)
}

// The tables and the packages that ARCHITECTURE.md names are those of the code.
func TestTheMapIsTrue(t *testing.T) {
	t.Parallel()
	page := read(t, "ARCHITECTURE.md")
	_, state, _ := strings.Cut(page, "## Where state lives\n")
	state, _, _ = strings.Cut(state, "\n## ")
	told, made := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z]+_[a-z_]+)`").FindAllStringSubmatch(state, -1) {
		told[m[1]] = true
	}
	change := regexp.MustCompile(`(?m)^(CREATE|DROP|ALTER) TABLE (\w+)(?: RENAME TO (\w+))?`)
	_, chart, _ := strings.Cut(page, "## Map\n")
	chart, _, _ = strings.Cut(chart, "\n## ")
	for _, dir := range []string{"internal", "plugins", "sdk", "test"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(p)), root+"/")
			if strings.HasSuffix(p, ".go") && !inside(chart, name) {
				t.Errorf("the map of ARCHITECTURE.md does not name %s", name)
			}
			if strings.HasSuffix(p, ".sql") && !strings.Contains(p, "testdata") {
				up, _, _ := strings.Cut(read(t, strings.TrimPrefix(filepath.ToSlash(p), root+"/")), "+goose Down")
				for _, m := range change.FindAllStringSubmatch(up, -1) {
					made[m[2]] = m[1] == "CREATE" || m[1] == "ALTER" && m[3] == "" // which adds a column
					if m[3] != "" {
						made[m[3]] = true
					}
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, there := range made {
		if there != told[name] {
			t.Errorf("ARCHITECTURE.md: the table %s: told %v, there %v", name, told[name], there)
		}
	}
	for name := range told {
		if _, known := made[name]; !known {
			t.Errorf("ARCHITECTURE.md names the table %s, which nobody makes", name)
		}
	}
}

// inside reports whether a map names a package, or the one that it is a part of.
func inside(chart, dir string) bool {
	for at := dir; at != "." && at != "internal" && at != "sdk/go" && at != "test"; at = path.Dir(at) {
		if regexp.MustCompile(`\b` + regexp.QuoteMeta(path.Base(at)) + `\b`).MatchString(chart) {
			return true
		}
	}
	return false
}

// Every module that the code imports has its row, and no other.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	const file = "docs/adr/0005-dependencies.md"
	var known []string
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:require )?([\w./-]+\.[\w./-]+) v`).
		FindAllStringSubmatch(read(t, "go.mod")+read(t, "release/go.mod"), -1) {
		known = append(known, m[1])
	}
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != root &&
				(strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			if m := longest(known, name); m != "" {
				used[m] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(read(t, file), -1) {
		explained[m[1]] = true
	}
	for m := range used {
		if !explained[m] {
			t.Errorf("%s does not explain %s", file, m)
		}
	}
	for m := range explained {
		if !used[m] {
			t.Errorf("%s explains %s, which nothing imports", file, m)
		}
	}
}

func longest(known []string, name string) string {
	best := ""
	for _, m := range known {
		if (name == m || strings.HasPrefix(name, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

// Whole processes in the guides can be deployed as they stand.
func TestProcessesInTheGuidesDeploy(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	found := 0
	for _, doc := range documents(t) {
		for _, m := range block.FindAllStringSubmatch(read(t, doc), -1) {
			if m[1] != "xml" || !strings.Contains(m[2], "<definitions") {
				continue
			}
			found++
			if err := p.Deploy([]byte(m[2])); err != nil {
				t.Errorf("%s: a process is refused: %v", doc, err)
			}
		}
	}
	if found == 0 {
		t.Error("the guides have no process")
	}
}

// The program in the guide for authors of plugins is that of the example.
func TestTheGuideShowsTheExample(t *testing.T) {
	t.Parallel()
	example := normal(read(t, "examples/plugins/hello/hello.go"))
	for _, m := range block.FindAllStringSubmatch(read(t, "docs/plugin-authors/write-a-plugin.md"), -1) {
		if m[1] != "go" {
			continue
		}
		for part := range strings.SplitSeq(m[2], "\n\n") {
			if !strings.Contains(example, normal(part)) {
				t.Errorf("the example does not hold\n%s", part)
			}
		}
	}
}

// Every header between platform and plugin is told to authors of plugins.
func TestTheHeadersOfACallAreTold(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/plugin-authors/write-a-plugin.md")
	all := regexp.MustCompile(`(?m)^\s+Header\w+\s+= "([\w-]+)"`).FindAllStringSubmatch(goSources(t, "sdk/go/wire"), -1)
	if len(all) < 10 {
		t.Errorf("only %d headers are found", len(all))
	}
	for _, m := range all {
		if !strings.Contains(page, "`"+m[1]) {
			t.Errorf("docs/plugin-authors/write-a-plugin.md does not tell of %s", m[1])
		}
	}
}

var comment = regexp.MustCompile(`(?m)^//.*\n`)

// normal is a program without comments on lines of their own and without
// differences of white space.
func normal(program string) string {
	return strings.Join(strings.Fields(comment.ReplaceAllString(program, "")), " ")
}
