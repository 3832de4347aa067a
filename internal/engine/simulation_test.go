package engine_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// seeded is a chance that a seed decides.
type seeded struct {
	*testing.T
	seed uint64
	rng  *rand.Rand
}

func (s seeded) between(low, high int, _ string) int { return low + s.rng.IntN(high-low+1) }

// Fatalf names the seed.
func (s seeded) Fatalf(format string, args ...any) {
	s.T.Helper()
	s.T.Fatalf("seed %d: "+format, append([]any{s.seed}, args...)...)
}

// count reads a number of the environment.
func count(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Each seed makes a model, a way to drive it, what happens to it, and when its host
// crashes. The engine does what the oracle does, and the same when the seed is played
// again. SEXTANT_SEEDS says how many, SEXTANT_SEED which is the first.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, n := count(t, "SEXTANT_SEED", uint64(time.Now().UnixNano())), count(t, "SEXTANT_SEEDS", 1000)
	var next, facts atomic.Uint64
	begun := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for k := next.Add(1) - 1; k < n; k = next.Add(1) - 1 {
					facts.Add(uint64(played(t, first+k)))
				}
			})
		}
	})
	t.Logf("%d seeds from %d, each twice: %d facts in %s", n, first, facts.Load(), time.Since(begun).Round(time.Second))
}

// played plays a seed twice and counts its facts.
func played(t *testing.T, seed uint64) int {
	t.Helper()
	var hashes [2][sha256.Size]byte
	n := 0
	for i := range hashes {
		history := randomModel(seeded{t, seed, rand.New(rand.NewPCG(seed, 4))})
		hashes[i], n = sha256.Sum256([]byte(strings.Join(history, "\n"))), len(history)
	}
	if hashes[0] != hashes[1] {
		t.Fatalf("seed %d: played again it has another history", seed)
	}
	return n
}
