// Package config is what an operator may set, from where, and with which
// defaults. It is the only package that reads the environment.
//
// Later sources win: built-in, file (sextant.yaml), environment (SEXTANT_A_B for
// a.b), flags. An unknown key is an error.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v4"
)

// Config is every setting of the server.
type Config struct {
	// Listen is the address of the API and the console. Off loopback it needs
	// TLS, or tls.insecure. Default 127.0.0.1:8066.
	Listen string `koanf:"listen" unit:"host:port"`
	// Base is the path under which a proxy in front serves the platform, such as
	// /ops/sextant; the proxy may cut it off or leave it. Default /.
	Base string `koanf:"base" unit:"path"`
	// Hosts are the names, with commas between them, under which the platform may
	// be asked, such as ops.example.com; this machine's own always hold. Without
	// any, a server on loopback takes those of this machine alone, and another one
	// every name. Default none.
	Hosts string `koanf:"hosts" unit:"names"`
	// TrustedProxies are the addresses or networks, with commas between them, of
	// the proxies in front, such as 10.0.0.5,10.1.0.0/16. What they say in
	// X-Forwarded-For is taken for where a request comes from; what others say there
	// is not read. Without any, everybody behind a proxy counts as one address.
	// Default none.
	TrustedProxies string `koanf:"trusted_proxies" unit:"addresses"`
	// Environment is what the console names this platform, such as production; a
	// name that begins with prod is shown so that nobody overlooks it. Default
	// none.
	Environment string `koanf:"environment" unit:"text"`
	// Data is the folder that holds everything. Default ./data.
	Data string `koanf:"data" unit:"folder"`
	// Database is the address of a database on a server, such as
	// postgres://user:password@host:5432/sextant or mysql://user:password@host:3306/sextant;
	// without one there is a SQLite file in the data folder. Default none.
	Database string `koanf:"database" unit:"address"`
	// TLS is how connections from other machines are protected.
	TLS TLS `koanf:"tls"`
	// Admin is where metrics and profiles are.
	Admin Admin `koanf:"admin"`
	// Log is how the server tells what it does.
	Log Log `koanf:"log"`
	// Plugins is how plugins run.
	Plugins Plugins `koanf:"plugins"`
	// Output is how much of what services write while they work is kept.
	Output Output `koanf:"output"`
	// Retention is how long what happened is kept.
	Retention Retention `koanf:"retention"`
	// Limits is what runs may use of this machine.
	Limits Limits `koanf:"limits"`
}

// Limits bounds runs, so that one cannot take the others down. A run that has
// used up its part rests with the incident engine.budget.
type Limits struct {
	// Elements is how many elements and tokens of one run may be active at once.
	// Default 100000.
	Elements int `koanf:"elements" unit:"number"`
	// Bytes is how much the variables of one run may hold. Default 16777216.
	Bytes int `koanf:"bytes" unit:"bytes"`
	// Facts is how many lines the history of one run may have. Default 1000000.
	Facts int `koanf:"facts" unit:"number"`
	// Moves is how many tokens a run moves before others have their turn. Default
	// 10000.
	Moves int `koanf:"moves" unit:"number"`
	// Runs is how many runs of one project may be active at once; a start beyond
	// that is refused. Default 20000.
	Runs int `koanf:"runs" unit:"number"`
	// Calls is how many calls of one project a plugin works on at once; those that
	// it has accepted and will call back for do not count. Default 64.
	Calls int `koanf:"calls" unit:"number"`
	// Cycle is the shortest time between two firings of a timer that repeats.
	// Default 1000.
	Cycle int `koanf:"cycle" unit:"milliseconds"`
	// Depth is how many runs may call one another; a call beyond that stops with an
	// incident. Default 100.
	Depth int `koanf:"depth" unit:"number"`
}

// TLS protects connections.
type TLS struct {
	// Cert is the certificate, with those between it and its root. Default none.
	Cert string `koanf:"cert" unit:"PEM file"`
	// Key is the private key of the certificate. Default none.
	Key string `koanf:"key" unit:"PEM file"`
	// Insecure is the consent to plain HTTP off loopback, behind a proxy that does
	// TLS. Default false.
	Insecure bool `koanf:"insecure" unit:"true, false"`
}

// Admin is the listener for operators.
type Admin struct {
	// Listen is the address of /metrics and /debug/pprof, loopback only; empty
	// for none. Default 127.0.0.1:8067.
	Listen string `koanf:"listen" unit:"host:port"`
}

