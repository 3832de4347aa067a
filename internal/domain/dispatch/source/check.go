package source

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/setting"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// shownValue is how much of a wrong value stands in a message.
const shownValue = 60

var (
	connectionName = regexp.MustCompile(`^` + setting.Prefix + `[a-z0-9][a-z0-9._-]{0,63}$`)
	digest         = regexp.MustCompile(`^(sha256:)?[0-9A-Fa-f]{64}$`)
)

// Known gives the value of a source that is known before anything runs: a constant,
// or a variable that the run is started with. at names the place where it stands.
func (src Source) Known(vars map[string]json.RawMessage) (raw json.RawMessage, at string) {
	at = "inputs." + src.Param.Name
	switch {
	case src.From == FromConstant:
		raw = wire.Raw(src.Text)
	case src.From == FromVariable:
		raw, at = vars[src.Text], "variables."+src.Text
	case src.Expr != nil && len(src.Expr.Names()) == 1 && src.Expr.Source() == src.Expr.Names()[0]:
		raw, at = vars[src.Expr.Source()], "variables."+src.Expr.Source()
	}
	return manifest.Typed(src.Param, raw), at
}

// Check refuses a value that is not of the type that a parameter declares, or does
// not have its form. at is the place of the value.
func Check(p wire.Param, raw json.RawMessage, at string) error {
	if Missing(raw) || p.Secret && p.Type != wire.TypeConnection && reference(raw) {
		return nil
	}
	want := ""
	if p.Multiple {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			want = `a list such as ["a","b"] in JSON`
		}
		for _, v := range list {
			if want == "" {
				want = wanted(p, manifest.Typed(wire.Param{Type: p.Type}, v))
			}
		}
	} else {
		want = wanted(p, raw)
	}
	if want == "" {
		return nil
	}
	what := "the value of the input " + p.Name
	if !p.Secret {
		what = fmt.Sprintf("the input %s is %s", p.Name, cutValue(raw))
	}
	e := errs.New(errs.Invalid, "dispatch.input_value", "%s: want %s", what, want)
	return e.With("input", p.Name).At(errs.Field{Path: at, Code: "dispatch.input_value", Message: "want " + want})
}

// reference reports whether a value stands for a secret of a connection.
func reference(raw json.RawMessage) bool {
	var ref struct {
		Secret string `json:"$secret"`
	}
	return json.Unmarshal(raw, &ref) == nil && ref.Secret != ""
}

func cutValue(raw json.RawMessage) string {
	text := []rune(strconv.Quote(plain(raw)))
	if len(text) > shownValue {
		return string(text[:shownValue]) + "…"
	}
	return string(text)
}

// wanted says what is wanted instead of a value; empty where it is right.
func wanted(p wire.Param, raw json.RawMessage) string {
	text := plain(raw)
	isText := raw[0] == '"'
	ok := true
	switch p.Type {
	case wire.TypeInt:
		_, err := strconv.ParseInt(string(raw), 10, 64)
		return unless(err == nil, "a whole number")
	case wire.TypeNumber:
		return unless(!isText && strings.Trim(string(raw), "0123456789+-.eE") == "", "a number")
	case wire.TypeBool:
		return unless(string(raw) == "true" || string(raw) == "false", "true or false")
	case wire.TypeList:
		return unless(raw[0] == '[', `a list such as ["a","b"] in JSON`)
	case wire.TypeObject:
		return unless(raw[0] == '{', `an object such as {"name":"value"} in JSON`)
	case wire.TypeEnum:
		return unless(slices.Contains(p.Values, text), "one of "+strings.Join(p.Values, ", "))
	case wire.TypeDuration:
		_, err := wire.ParseDuration(text)
		return unless(isText && err == nil, "a duration such as PT90S, PT10M or P1D, or short 90s, 10m or 1d, of at most 366 days")
	case wire.TypeDateTime:
		_, err := time.Parse(time.RFC3339Nano, text)
		return unless(err == nil, "a date and time such as 2026-01-31T08:00:00Z")
	case wire.TypeConnection:
		return unless(isText && connectionName.MatchString(text), "the name of a connection as "+setting.Prefix+"<name>")
	case wire.TypeFile:
		var f struct {
			SHA256 string `json:"sha256"`
		}
		if isText {
			f.SHA256 = text
		} else {
			ok = json.Unmarshal(raw, &f) == nil
		}
		return unless(ok && digest.MatchString(f.SHA256), "the SHA-256 of a file that was uploaded, as sextant file put prints it")
	}
	if raw[0] == '{' || raw[0] == '[' {
		return unless(p.Type != wire.TypeString, "one text")
	}
	if p.Pattern != "" {
		re, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
		ok = err != nil || re.MatchString(text)
	}
	return unless(ok, formOf(p))
}

