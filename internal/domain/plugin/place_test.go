package plugin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// elsewhere is an instance of a plugin that somebody has started.
type elsewhere struct {
	*httptest.Server
	mu    sync.Mutex
	calls int
}

// started gives an instance that answers each call with work.
func started(t *testing.T, name, version string, work http.HandlerFunc) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /manifest", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wire.Raw(manifest(name, version))) })
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		e.mu.Lock()
		e.calls++
		e.mu.Unlock()
		if work != nil {
			work(w, q)
		}
	})
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	return e
}

func (e *elsewhere) had() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls
}

// connected is a rig with a plugin of two instances.
func connected(t *testing.T, work http.HandlerFunc) (r *rig, first, second *elsewhere, id string) {
	t.Helper()
	r = newRig(t)
	first, second = started(t, "x", "1.0.0", work), started(t, "x", "1.0.0", work)
	ctx := operator(t.Context())
	_, err := r.Token(ctx, "x")
	r.must(err)
	_, err = r.Connect(ctx, "x", first.URL)
	r.must(err)
	r.clock.Advance(time.Second)
	added, err := r.Add(ctx, "x", second.URL, 3)
	r.must(err)
	if added.State != plugin.StateRunning || added.Weight != 3 || added.ID == "" {
		t.Fatalf("%+v", added)
	}
	return r, first, second, added.ID
}

func (r *rig) call(key string) (*gateway.Answer, error) {
	c := gateway.Call{Plugin: "x", Method: http.MethodPost, Path: "/1.0.0", Header: http.Header{}, Body: []byte("{}")}
	if key != "" {
		c.Header.Set(wire.HeaderIdempotencyKey, key)
	}
	return r.Router.Do(r.t.Context(), c)
}

func (r *rig) states() (all []string) {
	r.t.Helper()
	list, err := r.Instances(r.t.Context(), "x")
	r.must(err)
	for _, i := range list {
		all = append(all, i.State)
	}
	return all
}

func TestCallsAreSharedOutAmongInstances(t *testing.T) {
	t.Parallel()
	r, first, second, _ := connected(t, nil)
	share := func(router *gateway.Router) {
		t.Helper()
		before, after := first.had(), second.had()
		for range 40 {
			_, err := router.Do(t.Context(), gateway.Call{Plugin: "x", Method: http.MethodPost, Path: "/1.0.0"})
			r.must(err)
		}
		if a, b := first.had()-before, second.had()-after; a != 10 || b != 30 {
			t.Errorf("the shares are %d and %d", a, b)
		}
	}
	share(r.Router)
	again := r.boot() // they and their weights outlive the server
	r.must(again.Restore(t.Context()))
	share(again.Router)
	// A key goes to one instance each time: it knows what it has done.
	r.Router.Mark("x", "main", nil)
	for _, key := range []string{"1.1.1", "2.1.1", "3.1.1", "4.1.1", "5.1.1", "6.1.1"} {
		before := first.had()
		for range 4 {
			_, err := r.call(key)
			r.must(err)
		}
		if n := first.had() - before; n != 0 && n != 4 {
			t.Errorf("the key %s went %d of 4 times to the first", key, n)
		}
	}
	// One that is gone gets none any more, nor one that became another version.
	second.Close()
	h := r.health()
	h.Ask(t.Context())
	if c := h.Of("x"); c.State != plugin.StateRunning || c.Instances[0].Error != "" || c.Instances[1].Error == "" {
		t.Errorf("%+v", c)
	}
	for range 20 {
		_, err := r.call("")
		r.must(err)
	}
	if got := r.states(); !slices.Equal(got, []string{plugin.StateRunning, plugin.StateUnreachable}) {
		t.Errorf("%v", got)
	}
}

