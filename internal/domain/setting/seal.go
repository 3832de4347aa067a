package setting

import (
	"encoding/json"
	"strings"

	"sextant/internal/kit/errs"
)

// sealedPrefix begins the reference to a secret that was given with the start of
// a run, in clear: {"$secret": "sealed/…"} holds it sealed for that run alone.
const sealedPrefix = "sealed/"

func runContext(project, run string) string { return "run/" + project + "/" + run }

// SealFor seals every text in a value that is a secret, so that the run which was
// given it can use it, and nobody can read it in its record. References stay.
func (s *Service) SealFor(project, run string, raw json.RawMessage) (json.RawMessage, error) {
	var ref struct {
		Secret string `json:"$secret"`
	}
	if json.Unmarshal(raw, &ref) == nil && ref.Secret != "" {
		return raw, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return s.sealText(project, run, text)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) == nil && object != nil {
		for name, v := range object {
			sealed, err := s.SealFor(project, run, v)
			if err != nil {
				return nil, err
			}
			object[name] = sealed
		}
		return json.Marshal(object)
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && list != nil {
		for i, v := range list {
			sealed, err := s.SealFor(project, run, v)
			if err != nil {
				return nil, err
			}
			list[i] = sealed
		}
		return json.Marshal(list)
	}
	return raw, nil
}

func (s *Service) sealText(project, run, text string) (json.RawMessage, error) {
	if text == "" {
		return json.RawMessage(`""`), nil
	}
	if (text[0] == '{' || text[0] == '[') && json.Valid([]byte(text)) { // a structure that was typed as text
		return s.SealFor(project, run, json.RawMessage(text))
	}
	sealed, err := s.box.Seal(runContext(project, run), []byte(text))
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"$secret": sealedPrefix + sealed})
}

func (o *Opener) unseal(sealed string) (json.RawMessage, error) {
	clear, err := o.s.box.Open(runContext(o.project, o.run), sealed)
	if err != nil {
		return nil,
			errs.New(errs.Invalid, "dispatch.secret", "a secret that was given with the start of another run cannot be used here: give it again")
	}
	return json.Marshal(string(clear))
}

// Sealed reports whether a value holds a secret that was sealed for a run.
func Sealed(raw json.RawMessage) bool { return strings.Contains(string(raw), `"`+sealedPrefix) }

// texts adds the texts that stand in a value.
func texts(raw json.RawMessage, all []string) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return all
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case map[string]any:
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(v)
	return all
}
