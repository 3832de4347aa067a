package dispatch

import (
	"context"
	"encoding/json"
	"net/http"
	"sextant/internal/domain/dispatch/record"

	"sextant/internal/domain/dispatch/output"
	"sextant/internal/domain/identity"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// follow streams the output of an object's row while it comes.
func (s *Service) follow(a *api.API, w http.ResponseWriter, r *http.Request) error {
	var job api.Key
	if err := job.UnmarshalText([]byte(r.PathValue("job"))); err != nil {
		return errs.New(errs.NotFound, "job.not_found", "there is no job %.40q", r.PathValue("job"))
	}
	object := r.URL.Query().Get("object")
	news, stop := s.followers.Listen(state.Key(job))
	defer stop()
	return a.Stream(w, r, api.Feed{News: news, After: func(ctx context.Context, id string) ([]api.Message, bool, error) {
		from, err := output.ReadMark(id)
		if err != nil {
			return nil, false, err
		}
		if err := s.readableJob(ctx, job); err != nil {
			return nil, false, err
		}
		pieces, err := output.After(ctx, s.DB, int64(job), object, from)
		if err != nil {
			return nil, false, err
		}
		var out []api.Message
		if len(pieces) > 0 {
			data, err := json.Marshal(pieces)
			if err != nil {
				return nil, false, err
			}
			last := pieces[len(pieces)-1]
			out = append(out, api.Message{ID: output.Mark{Round: last.Round, Offset: last.Offset}.String(), Event: "output", Data: data})
		}
		if len(pieces) == output.MaxPieces { // there is more to read at once
			s.followers.Poke(state.Key(job))
			return out, false, nil
		}
		return out, false, nil
	}})
}

// readableJob checks that the subject may see a job; another one is as if it were
// not there.
func (s *Service) readableJob(ctx context.Context, job api.Key) error {
	r, err := record.Find(ctx, s.DB, int64(job))
	if err == nil && (r == nil || identity.Require(ctx, "run.read", r.Project) != nil) {
		err = errs.New(errs.NotFound, "job.not_found", "there is no job %d", job)
	}
	return err
}
