package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"sextant/internal/config"
)

// known is what a document may name.
type known struct {
	words
	exported map[string]map[string]bool // by the name of the package
	tests    map[string]bool
	settings map[string]bool
	paths    map[string]map[string]any // of the API
	targets  map[string]bool           // of make
	sources  string                    // of what reads variables of the environment
}

var (
	testFunc   = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	variables  = regexp.MustCompile(`"SEXTANT_[A-Z_]+"`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// everything is read once for all who ask.
func everything(t *testing.T) *known {
	t.Helper()
	reading.Lock()
	defer reading.Unlock()
	if whole == nil {
		whole = readAll(t)
	}
	return whole
}

var (
	reading sync.Mutex
	whole   *known
)

func readAll(t *testing.T) *known {
	t.Helper()
	k := &known{words: source(t), exported: map[string]map[string]bool{}, tests: map[string]bool{}, settings: map[string]bool{},
		targets: map[string]bool{}}
	l, err := config.Load(empty(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range l.Items {
		k.settings[i.Key] = true
	}
	var spec struct {
		Paths map[string]map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "api/openapi.yaml")), &spec); err != nil {
		t.Fatal(err)
	}
	k.paths = spec.Paths
	makefile := read(t, "Makefile")
	for _, m := range makeTarget.FindAllStringSubmatch(makefile, -1) {
		k.targets[m[1]] = true
	}
	k.sources = makefile
	for _, dir := range []string{"internal", "plugins", "sdk", "examples", "test", "docs", "api", "cmd"} {
		if err := filepath.WalkDir(filepath.Join(root, dir), k.take); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.take(filepath.Join(root, "tidy_test.go"), nil, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// take notes what a file of Go declares.
func (k *known) take(p string, d fs.DirEntry, err error) error {
	if err != nil || d != nil && d.IsDir() || !strings.HasSuffix(p, ".go") {
		return err
	}
	data, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	if strings.HasSuffix(p, "_test.go") {
		for _, m := range variables.FindAllString(string(data), -1) {
			if !strings.Contains(filepath.ToSlash(p), "/docs/") { // where names stand that are none
				k.sources += m + " "
			}
		}
		for _, m := range testFunc.FindAllStringSubmatch(string(data), -1) {
			k.tests[m[1]] = true
		}
		return nil
	}
	k.sources += string(data)
	f, err := parser.ParseFile(token.NewFileSet(), p, data, 0)
	if err != nil {
		return err
	}
	names := k.exported[f.Name.Name]
	if names == nil {
		names = map[string]bool{}
		k.exported[f.Name.Name] = names
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Name.Name] = true
		case *ast.TypeSpec:
			names[n.Name.Name] = true
		case *ast.ValueSpec:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.Field:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		}
		return true
	})
	return nil
}

var (
	asked  = regexp.MustCompile(`^(?:(GET|POST|PUT|PATCH|DELETE) )?(/api/v1/[^ ?]*)`)
	goName = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)$`)
	goFile = regexp.MustCompile(
		`^(?:\.\./)*((?:internal|plugins|sdk|examples|test|docs|api|cmd|web|\.ci|lang|kit|domain|driver|engine|src)/[\w./*-]+)$`)
	variable = regexp.MustCompile(`^SEXTANT_[A-Z_]+$`)
	making   = regexp.MustCompile(`^make ([a-z-]+)`)
	metric   = regexp.MustCompile(`^sextant_[a-z_]+$`)
	testName = regexp.MustCompile(`^Test[A-Z]\w+$`)
)

// lacks says what is wrong with a name; nothing for one that exists or is none of
// ours.
func (k *known) lacks(name string) string {
	switch {
	case name == "domain.*": // the form of rights
		return ""
	case testName.MatchString(name):
		return no(k.tests[name], "there is no such test")
	case metric.MatchString(name):
		return no(strings.Contains(k.sources, `"`+name), "there is no such metric")
	case variable.MatchString(name):
		return no(strings.Contains(k.sources, name) ||
			k.settings[strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "SEXTANT_"), "_", "."))] || k.underscored(name),
			"nothing reads this variable")
	case making.MatchString(name):
		return no(k.targets[making.FindStringSubmatch(name)[1]], "make has no such target")
	case asked.MatchString(name):
		m := asked.FindStringSubmatch(name)
		return no(k.answers(m[1], m[2]), "the API has no such path")
	case goName.MatchString(name):
		m := goName.FindStringSubmatch(name)
		return no(k.exported[m[1]] == nil && k.foreign(m[1]) || k.exported[m[1]][m[2]], "the package "+m[1]+" has no "+m[2])
	case goFile.MatchString(name):
		return no(there(strings.TrimRight(name, "/")), "there is no such file or folder")
	case strings.HasSuffix(name, ".*") && dotted.MatchString(strings.TrimSuffix(name, "*")+"x"):
		return no(k.begins(strings.TrimSuffix(name, "*")), "no setting, right or code begins so")
	case dotted.MatchString(name) && k.ours(name):
		return no(k.settings[name] || k.codes[name] != nil || k.rights[name] || k.all[name], "no setting, right or code is called so")
	}
	return ""
}

// foreign reports whether a name stands for a package that is not ours, or for a
// variable of the examples.
func (k *known) foreign(name string) bool {
	return regexp.MustCompile(`["/]`+name+`"`).MatchString(k.sources) || name == "a" || name == "call"
}

func no(there bool, trouble string) string {
	if there {
		return ""
	}
	return trouble
}

// underscored reports whether a variable is that of a setting whose key has an
// underscore of its own.
func (k *known) underscored(name string) bool {
	for key := range k.settings {
		if "SEXTANT_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_")) == name {
			return true
		}
	}
	return false
}

// ours reports whether a dotted name begins as those of the source do.
func (k *known) ours(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return !noCode.MatchString(name) && k.begins(first+".")
}

func (k *known) begins(prefix string) bool {
	for key := range k.settings {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	for _, all := range []map[string]bool{k.rights} {
		for key := range all {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
	}
	for key := range k.codes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

func (k *known) answers(method, url string) bool {
	got := strings.Split(strings.TrimRight(url, "/…"), "/")
	for path, methods := range k.paths {
		want := strings.Split(path, "/")
		same := len(want) == len(got)
		for i := 0; same && i < len(want); i++ {
			same = want[i] == got[i] || place.MatchString(want[i])
		}
		if same && (method == "" || methods[strings.ToLower(method)] != nil) {
			return true
		}
	}
	return false
}

// there reports whether the repository has a file or folder, named from its root,
// from internal, or from web.
func there(name string) bool {
	for _, from := range []string{"", "internal", "web"} {
		if found, err := filepath.Glob(filepath.Join(root, from, name)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

var planned = regexp.MustCompile(`(?i)\*\*planned\*\*|\(planned\)|（计划|\*\*计划`)

// What the documents name exists: tests, packages and what they export, files,
// settings, rights, codes, paths of the API, targets of make, variables. What a line
// says is planned does not.
func TestWhatTheDocumentsNameExists(t *testing.T) {
	t.Parallel()
	k := everything(t)
	looked := 0
	for _, doc := range documents(t) {
		if doc == "CHANGELOG.md" || strings.HasPrefix(doc, "docs/reference/") || strings.HasPrefix(doc, "docs/adr/") ||
			strings.HasPrefix(doc, "docs/design/") {
			continue // what was, what is written by a test, and why something was decided then
		}
		for line := range strings.SplitSeq(prose(read(t, doc)), "\n") {
			if planned.MatchString(line) {
				continue
			}
			for _, code := range coded.FindAllString(line, -1) {
				looked++
				name := strings.Trim(code, "`")
				if trouble := k.lacks(name); trouble != "" {
					t.Errorf("%s: %s: %s", doc, name, trouble)
				}
			}
		}
	}
	if looked < 1000 {
		t.Errorf("%d names were looked up", looked)
	}
}

var (
	inComment = regexp.MustCompile(
		`\b(?:[a-z]+\.[A-Z]\w+|(?:internal|plugins|sdk|examples|test|docs|web)/[\w./-]*\w|SEXTANT_[A-Z_]+[A-Z]|Test[A-Z]\w+|/api/v1/[\w{}/-]+)`)
	sentence = regexp.MustCompile(`^[a-z]+\.[A-Z]`)
)

// What the comments of the code name exists too: what packages export, files, tests,
// variables, paths of the API.
func TestWhatCommentsNameExists(t *testing.T) {
	t.Parallel()
	k := everything(t)
	looked := 0
	for _, dir := range []string{"internal", "plugins", "sdk", "examples", "test", "cmd", "api", "docs"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, ".gen.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			for _, group := range f.Comments {
				for _, name := range inComment.FindAllString(group.Text(), -1) {
					if sentence.MatchString(name) && k.exported[strings.Split(name, ".")[0]] == nil {
						continue // a foreign package, or a field of a variable
					}
					looked++
					if trouble := k.lacks(name); trouble != "" {
						t.Errorf("%s: %s: %s", strings.TrimPrefix(filepath.ToSlash(p), root+"/"), name, trouble)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 50 {
		t.Errorf("%d names were looked up", looked)
	}
}

// The check can fail: each of these is none, and beside it stands one that is.
func TestNamesThatDoNotExistAreNoticed(t *testing.T) {
	t.Parallel()
	k := everything(t)
	for right, wrong := range map[string]string{
		"TestTheMapIsTrue": "TestTheMapIsFalse", "control.Admit": "control.Permit", "resource.Driver": "resource.Lorry",
		"internal/kit/db": "internal/kit/base", "domain/control": "domain/gate",
		"plugins.isolate": "plugins.isolated", "run.start": "run.begin", "limits.*": "limit.*",
		"GET /api/v1/runs/{run}": "GET /api/v1/run/{run}", "/api/v1/locks": "/api/v1/lock",
		"make sabotage": "make havoc", "sextant_runs_active": "sextant_runs_asleep", "SEXTANT_URL": "SEXTANT_PLACE",
		"SEXTANT_ADMIN_LISTEN": "SEXTANT_ADMIN_HEAR", "database.full": "database.filled",
	} {
		if trouble := k.lacks(right); trouble != "" {
			t.Errorf("%s: %s", right, trouble)
		}
		if k.lacks(wrong) == "" {
			t.Errorf("%s is taken for a name that exists", wrong)
		}
	}
}
