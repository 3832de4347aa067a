// Package definition keeps processes with their versions: it checks a file, compiles
// it, and tells what a start needs. A version never changes.
//
//	deploy ─► version 1, 2, …
//
// It starts nothing.
package definition

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/message"
	"sextant/internal/domain/process/number"
	"sextant/internal/domain/process/schema"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/blob"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// MaxXML is the largest process file, in bytes.
const MaxXML = 8 << 20

// Definition is a version of a process. It never changes.
type Definition struct {
	Key     api.Key   `json:"key"`
	Project string    `json:"project"`
	Process string    `json:"process" doc:"Id of the process within its file"`
	Version int       `json:"version"`
	Name    string    `json:"name,omitempty"`
	Digest  string    `json:"digest" doc:"SHA-256 of the file"`
	Subject string    `json:"subject" doc:"Who deployed it"`
	Created time.Time `json:"created"`
	// Tag is what call activities may name the version by.
	Tag string `json:"versionTag,omitempty" maxLength:"190" doc:"What people call this version, from its file"`
}

// Deps is what the service needs.
type Deps struct {
	DB       *db.DB
	Clock    clock.Clock
	Log      *slog.Logger
	Audit    *audit.Log
	Bus      *bus.Bus
	Blobs    blob.Store
	Planner  *plan.Service
	Messages *message.Service
	// DMN tells which decisions there are.
	DMN interface {
		Has(ctx context.Context, project, decision string) (bool, error)
	}
	// Cycle is the shortest time between two firings of a timer; 1 s where it is 0.
	Cycle time.Duration
}

// Keys gives the keys of new versions: the engine.
type Keys interface{ NewKey() state.Key }

// Service keeps the versions of processes. It is safe for concurrent use.
type Service struct {
	Deps
	keys     Keys
	programs number.Programs
	schemas  schema.Cache
	versions db.Memo[version, *Definition]
}

// New makes the service over a migrated database; Attach gives it keys before anything
// is deployed.
func New(d Deps) *Service { return &Service{Deps: d} }

// Attach connects what gives keys.
func (s *Service) Attach(k Keys) { s.keys = k }

// Deployed is the answer to a deployment.
type Deployed struct {
	Definition
	Changed  bool         `json:"changed" doc:"False where the newest version is the very same file"`
	Warnings []errs.Field `json:"warnings,omitempty" doc:"What is kept and has no effect"`
	Others   []Definition `json:"others,omitempty" doc:"The other processes of the file, in its order"`
}

// Deploy checks a BPMN file and keeps it as the newest version of its processes.
// Whatever cannot be executed refuses it, with every place at fault.
func (s *Service) Deploy(ctx context.Context, project string, xml []byte) (Deployed, error) {
	if err := identity.Require(ctx, "process.deploy", project); err != nil {
		return Deployed{}, err
	}
	return s.deploy(ctx, project, xml)
}

