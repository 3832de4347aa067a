// Package sextant_test guards the borders of the house: who may import what,
// how large things may grow, and what has no place here.
package sextant_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	maxFile     = 600
	maxFunction = 70
	maxPackage  = 3000
	maxParams   = 5
	maxLine     = 140
	minTests    = 0.7 // lines of tests to a line of what they test; 0.8 is wanted
)

// source is one Go file that is not a test.
type source struct {
	path string // from the root, with slashes
	dir  string
	file *ast.File
	fset *token.FileSet
	code map[int]bool // lines that hold code
}

func (s *source) line(p token.Pos) int { return s.fset.Position(p).Line }

// lines counts the lines of code between two positions.
func (s *source) lines(from, to token.Pos) int {
	n := 0
	for l := s.line(from); l <= s.line(to); l++ {
		if s.code[l] {
			n++
		}
	}
	return n
}

func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "build") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		s := read(t, filepath.ToSlash(p))
		if !ast.IsGenerated(s.file) {
			all = append(all, s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found only %d source files", len(all))
	}
	return all
}

func read(t *testing.T, p string) *source {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{path: p, dir: path.Dir(p), file: f, fset: fset, code: map[int]bool{}}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case nil, *ast.CommentGroup, *ast.Comment, *ast.File:
		case *ast.BasicLit:
			for l := s.line(n.Pos()); l <= s.line(n.End()); l++ {
				s.code[l] = true
			}
		default:
			s.code[s.line(n.Pos())], s.code[s.line(n.End()-1)] = true, true
		}
		return true
	})
	return s
}

// floor is a rule about what the packages of one floor may import of the house.
type floor struct {
	match   string // prefix of the directory
	allowed []string
}

func floors() []floor {
	kit, sdk, lang, engine, key := "internal/kit", "sdk/go", "internal/lang", "internal/engine", "internal/key"
	below := []string{kit, sdk, lang, engine, key}
	list := []floor{
		{"internal/key", nil},
		{"internal/lang/rolling", nil},
		{"internal/lang/objectpath", []string{"internal/lang/rolling"}},
		{"internal/lang/manifest", []string{"internal/lang/objectpath", "internal/lang/rolling", "sdk/go/wire"}},
		{"internal/lang/feel", []string{"internal/lang/feel"}},
		{"internal/lang/xmltree", nil},
		{"internal/lang/dmn", []string{"internal/lang/dmn", "internal/lang/feel", "internal/lang/xmltree"}},
		{"internal/lang/bpmn", []string{"internal/lang/feel", "internal/lang/xmltree"}},
		{"internal/engine/durable", []string{engine, lang, kit, key}},
		{"internal/engine/enginetest", []string{engine, lang, kit, key}},
		{"internal/engine", []string{engine, lang, key}},
		{"internal/kit", []string{kit, sdk, key}},
		{"internal/driver", []string{kit, sdk}},
		{"internal/compat", []string{"internal/domain", lang, kit, sdk}},
		{"internal/config", []string{kit}},
		{"internal/cli", []string{"internal/cli", sdk, kit, lang, "internal/config", "internal/compat/wecube/convert", "internal/server",
			"internal/demo", "internal/terminal"}},
		{"internal/terminal", []string{"internal/terminal", sdk}},
		{"internal/server",
			append([]string{"internal/server", "internal/config", "internal/domain", "internal/driver", "plugins", "web", "docs"}, below...)},
		{"internal/demo", []string{"internal/demo", "internal/server", "internal/terminal", "internal/config", kit, "examples", sdk}},
		{"sdk/go/wire", nil},
		{"sdk/go", []string{sdk}},
		{"docs", nil},
		{"release", []string{"release"}},
		{"cmd", []string{"internal/cli"}},
	}
	var left []string
	for _, step := range domains() {
		for _, name := range step {
			dir := "internal/domain/" + name
			allowed := append(slices.Clone(below), left...)
			if name == "resource" {
				allowed = append(allowed, "internal/driver")
			}
			if rooms()[name] == nil {
				list = append(list, floor{dir, append(allowed, dir)})
				continue
			}
			for _, step := range rooms()[name] { // each knows those before it
				for _, room := range step {
					list = append(list, floor{dir + "/" + room, append(slices.Clone(allowed), dir+"/"+room)})
				}
				for _, room := range step {
					allowed = append(allowed, dir+"/"+room)
				}
			}
			list = append(list, floor{dir, allowed})
		}
		for _, name := range step {
			left = append(left, "internal/domain/"+name)
		}
	}
	return list
}

