package manifest

import (
	_ "embed"
	"slices"
	"strings"

	"sextant/sdk/go/wire"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (2020-12) of plugin.yaml, for editors. It knows the
// shape and the closed sets of words; Validate knows more.
func Schema() []byte { return slices.Clone(schema) }

// Lookup finds an action by the name of its service, which may carry the name it
// was registered under in parentheses, and its own. The action is part of the
// manifest and must not be changed.
func Lookup(m *wire.Manifest, service, action string) (*wire.Action, bool) {
	if i := strings.IndexByte(service, '('); i >= 0 && strings.HasSuffix(service, ")") {
		service = service[:i]
	}
	for i := range m.Services {
		if m.Services[i].Name != service {
			continue
		}
		for k := range m.Services[i].Actions {
			if a := &m.Services[i].Actions[k]; a.Action == action {
				return a, true
			}
		}
	}
	return nil, false
}
