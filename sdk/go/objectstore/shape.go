package objectstore

import (
	"encoding/json"
	"fmt"
	"strings"

	"sextant/sdk/go/wire"
)

// shape is an object type with its attributes by name.
type shape struct {
	wire.ObjectType
	plugin  string
	sealer  *sealer
	by      map[string]wire.Attribute // by attribute, and by attribute@observed
	secrets []string
}

// newShape makes the shape of a type of a plugin.
func newShape(of shape, t wire.ObjectType) *shape {
	s := &shape{ObjectType: t, plugin: of.plugin, sealer: of.sealer, by: make(map[string]wire.Attribute, len(t.Attributes))}
	for _, a := range t.Attributes {
		s.by[a.Name] = a
		if a.Secret {
			s.secrets = append(s.secrets, a.Name)
		}
		if a.Observed {
			s.by[a.Name+wire.ObservedSuffix] = a
		}
	}
	return s
}

// attr finds the definition behind the name of an attribute or of its observed
// value.
func (s *shape) attr(name string) (wire.Attribute, bool) {
	a, ok := s.by[name]
	return a, ok || name == wire.AttrID || name == wire.AttrDisplayName || name == wire.AttrVersion
}

// own gives the type of this plugin that an attribute refers to.
func (s *shape) own(a wire.Attribute) (string, bool) {
	if a.Type != wire.TypeRef && a.Type != wire.TypeMultiRef {
		return "", false
	}
	return strings.CutPrefix(a.To, s.plugin+":")
}

func (s *shape) unknown(name string) error {
	names := make([]string, 0, len(s.Attributes))
	for _, a := range s.Attributes {
		names = append(names, a.Name)
	}
	return &RowError{Message: "an attribute is unknown",
		At: map[string]string{name: fmt.Sprintf("it is unknown: %s has the attributes %s", s.Type, strings.Join(names, ", "))}}
}

// label is the display name of a row: its display attribute, else name, else id.
func (s *shape) label(row wire.Row) json.RawMessage {
	for _, name := range []string{s.Display, "name"} {
		if v := row[name]; name != "" && !isNull(v) && !s.by[name].Secret {
			return v
		}
	}
	return row[wire.AttrID]
}

// shown gives a row as it is answered: with its display name, and without what a
// former version of the type has left in it.
func (s *shape) shown(row wire.Row) wire.Row {
	out := make(wire.Row, len(row)+1)
	for k, v := range row {
		if _, ok := s.attr(k); ok {
			out[k] = v
		}
	}
	out[wire.AttrDisplayName] = s.label(row)
	return out
}

// environment is the environment that a row belongs to; a star for one of a type
// without environments.
func (s *shape) environment(row wire.Row) string {
	if s.Scope == nil || s.Scope.Environment == "" {
		return "*"
	}
	if v := row[s.Scope.Environment]; !isNull(v) {
		return text(v)
	}
	return ""
}

// project is the project that a row belongs to.
func (s *shape) project(row wire.Row) string {
	if s.Scope == nil || s.Scope.Project == "" {
		return "default"
	}
	if v := row[s.Scope.Project]; !isNull(v) {
		return text(v)
	}
	return ""
}

// scoped reports whether an attribute holds the project or the environment.
func (s *shape) scoped(name string) bool {
	return s.Scope != nil && (name == s.Scope.Project || name == s.Scope.Environment)
}
