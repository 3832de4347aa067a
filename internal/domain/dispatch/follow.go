package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// mark is how far a reader of an object's output is.
type mark struct {
	round  int
	offset int64
}

func (m mark) String() string { return fmt.Sprintf("%d.%d", m.round, m.offset) }

// readMark reads what String wrote; the zero mark is before everything.
func readMark(id string) (mark, error) {
	if id == "" {
		return mark{offset: -1}, nil
	}
	round, offset, _ := strings.Cut(id, ".")
	r, err1 := strconv.Atoi(round)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if err1 != nil || err2 != nil {
		return mark{}, errs.New(errs.Malformed, "stream.last_event_id", "the Last-Event-ID %.40q is not one that was sent", id)
	}
	return mark{r, o}, nil
}

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
		from, err := readMark(id)
		if err != nil {
			return nil, false, err
		}
		if err := s.readableJob(ctx, job); err != nil {
			return nil, false, err
		}
		pieces, err := logAfter(ctx, s.DB, int64(job), object, from)
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
			out = append(out, api.Message{ID: mark{last.Round, last.Offset}.String(), Event: "output", Data: data})
		}
		if len(pieces) == maxPieces { // there is more to read at once
			s.followers.Poke(state.Key(job))
			return out, false, nil
		}
		return out, false, nil
	}})
}

// readableJob checks that the subject may see a job; another one is as if it were
// not there.
func (s *Service) readableJob(ctx context.Context, job api.Key) error {
	r, err := findJob(ctx, s.DB, int64(job))
	if err == nil && (r == nil || identity.Require(ctx, "run.read", r.project) != nil) {
		err = errs.New(errs.NotFound, "job.not_found", "there is no job %d", job)
	}
	return err
}
