package e2e_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// rowState is a row in a message of a live view.
type rowState struct {
	Job, Object, Outcome string
	Percent              int
}

// watchRows follows a live view with its rows until fn is content.
func watchRows(t *testing.T, p *platform.Platform, run string, fn func([]rowState) bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/v1/runs/"+run+"/events?rows=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var u struct{ Rows []rowState }
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			t.Fatal(err)
		}
		if fn(u.Rows) {
			return
		}
	}
	t.Fatalf("the stream ended with status %s", resp.Status)
}

// A live view tells of each object whatever changes, once; and an object can be
// looked at with the calls that it went out with, without secrets.
func TestTheObjectsOfAStep(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o, keys, token := &odd{}, make(chan string, 4), ""
	m := manifestOf("PT10M")
	m.Services[0].Actions[0].Batch = 3
	m.Services[0].Actions[0].Input = append(m.Services[0].Actions[0].Input, wire.Param{Name: "pass", Type: wire.TypeString, Secret: true})
	p.Plug(m, func(issued string) http.Handler {
		token = issued
		return o.serve(func(w http.ResponseWriter, r *http.Request) {
			keys <- r.Header.Get("Idempotency-Key")
			w.WriteHeader(http.StatusAccepted)
		})(issued)
	})
	hosts := []string{"host:host/h1", "host:host/h2", "host:host/h3"}
	for _, h := range hosts {
		id := strings.TrimPrefix(h, "host:host/")
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": id, "name": id, "address": "127.0.0.1"}}, nil)
	}
	run := p.Service("odd/task/do", map[string]any{"text": "x", "pass": "canary-7f3a"}, hosts...)
	key := <-keys
	plugin := client.Client{URL: p.URL, Token: token}
	told, half := 0, false
	watchRows(t, p, run, func(rows []rowState) bool {
		if told += len(rows); told == len(hosts) && !half {
			half = true
			if err := plugin.Call(t.Context(), "POST", "/api/v1/jobs/"+key+"/progress", wire.Progress{Row: "host:host/h2", Percent: 40},
				nil); err != nil {
				t.Fatal(err)
			}
		}
		return len(rows) == 1 && rows[0].Object == "host:host/h2" && rows[0].Percent == 40 && rows[0].Outcome == ""
	})
	var row struct {
		Row     client.DispatchRow
		Percent int
		Calls   []client.DispatchRowCall
	}
	job := strings.Split(key, ".")[0]
	look := func(object string) error {
		return p.Call(t.Context(), "GET", "/api/v1/jobs/"+job+"/row?object="+object, nil, &row)
	}
	if err := look("host:host/h2"); err != nil {
		t.Fatal(err)
	}
	if len(row.Calls) != 1 || row.Percent != 40 || row.Row.Object != "host:host/h2" {
		t.Fatalf("%+v", row)
	}
	call := row.Calls[0]
	if call.Key != key || call.Rows != 3 || !call.Sent || call.Answered || call.Inputs["text"] != "x" || call.Inputs["pass"] != "••••••" ||
		len(call.Inputs) != 2 {
		t.Errorf("the call is %+v", call)
	}
	if err := look("host:host/h9"); err == nil || !strings.Contains(err.Error(), "has no object") {
		t.Errorf("an object that is not in the step: %v", err)
	}
	var answer wire.Response
	for _, id := range []string{"host:host/h1", "host:host/h2", "host:host/h3"} {
		answer.Results.Outputs = append(answer.Results.Outputs, wire.Row{"callbackParameter": wire.Raw(id), "errorCode": wire.Raw("0")})
	}
	answer.ResultCode = "0"
	if err := plugin.Call(t.Context(), "POST", "/api/v1/jobs/"+key+"/result", answer, nil); err != nil {
		t.Fatal(err)
	}
	p.Ended(run)
	done := map[string]string{}
	watchRows(t, p, run, func(rows []rowState) bool {
		for _, r := range rows {
			done[r.Object] += r.Outcome
		}
		return len(done) == len(hosts)
	})
	for _, h := range hosts {
		if done[h] != "ok" {
			t.Errorf("%s is told as %q", h, done[h])
		}
	}
}
