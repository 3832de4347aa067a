package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// witness is a plugin that sees who works on what at the same time.
type witness struct {
	mu     sync.Mutex
	in     map[string]map[string]bool // host: calls that change it now
	look   map[string]int             // host: calls that only look at it now, under a shared lock
	by     map[string]string          // run: who asked for it, as the call says
	faults []string
	calls  int
}

func (x *witness) serve(string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req wire.Request
		if strings.HasSuffix(r.URL.Path, "/cancel") || json.NewDecoder(r.Body).Decode(&req) != nil {
			return
		}
		run, changes := r.Header.Get(wire.HeaderRun), strings.HasSuffix(r.URL.Path, "/change")
		looks := strings.HasSuffix(r.URL.Path, "/look")
		resp := wire.Response{ResultCode: "0"}
		var hosts []string
		for _, in := range req.Inputs {
			hosts = append(hosts, strings.TrimPrefix(plainText(in["callbackParameter"]), "host:host/"))
			resp.Results.Outputs = append(resp.Results.Outputs,
				wire.Row{"callbackParameter": in["callbackParameter"], "errorCode": wire.Raw("0"), "state": wire.Raw("up")})
		}
		x.enter(run, req.Operator, hosts, changes, looks)
		x.leave(run, hosts, changes, looks)
		_, _ = w.Write(wire.Raw(resp))
	})
}

func (x *witness) enter(run, operator string, hosts []string, changes, looks bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls++
	x.by[run] = operator
	for _, h := range hosts {
		if who := x.in[h]; len(who) > 1 || len(who) == 1 && !who[run] || changes && x.look[h] > 0 || looks && len(who) > 0 {
			x.faults = append(x.faults, fmt.Sprintf("%s: run %s comes in while %v change it and %d look", h, run, who, x.look[h]))
		}
		if env, _, _ := strings.Cut(h, "-"); !mayIn(operator, env) {
			x.faults = append(x.faults, fmt.Sprintf("%s has no rights on %s and works on it in run %s", operator, h, run))
		}
		switch {
		case changes:
			if x.in[h] == nil {
				x.in[h] = map[string]bool{}
			}
			x.in[h][run] = true
		case looks:
			x.look[h]++
		}
	}
}

func (x *witness) leave(run string, hosts []string, changes, looks bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, h := range hosts {
		switch {
		case changes:
			delete(x.in[h], run)
		case looks:
			x.look[h]--
		}
	}
}

// mayIn is the whole of the model's rights: what users are called says it.
func mayIn(user, env string) bool { return slices.Contains(strings.Split(user, "-")[1:], env) }

// actor is one client: it owns boxes that nobody else changes, on hosts that all
// share.
type actor struct {
	w     *world
	name  string
	api   *client.Client
	rnd   *rand.Rand
	boxes map[string][]string // what the model says they refer to
	runs  []string
	stats map[string]int
}

