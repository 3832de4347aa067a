package decision

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/blob"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// MaxXML is the largest DMN file, in bytes.
const MaxXML = 8 << 20

// maxTrace is the most of a trace that is kept with what a run got.
const maxTrace = 48 << 10

// Deps is what the service needs.
type Deps struct {
	DB    *db.DB
	Clock clock.Clock
	Log   *slog.Logger
	Audit *audit.Log
	Bus   *bus.Bus
	Blobs blob.Store
}

// Service keeps decisions. It is safe for concurrent use.
type Service struct {
	Deps
	host   Host
	mu     sync.Mutex
	models map[string]*dmn.Model // by digest
	slots  chan struct{}
	jobs   sync.WaitGroup
}

// New makes the service over a migrated database; Attach connects the engine.
func New(d Deps) *Service {
	return &Service{Deps: d, models: map[string]*dmn.Model{}, slots: make(chan struct{}, atOnce)}
}

// Version is a version of a decision. It never changes.
type Version struct {
	Project  string    `json:"project"`
	Decision string    `json:"decision" doc:"Id of the decision within its file"`
	Version  int       `json:"version"`
	Name     string    `json:"name"`
	Model    string    `json:"model" doc:"Name of its file's model"`
	Digest   string    `json:"digest" doc:"SHA-256 of the file"`
	Subject  string    `json:"subject" doc:"Who deployed it"`
	Created  time.Time `json:"created"`
}

// Deployed is the answer to a deployment.
type Deployed struct {
	Decisions []Version    `json:"decisions" doc:"The decisions of the file, in its order"`
	Changed   bool         `json:"changed" doc:"False where the newest versions are of the very same file"`
	Warnings  []errs.Field `json:"warnings,omitempty" doc:"What is allowed and probably not meant"`
}

// Deploy checks a DMN file and keeps it as the newest version of its decisions. A
// file with a mistake is refused, with every place at fault.
func (s *Service) Deploy(ctx context.Context, project string, xml []byte) (Deployed, error) {
	if err := identity.Require(ctx, "decision.deploy", project); err != nil {
		return Deployed{}, err
	}
	m, warnings, err := check(xml)
	if err != nil {
		return Deployed{}, err
	}
	digest, _, err := s.Blobs.Put(ctx, bytes.NewReader(xml), MaxXML)
	if err != nil {
		return Deployed{}, err
	}
	out := Deployed{Warnings: warnings}
	err = s.DB.Do(ctx, func(tx *db.Tx) error {
		out.Decisions, out.Changed = nil, false
		for _, e := range m.Elements() {
			if e.Kind != "decision" {
				continue
			}
			v := Version{Project: project, Decision: e.ID, Name: e.Name, Model: m.Name(),
				Digest: digest, Subject: identity.From(ctx).Name, Created: s.Clock.Now()}
			isNew, err := s.keep(ctx, tx, &v)
			if err != nil {
				return err
			}
			out.Decisions, out.Changed = append(out.Decisions, v), out.Changed || isNew
		}
		return nil
	})
	return out, err
}

// keep keeps a version, unless the newest one is of the same file.
func (s *Service) keep(ctx context.Context, tx *db.Tx, v *Version) (isNew bool, err error) {
	last, err := find(ctx, tx, v.Project, v.Decision, 0)
	if err != nil {
		return false, err
	}
	v.Version = 1
	if last != nil {
		if last.Digest == v.Digest {
			*v = *last
			return false, nil
		}
		v.Version = last.Version + 1
	}
	if err := insert(tx, *v); err != nil {
		return false, err
	}
	data := VersionDeployed{v.Version, v.Digest}
	detail, err := json.Marshal(data)
	if err != nil {
		return false, err
	}
	subject := "decision/" + v.Decision
	if err := deployed.Publish(s.Bus, tx, bus.Of{Subject: subject, Project: v.Project}, data); err != nil {
		return false, err
	}
	return true, s.Audit.Write(ctx, tx,
		audit.Record{Project: v.Project, Actor: identity.From(ctx).Actor(), Verb: "decision.deploy", Object: subject, Detail: detail})
}

// check reads a file that is deployed.
func check(xml []byte) (*dmn.Model, []errs.Field, error) {
	file, err := dmn.Read(xml)
	if err != nil {
		return nil, nil, errs.New(errs.Invalid, "decision.xml", "the file is no DMN: %s", err)
	}
	if len(file.Imports) > 0 {
		return nil, nil, errs.New(errs.Invalid, "decision.import",
			"the model imports %q: models that import others are not deployed yet; put what it needs into the file", file.Imports[0].Namespace)
	}
	m := dmn.Compile([]*dmn.File{file})
	var bad, warnings []errs.Field
	for _, p := range m.Check() {
		f := errs.Field{Path: p.Element, Code: p.Code, Message: p.Message, Line: p.Line, Column: p.Column}
		if f.Path == "" {
			f.Path = fmt.Sprintf("line %d", p.Line)
		}
		if p.Level == model.Failure {
			bad = append(bad, f)
		} else {
			warnings = append(warnings, f)
		}
	}
	some := false
	for _, e := range m.Elements() {
		if e.Kind != "decision" {
			continue
		}
		some = true
		if e.ID == "" || len(e.ID) > 190 {
			bad = append(bad, errs.Field{Path: e.Name, Code: "decision.id",
				Message: "the decision " + e.Name + " has no id of 1 to 190 characters, by which it is called"})
		} else if !api.Segment(e.ID) {
			bad = append(bad, errs.Field{Path: strconv.QuoteToASCII(e.ID), Code: "decision.id",
				Message: "cannot be an id: leave out slashes, spaces, dots alone and characters that are not seen"})
		}
	}
	if !some {
		bad = append(bad, errs.Field{Path: "line 1", Code: "decision.none", Message: "the file holds no decision"})
	}
	if len(bad) > 0 {
		return nil, nil, errs.New(errs.Invalid, "decision.invalid", "the model cannot be put to use: %d problem(s)", len(bad)).At(bad...)
	}
	return m, warnings, nil
}

