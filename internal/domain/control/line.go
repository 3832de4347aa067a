package control

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	judgedAtOnce = 8                // requests of the line
	againFirst   = 5 * time.Second  // until what could not be judged is judged again
	againMax     = 60 * time.Second // at most
	fileEvery    = time.Second      // between two looks whether the file that stops all starts is gone
)

// line is what is known in memory of those that wait: whom to look at, and nothing
// that is not stored too.
type line struct {
	waiting atomic.Int64 // how many may wait: never fewer than do
	byFile  atomic.Bool  // at the last look the file stopped those that wait
	news    chan struct{}
	slots   chan struct{}
	wg      sync.WaitGroup

	mu      sync.Mutex
	all     bool
	objects map[string]bool
	open    map[int64]bool      // runs with which others may be merged or that they may replace
	ends    map[int64]int64     // runs that are to end, and who takes their place
	judged  map[int64]bool      // who is judged now; true where it has to be judged once more
	again   map[int64]time.Time // when what could not be judged is judged again
	tries   map[int64]int
	last    time.Time // the moment of the last request
}

func newLine() *line {
	return &line{news: make(chan struct{}, 1), slots: make(chan struct{}, judgedAtOnce),
		objects: map[string]bool{}, open: map[int64]bool{}, ends: map[int64]int64{},
		judged: map[int64]bool{}, again: map[int64]time.Time{}, tries: map[int64]int{}}
}

// moment is the time of a request: no two come at the same.
func (l *line) moment(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if next := l.last.Add(time.Microsecond); now.Before(next) {
		now = next
	}
	l.last = now
	return now
}

// some reports whether anybody may wait.
func (l *line) some() bool { return l.waiting.Load() > 0 }

func (l *line) poke() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// look says that objects are free, or that somebody left the line who wanted them.
func (l *line) look(objects ...string) {
	if !l.some() || len(objects) == 0 {
		return
	}
	l.mu.Lock()
	for _, o := range objects {
		l.objects[o] = true
	}
	l.mu.Unlock()
	l.poke()
}

// lookAtAll says that something changed that may concern whoever waits.
func (l *line) lookAtAll() {
	l.mu.Lock()
	l.all = true
	l.mu.Unlock()
	l.poke()
}

// ended says that a run is over: who waits for a place in the project, rather than for
// an object, is judged again.
func (l *line) ended() {
	if !l.some() {
		return
	}
	l.mu.Lock()
	n := len(l.again)
	clear(l.again)
	l.all = l.all || n > 0
	l.mu.Unlock()
	if n > 0 {
		l.poke()
	}
}

// take gives what there is to look at.
func (l *line) take(now time.Time) (objects []string, all bool, runs []int64, ends map[int64]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for o := range l.objects {
		objects = append(objects, o)
	}
	slices.Sort(objects)
	for run, at := range l.again {
		if !at.After(now) {
			runs = append(runs, run)
			delete(l.again, run)
		}
	}
	slices.Sort(runs)
	all, ends = l.all, l.ends
	l.objects, l.all, l.ends = map[string]bool{}, false, map[int64]int64{}
	return objects, all, runs, ends
}

// begin says that a request is being judged; false where it is already, and then it is
// once more afterwards.
func (l *line) begin(run int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, busy := l.judged[run]; busy {
		l.judged[run] = true
		return false
	}
	l.judged[run] = false
	return true
}

// done says that a request was judged; at is when to do so again, where it could not
// be.
func (l *line) done(run int64, stalled bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	once := l.judged[run]
	delete(l.judged, run)
	switch {
	case stalled:
		l.again[run] = now.Add(min(againFirst<<min(l.tries[run], 4), againMax))
		l.tries[run]++
	case once:
		l.again[run] = now
	default:
		delete(l.tries, run)
	}
	l.poke()
}

