package control

import (
	"encoding/json"

	"sextant/internal/domain/identity"
)

// Mandate is what the platform knows of a run: on whose behalf it acts, with
// which rights, in which project and on what. It lies beside the variables of the
// run, where no process can read or write it.
type Mandate struct {
	Project string          `json:"project"`
	Rights  identity.Rights `json:"rights"`
	Objects []string        `json:"objects,omitempty"`
}

// Encode gives the form in which a run keeps its mandate.
func (m Mandate) Encode() ([]byte, error) { return json.Marshal(m) }

// ReadMandate reads what Encode wrote.
func ReadMandate(data []byte) (Mandate, error) {
	var m Mandate
	return m, json.Unmarshal(data, &m)
}
