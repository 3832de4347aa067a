package job_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/job"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// runs are runs that do as a step of the engine does with an outcome: they check, and
// drop the job or offer it again.
type runs struct {
	d    *db.DB
	s    *job.Service
	now  func() time.Time
	done map[state.Key]int
}

func (r *runs) Finish(ctx context.Context, ev engine.Event, by job.Word, check func(*db.Tx) error) error {
	run := by.Run
	return r.d.Do(ctx, func(tx *db.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		switch e := ev.(type) {
		case engine.JobCompleted:
			tx.AfterCommit(func() { r.done[e.Job]++ })
			return r.s.Drop(tx, e.Job)
		case engine.JobFailed:
			if e.Retries == 0 {
				return r.s.Stop(tx, run, e.Job)
			}
			return r.s.Put(tx, one(e.Job, e.Retries), e.Job, "a", r.now().Add(e.Backoff))
		}
		return nil
	})
}

func (r *runs) Sees(context.Context, state.Key, state.Key) (engine.Variables, map[string]string, error) {
	return engine.Variables{"x": json.RawMessage("1"), "y": json.RawMessage("2")}, map[string]string{"unit": "nginx"}, nil
}

func (r *runs) Seen(context.Context, string, string, string) (string, []any) { return "", nil }

// one is a job whose run and step have its key.
func one(key state.Key, retries int32) job.Job {
	return job.Job{Key: key, Run: key, Type: "paint", Process: "p", Element: "w", Retries: retries}
}

func worker(ctx context.Context) context.Context {
	r := identity.Rights{Subject: "user/w", Name: "w", Grants: []identity.Grant{{Permission: "job.work", Project: "a", Environment: "*"}}}
	return identity.With(ctx, r.Again())
}

var begin = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

// bell is a clock that tells when somebody begins to wait for it.
type bell struct {
	*clock.Fake
	rung chan struct{}
}

func (b bell) After(d time.Duration) (<-chan time.Time, func()) {
	due, stop := b.Fake.After(d)
	b.rung <- struct{}{}
	return due, stop
}

