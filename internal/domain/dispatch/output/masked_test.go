package output_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/domain/dispatch/output"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

// Whatever pieces come again, and however late, each byte is given once at least, none is
// left out, and of a secret nothing.
func TestPiecesThatComeAgainLoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const hidden = "scripted-secret"
		mask := secret.NewMask([]string{hidden})
		var all []byte
		for range rapid.IntRange(1, 12).Draw(t, "words") {
			all = append(all, rapid.SampledFrom([]string{"a script ", "s", "scripted-", hidden, "\n", "line "}).Draw(t, "word")...)
		}
		want := mask.Bytes(all)
		var m output.Masked
		stored := make([]byte, len(all)) // zero where nothing came
		keep := func(pieces []wire.LogChunk) {
			for _, p := range pieces {
				copy(stored[p.Offset:], p.Bytes)
			}
		}
		var sent []wire.LogChunk
		for from := 0; from < len(all); {
			to := min(len(all), from+rapid.IntRange(1, 20).Draw(t, "size"))
			c := wire.LogChunk{Row: "r", Offset: int64(from), Bytes: slices.Clone(all[from:to])}
			sent = append(sent, c)
			keep(m.Take("call", c, mask))
			for range rapid.IntRange(0, 2).Draw(t, "again") { // one of those before comes once more
				keep(m.Take("call", sent[rapid.IntRange(0, len(sent)-1).Draw(t, "which")], mask))
			}
			from = to
		}
		keep(m.Rest("call", mask))
		if bytes.Contains(stored, []byte(hidden)) || bytes.IndexByte(stored, 0) >= 0 {
			t.Fatalf("stored is %q of %q", stored, all)
		}
		if !bytes.Contains(all, []byte(hidden)) && !bytes.Equal(stored, want) {
			t.Fatalf("stored is %q, want %q", stored, want)
		}
	})
}