// domains are the domains from left to right; those between two steps do not import
// each other.
func domains() [][]string {
	return [][]string{{"audit"}, {"identity"}, {"setting"}, {"resource", "gateway"}, {"plugin"}, {"object"}, {"worklist", "decision"},
		{"control"}, {"message", "dispatch", "job"}, {"process"}, {"batch", "schedule"}, {"event", "catalog"}}
}

// rooms are the packages of the domains that hold several nouns, from left to right;
// those between two steps do not import each other. The package of the domain itself
// comes last.
func rooms() map[string][][]string {
	return map[string][][]string{
		"dispatch": {{"override", "retry", "source", "gift", "output", "record"}, {"answer"}, {"plan"}, {"outcome"}},
		"process":  {{"active", "number", "schema"}, {"definition"}, {"runs"}, {"view"}},
	}
}

// ARCHITECTURE.md tells the rooms of the domains.
func TestTheRoomsAreThoseOfTheMap(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, steps := range rooms() {
		var parts []string
		for _, step := range steps {
			for _, room := range step {
				if _, err := os.Stat("internal/domain/" + name + "/" + room); err != nil {
					t.Errorf("the domain %s has no room %s", name, room)
				}
			}
			parts = append(parts, strings.Join(step, ", "))
		}
		if line := "\n" + name + ": " + strings.Join(parts, " → ") + "\n"; !strings.Contains(string(data), line) {
			t.Errorf("ARCHITECTURE.md does not say %q", strings.TrimSpace(line))
		}
	}
}

// SQL stands in store files alone, in the domains that are cut by noun.
func TestSQLStandsInStoreFiles(t *testing.T) {
	t.Parallel()
	statement := regexp.MustCompile(`^["` + "`" + `](SELECT|INSERT INTO|UPDATE|DELETE FROM) `)
	for _, s := range sources(t) {
		name, ok := strings.CutPrefix(s.dir, "internal/domain/")
		name, _, _ = strings.Cut(name, "/")
		if !ok || rooms()[name] == nil || strings.HasSuffix(s.path, "store.go") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && statement.MatchString(lit.Value) {
				t.Errorf("%s:%d: SQL stands in store.go or a file whose name ends so", s.path, s.line(lit.Pos()))
			}
			return true
		})
	}
}

// ARCHITECTURE.md tells the rules of this test, floor by floor.
func TestTheFloorsAreThoseOfTheMap(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(data), "| Floor | May import of this module |\n|---|---|\n")
	table, rest, _ := strings.Cut(part, "\n\n")
	full := func(name string) string {
		name = strings.TrimSuffix(strings.Trim(name, "`"), "/*")
		if _, err := os.Stat("internal/" + name); err == nil {
			return "internal/" + name
		}
		return name
	}
	coded, told := regexp.MustCompile("`[^`]+`"), map[string][]string{}
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(line, "|")
		for _, floor := range coded.FindAllString(cells[1], -1) {
			may := []string{}
			if strings.Contains(cells[2], "itself") {
				may = append(may, full(floor))
			}
			for _, name := range coded.FindAllString(cells[2], -1) {
				may = append(may, full(name))
			}
			slices.Sort(may)
			told[full(floor)] = may
		}
	}
	for _, f := range floors() {
		if _, err := os.Stat(f.match); err != nil || within(f.match, "internal/domain") {
			continue // planned, or told as one
		}
		may := slices.DeleteFunc(slices.Clone(f.allowed), func(a string) bool { return within(a, "internal/compat") }) // planned
		slices.Sort(may)
		if got, ok := told[f.match]; !ok || !slices.Equal(got, may) {
			t.Errorf("ARCHITECTURE.md says that %s may import %v, this test %v", f.match, got, may)
		}
	}
	_, chain, _ := strings.Cut(rest, "```\n")
	chain, _, _ = strings.Cut(chain, "```")
	var steps []string
	for _, step := range domains() {
		steps = append(steps, strings.Join(step, ", "))
	}
	if got, want := strings.Join(strings.Fields(strings.NewReplacer("(", "", ")", "").Replace(chain)), " "),
		strings.Join(steps, " → "); got != want {
		t.Errorf("ARCHITECTURE.md has the domains\n%s\nand this test\n%s", got, want)
	}
}

