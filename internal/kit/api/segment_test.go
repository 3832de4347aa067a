package api_test

import (
	"strings"
	"testing"

	"sextant/internal/kit/api"
)

func TestNamesInPathsReadTheSameToEverybody(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"p", "Process_1", "a.b", "...", "order-7", "订单", "prüfen", "a:b", strings.Repeat("é", 190)} {
		if !api.Segment(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", ".", "..", "../../x", "a/../b", "a//b",
		"/a", `a\b`, "a\nb", "a\x00b", "a b", "a\u00a0b", "a\u200bb", "a\u202eb", "\ufeffa", "a\u2066b", "a\xffb", strings.Repeat("a", 191)} {
		if api.Segment(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}
