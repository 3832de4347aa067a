package value_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/lang/feel/value"
)

func TestJSONKeepsNumbersAndOrder(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-0.5`, `1234567890123456789`, `99999999999999999999`,
		`0.1`, `"主机\n"`, `[]`, `{}`, `[1,[2,{"b":1,"a":null}]]`,
		`{"z":1,"y":[],"x":{"k":"<>&"}}`, `1E+6000`, `0.3333333333333333333333333333333333`, `-9223372036854775808`, `"\u0001"`,
	} {
		v, err := value.FromJSON([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := value.ToJSON(v); err != nil || string(got) != text {
			t.Errorf("%s became %s %v", text, got, err)
		}
	}
	for in, want := range map[string]string{`1.50`: `1.5`, `1e3`: `1000`, `1.0`: `1`, ` 1 `: `1`, `{"a":1,"a":2}`: `{"a":2}`, `-0`: `0`} {
		v, err := value.FromJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := value.ToJSON(v); err != nil || string(got) != want {
			t.Errorf("%s became %s %v, want %s", in, got, err, want)
		}
	}
}

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `{`, `[1`, `1 2`, `nul`, `{"a"}`, `1e9999`,
		`"a`, `01`, strings.Repeat("[", 300) + strings.Repeat("]", 300)} {
		if v, err := value.FromJSON([]byte(text)); err == nil {
			t.Errorf("%.20q was read as %v", text, v)
		}
	}
	f := value.NewFunction(&value.Function{Params: []string{"a"}})
	if _, err := value.ToJSON(value.NewList([]value.Value{f})); err == nil {
		t.Error("a function was written as JSON")
	}
}

func TestIntegersComputeAsBigOnesDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3),
			rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1 << 32, -1 << 32}))
		a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
		x, y := big.NewInt(a), big.NewInt(b)
		for name, op := range map[string]struct {
			got  value.Value
			want *big.Int
		}{
			"+": {value.Add(value.Int(a), value.Int(b)), new(big.Int).Add(x, y)},
			"-": {value.Sub(value.Int(a), value.Int(b)), new(big.Int).Sub(x, y)},
		} {
			if op.got.String() != op.want.String() {
				t.Fatalf("%d %s %d = %s, want %s", a, name, b, op.got, op.want)
			}
		}
		if product := new(big.Int).Mul(x, y); product.IsInt64() && value.Mul(value.Int(a), value.Int(b)).String() != product.String() {
			t.Fatalf("%d * %d = %s", a, b, value.Mul(value.Int(a), value.Int(b)))
		}
		if b != 0 {
			q := value.Div(value.Mul(value.Int(a>>33), value.Int(b>>33)), value.Int(1))
			if got := value.Mul(value.Int(a>>33), value.Int(b>>33)); !value.Same(q, got) {
				t.Fatalf("%s / 1 = %s", got, q)
			}
		}
	})
}

func TestWhatIsNoNumberComputesToNull(t *testing.T) {
	t.Parallel()
	for _, v := range []value.Value{value.Null(), value.Bool(true), value.String("1"), value.DaysDuration(1), value.NewList(nil)} {
		for _, got := range []value.Value{value.Add(v, value.Int(1)), value.Sub(value.Int(1), v),
			value.Mul(v, v), value.Div(v, value.Int(1)), value.Pow(v, v)} {
			if !got.IsNull() {
				t.Errorf("%s computed to %s", v.Kind(), got)
			}
		}
	}
	if got := value.Div(value.Int(1), value.Int(0)); !got.IsNull() {
		t.Errorf("1/0 = %s", got)
	}
}

func TestContextKeepsOrderWhenItGrows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(rapid.StringN(0, 3, 9)).Draw(t, "keys")
		c := &value.Context{}
		want := map[string]int64{}
		var order []string
		for i, k := range keys {
			if _, ok := want[k]; !ok {
				order = append(order, k)
			}
			want[k] = int64(i)
			c.Put(k, value.Int(int64(i)))
		}
		clone := c.Clone()
		clone.Put("another", value.Null())
		if diff := cmp.Diff(order, c.Keys(),
			cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
			t.Fatalf("order (-want +got):\n%s", diff)
		}
		for k, i := range want {
			got, ok := c.Get(k)
			if n, _ := value.AsInt(got); !ok || n != i {
				t.Fatalf("%q is %v, want %d", k, got, i)
			}
		}
		if c.Len() != len(want) {
			t.Fatalf("%d entries, want %d", c.Len(), len(want))
		}
	})
}

