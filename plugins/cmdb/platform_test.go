package cmdb_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/wire"
)

// platform stands in for the one behind the plugin: it takes sets of changes of
// calls that are at work, and hands them back to the plugin. What it checks of
// rights and scope is tested where it is done.
type platform struct {
	r     *rig
	asked []string
}

// RoundTrip answers a request of the plugin.
func (p *platform) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if req.URL.Path == objectdoc.Path {
		p.asked = append(p.asked, fmt.Sprint(req.URL.RawQuery, " ", req.Header.Get("Authorization"), " ", req.Header.Get(wire.HeaderJob)))
		p.changes(w, req)
	}
	return w.Result(), nil
}

func (p *platform) changes(w *httptest.ResponseRecorder, req *http.Request) {
	var body objectdoc.Body
	data, err := io.ReadAll(req.Body)
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	set := wire.ChangeSet{DryRun: body.DryRun}
	for _, c := range body.Changes {
		typ := strings.TrimPrefix(c.Type, "cmdb:")
		op := wire.OpCreate
		code, out := p.r.entities(typ, "query", `{"criteria":{"attrName":"id","op":"eq","condition":`+string(c.Row["id"])+`}}`)
		if code == http.StatusOK && len(decode(p.r.T, out)) > 0 {
			op = wire.OpUpdate
		}
		set.Changes = append(set.Changes, wire.Change{Op: op, Type: typ, Row: c.Row})
	}
	code, out := p.r.request(http.MethodPost, "/changes", string(wire.Raw(set)), by("bob", "43"))
	var e wire.Envelope[wire.Changed]
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if code != http.StatusOK {
		var fields []objectdoc.Field
		for _, f := range e.Faults {
			fields = append(fields,
				objectdoc.Field{Path: strings.TrimSuffix(fmt.Sprintf("changes[%d].%s", f.Index, f.Attr), "."), Message: f.Message})
		}
		w.WriteHeader(code)
		_, _ = w.Write(wire.Raw(map[string]any{"title": e.Message, "code": "object.changes", "fields": fields}))
		return
	}
	var items []map[string]string
	for i, r := range e.Data.Results {
		items = append(items, map[string]string{"object": body.Changes[i].Type + "/" + r.ID, "effect": r.Effect})
	}
	_, _ = w.Write(wire.Raw(map[string]any{"items": items}))
}
