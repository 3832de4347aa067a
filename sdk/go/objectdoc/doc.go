// Package objectdoc reads YAML documents of object types and objects, turns them
// into a set of changes for the platform's API, and tells in the places of the
// text what the platform has against them.
//
// A definition of a type changes what it names: attributes and properties that it
// does not mention stay. null takes a property away.
package objectdoc

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sextant/sdk/go/wire"
)

// Path is where the platform takes sets of changes.
const Path = "/api/v1/object-changes"

// opPut creates an object, or changes the one that is there.
const opPut = "put"

// Body is what is posted to Path.
type Body struct {
	Changes []Change `json:"changes"`
	DryRun  bool     `json:"dryRun,omitempty"`
}

// Change is one change of a Body.
type Change struct {
	Op   string   `json:"op"`
	Type string   `json:"type"`
	Row  wire.Row `json:"row"`
}

// Answer is what the platform says to a Body, by its changes.
type Answer struct {
	Items []struct {
		Object string `json:"object"`
		Effect string `json:"effect"`
	} `json:"items"`
}

// Field is a place at fault in a problem of the platform.
type Field struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// entries lists all rows of a document in the order in which they are sent:
// definitions first.
func (d Document) entries() []Entry {
	var out []Entry
	for _, t := range d.Types {
		out = append(append(out, t.Row), t.Attributes...)
	}
	return append(out, d.Objects...)
}

// Body gives the changes that a document asks for. pkg is the plugin that keeps
// the objects.
func (d Document) Body(pkg string, dry bool) Body {
	b := Body{Changes: []Change{}, DryRun: dry}
	for _, e := range d.entries() {
		b.Changes = append(b.Changes, Change{Op: opPut, Type: pkg + ":" + e.Type, Row: e.Row})
	}
	return b
}

var changePath = regexp.MustCompile(`^changes\[([0-9]+)\](?:\.(.+))?$`)

// Locate says in the places of the text what is wrong; nil where the fields name
// none of its rows.
func (d Document) Locate(fields []Field) *Error {
	all := d.entries()
	var out []Problem
	for _, f := range fields {
		m := changePath.FindStringSubmatch(f.Path)
		if m == nil {
			continue
		}
		i, err := strconv.Atoi(m[1])
		if err != nil || i >= len(all) {
			continue
		}
		e := all[i]
		object, place := e.Type+"/"+e.ID, e.place(m[2])
		if e.Type == TypeType || e.Type == TypeAttribute {
			object = e.ID
		}
		out = append(out, Problem{place.Line, place.Column, object, m[2], f.Message})
	}
	if len(out) == 0 {
		return nil
	}
	return ordered(out)
}

// TypeResult tells what was done about a type: created, changed or unchanged, and
// which attributes.
type TypeResult struct {
	Type    string   `json:"type"`
	Result  string   `json:"result"`
	Created []string `json:"created,omitempty"`
	Changed []string `json:"changed,omitempty"`
}

// Summary counts what was done.
type Summary struct {
	Created   int          `json:"created"`
	Changed   int          `json:"changed"`
	Unchanged int          `json:"unchanged"`
	Types     []TypeResult `json:"types"`
}

// Summary tells what the platform did about a document.
func (d Document) Summary(a Answer) Summary {
	s := Summary{Types: []TypeResult{}}
	at := map[string]int{}
	for i, e := range d.entries() {
		if i >= len(a.Items) {
			break
		}
		effect := a.Items[i].Effect
		switch e.Type {
		case TypeType:
			at[e.ID] = len(s.Types)
			s.Types = append(s.Types, TypeResult{Type: e.ID, Result: effect})
		case TypeAttribute:
			of, name, _ := strings.Cut(e.ID, ".")
			s.Types[at[of]].note(name, effect)
		default:
			s.count(effect)
		}
	}
	return s
}

func (s *Summary) count(effect string) {
	switch effect {
	case "created":
		s.Created++
	case "changed":
		s.Changed++
	default:
		s.Unchanged++
	}
}

func (r *TypeResult) note(attr, effect string) {
	switch effect {
	case "created":
		r.Created = append(r.Created, attr)
	case "changed":
		r.Changed = append(r.Changed, attr)
	default:
		return
	}
	if r.Result == "unchanged" {
		r.Result = "changed"
	}
}

// Parsed makes a document of definitions alone.
func Parsed(types []Definition) Document { return Document{Types: slices.Clone(types)} }
