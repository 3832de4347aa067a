package process

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/domain/process/number"
	"sextant/internal/engine/program"
	"sextant/internal/kit/db"
)

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
		err = s.DB.Do(ctx, func(tx *db.Tx) error { return number.Keep(tx, int64(d.Key), prog.Table()) })
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
		return nil, fmt.Errorf("process %s version %d: this server no longer reads the elements %s, which runs may be at", d.Process, d.Version, strings.Join(lost, ", "))
	}
	return progs[i], nil
}