func TestFloorsImportOnlyDownwards(t *testing.T) {
	t.Parallel()
	rules := floors()
	for _, s := range sources(t) {
		if strings.HasPrefix(s.dir, "internal/testkit") ||
			strings.HasPrefix(s.dir, "test/") || s.dir == "web" || within(s.dir, "api") {
			continue
		}
		allowed, known := allowedFor(rules, s.dir)
		if !known {
			t.Errorf("%s: no rule says what %s may import: add it to ARCHITECTURE.md and to the floors of this test", s.path, s.dir)
			continue
		}
		for _, imp := range s.file.Imports {
			target := strings.TrimPrefix(unquote(imp.Path.Value), "sextant/")
			if target == unquote(imp.Path.Value) {
				continue
			}
			if !slices.ContainsFunc(allowed, func(a string) bool { return within(target, a) }) {
				t.Errorf("%s: %s must not import %s", s.path, s.dir, target)
			}
		}
	}
}

func allowedFor(rules []floor, dir string) ([]string, bool) {
	if strings.HasPrefix(dir, "plugins/") || strings.HasPrefix(dir, "examples/") {
		parts := strings.SplitN(dir, "/", 3)
		return []string{"sdk/go", parts[0] + "/" + parts[1]}, true
	}
	best, found := floor{}, false
	for _, r := range rules {
		if within(dir, r.match) && len(r.match) > len(best.match) {
			best, found = r, true
		}
	}
	return best.allowed, found
}

func within(dir, parent string) bool { return dir == parent || strings.HasPrefix(dir, parent+"/") }

func unquote(s string) string {
	v, err := strconv.Unquote(s)
	if err != nil {
		return s
	}
	return v
}

// The middle of the house is pure: no clock, no I/O, no chance, no context.
func TestLanguagesAndEngineArePure(t *testing.T) {
	t.Parallel()
	banned := []string{"context", "net", "net/http", "os", "os/exec", "database/sql",
		"log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "sync", "io/ioutil"}
	for _, s := range sources(t) {
		if !within(s.dir, "internal/lang") &&
			(!within(s.dir, "internal/engine") || within(s.dir, "internal/engine/durable") || within(s.dir, "internal/engine/enginetest")) {
			continue
		}
		for _, imp := range s.file.Imports {
			if p := unquote(imp.Path.Value); slices.Contains(banned, p) {
				t.Errorf("%s: a pure package must not import %s", s.path, p)
			}
		}
		forbidCalls(t, s, "time", "Now", "LoadLocation", "Local", "Since", "Sleep", "After", "NewTimer", "Tick")
	}
}

func forbidCalls(t *testing.T, s *source, pkg string, names ...string) {
	t.Helper()
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == pkg && id.Obj == nil && slices.Contains(names, sel.Sel.Name) {
			t.Errorf("%s:%d: %s.%s has no place here", s.path, s.line(n.Pos()), pkg, sel.Sel.Name)
		}
		return true
	})
}

