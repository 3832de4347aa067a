package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sextant/internal/config"
)

// bare takes every setting out of the environment of a test, which therefore
// does not run beside others, and moves it into a folder of its own.
func bare(t *testing.T) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "SEXTANT_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Chdir(t.TempDir())
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sextant.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func item(l *config.Loaded, key string) config.Item {
	i := slices.IndexFunc(l.Items, func(i config.Item) bool { return i.Key == key })
	if i < 0 {
		return config.Item{}
	}
	return l.Items[i]
}

func TestWithoutAnySource(t *testing.T) {
	bare(t)
	l, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{Listen: "127.0.0.1:8066", Base: "/", Data: filepath.Join(here, "data"),
		Admin: config.Admin{Listen: "127.0.0.1:8067"}, Log: config.Log{Level: "info", Format: "text"}, Plugins: config.Plugins{Isolate: "none"},
		Limits: config.Limits{Elements: 100_000, Bytes: 16 << 20, Facts: 1_000_000, Moves: 10_000, Runs: 20_000, Calls: 64,
			Cycle: 1000, Depth: 100}, Output: config.Output{Job: 256, Total: 5120}, Retention: config.Retention{Events: 30, Idempotency: 1}}
	if l.Config != want {
		t.Errorf("%+v, want %+v", l.Config, want)
	}
	for _, i := range l.Items {
		if i.Origin != "built-in" {
			t.Errorf("%+v", i)
		}
	}
	if len(l.Items) < 9 || !slices.IsSortedFunc(l.Items, func(a, b config.Item) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("%v", l.Items)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	bare(t)
	name := file(t, "listen: 127.0.0.1:1\nlog:\n  level: warn\n  format: json\nadmin.listen: ''\ntls:\n")
	_, err := config.Load(name, nil)
	if err == nil || !strings.Contains(err.Error(), `"tls"`) {
		t.Errorf("a group without settings: %v", err)
	}
	name = file(t, "listen: 127.0.0.1:1\nlog:\n  level: warn\n  format: json\nadmin.listen: ''\n")
	t.Setenv("SEXTANT_LISTEN", "127.0.0.1:2")
	t.Setenv("SEXTANT_LOG_LEVEL", "error")
	t.Setenv("SEXTANT_TLS_INSECURE", "true")
	l, err := config.Load(name, map[string]any{"listen": "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []config.Item{
		{Key: "listen", Value: "127.0.0.1:3", Origin: "flag"}, {Key: "log.level", Value: "error", Origin: "environment"},
		{Key: "log.format", Value: "json", Origin: name},
		{Key: "admin.listen", Value: "", Origin: name}, {Key: "tls.insecure", Value: "true", Origin: "environment"},
		{Key: "plugins.isolate", Value: "none", Origin: "built-in"},
	} {
		if got := item(l, want.Key); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if l.Listen != "127.0.0.1:3" || l.Log.Level != "error" || l.Log.Format != "json" || !l.TLS.Insecure || l.Admin.Listen != "" {
		t.Errorf("%+v", l.Config)
	}
}

func TestTheFileOfTheFolder(t *testing.T) {
	bare(t)
	if err := os.WriteFile("sextant.yaml", []byte("log: {level: debug}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load("", nil)
	if err != nil || l.Log.Level != "debug" || item(l, "log.level").Origin != "sextant.yaml" {
		t.Errorf("%v, %+v", err, l)
	}
	// One that is named has to be there.
	if _, err := config.Load("other.yaml", nil); err == nil || !strings.Contains(err.Error(), "other.yaml") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	bare(t)
	for _, c := range []struct {
		name, text string
		flags      map[string]any
		want       string
	}{
		{"unknown-key", "# first\nlistn: x", nil, `sextant.yaml: line 2: the setting "listn"`},
		{"unknown-inner-key", "log:\n  level: info\ntls:\n  crt: x", nil, `line 4: the setting "tls.crt"`},
		{"hosts", "hosts: 'a b'", nil, "hosts"},
		{"host-with-port", "hosts: example.com:80", nil, "hosts"},
		{"unknown-flag", "", map[string]any{"nope": 1}, `"nope"`},
		{"twice", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", nil, "sextant.yaml"},
		{"no-yaml", "listen: [", nil, "sextant.yaml"},
		{"no-map", "- a", nil, "sextant.yaml"},
		{"list", "listen: [a, b]", nil, "listen"},
		{"bool", "tls: {insecure: perhaps}", nil, "insecure"},
		{"no-address", "listen: nowhere", nil, "nowhere"},
		{"nothing", "listen:", nil, "listen"},
		{"off-loopback", "listen: 0.0.0.0:8066", nil, "tls.insecure"},
		{"all-addresses", "listen: ':8066'", nil, "tls.insecure"},
		{"all-addresses-6", "listen: '[::]:8066'", nil, "tls.insecure"},
		{"other-host", "listen: example.com:8066", nil, "tls.insecure"},
		{"other-host-by-flag", "", map[string]any{"listen": "10.0.0.1:1"}, "tls.insecure"},
		{"half-tls", "tls: {cert: a.pem}", nil, "belong together"},
		{"other-half-tls", "tls: {key: a.pem}", nil, "belong together"},
		{"admin-off-loopback", "admin: {listen: '0.0.0.0:1'}", nil, "admin.listen"},
		{"admin-off-loopback-with-tls", "admin: {listen: '0.0.0.0:1'}\ntls: {insecure: true}", nil, "admin.listen"},
		{"level", "log: {level: loud}", nil, "loud"},
		{"format", "log: {format: xml}", nil, "xml"},
		{"isolate", "plugins: {isolate: some}", nil, "some"},
		{"no-data", "data: ''", nil, "data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := config.Load(file(t, c.text), c.flags); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something about %s", err, c.want)
			}
		})
	}
}

func TestWhereItMayListen(t *testing.T) {
	bare(t)
	for _, text := range []string{
		"listen: 127.0.0.1:0", "listen: localhost:1", "listen: '[::1]:1'", "listen: 127.8.9.10:1",
		"listen: 0.0.0.0:1\ntls: {insecure: true}", "listen: 0.0.0.0:1\ntls: {cert: a, key: b}", "admin: {listen: ''}", "",
	} {
		if _, err := config.Load(file(t, text), nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Children of the server get its environment without what is meant for it.
func TestTheEnvironmentOfChildren(t *testing.T) {
	bare(t)
	t.Setenv("SEXTANT_TOKEN", "secret")
	t.Setenv("OTHER", "x")
	if got := config.Environment(); !slices.Contains(got, "OTHER=x") || slices.ContainsFunc(got, func(e string) bool {
		return strings.HasPrefix(e, "SEXTANT_")
	}) {
		t.Errorf("%v", got)
	}
	if got := config.Variable("SEXTANT_TOKEN"); got != "secret" {
		t.Errorf("%q", got)
	}
}

func TestTheBasePath(t *testing.T) {
	bare(t)
	for base, ok := range map[string]bool{"/": true, "/ops": true, "/ops/sextant/": true,
		"": false, "ops": false, "/../x": false, "//evil": false, "/a b": false, "https://x/": false, "/a?b": false, "/.x": false} {
		_, err := config.Load("", map[string]any{"base": base})
		if (err == nil) != ok {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// The names under which a server may be asked.
func TestHosts(t *testing.T) {
	bare(t)
	for _, c := range []struct{ settings, yes, no string }{
		{"", "127.0.0.1:8066 localhost [::1]:8066 LOCALHOST:1 127.9.9.9", "evil.example:8066 192.0.2.1 localhost.evil.example "},
		{"hosts: 'ops.example.com, 192.0.2.1'", "ops.example.com OPS.example.com:443 192.0.2.1:80 localhost",
			"example.com a.ops.example.com evil.example"},
		{"hosts: ops.example.com\nlisten: 0.0.0.0:1\ntls: {insecure: true}", "ops.example.com", "evil.example 192.0.2.1"},
		{"listen: 0.0.0.0:1\ntls: {insecure: true}", "ops.example.com 192.0.2.1:1", ""},
	} {
		l, err := config.Load(file(t, c.settings), nil)
		if err != nil {
			t.Fatal(err)
		}
		for host := range strings.SplitSeq(c.yes, " ") {
			if !l.Answers(host) {
				t.Errorf("%s: not asked under %q", c.settings, host)
			}
		}
		for host := range strings.SplitSeq(c.no, " ") {
			if l.Answers(host) && host != "" {
				t.Errorf("%s: asked under %q", c.settings, host)
			}
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, value, want string }{
		{"listen", "127.0.0.1:8066", "127.0.0.1:8066"},
		{"mail.password", "hunter2", "***"},
		{"mail.password", "", ""},
		{"bus.token", "hunter2", "***"},
		{"database", "postgres://ann:hunter2@db:5432/x", "postgres://ann:***@db:5432/x"},
		{"database", "postgres://db:5432/x", "postgres://db:5432/x"},
		{"tls.key", "/etc/key.pem", "/etc/key.pem"},
	} {
		if got := (config.Item{Key: c.key, Value: c.value}).Shown(); got != c.want {
			t.Errorf("%s=%s is shown as %s, want %s", c.key, c.value, got, c.want)
		}
	}
}
