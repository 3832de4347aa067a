package guestbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

const frontPage = "page.html"

var versionPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)

// config is app.json.
type config struct {
	Title    string `json:"title"`
	Greeting string `json:"greeting"`
}

// release is what a release folder holds.
type release struct {
	version   string
	config    config
	templates *template.Template
	static    fs.FS
}

// page is what templates see.
type page struct {
	Version  string
	Title    string
	Greeting string
	Host     string
	Entries  []Entry
}

func load(dir fs.FS) (*release, error) {
	raw, err := fs.ReadFile(dir, "VERSION")
	if err != nil {
		return nil, err
	}
	r := &release{version: strings.TrimSpace(string(raw))}
	if !versionPattern.MatchString(r.version) {
		return nil, fmt.Errorf("VERSION holds %q, which is no version", r.version)
	}
	if raw, err = fs.ReadFile(dir, "app.json"); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&r.config); err != nil {
		return nil, fmt.Errorf("app.json: %w", err)
	}
	if r.templates, err = template.ParseFS(dir, "templates/*.html"); err != nil {
		return nil, err
	}
	if r.templates.Lookup(frontPage) == nil {
		return nil, errors.New("there is no templates/" + frontPage)
	}
	r.static, err = fs.Sub(dir, "static")
	return r, err
}

func (r *release) page(entries []Entry) page {
	host, err := os.Hostname()
	if err != nil {
		host = "somewhere"
	}
	return page{Version: r.version, Title: r.config.Title, Greeting: r.config.Greeting, Host: host, Entries: entries}
}

func (r *release) render(w io.Writer, entries []Entry) error {
	return r.templates.ExecuteTemplate(w, frontPage, r.page(entries))
}

// check renders every template on its own.
func (r *release) check() error {
	all := r.templates.Templates()
	slices.SortFunc(all, func(a, b *template.Template) int { return strings.Compare(a.Name(), b.Name()) })
	sample := r.page([]Entry{{Name: "Ada", Text: "Nice & quiet here.", Time: time.Unix(0, 0).UTC()}})
	for _, t := range all {
		if err := r.templates.ExecuteTemplate(io.Discard, t.Name(), sample); err != nil {
			return err
		}
	}
	return nil
}