func TestWeightAndDepth(t *testing.T) {
	t.Parallel()
	one := value.NewList([]value.Value{value.Int(1), value.String(strings.Repeat("x", 320))})
	c := &value.Context{}
	c.Put("k", one)
	c.Put("k", value.NewList([]value.Value{one, one}))
	tests := []struct {
		v      value.Value
		weight int64
		depth  int
	}{
		{value.Null(), 1, 0}, {value.Int(5), 1, 0}, {value.String(strings.Repeat("x", 64)), 3, 0},
		{value.NewList(nil), 1, 1}, {one, 13, 1}, {value.NewContext(c), 29, 3},
	}
	for _, tt := range tests {
		if tt.v.Weight() != tt.weight || tt.v.Depth() != tt.depth {
			t.Errorf("%.30s: weight %d, depth %d, want %d and %d", tt.v, tt.v.Weight(), tt.v.Depth(), tt.weight, tt.depth)
		}
	}
	doubled := one
	for range 5000 {
		doubled = value.NewList([]value.Value{doubled, doubled})
	}
	if doubled.Weight() != 1<<40-1 || doubled.Depth() != 5001 {
		t.Errorf("weight %d, depth %d", doubled.Weight(), doubled.Depth())
	}
}

func TestBuilderGivesWhatItHasSoFar(t *testing.T) {
	t.Parallel()
	var b value.Builder
	b.Add(value.Int(1))
	before := b.List()
	b.Add(value.Int(2), value.NewList(nil))
	if before.String() != "[1]" || b.List().String() != "[1, 2, []]" || b.Len() != 3 || b.List().Depth() != 2 {
		t.Errorf("%s, then %s", before, b.List())
	}
}

func TestKindsReadWellInASentence(t *testing.T) {
	t.Parallel()
	for v, want := range map[*value.Value]string{
		ptr(value.Null()): "null", ptr(value.Bool(true)): "a boolean", ptr(value.Int(1)): "a number",
		ptr(value.String("")): "a string", ptr(value.NewList(nil)): "a list",
		ptr(value.NewContext(&value.Context{})): "a context", ptr(value.NewRange(value.Range{})): "a range",
		ptr(value.DaysDuration(1)):                "a days and time duration",
		ptr(value.NewFunction(&value.Function{})): "a function",
	} {
		if got := v.Kind().String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := value.Kind(200).String(); got != "an unknown value" {
		t.Errorf("got %q", got)
	}
}

func ptr(v value.Value) *value.Value { return &v }

func FuzzFromJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,2.5e3,"x\u0000",null]}`, `"\ud83d\ude00\ud83d\/\b\f\"\\"`,
		"\"\xff主\"", `[-0.1E-3,true ,false]`, `{"a":{},"a":[]}`, ` [ ] `} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := value.FromJSON(raw)
		if refused := err != nil && (strings.Contains(err.Error(), "has no place") ||
			strings.Contains(err.Error(), "within one another")); !refused && (err == nil) != json.Valid(raw) {
			t.Fatalf("%q: %v, which the standard library sees differently", raw, err)
		}
		if err != nil {
			return
		}
		sameStrings(t, raw, v)
		first, err := value.ToJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := value.FromJSON(first)
		if err != nil || !value.Same(v, again) {
			t.Fatalf("%s became %s: %v", raw, first, err)
		}
		if second, err := value.ToJSON(again); err != nil || string(second) != string(first) {
			t.Fatalf("%s became %s", first, second)
		}
	})
}

// sameStrings compares with what the standard library reads, as far as strings
// and the shape go.
func sameStrings(t *testing.T, raw []byte, v value.Value) {
	t.Helper()
	var want any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if !sameShape(want, v) {
		t.Fatalf("%q was read as %s", raw, v)
	}
}

func sameShape(want any, v value.Value) bool {
	switch want := want.(type) {
	case string:
		s, ok := value.AsString(v)
		return ok && s == want
	case []any:
		items, ok := value.AsList(v)
		for i := range want {
			if !ok || i >= len(items) || !sameShape(want[i], items[i]) {
				return false
			}
		}
		return ok && len(items) == len(want)
	case map[string]any:
		c, ok := value.AsContext(v)
		for k := range want {
			entry, has := c.Get(k)
			if !has || !sameShape(want[k], entry) {
				return false
			}
		}
		return ok && c.Len() == len(want)
	}
	return true
}