// Eight clients with different rights change references, preview and start at
// random. An independent model says what each may touch; previews, admissions,
// the plugin's own witness and the audit log agree with it.
// SEXTANT_DOOR_STEPS says how many steps there are.
func TestTheDoorAgreesWithAModel(t *testing.T) {
	t.Parallel()
	steps := 800
	if n, err := strconv.Atoi(os.Getenv("SEXTANT_DOOR_STEPS")); err == nil {
		steps = n
	}
	seed := rand.Uint64()
	t.Log("seed", seed, "steps", steps)
	w := newWorld(t)
	x := &witness{in: map[string]map[string]bool{}, look: map[string]int{}, by: map[string]string{}}
	m := touchManifest()
	m.Version = "1.1.0"
	w.Plug(m, x.serve)
	var hosts []string
	for _, env := range []string{"dev", "test", "prod"} {
		for i := range 6 {
			id := fmt.Sprintf("%s-m%d", env, i)
			hosts = append(hosts, id)
			w.Must("POST", "/api/v1/objects/host:host",
				[]map[string]any{{"id": id, "name": id, "address": "192.0.2.9", "environment": env}}, nil)
		}
	}
	for action, id := range map[string]string{"change": "change", "look": "look", "peek": "peek"} {
		xml := strings.Replace(opened+
			`<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><sequenceFlow id="f2" sourceRef="w" targetRef="e"/><serviceTask `+
			`id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/`+action+
			`"/><sextant:bind path=".hosts&gt;host:host"/></extensionElements></serviceTask>`+closed, `id="p"`, `id="`+id+`"`, 1)
		if err := w.Deploy([]byte(xml)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	actors := make([]*actor, 8)
	for i, envs := range [][]string{{"dev"}, {"test"}, {"prod"}, {"dev", "test"}, {"dev", "prod"}, {"test", "prod"},
		{"dev", "test", "prod"}, {"dev"}} {
		name := fmt.Sprintf("u%d-%s", i, strings.Join(envs, "-"))
		grants := []client.IdentityGrant{{Permission: "process.read", Project: "default"}}
		for _, env := range envs {
			for _, p := range []string{"run.*", "object.*"} {
				grants = append(grants, client.IdentityGrant{Permission: p, Project: "default", Environment: env})
			}
		}
		w.Must("POST", "/api/v1/users", client.IdentityNewUser{Name: name, Password: "a long password", Grants: grants}, nil)
		var out client.SessionOutBody
		w.Must("POST", "/api/v1/session", client.LoginInBody{Name: name, Password: "a long password"}, &out)
		a := &actor{w: w, name: name, api: &client.Client{URL: w.URL, Token: out.Token}, rnd: rand.New(rand.NewPCG(seed, uint64(i))),
			boxes: map[string][]string{}, stats: map[string]int{}}
		for b := range 3 {
			a.refer(fmt.Sprintf("box-%d-%d", i, b), envs[0], hosts)
		}
		actors[i] = a
		wg.Go(func() {
			for range steps / len(actors) {
				a.step(hosts)
			}
		})
	}
	wg.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.faults[:min(len(x.faults), 10)] {
		t.Error(f)
	}
	total := map[string]int{}
	for _, a := range actors {
		for k, n := range a.stats {
			total[k] += n
		}
		a.audited(x)
	}
	t.Log("calls", x.calls, total)
	if total["admitted"] == 0 || total["forbidden"] == 0 || total["previews"] == 0 {
		t.Errorf("too little happened: %v", total)
	}
}

// refer makes a box refer to some hosts; only the administrator sees them all.
func (a *actor) refer(box, env string, hosts []string) {
	var to []string
	for range 1 + a.rnd.IntN(3) {
		if h := hosts[a.rnd.IntN(len(hosts))]; a.rnd.IntN(3) > 0 || mayIn(a.name, strings.Split(h, "-")[0]) {
			to = append(to, h)
		}
	}
	if len(to) == 0 {
		to = []string{hosts[0]}
	}
	slices.Sort(to)
	to = slices.Compact(to)
	if a.boxes[box] == nil {
		a.w.Must("POST", "/api/v1/objects/cmdb:box", []map[string]any{{"id": box, "name": box, "environment": env, "hosts": to}}, nil)
	} else if err := a.w.Call(a.w.t.Context(), "PATCH", "/api/v1/objects/cmdb:box", []map[string]any{{"id": box, "hosts": to}},
		nil); err != nil {
		var e *client.Error
		if errors.As(err, &e) && e.Status == 423 { // a run of its own still holds it
			a.stats["held"]++
			return
		}
		a.w.t.Error(err)
		return
	}
	a.boxes[box] = to
}

func (a *actor) step(hosts []string) {
	box := slices.Sorted(mapKeys(a.boxes))[a.rnd.IntN(len(a.boxes))]
	if a.rnd.IntN(5) == 0 {
		a.refer(box, "", hosts)
		return
	}
	allowed := true
	for _, h := range a.boxes[box] {
		allowed = allowed && mayIn(a.name, strings.Split(h, "-")[0])
	}
	req := platform.Request{Process: []string{"change", "look", "peek"}[a.rnd.IntN(3)], Objects: []string{"cmdb:box/" + box}}
	if a.rnd.IntN(4) == 0 {
		a.preview(req, allowed)
		return
	}
	var v client.ControlVerdict
	err := a.api.Call(a.w.t.Context(), "POST", "/api/v1/runs", req, &v)
	var e *client.Error
	switch {
	case err == nil && allowed:
		a.stats["admitted"]++
		a.runs = append(a.runs, v.Run)
		if r := a.w.Ended(v.Run); r.State != "completed" {
			a.w.t.Errorf("%s: run %s of %v is %s", a.name, v.Run, a.boxes[box], r.State)
		}
	case err == nil:
		a.w.t.Errorf("%s was admitted to %v", a.name, a.boxes[box])
	case errors.As(err, &e) && e.Status == 423 && allowed:
		a.stats["locked"]++
	case errors.As(err, &e) && e.Status == 403 && e.Code == "object.right" && !allowed:
		a.stats["forbidden"]++
	default:
		a.w.t.Errorf("%s on %v (allowed: %v): %v", a.name, a.boxes[box], allowed, err)
	}
}

// preview says the same as an admission would.
func (a *actor) preview(req platform.Request, allowed bool) {
	var p client.ProcessPreview
	if err := a.api.Call(a.w.t.Context(), "POST", "/api/v1/runs/preview", req, &p); err != nil {
		a.w.t.Errorf("%s: preview: %v", a.name, err)
		return
	}
	i := slices.IndexFunc(p.Door, func(s client.ControlStep) bool { return s.Name == "touch" })
	if i < 0 || p.Door[i].Ok != allowed {
		a.w.t.Errorf("%s: the preview says %+v, allowed is %v", a.name, p.Door, allowed)
	}
	a.stats["previews"]++
}

// audited checks that the log names the one who asked, for runs that the plugin
// saw.
func (a *actor) audited(x *witness) {
	for _, run := range a.runs {
		if x.by[run] != a.name {
			a.w.t.Errorf("run %s of %s was called by %q", run, a.name, x.by[run])
		}
	}
	for _, run := range a.runs[max(0, len(a.runs)-20):] {
		var page struct {
			Items []struct {
				Name    string `json:"subjectName"`
				Outcome string
			}
		}
		a.w.Must("GET", "/api/v1/audit?object=run/"+run, nil, &page)
		if len(page.Items) != 1 || page.Items[0].Name != a.name || page.Items[0].Outcome != "done" {
			a.w.t.Errorf("the audit log says of run %s: %+v", run, page)
		}
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
