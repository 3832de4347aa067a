package feel_test

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// sum is an expression and what it must give.
type sum struct {
	text string
	want *big.Int
	rank int  // how tightly its operator binds
	long bool // whether a number on the way has more than 34 digits
}

var bound = new(big.Int).Exp(big.NewInt(10), big.NewInt(34), nil)

func newSum(text string, want *big.Int, rank int, of ...sum) sum {
	s := sum{text, want, rank, want.CmpAbs(bound) >= 0}
	for _, o := range of {
		s.long = s.long || o.long
	}
	return s
}

func sums(depth int) *rapid.Generator[sum] {
	return rapid.Custom(func(t *rapid.T) sum {
		if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
			n := rapid.Int64Range(0, 1_000_000).Draw(t, "n")
			return newSum(fmt.Sprint(n), big.NewInt(n), 4)
		}
		x, y := sums(depth-1).Draw(t, "x"), sums(depth-1).Draw(t, "y")
		switch op := rapid.SampledFrom([]string{"+", "-", "*", "neg", "if"}).Draw(t, "op"); op {
		case "neg":
			return newSum("-"+x.in(3), new(big.Int).Neg(x.want), 3, x)
		case "if":
			want := y.want
			if x.want.Sign() > 0 {
				want = x.want
			}
			return newSum(fmt.Sprintf("(if %s > 0 then %s else %s)", x.text, x.text, y.text), want, 4, x, y)
		case "*":
			return newSum(x.in(2)+" * "+y.in(3), new(big.Int).Mul(x.want, y.want), 2, x, y)
		case "+":
			return newSum(x.in(1)+" + "+y.in(2), new(big.Int).Add(x.want, y.want), 1, x, y)
		default:
			return newSum(x.in(1)+"-"+y.in(2), new(big.Int).Sub(x.want, y.want), 1, x, y)
		}
	})
}

// in is the text where something that binds as tightly as rank is wanted.
func (s sum) in(rank int) string {
	if s.rank < rank {
		return "(" + s.text + ")"
	}
	return s.text
}

func TestArithmeticIsThatOfWholeNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := sums(4).Draw(t, "sum")
		if s.long {
			return // is rounded
		}
		x, err := feel.Compile(s.text)
		if err != nil {
			t.Fatalf("%s: %v", s.text, err)
		}
		want, ok := value.ParseNumber(s.want.String())
		if got, err := x.Eval(nil); err != nil || !ok || !value.Same(got, want) {
			t.Fatalf("%s = %s %v, want %s", s.text, got, err, s.want)
		}
	})
}

// anyValue draws values that can be written as FEEL text.
func anyValue(depth int) *rapid.Generator[value.Value] {
	return rapid.Custom(func(t *rapid.T) value.Value {
		kind := rapid.IntRange(0, 8).Draw(t, "kind")
		if depth == 0 {
			kind = min(kind, 5)
		}
		switch kind {
		case 0:
			return value.Null()
		case 1:
			return value.Bool(rapid.Bool().Draw(t, "b"))
		case 2:
			return value.Int(rapid.Int64().Draw(t, "i"))
		case 3:
			v, _ := value.ParseNumber(rapid.StringMatching(`-?[1-9][0-9]{0,12}\.[0-9]{0,9}[1-9](e-?[1-9][0-9]?)?`).Draw(t, "d"))
			return v
		case 4, 5:
			return value.String(rapid.String().Draw(t, "s"))
		case 6, 7:
			return value.NewList(rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "list"))
		}
		c := &value.Context{}
		for _, key := range rapid.SliceOfN(rapid.StringMatching(`[a-zå][a-z0-9_]{0,5}( [0-9a-z]{1,3})?`), 0, 4).Draw(t, "keys") {
			c.Put(key, anyValue(depth-1).Draw(t, key))
		}
		return value.NewContext(c)
	})
}

// What string() writes for a list is the list again.
func TestTextOfAValueIsTheValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := value.NewList([]value.Value{anyValue(3).Draw(t, "value")})
		x, err := feel.Compile(v.String())
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		got, err := x.Eval(nil)
		if err != nil || !value.Same(got, v) {
			t.Fatalf("%s became %s %v", v, got, err)
		}
		raw, err := value.ToJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := value.FromJSON(raw); err != nil || !value.Same(back, v) {
			t.Fatalf("%s became %s %v", raw, back, err)
		}
	})
}
