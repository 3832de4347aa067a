package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/lang/manifest"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// An action is called by the method that its manifest names, with its rows.
func TestAnActionIsCalledByItsMethod(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	m := manifestOf("PT10M")
	title := m.Services[0].Title
	var actions []wire.Action
	for _, method := range append(manifest.Methods(), "") {
		a := m.Services[0].Actions[0]
		a.Action, a.Path, a.Method, a.Title = "do-x"+strings.ToLower(method), "/v1/task/x"+strings.ToLower(method), method, title
		actions = append(actions, a)
	}
	m.Services[0].Actions = actions
	var mu sync.Mutex
	seen := map[string]string{}
	p.Plug(m, new(odd).serve(func(w http.ResponseWriter, r *http.Request) {
		var req wire.Request
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || len(req.Inputs) != 1 {
			t.Errorf("%s %s: %v, %d rows", r.Method, r.URL.Path, err, len(req.Inputs))
			return
		}
		mu.Lock()
		seen[r.URL.Path] = r.Method
		mu.Unlock()
		answer(w, req, wire.OutcomeOK)
	}))
	for _, a := range actions {
		if r := p.Ended(p.Service("odd/task/"+a.Action, map[string]any{"text": "x"})); r.State != "completed" {
			t.Errorf("%s: the run is %s: %+v", a.Action, r.State, p.Incidents())
		}
		want := a.Method
		if want == "" {
			want = http.MethodPost
		}
		if got := seen[a.Path]; got != want {
			t.Errorf("%s is called with %s, want %s", a.Action, got, want)
		}
	}
}

// Rows are tried again after the errors that the action lists, and after no others.
func TestWhatIsNotListedIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		on   []string
		says string
		want int
	}{
		"throttled is listed":              {[]string{"throttled"}, "throttled", 3},
		"both are listed":                  {[]string{"transport", "throttled"}, "throttled", 3},
		"only transport is listed":         {[]string{"transport"}, "throttled", 1},
		"only throttled is listed":         {[]string{"throttled"}, "transport", 1},
		"the plugin does not say that":     {[]string{"throttled"}, "", 1},
		"a word that nobody lists is none": {[]string{"throttled"}, "later", 1},
	} {
		p, m, o := platform.Start(t, nil), manifestOf("PT10M"), &odd{}
		m.Services[0].Actions[0].Retry.On = c.on
		p.Plug(m, o.serve(func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = w.Write([]byte(`{"resultCode":"1","results":{"outputs":[{"callbackParameter":"run",` +
				`"errorCode":"odd.busy","errorMessage":"busy","outcome":"failed","retryOn":"` + c.says + `"}]}}`))
		}))
		run := p.Service("odd/task/do", map[string]any{"text": "x"})
		p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State != "active" })
		if n := len(o.seen()); n != c.want {
			t.Errorf("%s: called %d times, want %d", name, n, c.want)
		}
	}
}

// An input that takes many values gets all that its path leads to; one that takes
// one value refuses several.
func TestAnInputThatTakesManyValues(t *testing.T) {
	t.Parallel()
	for name, multiple := range map[string]bool{"many": true, "one": false} {
		p, m, o := platform.Start(t, nil), manifestOf("PT10M"), &odd{}
		m.Services[0].Actions[0].Target = "host:host"
		m.Services[0].Actions[0].Input[0].Multiple = multiple
		p.Plug(m, o.serve(echo))
		defined := p.Service("cmdb/types/define",
			map[string]any{"types": []wire.ObjectType{{Type: "card", Display: "name", Attributes: []wire.Attribute{
				{Name: "name", Type: wire.TypeString}, {Name: "host", Type: wire.TypeRef, To: "host:host"}}}}})
		if r := p.Ended(defined); r.State != "completed" {
			t.Fatalf("%s: %+v", r.State, p.Incidents())
		}
		refs := hosts(p, "h1")
		p.Must("POST", "/api/v1/objects/cmdb:card",
			[]map[string]any{{"id": "c1", "name": "eth0", "host": "h1"}, {"id": "c2", "name": "eth1", "host": "h1"}}, nil)
		if err := p.Deploy(tasks(`<sextant:input name="text" from="path" value="~(host)cmdb:card.name"/>`)); err != nil {
			t.Fatal(err)
		}
		run := p.Run(platform.Request{Process: "p", Objects: refs})
		r := p.Ended(run)
		if !multiple {
			if in := p.Incidents(); r.State != "incident" || len(in) != 1 || !strings.Contains(in[0].Message, "takes one") {
				t.Errorf("%s: %s, %+v", name, r.State, in)
			}
			continue
		}
		var req wire.Request
		if calls := o.seen(); r.State != "completed" || len(calls) != 1 || json.Unmarshal(calls[0].body, &req) != nil ||
			string(req.Inputs[0]["text"]) != `["eth0","eth1"]` {
			t.Errorf("%s: %s, it was given %s: %+v", name, r.State, req.Inputs, p.Incidents())
		}
	}
}