// Log is the server's log.
type Log struct {
	// Level is the least that is told. Default info.
	Level string `koanf:"level" unit:"debug, info, warn, error"`
	// Format is the form of each line. Default text.
	Format string `koanf:"format" unit:"text, json"`
}

// Plugins is how built-in plugins run.
type Plugins struct {
	// Isolate is where built-in plugins run: within the server, or each in a process
	// of its own that outlives the server. Default none.
	Isolate string `koanf:"isolate" unit:"none, all"`
	// Reach are the addresses and networks, with commas between them, that a service
	// may ask for whoever calls it although they lead to this machine or to a cloud's own services, such as 127.0.0.0/8.
	// Default none.
	Reach string `koanf:"reach" unit:"networks"`
}

// Output is how much of the output of jobs is kept, on disk in data/output.
type Output struct {
	// Job is how much is kept of what one job writes: of more, the beginning and the
	// end, with a gap between. Default 256.
	Job int64 `koanf:"job" unit:"MiB"`
	// Total is how much of the disk all output may take; beyond it the output of
	// the runs that ended longest ago is removed. Default 5120.
	Total int64 `koanf:"total" unit:"MiB"`
}

// Retention is for how many days what happened is kept; 0 is for ever.
type Retention struct {
	// Events is how long events are kept. Default 30.
	Events int `koanf:"events" unit:"days"`
	// Audit is how long audit records are kept. Default 0.
	Audit int `koanf:"audit" unit:"days"`
	// Runs is how long runs are kept after their end, with their history, jobs,
	// verdicts and output. Default 0.
	Runs int `koanf:"runs" unit:"days"`
	// Output is how long what jobs wrote is kept after the end of their run, where
	// that is shorter; 0 is as long as the run. Default 0.
	Output int `koanf:"output" unit:"days"`
	// Files is how long files are kept that no process and no decision uses, after they
	// were stored last. Default 0.
	Files int `koanf:"files" unit:"days"`
	// Idempotency is how long an Idempotency-Key is remembered. Default 1.
	Idempotency int `koanf:"idempotency" unit:"days"`
}

func defaults() map[string]any {
	return map[string]any{
		"listen": "127.0.0.1:8066", "base": "/", "hosts": "", "trusted_proxies": "",
		"environment": "", "data": "data", "database": "", "admin.listen": "127.0.0.1:8067",
		"tls.cert": "", "tls.key": "", "tls.insecure": false,
		"log.level": "info", "log.format": "text", "plugins.isolate": "none",
		"plugins.reach": "", "output.job": 256, "output.total": 5120, "retention.events": 30, "retention.audit": 0, "retention.runs": 0,
		"retention.output": 0, "retention.files": 0, "retention.idempotency": 1,
		"limits.elements": 100_000, "limits.bytes": 16 << 20, "limits.facts": 1_000_000,
		"limits.moves": 10_000, "limits.runs": 20_000, "limits.calls": 64, "limits.cycle": 1000, "limits.depth": 100,
	}
}

// Item is one setting with where it comes from: built-in, the name of a file,
// environment or flag.
type Item struct{ Key, Value, Origin string }

// hidden stands in the place of secrets.
const hidden = "***"

// secretKey is what settings are called whose values nobody reads.
var secretKey = regexp.MustCompile(`(^|[._])(password|passphrase|secret|token)$`)

// userInfo is the password within an address.
var userInfo = regexp.MustCompile(`://([^/:@\s]*):[^/@\s]+@`)

// Shown is the value as it may be read: without secrets, and without the
// password within an address.
func (i Item) Shown() string {
	if secretKey.MatchString(i.Key) && i.Value != "" {
		return hidden
	}
	if _, err := url.Parse(i.Value); i.Key == "database" && err != nil { // what is not understood may hold a password anywhere
		return hidden
	}
	return userInfo.ReplaceAllString(i.Value, "://$1:"+hidden+"@")
}

// Loaded is a configuration with the origin of each value.
type Loaded struct {
	Config
	Items []Item
}

// values is a provider of flat settings.
type values map[string]any

// ReadBytes is not used.
func (values) ReadBytes() ([]byte, error) { return nil, errors.New("not used") }