func TestOnlyConfigReadsTheEnvironmentAndOnlyMainExits(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.dir != "internal/config" && !strings.HasPrefix(s.dir, "test/") && !within(s.dir, "internal/testkit") && !within(s.dir, "examples") {
			forbidCalls(t, s, "os", "Getenv", "LookupEnv", "Environ", "Setenv")
		}
		if s.file.Name.Name != "main" {
			forbidCalls(t, s, "os", "Exit")
			forbidCalls(t, s, "log", "Fatal", "Fatalf", "Fatalln", "Panic")
		}
	}
}

// Third-party clients stay in one room each, so that a change of library
// touches one package.
func TestClientsOfForeignSystemsStayInOneRoom(t *testing.T) {
	t.Parallel()
	rooms := map[string][]string{
		"modernc.org/sqlite":             {"sdk/go/sqldb"},
		"github.com/jackc/pgx/v5":        {"sdk/go/sqldb"},
		"github.com/go-sql-driver/mysql": {"sdk/go/sqldb"},
		"golang.org/x/crypto/ssh":        {"sdk/go/ssh"},
		"github.com/pkg/sftp":            {"sdk/go/ssh"},
		"github.com/knadh/koanf":         {"internal/config"},
		"github.com/spf13/cobra":         {"internal/cli"},
		"github.com/klauspost/compress":  {"sdk/go/segment"},
	}
	for _, s := range sources(t) {
		for _, imp := range s.file.Imports {
			for lib, dirs := range rooms {
				if p := unquote(imp.Path.Value); within(p, lib) && !slices.ContainsFunc(dirs, func(d string) bool { return within(s.dir, d) }) {
					t.Errorf("%s: %s belongs in %s alone", s.path, p, strings.Join(dirs, ", "))
				}
			}
		}
	}
}

// Only the door starts a run: nothing but control calls what starts one.
func TestOnlyControlStartsARun(t *testing.T) {
	t.Parallel()
	calls := regexp.MustCompile(`^(StartTx|StartOne)$`)
	for _, s := range sources(t) {
		if s.dir == "internal/engine/durable" || s.dir == "internal/domain/process/runs" ||
			strings.HasPrefix(s.dir, "test/") || within(s.dir, "internal/engine/enginetest") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && calls.MatchString(sel.Sel.Name) {
					t.Errorf("%s:%d: %s starts a run beside the door", s.path, s.line(n.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	}
	starts := 0
	for _, s := range sources(t) {
		if !within(s.dir, "internal/domain") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Start" && len(call.Args) == 3 {
					starts++
					if s.dir != "internal/domain/control" {
						t.Errorf("%s:%d: only control calls Starter.Start", s.path, s.line(n.Pos()))
					}
				}
			}
			return true
		})
	}
}

