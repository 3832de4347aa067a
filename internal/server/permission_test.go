package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// judges are what asks for a permission by its name.
var judges = []string{"Require", "RequireIn", "Can", "Environments", "Lacking", "Sight", "InSight", "Seen", "Permit", "MayOperate"}

var permissionName = regexp.MustCompile(`^[a-z]+\.[a-z]+$`)

// sources reads the Go files of the server that are no tests.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	all := map[string]*ast.File{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		all[path], err = parser.ParseFile(token.NewFileSet(), path, nil, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// asked are the permissions that the source of the server asks for, with a place of
// each: by a text, or by a constant.
func asked(t *testing.T) map[string]string {
	t.Helper()
	files, constants, all := sources(t), map[string]string{}, map[string]string{}
	text := func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING && permissionName.MatchString(text) {
				return text
			}
		case *ast.Ident:
			return constants[e.Name]
		case *ast.SelectorExpr:
			return constants[e.Sel.Name]
		}
		return ""
	}
	look := func(visit func(path string, n ast.Node)) {
		for path, f := range files {
			ast.Inspect(f, func(n ast.Node) bool { visit(path, n); return true })
		}
	}
	look(func(_ string, n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
			for i, name := range spec.Names {
				if v := text(spec.Values[i]); v != "" {
					constants[name.Name] = v
				}
			}
		}
	})
	note := func(path string, e ast.Expr) {
		if p := text(e); p != "" && !strings.HasSuffix(p, ".places") { // that is a column
			all[p] = path
		}
	}
	look(func(path string, n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			name := ""
			switch fun := n.Fun.(type) {
			case *ast.SelectorExpr:
				name = fun.Sel.Name
			case *ast.Ident:
				name = fun.Name
			}
			if slices.Contains(judges, name) {
				for _, a := range n.Args {
					note(path, a)
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "For" || key.Name == "Permission") {
				note(path, n.Value)
			}
		}
	})
	return all
}

// Every permission that anything asks for is listed, and no other; the guide has
// the same.
func TestPermissionsAreWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var listed struct{ Items []string }
	g.must("GET", "/api/v1/permissions", g.login("admin", adminPass), nil, &listed)
	source := asked(t)
	if want := slices.Sorted(maps.Keys(source)); !slices.Equal(listed.Items, want) {
		for _, p := range want {
			if !slices.Contains(listed.Items, p) {
				t.Errorf("%s asks for %s, which is not listed", source[p], p)
			}
		}
		t.Errorf("listed are %v, asked for %v", listed.Items, want)
	}
	page, err := os.ReadFile("../../docs/operate/server.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	_, table, _ := strings.Cut(string(page), "| Domain | Verbs |")
	table, _, _ = strings.Cut(table, "\n\n")
	verb := regexp.MustCompile("`([a-z]+)`")
	for _, line := range strings.Split(table, "\n")[2:] {
		words := verb.FindAllStringSubmatch(line, -1)
		for _, w := range words[1:] {
			told = append(told, words[0][1]+"."+w[1])
		}
	}
	slices.Sort(told)
	if !slices.Equal(told, listed.Items) {
		t.Errorf("listed are %v, and the guide tells of %v", listed.Items, told)
	}
}
