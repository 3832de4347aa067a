package definition

import (
	"strconv"
	"unicode/utf8"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

const maxID = 190 // characters of a process id: a key of the database

// checkLimits lists what deploys and could then not start, or never rest.
func (s *Service) checkLimits(p *program.Program) []errs.Field {
	var all []errs.Field
	if n := utf8.RuneCountInString(p.ProcessID); n > maxID {
		all = append(all, errs.Field{Path: p.ProcessID[:40] + "…", Code: "process.id_too_long",
			Line: p.Nodes[0].Line, Message: "the id of the process is longer than 190 characters: shorten it"})
	}
	if n := p.Nodes[0]; utf8.RuneCountInString(p.ProcessID) <= maxID && !api.Segment(p.ProcessID) {
		all = append(all, errs.Field{Path: strconv.QuoteToASCII(p.ProcessID),
			Code: "process.id", Line: n.Line, Message: "cannot be an id: leave out slashes, spaces, dots alone and characters that are not seen"})
	}
	if utf8.RuneCountInString(p.VersionTag) > maxID {
		all = append(all, errs.Field{Path: p.ProcessID, Code: "process.version_tag",
			Line: p.Nodes[0].Line, Message: "the version tag is longer than 190 characters: shorten it"})
	}
	for _, n := range p.Nodes {
		if n.Timer == nil || n.Timer.Kind != program.TimerCycle || n.Timer.Value.Expr != nil {
			continue
		}
		if _, err := engine.CheckCycle(n.Timer.Value.Static, s.Cycle, nil); err != nil {
			all = append(all, errs.Field{Path: n.ID, Code: "process.cycle", Line: n.Line, Message: err.Error()})
		}
	}
	return all
}