func open(t *testing.T, dir string) (*job.Service, *runs, bell) {
	t.Helper()
	d, err := db.Open(t.Context(), "sqlite:"+filepath.Join(dir, "j.db"))
	if err == nil {
		err = d.Migrate(t.Context(), job.Domain, job.Migrations)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := bell{clock.NewFake(begin), make(chan struct{}, 10)}
	r := &runs{d: d, now: c.Now, done: map[state.Key]int{}}
	r.s = job.New(d, c, func() job.Runs { return r })
	return r.s, r, c
}

// known is what a model knows of a job.
type known struct {
	free    time.Time // zero for never
	stuck   bool
	retries int32
	lease   *job.Job // the one that holds, or did
}

// Whatever workers and time do, a job has one holder at a time, is done once, and comes
// again where its holder is silent; what is said under an old lease counts for nothing.
func TestLeasesAgreeWithAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s, r, c := open(t, t.TempDir())
		defer r.d.Close()
		ctx := worker(t.Context())
		model := map[state.Key]*known{}
		var old []job.Job // leases that are over
		held := func() (all []*known) {
			for key := state.Key(1); key <= state.Key(len(model)+len(r.done)); key++ {
				if k := model[key]; k != nil && k.lease != nil && !k.stuck && k.free.After(c.Now()) {
					all = append(all, k)
				}
			}
			return all
		}
		say := func(k *known, what string) error {
			h := job.Held{Key: k.lease.Key, Lease: k.lease.Lease}
			switch what {
			case "complete":
				return s.Complete(ctx, h, nil)
			case "fail":
				return s.Fail(ctx, h, "no", nil, 10*time.Second)
			}
			_, err := s.Extend(ctx, h, time.Hour)
			return err
		}
		next := state.Key(1)
		rt.Repeat(map[string]func(*rapid.T){
			"offer": func(*rapid.T) {
				key := next
				next++
				must(rt, r.d.Do(ctx, func(tx *db.Tx) error { return s.Put(tx, one(key, 2), key, "a", time.Time{}) }))
				model[key] = &known{free: c.Now(), retries: 2}
			},
			"activate": func(rt *rapid.T) {
				most := rapid.IntRange(1, 3).Draw(rt, "most")
				all, err := s.Activate(ctx, job.Pull{Project: "a", Type: "paint", Worker: "w", Max: most, Lease: 60})
				must(rt, err)
				free := 0
				for _, k := range model {
					if !k.stuck && !k.free.After(c.Now()) {
						free++
					}
				}
				if len(all) != min(free, most) {
					rt.Fatalf("%d jobs come, %d are free", len(all), free)
				}
				for _, j := range all {
					k := model[j.Key]
					if k == nil || k.stuck || k.free.After(c.Now()) || j.Retries != k.retries || len(j.Variables) != 2 || j.Headers["unit"] != "nginx" {
						rt.Fatalf("the job %+v comes, which is %+v", j, k)
					}
					if k.lease != nil {
						old = append(old, *k.lease)
					}
					k.free, k.lease = c.Now().Add(time.Minute), &j
				}
			},
			"say": func(rt *rapid.T) {
				all := held()
				if len(all) == 0 {
					rt.Skip()
				}
				k, what := rapid.SampledFrom(all).Draw(rt, "job"), rapid.SampledFrom([]string{"complete", "fail", "extend"}).Draw(rt, "what")
				must(rt, say(k, what))
				key := k.lease.Key
				switch what {
				case "complete":
					delete(model, key)
					old = append(old, *k.lease)
				case "fail":
					old = append(old, *k.lease)
					k.retries--
					k.free, k.stuck, k.lease = c.Now().Add(10*time.Second), k.retries == 0, nil
				default:
					k.free = c.Now().Add(time.Hour)
				}
			},
			"say-late": func(rt *rapid.T) {
				for _, k := range model { // those whose time is over
					if k.lease != nil && !k.free.After(c.Now()) {
						old = append(old, *k.lease)
					}
				}
				if len(old) == 0 {
					rt.Skip()
				}
				j := rapid.SampledFrom(old).Draw(rt, "lease")
				if k := model[j.Key]; k != nil && k.lease != nil && k.lease.Lease == j.Lease && k.free.After(c.Now()) {
					rt.Skip() // it was given more time
				}
				err := say(&known{lease: &j}, rapid.SampledFrom([]string{"complete", "fail", "extend"}).Draw(rt, "what"))
				if code := errs.As(err).Code; err == nil || code != "job.lease" && code != "job.gone" && code != "job.stuck" {
					rt.Fatalf("under an old lease: %v", err)
				}
			},
			"help": func(*rapid.T) {
				for key, k := range model {
					if k.stuck {
						must(rt, r.d.Do(ctx, func(tx *db.Tx) error { return s.Put(tx, one(key, 1), key, "a", time.Time{}) }))
						*k = known{free: c.Now(), retries: 1}
						return
					}
				}
			},
			"pass": func(rt *rapid.T) {
				c.Advance(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds")) * time.Second)
			},
			"": func(rt *rapid.T) {
				for key, times := range r.done {
					if times != 1 || model[key] != nil {
						rt.Fatalf("the job %d was done %d times", key, times)
					}
				}
			},
		})
	})
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// Who waits is woken by a job that is offered, and by the end of a lease; else its time
// runs out with nothing.
func TestWhoWaitsIsWoken(t *testing.T) {
	t.Parallel()
	s, r, c := open(t, t.TempDir())
	defer r.d.Close()
	ctx := worker(t.Context())
	wait := func(seconds int) chan []job.Job {
		got := make(chan []job.Job, 1)
		go func() {
			all, err := s.Activate(ctx,
				job.Pull{Project: "a", Type: "paint", Worker: "w", Max: 1, Lease: 5, Wait: seconds, Variables: []string{"y", "z"}})
			if err != nil {
				t.Error(err)
			}
			got <- all
		}()
		<-c.rung
		return got
	}
	got := wait(30)
	if err := r.d.Do(ctx, func(tx *db.Tx) error { return s.Put(tx, one(1, 3), 1, "a", time.Time{}) }); err != nil {
		t.Fatal(err)
	}
	s.Offer(durable.Job{Key: 1, Type: "paint"})
	if all := <-got; len(all) != 1 || len(all[0].Variables) != 1 {
		t.Fatalf("a job that is offered wakes with %+v", all)
	}
	got = wait(30)
	c.Advance(6 * time.Second)
	if all := <-got; len(all) != 1 {
		t.Fatalf("the end of a lease wakes with %+v", all)
	}
	got = wait(3)
	c.Advance(4 * time.Second)
	if all := <-got; len(all) != 0 {
		t.Fatalf("the end of the wait gives %+v", all)
	}
	if _, err := s.Activate(t.Context(), job.Pull{Project: "a", Type: "paint", Worker: "w", Max: 1}); !errs.Is(err, errs.Unauthenticated) &&
		!errs.Is(err, errs.Forbidden) {
		t.Errorf("without the right: %v", err)
	}
}
