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

// What a person gave comes out of a job as it went in.
func TestWhatIsEncodedIsRead(t *testing.T) {
	t.Parallel()
	name := rapid.StringMatching(`[a-z][a-z0-9_]{0,8}`)
	value := rapid.Map(rapid.OneOf(rapid.String().AsAny(), rapid.Int().AsAny(), rapid.Bool().AsAny(), rapid.SliceOf(rapid.Int()).AsAny()),
		func(v any) json.RawMessage { return wire.Raw(v) })
	values := rapid.MapOfN(name, value, 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		v := override.Values{Inputs: values.Draw(t, "inputs"), Outputs: values.Draw(t, "outputs")}
		raw, err := v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if empty := len(v.Inputs)+len(v.Outputs) == 0; empty != (raw == nil) {
			t.Fatalf("%s for %+v", raw, v)
		}
		inputs, outputs, err := override.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		got := override.Values{Inputs: inputs, Outputs: outputs}
		if d := cmp.Diff(v, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func TestReadRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`[1]`, `"x"`, `{`, `7`} {
		if _, _, err := override.Read(json.RawMessage(raw)); errs.As(err).Code != "dispatch.override" {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if _, outputs, err := override.Read(json.RawMessage(`{"a":1,"$outputs":[1]}`)); err == nil {
		t.Errorf("outputs that are a list are read as %v", outputs)
	}
}
