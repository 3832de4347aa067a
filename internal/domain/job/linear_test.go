package job_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"sextant/internal/domain/job"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// said is what a worker does with a job: it gets it, or says something under a lease.
type said struct {
	job   state.Key
	what  string
	lease api.Key
}

// leased is a job as a person would keep it: free, under a lease, or done.
type leased struct {
	lease api.Key
	done  bool
}

func leases() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[state.Key][]porcupine.Operation{}
			for _, op := range history {
				key := op.Input.(said).job
				by[key] = append(by[key], op)
			}
			var all [][]porcupine.Operation
			for _, some := range by {
				all = append(all, some)
			}
			return all
		},
		Init: func() any { return leased{} },
		Step: func(now, input, output any) (bool, any) {
			is, in := now.(leased), input.(said)
			mine := !is.done && is.lease == in.lease
			switch {
			case in.what == "get":
				return !is.done && is.lease == 0, leased{lease: in.lease}
			case !output.(bool):
				return !mine, is
			case in.what == "complete":
				return mine, leased{done: true}
			case in.what == "fail":
				return mine, leased{}
			}
			return mine, is
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %v", input, output) },
	}
}

// What many workers get and say at the same time is what they would get and say one
// after the other: no job has two holders, and an old lease counts for nothing.
func TestLeasesAreLinearizable(t *testing.T) {
	t.Parallel()
	const workers, each, jobs = 6, 40, 12
	s, r, _ := open(t, t.TempDir())
	t.Cleanup(func() { _ = r.d.Close() })
	ctx := worker(t.Context())
	if err := r.d.Do(ctx, func(tx *db.Tx) error {
		for key := state.Key(1); key <= jobs; key++ {
			if err := s.Put(tx, one(key, 9), key, "a", time.Time{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	var old []said // what somebody has held
	began := time.Now()
	note := func(client int, in said, call, back time.Duration, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{
			ClientId: client, Input: in, Call: call.Nanoseconds(), Output: ok, Return: back.Nanoseconds()})
		old = append(old, in)
	}
	say := func(client int, in said) {
		h, retries := job.Held{}, int32(9)
		h.Key, h.Lease = one(in.job, 0).Key, in.lease
		call := time.Since(began)
		var err error
		switch in.what {
		case "complete":
			err = s.Complete(ctx, h, nil)
		case "fail":
			err = s.Fail(ctx, h, "no", &retries, 0)
		default:
			_, err = s.Extend(ctx, h, time.Hour)
		}
		if code := errs.As(err).Code; err != nil && code != "job.lease" && code != "job.gone" {
			t.Error(err)
		}
		note(client, in, call, time.Since(began), err == nil)
	}
	var wg sync.WaitGroup
	for client := range workers {
		wg.Go(func() {
			for range each {
				call := time.Since(began)
				got, err := s.Activate(ctx, job.Pull{Project: "a", Type: "paint", Worker: fmt.Sprint("w", client), Max: 1, Lease: 600})
				back := time.Since(began)
				if err != nil {
					t.Error(err)
				}
				for _, j := range got {
					in := said{job: j.Key, what: "get", lease: j.Lease}
					note(client, in, call, back, true)
					for _, what := range []string{"extend", []string{"fail", "fail", "fail", "complete"}[rand.IntN(4)]} {
						in.what = what
						say(client, in)
					}
				}
				mu.Lock()
				var late said
				if len(old) > 0 {
					late = old[rand.IntN(len(old))]
				}
				mu.Unlock()
				if late.job != 0 { // somebody says something under a lease that may be over
					late.what = []string{"extend", "fail", "complete"}[rand.IntN(3)]
					say(client, late)
				}
			}
		})
	}
	wg.Wait()
	if len(history) < workers*each {
		t.Errorf("%d things were said", len(history))
	}
	if result := porcupine.CheckOperationsTimeout(leases(), history, time.Minute); result != porcupine.Ok {
		t.Fatalf("the answers are those of no order: %s", result)
	}
	for key, times := range r.done {
		if times != 1 {
			t.Errorf("the job %d was done %d times", key, times)
		}
	}
}
