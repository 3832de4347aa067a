package identity

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/domain/audit"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

// A log-in hashes once and once only, whoever it names, so that its time tells
// nothing; one that is refused unread hashes nothing.
func TestEveryLogInTakesTheSameWork(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := errors.Join(d.Migrate(t.Context(), audit.Domain, audit.Migrations), d.Migrate(t.Context(), Domain, Migrations)); err != nil {
		t.Fatal(err)
	}
	s := New(d, clock.Real{}, audit.New(d, clock.Real{}))
	const right = "a very long password"
	system := AsSystem(context.WithoutCancel(t.Context()), "test")
	if _, err := s.Bootstrap(system, right); err != nil {
		t.Fatal(err)
	}
	gone, err := s.CreateUser(system, NewUser{Name: "gone", Password: right})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	if _, err := s.ChangeUser(system, gone.ID, gone.Version, Change{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	hashed, real := 0, s.hasher.compute
	s.hasher.compute = func(password string, salt []byte) []byte {
		hashed++
		return real(password, salt)
	}
	var texts []string
	for _, name := range []string{"admin", "nobody", "gone", "", strings.Repeat("x", 64)} {
		before := hashed
		password := right + "x"
		if name == "gone" {
			password = right
		}
		_, _, err := s.Login(t.Context(), name, password, "192.0.2.1")
		if !errs.HasCode(err, "identity.wrong_password") || hashed != before+1 {
			t.Errorf("%q: %d hashes, %v", name, hashed-before, err)
		}
		texts = append(texts, errs.As(err).Message)
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("%q is not %q", text, texts[0])
		}
	}
	for i := range maxByName + 1 {
		if told := s.tries.failed("admin", "192.0.2.9"); told != (i < maxTold) {
			t.Errorf("failure %d is told: %v", i, told)
		}
	}
	before := hashed
	if _, _, err := s.Login(t.Context(), "admin", right, "192.0.2.9"); !errs.HasCode(err, "identity.too_many_tries") || hashed != before {
		t.Errorf("past its tries: %d hashes, %v", hashed-before, err)
	}
}
