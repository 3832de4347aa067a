// Package override is the form in which a job carries what a person gives with a
// retry.
package override

import (
	"encoding/json"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// Values are what a person gives with a retry: inputs that replace those of the
// step, and outputs that are written in place of those that could not be.
type Values struct {
	Inputs  map[string]json.RawMessage
	Outputs map[string]json.RawMessage
}

// outputsKey is where the outputs lie among the inputs; no input has such a name.
const outputsKey = "$outputs"

// Encode gives the form in which a job carries it; nothing where it is empty.
func (v Values) Encode() (json.RawMessage, error) {
	if len(v.Inputs) == 0 && len(v.Outputs) == 0 {
		return nil, nil
	}
	all := map[string]any{}
	for name, given := range v.Inputs {
		all[name] = given
	}
	if len(v.Outputs) > 0 {
		all[outputsKey] = v.Outputs
	}
	return json.Marshal(all)
}

// Read takes apart what Encode wrote.
func Read(raw json.RawMessage) (inputs, outputs wire.Row, err error) {
	inputs = wire.Row{}
	if len(raw) == 0 {
		return inputs, nil, nil
	}
	if err := json.Unmarshal(raw, &inputs); err != nil {
		return nil, nil, errs.New(errs.Invalid, "dispatch.override", "the new inputs are no JSON object")
	}
	if own, ok := inputs[outputsKey]; ok {
		delete(inputs, outputsKey)
		err = json.Unmarshal(own, &outputs)
	}
	return inputs, outputs, err
}
