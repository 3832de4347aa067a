package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// eval evaluates an expression as seen from a scope. The error names a limit
// that was exceeded; FEEL's own errors are null.
func (s *stepper) eval(x *feel.Expr, scope state.Key, over map[string]value.Value) (value.Value, error) {
	s.warned = s.warned[:0]
	return x.Eval(&feel.Env{
		Warn: func(w feel.Warning) {
			if len(s.warned) < maxWarnings {
				s.warned = append(s.warned, w)
			}
		},
		Now:    s.env.Now,
		Zone:   s.env.Zone,
		Random: s.env.Random,
		Lookup: func(name string) (value.Value, bool) {
			if v, ok := over[name]; ok {
				return v, true
			}
			raw, ok := s.run.Lookup(scope, name)
			if !ok {
				return value.Null(), false
			}
			v, err := value.FromJSON(raw)
			return v, err == nil
		},
	})
}

// maxWarnings bounds how many reasons an incident tells.
const maxWarnings = 3

// unfit says that a value is not what it has to be, and why it became null.
func (s *stepper) unfit(x *feel.Expr, v value.Value, want string) string {
	text := fmt.Sprintf("is %s: want %s", v.Kind(), want)
	for _, w := range s.warned {
		line, column := x.Position(w.Offset)
		text += fmt.Sprintf("; line %d, column %d: %s", line, column, w.Message)
	}
	return text
}

// json gives a value as JSON; a static one is a string.
func (s *stepper) json(v program.Value, scope state.Key) (json.RawMessage, error) {
	if v.Expr == nil {
		return quoted(v.Static), nil
	}
	got, err := s.eval(v.Expr, scope, nil)
	if err != nil {
		return nil, err
	}
	raw, err := value.ToJSON(got)
	if err == nil && len(raw) > MaxVariableBytes {
		err = fmt.Errorf("the value has %d bytes: at most %d are possible", len(raw), MaxVariableBytes)
	}
	return raw, err
}

// text gives a text; a null is empty.
func (s *stepper) text(v program.Value, scope state.Key) (string, error) {
	if v.Expr == nil {
		return v.Static, nil
	}
	got, err := s.eval(v.Expr, scope, nil)
	if err != nil {
		return "", err
	}
	return asText(v.Expr, got)
}

func asText(x *feel.Expr, v value.Value) (string, error) {
	switch v.Kind() {
	case value.KindNull:
		return "", nil
	case value.KindList, value.KindContext, value.KindFunction, value.KindRange:
		return "", fmt.Errorf("%q is %s", x.Source(), v.Kind())
	}
	if t, ok := value.AsString(v); ok {
		return t, nil
	}
	raw, err := value.ToJSON(v)
	if err != nil {
		return "", err
	}
	return strings.Trim(string(raw), `"`), nil
}

// texts gives a list of texts: a FEEL list, or text with commas.
func (s *stepper) texts(v program.Value, scope state.Key) ([]string, error) {
	text := v.Static
	if v.Expr != nil {
		got, err := s.eval(v.Expr, scope, nil)
		if err != nil {
			return nil, err
		}
		if items, ok := value.AsList(got); ok {
			out := make([]string, 0, len(items))
			for _, item := range items {
				t, err := asText(v.Expr, item)
				if err != nil {
					return nil, err
				}
				out = append(out, t)
			}
			return out, nil
		}
		if text, err = asText(v.Expr, got); err != nil {
			return nil, err
		}
	}
	var out []string
	for t := range strings.SplitSeq(text, ",") {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return out, nil
}

func (s *stepper) number(v program.Value, scope state.Key) (int32, error) {
	raw, err := s.json(v, scope)
	if err != nil {
		return 0, err
	}
	var n int32
	if err := json.Unmarshal([]byte(strings.Trim(string(raw), `"`)), &n); err != nil {
		return 0, fmt.Errorf("%s is not one", raw)
	}
	return n, nil
}

// place puts a value at the end of a path of names and gives the value of the
// first name, which keeps the rest of what it held as seen from the scope.
func (s *stepper) place(scope state.Key, path []string, v json.RawMessage) (json.RawMessage, error) {
	if len(path) == 1 {
		return v, nil
	}
	held, _ := s.run.Lookup(scope, path[0])
	return placed(held, path[1:], v)
}

func placed(held json.RawMessage, path []string, v json.RawMessage) (json.RawMessage, error) {
	if len(path) == 0 {
		return v, nil
	}
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(held, &fields) != nil || fields == nil {
		fields = map[string]json.RawMessage{}
	}
	inner, err := placed(fields[path[0]], path[1:], v)
	if err != nil {
		return nil, err
	}
	fields[path[0]] = inner
	return json.Marshal(fields)
}

func quoted(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return raw
}

func joined(path []string) string { return strings.Join(path, ".") }

func reason(err error) string {
	if err == nil {
		return "it is empty"
	}
	var limit *feel.LimitError
	if errors.As(err, &limit) {
		return limit.Error()
	}
	return err.Error()
}
