package objectdoc_test

import (
	"encoding/json"
	"errors"
	"testing"

	"sextant/sdk/go/objectdoc"
)

const landscape = `
types:
  - type: zone
    attributes:
      - {name: label, type: string}
      - {name: main, type: ref, to: cmdb:host}
  - type: host
    display: name
    attributes:
      - {name: name, type: string, required: true, unique: true}
      - {name: serial, type: string}
      - {name: load, type: number}
      - {name: cpus, type: int}
      - {name: on, type: bool}
      - {name: since, type: datetime}
      - {name: state, type: enum, values: [on, off], observed: true}
      - {name: zone, type: ref, to: cmdb:zone, required: true}
      - {name: peers, type: multiref, to: cmdb:host}
objects:
  host:
    - id: web-1
      name: web-1
      serial: 0080
      load: 1.10
      cpus: 9007199254740993
      on: True
      since: 2026-01-31T09:00:00+01:00
      state: on
      state@observed: off
      zone: north
      peers: [web-2, web-1]
    - id: web-2
      name: 1e3
      load: 123456789012345678901234567890.50
      zone: {id: north}
      peers:
        - id: web-1
  cmdb:zone:
    - {id: north, label: yes, main: web-1}
`

func FuzzParse(f *testing.F) {
	f.Add(landscape)
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
