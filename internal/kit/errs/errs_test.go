package errs_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"sextant/internal/kit/errs"
)

// The statuses are interface.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for kind, want := range map[errs.Kind]int{
		errs.Malformed: 400, errs.Unauthenticated: 401, errs.Forbidden: 403,
		errs.NotFound: 404, errs.Conflict: 409, errs.Gone: 410, errs.Stale: 412, errs.TooLarge: 413,
		errs.Invalid: 422, errs.Locked: 423, errs.Required: 428, errs.Exhausted: 429, errs.Internal: 500, errs.Unavailable: 503, errs.Full: 507,
		errs.Method: 405, errs.Slow: 408, errs.LongAddress: 414, errs.Media: 415, errs.Misdirected: 421,
	} {
		if got := kind.Status(); got != want || errs.KindOf(want) != kind {
			t.Errorf("kind %d has %d, want %d, which is of kind %d", kind, got, want, errs.KindOf(want))
		}
	}
	if errs.KindOf(418) != errs.Internal {
		t.Error("an unknown status has a kind")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	e := errs.New(errs.Stale, "x.stale", "%s is old", "a").With("name", "a").At(errs.Field{Path: "p", Message: "bad"})
	wrapped := fmt.Errorf("outside: %w", e)
	if got := errs.As(wrapped); got != e || !errs.Is(wrapped, errs.Stale) || !errs.HasCode(wrapped, "x.stale") {
		t.Errorf("%v", got)
	}
	if got := e.Error(); got != "a is old\n  p: bad" {
		t.Errorf("%q", got)
	}
	cause := errs.Wrap(io.ErrUnexpectedEOF, errs.Unavailable, "x.down", "down")
	if !errors.Is(cause, io.ErrUnexpectedEOF) || cause.Error() != "down: unexpected EOF" {
		t.Errorf("%v", cause)
	}
	plain := errs.As(io.EOF)
	if plain.Kind != errs.Internal || plain.Code != "internal" || plain.Message != "internal error" || !errors.Is(plain, io.EOF) {
		t.Errorf("%+v", plain)
	}
	if errs.Is(nil, errs.Internal) || errs.HasCode(nil, "internal") {
		t.Error("no error is one")
	}
}
