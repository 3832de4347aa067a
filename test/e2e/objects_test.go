package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// import1 asks for an import as a run and gives what it says.
func (w *world) import1(c *client.Client, service, input, text string) (state, says string) {
	w.t.Helper()
	run, err := w.call(c, service, map[string]any{input: text})
	if err != nil {
		return "refused", err.Error()
	}
	r := w.Ended(run)
	for _, i := range w.Incidents() {
		if i.Run == run {
			says += i.Message
		}
	}
	return string(r.State), says
}

// What a service of the CMDB changes is what the run that calls it may change.
func TestAnImportReachesNoFurtherThanItsRequester(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.box("secret", "prod", "prod-1")
	const doc = "objects:\n  box:\n  - {id: clean, name: mine}\n"
	for name, c := range map[string]struct{ service, input, text, says string }{
		"an object of prod": {"cmdb/import/yaml", "text", doc + "  - {id: secret, name: stolen}\n", "object.write"},
		"a new one in prod": {"cmdb/import/yaml", "text", doc + "  - {id: new, environment: prod}\n",
			"line 4, column 28: box/new: environment"},
		"a host of prod":     {"cmdb/import/yaml", "text", doc + "  - {id: new, environment: dev, host: prod-1}\n", "prod-1"},
		"a type":             {"cmdb/types/define", "types", "[{type: box, scope: null}]", "type.write"},
		"a type in passing":  {"cmdb/import/yaml", "text", "types:\n- {type: other}\n" + doc, "type.write"},
		"a reference to air": {"cmdb/import/yaml", "text", doc + "  - {id: new, environment: dev, host: nowhere}\n", "nowhere"},
	} {
		if state, says := w.import1(w.dev, c.service, c.input, c.text); state == "completed" || !strings.Contains(says, c.says) {
			t.Errorf("%s: %s, %s", name, state, says)
		}
	}
	var rows client.PageOfWireRow
	w.Must("POST", "/api/v1/objects/cmdb:box/query", map[string]any{}, &rows)
	for _, row := range rows.Items {
		if row["name"] != row["id"] {
			t.Errorf("%v was changed", row)
		}
	}
	if state, says := w.import1(w.dev, "cmdb/import/yaml", "text", doc); state != "completed" {
		t.Fatalf("%s: %s", state, says)
	}
	var history client.PageOfAuditRecord
	w.Must("GET", "/api/v1/objects/cmdb:box/clean/history?limit=1", nil, &history)
	if len(history.Items) != 1 || history.Items[0].SubjectName != "dana" || !strings.HasPrefix(history.Items[0].Subject, "run/") ||
		history.Items[0].Environment != "dev" ||
		history.Items[0].Changes.After["name"] != "mine" {
		t.Errorf("the history says %+v", history.Items)
	}
}

func TestWhatARunHoldsIsNotEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls, answer := make(chan struct{}, 1), make(chan struct{})
	w.Plug(func() wire.Manifest { m := touchManifest(); m.Version = "1.0.2"; return m }(), func(string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			calls <- struct{}{}
			<-answer
			echo(rw, r)
		})
	})
	run, err := w.call(w.dev, "odd/touch/change", nil, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	<-calls
	edit := []map[string]any{{"id": "dev-1", "user": "me"}}
	for name, err := range map[string]error{
		"an edit":    w.dev.Call(t.Context(), "PATCH", "/api/v1/objects/host:host", edit, nil),
		"a deletion": w.Call(t.Context(), "DELETE", "/api/v1/objects/host:host/dev-1", nil, nil),
		"a set": w.Call(t.Context(), "POST", "/api/v1/object-changes", map[string]any{"changes": []any{
			map[string]any{"op": "put", "type": "host:host", "row": edit[0]},
			map[string]any{"op": "put", "type": "host:host", "row": map[string]any{"id": "dev-2", "user": "me"}}}}, nil),
	} {
		var refused *client.Error
		want := int64(423)
		if name == "a deletion" {
			want = 409 // boxes refer to it
		}
		if !errors.As(err, &refused) || refused.Status != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	var row map[string]any
	w.Must("GET", "/api/v1/objects/host:host/dev-2", nil, &row)
	if row["user"] != nil {
		t.Errorf("a part of a set was made: %v", row)
	}
	close(answer)
	if r := w.Ended(run); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, w.Incidents())
	}
	if err := w.dev.Call(t.Context(), "PATCH", "/api/v1/objects/host:host", edit, nil); err != nil {
		t.Errorf("after the run: %v", err)
	}
}

// Nothing on the disk has the secret of an object in clear.
func TestSecretsOfObjectsAreSealedOnTheDisk(t *testing.T) {
	dbserver.OnSQLite(t, "a file that is looked through")
	t.Parallel()
	w := newWorld(t)
	const secret = "hunter2-of-the-vault"
	body := map[string]any{"changes": []any{
		map[string]any{"op": "create", "type": "cmdb:object_type", "row": map[string]any{"id": "vault"}},
		map[string]any{"op": "create", "type": "cmdb:object_attribute",
			"row": map[string]any{"object_type": "vault", "name": "pin", "type": "string", "secret": true}},
		map[string]any{"op": "create", "type": "cmdb:object_attribute",
			"row": map[string]any{"object_type": "vault", "name": "note", "type": "string"}},
		map[string]any{"op": "create", "type": "cmdb:vault", "row": map[string]any{"id": "v", "pin": secret, "note": "in-clear-as-it-may"}},
	}}
	w.Must("POST", "/api/v1/object-changes", body, nil)
	w.Must("PATCH", "/api/v1/objects/cmdb:vault", []map[string]any{{"id": "v", "pin": secret + "2"}}, nil)
	clear := false
	err := filepath.WalkDir(w.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s has it", path)
		}
		clear = clear || bytes.Contains(data, []byte("in-clear-as-it-may"))
		return err
	})
	if err != nil || !clear {
		t.Errorf("%v; what is no secret was found: %v", err, clear)
	}
	var row map[string]any
	w.Must("GET", "/api/v1/objects/cmdb:vault/v", nil, &row)
	if row["pin"] != "***" || fmt.Sprint(row["@version"]) != "2" {
		t.Errorf("%v", row)
	}
}