func (s *Service) deploy(ctx context.Context, project string, xml []byte) (Deployed, error) {
	model, progs, problems := read(xml)
	if err := s.checkTasks(ctx, progs, problems); err != nil {
		return Deployed{}, err
	}
	digest, _, err := s.Blobs.Put(ctx, bytes.NewReader(xml), MaxXML)
	if err != nil {
		return Deployed{}, err
	}
	out := Deployed{Warnings: fields(model.Warnings)}
	defs := make([]Definition, len(progs))
	isNew := make([]bool, len(progs))
	for i, prog := range progs {
		out.Warnings = slices.Concat(out.Warnings, unserved(prog), s.undecided(ctx, project, prog), s.uncalled(ctx, project, progs, prog))
		defs[i] = Definition{Key: s.keys.NewKey(), Project: project,
			Process: prog.ProcessID, Name: prog.Name, Digest: digest, Subject: identity.From(ctx).Name, Created: s.Clock.Now(), Tag: prog.VersionTag}
	}
	err = s.DB.Do(ctx, func(tx *db.Tx) error {
		s.versions.Changes(tx)
		for i := range defs {
			var err error
			if isNew[i], err = s.add(ctx, tx, &defs[i]); err != nil {
				return err
			}
			if !isNew[i] {
				continue
			}
			if err := number.Keep(tx, int64(defs[i].Key), progs[i].Table()); err != nil {
				return err
			}
			if err := s.Messages.Begins(tx, project, progs[i].ProcessID, message.Starts(progs[i])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Deployed{}, err
	}
	for i, d := range defs {
		if isNew[i] {
			out.Changed = true
			s.programs.Put(int64(d.Key), progs[i])
		}
	}
	out.Definition, out.Others = defs[0], defs[1:]
	return out, nil
}

// add keeps a definition as the newest version of its process, or gives the newest
// one where that is the very same file.
func (s *Service) add(ctx context.Context, tx *db.Tx, d *Definition) (isNew bool, err error) {
	last, err := newest(ctx, tx, d.Project, d.Process)
	if err != nil {
		return false, err
	}
	d.Version = 1
	if last != nil {
		if last.Digest == d.Digest {
			*d = *last
			return false, nil
		}
		d.Version = last.Version + 1
	}
	return true, s.keep(ctx, tx, *d)
}

func (s *Service) keep(ctx context.Context, tx *db.Tx, d Definition) error {
	if err := insertDefinition(tx, d); err != nil {
		return err
	}
	subject := fmt.Sprintf("process/%s", d.Process)
	if err := deployed.Publish(s.Bus, tx, bus.Of{Subject: subject, Project: d.Project}, VersionDeployed{d.Version}); err != nil {
		return err
	}
	return s.Audit.Write(ctx, tx, audit.Record{Project: d.Project, Actor: identity.From(ctx).Actor(), Verb: "process.deploy", Object: subject,
		Detail: rawJSON(map[string]any{"version": d.Version, "digest": d.Digest})})
}

// unserved lists the tasks whose jobs nobody here takes: they wait for a worker.
func unserved(p *program.Program) []errs.Field {
	var all []errs.Field
	for _, n := range p.Nodes {
		if n.Kind == program.ServiceTask && n.Task.Type.Expr == nil && !dispatch.Accepts(n.Task.Type.Static) {
			all = append(all, errs.Field{Path: n.ID, Code: "process.no_worker", Line: n.Line,
				Message: "no plugin serves jobs of type " + strconv.Quote(n.Task.Type.Static) + ": the step waits until a worker " +
					"takes it (POST /api/v1/jobs/activate), or somebody skips it; services of plugins are named plugin:<plugin>/<service>/<action>"})
		}
	}
	return all
}

// undecided lists the tasks whose decisions are not there yet.
func (s *Service) undecided(ctx context.Context, project string, p *program.Program) []errs.Field {
	var all []errs.Field
	for _, n := range p.Nodes {
		if n.Decision == nil || n.Decision.ID.Expr != nil {
			continue
		}
		if has, err := s.DMN.Has(ctx, project, n.Decision.ID.Static); err == nil && !has {
			all = append(all, errs.Field{Path: n.ID, Code: "process.no_decision", Line: n.Line,
				Message: "there is no decision " + strconv.Quote(n.Decision.ID.Static) +
					": the step stops with an incident until a DMN file with it is deployed"})
		}
	}
	return all
}

// checkTasks finds out whether every service that the tasks name exists and
// takes the inputs that it is given. problems are what is wrong already: all is told
// at once.
func (s *Service) checkTasks(ctx context.Context, progs []*program.Program, problems error) error {
	var all []errs.Field
	if problems != nil {
		all = errs.As(problems).Fields
		if len(all) == 0 || len(progs) == 0 {
			return problems
		}
	}
	for _, p := range progs {
		for _, n := range p.Nodes {
			if n.Kind != program.ServiceTask || at(all, n) {
				continue
			}
			if err := s.Planner.CheckTask(ctx, n); err != nil {
				e := errs.As(err)
				all = append(all, errs.Field{Path: n.ID, Code: e.Code, Message: e.Message, Line: n.Line})
			}
		}
		all = append(append(all, s.checkBegin(ctx, p)...), s.checkLimits(p)...)
	}
	if len(all) == 0 {
		return nil
	}
	e := errs.New(errs.Invalid, "process.invalid", "the process cannot be executed: %d problem(s)", len(all))
	if len(all) == 1 {
		e.Code = all[0].Code
	}
	return e.At(all...)
}

// at reports whether a node has a problem already.
func at(all []errs.Field, n *program.Node) bool {
	return slices.ContainsFunc(all, func(f errs.Field) bool { return f.Path == n.ID })
}

// version names a version of a process, the newest for 0.
type version struct {
	project, process string
	number           int
}

// find gives a version of a process, the newest for 0; nil where there is none.
func (s *Service) find(ctx context.Context, project, process string, number int) (*Definition, error) {
	return s.versions.Get(s.Clock.Now(), version{project, process, number}, func() (*Definition, error) {
		if number == 0 {
			return newest(ctx, s.DB, project, process)
		}
		return definition(ctx, s.DB, project, process, number)
	})
}

// Version gives a version of a process, the newest for 0; a NotFound error where there
// is none.
func (s *Service) Version(ctx context.Context, project, process string, version int) (Definition, error) {
	missing := errs.New(errs.NotFound, "process.not_found", "there is no process %q in project %q: deploy it first", process, project).
		With("process", process)
	if version == 0 {
		d, err := s.find(ctx, project, process, 0)
		if err == nil && d == nil {
			err = missing
		}
		if err != nil {
			return Definition{}, err
		}
		return *d, nil
	}
	d, err := s.find(ctx, project, process, version)
	if err == nil && d == nil {
		err = errs.New(errs.NotFound, "process.version_not_found", "the process %q has no version %d in project %q", process, version, project)
	}
	if err != nil {
		return Definition{}, err
	}
	return *d, nil
}

// Found gives a version of a process with its program, for the door.
func (s *Service) Found(ctx context.Context, project, process string, version int) (control.Found, error) {
	d, err := s.Version(ctx, project, process, version)
	if err != nil {
		return control.Found{}, err
	}
	p, err := s.Program(int64(d.Key))
	return control.Found{Definition: int64(d.Key), Version: d.Version, Program: p}, err
}
