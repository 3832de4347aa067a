package bpmn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/lang/bpmn"
	"sextant/internal/testkit/corpora"
)

func TestCorporaAreWrittenBackByteForByte(t *testing.T) {
	t.Parallel()
	n := 0
	for _, folder := range []string{"miwg", "bpmn-exec"} {
		for _, file := range corpora.Files(t, folder, ".bpmn") {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := bpmn.Parse(data)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
				continue
			}
			if got := string(doc.Write()); got != strings.TrimPrefix(string(data), "\xef\xbb\xbf") && !strings.Contains(string(data[:100]), "8859") {
				t.Errorf("%s: written back differently", filepath.Base(file))
			}
			n++
		}
	}
	t.Logf("%d files", n)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in, code string
		line     int
	}{
		"doctype":             {"<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY x \"y\">]><a/>", "bpmn.doctype", 2},
		"external_doctype":    {"<!DOCTYPE a SYSTEM \"http://x/y\"><a/>", "bpmn.doctype", 1},
		"two_roots":           {"<a/>\n<b/>", "bpmn.second_root", 2},
		"duplicate_attribute": {"<a x='1'\n x='2'/>", "bpmn.duplicate_attribute", 1},
		"wrong_end":           {"<a>\n</b>", "bpmn.syntax", 2},
		"unclosed":            {"<a>\n", "bpmn.syntax", 2},
		"empty":               {"", "bpmn.empty", 1},
		"text_outside":        {"<a/>x", "bpmn.syntax", 1},
		"unknown_entity":      {"<a>&x;</a>", "bpmn.syntax", 1},
		"unknown_prefix":      {"<b:a/>", "bpmn.prefix", 1},
		"deep":                {strings.Repeat("<a>", 100000), "bpmn.depth", 1},
		"not_utf8":            {"<a>\xff</a>", "bpmn.encoding", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := bpmn.Parse([]byte(tc.in))
			e, ok := err.(*bpmn.Error)
			if !ok {
				t.Fatalf("got %v, want code %s", err, tc.code)
			}
			if p := e.Problems[0]; p.Code != tc.code || p.Line != tc.line {
				t.Errorf("got %s on line %d (%s), want %s on line %d", p.Code, p.Line, p.Message, tc.code, tc.line)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("<a x='1'><b/>t<!--c--></a>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := bpmn.Parse(data)
		if err != nil {
			return
		}
		again, err := bpmn.Parse(doc.Write())
		if err != nil {
			t.Fatalf("written form does not parse: %v", err)
		}
		if string(again.Write()) != string(doc.Write()) {
			t.Fatal("writing is not stable")
		}
	})
}
