package objectpath_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/lang/objectpath"
	"sextant/internal/testkit/corpora"
)

func TestRealShapes(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"wecmdb:host_resource_instance.ip_address", ""},
		{"wecmdb:unit", ""},
		{"wecmdb:app_instance.host_resource_instance>wecmdb:host_resource_instance.intranet_ip>wecmdb:ip_address.code", ""},
		{"wecmdb:unit~(unit)wecmdb:app_instance.monitor_key_name", ""},
		{"wecmdb:lb_instance.unit>wecmdb:unit~(invoke_unit)wecmdb:invoke.invoked_unit>wecmdb:unit~(unit)wecmdb:app_instance{state_code " +
			"eq 'created'}{fixed_date is NULL}.host_resource_instance>wecmdb:host_resource_instance.asset_id", ""},
		{"wecmdb:system~(system)wecmdb:subsys~(subsys)wecmdb:unit~(unit)wecmdb:business_app_instance.key_name", ""},
		{"wecmdb:network_segment.f_network_segment>wecmdb:network_segment~(network_segment_2)wecmdb:network_link{code " +
			"eq 'nat'}.nat_ip_address>wecmdb:ip_address.code", ""},
		{"wecmdb:app_instance.NONE", ""},
		{"host:host.state@observed", ""},
		{"we-cmdb:a{x isnot  NULL}.b", "we-cmdb:a{x isnot NULL}.b"},
		{" a:b . c > d:e ~ ( f ) g:h { i  NOTLIKE  'x > y~.{}' } . j ", "a:b.c>d:e~(f)g:h{i notLike 'x > y~.{}'}.j"},
		{"a:b{c eq '@@id@@label'}", ""},
		{"a:b{c eq '@@id@@'}", "a:b{c eq 'id'}"},
		{"a:b{c eq '@@id'}", ""},
		{"a:b{c in [ '1' , '@@2@@two' ]}", "a:b{c in ['1','@@2@@two']}"},
		{"a:b{c in 'x'}", "a:b{c in ['x']}"},
		{"a:b{c in []}", ""},
		{"a:b{c gt -1.50}{d@observed lt 2e3}", ""},
		{"a:b{c eq ''}", ""},
		{"a:b{c eq 'it''s'}", ""},
		{"主机:主机.地址", ""},
	}
	for _, tt := range tests {
		p, err := objectpath.Parse(tt.src)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		want := tt.want
		if want == "" {
			want = tt.src
		}
		if diff := cmp.Diff(want, p.String()); diff != "" {
			t.Errorf("%s: %s", tt.src, diff)
		}
	}
}