// next is the earlier of a time and of that of the next one to be judged again.
func (l *line) next(at time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.again {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	return at
}

// LoadLine reads who waits, before requests are taken.
func (d *Door) LoadLine(ctx context.Context) error {
	waiting, err := allWaiting(ctx, d.DB)
	if err != nil {
		return err
	}
	open, err := allOpen(ctx, d.DB)
	if err != nil {
		return err
	}
	d.line.waiting.Store(int64(len(waiting)))
	for _, run := range open {
		d.line.open[run] = true
	}
	for _, run := range waiting {
		w, err := readWaiting(ctx, d.DB, run)
		if err != nil {
			return err
		}
		for _, end := range w.Ends {
			d.line.ends[end] = run
		}
	}
	d.line.lookAtAll()
	return nil
}

// RunLine lets those start that wait, as what they wait for ends, and gives those up
// that have waited as long as they may. It looks when something has happened: at the
// release of a lock, at the end of a run, when somebody leaves the line, and at the
// start of the server. It returns when ctx ends.
func (d *Door) RunLine(ctx context.Context) error {
	defer d.line.wg.Wait()
	for {
		next := d.turn(ctx)
		held := d.line.some() && d.byFile()
		if soon := d.Clock.Now().Add(fileEvery); held && (next.IsZero() || soon.Before(next)) {
			next = soon
		}
		if was := d.line.byFile.Swap(held); was && !held {
			d.line.lookAtAll()
		}
		var tick <-chan time.Time
		stop := func() {}
		if !next.IsZero() {
			tick, stop = d.Clock.After(max(next.Sub(d.Clock.Now()), 0))
		}
		select {
		case <-d.line.news:
		case <-tick:
		case <-ctx.Done():
			stop()
			return ctx.Err()
		}
		stop()
	}
}

// turn looks once at all that happened, and says when to look again without that.
func (d *Door) turn(ctx context.Context) time.Time {
	now := d.Clock.Now()
	objects, all, runs, ends := d.line.take(now)
	over, next, err := expired(ctx, d.DB, now)
	for _, run := range over {
		if err == nil {
			err = d.giveUp(ctx, run)
		}
	}
	for run, by := range ends {
		if fault := d.Starter.Replace(ctx, run, by); fault != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "a run could not be ended whose place another takes", "run", run, "by", by, "err", fault)
			d.line.mu.Lock()
			d.line.ends[run] = by
			d.line.again[by] = now.Add(againFirst)
			d.line.mu.Unlock()
		}
	}
	if err == nil && all {
		var some []int64
		some, err = allWaiting(ctx, d.DB)
		runs = append(runs, some...)
	} else if err == nil && len(objects) > 0 {
		var some []int64
		some, err = heads(ctx, d.DB, objects)
		runs = append(runs, some...)
	}
	for _, run := range runs {
		if err == nil {
			err = d.consider(ctx, run)
		}
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "it could not be looked at who waits", "err", err)
		d.line.mu.Lock()
		d.line.all = true
		d.line.mu.Unlock()
		return now.Add(againFirst)
	}
	return d.line.next(next)
}

// consider judges a request of the line if nothing stands against it.
func (d *Door) consider(ctx context.Context, run int64) error {
	w, err := readWaiting(ctx, d.DB, run)
	if err != nil || w == nil {
		return err
	}
	claims, err := wanted(ctx, d.DB, run)
	if err != nil {
		return err
	}
	c := &candidate{req: w.request(), key: w.key(), place: w.place, claims: claims}
	against, err := d.against(ctx, d.DB, c)
	if err != nil || len(against) > 0 || !d.line.begin(run) {
		return err
	}
	d.line.slots <- struct{}{}
	d.line.wg.Go(func() {
		defer func() { <-d.line.slots }()
		err := d.judgeAgain(ctx, w)
		if err != nil && ctx.Err() == nil {
			d.Log.InfoContext(ctx, "a run that waits could not be judged, and will be later", "run", run, "err", err)
		}
		d.line.done(run, err != nil, d.Clock.Now())
	})
	return nil
}

