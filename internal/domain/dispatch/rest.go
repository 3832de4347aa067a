package dispatch

import (
	"context"
	"fmt"
	"time"

	"sextant/internal/domain/dispatch/output"
	"sextant/sdk/go/wire"
)

// rest waits before the next try of rows that failed, and says so where people
// look: in the output of each row and in how far it is.
func (s *Service) rest(ctx context.Context, t *task) error {
	wait := t.retry.Wait(t.record.Tries)
	var pieces []wire.LogChunk
	for _, r := range t.Rows {
		if !t.again(r) {
			continue
		}
		text := fmt.Sprintf("try %d of %d in %d s: %s", t.record.Tries+2, t.retry.Max+1, int(wait.Round(time.Second).Seconds()), r.Message)
		s.progress.Set(t.Job.Key, wire.Progress{Row: r.Object, Message: text})
		pieces = append(pieces, wire.LogChunk{Row: r.Object, Offset: output.AtEnd, Bytes: []byte("[sextant] " + text + "\n")})
	}
	if err := s.keepOutput(int64(t.Job.Run), keyOf(t.Job), t.record.Round, pieces); err != nil {
		s.Log.WarnContext(ctx, "that rows are tried again cannot be noted in their output", "job", keyOf(t.Job), "err", err)
	}
	return s.pause(ctx, wait)
}
