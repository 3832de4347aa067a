package objectdoc_test

import (
	"encoding/json"
	"errors"
	"testing"

	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/objectdoc/objectdoctest"
)

func FuzzParse(f *testing.F) {
	f.Add(objectdoctest.Landscape)
	f.Add("types: [{type: a, attributes: [{name: x, values: [1, {}]}]}]")
	f.Add("objects: {a: [{id: {}, x: [[1]]}, null, {id: 1, ? [a] : b}]}")
	f.Add("types: [null, 1, {type: [a]}]\nobjects: [a]")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := objectdoc.Parse([]byte(text))
		var e *objectdoc.Error
		if err != nil && (!errors.As(err, &e) || len(e.Problems) == 0) {
			t.Fatalf("the error %v names no problem", err)
		}
		if e != nil {
			for _, p := range e.Problems {
				if p.Line < 1 || p.Column < 1 {
					t.Errorf("%v stands nowhere", p)
				}
			}
			return
		}
		for _, o := range doc.Objects {
			for attr, raw := range o.Row {
				if !json.Valid(raw) {
					t.Errorf("%s of %s is %q", attr, o.ID, raw)
				}
			}
		}
	})
}
