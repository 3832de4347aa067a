package trust_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// never is an address that must not be asked.
func never(t *testing.T) (url string, asked *atomic.Int32) {
	asked = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func url2(text string) string { return neturl.QueryEscape(text) }

func TestParsers(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	body := strings.TrimPrefix(waits, `<?xml version="1.0"?>`)
	refused := func(t *testing.T, xml string, codes ...string) {
		t.Helper()
		a := h.deploy(t, xml)
		if a.status != 422 && a.status != 413 {
			t.Errorf("%d %.300s for %.80s", a.status, a.body, xml)
		}
		for _, c := range codes {
			if !strings.Contains(a.body, c) {
				t.Errorf("no %s in %.600s", c, a.body)
			}
		}
	}
	proves(t, "G-02 entities that blow up are not expanded", func(t *testing.T) {
		var laughs strings.Builder
		laughs.WriteString(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">`)
		for i := range 9 {
			fmt.Fprintf(&laughs, `<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
		}
		refused(t, laughs.String()+`]><x>&a9;</x>`, "doctype")
		refused(t,
			`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "`+strings.Repeat("a", 100_000)+`">]><x>`+strings.Repeat("&a;", 1000)+`</x>`,
			"doctype")
	})
	url, asked := never(t)
	proves(t, "G-03 a DOCTYPE is refused and nothing it names is fetched", func(t *testing.T) {
		refused(t, `<?xml version="1.0"?><!DOCTYPE definitions SYSTEM "`+url+`/x.dtd">`+body, "doctype")
		refused(t,
			`<?xml version="1.0"?><!DOCTYPE definitions [<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY % p SYSTEM "`+url+`">%p;]>`+body,
			"doctype")
		if asked.Load() != 0 {
			t.Error("the address of a DOCTYPE was asked")
		}
	})
	proves(t, "G-04 nothing that a file refers to is fetched", func(t *testing.T) {
		for _, xml := range []string{
			`<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="` + url + `"?>` + body,
			strings.Replace(waits, `targetNamespace="t"`,
				`targetNamespace="t" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="x `+url+`"`, 1),
			strings.Replace(waits, `<startEvent`, `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="`+url+`"/><startEvent`, 1),
			strings.Replace(waits, `<process`,
				`<import namespace="x" location="`+url+`" importType="http://www.w3.org/2001/XMLSchema"/><process`, 1),
		} {
			if a := h.deploy(t, xml); a.status != 201 && a.status != 422 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		if asked.Load() != 0 {
			t.Error("something was fetched")
		}
	})
	proves(t, "G-06 attributes without number and texts without end are refused", func(t *testing.T) {
		var many strings.Builder
		for i := range 200_000 {
			fmt.Fprintf(&many, ` a%d=""`, i)
		}
		refused(t, strings.Replace(waits, `<startEvent`, `<startEvent`+many.String(), 1))
		refused(t, strings.Replace(waits, `<startEvent`, `<documentation>`+strings.Repeat("x", 50<<20)+`</documentation><startEvent`, 1),
			"too_large")
	})
	proves(t, "G-07 an attribute that stands twice is refused", func(t *testing.T) {
		refused(t, strings.Replace(waits, `id="p"`, `id="p" id="q"`, 1), "attribute")
	})
	proves(t, "G-08 what follows the root is refused", func(t *testing.T) {
		refused(t, waits+waits[strings.Index(waits, "<definitions"):], "root")
		refused(t, waits+"trailing")
	})
	proves(t, "G-10 elements of another namespace are no BPMN", func(t *testing.T) {
		refused(t, strings.Replace(waits, "http://www.omg.org/spec/BPMN/20100524/MODEL", "urn:evil", 1))
		refused(t, strings.Replace(waits, `<userTask id="u" name="Wait"/>`, `<userTask xmlns="urn:evil" id="u"/>`, 1))
	})
	proves(t, "G-11 a model with faults is refused with all of them", func(t *testing.T) {
		refused(t,
			opened+
				`<sequenceFlow id="f1" sourceRef="s" targetRef="nowhere"/><boundaryEvent id="b" `+
				`attachedToRef="nothing"><timerEventDefinition/></boundaryEvent><sequenceFlow id="f9" sourceRef="gone" targetRef="e"/>`+
				closed, "nowhere", "nothing", "gone")
		refused(t, opened+`<complexGateway id="m"/>`+closed, "complexGateway")
		refused(t, strings.Replace(waits, `id="u"`, `id="e"`, 1))
		refused(t, opened+strings.Repeat(`<userTask/>`, 100_000)+closed)
	})
	proves(t, "G-12 code of other machines is not run", func(t *testing.T) {
		for _, task := range []string{`<scriptTask id="u" scriptFormat="javascript"><script>java.lang.Runtime.exec('id')</script></scriptTask>`,
			`<scriptTask id="u" scriptFormat="groovy"><script>"id".execute()</script></scriptTask>`,
			`<scriptTask id="u" scriptFormat="sh"><script>id</script></scriptTask>`,
			`<serviceTask id="u" xmlns:c="http://camunda.org/schema/1.0/bpmn" c:class="com.evil.Delegate"/>`,
			`<serviceTask id="u" xmlns:c="http://camunda.org/schema/1.0/bpmn" ` +
				`c:expression="${T(java.lang.Runtime).getRuntime().exec('id')}"/>`} {
			refused(t, strings.Replace(waits, `<userTask id="u" name="Wait"/>`, task, 1), `"u"`)
		}
	})
	proves(t, "H-01 templates of other languages are text", func(t *testing.T) {
		if a := h.deploy(t, waits); a.status != 201 {
			t.Fatal(a.body)
		}
		for _, text := range []string{"{{constructor.constructor('return 1')()}}", "${T(java.lang.Runtime).getRuntime()}", "#{7*7}",
			"<%= 7*7 %>", "=7*7", "{{7*7}}", "$(id)"} {
			var v struct{ Run string }
			h.must(t,
				request{method: "POST", path: "/api/v1/runs", token: h.admin,
					body: map[string]any{"process": "p", "title": text, "variables": map[string]any{"x": text}}}, &v)
			var run struct{ Title string }
			h.must(t, request{method: "GET", path: "/api/v1/runs/" + v.Run, token: h.admin}, &run)
			var vars map[string]any
			h.must(t, request{method: "GET", path: "/api/v1/runs/" + v.Run + "/variables", token: h.admin}, &vars)
			if run.Title != text || vars["x"] != text {
				t.Errorf("%q became %q and %v", text, run.Title, vars)
			}
		}
	})
	proves(t, "H-02 expressions reach nothing outside of their variables", func(t *testing.T) {
		for _, expression := range []string{`env("HOME")`, `System.getenv()`, `open("/etc/passwd")`, `fetch("http://127.0.0.1")`,
			`java.lang.Runtime.getRuntime()`, `exec("id")`, `require("fs")`} {
			xml := opened +
				`<sequenceFlow id="f1" sourceRef="s" targetRef="g"/><exclusiveGateway id="g" default="f3"/><sequenceFlow id="f2" ` +
				`sourceRef="g" targetRef="e"><conditionExpression>=` + expression +
				`</conditionExpression></sequenceFlow><sequenceFlow id="f3" sourceRef="g" targetRef="e"/>` + closed
			if a := h.deploy(t, xml); a.status == 201 {
				var v struct{ Run string }
				h.must(t, request{method: "POST", path: "/api/v1/runs", token: h.admin, body: map[string]any{"process": "p"}}, &v)
				if vars := h.must(t, request{method: "GET", path: "/api/v1/runs/" + v.Run + "/variables", token: h.admin},
					nil); strings.Contains(vars.body, "root:") {
					t.Errorf("%s: %s", expression, vars.body)
				}
			} else if a.status != 422 {
				t.Errorf("%s: %d %s", expression, a.status, a.body)
			}
		}
	})
	users := func(body string) request {
		return request{method: "POST", path: "/api/v1/users", token: h.admin, body: body}
	}
	proves(t, "G-14 JSON that two readers read differently is refused", func(t *testing.T) {
		h.unchanged(t, func() {
			for body, want := range map[string]int{
				`{"name":"a","name":"b","password":"a long password"}`:                                                          400,
				`{"name":"a","password":"a long password","grants":[{"permission":"run.read","permission":"*","project":"x"}]}`: 400,
				`{"name":"a","\u006eame":"b","password":"a long password"}`:                                                     400,
				`{"name":"a","password":"a long password"} {}`:                                                                  400,
				`{"name":"a","password":"a long password","x":1}`:                                                               422,
				`{"name":NaN,"password":"a long password"}`:                                                                     400,
				`{"name":1e999,"password":"a long password"}`:                                                                   400,
				`{"name":9223372036854775808,"password":"a long password"}`:                                                     422,
				`{'name':'a','password':'a long password'}`:                                                                     400,
				`{"name":"a","password":"a long password",}`:                                                                    400,
				`// x` + "\n" + `{"name":"a","password":"a long password"}`:                                                     400,
				strings.Repeat(`{"name":`, 20_000) + `1` + strings.Repeat(`}`, 20_000):                                          400,
				strings.Repeat(`[`, 20_000):                                                                                     400,
				`null`:                                                                                                          422,
				`[]`:                                                                                                            422,
			} {
				if a := h.ask(t, users(body)); a.status != want {
					t.Errorf("%.60s: %d %s, want %d", body, a.status, a.body, want)
				}
			}
		})
	})
	proves(t, "G-15 bodies that are or become too large are refused", func(t *testing.T) {
		h.unchanged(t, func() {
			h.wants(t, users(`{"name":"`+strings.Repeat("x", 101<<20)+`"}`), 413, "request.too_large")
			var small bytes.Buffer
			z := gzip.NewWriter(&small)
			for range 64 {
				_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20)) // into memory
			}
			_ = z.Close()
			bomb := users(small.String())
			bomb.header = []string{"Content-Encoding", "gzip"}
			h.wants(t, bomb, 400, "request.malformed") // it is not unpacked
			h.wants(t, users(`[`+strings.Repeat(`{},`, 1_000_000)+`{}]`), 422, "request.invalid")
		})
	})
	proves(t, "Q-07 what is read before the log-in bears everything", func(t *testing.T) {
		for path, limit := range map[string]int{"/api/v1/session": 4 << 10, "/api/v1/session/link": 4 << 10} {
			for _, body := range []string{``, `null`, `[]`, `{`, `{"name":"a","name":"b"}`, `{"name":{}}`, strings.Repeat(`[`, 2000),
				"\x00\xff", `{"name":"\ud800","password":"x"}`, strings.Repeat("x", limit+1), strings.Repeat("x", 50<<20),
				`{"name":"' OR 1=1 --","password":"x"}`} {
				a := h.ask(t, request{method: "POST", path: path, body: body})
				if a.status < 400 || a.status >= 500 || a.header.Get("Set-Cookie") != "" {
					t.Errorf("%s %.40q: %d %s", path, body, a.status, a.body)
				}
			}
		}
	})
	proves(t, "I-02 names of attributes and operators are those of the type alone", func(t *testing.T) {
		for _, q := range []string{`{"filter":{"name;drop table x":"y"}}`,
			`{"filters":[{"name":"(select 1)","operator":"eq","value":"x"}]}`, `{"sort":"name;drop"}`,
			`{"sorting":{"field":"(select password from identity_user)","asc":true}}`, `{"resultColumns":["id","password"]}`} {
			if a := h.ask(t, request{method: "POST", path: "/api/v1/objects/host:host/query", token: h.admin, body: q}); a.status != 422 &&
				a.status != 400 {
				t.Errorf("%s: %d %s", q, a.status, a.body)
			}
		}
	})
	proves(t, "I-03 signs of patterns are letters of a text", func(t *testing.T) {
		h.must(t,
			request{method: "POST", path: "/api/v1/objects/host:host", token: h.admin,
				body: []any{map[string]any{"id": "plain", "name": "plain", "address": "192.0.2.1"}}}, nil)
		search := func(text string) request {
			return request{method: "GET", path: "/api/v1/object-search?text=" + url2(text), token: h.admin}
		}
		if a := h.must(t, search("plai"), nil); !strings.Contains(a.body, `"plain"`) {
			t.Errorf("it is not found by its name: %s", a.body)
		}
		for _, text := range []string{"%%%", "pl__n", "p%n", "pla.n", "pl*", "' OR '1'='1"} {
			if a := h.must(t, search(text), nil); strings.Contains(a.body, `"plain"`) {
				t.Errorf("%q finds it: %s", text, a.body)
			}
		}
		h.wants(t, search(strings.Repeat("x", 5000)), 422, "request.invalid")
	})
	proves(t, "I-08 pages have a largest size", func(t *testing.T) {
		for _, limit := range []string{"1000000000", "-1", "0", "501", "1e3", "9223372036854775808"} {
			h.wants(t, request{method: "GET", path: "/api/v1/runs?limit=" + limit, token: h.admin}, 422, "request.invalid")
		}
	})
}