// judgeAgain judges a request that waited as if it came now, with the rights that who
// asked still has. An error says that it could not be judged.
func (d *Door) judgeAgain(ctx context.Context, w *waitingRow) error {
	rights, err := d.Still(ctx, w.Rights)
	if errs.Is(err, errs.Forbidden) {
		return d.refuse(ctx, w, err)
	}
	if err != nil {
		return err
	}
	ctx = identity.With(ctx, rights.Again())
	c, err := d.look(ctx, w.request(), w.key())
	if err != nil {
		return err
	}
	c.place, c.since = w.place, w.since
	leave, err := d.gate.enter(ctx, objectsOf(c.claims))
	if err != nil {
		return err
	}
	defer leave()
	var refusal error
	err = d.DB.Do(ctx, func(tx *db.Tx) error {
		refusal, err = d.decideAgain(ctx, tx, c, w)
		return err
	})
	if err != nil || refusal == nil {
		return err
	}
	return d.refuse(ctx, w, refusal)
}

// decideAgain starts a request that waited, if all checks let it pass now. refusal is
// why it never will.
func (d *Door) decideAgain(ctx context.Context, tx *db.Tx, c *candidate, w *waitingRow) (refusal error, err error) {
	if now, err := readWaiting(ctx, tx, w.run); err != nil || now == nil {
		return nil, err
	}
	steps := inOrder(append(slices.Clone(c.steps), d.judge(ctx, tx, c, true)...))
	if err := fault(steps); err != nil {
		return nil, err
	}
	switch f := refusalOf(steps); {
	case f == nil:
	case f.Name == (lockCheck{}).name():
		return nil, standInLine(tx, w, c.claims) // what it wants may have changed
	case f.Name == (stopCheck{}).name(), errs.Is(f.err, errs.Unavailable), errs.Is(f.err, errs.Exhausted), errs.Is(f.err, errs.Full):
		return nil, f.err // it may pass
	default:
		return f.err, nil
	}
	v := Verdict{ID: clock.NewID(d.Clock), Run: c.key, Time: d.Clock.Now(),
		Subject: c.who.ID, Process: c.req.Process, Steps: steps, Cause: c.req.Cause, Risk: c.plan.risk()}
	v.rule(Admit{})
	if err := d.record(ctx, tx, c, v); err != nil {
		return nil, err
	}
	want, err := wanted(ctx, tx, w.run)
	if err != nil {
		return nil, err
	}
	if err := leaveLine(tx, w.run); err != nil {
		return nil, err
	}
	if err := deleteRequest(tx, w.run); err != nil {
		return nil, err
	}
	tx.AfterCommit(func() { d.left(want) })
	return nil, d.start(ctx, tx, c, v)
}

// left says that somebody has left the line.
func (d *Door) left(want []Claim) {
	d.line.look(objectsOf(want)...)
	d.line.waiting.Add(-1)
}

// refuse ends a request that waited and will not start.
func (d *Door) refuse(ctx context.Context, w *waitingRow, why error) error {
	return d.DB.Do(ctx, func(tx *db.Tx) error {
		_, err := d.drop(ctx, tx, w.run, Reject{why}, End{State: "failed", Code: errs.As(why).Code})
		return err
	})
}

// giveUp ends a request that has waited as long as it may.
func (d *Door) giveUp(ctx context.Context, run int64) error {
	return d.DB.Do(ctx, func(tx *db.Tx) error {
		w, err := readWaiting(ctx, tx, run)
		if err != nil || w == nil {
			return err
		}
		why := errs.New(errs.Locked, "control.waited", "it waited from %s to %s, as long as it may, and what it needs was not free: ask again",
			w.since.Format(time.RFC3339), w.expires.Format(time.RFC3339))
		_, err = d.drop(ctx, tx, run, Reject{why}, End{State: "failed", Code: why.Code})
		return err
	})
}

