package api

import (
	"encoding/json"
	"path"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
)

var qualified = regexp.MustCompile(`\*?((?:[\w.-]+/)*[\w-]+)\.(\w+)`)

// domainOf gives the domain of a package, or the name of one that is of none.
func domainOf(pkg string) string {
	if domain, ok := strings.CutPrefix(pkg, "sextant/internal/domain/"); ok {
		domain, _, _ = strings.Cut(domain, "/")
		return domain
	}
	return path.Base(pkg)
}

// schemaName names a type in the API's description by its domain and its own
// name, so that the Step of one domain is not that of another: ProcessStep,
// PageOfProcessRun. In which room of the domain it stands is not told: it may move.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Name() == "" || t.PkgPath() == "" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	name, inner, generic := strings.Cut(t.Name(), "[")
	if !generic {
		if strings.HasPrefix(t.PkgPath(), "sextant/") && path.Base(t.PkgPath()) != "api" {
			return upper(domainOf(t.PkgPath())) + upper(name)
		}
		return upper(name)
	}
	inner = qualified.ReplaceAllStringFunc(strings.TrimSuffix(inner, "]"), func(s string) string {
		m := qualified.FindStringSubmatch(s)
		return upper(domainOf(m[1])) + upper(m[2])
	})
	return upper(name) + "Of" + strings.Map(letters, inner)
}

// schemaNames is schemaName where no two types may share a name: the second
// would be read by the rules of the first. It is a mistake of whoever named the
// inputs alike, and so ends the program when it is built and tested.
func schemaNames() func(reflect.Type, string) string {
	taken := map[string]reflect.Type{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		name := schemaName(t, hint)
		if other, ok := taken[name]; ok && other != t && t.Kind() == reflect.Struct {
			panic("api: two bodies are named " + name + ": rename the input type of one")
		}
		taken[name] = t
		return name
	}
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// needs tells in the description what an endpoint asks of who calls it.
func (e Endpoint) needs() map[string]any {
	if e.Public {
		return map[string]any{"x-public": true}
	}
	needs := map[string]any{"x-permission": e.Permission}
	if e.Reauth {
		needs["x-fresh-proof"] = true
	}
	return needs
}

// describe adds a plain endpoint to the description: what it is for and where,
// not the form of its bodies.
func (a *API) describe(e Endpoint) {
	op := &huma.Operation{OperationID: e.ID, Method: e.Method, Path: e.Path,
		Summary: e.Summary, Tags: []string{e.Tag}, Responses: map[string]*huma.Response{"default": {Description: "Success, or a problem"}}}
	op.Extensions = e.needs()
	for _, m := range pathParam.FindAllStringSubmatch(e.Path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, name := range e.Query {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	a.huma.OpenAPI().AddOperation(op)
}

// describeProblems puts the form of the errors that are really answered in place
// of the library's own.
func (a *API) describeProblems() {
	all := a.huma.OpenAPI().Components.Schemas
	problem := all.Schema(reflect.TypeFor[Problem](), false, "Problem")
	all.Map()["ErrorModel"] = problem
	delete(all.Map(), "ErrorDetail")
}

func letters(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return r
	}
	return -1
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Schema is the JSON Schema of a type, without references to elsewhere. It does not
// refuse fields that come later.
func Schema(t reflect.Type) json.RawMessage {
	s := huma.SchemaFromType(withKeys(huma.NewMapRegistry("#/$defs/", huma.DefaultSchemaNamer)), t)
	s.AdditionalProperties = nil
	raw, err := json.Marshal(s)
	if err != nil {
		panic("api: the schema of " + t.String() + ": " + err.Error()) // a mistake in its tags
	}
	return raw
}