func unless(ok bool, want string) string {
	if ok {
		return ""
	}
	return want
}

// formOf says what a pattern wants, as the manifest says it.
func formOf(p wire.Param) string {
	if text := p.Description["en"]; text != "" {
		return strings.TrimSuffix(text, ".")
	}
	return "a text of the form " + p.Pattern
}

// CheckFields refuses a connection that lacks what an input needs of it, and a
// reference to a field that it does not have.
func CheckFields(p wire.Param, raw json.RawMessage, at string, c setting.Connection) error {
	for _, need := range p.Fields {
		if !slices.ContainsFunc(strings.Split(need, "|"), func(name string) bool { return !Missing(c.Fields[name]) }) {
			need = strings.ReplaceAll(need, "|", " or ")
			return lacking(p, at, c, need)
		}
	}
	for _, ref := range setting.SecretFields(raw) {
		if name, field, _ := strings.Cut(ref, "#"); name == c.Name && c.Fields[field] == nil {
			return lacking(p, at, c, field)
		}
	}
	return nil
}

func lacking(p wire.Param, at string, c setting.Connection, field string) error {
	return errs.New(errs.Invalid, "dispatch.connection_field", "the connection %s, "+
		"which the input %s names, has no field %s: give it one with sextant connection set %s", c.Name, p.Name, field, c.Name).
		With("connection", c.Name).At(errs.Field{Path: at, Code: "dispatch.connection_field", Message: "has no field " + field})
}

// CheckOneOf refuses a row that has none or several of inputs of which one is
// wanted; has says what is known of an input. Where some of them are not known
// yet, nothing is said.
func CheckOneOf(svc plugin.Service, has func(name string) (given, known bool)) error {
	for _, set := range svc.Action.OneOf {
		n, known := 0, true
		for _, name := range set {
			given, sure := has(name)
			if given {
				n++
			}
			known = known && sure
		}
		if n == 1 || n == 0 && !known {
			continue
		}
		var fields []errs.Field
		for _, name := range set {
			fields = append(fields, errs.Field{Path: "variables." + name, Code: "dispatch.input_one_of", Message: "exactly one of these is wanted"})
		}
		return errs.New(errs.Invalid, "dispatch.input_one_of", "%s wants exactly one of the inputs %s, and %d of them are given",
			svc.Name(), strings.Join(set, ", "), n).At(fields...)
	}
	return nil
}

// Foresee makes the rows of a call as far as they are known before anything runs.
func Foresee(all []Source, rows []object.Ref, values *objectpath.Values, vars map[string]json.RawMessage) []wire.Row {
	shared := wire.Row{}
	for _, src := range all {
		if raw, _ := src.Known(vars); !Missing(raw) {
			shared[src.Param.Name] = raw
		}
	}
	out := make([]wire.Row, 0, len(rows))
	for _, ref := range rows {
		row := maps.Clone(shared)
		for _, src := range all {
			if src.Path == nil {
				continue
			}
			if raw, err := src.Single(ref, values.At(ref.ID, src.Index)); err == nil && !Missing(raw) {
				row[src.Param.Name] = manifest.Typed(src.Param, raw)
			}
		}
		out = append(out, row)
	}
	return out
}

// Foreseen says of the inputs of a step whether they will have a value, before
// anything runs: a variable that nothing in the process makes is not given later.
func Foreseen(all []Source, vars map[string]json.RawMessage, p *program.Program) func(name string) (given, known bool) {
	makes := slices.ContainsFunc(p.Nodes, func(n *program.Node) bool {
		return n.Kind == program.UserTask || n.Kind == program.ScriptTask ||
			n.Kind == program.CallActivity || n.Scope != program.None && n.Loop != nil
	})
	services := 0
	for _, n := range p.Nodes {
		if n.Kind == program.ServiceTask {
			services++
		}
	}
	return func(name string) (given, known bool) {
		for _, src := range all {
			if src.Param.Name != name {
				continue
			}
			raw, at := src.Known(vars)
			given = !Missing(raw)
			return given, given || src.From == FromConstant || strings.HasPrefix(at, "variables.") && !makes && services == 1
		}
		return false, true
	}
}
