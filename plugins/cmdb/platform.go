package cmdb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// maxAnswer is the largest answer of the platform that is read, in bytes.
const maxAnswer = 32 << 20

// send asks the platform for the changes of a document. The plugin never writes
// on the word of an input: the platform checks every row with the rights of the
// run, and hands back to this plugin what may be stored.
func send(ctx context.Context, call *plugin.Call, doc objectdoc.Document, dry bool) (objectdoc.Summary, error) {
	project := call.Project
	if project == "" {
		return objectdoc.Summary{}, plugin.Fail("cmdb.no_project", "the call does not say in which project its run is: a newer platform does")
	}
	address := call.Host.URL + objectdoc.Path + "?project=" + url.QueryEscape(project)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(wire.Raw(doc.Body(name, dry))))
	if err != nil {
		return objectdoc.Summary{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := call.Host.Platform(ctx).Do(req)
	if err != nil {
		return objectdoc.Summary{}, plugin.Transient("transport", plugin.Fail("cmdb.platform", "the platform did not answer: "+err.Error()))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return objectdoc.Summary{}, plugin.Transient("transport", plugin.Fail("cmdb.platform", "the platform's answer broke off: "+err.Error()))
	}
	if resp.StatusCode != http.StatusOK {
		return objectdoc.Summary{}, refused(resp.StatusCode, data, doc)
	}
	var a objectdoc.Answer
	if err := json.Unmarshal(data, &a); err != nil {
		return objectdoc.Summary{}, plugin.Fail("cmdb.platform", fmt.Sprintf("the platform answered %.100q", data))
	}
	return doc.Summary(a), nil
}

// refused is the error of a set that the platform did not take: told in the
// places of the text where it can be, and with the platform's own code else.
func refused(status int, data []byte, doc objectdoc.Document) error {
	var p struct {
		Title  string            `json:"title"`
		Code   string            `json:"code"`
		Fields []objectdoc.Field `json:"fields"`
	}
	if err := json.Unmarshal(data, &p); err != nil || p.Title == "" {
		return plugin.Fail("cmdb.platform", fmt.Sprintf("the platform answered %d: %.100q", status, data))
	}
	if e := doc.Locate(p.Fields); e != nil {
		return e
	}
	e := plugin.Fail(p.Code, p.Title)
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		e = plugin.Transient("throttled", e)
	}
	return e
}
