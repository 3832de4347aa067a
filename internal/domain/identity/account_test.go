package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
)

// account is what the API tells of a user.
type account struct {
	ID, Name string
	Disabled bool
	Version  int64
	Roles    []identity.Membership
	Grants   []identity.Grant
}

// member makes a user with roles and logs in.
func (r *rig) member(name string, roles ...identity.Membership) (token string, u account) {
	r.t.Helper()
	made, err := r.CreateUser(identity.AsSystem(r.t.Context(), "test"), identity.NewUser{Name: name, Password: password, Roles: roles})
	r.must(err)
	return r.login(name, password), account{ID: made.ID, Name: made.Name, Version: made.Version}
}

func on(role, project, environment string) identity.Membership {
	return identity.Membership{Role: role, Project: project, Environment: environment}
}

func TestRolesBringRights(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, _ := r.member("ann", on("operator", "shop", "dev"), on("viewer", "bank", ""))
	sub, err := r.Subject(t.Context(), token)
	r.must(err)
	for _, tt := range []struct {
		permission, project, environment string
		want                             bool
	}{
		{"run.start", "shop", "dev", true}, {"run.start", "shop", "prod", false},
		{"run.start", "shop", "", true}, {"run.start", "shop", "*", false},
		{"run.start", "bank", "dev", false}, {"object.read", "bank", "prod", true},
		{"object.read", "bank", "*", true}, {"object.read", "other", "dev", false},
		{"user.read", "shop", "dev", false}, {"process.deploy", "shop", "dev", false},
	} {
		if got := sub.CanIn(tt.permission, tt.project, tt.environment); got != tt.want {
			t.Errorf("%s on %s in %q: %v", tt.permission, tt.project, tt.environment, got)
		}
	}
	if list, all := sub.Environments("object.write", "shop"); all || fmt.Sprint(list) != "[dev]" {
		t.Errorf("environments %v %v", list, all)
	}
	if _, all := sub.Environments("object.read", "bank"); !all {
		t.Error("a role without an environment does not hold everywhere")
	}
}

func TestCustomRoles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	put := func(name, version string, permissions ...string) int {
		header := []string{}
		if version != "" {
			header = []string{"If-Match", version}
		}
		return r.ask(admin, "PUT", "/api/v1/roles/"+name, map[string]any{"permissions": permissions}, nil, header...)
	}
	if got := put("night-shift", "", "run.start", "task.*"); got != 200 {
		t.Fatalf("create: %d", got)
	}
	for _, tt := range []struct {
		name, version, permission string
		want                      int
	}{
		{"night-shift", "", "run.start", 409}, {"night-shift", `"7"`, "run.start", 412},
		{"night-shift", "7", "run.start", 400}, {"admin", "", "run.start", 409},
		{"ADMIN", "", "run.start", 422}, {"admin,viewer", "", "run.start", 422},
		{"admin%20", "", "run.start", 422}, {"new", "", "run", 422}, {"new", "", "*.*", 422}, {"night-shift", `"1"`, "run.*", 200},
	} {
		if got := put(tt.name, tt.version, tt.permission); got != tt.want {
			t.Errorf("%s %s %s: %d, want %d", tt.name, tt.version, tt.permission, got, tt.want)
		}
	}
	token, _ := r.member("ann", on("night-shift", "shop", "*"))
	sub, err := r.Subject(t.Context(), token)
	r.must(err)
	if !sub.Can("run.operate", "shop") || sub.Can("task.complete", "shop") {
		t.Errorf("the changed role gives %v", sub.Grants)
	}
	if got := r.ask(admin, "DELETE", "/api/v1/roles/night-shift", nil, nil); got != 409 {
		t.Errorf("a role in use was removed: %d", got)
	}
	if got := put("unused", "", "run.start"); got != 200 {
		t.Errorf("%d", got)
	}
	for _, want := range []int{204, 404} {
		if got := r.ask(admin, "DELETE", "/api/v1/roles/unused", nil, nil); got != want {
			t.Errorf("remove: %d, want %d", got, want)
		}
	}
	// Who cannot do something everywhere can make no role of it.
	token, _ = r.member("bob", on("admin", "shop", "*"))
	if got := r.ask(token, "PUT", "/api/v1/roles/own", map[string]any{"permissions": []string{"run.start"}}, nil); got != 403 {
		t.Errorf("an administrator of one project makes a role: %d", got)
	}
}

