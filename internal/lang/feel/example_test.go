package feel_test

import (
	"fmt"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

func ExampleCompile() {
	x, err := feel.Compile(`count(hosts[cpu > 0.9]) > 1 and owner.team = "pay"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	variables := map[string]string{"hosts": `[{"cpu": 0.95}, {"cpu": 0.99}]`, "owner": `{"name": "Ann"}`}
	got, err := x.Eval(&feel.Env{
		Lookup: func(name string) (value.Value, bool) {
			v, err := value.FromJSON([]byte(variables[name]))
			return v, err == nil
		},
		Warn: func(w feel.Warning) {
			line, column := x.Position(w.Offset)
			fmt.Printf("line %d, column %d: %s\n", line, column, w.Message)
		},
	})
	fmt.Println(x.Names(), got, err)
	// Output:
	// line 1, column 38: the context has no entry "team"
	// [cpu hosts owner] false <nil>
}
