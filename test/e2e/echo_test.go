package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// echoer is a plugin that says again what it was sent, in every way that it has.
func echoer(t *testing.T, platform string, token func() string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req wire.Request
		if err != nil || json.Unmarshal(body, &req) != nil {
			return
		}
		api := client.Client{URL: platform, Token: token()}
		resp := wire.Response{ResultCode: "0", ResultMessage: string(body)}
		for _, in := range req.Inputs {
			row := plainText(in["callbackParameter"])
			said := said(in)
			log := wire.LogBatch{}
			for i := 0; i < len(said); i += 1000 {
				log.Chunks = append(log.Chunks, wire.LogChunk{Row: row, Offset: int64(i), Bytes: []byte(said[i:min(i+1000, len(said))])})
			}
			key := r.Header.Get(wire.HeaderIdempotencyKey)
			if err := api.Call(t.Context(), "POST", "/api/v1/jobs/"+key+"/log", log, nil); err != nil {
				t.Errorf("log: %v", err)
			}
			if err := api.Call(t.Context(), "POST", "/api/v1/jobs/"+key+"/progress",
				wire.Progress{Row: row, Percent: 50, Message: said[:min(len(said), 200)]}, nil); err != nil {
				t.Errorf("progress: %v", err)
			}
			out := wire.Row{"callbackParameter": in["callbackParameter"], "errorCode": wire.Raw("0"), "errorMessage": wire.Raw(said),
				"stdout": wire.Raw(said), "data": wire.Raw(map[string]any{"all": in, "text": said})}
			if string(in["fail"]) == "true" {
				out["errorCode"] = wire.Raw("echo.failed")
			}
			resp.Results.Outputs = append(resp.Results.Outputs, out)
		}
		_, _ = w.Write(wire.Raw(resp))
	})
}

// said is all texts of a row: plain, in base64, as a URL, one in the other.
func said(in wire.Row) string {
	var all []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			for _, line := range strings.Split(v, "\n") {
				all = append(all, line, base64.StdEncoding.EncodeToString([]byte(line)), url.QueryEscape(line),
					base64.RawURLEncoding.EncodeToString([]byte("user:"+line)))
			}
		case map[string]any:
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	for name, raw := range in {
		var v any
		d := json.NewDecoder(bytes.NewReader(raw))
		if name != "callbackParameter" && d.Decode(&v) == nil {
			walk(v)
		}
	}
	return strings.Join(all, "\n")
}