func TestParseBuildsNodes(t *testing.T) {
	t.Parallel()
	p, err := objectpath.Parse("a:b.c>d:e{f in ['@@1@@one','2']}~(g)h:i.j@observed")
	if err != nil {
		t.Fatal(err)
	}
	want := &objectpath.Path{
		Nodes: []objectpath.Node{
			{Package: "a", Type: "b"},
			{Link: objectpath.Link{Kind: objectpath.RefTo, Attr: "c"}, Package: "d", Type: "e", Filters: []objectpath.Filter{
				{Attr: "f", Op: "in", Kind: objectpath.ListValue, Texts: []objectpath.Text{{Value: "1", Label: "one"}, {Value: "2"}}},
			}},
			{Link: objectpath.Link{Kind: objectpath.RefBy, Attr: "g"}, Package: "h", Type: "i"},
		},
		Attr: "j", Observed: true,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if got := p.Field(); got != "j@observed" {
		t.Errorf("field %q", got)
	}
	if got := string(p.Nodes[1].Filters[0].Condition()); got != `["1","2"]` {
		t.Errorf("condition %s", got)
	}
}

func TestConditionsGoOnTheWire(t *testing.T) {
	t.Parallel()
	filters, err := objectpath.ParseFilters(` {a eq 'x "y"'} {b gt 1.50} {c is null} {d in ['1']}{e in []}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range filters {
		got = append(got, f.Attr+" "+f.Op+" "+string(f.Condition()))
	}
	want := []string{`a eq "x \"y\""`, `b gt 1.50`, `c is "NULL"`, `d in ["1"]`, `e in []`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if filters, err := objectpath.ParseFilters(" "); err != nil || filters != nil {
		t.Errorf("an empty list gives %v %v", filters, err)
	}
}

func TestMulti(t *testing.T) {
	t.Parallel()
	items, err := objectpath.ParseMulti("a:b{c eq '#DME#'}.d #DME# a:b#DMEOP#update#DME#e:f.NONE")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range items {
		got = append(got, i.Path.String()+" "+i.Operation)
	}
	want := []string{"a:b{c eq '#DME#'}.d ", "a:b update", "e:f.NONE "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want, field string }{
		{".address", "host:host.address", "address"},
		{".state@observed", "host:host.state@observed", "state@observed"},
		{" .zone > cmdb:zone.name", "host:host.zone>cmdb:zone.name", "name"},
		{"~(host)app:app", "host:host~(host)app:app", "id"},
		{"cmdb:zone.name", "cmdb:zone.name", "name"},
		{".NONE", "host:host.NONE", ""},
	}
	for _, tt := range tests {
		p, err := objectpath.ParseRelative(tt.src)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		before := p.String()
		full := p.From("host", "host")
		if full.String() != tt.want || full.Relative || full.Field() != tt.field {
			t.Errorf("%s: got %s, field %s", tt.src, full, full.Field())
		}
		if p.String() != before {
			t.Errorf("%s: From changed the path to %s", tt.src, p)
		}
	}
	if _, err := objectpath.Parse(".address"); err == nil {
		t.Error("Parse took a relative path")
	}
}

func TestMalformedShapes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src    string
		code   objectpath.Code
		offset int
	}{
		{"", objectpath.CodeEmpty, 0},
		{"  ", objectpath.CodeEmpty, 0},
		{"wecmdb:block_storage..NONE", objectpath.CodeNoAttr, 20},
		{"wecmdb:role.manage_role>wecmdb:user.email>", objectpath.CodeNoNode, 42},
		{"wecmdb:subsys.wecmdb:subsys.system>wecmdb:system.code", objectpath.CodeLink, 14},
		{"host.resource_resource_system.code", objectpath.CodeNoType, 0},
		{"a:host.resource_resource_system.code", objectpath.CodeDottedAttr, 31},
		{"a:b{c in ['@@1@@LB'", objectpath.CodeFilterList, 9},
		{"a:b{c in ['x'", objectpath.CodeFilterList, 9},
		{"a:b{c in ['x',]}", objectpath.CodeFilterList, 14},
		{"a:b{c eq 'x}", objectpath.CodeFilterQuote, 9},
		{"{a is NULL}}", objectpath.CodeUnexpected, 11},
		{"a:b{c is NULL}}", objectpath.CodeUnexpected, 14},
		{"ALICLOUD_DEFAULT_RDS_BACKUP_METHOD", objectpath.CodeNoType, 0},
		{":b", objectpath.CodeNoPackage, 0},
		{"a:", objectpath.CodeNoType, 2},
		{"a:b.", objectpath.CodeNoAttr, 3},
		{"a:b>c:d", objectpath.CodeLink, 3},
		{"a:b~unit", objectpath.CodeLink, 4},
		{"a:b~()c:d", objectpath.CodeNoAttr, 5},
		{"a:b~(c d:e", objectpath.CodeLink, 7},
		{"a:b.c~(d)e:f", objectpath.CodeLink, 5},
		{"a:b.c@seen", objectpath.CodeObserved, 5},
		{"a:b.c@observed>d:e", objectpath.CodeObserved, 4},
		{"a:b.NONE@observed", objectpath.CodeObserved, 4},
		{"a:b{}", objectpath.CodeFilterAttr, 4},
		{"a:b{c.d eq 'x'}", objectpath.CodeFilterAttr, 5},
		{"a:b{c}", objectpath.CodeFilterOp, 5},
		{"a:b{c equals 'x'}", objectpath.CodeFilterOp, 6},
		{"a:b{c eq}", objectpath.CodeFilterValue, 8},
		{"a:b{c eq created}", objectpath.CodeFilterValue, 9},
		{"a:b{c eq NULL}", objectpath.CodeFilterValue, 9},
		{"a:b{c is 'x'}", objectpath.CodeFilterValue, 9},
		{"a:b{c in 1}", objectpath.CodeFilterValue, 9},
		{"a:b{c eq ['x']}", objectpath.CodeFilterValue, 9},
		{"a:b{c eq 'x' 'y'}", objectpath.CodeFilterClose, 13},
		{"a:b{c eq 'x'", objectpath.CodeFilterClose, 12},
		{"a:b.c d", objectpath.CodeUnexpected, 6},
		{"a:b#DMEOP#", objectpath.CodeOperation, 10},
		{"a:b#DME#", objectpath.CodeNoNode, 8},
		{"a:b#DME", objectpath.CodeUnexpected, 3},
		{"a:\xff", objectpath.CodeUnexpected, 0},
		{strings.Repeat("a", 20_000), objectpath.CodeTooLong, 0},
		{"a:b" + strings.Repeat(".c>a:b", 32), objectpath.CodeTooMany, 189 + 3},
	}
	for _, tt := range tests {
		var err error
		if strings.HasPrefix(tt.src, "{") {
			_, err = objectpath.ParseFilters(tt.src)
		} else {
			_, err = objectpath.ParseMulti(tt.src)
		}
		var e *objectpath.Error
		if !errors.As(err, &e) {
			t.Errorf("%.40q: got %v, want an error", tt.src, err)
			continue
		}
		if e.Code != tt.code || e.Offset != tt.offset || e.Remedy == "" {
			t.Errorf("%.40q: got %s at %d (%v), want %s at %d", tt.src, e.Code, e.Offset, err, tt.code, tt.offset)
		}
	}
}

func TestPlacesCountCharacters(t *testing.T) {
	t.Parallel()
	_, err := objectpath.Parse("主机:主机\n  .地址!")
	var e *objectpath.Error
	if !errors.As(err, &e) || e.Line != 2 || e.Column != 6 {
		t.Errorf("got %v", err)
	}
}

// TestRegisterFiles reads every expression of the real packages: it parses, or
// the error has a name.
func TestRegisterFiles(t *testing.T) {
	t.Parallel()
	parsed, refused := 0, map[objectpath.Code]int{}
	for _, file := range corpora.Files(t, "wecube-register", ".xml") {
		for _, attr := range attributes(t, file) {
			var err error
			switch attr.Name.Local {
			case "mappingEntityExpression":
				_, err = objectpath.Parse(attr.Value)
			case "filterRule", "targetEntityFilterRule":
				_, err = objectpath.ParseFilters(attr.Value)
			default:
				continue
			}
			var e *objectpath.Error
			switch {
			case err == nil:
				parsed++
			case errors.As(err, &e) && e.Code != "" && e.Remedy != "":
				refused[e.Code]++
			default:
				t.Errorf("%s: %s: %v", file, attr.Value, err)
			}
		}
	}
	t.Logf("%d parsed, refused %v", parsed, refused)
	if parsed < 1000 {
		t.Errorf("only %d expressions parsed", parsed)
	}
}

func attributes(t *testing.T, file string) []xml.Attr {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d := xml.NewDecoder(f)
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var all []xml.Attr
	for {
		token, err := d.Token()
		if err != nil { // the end, or where a malformed file stops making sense
			return all
		}
		if start, ok := token.(xml.StartElement); ok {
			all = append(all, start.Attr...)
		}
	}
}

func genPath(t *rapid.T) *objectpath.Path {
	name := rapid.StringMatching(`[a-z_][a-z0-9_-]{0,8}`)
	text := rapid.Custom(func(t *rapid.T) objectpath.Text {
		v := rapid.StringMatching(`[a-z'{}~>. #\[\],主]{0,8}`).Draw(t, "text")
		if v == "" || !rapid.Bool().Draw(t, "labelled") {
			return objectpath.Text{Value: v}
		}
		return objectpath.Text{Value: v, Label: rapid.StringMatching(`[A-Z'@ ]{0,5}`).Draw(t, "label")}
	})
	filter := rapid.Custom(func(t *rapid.T) objectpath.Filter {
		f := objectpath.Filter{Attr: name.Draw(t, "attr")}
		switch f.Kind = rapid.SampledFrom([]objectpath.ValueKind{
			objectpath.TextValue, objectpath.NumberValue, objectpath.NullValue, objectpath.ListValue}).Draw(t, "kind"); f.Kind {
		case objectpath.NullValue:
			f.Op = rapid.SampledFrom([]string{"is", "isnot"}).Draw(t, "op")
		case objectpath.ListValue:
			f.Op, f.Texts = "in", rapid.SliceOfN(text, 0, 3).Draw(t, "texts")
		case objectpath.NumberValue:
			f.Op, f.Texts = "gt", []objectpath.Text{{Value: rapid.StringMatching(`-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,3})?`).Draw(t, "number")}}
		default:
			f.Op = rapid.SampledFrom([]string{"eq", "neq", "like", "notLike", "gt", "lt"}).Draw(t, "op")
			f.Texts = []objectpath.Text{text.Draw(t, "text")}
		}
		return f
	})
	p := &objectpath.Path{}
	for i := range rapid.IntRange(1, 5).Draw(t, "nodes") {
		n := objectpath.Node{Package: name.Draw(t, "package"), Type: name.Draw(t, "type")}
		if i > 0 {
			n.Link = objectpath.Link{Kind: rapid.SampledFrom([]objectpath.LinkKind{objectpath.RefTo, objectpath.RefBy}).Draw(t, "link"),
				Attr: name.Draw(t, "linkAttr")}
		}
		n.Filters = rapid.SliceOfN(filter, 0, 2).Draw(t, "filters")
		if len(n.Filters) == 0 {
			n.Filters = nil
		}
		p.Nodes = append(p.Nodes, n)
	}
	if rapid.Bool().Draw(t, "hasAttr") {
		p.Attr = name.Draw(t, "lastAttr")
		p.Observed = rapid.Bool().Draw(t, "observed")
	}
	return p
}

func TestCanonicalFormParsesToTheSamePath(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := genPath(t)
		got, err := objectpath.Parse(want.String())
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %s", want, diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a:b.c>d:e~(f)g:h{i eq '@@j@@k'}{l in ['m','n']}.o@observed",
		"a:b#DMEOP#c#DME#d:e.NONE", "{a is NULL}{b gt 1}", ".a", "~(a)b:c", "a:b..NONE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if p, err := objectpath.ParseRelative(src); err == nil {
			again, err := objectpath.ParseRelative(p.String())
			if err != nil {
				t.Fatalf("%q: %q: %v", src, p, err)
			}
			if diff := cmp.Diff(p, again); diff != "" {
				t.Fatalf("%q: %s", src, diff)
			}
		}
		_, _ = objectpath.ParseMulti(src)   // only must not panic
		_, _ = objectpath.ParseFilters(src) // only must not panic
	})
}
