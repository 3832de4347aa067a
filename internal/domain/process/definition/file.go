package definition

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/process/number"
	"sextant/internal/engine/program"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
)

// read parses a file and compiles its processes; the error lists every problem. The
// programs are there also where there is one, as far as the file can be read.
func read(xml []byte, opts ...program.Option) (*bpmn.Model, []*program.Program, error) {
	if len(xml) > MaxXML {
		return nil, nil, errs.New(errs.TooLarge, "process.too_large", "the file has %d bytes: at most %d are possible", len(xml), MaxXML)
	}
	doc, err := bpmn.Parse(xml)
	if err != nil {
		return nil, nil, refused(err)
	}
	model, err := bpmn.Read(doc)
	if model == nil {
		return nil, nil, refused(err)
	}
	progs, err := program.All(model, append(opts, program.Zones(time.LoadLocation))...) // and what Read found
	if err != nil {
		return nil, progs, refused(err)
	}
	return model, progs, nil
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

// XML gives the file of a version.
func (s *Service) XML(ctx context.Context, d Definition) ([]byte, error) {
	f, _, err := s.Blobs.Open(ctx, d.Digest)
	if err != nil {
		return nil, lost(d, err)
	}
	defer f.Close()
	xml, err := io.ReadAll(io.LimitReader(f, MaxXML+1))
	if err != nil {
		return nil, lost(d, err)
	}
	return xml, nil
}

// lost says that the file of a version cannot be read as it was deployed.
func lost(d Definition, err error) error {
	return errs.Wrap(err, errs.Unavailable, "process.file_lost", fmt.Sprintf(
		"the file of process %s version %d is missing or damaged: restore blobs/%.2s/%[3]s from a backup", d.Process, d.Version, d.Digest))
}

// Program gives the compiled form of a version, for the engine.
func (s *Service) Program(key int64) (*program.Program, error) {
	if p := s.programs.Get(key); p != nil {
		return p, nil
	}
	ctx := context.Background()
	d, err := definitionByKey(ctx, s.DB, key)
	if err != nil {
		return nil, err
	}
	prog, err := s.compiled(ctx, d)
	if err != nil {
		return nil, err
	}
	s.programs.Put(key, prog)
	return prog, nil
}

// Number gives every definition that an older compiler left the table of its
// elements, before a run of it is read. What was numbered keeps its numbers. It is
// called once, before the engine is opened.
func (s *Service) Number(ctx context.Context) error {
	old, err := olderDefinitions(ctx, s.DB, program.Version)
	if err != nil {
		return err
	}
	for _, d := range old {
		prog, err := s.compiled(ctx, d)
		if err != nil { // told again by whoever needs it
			s.Log.WarnContext(ctx, "a process is not numbered", "process", d.Process, "version", d.Version, "err", err)
			continue
		}
		err = s.DB.Do(ctx, func(tx *db.Tx) error {
			s.versions.Changes(tx)
			if err := setTag(tx, int64(d.Key), prog.VersionTag); err != nil {
				return err
			}
			return number.Keep(tx, int64(d.Key), prog.Table())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compiled compiles the file of a definition with the numbers that are stored for
// it. What was deployed is executed as it was: a newer server may refuse more.
func (s *Service) compiled(ctx context.Context, d Definition) (*program.Program, error) {
	table, err := number.Of(ctx, s.DB, int64(d.Key))
	if err != nil {
		return nil, err
	}
	xml, err := s.XML(ctx, d)
	if err != nil {
		return nil, err
	}
	_, progs, err := read(xml, program.Numbered(d.Process, table))
	if err != nil && len(progs) == 0 {
		return nil, fmt.Errorf("process %s version %d: %w", d.Process, d.Version, err)
	}
	i := slices.IndexFunc(progs, func(p *program.Program) bool { return p.ProcessID == d.Process })
	if i < 0 {
		return nil, fmt.Errorf("process %s version %d: the file does not hold it", d.Process, d.Version)
	}
	if lost := progs[i].Lost(); len(lost) > 0 {
		return nil, fmt.Errorf("process %s version %d: this server no longer reads the elements %s, which runs may be at",
			d.Process, d.Version, strings.Join(lost, ", "))
	}
	return progs[i], nil
}
