package control_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"sextant/internal/domain/control"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// asked is what a client asks of the door about an object.
type asked struct {
	object  string
	release int64 // the run that gives it up; 0 to start one on it
}

// lock is an object as a person would keep its lock: by one run, or free.
func lock() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[string][]porcupine.Operation{}
			for _, op := range history {
				object := op.Input.(asked).object
				by[object] = append(by[object], op)
			}
			var all [][]porcupine.Operation
			for _, some := range by {
				all = append(all, some)
			}
			return all
		},
		Init: func() any { return int64(0) },
		Step: func(state, input, output any) (bool, any) {
			held, in, run := state.(int64), input.(asked), output.(int64)
			switch {
			case in.release != 0:
				return held == in.release, int64(0)
			case run != 0: // it was admitted
				return held == 0, run
			}
			return held != 0, held
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %v", input, output) },
	}
}

// What many clients are told of locks at the same time is what they would be told one
// after the other, in an order in which each answer comes after its question.
func TestLocksAreLinearizable(t *testing.T) {
	t.Parallel()
	const clients, each, objects = 8, 40, 3
	r := newRig(t)
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	note := func(client int, in asked, do func() int64) int64 {
		call := time.Since(began).Nanoseconds()
		out := do()
		back := time.Since(began).Nanoseconds()
		mu.Lock()
		defer mu.Unlock()
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: back})
		return out
	}
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			release := func(in asked) {
				note(client, in, func() int64 {
					if err := r.db.Do(t.Context(), func(tx *db.Tx) error { return r.Release(tx, in.release) }); err != nil {
						t.Error(err)
					}
					return 0
				})
			}
			var holds []asked
			for range each {
				object := fmt.Sprint("p:thing/", 1+rand.IntN(objects))
				run := note(client, asked{object: object}, func() int64 {
					v, err := r.Admit(as(t.Context(), "a"), request(object))
					switch {
					case err == nil && v.Verdict == control.Admitted:
						return int64(v.Run)
					case !errs.HasCode(err, "control.locked"):
						t.Error(err)
					}
					return 0
				})
				if run != 0 {
					holds = append(holds, asked{object, run})
				}
				if len(holds) > 0 && rand.IntN(2) == 0 { // else others meet it
					release(holds[0])
					holds = holds[1:]
				}
			}
			for _, in := range holds {
				release(in)
			}
		})
	}
	wg.Wait()
	admitted := 0
	for _, op := range history {
		if op.Output.(int64) != 0 {
			admitted++
		}
	}
	if admitted < each || admitted > clients*each-each {
		t.Errorf("%d of %d were admitted: they did not meet", admitted, clients*each)
	}
	if result := porcupine.CheckOperationsTimeout(lock(), history, time.Minute); result != porcupine.Ok {
		t.Fatalf("the answers are those of no order: %s", result)
	}
	// A history that nobody can have seen is found: two who hold the same at once.
	wrong := []porcupine.Operation{{ClientId: 0, Input: asked{object: "x"}, Call: 0, Output: int64(1), Return: 1},
		{ClientId: 1, Input: asked{object: "x"}, Call: 2, Output: int64(2), Return: 3}}
	if result := porcupine.CheckOperationsTimeout(lock(), wrong, time.Minute); result != porcupine.Illegal {
		t.Errorf("two who hold the same: %s", result)
	}
}
