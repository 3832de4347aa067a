// Package answer makes outcomes of rows of what came back of a call.
package answer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/gateway"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

// Of is the call that was answered: the rows of its job, and which of them it has.
type Of struct {
	Rows         []*record.Row
	Round, Chunk int
	Output       []wire.Param
}

// All gives every row of the call the same outcome.
func (t Of) All(with record.Row) []*record.Row {
	var rows []*record.Row
	for _, r := range t.Rows {
		if r.Round == t.Round && r.Chunk == t.Chunk {
			row := with
			row.Pos, row.Object, row.Round, row.Chunk = r.Pos, r.Object, r.Round, r.Chunk
			if row.Outputs == nil {
				row.Outputs = wire.Row{}
			}
			rows = append(rows, &row)
		}
	}
	return rows
}

// Hide takes secrets out of what a plugin said of rows.
func Hide(mask *secret.Mask, rows []*record.Row) {
	if mask == nil {
		return
	}
	for _, r := range rows {
		r.Code, r.Message = mask.Text(r.Code), mask.Text(r.Message)
		for name, v := range r.Outputs {
			r.Outputs[name] = mask.JSON(v)
		}
	}
}

// Again reports whether a status says that the call may be sent once more under
// the same key.
func Again(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	}
	return false
}

// Describe tells what came instead of an answer.
func Describe(a *gateway.Answer, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("it answered with status %d", a.Status)
}

// Unreached is what became of rows whose call could not be delivered.
func Unreached(mayRun bool, err error) record.Row {
	if mayRun {
		return record.Row{Outcome: wire.OutcomeUnknown, Code: record.NoAnswer,
			Message: "the plugin had the call and cannot be reached any more: " + err.Error()}
	}
	return record.Row{Outcome: wire.OutcomeFailed, Code: "sextant.not_sent",
		Retry: "transport", Message: "the plugin cannot be reached, nothing was done: " + err.Error()}
}

// Interpret turns the answer of a plugin into outcomes. What is not an answer
// leaves it open what was done.
func (t Of) Interpret(a *gateway.Answer, mayRun bool) []*record.Row {
	var resp wire.Response
	err := json.Unmarshal(a.Body, &resp)
	switch {
	case a.Status >= 400 && a.Status < 500 && !mayRun:
		message := resp.ResultMessage
		if err != nil || message == "" {
			message = fmt.Sprintf("status %d", a.Status)
		}
		return t.All(record.Row{Outcome: wire.OutcomeFailed, Code: "sextant.refused", Message: "the plugin refused the call: " + message})
	case a.Status >= 400:
		return t.All(record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.plugin_failed",
			Message: fmt.Sprintf("the plugin answered with status %d: %.200s", a.Status, a.Body)})
	case err != nil:
		return t.All(record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.garbage",
			Message: fmt.Sprintf("the plugin's answer is not the JSON of a service call: %.100q", a.Body)})
	}
	return t.Outcomes(resp)
}

// Outcomes takes the outcome of each row of a call from an answer. A row that
// the plugin does not mention is unknown.
func (t Of) Outcomes(resp wire.Response) []*record.Row {
	byID := map[string]wire.Row{}
	for _, o := range resp.Results.Outputs {
		byID[Plain(o[wire.FieldCallback])] = o
	}
	rows := t.All(record.Row{})
	for _, r := range rows {
		o, ok := byID[r.Object]
		if !ok {
			o, ok = byID[alone(rows, r)]
		}
		if !ok {
			r.Outcome, r.Code = wire.OutcomeUnknown, "sextant.row_missing"
			r.Message = fmt.Sprintf("the plugin's answer has no row with callbackParameter %q", r.Object)
			if resp.ResultCode != wire.CodeOK && len(resp.Results.Outputs) == 0 {
				r.Outcome, r.Code, r.Message = wire.OutcomeFailed, "sextant.failed", resp.ResultMessage
			}
			continue
		}
		t.outcome(r, o)
	}
	return rows
}

// Named lists the rows that an answer names and that are none of its call, by their
// references or by the ids of their objects.
func Named(resp wire.Response, rows []*record.Row) (strange []string) {
	own, ids := map[string]bool{}, map[string]int{}
	for _, r := range rows {
		own[r.Object] = true
		ids[idOf(r.Object)]++
	}
	for _, o := range resp.Results.Outputs {
		if name := Plain(o[wire.FieldCallback]); !own[name] && ids[name] != 1 {
			strange = append(strange, name)
		}
	}
	return strange
}

// alone is the id of a row's object where no other row of the call has the same:
// a plugin may answer by it, too.
func alone(rows []*record.Row, r *record.Row) string {
	id := idOf(r.Object)
	for _, other := range rows {
		if other != r && idOf(other.Object) == id {
			return r.Object
		}
	}
	return id
}

// idOf is what stands behind the type in the reference of an object.
func idOf(ref string) string {
	_, id, ok := strings.Cut(ref, "/")
	if !ok {
		return ref
	}
	return id
}

func (t Of) outcome(r *record.Row, o wire.Row) {
	r.Code, r.Message, r.Retry = Plain(o[wire.FieldErrorCode]), Plain(o[wire.FieldErrorMessage]), Plain(o["retryOn"])
	r.Outcome = wire.Outcome(Plain(o[wire.FieldOutcome]))
	switch {
	case r.Outcome == "" && (r.Code == wire.CodeOK || r.Code == ""):
		r.Outcome = wire.OutcomeOK
	case r.Outcome == "":
		r.Outcome = wire.OutcomeFailed
	case !r.Outcome.Valid():
		r.Message = fmt.Sprintf("the plugin says %q, which is no outcome", r.Outcome)
		r.Outcome, r.Code = wire.OutcomeUnknown, "sextant.garbage"
	}
	if r.Done() {
		r.Code = ""
	}
	r.Outputs = wire.Row{}
	for _, p := range t.Output {
		if v, ok := o[p.Name]; ok && !p.Secret {
			r.Outputs[p.Name] = v
		}
	}
}

// Plain is a JSON text without its quotes, or the JSON itself.
func Plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}
