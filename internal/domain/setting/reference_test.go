package setting_test

import (
	"encoding/json"
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
		"a-secret":           {`{"$secret": "connection/lab#pw"}`, "lab#pw", "lab"},
		"deep":               {`[{"a": [{"$secret": "connection/lab#pw"}]}]`, "lab#pw", "lab"},
		"twice":              {`[{"$secret": "connection/lab#pw"}, {"$secret": "connection/lab#pw"}]`, "lab#pw", "lab"},
		"two-of-one":         {`[{"$secret": "connection/lab#pw"}, {"$secret": "connection/lab#key"}]`, "lab#key lab#pw", "lab"},
		"beside-others":      {`{"$secret": "connection/lab#pw", "more": {"$secret": "connection/x#y"}}`, "lab#pw x#y", "lab x"},
		"a-name-alone":       {`{"credential": "connection/lab"}`, "", "lab"},
		"in-the-middle":      {`"see connection/lab and connection/other"`, "", ""},
		"typed-as-text":      {`"{\"$secret\": \"connection/lab#pw\"}"`, "", "lab"},
		"at-its-end":         {`"https://example.org/connection/lab"`, "", ""},
		"with-a-field":       {`"connection/lab#pw"`, "", "lab"},
		"in-a-list-as-text":  {`["[\"connection/lab\"]"]`, "", "lab"},
		"text-within-a-text": {`"[\"{\\\"$secret\\\": \\\"connection/lab#pw\\\"}\"]"`, "", "lab"},
		"sealed-for-a-run":   {`{"$secret": "sealed/abc"}`, "", ""},
		"no-text":            {`{"$secret": 7}`, "", ""},
		"no-json":            {`connection/lab`, "", ""},
	} {
		fields := setting.SecretFields(json.RawMessage(c.value))
		slices.Sort(fields)
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%s: the secrets %q, want %q", name, got, c.fields)
		}
		if got := strings.Join(setting.Named(json.RawMessage(c.value)), " "); got != c.named {
			t.Errorf("%s: it names %q, want %q", name, got, c.named)
		}
	}
}