// XML gives the file of a version.
func (s *Service) XML(ctx context.Context, v Version) ([]byte, error) {
	f, _, err := s.Blobs.Open(ctx, v.Digest)
	if err == nil {
		defer f.Close()
		var xml []byte
		if xml, err = io.ReadAll(io.LimitReader(f, MaxXML+1)); err == nil {
			return xml, nil
		}
	}
	return nil, errs.Wrap(err, errs.Unavailable, "decision.file_lost", fmt.Sprintf("the file of "+
		"decision %s version %d is missing or damaged: restore blobs/%s/%s from a backup", v.Decision, v.Version, v.Digest[:2], v.Digest))
}

// compiled gives the model of a version.
func (s *Service) compiled(ctx context.Context, v Version) (*dmn.Model, error) {
	s.mu.Lock()
	m := s.models[v.Digest]
	s.mu.Unlock()
	if m != nil {
		return m, nil
	}
	xml, err := s.XML(ctx, v)
	if err != nil {
		return nil, err
	}
	file, err := dmn.Read(xml)
	if err != nil {
		return nil, fmt.Errorf("decision %s version %d: %w", v.Decision, v.Version, err)
	}
	m = dmn.Compile([]*dmn.File{file})
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.models) >= keptModels {
		clear(s.models)
	}
	s.models[v.Digest] = m
	return m, nil
}

const keptModels = 256

// Answer is what a decision says.
type Answer struct {
	Decision string          `json:"decision"`
	Version  int             `json:"version"`
	Value    json.RawMessage `json:"value"`
	Warnings []string        `json:"warnings,omitempty" doc:"Why something on the way became null"`
	Trace    json.RawMessage `json:"trace,omitempty" doc:"Every value on the way, and the rules that matched"`
}

// Evaluate evaluates a version of a decision, the newest for 0.
func (s *Service) Evaluate(ctx context.Context, project, decision string, version int, vars map[string]json.RawMessage) (Answer, error) {
	if err := identity.Require(ctx, "decision.evaluate", project); err != nil {
		return Answer{}, err
	}
	return s.evaluate(ctx, project, decision, version, vars)
}

func (s *Service) evaluate(ctx context.Context, project, decision string, version int, vars map[string]json.RawMessage) (Answer, error) {
	v, err := s.version(ctx, project, decision, version)
	if err != nil {
		return Answer{}, err
	}
	m, err := s.compiled(ctx, v)
	if err != nil {
		return Answer{}, err
	}
	given := &value.Context{}
	for name, raw := range vars {
		x, err := value.FromJSON(raw)
		if err != nil {
			return Answer{}, errs.New(errs.Invalid, "decision.variable", "the variable %s is no JSON", name).
				At(errs.Field{Path: "variables." + name, Message: "no JSON"})
		}
		given.Put(name, x)
	}
	res, err := m.Decide(dmn.Target{Name: decision}, m.JSONInputs(given, time.LoadLocation),
		dmn.Env{Now: s.Clock.Now(), Zone: time.LoadLocation, Random: rand.Uint64})
	var limit *feel.LimitError
	switch {
	case errors.As(err, &limit):
		return Answer{}, errs.New(errs.Invalid, "decision.limit", "the decision %s takes too much: %s", decision, limit)
	case err != nil:
		return Answer{}, err
	case len(res.Broken) > 0:
		return Answer{}, errs.New(errs.Invalid, "decision.invalid", "the decision %s needs %s, which has a mistake in the model",
			decision, res.Broken[0])
	}
	a := Answer{Decision: v.Decision, Version: v.Version, Value: dmn.JSON(res.Value)}
	if refers(a.Value) {
		return Answer{}, errs.New(errs.Invalid, "decision.reference", "the decision %s gives a reference to a secret ($secret), "+
			"and the value of a table is no reference: let the step that needs the secret name it, or its connection", decision)
	}
	for _, w := range res.Warnings {
		a.Warnings = append(a.Warnings, w.Message)
	}
	if trace, err := json.Marshal(res.Trace); err == nil && len(trace) <= maxTrace {
		a.Trace = trace
	}
	return a, nil
}

// refers reports whether a value holds a reference to a secret anywhere, in a text
// that is JSON too.
func refers(raw json.RawMessage) bool {
	var v any
	return json.Unmarshal(raw, &v) == nil && refersIn(v)
}

func refersIn(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["$secret"]; ok {
			return true
		}
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), refersIn)
	case []any:
		return slices.ContainsFunc(v, refersIn)
	case string:
		return refers(json.RawMessage(v))
	}
	return false
}

// Has reports whether a project has a decision.
func (s *Service) Has(ctx context.Context, project, decision string) (bool, error) {
	v, err := find(ctx, s.DB, project, decision, 0)
	return v != nil, err
}

// version finds a version, the newest for 0.
func (s *Service) version(ctx context.Context, project, decision string, version int) (Version, error) {
	v, err := find(ctx, s.DB, project, decision, version)
	switch {
	case err != nil:
		return Version{}, err
	case v == nil && version > 0:
		return Version{}, errs.New(errs.NotFound, "decision.version_not_found",
			"the decision %q has no version %d in project %q", decision, version, project)
	case v == nil:
		return Version{}, errs.New(errs.NotFound, "decision.not_found",
			"there is no decision %q in project %q: deploy the DMN file that has it", decision, project)
	}
	return *v, nil
}
