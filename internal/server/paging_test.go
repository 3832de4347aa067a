package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"sextant/internal/server"
)

// Every list refuses a place to go on that no page has given, and begins nowhere
// in silence.
func TestMadeUpCursorsAreRefused(t *testing.T) {
	t.Parallel()
	data, err := server.OpenAPI(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	if err := yaml.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	g := newGate(t)
	admin := g.login("admin", adminPass)
	lists := 0
	for path, methods := range spec.Paths {
		for _, p := range methods["get"].Parameters {
			if p.Name != "after" || strings.HasSuffix(path, "/events") || strings.HasSuffix(path, "/news") || strings.Contains(path, "/stream") {
				continue
			}
			lists++
			address := strings.NewReplacer("{type}", "host:host", "{run}", "1", "{id}", "x", "{object}", "x").Replace(path)
			for _, after := range []string{"garbage", "0", "1", "zzzz.zzzz", "AAAAAAAAAAAA", "' OR 1=1 --"} {
				if status, body := g.ask("GET", address+"?after="+url.QueryEscape(after), admin, nil); status != 400 {
					t.Errorf("GET %s after %q: %d %s", path, after, status, body)
				}
			}
		}
	}
	if lists < 10 {
		t.Errorf("only %d lists page", lists)
	}
}

// All versions of one process come page by page, and a cursor of one list is none
// of another.
func TestVersionsComePageByPage(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	for i := range 5 {
		body := strings.Replace(waiting, `<userTask id="u"/>`, fmt.Sprintf(`<userTask id="u" name="%d"/>`, i), 1)
		if status, _, answer := g.deploy(admin, "p", body); status != 201 {
			t.Fatal(string(answer))
		}
	}
	var versions []int
	var page struct {
		Items []struct{ Version int }
		Next  string
	}
	first := ""
	for after := ""; ; after = page.Next {
		page.Next = ""
		g.must("GET", "/api/v1/processes?process=p&limit=2&after="+after, admin, nil, &page)
		for _, d := range page.Items {
			versions = append(versions, d.Version)
		}
		if first == "" {
			first = page.Next
		}
		if page.Next == "" {
			break
		}
	}
	if raw, err := json.Marshal(versions); err != nil || string(raw) != "[5,4,3,2,1]" {
		t.Errorf("the versions are %s", raw)
	}
	for _, list := range []string{"runs", "audit", "incidents"} {
		if status, _ := g.ask("GET", "/api/v1/"+list+"?after="+first+"AAAA", admin, nil); status != 400 {
			t.Errorf("%s takes a cursor that was made longer: %d", list, status)
		}
	}
	if status, _ := g.ask("GET", "/api/v1/runs?after="+first, admin, nil); status != 400 {
		t.Errorf("the runs go on after a version: %d", status)
	}
}
