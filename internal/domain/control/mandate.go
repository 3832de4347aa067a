package control

import (
	"context"
	"encoding/json"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/db"
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

// Mandate reads with which rights a run was admitted, after it is over too.
func (d *Door) Mandate(ctx context.Context, run int64) (Mandate, error) {
	return d.MandateIn(ctx, d.DB, run)
}

// MandateIn is Mandate within a write.
func (d *Door) MandateIn(ctx context.Context, q db.Querier, run int64) (Mandate, error) {
	var data string
	if err := q.QueryRow(ctx, "SELECT mandate FROM control_verdict WHERE run = ? AND verdict = ?", run, Admitted).Scan(&data); err != nil {
		return Mandate{}, err
	}
	return ReadMandate([]byte(data))
}

// ReadMandate reads what Encode wrote.
func ReadMandate(data []byte) (Mandate, error) {
	var m Mandate
	return m, json.Unmarshal(data, &m)
}
