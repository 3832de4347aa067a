package manifest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"sextant/sdk/go/wire"
)

const (
	maxSource = 1 << 20 // bytes of a manifest
	maxDepth  = 32      // of lists and mappings in one another
)

// Parse reads a manifest of at most 1 MiB. The error is an *Error with all
// problems that were found.
func Parse(data []byte) (*wire.Manifest, error) {
	root, problem := load(data)
	if problem != nil {
		return nil, &Error{Problems: []Problem{*problem}}
	}
	d := decoder{places: map[string]place{}}
	var m wire.Manifest
	d.node(root, reflect.ValueOf(&m).Elem(), "")
	problems := d.problems
	for _, p := range check(&m) {
		if !slices.ContainsFunc(d.problems, func(known Problem) bool { return covers(known, p) }) {
			at := d.place(p.Path)
			p.Line, p.Column = at.line, at.column
			problems = append(problems, p)
		}
	}
	if len(problems) == 0 {
		return &m, nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return nil, &Error{Problems: shown(problems)}
}

// covers reports whether a value that could not be read explains a problem with
// the manifest that lacks it.
func covers(known, p Problem) bool {
	switch {
	case known.Code != CodeWrongType && known.Code != CodeAlias:
		return false
	case known.Path == "":
		return known.Code == CodeWrongType // it is no mapping at all
	}
	return p.Path == known.Path || strings.HasPrefix(p.Path, known.Path+".") || strings.HasPrefix(p.Path, known.Path+"[")
}

// load reads the text as YAML, without following anything.
func load(data []byte) (*yaml.Node, *Problem) {
	if len(data) > maxSource {
		return nil, &Problem{Line: 1, Column: 1, Code: CodeTooLarge,
			Message: fmt.Sprintf("the manifest has %d bytes: at most %d are possible", len(data), maxSource)}
	}
	var documents []yaml.Node
	err := yaml.Load(data, &documents, yaml.WithAllDocuments(), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		p := &Problem{Line: 1, Column: 1, Code: CodeYAML, Message: "the manifest is not YAML: " + err.Error()}
		var at *yaml.LoadError
		if errors.As(err, &at) {
			p.Message = "the manifest is not YAML: " + at.Message
			if at.Mark.Line > 0 {
				p.Line, p.Column = at.Mark.Line, max(1, at.Mark.Column)
			}
		}
		return nil, p
	}
	if len(documents) > 1 {
		second := documents[1]
		return nil, &Problem{Line: max(1, second.Line), Column: max(1, second.Column),
			Code: CodeYAML, Message: "another document begins: a manifest is one alone"}
	}
	node := &yaml.Node{}
	if len(documents) == 1 {
		node = &documents[0]
	}
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node.Kind == 0 || (node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null") {
		return nil, &Problem{Line: 1, Column: 1, Code: CodeMissing, Message: "the manifest is empty: give at least plugin and version"}
	}
	return node, nil
}

type place struct{ line, column int }

// decoder fills Go values from YAML nodes and notes where each came from.
type decoder struct {
	problems []Problem
	places   map[string]place
}

func (d *decoder) add(n *yaml.Node, path, code, message string) {
	d.problems = append(d.problems, Problem{Path: path, Line: n.Line, Column: n.Column, Code: code, Message: message})
}

// place finds a path in the text, or what is nearest above it.
func (d *decoder) place(path string) place {
	for {
		if at, ok := d.places[path]; ok {
			return at
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return d.places[""]
		}
		path = path[:i]
	}
}

func (d *decoder) node(n *yaml.Node, v reflect.Value, path string) {
	d.places[path] = place{n.Line, n.Column}
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.add(n, path, CodeAlias, "anchors and aliases are not possible: write the value where it is needed")
		return
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		d.add(n, path, CodeWrongType, "the value is empty: remove the key or write "+wanted(v.Type()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.node(n, v.Elem(), path)
	case reflect.Struct:
		d.mapping(n, v, path)
	case reflect.Map:
		d.texts(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

// wanted says in words what a Go type is written as.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.Struct:
		return "a mapping"
	case reflect.Map:
		return "a mapping from languages to texts"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

func (d *decoder) wrong(n *yaml.Node, v reflect.Value, path string) {
	d.add(n, path, CodeWrongType, "want "+wanted(v.Type()))
}

// keys walks a mapping and tells of keys that cannot be or were there before.
func (d *decoder) keys(n *yaml.Node, path string, use func(key string, k, v *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind == yaml.AliasNode || k.Anchor != "":
			d.add(k, path, CodeAlias, "anchors and aliases are not possible: write the value where it is needed")
		case k.Kind != yaml.ScalarNode:
			d.add(k, path, CodeUnknownKey, "a key is a word")
		case seen[k.Value]:
			d.add(k, join(path, k.Value), CodeDuplicateKey, "the key is there twice: remove one")
		default:
			seen[k.Value] = true
			use(k.Value, k, v)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, v, path)
		return
	}
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		fields[name] = i
		names = append(names, name)
	}
	d.keys(n, path, func(key string, k, value *yaml.Node) {
		i, known := fields[key]
		if !known {
			d.add(k, join(path, key), CodeUnknownKey, "the key is not known here: possible are "+strings.Join(names, " "))
			return
		}
		d.node(value, v.Field(i), join(path, key))
	})
}

func (d *decoder) texts(n *yaml.Node, v reflect.Value, path string) {
	// A plain description is one in English.
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && (path == "description" || strings.HasSuffix(path, ".description")) {
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("en"), reflect.ValueOf(n.Value))
		return
	}
	if n.Kind != yaml.MappingNode {
		d.wrong(n, v, path)
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.keys(n, path, func(key string, _, value *yaml.Node) {
		text := reflect.New(v.Type().Elem()).Elem()
		d.node(value, text, join(path, key))
		v.SetMapIndex(reflect.ValueOf(key), text)
	})
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, v, path)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.node(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.wrong(n, v, path)
		return
	}
	tag := n.ShortTag()
	switch v.Kind() {
	case reflect.String:
		if tag == "!!str" || (literal(path) && (tag == "!!int" || tag == "!!float" || tag == "!!bool")) {
			v.SetString(n.Value)
			return
		}
		d.add(n, path, CodeWrongType, "want a text: put it in quotes")
		return
	case reflect.Bool:
		if tag == "!!bool" {
			v.SetBool(strings.EqualFold(n.Value, "true"))
			return
		}
	case reflect.Int:
		if i, err := strconv.Atoi(n.Value); tag == "!!int" && err == nil {
			v.SetInt(int64(i))
			return
		}
	case reflect.Float64:
		if f, err := strconv.ParseFloat(n.Value, 64); (tag == "!!int" || tag == "!!float") && err == nil {
			v.SetFloat(f)
			return
		}
	}
	d.wrong(n, v, path)
}

// literal reports whether a text may be written as it is, without quotes,
// whatever it looks like: defaults, and the values of an enumeration.
func literal(path string) bool {
	list, inList := strings.CutSuffix(path, "]")
	if i := strings.LastIndexByte(list, '['); inList && i >= 0 {
		path = list[:i]
	}
	return strings.HasSuffix(path, ".default") || strings.HasSuffix(path, ".values")
}
