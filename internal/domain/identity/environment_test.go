package identity_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

func subject(grants ...identity.Grant) identity.Subject {
	return identity.Subject{ID: "user/u", Name: "u", Kind: identity.User, Grants: grants}
}

// A right in one environment brings what is judged there, and nothing that holds
// for a whole project, by whatever pattern it is written.
func TestARightInOneEnvironmentBringsNothingOfTheWholeProject(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*", "process.*", "process.deploy", "run.*", "run.start", "blob.*", "type.*", "user.*"} {
		dev := subject(identity.Grant{Permission: pattern, Project: "default", Environment: "dev"})
		for _, p := range []string{"process.deploy", "process.read", "blob.read",
			"type.write", "user.create", "setting.read", "task.manage", "plugin.write"} {
			for _, environment := range []string{"", "dev", "prod", "*"} {
				if dev.CanIn(p, "default", environment) {
					t.Errorf("%s in dev brings %s, asked in %q", pattern, p, environment)
				}
			}
			if projects, all := dev.Projects(p); len(projects) > 0 || all {
				t.Errorf("%s in dev brings %s on %v", pattern, p, projects)
			}
		}
		want := pattern == "*" || strings.HasPrefix(pattern, "run.")
		for environment, held := range map[string]bool{"": want, "dev": want, "prod": false, "*": false} {
			if dev.CanIn("run.start", "default", environment) != held {
				t.Errorf("%s in dev brings run.start in %q: %v", pattern, environment, !held)
			}
		}
		whole := subject(identity.Grant{Permission: pattern, Project: "default"})
		if got := whole.Can("process.deploy", "default"); got != (pattern == "*" || strings.HasPrefix(pattern, "process.")) {
			t.Errorf("%s everywhere brings process.deploy: %v", pattern, got)
		}
	}
	ctx := identity.With(t.Context(), subject(identity.Grant{Permission: "process.*", Project: "default", Environment: "dev"}))
	err := identity.Require(ctx, "process.deploy", "default")
	if !errs.Is(err, errs.Forbidden) || !strings.Contains(err.Error(), "a right in one environment does not bring it") {
		t.Errorf("it says %v", err)
	}
}

// Who asks what he may do is told what a pattern in one environment brings.
func TestARightInOneEnvironmentIsToldAsWhatItBrings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	secret := r.user("ann", identity.Grant{Permission: "run.*", Project: "default", Environment: "dev"},
		identity.Grant{Permission: "process.*", Project: "default", Environment: "dev"}, identity.Grant{Permission: "blob.*", Project: "default"})
	sub, err := r.Subject(t.Context(), secret)
	r.must(err)
	if sub.Can("process.deploy", "default") || !sub.Can("blob.read", "default") || !sub.CanIn("run.start", "default", "dev") {
		t.Errorf("%+v", sub.Grants)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/api/v1/me", nil)
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	r.must(err)
	defer resp.Body.Close()
	var me struct{ Grants []identity.Grant }
	r.must(json.NewDecoder(resp.Body).Decode(&me))
	var told []string
	for _, g := range me.Grants {
		told = append(told, g.Permission+" "+g.Environment)
	}
	slices.Sort(told)
	if want := []string{"blob.* *", "run.operate dev", "run.read dev", "run.start dev"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// Who grants in one environment what holds for a whole project is told which
// permissions know environments.
func TestAGrantInAnEnvironmentIsOneThatKnowsThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := identity.AsSystem(t.Context(), "test")
	for i, c := range []struct {
		permission, environment string
		ok                      bool
	}{
		{"process.deploy", "dev", false}, {"blob.read", "dev", false}, {"type.write", "prod", false}, {"unknown.verb", "dev", false},
		{"process.deploy", "*", true}, {"process.deploy", "", true}, {"run.start", "dev", true},
		{"task.complete", "dev", true}, {"*", "dev", true}, {"process.*", "dev", true},
	} {
		_, err := r.CreateUser(ctx, identity.NewUser{Name: fmt.Sprintf("user%d", i),
			Password: "a long password", Grants: []identity.Grant{{Permission: c.permission, Project: "default", Environment: c.environment}}})
		if c.ok != (err == nil) {
			t.Errorf("%s in %q: %v", c.permission, c.environment, err)
		}
		if err != nil && (errs.As(err).Code != "identity.grant_environment" ||
			errs.As(err).Kind != errs.Invalid || !strings.Contains(err.Error(), "run.start")) {
			t.Errorf("%s in %q: %v", c.permission, c.environment, err)
		}
	}
}

// Rights that are narrowed say so where they refuse, and no project has no name.
func TestARefusalSaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	narrow := subject(identity.Grant{Permission: "*", Project: "*"})
	narrow.Scope = []string{"run.read", "run.start"}
	ctx := identity.With(t.Context(), narrow)
	for project, says := range map[string]string{"": "on any project", "*": "on all projects", "default": `on project "default"`} {
		err := identity.Require(ctx, "object.read", project)
		if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "the token is narrowed to run.read, run.start") ||
			strings.Contains(err.Error(), `""`) {
			t.Errorf("%q: %v", project, err)
		}
	}
	if err := identity.Require(identity.With(t.Context(), subject()), "object.read", ""); strings.Contains(err.Error(), "narrowed") {
		t.Error(err)
	}
}