// Read gives the settings as a tree.
func (v values) Read() (map[string]any, error) {
	tree := map[string]any{}
	for key, value := range v {
		at := tree
		parts := strings.Split(key, ".")
		for _, p := range parts[:len(parts)-1] {
			next, ok := at[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[p] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = value
	}
	return tree, nil
}

// Load reads all sources. file may be empty: then sextant.yaml in the current
// folder is used if it is there. flags are the settings given on the command
// line.
func Load(file string, flags map[string]any) (*Loaded, error) {
	k := koanf.New(".")
	origins := map[string]string{}
	fromFile, name, lines, err := readFile(file)
	if err != nil {
		return nil, err
	}
	add := func(origin string, v values) error {
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if _, known := defaults()[key]; !known {
				where := origin
				if n := lines[key]; origin == name && n > 0 {
					where = fmt.Sprintf("%s: line %d", origin, n)
				}
				return fmt.Errorf("%s: the setting %q is not known; there are %s", where, key, strings.Join(keys(), ", "))
			}
			origins[key] = origin
		}
		return k.Load(v, nil)
	}
	for _, s := range []struct {
		origin string
		values values
	}{{"built-in", defaults()}, {name, fromFile}, {"environment", fromEnvironment()}, {"flag", flags}} {
		if err := add(s.origin, s.values); err != nil {
			return nil, err
		}
	}
	l := &Loaded{}
	if err := k.UnmarshalWithConf("", &l.Config, koanf.UnmarshalConf{Tag: "koanf"}); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	for _, key := range keys() {
		l.Items = append(l.Items, Item{key, fmt.Sprint(k.Get(key)), origins[key]})
	}
	return l, l.validate()
}

// basePath is a path without anything that a browser or a proxy could read in
// two ways.
var basePath = regexp.MustCompile(`^/$|^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+/?$`)

var hostName = regexp.MustCompile(
	`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$|^\[?[0-9A-Fa-f:.]+\]?$`)

func keys() []string {
	var all []string
	for key := range defaults() {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}

// readFile reads the settings of a file, with the line of each.
func readFile(file string) (values, string, map[string]int, error) {
	name := file
	if name == "" {
		name = "sextant.yaml"
	}
	data, err := os.ReadFile(name)
	if file == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, name, nil, nil
	}
	if err != nil {
		return nil, name, nil, fmt.Errorf("settings: %w", err)
	}
	var tree map[string]any
	var doc yaml.Node
	if err := errors.Join(yaml.Unmarshal(data, &tree), yaml.Unmarshal(data, &doc)); err != nil {
		return nil, name, nil, fmt.Errorf("%s: %w", name, err)
	}
	flat, lines := values{}, map[string]int{}
	flatten("", tree, flat)
	for _, root := range doc.Content {
		number("", root, lines)
	}
	return flat, name, lines, nil
}

func flatten(prefix string, tree map[string]any, into values) {
	for key, v := range tree {
		if sub, ok := v.(map[string]any); ok {
			flatten(prefix+key+".", sub, into)
			continue
		}
		into[prefix+key] = v
	}
}

// number finds the line of each setting.
func number(prefix string, node *yaml.Node, into map[string]int) {
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := prefix + node.Content[i].Value
		into[key] = node.Content[i].Line
		number(key+".", node.Content[i+1], into)
	}
}

// fromEnvironment reads SEXTANT_A_B for every setting a.b. Other variables that
// begin with SEXTANT_ have meanings of their own.
func fromEnvironment() values {
	v := values{}
	for key := range defaults() {
		if text, ok := os.LookupEnv("SEXTANT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))); ok {
			v[key] = text
		}
	}
	return v
}

