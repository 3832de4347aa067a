package plugin

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	// MaxFile is the largest file of a plugin's front end, MaxBundle what all that
	// are asked for of one version may have, in bytes.
	MaxFile   = 2 << 20
	MaxBundle = 16 << 20

	fileWithin = 10 * time.Second
)

// frameFiles are what the console puts around a card that it does not trust.
//
//go:embed frame
var frameFiles embed.FS

// kinds are the files that a front end may have. Anything else, documents above
// all, is not served: a plugin brings no pages of its own to this origin.
var kinds = map[string]string{
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".json": "application/json",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".woff2": "font/woff2",
}

// alone keeps a file from doing anything where somebody opens it by itself.
const alone = "sandbox; default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// framed is what a card may do that is not trusted: run its own scripts, and
// nothing that reaches anybody else.
const framed = "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"

// UI serves the front ends of plugins. Files are asked for by the gateway, as
// every call is, so that it makes no difference where a plugin runs, and are kept
// by version.
type UI struct {
	Registry *Registry
	Router   *gateway.Router
	// Trusted are plugins whose cards may run within the console: those that come
	// with the platform.
	Trusted func(name string) bool

	mu      sync.Mutex
	bundles map[string]*bundle // by plugin
}

// bundle is what is known of the files of one version.
type bundle struct {
	manifest *wire.UI
	version  string
	files    map[string]file
	size     int
}

type file struct {
	data []byte
	kind string
	tag  string
}

// Card is what a plugin puts on the page of an object.
type Card struct {
	Plugin  string    `json:"plugin"`
	Version string    `json:"version"`
	Title   wire.Text `json:"title,omitempty"`
	Entry   string    `json:"entry" doc:"Path of the module below the address of the platform"`
	Export  string    `json:"export" doc:"What the module exports for this card"`
	Trusted bool      `json:"trusted" doc:"It comes with the platform and runs within the console; others run in a frame without rights"`
}

// Cards lists what plugins put on the pages of objects of a type.
func (u *UI) Cards(objectType string) []Card {
	all := []Card{}
	for _, m := range u.Registry.All() {
		if m.UI == nil {
			continue
		}
		for _, c := range m.UI.Cards {
			if c.On == objectType {
				all = append(all,
					Card{m.Plugin, m.Version, m.Title, "ui/" + m.Plugin + "/" + m.Version + "/" + m.UI.Entry, c.Export, u.Trusted(m.Plugin)})
			}
		}
	}
	return all
}

