package object

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	callTimeout = 30 * time.Second
	perChange   = 5 * time.Millisecond // more for each change of a set
	tries       = 4                    // while types change
)

// model is the object types of a plugin whose types change, with the mark that it
// gives them. It is believed until an answer of the plugin carries another mark:
// so types are those of the commit that changed them, whoever changed them.
type model struct {
	types []wire.ObjectType
	mark  string
}

func (m model) find(name string) (wire.ObjectType, bool) {
	i := slices.IndexFunc(m.types, func(t wire.ObjectType) bool { return t.Type == name })
	if i < 0 {
		return wire.ObjectType{}, false
	}
	return m.types[i], true
}

// modelOf gives the types of a plugin: fresh asks it in any case.
func (s *Service) modelOf(ctx context.Context, pkg string, fresh bool) (model, error) {
	m, ok := s.Plugins.Manifest(pkg)
	if !ok {
		return model{}, errs.New(errs.Invalid, "object.package", "there is no plugin %q that could own objects", pkg)
	}
	if !m.DynamicObjects {
		return model{types: m.Objects}, nil
	}
	s.mu.Lock()
	known := s.models[pkg]
	s.mu.Unlock()
	if known.mark != "" && !fresh {
		return known, nil
	}
	var out wire.Envelope[[]wire.ObjectType]
	mark, err := s.ask(ctx, question{pkg: pkg, method: http.MethodGet, path: "/data-model", mark: known.mark}, &out)
	if errors.Is(err, errSame) {
		return known, nil
	}
	if err != nil {
		return model{}, err
	}
	now := model{out.Data, mark}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.models[pkg] = now
	return now, nil
}

// forget drops what is believed of the types of a plugin.
func (s *Service) forget(pkg string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.models, pkg)
}

// Types lists the object types of a plugin.
func (s *Service) Types(ctx context.Context, pkg string) ([]wire.ObjectType, error) {
	m, err := s.modelOf(ctx, pkg, true)
	return m.types, err
}

// Type finds an object type by pkg:type.
func (s *Service) Type(ctx context.Context, ref string) (wire.ObjectType, error) {
	t, _, err := s.typeOf(ctx, ref)
	return t, err
}

// typeOf finds a type with the mark of its model. What is not among the types
// that are believed may have been defined since.
func (s *Service) typeOf(ctx context.Context, ref string) (wire.ObjectType, string, error) {
	pkg, name, ok := strings.Cut(ref, ":")
	if !ok {
		return wire.ObjectType{}, "", errs.New(errs.Invalid, "object.type", "%q is not of the form package:type", ref)
	}
	var m model
	for _, fresh := range []bool{false, true} {
		var err error
		if m, err = s.modelOf(ctx, pkg, fresh); err != nil {
			return wire.ObjectType{}, "", err
		}
		if t, ok := m.find(name); ok {
			return t, m.mark, nil
		}
	}
	var names []string
	for _, t := range m.types {
		names = append(names, pkg+":"+t.Type)
	}
	return wire.ObjectType{}, m.mark, errs.New(errs.Invalid, "object.unknown_type",
		"there is no object type %s; %s has %s", ref, pkg, strings.Join(names, ", ")).With("type", ref)
}

// under does something with a type and the mark of its model, and again where the
// answer came under another model than the one that was believed.
func (s *Service) under(ctx context.Context, ref string, fn func(t wire.ObjectType, mark string) (held string, err error)) error {
	pkg, _, _ := strings.Cut(ref, ":")
	for range tries {
		t, mark, err := s.typeOf(ctx, ref)
		if err != nil {
			return err
		}
		held, err := fn(t, mark)
		if held == mark || held == "" {
			return err
		}
		s.forget(pkg)
	}
	return moving(pkg)
}

func moving(pkg string) error {
	return errs.New(errs.Unavailable, "object.types_moving", "the object types of %s change faster than they can be read: try again", pkg)
}

var (
	errSame  = errors.New("the types are the same")
	errModel = errors.New("the types are others by now")
)

// refusal is what an owner has against a call.
type refusal struct {
	wire.Envelope[json.RawMessage]
	status int
}

// Error is the owner's message.
func (r *refusal) Error() string { return r.Message }

// problem is the refusal for the caller of the API.
func (r *refusal) problem() error {
	e := errs.New(errs.Invalid, "object.refused", "%s", r.Message)
	for field, message := range r.Fields {
		e.At(errs.Field{Path: field, Message: message})
	}
	slices.SortFunc(e.Fields, func(a, b errs.Field) int { return strings.Compare(a.Path, b.Path) })
	if r.status == http.StatusNotFound {
		e.Kind = errs.NotFound
	} else if r.status >= http.StatusInternalServerError {
		e.Kind, e.Code = errs.Unavailable, "object.owner_failed"
	}
	return e
}

// question is a call to the owner of objects.
type question struct {
	pkg, method, path string
	body              any
	mark              string // of the types that a write was checked against
	change            string // who makes a change, sealed
	longer            time.Duration
}

// ask asks an owner and reads its JSON envelope. The mark is that of the types
// that held when it answered.
func (s *Service) ask(ctx context.Context, q question, out any) (mark string, err error) {
	mark, err = s.try(ctx, q, out)
	var r *refusal
	if errors.As(err, &r) {
		err = r.problem()
	}
	return mark, err
}

// try is ask with refusals as they are.
func (s *Service) try(ctx context.Context, q question, out any) (mark string, err error) {
	data, err := json.Marshal(q.body)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout+q.longer)
	defer cancel()
	h := http.Header{}
	h.Set(wire.HeaderOperator, identity.From(ctx).Name)
	if run, ok := ctx.Value(runKey{}).(string); ok {
		h.Set(wire.HeaderRun, run)
	}
	for name, v := range map[string]string{wire.HeaderModel: q.mark, wire.HeaderChange: q.change} {
		if v != "" {
			h.Set(name, v)
		}
	}
	got, err := s.Router.Do(ctx, gateway.Call{Plugin: q.pkg, Method: q.method, Path: q.path, Header: h, Body: data})
	if err != nil {
		return "", errs.Wrap(err, errs.Unavailable, "object.owner", "the plugin "+q.pkg+", which owns these objects, did not answer")
	}
	mark = got.Header.Get(wire.HeaderModel)
	if got.Status == http.StatusNotModified {
		return mark, errSame
	}
	var head wire.Envelope[json.RawMessage]
	if err := json.Unmarshal(got.Body, &head); err != nil {
		return mark, errs.New(errs.Unavailable, "object.owner_garbage", "the plugin %s answered %d with %.100q, which is no envelope",
			q.pkg, got.Status, got.Body)
	}
	switch {
	case head.Status == wire.StatusOK:
		d := json.NewDecoder(bytes.NewReader(got.Body))
		d.UseNumber()
		return mark, d.Decode(out)
	case head.Code == wire.CodeModel:
		return mark, fmt.Errorf("%s: %w", q.pkg, errModel)
	}
	return mark, &refusal{head, got.Status}
}
