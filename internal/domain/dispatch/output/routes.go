package output

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// Jobs is what the endpoints need of whoever knows jobs.
type Jobs interface {
	// RunOf is the run of a job that the subject may see; another one is as if it
	// were not there.
	RunOf(ctx context.Context, job api.Key) (int64, error)
	// News is poked when a job has written something, until stop is called.
	News(job api.Key) (news <-chan struct{}, stop func())
	// Poke says that there is more to read of a job.
	Poke(job api.Key)
}

// JobIn is what every endpoint about output is asked with.
type JobIn struct {
	Job    api.KeyParam `path:"job"`
	Object string       `query:"object" maxLength:"190" doc:"Only the output of this object's row"`
	Since  time.Time    `query:"since" doc:"Only what came from this time on"`
}

func (in *JobIn) of(ctx context.Context, jobs Jobs) (Selection, error) {
	run, err := jobs.RunOf(ctx, in.Job.Key)
	return Selection{Run: run, Job: int64(in.Job.Key), Object: in.Object, Since: in.Since}, err
}

// Routes adds the endpoints that show output.
func (s *Store) Routes(a *api.API, jobs Jobs) {
	type readIn struct {
		JobIn
		api.Paging
		Last int64 `query:"last" minimum:"0" maximum:"10000" doc:"Only so many lines at the end"`
	}
	type readOut struct{ Body api.Page[Piece] }
	api.Register(a, api.Endpoint{ID: "getJobOutput", Method: http.MethodGet, Path: "/api/v1/jobs/{job}/output",
		Tag: "jobs", Summary: "Output of a job in the order in which it came, about 1 MiB at once", Permission: "run.read"},
		func(ctx context.Context, in *readIn) (*readOut, error) {
			sel, err := in.of(ctx, jobs)
			if err != nil {
				return nil, err
			}
			sel.After, sel.Last, sel.Limit = in.After, in.Last, in.Limit
			pieces, next, more, err := s.Read(ctx, sel)
			if err != nil {
				return nil, foreign(sel, err)
			}
			if !more {
				next = ""
			}
			return &readOut{page(pieces, next)}, nil
		})
	type searchIn struct {
		JobIn
		api.Paging
		Query string `query:"q" required:"true" minLength:"1" maxLength:"500" doc:"Words that a line must have, \"phrases\", and -words that it must not have; case does not matter"`
	}
	type searchOut struct{ Body api.Page[Hit] }
	api.Register(a, api.Endpoint{ID: "searchJobOutput", Method: http.MethodGet, Path: "/api/v1/jobs/{job}/output/search",
		Tag: "jobs", Summary: "Lines of a job's output in which words are found, and the gaps between them", Permission: "run.read"},
		func(ctx context.Context, in *searchIn) (*searchOut, error) {
			sel, err := in.of(ctx, jobs)
			if err != nil {
				return nil, err
			}
			sel.After = in.After
			hits, next, err := s.Search(ctx, sel, in.Query, in.Limit)
			if err != nil {
				return nil, foreign(sel, err)
			}
			return &searchOut{page(hits, next)}, nil
		})
	a.Handle(api.Endpoint{ID: "downloadJobOutput", Method: http.MethodGet, Path: "/api/v1/jobs/{job}/output/text", Query: []string{"object"},
		Tag: "jobs", Summary: "The whole output of a job, or of one object's row, as text; a gap is a line that says so", Permission: "run.read"},
		func(w http.ResponseWriter, r *http.Request) error { return s.download(w, r, jobs) })
	a.Handle(api.Endpoint{ID: "followJobOutput", Method: http.MethodGet, Path: "/api/v1/jobs/{job}/output/events",
		Query: []string{"object", "after", "last", "tail"}, Tag: "jobs", Summary: "Output of a job or of one object's row while it comes, " +
			"as server-sent events; last begins with so many lines at the end, tail gives never more than so many at once", Permission: "run.read"},
		func(w http.ResponseWriter, r *http.Request) error { return s.follow(a, w, r, jobs) })
}

// page is a page that goes on at next, where there is more.
func page[T any](items []T, next string) api.Page[T] {
	n := len(items)
	if next != "" {
		var more T
		items = append(items, more)
	}
	return api.PageOf(items, n, func(T) string { return next })
}

// foreign refuses the mark of another list.
func foreign(sel Selection, err error) error {
	if _, _, bad := mark(sel.After); sel.After != "" && bad != nil {
		return api.BadCursor()
	}
	return err
}

func fromPath(r *http.Request) (job api.Key, err error) {
	if err = job.UnmarshalText([]byte(r.PathValue("job"))); err != nil {
		err = errs.New(errs.NotFound, "job.not_found", "there is no job %.40q", r.PathValue("job"))
	}
	return job, err
}

func (s *Store) download(w http.ResponseWriter, r *http.Request, jobs Jobs) error {
	job, err := fromPath(r)
	if err != nil {
		return err
	}
	run, err := jobs.RunOf(r.Context(), job)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+strconv.FormatInt(int64(job), 10)+`.log"`)
	if err := s.Write(r.Context(), w, Selection{Run: run, Job: int64(job), Object: r.URL.Query().Get("object")}); err != nil {
		panic(http.ErrAbortHandler) // the answer has begun: only a broken connection says that it is not whole
	}
	return nil
}

// tailEvery is the shortest time between two looks at the newest lines.
const tailEvery = 200 * time.Millisecond

// follow streams output while it comes. The event latest says that all that is
// there now was sent.
func (s *Store) follow(a *api.API, w http.ResponseWriter, r *http.Request, jobs Jobs) error {
	job, err := fromPath(r)
	if err != nil {
		return err
	}
	sel := Selection{Job: int64(job), Object: r.URL.Query().Get("object")}
	every := time.Duration(0)
	for _, name := range []string{"last", "tail"} {
		n := r.URL.Query().Get(name)
		if n == "" {
			continue
		}
		if sel.Last, err = strconv.ParseInt(n, 10, 64); err != nil || sel.Last < 1 {
			return errs.New(errs.Malformed, "dispatch.output_last", "%.40q is no number of lines", n)
		}
		if sel.Tail = name == "tail"; sel.Tail {
			every = tailEvery
		}
	}
	news, stop := jobs.News(job)
	defer stop()
	return a.Stream(w, r, api.Feed{News: news, Every: every, After: func(ctx context.Context, id string) ([]api.Message, bool, error) {
		sel := sel
		sel.After = id
		if sel.Run, err = jobs.RunOf(ctx, job); err != nil {
			return nil, false, err
		}
		pieces, next, more, err := s.Read(ctx, sel)
		if err != nil || len(pieces) == 0 {
			return nil, false, err
		}
		data, err := json.Marshal(pieces)
		if more { // the rest is read at once
			jobs.Poke(job)
			return []api.Message{{ID: next, Event: "output", Data: data}}, false, err
		}
		return []api.Message{{ID: next, Event: "output", Data: data}, {ID: next, Event: "latest", Data: []byte("{}")}}, false, err
	}})
}
