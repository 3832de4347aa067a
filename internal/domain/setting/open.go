package setting

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"sextant/internal/kit/errs"
)

// Opener puts what connections hold in the place of references to them, for a
// call that is about to be sent. It opens each connection once. What it gives must
// not be stored or logged.
type Opener struct {
	s       *Service
	project string
	run     string
	known   map[string]map[string]json.RawMessage
	opened  []string
}

// Opener makes an opener for a run of a project.
func (s *Service) Opener(project, run string) *Opener {
	return &Opener{s: s, project: project, run: run, known: map[string]map[string]json.RawMessage{}}
}

// Opened are the clear values that were given out, for who has to hide them where
// they come back.
func (o *Opener) Opened() []string { return o.opened }

func (o *Opener) connection(ctx context.Context, name string) (map[string]json.RawMessage, error) {
	if fields, ok := o.known[name]; ok {
		return fields, nil
	}
	fields, opened, err := o.s.resolve(ctx, o.project, name)
	if err == nil {
		o.known[name], o.opened = fields, append(o.opened, opened...)
	}
	return fields, err
}

// Open gives the value of an input with what it refers to: a whole connection
// where one is meant, else the secrets that stand in it. Nothing stays nothing.
func (o *Opener) Open(ctx context.Context, input string, connection bool, raw json.RawMessage) (json.RawMessage, error) {
	if !connection {
		v, err := o.nested(ctx, raw)
		if err == nil {
			o.opened = texts(v, o.opened)
		}
		return v, err
	}
	var ref string
	if len(raw) == 0 {
		return nil, nil
	}
	if json.Unmarshal(raw, &ref) != nil || !strings.HasPrefix(ref, Prefix) {
		return nil, errs.New(errs.Invalid, "dispatch.connection", "the input %s is not the name of a connection: write %s<name>", input, Prefix)
	}
	fields, err := o.connection(ctx, strings.TrimPrefix(ref, Prefix))
	if err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// nested replaces {"$secret": "connection/<name>#<field>"} wherever it stands.
func (o *Opener) nested(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
	if !bytes.Contains(raw, []byte(`"$secret"`)) {
		return raw, nil
	}
	var ref struct {
		Secret string `json:"$secret"`
	}
	if json.Unmarshal(raw, &ref) == nil && ref.Secret != "" {
		if sealed, ok := strings.CutPrefix(ref.Secret, sealedPrefix); ok {
			return o.unseal(sealed)
		}
		name, field, _ := strings.Cut(strings.TrimPrefix(ref.Secret, Prefix), "#")
		fields, err := o.connection(ctx, name)
		if err != nil {
			return nil, err
		}
		if fields[field] == nil {
			return nil, errs.New(errs.Invalid, "dispatch.secret", "the connection %s has no field %q", name, field)
		}
		return fields[field], nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) == nil {
		for k, v := range object {
			opened, err := o.nested(ctx, v)
			if err != nil {
				return nil, err
			}
			object[k] = opened
		}
		return json.Marshal(object)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return raw, nil // a text that only looks like it
	}
	for i, v := range list {
		opened, err := o.nested(ctx, v)
		if err != nil {
			return nil, err
		}
		list[i] = opened
	}
	return json.Marshal(list)
}