// A setting is of the type that the plugin declares: one that is not stops the step
// and says which, before anything is called.
func TestASettingIsReadAsWhatThePluginDeclares(t *testing.T) {
	t.Parallel()
	p, m, o := platform.Start(t, nil), manifestOf("PT10M"), &odd{}
	m.Settings = []wire.Setting{{Name: "tries", Type: wire.TypeInt, Default: "3"}, {Name: "on", Type: wire.TypeBool},
		{Name: "pause", Type: wire.TypeDuration}}
	m.Services[0].Actions[0].Input = []wire.Param{
		{Name: "tries", Type: wire.TypeInt, From: "setting", Expr: "odd.tries"},
		{Name: "on", Type: wire.TypeBool, From: "setting", Expr: "odd.on"},
		{Name: "pause", Type: wire.TypeDuration, From: "setting", Expr: "odd.pause"}}
	set := func(name, value string) error {
		return p.Call(t.Context(), "PUT", "/api/v1/settings/"+name, map[string]any{"value": value}, nil)
	}
	if err := set("odd.tries", "many"); err != nil { // nobody declares it yet
		t.Fatal(err)
	}
	p.Plug(m, o.serve(echo))
	call := func() error {
		var v client.ControlVerdict
		err := p.Call(t.Context(), "POST", "/api/v1/calls", map[string]any{"service": "odd/task/do", "objects": []string{}}, &v)
		if err == nil {
			p.Ended(v.Run)
		}
		return err
	}
	for _, c := range []struct{ name, value, refused string }{
		{"", "", "odd.tries"}, {"odd.tries", "5", ""}, {"odd.on", "true", ""}, {"odd.pause", "PT5S", ""},
		{"odd.tries", "many", "odd.tries"}, {"odd.tries", "7", ""}, {"odd.on", "yes", "odd.on"}, {"odd.on", "false", ""},
		{"odd.pause", "5s", "odd.pause"}, {"odd.pause", "PT1M", ""},
	} {
		before := len(o.seen())
		said := ""
		if c.name != "" {
			if err := set(c.name, c.value); err != nil {
				if c.refused == "" || !strings.Contains(err.Error(), strings.TrimPrefix(c.refused, "odd.")) {
					t.Errorf("%s = %s: %v", c.name, c.value, err)
				}
				continue
			}
		}
		if err := call(); err != nil {
			said = err.Error()
		}
		for _, in := range p.Incidents() {
			said += in.Message
		}
		if c.refused == "" && (said != "" || len(o.seen()) != before+1) || c.refused != "" &&
			(!strings.Contains(said, c.refused) || len(o.seen()) != before) {
			t.Errorf("%s = %s: %d calls, and it says %q", c.name, c.value, len(o.seen())-before, said)
		}
		for _, in := range p.Incidents() {
			p.Must("POST", "/api/v1/runs/"+in.Run+"/cancel", map[string]any{"reason": "seen"}, nil)
		}
	}
	calls := o.seen()
	var req wire.Request
	if err := json.Unmarshal(calls[len(calls)-1].body, &req); err != nil || string(req.Inputs[0]["tries"]) != "7" ||
		string(req.Inputs[0]["on"]) != "false" || string(req.Inputs[0]["pause"]) != `"PT1M"` {
		t.Errorf("the last call was given %s, %v", req.Inputs, err)
	}
}
