package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Waiting is a run that waits to start.
type Waiting struct {
	Run     api.Key   `json:"run"`
	Process string    `json:"process"`
	Title   string    `json:"title,omitempty"`
	Subject string    `json:"subject" doc:"Who asked"`
	Objects []string  `json:"objects" doc:"What it is to act on"`
	Since   time.Time `json:"since"`
	Wait
	Ends []api.Key `json:"ends,omitempty" doc:"Runs that end since it takes their place"`
}

// LineFilter selects runs that wait.
type LineFilter struct {
	Project string       `query:"project" default:"default" maxLength:"64"`
	Process string       `query:"process" maxLength:"190" doc:"Only runs of this process"`
	Run     api.KeyParam `query:"run" doc:"Only this run"`
	api.Paging
}

// Line lists who waits in a project, in the order of the line, with what stands
// against each now.
func (d *Door) Line(ctx context.Context, f LineFilter) (api.Page[Waiting], error) {
	if err := identity.Require(ctx, "run.read", f.Project); err != nil {
		return api.Page[Waiting]{}, err
	}
	rows, err := d.listWaiting(ctx, f)
	if err != nil {
		return api.Page[Waiting]{}, err
	}
	places, s := map[api.Key]int64{}, d.sight(ctx)
	all := make([]Waiting, 0, len(rows))
	for _, w := range rows {
		claims, err := wanted(ctx, d.DB, w.run)
		if err != nil {
			return api.Page[Waiting]{}, err
		}
		against, err := d.against(ctx, d.DB, &candidate{req: w.request(), key: w.key(), place: w.place, claims: claims})
		if err != nil {
			return api.Page[Waiting]{}, err
		}
		one := Waiting{Run: api.Key(w.run), Process: w.process, Title: w.Title,
			Subject: w.Rights.Name, Objects: append([]string{}, w.Objects...), Since: w.since}
		one.Until = w.expires
		one.For, one.Place = blockersOf(against, w.project)
		if err := s.blockers(w.project, one.For); err != nil {
			return api.Page[Waiting]{}, err
		}
		for _, run := range w.Ends {
			one.Ends = append(one.Ends, api.Key(run))
		}
		if one.Ends, err = s.runs(w.project, one.Ends); err != nil {
			return api.Page[Waiting]{}, err
		}
		places[one.Run] = w.place
		all = append(all, one)
	}
	return api.PageOf(all, f.Limit, func(w Waiting) string { return api.Key(places[w.Run]).String() }), nil
}

// Asked is what a run was asked for with that waits, or waited and never started.
type Asked struct {
	Version   int
	Variables map[string]json.RawMessage
}

// Asked reads that; false where the run has started, or never was.
func (d *Door) Asked(ctx context.Context, run api.Key) (Asked, bool, error) {
	w, err := readRequest(ctx, d.DB, int64(run))
	if err != nil || w == nil || w.Version == 0 {
		return Asked{}, false, err
	}
	return Asked{w.Version, w.Variables}, true, nil
}

// Leave takes a run out of the line that somebody has cancelled; false where it does
// not wait any more. with shares the write.
func (d *Door) Leave(ctx context.Context, run api.Key, end End, with func(*db.Tx) error) (left bool, err error) {
	err = d.DB.Do(ctx, func(tx *db.Tx) error {
		if left, err = d.drop(ctx, tx, int64(run), nil, end); err != nil || !left {
			return err
		}
		return with(tx)
	})
	return left, err
}

// MoveUp lets a run that waits come before all others that want something of the same.
// with shares the write; a Conflict error says that the run does not wait.
func (d *Door) MoveUp(ctx context.Context, run api.Key, with func(*db.Tx) error) error {
	return d.DB.Do(ctx, func(tx *db.Tx) error {
		w, err := readWaiting(ctx, tx, int64(run))
		if err != nil {
			return err
		}
		if w == nil {
			return errs.New(errs.Conflict, "control.not_waiting", "the run %d does not wait to start", run)
		}
		before, err := firstPlace(ctx, tx, w.run)
		if err != nil || !before.Valid || before.Int64 > w.place {
			return err // it is the first
		}
		place, err := freePlace(ctx, tx, before.Int64-1, -1)
		if err != nil {
			return err
		}
		if err := move(tx, w.run, place); err != nil {
			return err
		}
		want, err := wanted(ctx, tx, w.run)
		if err != nil {
			return err
		}
		tx.AfterCommit(func() { d.line.look(objectsOf(want)...) })
		return with(tx)
	})
}

func (d *Door) lineRoutes(a *api.API) {
	type page struct{ Body api.Page[Waiting] }
	api.Register(a, api.Endpoint{ID: "listWaiting", Method: http.MethodGet, Path: "/api/v1/waiting",
		Tag: "control", Summary: "Runs that wait to start, in the order of the line, with what stands against each", Permission: "run.read"},
		func(ctx context.Context, in *LineFilter) (*page, error) {
			p, err := d.Line(ctx, *in)
			return &page{p}, err
		})
}
