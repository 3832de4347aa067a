package service_test

import (
	"testing"

	"sextant/internal/lang/feel/service"
	"sextant/internal/lang/feel/value"
)

// Whatever is written, the service answers, and what it answers fits the text.
func FuzzService(f *testing.F) {
	for _, seed := range []string{"for h in hosts return h.name", "if a then b else c",
		"{a: 1, b: a.c}", "substring(\"a\", 1", "x[y > 1].z", "some x in [1..2] satisfies x = ?",
		"`a b` + @\"P1D\"", "function(a: list<number>) a instance of date and time", "]1..5[ between < 3", "é // c\n/*"} {
		f.Add(seed, 5, "b")
	}
	env := service.Env{Vars: []service.Variable{{Name: "hosts", Type: value.ListType(value.SimpleType(value.KindContext))},
		{Name: "a b"}, {Name: "b", Type: value.SimpleType(value.KindNumber)}}}
	f.Fuzz(func(t *testing.T, text string, offset int, name string) {
		if len(text) > 2000 {
			return
		}
		for _, unary := range []bool{false, true} {
			env.Unary = unary
			for _, i := range service.Complete(text, offset, env) {
				if i.From < 0 || i.From > i.To || i.To > len(text) {
					t.Fatalf("%q at %d: %+v", text, offset, i)
				}
			}
			if i, ok := service.Hover(text, offset, env); ok && (i.From > i.To || i.To > len(text)) {
				t.Fatalf("%q at %d: %+v", text, offset, i)
			}
			for _, d := range service.Diagnose(text, env) {
				if d.From < 0 || d.From > d.To || d.To > len(text) || d.Message == "" {
					t.Fatalf("%q: %+v", text, d)
				}
			}
			service.SignatureAt(text, offset, env)
			if edits, err := service.Rename(text, offset, name, env); err == nil {
				service.Apply(text, edits)
			}
		}
	})
}