// validate checks what the settings mean together.
func (c *Config) validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %q is no address such as 127.0.0.1:8066", c.Listen)
	}
	if !Loopback(host) && c.TLS.Cert == "" && !c.TLS.Insecure {
		return fmt.Errorf("listen: %s can be reached from other machines: "+
			"give tls.cert and tls.key, or set tls.insecure where a proxy in front does TLS", c.Listen)
	}
	for name := range strings.SplitSeq(c.Hosts, ",") {
		if c.Hosts != "" && !hostName.MatchString(strings.TrimSpace(name)) {
			return fmt.Errorf("hosts: %q is no name such as ops.example.com, without a port", name)
		}
	}
	if _, err := c.Proxies(); err != nil {
		return err
	}
	if !basePath.MatchString(c.Base) {
		return fmt.Errorf("base: %q is no path such as /ops/sextant", c.Base)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return errors.New("tls: cert and key belong together")
	}
	if c.Admin.Listen != "" {
		host, _, err := net.SplitHostPort(c.Admin.Listen)
		if err != nil || !Loopback(host) {
			return fmt.Errorf("admin.listen: %q is no address on loopback such as 127.0.0.1:8067", c.Admin.Listen)
		}
	}
	for key, check := range map[string]struct {
		value string
		words []string
	}{
		"log.level":       {c.Log.Level, []string{"debug", "info", "warn", "error"}},
		"log.format":      {c.Log.Format, []string{"text", "json"}},
		"plugins.isolate": {c.Plugins.Isolate, []string{"none", "all"}},
	} {
		if !slices.Contains(check.words, check.value) {
			return fmt.Errorf("%s: %q is none of %s", key, check.value, strings.Join(check.words, ", "))
		}
	}
	if err := checkReach(c.Plugins.Reach); err != nil {
		return err
	}
	if err := checkDatabase(c.Database); err != nil {
		return err
	}
	for key, n := range map[string]int{"limits.elements": c.Limits.Elements,
		"limits.bytes": c.Limits.Bytes, "limits.facts": c.Limits.Facts, "limits.moves": c.Limits.Moves,
		"limits.runs": c.Limits.Runs, "limits.calls": c.Limits.Calls, "limits.cycle": c.Limits.Cycle, "limits.depth": c.Limits.Depth} {
		if n < 1 || n > 1<<40 {
			return fmt.Errorf("%s: %d is no limit: want 1 or more", key, n)
		}
	}
	if c.Data == "" {
		return errors.New("data: name a folder")
	}
	if err := c.checkRetention(); err != nil {
		return err
	}
	if c.Output.Job < 1 || c.Output.Total < c.Output.Job || c.Output.Total > 1<<30 {
		return fmt.Errorf("output: job is %d and total %d MiB: both are at least 1, and total is at least job", c.Output.Job, c.Output.Total)
	}
	c.Data, err = filepath.Abs(c.Data)
	return err
}

// checkRetention checks for how long things are kept.
func (c *Config) checkRetention() error {
	for name, days := range map[string]int{"events": c.Retention.Events, "audit": c.Retention.Audit,
		"runs": c.Retention.Runs, "output": c.Retention.Output, "files": c.Retention.Files, "idempotency": c.Retention.Idempotency} {
		if days < 0 || days > 36_500 {
			return fmt.Errorf("retention.%s: %d days: from 1 to 36500, or 0 for ever", name, days)
		}
	}
	if c.Retention.Idempotency == 0 {
		return errors.New("retention.idempotency: keys are remembered for at least a day")
	}
	return nil
}

// Proxies are the networks of the proxies in front.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for text := range strings.SplitSeq(c.TrustedProxies, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if a, single := netip.ParseAddr(text); single == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %q is no address such as 10.0.0.5 and no network such as 10.1.0.0/16", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// Answers reports whether the platform may be asked under a name, as a request's
// Host gives it. Else a page of another site whose name leads to this machine
// would be a page of this platform to the browser.
func (c *Config) Answers(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if Loopback(strings.ToLower(host)) {
		return true
	}
	if c.Hosts == "" {
		own, _, err := net.SplitHostPort(c.Listen)
		return err == nil && !Loopback(own)
	}
	return slices.ContainsFunc(strings.Split(c.Hosts, ","), func(name string) bool {
		return strings.EqualFold(strings.Trim(strings.TrimSpace(name), "[]"), host)
	})
}

// Loopback reports whether a host is this machine alone.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Variable reads a variable of the environment that is no setting:
// SEXTANT_ADMIN_PASSWORD, SEXTANT_URL, SEXTANT_TOKEN and those that the platform
// gives a plugin's process.
func Variable(name string) string { return os.Getenv(name) }

// Environment is the environment of this process, for processes that it starts,
// without what is meant for the platform alone.
func Environment() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "SEXTANT_") })
}

// Home is the user's folder for configuration.
func Home() (string, error) { return os.UserConfigDir() }

// checkDatabase refuses what is no address of a server, without showing it.
func checkDatabase(text string) error {
	scheme, _, found := strings.Cut(text, "://")
	if text == "" || found && slices.Contains([]string{"postgres", "postgresql", "mysql", "mariadb"}, scheme) {
		return nil
	}
	return errors.New(
		"database: the address is none such as postgres://user:password@host:5432/sextant or mysql://user:password@host:3306/sextant; " +
			"leave it out for a file in the data folder")
}

// checkReach refuses what is neither an address nor a network.
func checkReach(text string) error {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		if _, err := netip.ParseAddr(word); err == nil {
			continue
		}
		if _, err := netip.ParsePrefix(word); err != nil {
			return fmt.Errorf("plugins.reach: %q is neither an address nor a network such as 10.0.0.0/8", word)
		}
	}
	return nil
}
