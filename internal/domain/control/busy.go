package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/setting"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// usual is the priority of a request that has none, and of all in a line that does not
// go by priority.
const usual = 50

// placeOf is the place in the line: those with a smaller one come first. A minute of
// waiting makes up for one point of priority, so that the order of two that wait never
// changes and nobody waits for ever.
func placeOf(now time.Time, b program.Busy, priority *int) int64 {
	p := usual
	if b.Order == program.Priority && priority != nil {
		p = *priority
	}
	return clock.Micros(now) - int64(p)*time.Minute.Microseconds()
}

// todo is what has to be done for a request that waits: requests that go since it takes
// their place, and runs that are to be ended.
type todo struct{ drop, cancel []int64 }

// ruling decides on a request: failed is the first check that does not let it pass.
func (d *Door) ruling(ctx context.Context, q db.Querier, c *candidate, failed *Step) (Ruling, todo, error) {
	busy := c.busy()
	switch {
	case failed == nil:
		return Admit{}, todo{}, nil
	case failed.Name != (lockCheck{}).name() || busy.Policy == program.Reject:
		return Reject{failed.err}, todo{}, nil
	case !c.req.Due.IsZero() && !c.req.Due.After(d.Clock.Now()):
		return Reject{errs.New(errs.Conflict, "control.due", "it was due at %s, and cannot start by then", c.req.Due.Format(time.RFC3339))},
			todo{}, nil
	}
	var t todo
	all, err := requestsAlike(ctx, q, c.req.Project, c.alike())
	if err != nil {
		return nil, t, err
	}
	stays := false
	for _, o := range all {
		waits := o.state == stateWaiting
		switch {
		case busy.Policy == program.Merge && c.same() != "" && o.same == c.same():
			return Merged{api.Key(o.run)}, todo{}, nil
		case !slices.Contains(c.mayEnd, o.run):
			stays = stays || waits // and comes first
		case waits && replaces(busy):
			t.drop = append(t.drop, o.run)
		case busy.Policy == program.Replace:
			t.cancel = append(t.cancel, o.run)
		}
	}
	if stays {
		t.cancel = nil // it would make room for another
	}
	n, err := countWaiting(ctx, q, c.req.Project, c.req.Process)
	if err != nil {
		return nil, t, err
	}
	if n -= len(t.drop); n >= busy.MaxLength {
		return Reject{errs.New(errs.Exhausted, "control.line_full",
			"%d runs of the process %s wait already, and no more may: ask again when some have started", n, c.req.Process)}, todo{}, nil
	}
	return d.waitOf(c, t), t, nil
}

// waitOf tells for whom a request waits, and until when.
func (d *Door) waitOf(c *candidate, t todo) Wait {
	w := Wait{Until: d.Clock.Now().Add(c.busy().MaxWait), For: []Blocker{}, Place: 1}
	if !c.req.Due.IsZero() && c.req.Due.Before(w.Until) {
		w.Until = c.req.Due.UTC()
	}
	gone := func(l *Lock) bool { return l.line && slices.Contains(t.drop, int64(l.Run)) }
	w.For, w.Place = blockersOf(slices.DeleteFunc(slices.Clone(c.against), gone), c.req.Project)
	return w
}

// blockersOf is what is told of those who stand against a request, and its place.
func blockersOf(against []*Lock, project string) (told []Blocker, place int) {
	before := map[api.Key]bool{}
	told = []Blocker{}
	for _, l := range against {
		if l.line {
			before[l.Run] = true
		}
		if len(told) == shownBlockers {
			continue
		}
		b := Blocker{Object: l.Object, Mode: l.Mode, Since: l.Since, Waits: l.ticket != 0}
		if l.project == project {
			b.Run, b.Subject = l.Run, l.Subject
		}
		told = append(told, b)
	}
	return told, len(before) + 1
}

// alike names the requests of a process on the same objects.
func (c *candidate) alike() string {
	objects := slices.Clone(c.req.Objects)
	slices.Sort(objects)
	return digest(c.req.Process, strings.Join(objects, "\n"))
}

// same names the requests that want the same of the same version on the same objects;
// empty where secrets are given, of which nobody can say whether they are the same.
func (c *candidate) same() string {
	vars := map[string]any{}
	for name, raw := range c.req.Variables {
		if slices.Contains(c.plan.Secrets, name) || setting.Sealed(raw) {
			return ""
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) != nil {
			return ""
		}
		vars[name] = v
	}
	text, err := json.Marshal(vars) // names in order
	if err != nil {
		return ""
	}
	return digest(c.alike(), c.req.Event, clock.Decimal(c.found.Definition), string(text))
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(clock.Decimal(int64(len(p))) + ":" + p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// endable finds out which runs a request may end whose process has that as its policy:
// those that who asks may operate, and of those that only wait his own.
func (d *Door) endable(ctx context.Context, c *candidate) error {
	if !c.permitted || !replaces(c.busy()) {
		return nil
	}
	all, err := requestsAlike(ctx, d.DB, c.req.Project, c.alike())
	if err != nil {
		return err
	}
	for _, o := range all {
		own, err := d.asksAgain(ctx, c, o)
		if err != nil {
			return err
		}
		if own || d.Starter.MayReplace(ctx, o.run) {
			c.mayEnd = append(c.mayEnd, o.run)
		}
	}
	return nil
}

// asksAgain reports whether a request comes from who asked for one that waits.
func (d *Door) asksAgain(ctx context.Context, c *candidate, o alikeRow) (bool, error) {
	if o.state != stateWaiting {
		return false, nil
	}
	w, err := readWaiting(ctx, d.DB, o.run)
	return w != nil && w.Rights.Subject == c.who.ID, err
}

// replaces reports whether a process lets a later request take the place of others.
func replaces(b program.Busy) bool { return b.Policy == program.Replace || b.Order == program.Newest }

// against lists what stands against the claims of a request: who holds something of it
// or waits for it with a job, and who came first in the line.
func (d *Door) against(ctx context.Context, q db.Querier, c *candidate) ([]*Lock, error) {
	all, err := d.blockers(ctx, q, Holder{Run: int64(c.key), Project: c.req.Project}, 0, c.claims)
	if err != nil || !d.line.some() {
		return all, err
	}
	waiting, err := locksOn(ctx, q, "control_line", objectsOf(c.claims))
	if err != nil {
		return nil, err
	}
	for _, claim := range c.claims {
		for _, l := range waiting[claim.Object] {
			if int64(l.Run) == int64(c.key) || l.ticket > c.place || !conflict(l.Mode, claim.Mode) {
				continue
			}
			l.line = true
			all = append(all, l)
		}
	}
	return all, nil
}
