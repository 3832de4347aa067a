package trust_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What has no place in the program, whatever its input.
func TestTheSource(t *testing.T) {
	t.Parallel()
	proves(t, "S-11 no weak cipher, no switch that trusts everybody, no shell of the server's", func(t *testing.T) {
		imports := []string{"crypto/md5", "crypto/sha1", "crypto/des", "crypto/rc4", "math/rand"}
		names := []string{"InsecureSkipVerify", "InsecureIgnoreHostKey", "NewCBCEncrypter", "NewCBCDecrypter"}
		files := 0
		for _, dir := range []string{"cmd", "internal", "plugins", "sdk"} {
			err := filepath.WalkDir(filepath.Join("../..", dir), func(p string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
					return err
				}
				files++
				f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
				if err != nil {
					return err
				}
				for _, imp := range f.Imports {
					if name, _ := strconv.Unquote(imp.Path.Value); slices.Contains(imports, name) {
						t.Errorf("%s imports %s", p, name)
					}
				}
				ast.Inspect(f, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.Ident:
						if slices.Contains(names, n.Name) {
							t.Errorf("%s uses %s", p, n.Name)
						}
					case *ast.CallExpr:
						if shell(n) && !strings.Contains(p, "/server/demo/") &&
							!strings.Contains(p, "/ssh/ssh") && !strings.Contains(p, "/testkit/") { // hosts of the demo and of tests
							t.Errorf("%s starts a shell", p)
						}
					}
					return true
				})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if files < 100 {
			t.Errorf("only %d files were read", files)
		}
	})
}

// shell reports whether a call starts a shell on this machine.
func shell(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !strings.HasPrefix(sel.Sel.Name, "Command") {
		return false
	}
	if id, ok := sel.X.(*ast.Ident); !ok || id.Name != "exec" {
		return false
	}
	return slices.ContainsFunc(call.Args, func(a ast.Expr) bool {
		lit, ok := a.(*ast.BasicLit)
		return ok && slices.Contains([]string{`"sh"`, `"/bin/sh"`, `"bash"`, `"/bin/bash"`}, lit.Value)
	})
}