// drop takes a request out of the line that will not start; false where it does not
// wait any more. ruling is told as its verdict; nil for none.
func (d *Door) drop(ctx context.Context, tx *db.Tx, run int64, ruling Ruling, end End) (bool, error) {
	w, err := readWaiting(ctx, tx, run)
	if err != nil || w == nil {
		return false, err
	}
	if _, err := setState(tx, run, stateWaiting, stateOver); err != nil {
		return false, err
	}
	want, err := wanted(ctx, tx, run)
	if err != nil {
		return false, err
	}
	if err := leaveLine(tx, run); err != nil {
		return false, err
	}
	if ruling != nil {
		v := Verdict{ID: clock.NewID(d.Clock), Run: api.Key(run), Time: d.Clock.Now(),
			Subject: w.Rights.Subject, Process: w.process, Cause: w.Cause}
		v.rule(ruling)
		mandate, err := Mandate{Project: w.project, Rights: w.Rights}.Encode()
		if err != nil {
			return false, err
		}
		if err := insertVerdict(tx, w.project, v, string(mandate), w.Places); err != nil {
			return false, err
		}
	}
	tx.AfterCommit(func() { d.left(want) })
	return true, d.Starter.Drop(ctx, tx, run, end)
}

// wait keeps a request, and takes those out of the line whose place it takes.
func (d *Door) wait(ctx context.Context, tx *db.Tx, c *candidate, v Verdict, t todo) error {
	for _, run := range t.drop {
		if _, err := d.drop(ctx, tx, run, Replaced{c.key}, End{State: "cancelled", Code: "control.replaced"}); err != nil {
			return err
		}
	}
	place, err := freePlace(ctx, tx, c.place, 1)
	if err != nil {
		return err
	}
	w := &waitingRow{run: int64(c.key), project: c.req.Project, process: c.req.Process,
		place: place, since: d.Clock.Now(), expires: v.Wait.Until, asked: asked{Version: c.found.Version, Objects: c.req.Objects,
			Variables: c.req.Variables, Title: c.fit.Title, Event: c.req.Event, Source: c.req.Source,
			Cause: c.req.Cause, Rights: c.who.Rights(), Places: identity.Places(c.places), Ends: t.cancel}}
	if err := insertRequest(tx, w, stateWaiting, c.alike(), c.same()); err != nil {
		return err
	}
	if err := standInLine(tx, w, c.claims); err != nil {
		return err
	}
	if err := c.with(tx, w.run); err != nil {
		return err
	}
	d.line.waiting.Add(1)
	tx.AfterCommit(func() {
		d.line.mu.Lock()
		for _, run := range t.cancel {
			d.line.ends[run] = w.run
		}
		d.line.mu.Unlock()
		d.line.look(objectsOf(c.claims)...)
		d.line.poke()
	})
	return d.Starter.Await(ctx, tx, c.run(v))
}

// keepOpen notes a run with which others may be merged, or that they may replace.
func (d *Door) keepOpen(tx *db.Tx, c *candidate) error {
	if p := c.busy().Policy; p != program.Merge && p != program.Replace {
		return nil
	}
	run := int64(c.key)
	w := &waitingRow{run: run, project: c.req.Project, process: c.req.Process, since: d.Clock.Now(), expires: d.Clock.Now()}
	tx.AfterCommit(func() {
		d.line.mu.Lock()
		defer d.line.mu.Unlock()
		d.line.open[run] = true
	})
	return insertRequest(tx, w, stateOpen, c.alike(), c.same())
}

// closeOpen forgets a run that is over.
func (d *Door) closeOpen(tx *db.Tx, run int64) error {
	d.line.mu.Lock()
	open := d.line.open[run]
	d.line.mu.Unlock()
	if !open {
		return nil
	}
	tx.AfterCommit(func() {
		d.line.mu.Lock()
		defer d.line.mu.Unlock()
		delete(d.line.open, run)
	})
	return deleteRequest(tx, run)
}