// A run acts with the rights of who asked for it, never as the platform: nothing
// that a run does knows the platform's own subject.
func TestNothingThatARunDoesActsAsThePlatform(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if !within(s.dir, "internal/domain") || s.dir == "internal/domain/identity" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "identity" && (sel.Sel.Name == "System" || sel.Sel.Name == "AsSystem") {
					t.Errorf("%s:%d: identity.%s: act with the rights of a run or of who asks", s.path, s.line(n.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	packages := map[string]int{}
	for _, s := range sources(t) {
		n := len(s.code)
		packages[s.dir] += n
		if n > maxFile {
			t.Errorf("%s has %d lines of code: at most %d, cut it by noun", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				s.checkFunction(t, fn)
			}
		}
	}
	for dir, n := range packages {
		if n > maxPackage {
			t.Errorf("package %s has %d lines of code: at most %d, it holds two nouns", dir, n, maxPackage)
		}
	}
}

// TestLines sees to the lines of tests too. A struct tag is one token, which Go
// does not let one break.
func TestLines(t *testing.T) {
	t.Parallel()
	tag := regexp.MustCompile("`(sx|json|yaml|path|query|header|doc|cookie):\".*`$")
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "build"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil || generated.Match(data) {
			return err
		}
		for i, line := range strings.Split(string(data), "\n") {
			if n := utf8.RuneCountInString(line); n > maxLine && !tag.MatchString(line) {
				t.Errorf("%s:%d: the line has %d columns: at most %d", filepath.ToSlash(p), i+1, n, maxLine)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testedElsewhere are the rooms without tests of their own, each with the one whose
// tests are about it: those of a language are tested as the language.
func testedElsewhere() map[string]string {
	return map[string]string{
		"cmd/sextant":                "internal/cli",
		"internal/cli/local":         "internal/cli",
		"internal/domain/process":    "internal/domain/process/runs",
		"internal/lang/dmn/eval":     "internal/lang/dmn",
		"internal/lang/dmn/model":    "internal/lang/dmn",
		"internal/lang/feel/builtin": "internal/lang/feel",
		"internal/lang/feel/eval":    "internal/lang/feel",
		"internal/lang/feel/infer":   "internal/lang/feel/service",
		"internal/lang/feel/syntax":  "internal/lang/feel",
		"internal/demo":              "test/e2e",
		"release":                    "release/bundle",
	}
}

// ofTests reports whether a folder holds what only tests use.
func ofTests(dir string) bool {
	return within(dir, "test") || within(dir, "internal/testkit") || strings.HasSuffix(dir, "test")
}

// Every room has tests of its own, or one that is named tests it.
func TestEveryRoomHasTests(t *testing.T) {
	t.Parallel()
	rooms, elsewhere := map[string]bool{}, testedElsewhere()
	for _, s := range sources(t) {
		rooms[s.dir] = true
	}
	for dir := range rooms {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		by, excused := elsewhere[dir]
		delete(elsewhere, dir)
		switch there, _ := filepath.Glob(filepath.Join(by, "*_test.go")); {
		case len(files) > 0 && excused:
			t.Errorf("%s has tests of its own: take it off the list", dir)
		case len(files) == 0 && !excused && !ofTests(dir):
			t.Errorf("%s has no tests", dir)
		case excused && len(there) == 0:
			t.Errorf("%s, which is to test %s, has no tests", by, dir)
		}
	}
	for dir := range elsewhere {
		t.Errorf("there is no room %s", dir)
	}
}

// The share of tests does not fall.
func TestTheShareOfTests(t *testing.T) {
	t.Parallel()
	made, tests := 0, 0
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "build"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		s := read(t, filepath.ToSlash(p))
		switch {
		case ast.IsGenerated(s.file):
		case strings.HasSuffix(p, "_test.go") || ofTests(s.dir):
			tests += len(s.code)
		default:
			made += len(s.code)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	share := float64(tests) / float64(made)
	t.Logf("%d lines of tests for %d of what they test: %.2f", tests, made, share)
	if share < minTests {
		t.Errorf("%.2f lines of tests to a line: at least %.1f", share, minTests)
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func (s *source) checkFunction(t *testing.T, fn *ast.FuncDecl) {
	t.Helper()
	if fn.Body != nil {
		n := s.lines(fn.Pos(), fn.End()) - tableLines(s, fn.Body)
		if n > maxFunction {
			t.Errorf("%s:%d: %s has %d lines: at most %d", s.path, s.line(fn.Pos()), fn.Name.Name, n, maxFunction)
		}
	}
	params := 0
	for _, f := range fn.Type.Params.List {
		if sel, ok := f.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" {
			continue
		}
		params += max(1, len(f.Names))
	}
	if params > maxParams {
		t.Errorf("%s:%d: %s has %d parameters: at most %d", s.path, s.line(fn.Pos()), fn.Name.Name, params, maxParams)
	}
}

// tableLines counts the lines of composite literals with many rows.
func tableLines(s *source, body *ast.BlockStmt) int {
	n := 0
	ast.Inspect(body, func(node ast.Node) bool {
		if lit, ok := node.(*ast.CompositeLit); ok && len(lit.Elts) > 5 {
			n += s.lines(lit.Pos(), lit.End()) - 2
			return false
		}
		return true
	})
	return max(n, 0)
}

func TestNamesAndDocs(t *testing.T) {
	t.Parallel()
	banned := []string{"util", "utils", "common", "models", "types", "base", "helper", "helpers", "manager", "handler", "handlers"}
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.dir] = documented[s.dir] || s.file.Doc != nil
		if slices.Contains(banned, s.file.Name.Name) {
			t.Errorf("%s: a package called %s says nothing about what it holds", s.path, s.file.Name.Name)
		}
		for _, d := range s.file.Decls {
			s.checkDecl(t, d)
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment that says what it is", dir)
		}
	}
}

func (s *source) checkDecl(t *testing.T, d ast.Decl) {
	t.Helper()
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			t.Errorf("%s:%d: no init: wire it where it is used", s.path, s.line(d.Pos()))
		}
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			t.Errorf("%s:%d: %s is exported and not documented", s.path, s.line(d.Pos()), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
				t.Errorf("%s:%d: %s is exported and not documented", s.path, s.line(ts.Pos()), ts.Name.Name)
			}
			if vs, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
				s.checkVar(t, vs)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if idx, ok := typ.(*ast.IndexExpr); ok {
		typ = idx.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// checkVar allows what never changes: sentinels, compiled regular expressions,
// embeds, tables.
func (s *source) checkVar(t *testing.T, vs *ast.ValueSpec) {
	t.Helper()
	if len(vs.Values) == 0 {
		if sel, ok := vs.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "FS" {
			return
		}
		if arr, ok := vs.Type.(*ast.ArrayType); ok && fmt.Sprint(arr.Elt) == "byte" {
			return // an embed
		}
		if id, ok := vs.Type.(*ast.Ident); ok && id.Name == "string" {
			return // an embed, or set by the linker
		}
		t.Errorf("%s:%d: a package variable without a value is mutable state", s.path, s.line(vs.Pos()))
		return
	}
	if vs.Names[0].Name == "_" {
		return
	}
	for _, v := range vs.Values {
		if call, ok := v.(*ast.CallExpr); ok {
			if fun := exprText(call.Fun); strings.HasPrefix(fun, "sync.") || strings.HasPrefix(fun, "make") {
				t.Errorf("%s:%d: a package variable made by %s is mutable state", s.path, s.line(vs.Pos()), fun)
			}
		}
	}
}

func exprText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return exprText(e.X) + "." + e.Sel.Name
	}
	return ""
}

// migrations calls f with every migration's way up, in the order of their names.
func migrations(t *testing.T, f func(file, up string)) {
	t.Helper()
	found := 0
	for _, dir := range []string{"internal", "sdk"} {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(p, ".sql") || strings.Contains(p, "testdata") {
				return err
			}
			found++
			data, err := os.ReadFile(p)
			up, _, _ := strings.Cut(string(data), "+goose Down")
			f(p, up)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 16 {
		t.Fatalf("only %d migrations are found", found)
	}
}

// Migrations keep to what every database has.
func TestMigrationsUseTheSharedSubset(t *testing.T) {
	t.Parallel()
	banned := regexp.MustCompile(`(?i)\b(RETURNING|SKIP LOCKED|CASCADE|TRIGGER|AUTOINCREMENT|json_extract|DATETIME|TIMESTAMP)\b`)
	partial := regexp.MustCompile(`(?is)CREATE\s+(UNIQUE\s+)?INDEX[^;]*\bWHERE\b`)
	reference := regexp.MustCompile(`(?m)^    (object|route)\s+VARCHAR\(330\)`) // package:type/id, and a method with a path
	long := regexp.MustCompile(`VARCHAR\((19[1-9]|[2-9]\d\d|\d{4,})\)`)
	migrations(t, func(file, up string) {
		if dir := filepath.Base(filepath.Dir(file)); dir != "migrations" && dir != "postgres" && dir != "mysql" {
			t.Errorf("%s: one text in the folder migrations serves all, a folder beside it names a dialect in which it must differ", file)
		}
		up = reference.ReplaceAllString(up, "$1 TEXT")
		for what, p := range map[string]*regexp.Regexp{"a word": banned, "a partial index": partial, "a text too long for a key": long} {
			if hit := p.FindString(up); hit != "" {
				t.Errorf("%s uses %s that not every database has: %s", file, what, hit)
			}
		}
	})
}

// A table is read and written by its own domain alone.
func TestTablesBelongToTheirDomain(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`\b(?:FROM|INTO|UPDATE|JOIN|TABLE) ` +
		`((?:audit|identity|setting|plugin|object|worklist|control|dispatch|job|process|engine|api|bus)_[a-z_]+)`)
	statements := 0
	for _, s := range sources(t) {
		if within(s.dir, "test") {
			continue // which fills a store from outside
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			for _, m := range named.FindAllStringSubmatch(lit.Value, -1) {
				statements++
				owner, _, _ := strings.Cut(m[1], "_")
				if owner == "object" && within(s.dir, "sdk/go/objectstore") {
					continue // the objects of a plugin
				}
				if !slices.ContainsFunc([]string{"internal/domain/" + owner, "internal/" + owner + "/durable", "internal/kit/" + owner},
					func(d string) bool {
						return within(s.dir, d)
					}) {
					t.Errorf("%s:%d: the table %s belongs to %s: ask that", s.path, s.line(lit.Pos()), m[1], owner)
				}
			}
			return true
		})
	}
	if statements < 100 {
		t.Errorf("only %d statements are found", statements)
	}
}

// installations are the tables whose rows belong to no project of their own, each
// with the reason.
func installations() map[string]string {
	part, whole, mine := "a part of a row that has a project", "of the whole installation",
		"in the plugin's database: the attribute that its type names is the project"
	return map[string]string{
		"api_idempotency": "of who asked", "bus_handler": whole, "db_writer": whole,
		"control_stop": whole, "control_fence": "a counter", "dispatch_chunk": part, "dispatch_gift": part, "dispatch_row": part,
		"engine_held": part, "engine_history": part, "engine_key": "a counter", "engine_record": part,
		"identity_role": whole, "identity_token": "of a user", "identity_try": "of a name and an address",
		"identity_user": whole, "object_cursor": "of a plugin",
		"object_origin": mine, "object_ref": mine, "object_row": mine, "object_step": mine, "object_unique": mine, "object_value": mine,
		"object_writer":   "of a process of a plugin",
		"process_element": part, "process_incident_past": part, "message_chain": part,
		"message_fresh": part, "message_target": part, "message_taken": part,
		"plugin_instance": whole, "plugin_place": whole, "plugin_release": whole,
	}
}

// Every table that people own rows in has its project column.
func TestTablesThatPeopleOwnHaveAProject(t *testing.T) {
	t.Parallel()
	made, dropped := regexp.MustCompile(`(?is)CREATE TABLE (\w+)\s*\((.*)\)`), regexp.MustCompile(`DROP TABLE (\w+)`)
	added, named := regexp.MustCompile(`ALTER TABLE (\w+) ADD COLUMN project\b`), regexp.MustCompile(`ALTER TABLE (\w+) RENAME TO (\w+)`)
	column := regexp.MustCompile(`(?m)(^|,)\s*project\s`)
	owned := map[string]bool{}
	migrations(t, func(_, up string) {
		for statement := range strings.SplitSeq(up, ";") {
			if m := made.FindStringSubmatch(statement); m != nil {
				owned[m[1]] = column.MatchString(m[2])
			}
			if m := added.FindStringSubmatch(statement); m != nil {
				owned[m[1]] = true
			}
			if m := named.FindStringSubmatch(statement); m != nil {
				owned[m[2]] = owned[m[1]]
				delete(owned, m[1])
			}
			if m := dropped.FindStringSubmatch(statement); m != nil {
				delete(owned, m[1])
			}
		}
	})
	free := installations()
	for table, yes := range owned {
		if yes == (free[table] != "") {
			t.Errorf("the table %s: it has a project: %v; the reason why not: %q", table, yes, free[table])
		}
		delete(free, table)
	}
	for table := range free {
		t.Errorf("no migration makes the table %s", table)
	}
}
