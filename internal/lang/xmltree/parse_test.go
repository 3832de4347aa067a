package xmltree_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sextant/internal/lang/xmltree"
)

var limits = xmltree.Limits{Bytes: 1 << 20, Depth: 50, Attributes: 20, Nodes: 10_000}

var codes = &xmltree.Codes{TooLarge: "x.too_large", Doctype: "x.doctype",
	Prefix: "x.prefix", Depth: "x.depth", Attributes: "x.attributes", Nodes: "x.nodes"}

func TestParseRefusesWithTheCodesOfTheLanguage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, code string }{
		"too_large":  {strings.Repeat(" ", 1<<20+1), "x.too_large"},
		"depth":      {strings.Repeat("<a>", 51), "x.depth"},
		"attributes": {"<a " + attributes(21) + "/>", "x.attributes"},
		"nodes":      {"<a>" + strings.Repeat("<b/>", 10_000) + "</a>", "x.nodes"},
		"prefix":     {"<a><b xmlns:p='u'/><p:c/></a>", "x.prefix"},
		"doctype":    {`<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>`, "x.doctype"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := xmltree.Parse([]byte(tc.in), codes, limits)
			e, ok := err.(*xmltree.Error)
			if !ok || e.Problems[0].Code != tc.code {
				t.Fatalf("got %v, want code %s", err, tc.code)
			}
		})
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d='1'", i)
	}
	return b.String()
}

// A prefix means what the nearest element says that declares it, and several
// may be declared anew at once.
func TestPrefixesNest(t *testing.T) {
	t.Parallel()
	doc, err := xmltree.Parse([]byte(`<r xmlns="d1" xmlns:p="p1" xmlns:q="q1">`+
		`<p:a/><m xmlns="d2" xmlns:p="p2" xmlns:q="q2"><p:a/><q:a/><a/></m><p:a/><q:a/><a/></r>`), codes, limits)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	doc.Root.Walk(func(n *xmltree.Node) {
		if n.Local == "a" {
			got = append(got, n.Space)
		}
	})
	if want := "p1 p2 q2 d2 p1 q1 d1"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// Declarations cost what they are and not what stands around them.
func TestManyPrefixesAreRead(t *testing.T) {
	var b strings.Builder
	for level := range 40 {
		b.WriteString("<a")
		for i := range 20 {
			fmt.Fprintf(&b, " xmlns:p%d_%d='u'", level, i)
		}
		b.WriteString(">")
	}
	b.WriteString(strings.Repeat("<b xmlns:z='u'/>", 9_000))
	b.WriteString(strings.Repeat("</a>", 40))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := xmltree.Parse([]byte(b.String()), codes, limits); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 60 {
		t.Errorf("the prefixes around every element cost %d MB", mb)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"<a/>", "<?xml version='1.0'?><!-- c --><a b='1'>t<c xmlns:p='u' p:d='&lt;'/></a>\n",
		"<a>&#10;</a>", "<a><b></a></b>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := xmltree.Parse(data, codes, limits)
		if err != nil {
			return
		}
		again := doc.Write()
		if latin := strings.Contains(strings.ToLower(string(data[:min(len(data), 100)])), "8859") ||
			strings.Contains(strings.ToLower(string(data[:min(len(data), 100)])), "1252"); !latin &&
			string(again) != strings.TrimPrefix(string(data), "\xef\xbb\xbf") {
			t.Fatalf("%q is written back as %q", data, again)
		}
	})
}
