package override_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sextant/internal/domain/dispatch/override"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// What a person gives comes back as it was, inputs and outputs apart.
func TestWhatIsGivenComesBack(t *testing.T) {
	t.Parallel()
	values := rapid.MapOf(rapid.StringMatching(`[a-z_]{1,5}`), rapid.Custom(func(t *rapid.T) json.RawMessage {
		return json.RawMessage(rapid.SampledFrom([]string{"1.10", `"a"`, "null", `{"$secret":"connection/a#b"}`, "12345678901234567890", "[]"}).
			Draw(t, "value"))
	}))
	rapid.Check(t, func(t *rapid.T) {
		v := override.Values{Inputs: values.Draw(t, "inputs"), Outputs: values.Draw(t, "outputs")}
		raw, err := v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if (raw == nil) != (len(v.Inputs)+len(v.Outputs) == 0) {
			t.Fatalf("%+v is %q", v, raw)
		}
		inputs, outputs, err := override.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wire.Row(v.Inputs), inputs, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(wire.Row(v.Outputs), outputs, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsNoOverride(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"[]", "1", "{", `{"$outputs": 1}`} {
		if _, _, err := override.Read(json.RawMessage(raw)); err == nil {
			t.Errorf("%s is read", raw)
		}
	}
	if _, _, err := override.Read(json.RawMessage("[]")); !errs.Is(err, errs.Invalid) {
		t.Errorf("%v", err)
	}
}