// Routes adds the list of cards, and what is below /ui/.
func (u *UI) Routes(a *api.API) {
	type in struct {
		Type    string `path:"type" maxLength:"128" doc:"package:type"`
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type out struct{ Body api.Page[Card] }
	api.Register(a, api.Endpoint{ID: "listObjectCards", Method: http.MethodGet, Path: "/api/v1/objects/{type}/cards",
		Tag: "objects", Summary: "What plugins put on the pages of objects of a type", Permission: "object.read"},
		func(ctx context.Context, i *in) (*out, error) {
			if err := identity.Require(ctx, "object.read", i.Project); err != nil {
				return nil, err
			}
			return &out{api.Page[Card]{Items: u.Cards(i.Type)}}, nil
		})
	// Scripts are code and no data: like those of the console they are for
	// everybody, since a frame without an origin has no session to show.
	a.Mount("GET /ui/-/{name}", http.HandlerFunc(u.frame))
	a.Mount("GET /ui/{plugin}/{version}/{path...}", http.HandlerFunc(u.serve))
}

// frame serves the page that stands around a card, and its script.
func (u *UI) frame(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data, err := frameFiles.ReadFile("frame/" + name)
	if err != nil || !strings.HasSuffix(name, ".js") && name != "card.html" {
		nothing(w, r)
		return
	}
	f := file{data: data, kind: kinds[path.Ext(name)], tag: tagOf(data)}
	rules := alone
	if name == "card.html" {
		f.kind, rules = "text/html; charset=utf-8", framed
	}
	send(w, r, f, rules)
}

func (u *UI) serve(w http.ResponseWriter, r *http.Request) {
	plugin, version, name := r.PathValue("plugin"), r.PathValue("version"), r.PathValue("path")
	// What is not trusted never runs with the rights of a page of this origin: its
	// scripts are for frames, which have none.
	if !u.Trusted(plugin) && r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		nothing(w, r)
		return
	}
	f, err := u.file(r.Context(), plugin, version, name)
	if err != nil {
		e := errs.As(err)
		api.WriteProblem(w, r, &api.Problem{Status: e.Kind.Status(), Title: e.Message, Code: e.Code})
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*") // a frame without an origin loads modules too
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	send(w, r, f, alone)
}

func send(w http.ResponseWriter, r *http.Request, f file, rules string) {
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", rules)
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-cache") // kept, and asked for again by its tag: versions of one's own change without a new number
	head.Set("ETag", f.tag)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(f.data) // whoever asked is gone if this fails
}

func nothing(w http.ResponseWriter, r *http.Request) {
	api.WriteProblem(w, r, &api.Problem{Status: http.StatusNotFound, Title: "there is no such file of a plugin", Code: "plugin.no_file"})
}

func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// file gives a file of the version that runs.
func (u *UI) file(ctx context.Context, plugin, version, name string) (file, error) {
	m, ok := u.Registry.Manifest(plugin)
	kind := kinds[path.Ext(name)]
	if !ok || m.UI == nil || m.Version != version || kind == "" || !plain(name) {
		return file{}, errs.New(errs.NotFound, "plugin.no_file", "there is no such file of a plugin")
	}
	if f, ok := u.known(m, name); ok {
		return f, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fileWithin)
	defer cancel()
	got, err := u.Router.Do(ctx, gateway.Call{Plugin: plugin, Method: http.MethodGet, Path: "/ui/" + name})
	switch {
	case err != nil:
		return file{}, errs.Wrap(err, errs.Unavailable, "plugin.unreachable", "the plugin "+plugin+" does not answer")
	case got.Status != http.StatusOK:
		return file{}, errs.New(errs.NotFound, "plugin.no_file", "there is no such file of a plugin")
	case len(got.Body) > MaxFile:
		return file{}, errs.New(errs.TooLarge, "plugin.file_too_large", "the file %s of %s has %d bytes: at most %d are served",
			name, plugin, len(got.Body), MaxFile)
	}
	return u.keep(m, name, file{data: got.Body, kind: kind, tag: tagOf(got.Body)})
}

// plain reports whether a name is the path of a file and nothing that leads
// elsewhere.
func plain(name string) bool {
	return len(name) <= 200 && name == strings.TrimPrefix(path.Clean("/"+name), "/") &&
		!strings.ContainsAny(name, "\\%?#") && !strings.Contains("/"+name, "/.")
}

// of is what is kept of a plugin. A manifest that was read anew begins anew.
func (u *UI) of(m wire.Manifest) *bundle {
	if u.bundles == nil {
		u.bundles = map[string]*bundle{}
	}
	b := u.bundles[m.Plugin]
	if b == nil || b.version != m.Version || b.manifest != m.UI {
		b = &bundle{manifest: m.UI, version: m.Version, files: map[string]file{}}
		u.bundles[m.Plugin] = b
	}
	return b
}

func (u *UI) known(m wire.Manifest, name string) (file, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f, ok := u.of(m).files[name]
	return f, ok
}

var errBundle = errors.New("the files of the front end are too many")

func (u *UI) keep(m wire.Manifest, name string, f file) (file, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b := u.of(m)
	if _, ok := b.files[name]; !ok && b.size+len(f.data) > MaxBundle {
		return f, errs.Wrap(fmt.Errorf("%w: %d bytes", errBundle, b.size+len(f.data)),
			errs.TooLarge, "plugin.file_too_large", fmt.Sprintf("the front end of %s has more than %d bytes", m.Plugin, MaxBundle))
	}
	b.size += len(f.data) - len(b.files[name].data)
	b.files[name] = f
	return f, nil
}