// The rights of two are exactly those that each has.
func TestTheRightsOfTwoAreThoseThatBothHave(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	one := func(name string) identity.Rights {
		r := identity.Rights{Subject: "user/" + name, Name: name}
		for range random.IntN(4) {
			r.Grants = append(r.Grants, identity.Grant{Permission: pick("*", "run.*", "run.start", "run.read",
				"object.*", "object.read", "process.*", "process.deploy"), Project: pick("*", "a", "b"), Environment: pick("", "*", "dev", "prod")})
		}
		if random.IntN(2) == 0 {
			r.Scope = []string{}
			for range random.IntN(3) {
				r.Scope = append(r.Scope, pick("*", "run.*", "run.start", "object.read", "process.deploy"))
			}
		}
		return r
	}
	holds := func(r identity.Rights, permission, project, environment string) bool {
		return r.Run("1").CanIn(permission, project, environment)
	}
	for range 3_000 {
		a, b := one("a"), one("b")
		both := a.And(b)
		for _, permission := range []string{"run.start", "run.read", "object.read", "process.deploy", "blob.read"} {
			for _, project := range []string{"a", "b", "c"} {
				for _, environment := range []string{"dev", "prod", "test", "*"} {
					if want, got := holds(a, permission, project, environment) &&
						holds(b, permission, project, environment), holds(both, permission, project, environment); got != want {
						t.Fatalf("%s on %s in %s: %v\na    %+v\nb    %+v\nboth %+v", permission, project, environment, got, a, b, both)
					}
					if a.Cover(b) && holds(b, permission, project, environment) && !holds(a, permission, project, environment) {
						t.Fatalf("%+v is said to cover %+v", a, b)
					}
				}
			}
		}
		if !a.Cover(a) || !a.Cover(both) || !b.Cover(both) {
			t.Fatalf("%+v and %+v do not cover %+v", a, b, both)
		}
	}
	raw, err := json.Marshal(one("a").With([]identity.Given{{Names: []string{"x"}, Rights: one("b")}}))
	if err != nil || strings.Contains(string(raw), "given") {
		t.Errorf("%s %v", raw, err)
	}
}

// A refusal names who gave the value that the right is missing for.
func TestARefusalNamesWhoGave(t *testing.T) {
	t.Parallel()
	all := subject(identity.Grant{Permission: "*", Project: "*"}).Rights()
	bob := identity.Rights{Subject: "user/bob", Name: "bob",
		Grants: []identity.Grant{{Permission: "run.*", Project: "default", Environment: "dev"}}}
	run := all.With([]identity.Given{{Names: []string{"region"}, Rights: bob}}).Run("7")
	err := identity.RequireIn(identity.With(t.Context(), run), "run.start", "default", "prod")
	if err == nil ||
		!strings.HasPrefix(err.Error(), `bob, who gave region, has no permission run.start on project "default" in environment "prod"`) {
		t.Errorf("it says %v", err)
	}
	if !run.CanIn("run.start", "default", "dev") {
		t.Error("what both may is refused")
	}
}

// A text of environments is in sight for who has the right in each of them.
func TestWhatIsInSightLiesWhereOneHasTheRight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.db.Migrate(t.Context(), "placed",
		fstest.MapFS{"migrations/202601010000_create.sql": {Data: []byte("-- +goose Up\nCREATE TABLE placed (places TEXT NOT NULL);\n")}}))
	names := []string{"dev", "prod", "test", "de", "v", "*", identity.Unplaced, "dev\n\nprod", "%", "日本"}
	random := rand.New(rand.NewPCG(3, 5))
	some := func() (all []string) {
		for _, n := range names {
			if random.IntN(4) == 0 {
				all = append(all, n)
			}
		}
		return all
	}
	for range 300 {
		held, lies := some(), some()
		var grants []identity.Grant
		for _, e := range held {
			grants = append(grants, identity.Grant{Permission: "run.read", Project: "default", Environment: e})
		}
		ctx := identity.With(t.Context(), subject(grants...))
		want := true
		for _, e := range lies {
			want = want && slices.Contains(held, e) && e != identity.Unplaced && !strings.Contains(e, "\n")
		}
		want = want || slices.Contains(held, "*")
		places := identity.Join(identity.Places(lies), lies)
		if places != identity.Places(lies) || identity.InSight(ctx, "run.read", "default", places) != want {
			t.Fatalf("%q with rights in %q: want %v", lies, held, want)
		}
		condition, args := identity.Sight(ctx, "run.read", "default", "places")
		if condition == "" {
			condition = "1 = 1"
		}
		var n int
		r.must(r.db.Do(t.Context(), func(tx *db.Tx) error {
			if _, err := tx.Exec("DELETE FROM placed"); err != nil {
				return err
			}
			if _, err := tx.Exec("INSERT INTO placed (places) VALUES (?)", places); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), "SELECT COUNT(*) FROM placed WHERE "+condition, args...).Scan(&n)
		}))
		if (n == 1) != want {
			t.Fatalf("%q with rights in %q: the store says %d, want %v", lies, held, n, want)
		}
	}
}