func TestInstancesThatAreRefused(t *testing.T) {
	t.Parallel()
	r, first, _, _ := connected(t, nil)
	ctx := operator(t.Context())
	other, newer := started(t, "y", "1.0.0", nil), started(t, "x", "2.0.0", nil)
	for url, want := range map[string]struct {
		kind errs.Kind
		code string
	}{
		first.URL: {errs.Conflict, "plugin.instance_known"}, newer.URL: {errs.Conflict, "plugin.instance_version"},
		other.URL: {errs.Invalid, "plugin.other"}, "http://127.0.0.1:1": {errs.Unavailable, "plugin.unreachable"},
		"http://10.0.0.1:8000": {errs.Invalid, "plugin.address_tls"}, "http://plugin.example:8000": {errs.Invalid, "plugin.address_tls"},
		"https://169.254.169.254": {errs.Invalid, "plugin.address"}, "https://[fd00:ec2::254]": {errs.Invalid, "plugin.address"},
		"https://0.0.0.0": {errs.Invalid, "plugin.address"}, "https://224.0.0.1": {errs.Invalid, "plugin.address"},
		"ftp://127.0.0.1": {errs.Invalid, "plugin.url"}, "http://a:b@127.0.0.1": {errs.Invalid, "plugin.url"},
		"http://127.0.0.1/path": {errs.Invalid, "plugin.url"}, "http://127.0.0.1?a=b": {errs.Invalid, "plugin.url"},
	} {
		_, err := r.Add(ctx, "x", url, 1)
		refused(t, err, want.kind, want.code)
	}
	_, err := r.Add(ctx, "cmdb", first.URL, 1)
	refused(t, err, errs.Conflict, "plugin.builtin")
	_, err = r.Add(ctx, "z", first.URL, 1)
	refused(t, err, errs.NotFound, "plugin.not_found")
	_, err = r.Add(t.Context(), "x", first.URL, 1)
	refused(t, err, errs.Unauthenticated, "identity.unauthenticated")
	_, err = r.Drain(ctx, "x", "none")
	refused(t, err, errs.NotFound, "plugin.no_instance")
	if got := r.states(); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// A drain drops no call: those under way end where they are, and so do those that were
// accepted and are called back for.
func TestADrainDropsNoCall(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}, 10), make(chan struct{})
	r, _, second, id := connected(t, func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get(wire.HeaderIdempotencyKey) == "" {
			return
		}
		begun <- struct{}{}
		<-goOn
		w.WriteHeader(http.StatusAccepted)
	})
	ctx := operator(t.Context())
	key := keyOf(t, r, second, begun, goOn)
	answered := make(chan error, 1)
	go func() { // under way, and then accepted
		got, err := r.call(key)
		if err == nil && got.Status != http.StatusAccepted {
			err = errors.New(http.StatusText(got.Status))
		}
		answered <- err
	}()
	<-begun
	i, err := r.Drain(ctx, "x", id)
	r.must(err)
	if i.State != plugin.StateDraining || i.Calls != 1 {
		t.Errorf("%+v", i)
	}
	refused(t, r.RemoveInstance(ctx, "x", id), errs.Conflict, "plugin.not_drained")
	_, err = r.Drain(ctx, "x", "main")
	refused(t, err, errs.Conflict, "plugin.last_instance")
	refused(t, r.RemoveInstance(ctx, "x", "main"), errs.Conflict, "plugin.last_instance")
	before := second.had()
	for range 20 {
		_, err := r.call("")
		r.must(err)
	}
	if second.had() != before {
		t.Error("it gets new calls while it drains")
	}
	close(goOn)
	r.must(<-answered)
	if got := r.states(); got[1] != plugin.StateDraining { // it has not called back
		t.Errorf("%v", got)
	}
	if _, err := r.call(key); err != nil || second.had() == before { // what concerns that call still goes to it
		t.Errorf("%v, %d calls", err, second.had())
	}
	r.Router.Settled("x", key)
	if got := r.states(); got[1] != plugin.StateDrained {
		t.Errorf("%v", got)
	}
	again := r.boot()
	r.must(again.Restore(t.Context()))
	if all := again.Router.Instances("x"); len(all) != 1 {
		t.Errorf("what was drained takes calls after a restart: %+v", all)
	}
	i, err = r.Resume(ctx, "x", id)
	r.must(err)
	if got := r.states(); i.State != plugin.StateRunning || got[1] != plugin.StateRunning {
		t.Errorf("%+v, %v", i, got)
	}
	_, err = r.Drain(ctx, "x", id)
	r.must(err)
	r.must(r.RemoveInstance(ctx, "x", id))
	if got := r.states(); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// keyOf finds a key that goes to an instance.
func keyOf(t *testing.T, r *rig, to *elsewhere, begun, goOn chan struct{}) string {
	t.Helper()
	for _, key := range []string{"1.1.1", "2.1.1", "3.1.1", "4.1.1", "5.1.1", "6.1.1", "7.1.1", "8.1.1", "9.1.1"} {
		before := to.had()
		ended := make(chan error, 1)
		go func() {
			_, err := r.call(key)
			ended <- err
		}()
		<-begun
		goOn <- struct{}{}
		r.must(<-ended)
		r.Router.Settled("x", key)
		if to.had() > before {
			return key
		}
	}
	t.Fatal("no key goes there")
	return ""
}
