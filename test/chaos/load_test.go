package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/sdk/go/client"
	"sextant/test/chaos/audit"
)

// hosts are the objects: two that runs hold, and two that are edited.
var hosts = []string{"h0", "h1", "h2", "h3"}

// load asks a server for all kinds of work at once, and writes down each answer that it
// gets. What is not answered is asked again, under the same key.
type load struct {
	*client.Client
	*program
	t    *testing.T
	acks *journal
	stop chan struct{} // closed when no more is begun
}

func newLoad(t *testing.T, dir, database string) *load {
	t.Helper()
	acks, err := openJournal(filepath.Join(dir, audit.Acks))
	if err != nil {
		t.Fatal(err)
	}
	l := &load{t: t, program: newProgram(t, dir, database), acks: acks, stop: make(chan struct{})}
	l.Client = &client.Client{URL: "http://" + l.listen, HTTP: &http.Client{Timeout: 5 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	l.start()
	t.Cleanup(l.end)
	var in client.SessionOutBody
	l.must(l.Call(t.Context(), "POST", "/api/v1/session", client.LoginInBody{Name: "admin", Password: password}, &in))
	l.Token = in.Token
	l.must(l.Call(t.Context(), "POST", "/api/v1/plugins/witness/token", map[string]any{}, nil))
	l.must(l.Call(t.Context(), "PUT", "/api/v1/plugins/witness", map[string]any{"url": startWitness(t, dir)}, nil))
	var rows []map[string]any
	for n, host := range hosts {
		rows = append(rows, map[string]any{"id": host, "name": host, "address": fmt.Sprint("192.0.2.", n+1)})
	}
	l.must(l.Call(t.Context(), "POST", "/api/v1/objects/host:host", rows, nil))
	for _, xml := range models() {
		l.must(l.Upload(t.Context(), "/api/v1/processes", "application/xml", strings.NewReader(xml), nil))
	}
	return l
}

// note writes down an answer.
func (l *load) note(a audit.Ack) {
	if a.Time.IsZero() {
		a.Time = time.Now()
	}
	if err := l.acks.add(a); err != nil {
		l.t.Error(err)
	}
}

// stopped says whether no more is to be begun.
func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// pause waits a moment between two requests.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// insist asks until there is an answer that will not change. Lost says that the request
// was carried out though its answer is lost.
func (l *load) insist(ctx context.Context, method, path, key string, in, out any) (lost bool, err error) {
	for ctx.Err() == nil {
		err = l.CallWith(ctx, method, path, map[string]string{"Idempotency-Key": key}, in, out)
		var refused *client.Error
		switch {
		case err == nil:
			return false, nil
		case !errors.As(err, &refused): // the connection broke
		case refused.Code == "idempotency.answer_lost":
			return true, nil
		case refused.Status < 500 && refused.Status != http.StatusTooManyRequests && refused.Code != "idempotency.running":
			return false, err
		}
		pause(ctx, 20*time.Millisecond)
	}
	return false, context.Cause(ctx)
}

// start asks for a run until it is acknowledged, and gives its key where that is known.
func (l *load) begin(ctx context.Context, process, title string, more map[string]any) string {
	body := map[string]any{"process": process, "title": title}
	for k, v := range more {
		body[k] = v
	}
	var v client.ControlVerdict
	lost, err := l.insist(ctx, "POST", "/api/v1/runs", title, body, &v)
	if err != nil {
		if ctx.Err() == nil {
			l.t.Errorf("start of %q: %v", title, err)
		}
		return ""
	}
	l.note(audit.Ack{Kind: "start", Name: title, Run: v.Run, Lost: lost})
	return v.Run
}

// starts begins runs of a process, one after the other, until it is to stop.
func (l *load) starts(ctx context.Context, process string, every time.Duration, more func(n int) map[string]any,
	then func(title string)) {
	for n := 0; !l.stopped() && ctx.Err() == nil; n++ {
		title := fmt.Sprintf("%s %d", process, n)
		body := map[string]any{}
		if more != nil {
			body = more(n)
		}
		l.begin(ctx, process, title, body)
		if then != nil {
			then(title)
		}
		pause(ctx, every)
	}
}

// holders asks for runs on one object, which wait for one another.
func (l *load) holders(ctx context.Context, host string) {
	for n := 0; !l.stopped() && ctx.Err() == nil; n++ {
		l.begin(ctx, "holds", fmt.Sprintf("holds %s %d", host, n), map[string]any{"objects": []string{"host:host/" + host}})
		pause(ctx, 150*time.Millisecond)
	}
}

// edits gives an object one value after the other.
func (l *load) edits(ctx context.Context, host string) {
	for n := 1; !l.stopped() && ctx.Err() == nil; n++ {
		value := "user-" + strconv.Itoa(n)
		if _, err := l.insist(ctx, "PATCH", "/api/v1/objects/host:host", "", []map[string]any{{"id": host,
			"user": value}}, nil); err != nil {
			if ctx.Err() == nil {
				l.t.Errorf("edit %s of %s: %v", value, host, err)
			}
			return
		}
		l.note(audit.Ack{Kind: "edit", Name: "host:host/" + host, Value: value})
		pause(ctx, 60*time.Millisecond)
	}
}

// publish brings the message that a run waits for, before the run or after it.
func (l *load) publish(ctx context.Context, title string) {
	value := "word of " + title
	body := map[string]any{"name": "word", "correlationKey": title, "timeToLive": "PT1H", "variables": map[string]any{"word": value}}
	if _, err := l.insist(ctx, "POST", "/api/v1/messages", "message "+title, body, nil); err != nil {
		if ctx.Err() == nil {
			l.t.Errorf("message to %q: %v", title, err)
		}
		return
	}
	l.note(audit.Ack{Kind: "message", Name: title, Value: value})
}

// alarms sends the signal again and again.
func (l *load) alarms(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		var told client.MessageTold
		if _, err := l.insist(ctx, "POST", "/api/v1/signals", fmt.Sprint("alarm ", n),
			map[string]any{"name": "alarm"}, &told); err != nil {
			if ctx.Err() == nil {
				l.t.Errorf("signal: %v", err)
			}
			return
		}
		a := audit.Ack{Kind: "signal"}
		for _, r := range told.Runs {
			a.Runs = append(a.Runs, r.Run)
		}
		l.note(a)
		pause(ctx, 400*time.Millisecond)
	}
}

// people completes the tasks that are there.
func (l *load) people(ctx context.Context) {
	for ctx.Err() == nil {
		var page client.PageOfWorklistTask
		if l.Call(ctx, "GET", "/api/v1/tasks?limit=100", nil, &page) == nil {
			for _, task := range page.Items {
				value := "answer of " + task.Run
				_, err := l.insist(ctx, "POST", "/api/v1/tasks/"+url.PathEscape(task.Key)+"/complete",
					"task "+task.Key, map[string]any{"variables": map[string]any{"word": value}}, nil)
				if err == nil {
					l.note(audit.Ack{Kind: "task", Run: task.Run, Value: value})
				} // it is listed again, or was completed by the request before
			}
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// works pulls jobs with short leases and completes them.
func (l *load) works(ctx context.Context, worker string) {
	for ctx.Err() == nil {
		var page struct{ Items []client.JobJob }
		if l.Call(ctx, "POST", "/api/v1/jobs/activate", map[string]any{"type": "chaos", "worker": worker, "lease": 1,
			"max": 3}, &page) != nil {
			pause(ctx, 20*time.Millisecond)
			continue
		}
		for _, j := range page.Items {
			// One try: whether it came through is not known when there is no answer.
			if l.Call(ctx, "POST", "/api/v1/jobs/"+j.Key+"/complete", map[string]any{"lease": j.Lease}, nil) == nil {
				l.note(audit.Ack{Kind: "pulled", Name: j.Key, Run: j.Run})
			}
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// help lets the runs go on whose step cannot be repeated and may have been done.
func (l *load) help(ctx context.Context) {
	for ctx.Err() == nil {
		var page client.PageOfProcessIncident
		if l.Call(ctx, "GET", "/api/v1/incidents?limit=100", nil, &page) == nil {
			for _, i := range page.Items {
				if i.Process == "once" && i.Kind == "unknown" {
					_ = l.Call(ctx, "POST", "/api/v1/incidents/"+i.Key+"/skip",
						map[string]any{"reason": "the server was away"}, nil) // it is listed again
				}
			}
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// run drives everything: begin asks for new work until stop is closed, go on serves what
// is there until ctx ends.
func (l *load) run(ctx context.Context) (begin, goOn *sync.WaitGroup) {
	begin, goOn = &sync.WaitGroup{}, &sync.WaitGroup{}
	order := func(process string) func(int) map[string]any {
		return func(n int) map[string]any {
			return map[string]any{"variables": map[string]any{"n": n, "order": fmt.Sprintf("%s %d", process, n)}}
		}
	}
	for process, every := range map[string]time.Duration{"effects": 150, "asks": 300, "alarms": 400, "calls": 300,
		"pulls": 250, "each": 500, "once": 300} {
		begin.Go(func() { l.starts(ctx, process, every*time.Millisecond, order(process), nil) })
	}
	begin.Go(func() {
		l.starts(ctx, "hears", 250*time.Millisecond, order("hears"), func(title string) { l.publish(ctx, title) })
	})
	for _, host := range hosts[:2] {
		begin.Go(func() { l.holders(ctx, host) })
	}
	for _, host := range hosts[2:] {
		begin.Go(func() { l.edits(ctx, host) })
	}
	for _, fn := range []func(context.Context){l.alarms, l.people, l.help, func(c context.Context) {
		l.works(c,
			"w1")
	}, func(c context.Context) { l.works(c, "w2") }} {
		goOn.Go(func() { fn(ctx) })
	}
	return begin, goOn
}
