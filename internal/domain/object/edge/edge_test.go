package edge_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"sextant/internal/domain/object/edge"
)

func TestHold(t *testing.T) {
	t.Parallel()
	none, host, both := []string(nil), []string{"cmdb:host"}, []string{"cmdb:box", "cmdb:host"}
	for name, c := range map[string]struct {
		referred, deleted []string // while the type cmdb:host is referred to
		first             bool     // whether it is being deleted instead
		waits             bool
	}{
		"reference-beside-reference":       {referred: host},
		"deletion-of-what-is-referred-to":  {deleted: host, waits: true},
		"reference-to-what-is-deleted":     {referred: host, first: true, waits: true},
		"deletion-beside-deletion":         {deleted: host, first: true, waits: true},
		"another-type":                     {referred: []string{"cmdb:box"}, deleted: []string{"app:host"}, first: true},
		"one-type-of-several":              {referred: none, deleted: both, waits: true},
		"referred-to-and-deleted-at-once":  {referred: host, deleted: host, waits: true},
		"named-twice":                      {referred: []string{"cmdb:host", "cmdb:host"}},
		"nothing":                          {first: true},
		"reference-to-several-of-them":     {referred: both, first: true, waits: true},
		"reference-to-several-beside-them": {referred: both},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 50 {
				var g edge.Guard
				free := g.Hold(host, nil)
				if c.first {
					free()
					free = g.Hold(nil, host)
				}
				var freed, early atomic.Bool
				held := make(chan struct{})
				go func() {
					done := g.Hold(c.referred, c.deleted)
					early.Store(!freed.Load())
					close(held)
					done()
				}()
				if c.waits {
					for range 20 {
						runtime.Gosched() // the other one has its turns, and must not get through
					}
					freed.Store(true)
					free()
					<-held
				} else {
					<-held
					free()
				}
				if early.Load() == c.waits {
					t.Fatalf("held before the first was freed: %v, want %v", early.Load(), !c.waits)
				}
			}
		})
	}
}

// TestHoldInEveryOrder holds the same types in different orders at once: nobody waits in a
// ring, and nothing is referred to while it is deleted.
func TestHoldInEveryOrder(t *testing.T) {
	t.Parallel()
	types := []string{"p:a", "p:b", "q:a", "q:b"}
	var g edge.Guard
	var referred, deleted [4]atomic.Int32
	var wg sync.WaitGroup
	bad := make(chan string, 1)
	for n := range 64 {
		wg.Go(func() {
			i, j := n%4, (n/4+1+n%4)%4
			mine, theirs := []string{types[i]}, []string{types[j]}
			if i == j {
				mine = nil
			}
			for range 200 {
				free := g.Hold(mine, theirs)
				d, r := deleted[j].Add(1), referred[j].Load()
				if mine != nil {
					referred[i].Add(1)
				}
				if d != 1 || r != 0 || mine != nil && deleted[i].Load() != 0 {
					select {
					case bad <- fmt.Sprintf("%s: deleted by %d, referred to by %d", types[j], d, r):
					default:
					}
				}
				if mine != nil {
					referred[i].Add(-1)
				}
				deleted[j].Add(-1)
				free()
			}
		})
	}
	wg.Wait()
	select {
	case text := <-bad:
		t.Error(text)
	default:
	}
}
