package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"sextant/internal/domain/plugin"
	"sextant/internal/domain/setting"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// open replaces references to connections and their secrets by what they hold,
// for a call that is about to be sent. The result is neither stored nor logged.
func (s *Service) open(ctx context.Context, project string, svc plugin.Service, body []byte) ([]byte, error) {
	var secret []wire.Param
	for _, p := range svc.Action.Input {
		if p.Type == wire.TypeConnection || p.Secret {
			secret = append(secret, p)
		}
	}
	if len(secret) == 0 {
		return body, nil
	}
	var req wire.Request
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, err
	}
	o := opener{s: s, ctx: ctx, project: project, known: map[string]map[string]json.RawMessage{}}
	for _, row := range req.Inputs {
		for _, p := range secret {
			v, err := o.value(p, row[p.Name])
			if err != nil {
				return nil, err
			}
			if v != nil {
				row[p.Name] = v
			}
		}
	}
	return json.Marshal(req)
}

// opener opens each connection once.
type opener struct {
	s       *Service
	ctx     context.Context
	project string
	known   map[string]map[string]json.RawMessage
}

func (o *opener) connection(name string) (map[string]json.RawMessage, error) {
	if fields, ok := o.known[name]; ok {
		return fields, nil
	}
	fields, err := o.s.Settings.Resolve(o.ctx, o.project, name)
	if err == nil {
		o.known[name] = fields
	}
	return fields, err
}

func (o *opener) value(p wire.Param, raw json.RawMessage) (json.RawMessage, error) {
	if p.Type != wire.TypeConnection {
		return o.nested(raw)
	}
	var ref string
	if len(raw) == 0 {
		return nil, nil
	}
	if json.Unmarshal(raw, &ref) != nil || !strings.HasPrefix(ref, setting.Prefix) {
		return nil, errs.New(errs.Invalid, "dispatch.connection", "the input %s is not the name of a connection: write %s<name>", p.Name, setting.Prefix)
	}
	fields, err := o.connection(strings.TrimPrefix(ref, setting.Prefix))
	if err != nil {
		return nil, err
	}
	return wire.Raw(fields), nil
}

// nested replaces {"$secret": "connection/<name>#<field>"} wherever it stands.
func (o *opener) nested(raw json.RawMessage) (json.RawMessage, error) {
	if !bytes.Contains(raw, []byte(`"$secret"`)) {
		return raw, nil
	}
	var ref struct {
		Secret string `json:"$secret"`
	}
	if json.Unmarshal(raw, &ref) == nil && ref.Secret != "" {
		name, field, _ := strings.Cut(strings.TrimPrefix(ref.Secret, setting.Prefix), "#")
		fields, err := o.connection(name)
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
			opened, err := o.nested(v)
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
		opened, err := o.nested(v)
		if err != nil {
			return nil, err
		}
		list[i] = opened
	}
	return json.Marshal(list)
}