// Disabling a user ends what it has open at once, sessions and tokens.
func TestDisabledUsersAreCutOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	session, ann := r.member("ann", on("viewer", "shop", "*"))
	var made struct{ Token string }
	if got := r.ask(session, "POST", "/api/v1/tokens", map[string]any{"name": "ci"}, &made); got != 201 {
		t.Fatalf("%d", got)
	}
	change := func(version int64, body map[string]any, out any) int {
		return r.ask(admin, "PATCH", "/api/v1/users/"+ann.ID, body, out, "If-Match", fmt.Sprintf("%q", fmt.Sprint(version)))
	}
	var now account
	if got := change(1, map[string]any{"disabled": true}, &now); got != 200 || !now.Disabled || now.Version != 2 || len(now.Roles) != 1 {
		t.Fatalf("%d %+v", got, now)
	}
	for _, token := range []string{session, made.Token} {
		if got := r.ask(token, "GET", "/api/v1/me", nil, nil); got != 401 {
			t.Errorf("it goes on: %d", got)
		}
	}
	_, _, err := r.Login(t.Context(), "ann", password, "192.0.2.1")
	refused(t, err, errs.Unauthenticated, "identity.wrong_password")
	if got := change(1, map[string]any{"disabled": false}, nil); got != 412 {
		t.Errorf("over a version that is gone: %d", got)
	}
	if got := r.ask(admin, "PATCH", "/api/v1/users/"+ann.ID, map[string]any{"disabled": false}, nil); got != 428 {
		t.Errorf("without a version: %d", got)
	}
	now = account{}
	if got := change(2, map[string]any{"disabled": false, "roles": []any{}}, &now); got != 200 || len(now.Roles) != 0 {
		t.Errorf("%d %+v", got, now)
	}
	if got := r.ask(session, "GET", "/api/v1/me", nil, nil); got != 401 {
		t.Errorf("an ended session lives again: %d", got)
	}
	r.login("ann", password)
}

