package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/identity"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
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
}

// Deployed is the answer to a deployment.
type Deployed struct {
	Definition
	Changed  bool         `json:"changed" doc:"False where the newest version is the very same file"`
	Warnings []errs.Field `json:"warnings,omitempty" doc:"What is kept and has no effect"`
}

// Deploy checks a BPMN file and keeps it as the newest version of its process.
// Whatever cannot be executed refuses it, with every place at fault.
func (s *Service) Deploy(ctx context.Context, project string, xml []byte) (Deployed, error) {
	if err := identity.Require(ctx, "process.deploy", project); err != nil {
		return Deployed{}, err
	}
	return s.deploy(ctx, project, xml)
}

func (s *Service) deploy(ctx context.Context, project string, xml []byte) (Deployed, error) {
	model, prog, err := read(xml)
	if err != nil {
		return Deployed{}, err
	}
	if err := s.checkTasks(ctx, prog); err != nil {
		return Deployed{}, err
	}
	digest, _, err := s.Blobs.Put(ctx, bytes.NewReader(xml), MaxXML)
	if err != nil {
		return Deployed{}, err
	}
	d := Definition{Key: api.Key(s.host.NewKey()), Project: project, Process: prog.ProcessID, Name: prog.Name, Digest: digest, Subject: identity.From(ctx).Name, Created: s.Clock.Now()}
	out := Deployed{Warnings: append(fields(model.Warnings), unserved(prog)...)}
	err = s.DB.Do(ctx, func(tx *db.Tx) error {
		last, err := newest(ctx, tx, project, d.Process)
		if err != nil {
			return err
		}
		if out.Changed = last == nil || last.Digest != digest; !out.Changed {
			out.Definition = *last
			return nil
		}
		d.Version = 1
		if last != nil {
			d.Version = last.Version + 1
		}
		out.Definition = d
		return s.keep(ctx, tx, d)
	})
	if err == nil && out.Changed {
		s.programs.put(int64(d.Key), prog)
	}
	return out, err
}

func (s *Service) keep(ctx context.Context, tx *db.Tx, d Definition) error {
	if err := insertDefinition(tx, d); err != nil {
		return err
	}
	subject := fmt.Sprintf("process/%s", d.Process)
	if err := s.Bus.Publish(tx, bus.Event{Type: "sextant.process.deployed.v1", Subject: subject, Project: d.Project, Data: rawJSON(map[string]any{"version": d.Version})}); err != nil {
		return err
	}
	return s.Audit.Write(ctx, tx, audit.Record{Project: d.Project, Actor: identity.From(ctx).Actor(), Verb: "process.deploy", Object: subject,
		Detail: rawJSON(map[string]any{"version": d.Version, "digest": d.Digest})})
}

// read parses and compiles a file; the error lists every problem.
func read(xml []byte) (*bpmn.Model, *program.Program, error) {
	if len(xml) > MaxXML {
		return nil, nil, errs.New(errs.TooLarge, "process.too_large", "the file has %d bytes: at most %d are possible", len(xml), MaxXML)
	}
	doc, err := bpmn.Parse(xml)
	if err != nil {
		return nil, nil, refused(err)
	}
	model, err := bpmn.Read(doc)
	if err != nil {
		return nil, nil, refused(err)
	}
	prog, err := program.Compile(model, "", program.Zones(time.LoadLocation))
	if err != nil {
		return nil, nil, refused(err)
	}
	return model, prog, nil
}

func refused(err error) error {
	var problems *bpmn.Error
	if !errors.As(err, &problems) {
		return errs.Wrap(err, errs.Malformed, "process.xml", "the file is not understood")
	}
	n := len(problems.Problems)
	e := errs.New(errs.Invalid, "process.invalid", "the process cannot be executed: %d problem(s)", n)
	if n == 1 {
		e.Code = problems.Problems[0].Code
	}
	return e.At(fields(problems.Problems)...)
}

func fields(problems []bpmn.Problem) []errs.Field {
	var all []errs.Field
	for _, p := range problems {
		path := p.Element
		if path == "" {
			path = fmt.Sprintf("line %d", p.Line)
		}
		all = append(all, errs.Field{Path: path, Code: p.Code, Message: p.Message, Line: p.Line, Column: p.Column})
	}
	return all
}

// unserved lists the tasks whose jobs nobody here takes: they wait for a worker.
func unserved(p *program.Program) []errs.Field {
	var all []errs.Field
	for _, n := range p.Nodes {
		if n.Kind == program.ServiceTask && n.Task.Type.Expr == nil && !dispatch.Accepts(n.Task.Type.Static) {
			all = append(all, errs.Field{Path: n.ID, Code: "process.no_worker", Line: n.Line,
				Message: "no plugin serves jobs of type " + strconv.Quote(n.Task.Type.Static) + ": the step waits until somebody skips it; services of plugins are named plugin:<plugin>/<service>/<action>"})
		}
	}
	return all
}

// checkTasks finds out whether every service that the tasks name exists and
// takes the inputs that it is given.
func (s *Service) checkTasks(ctx context.Context, p *program.Program) error {
	var all []errs.Field
	for _, n := range p.Nodes {
		if n.Kind != program.ServiceTask {
			continue
		}
		if err := s.Dispatch.CheckTask(ctx, n); err != nil {
			e := errs.As(err)
			all = append(all, errs.Field{Path: n.ID, Code: e.Code, Message: e.Message, Line: n.Line})
		}
	}
	all = append(all, s.checkBegin(ctx, p)...)
	if len(all) == 0 {
		return nil
	}
	e := errs.New(errs.Invalid, "process.invalid", "the process cannot be executed: %d problem(s)", len(all))
	if len(all) == 1 {
		e.Code = all[0].Code
	}
	return e.At(all...)
}

// XML gives the file of a version.
func (s *Service) XML(ctx context.Context, d Definition) ([]byte, error) {
	f, _, err := s.Blobs.Open(ctx, d.Digest)
	if err != nil {
		return nil, fmt.Errorf("process %s version %d: %w", d.Process, d.Version, err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxXML+1))
}

// Program gives the compiled form of a version, for the engine.
func (s *Service) Program(key int64) (*program.Program, error) {
	if p := s.programs.get(key); p != nil {
		return p, nil
	}
	ctx := context.Background()
	d, err := definitionByKey(ctx, s.DB, key)
	if err != nil {
		return nil, err
	}
	xml, err := s.XML(ctx, d)
	if err != nil {
		return nil, err
	}
	_, p, err := read(xml)
	if err != nil {
		return nil, fmt.Errorf("process %s version %d: %w", d.Process, d.Version, err)
	}
	s.programs.put(key, p)
	return p, nil
}

// Find gives the version of a process, the newest for 0.
func (s *Service) find(ctx context.Context, project, process string, version int) (Definition, error) {
	missing := errs.New(errs.NotFound, "process.not_found", "there is no process %q in project %q: deploy it first", process, project).With("process", process)
	if version == 0 {
		d, err := newest(ctx, s.DB, project, process)
		if err == nil && d == nil {
			err = missing
		}
		if err != nil {
			return Definition{}, err
		}
		return *d, nil
	}
	d, err := definition(ctx, s.DB, project, process, version)
	if err == nil && d == nil {
		err = errs.New(errs.NotFound, "process.version_not_found", "the process %q has no version %d in project %q", process, version, project)
	}
	if err != nil {
		return Definition{}, err
	}
	return *d, nil
}

func micros(t time.Time) int64 { return clock.Micros(t) }
