package setting_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sextant/internal/domain/setting"
)

// References are found wherever they stand: in lists, in objects, beside others, and in
// a structure that was typed as text.
func TestReferencesAreFoundAnywhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, fields, named string }{
		"none":               {`{"a": ["b", 1, null, true]}`, "", ""},
		"a-secret":           {`{"$secret": "connection/lab#pw"}`, "lab#pw", "lab lab!"},
		"deep":               {`[{"a": [{"$secret": "connection/lab#pw"}]}]`, "lab#pw", "lab lab!"},
		"twice":              {`[{"$secret": "connection/lab#pw"}, {"$secret": "connection/lab#pw"}]`, "lab#pw", "lab lab lab!"},
		"two-of-one":         {`[{"$secret": "connection/lab#pw"}, {"$secret": "connection/lab#key"}]`, "lab#key lab#pw", "lab lab lab!"},
		"beside-others":      {`{"$secret": "connection/lab#pw", "more": {"$secret": "connection/x#y"}}`, "lab#pw x#y", "lab lab! x x!"},
		"a-name-alone":       {`{"credential": "connection/lab"}`, "", "lab"},
		"in-the-middle":      {`"see connection/lab and connection/other"`, "", "lab other"},
		"typed-as-text":      {`"{\"$secret\": \"connection/lab#pw\"}"`, "", "lab lab!"},
		"in-a-list-as-text":  {`["[\"connection/lab\"]"]`, "", "lab"},
		"text-within-a-text": {`"[\"{\\\"$secret\\\": \\\"connection/lab#pw\\\"}\"]"`, "", "lab lab!"},
		"sealed-for-a-run":   {`{"$secret": "sealed/abc"}`, "", ""},
		"no-text":            {`{"$secret": 7}`, "", ""},
		"no-json":            {`connection/lab`, "", ""},
	} {
		fields := setting.SecretFields(json.RawMessage(c.value))
		slices.Sort(fields)
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%s: the secrets %q, want %q", name, got, c.fields)
		}
		var named []string
		for _, n := range setting.Named(json.RawMessage(c.value)) {
			named = append(named, n.Connection+map[bool]string{true: "!"}[n.Certain])
		}
		slices.Sort(named)
		if got := fmt.Sprint(strings.Join(named, " ")); got != c.named {
			t.Errorf("%s: it names %q, want %q", name, got, c.named)
		}
	}
}