// Nobody reaches more than they have: not by granting, not by taking over who
// may do more, not by changing themselves.
func TestNobodyRisesAboveTheirRights(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	team, teamUser := r.member("team", on("admin", "shop", "*"))
	_, dev := r.member("dev", on("viewer", "shop", "dev"))
	_, far := r.member("far", on("viewer", "bank", "*"))
	_, both := r.member("both", on("viewer", "shop", "*"), on("viewer", "bank", "*"))
	admin, err := r.Subject(t.Context(), r.login("admin", password))
	r.must(err)
	adminID := strings.TrimPrefix(admin.ID, "user/")
	one := []string{"If-Match", `"1"`}
	for _, tt := range []struct {
		name, method, path string
		body               any
		want               int
	}{
		{"reset above", "PUT", "/users/" + both.ID + "/password", map[string]string{"password": password}, 403},
		{"end sessions above", "DELETE", "/users/" + both.ID + "/sessions", nil, 403},
		{"change above", "PATCH", "/users/" + both.ID, map[string]any{"display": "x"}, 403},
		{"foreign is absent", "GET", "/users/" + far.ID, nil, 404},
		{"reset foreign", "PUT", "/users/" + far.ID + "/password", map[string]string{"password": password}, 404},
		{"platform administrator is absent", "PATCH", "/users/" + adminID, map[string]any{"disabled": true}, 404},
		{"random", "GET", "/users/nobody", nil, 404},
		{"own rights", "PATCH", "/users/" + teamUser.ID, map[string]any{"roles": []any{}}, 409},
		{"disable oneself", "PATCH", "/users/" + teamUser.ID, map[string]any{"disabled": true}, 409},
		{"grant elsewhere", "PATCH", "/users/" + dev.ID, map[string]any{"roles": []identity.Membership{on("viewer", "bank", "*")}}, 403},
		{"grant everywhere", "PATCH", "/users/" + dev.ID,
			map[string]any{"grants": []identity.Grant{{Permission: "run.read", Project: "*"}}}, 403},
		{"no such role", "PATCH", "/users/" + dev.ID, map[string]any{"roles": []identity.Membership{on("root", "shop", "*")}}, 422},
		{"within the project", "PATCH", "/users/" + dev.ID, map[string]any{"roles": []identity.Membership{on("operator", "shop", "dev")}}, 200},
		{"reset below", "PUT", "/users/" + dev.ID + "/password", map[string]string{"password": "another long password"}, 204},
		{"short", "PUT", "/users/" + dev.ID + "/password", map[string]string{"password": "short"}, 422},
		{"unknown field", "PATCH", "/users/" + dev.ID, map[string]any{"version": 9}, 422},
	} {
		if got := r.ask(team, tt.method, "/api/v1"+tt.path, tt.body, nil, one...); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	var list struct{ Items []account }
	r.ask(team, "GET", "/api/v1/users", nil, &list)
	var names []string
	for _, u := range list.Items {
		names = append(names, u.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "both dev team" {
		t.Errorf("an administrator of one project sees %q", got)
	}
}

func TestWhoCan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	r.member("ann", on("operator", "shop", "dev"))
	_, bob := r.member("bob", on("operator", "shop", "*"))
	r.user("cid", identity.Grant{Permission: "run.start", Project: "shop"})
	if got := r.ask(admin, "PATCH", "/api/v1/users/"+bob.ID, map[string]any{"disabled": true}, nil, "If-Match", `"1"`); got != 200 {
		t.Fatalf("%d", got)
	}
	who := func(query string) string {
		var out struct {
			Items []struct{ Name, Permission, Role string }
		}
		if got := r.ask(admin, "GET", "/api/v1/access?"+query, nil, &out); got != 200 {
			return fmt.Sprint(got)
		}
		var all []string
		for _, a := range out.Items {
			all = append(all, a.Name+" by "+a.Role+" "+a.Permission)
		}
		return strings.Join(all, ", ")
	}
	for query, want := range map[string]string{
		"permission=run.start&project=shop&environment=dev":  "admin by admin *, ann by operator run.*, cid by  run.start",
		"permission=run.start&project=shop&environment=prod": "admin by admin *, cid by  run.start",
		"permission=run.start&project=bank":                  "admin by admin *",
		"permission=run":                                     "422",
		"project=shop":                                       "422",
	} {
		if got := who(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func TestOwnPasswordAndSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, _ := r.member("ann", on("viewer", "shop", "*"))
	second := r.login("ann", password)
	const next = "another long password 密码"
	change := func(token, current, to string) int {
		return r.ask(token, "PUT", "/api/v1/me/password", map[string]string{"current": current, "new": to}, nil)
	}
	for _, tt := range []struct {
		current, to string
		want        int
	}{{"wrong", next, 422}, {password, "short", 422}, {password, strings.Repeat("x", 257), 422}} {
		if got := change(second, tt.current, tt.to); got != tt.want {
			t.Errorf("%q to %q: %d, want %d", tt.current, tt.to, got, tt.want)
		}
	}
	type sessions struct {
		Items []struct {
			ID, Origin string
			Current    bool
		}
	}
	var mine sessions
	r.ask(second, "GET", "/api/v1/me/sessions", nil, &mine)
	if len(mine.Items) != 2 || mine.Items[0].Current == mine.Items[1].Current || mine.Items[0].Origin != "192.0.2.1" {
		t.Fatalf("sessions %+v", mine)
	}
	if got := change(second, password, next); got != 204 {
		t.Fatalf("%d", got)
	}
	if got := r.ask(first, "GET", "/api/v1/me", nil, nil); got != 401 {
		t.Errorf("the other session goes on: %d", got)
	}
	if got := r.ask(second, "GET", "/api/v1/me", nil, nil); got != 200 {
		t.Errorf("the own session ended: %d", got)
	}
	third := r.login("ann", next)
	mine = sessions{} // a list that is read twice keeps what the first answer said
	r.ask(second, "GET", "/api/v1/me/sessions", nil, &mine)
	bob, _ := r.member("bob")
	for _, s := range mine.Items {
		if got := r.ask(bob, "DELETE", "/api/v1/me/sessions/"+s.ID, nil, nil); got != 404 {
			t.Errorf("another's session: %d", got)
		}
		if s.Current {
			continue
		}
		if got := r.ask(second, "DELETE", "/api/v1/me/sessions/"+s.ID, nil, nil); got != 204 {
			t.Errorf("end a session: %d", got)
		}
	}
	if got := r.ask(third, "GET", "/api/v1/me", nil, nil); got != 401 {
		t.Errorf("a session that was ended goes on: %d", got)
	}
}

// A session rests after half an hour, and proves its owner for ten minutes.
func TestSessionsGrowStale(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	create := func() int { return r.ask(admin, "POST", "/api/v1/tokens", map[string]any{"name": "ci"}, nil) }
	if got := create(); got != 201 {
		t.Fatalf("at once: %d", got)
	}
	r.clock.Advance(10*time.Minute + time.Second)
	if got := create(); got != 401 {
		t.Errorf("after ten minutes: %d", got)
	}
	prove := func(pass string) int {
		return r.ask(admin, "POST", "/api/v1/session/proof", map[string]string{"password": pass}, nil)
	}
	if got := prove("wrong"); got != 401 {
		t.Errorf("with a wrong password: %d", got)
	}
	if got := create(); got != 401 {
		t.Errorf("after a wrong password: %d", got)
	}
	if got := prove(password); got != 204 {
		t.Errorf("%d", got)
	}
	if got := create(); got != 201 {
		t.Errorf("after the proof: %d", got)
	}
	for range 3 { // one that is used stays awake
		r.clock.Advance(29 * time.Minute)
		if got := r.ask(admin, "GET", "/api/v1/me", nil, nil); got != 200 {
			t.Errorf("while it is used: %d", got)
		}
	}
	r.clock.Advance(31 * time.Minute)
	if got := r.ask(admin, "GET", "/api/v1/me", nil, nil); got != 401 {
		t.Errorf("after half an hour of rest: %d", got)
	}
}

func TestLogInLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 100 {
		_, _, err := r.Login(t.Context(), fmt.Sprintf("guess%d", i), "wrong", "192.0.2.7")
		refused(t, err, errs.Unauthenticated, "identity.wrong_password")
	}
	_, _, err := r.Login(t.Context(), "admin", password, "192.0.2.7")
	refused(t, err, errs.Exhausted, "identity.too_many_tries")
	if _, _, err := r.Login(t.Context(), "admin", password, "192.0.2.8"); err != nil {
		t.Errorf("another address is held up: %v", err)
	}
	r.clock.Advance(time.Hour + time.Second)
	if _, _, err := r.Login(t.Context(), "admin", password, "192.0.2.7"); err != nil {
		t.Errorf("after an hour: %v", err)
	}
}

// Hashing takes memory: a flood of log-ins is told to come back.
func TestAFloodOfLogIns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for range 200 {
		wg.Go(func() {
			_, _, err := r.Login(t.Context(), "admin", password, "192.0.2.7")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				codes["in"]++
			} else {
				codes[errs.As(err).Code]++
			}
		})
	}
	wg.Wait()
	if codes["in"] < 1 || codes["identity.busy"] < 100 || codes["in"]+codes["identity.busy"] != 200 {
		t.Errorf("got %v", codes)
	}
}

func TestTwoTokensInOneRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login("admin", password)
	if got := r.ask(admin, "GET", "/api/v1/me", nil, nil, "Cookie", identity.Cookie+"="+admin); got != 400 {
		t.Errorf("header and cookie: %d", got)
	}
}

func TestExpiredTokensAreSwept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.login("admin", password)
	count := func() (n int) {
		r.must(r.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM identity_token").Scan(&n))
		return n
	}
	r.must(r.Sweep(t.Context()))
	if got := count(); got != 2 { // the session and the first link
		t.Errorf("%d tokens", got)
	}
	r.clock.Advance(13 * time.Hour)
	r.must(r.Sweep(t.Context()))
	if got := count(); got != 0 {
		t.Errorf("%d expired tokens are left", got)
	}
}
