package server_test

import (
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"sextant/internal/server"
)

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// Every place in a path is declared, so that it is read and checked.
func TestPathsDeclareTheirParameters(t *testing.T) {
	t.Parallel()
	data, err := server.OpenAPI(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	if err := yaml.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Paths) < 30 {
		t.Fatalf("only %d paths are described", len(spec.Paths))
	}
	for path, methods := range spec.Paths {
		for method, op := range methods {
			var declared []string
			for _, p := range op.Parameters {
				if p.In == "path" {
					declared = append(declared, p.Name)
				}
			}
			for _, m := range placeholder.FindAllStringSubmatch(path, -1) {
				if !strings.Contains(" "+strings.Join(declared, " ")+" ", " "+m[1]+" ") {
					t.Errorf("%s %s does not declare %s", method, path, m[1])
				}
			}
		}
	}
}
