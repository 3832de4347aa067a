package answer_test

import (
	"errors"
	"slices"
	"testing"

	"sextant/internal/domain/dispatch/answer"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/gateway"
	"sextant/sdk/go/wire"
)

// call has the rows of its round and chunk; the job has others.
func call(objects ...string) answer.Of {
	of := answer.Of{Round: 1, Chunk: 2, Output: []wire.Param{{Name: "size"}, {Name: "key", Secret: true}}}
	of.Rows = append(of.Rows, &record.Row{Object: "p:t/earlier", Round: 0, Chunk: 2}, &record.Row{Object: "p:t/other", Round: 1, Chunk: 1})
	for _, o := range objects {
		of.Rows = append(of.Rows, &record.Row{Object: o, Round: 1, Chunk: 2})
	}
	return of
}

func TestInterpret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		mayRun bool
		want   []string // object outcome code
	}{
		"done": {200, `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"p:t/a","errorCode":"0"}]}}`,
			false, []string{"p:t/a ok ", "p:t/b unknown sextant.row_missing"}},
		"by the id alone": {
			200, `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"a","errorCode":"0"},{"callbackParameter":"b","errorCode":"7"}]}}`,
			false, []string{"p:t/a ok ", "p:t/b failed 7"}},
		"refused": {400, `{"resultMessage":"no"}`, false,
			[]string{"p:t/a failed sextant.refused", "p:t/b failed sextant.refused"}},
		"refused when it may run": {400, `{"resultMessage":"no"}`, true,
			[]string{"p:t/a unknown sextant.plugin_failed", "p:t/b unknown sextant.plugin_failed"}},
		"broken":  {500, `boom`, false, []string{"p:t/a unknown sextant.plugin_failed", "p:t/b unknown sextant.plugin_failed"}},
		"no JSON": {200, `<html>`, false, []string{"p:t/a unknown sextant.garbage", "p:t/b unknown sextant.garbage"}},
		"failed as a whole": {200, `{"resultCode":"1","resultMessage":"all wrong"}`,
			false, []string{"p:t/a failed sextant.failed", "p:t/b failed sextant.failed"}},
		"an outcome of its own": {200, `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"p:t/a",` +
			`"outcome":"splendid"},{"callbackParameter":"p:t/b","outcome":"unknown","errorCode":"x"}]}}`,
			false, []string{"p:t/a unknown sextant.garbage", "p:t/b unknown x"}},
		"of a row nobody asked": {200, `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"p:t/other","errorCode":"0"}]}}`,
			false, []string{"p:t/a unknown sextant.row_missing", "p:t/b unknown sextant.row_missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range call("p:t/a", "p:t/b").Interpret(&gateway.Answer{Status: c.status, Body: []byte(c.body)}, c.mayRun) {
				got = append(got, r.Object+" "+string(r.Outcome)+" "+r.Code)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Of two types a plugin may have objects with the same id: then the id names none.
func TestAnIdThatTwoHaveNamesNone(t *testing.T) {
	t.Parallel()
	body := `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"a","errorCode":"0"}]}}`
	for _, r := range call("p:t/a", "p:u/a").Interpret(&gateway.Answer{Status: 200, Body: []byte(body)}, false) {
		if r.Outcome != wire.OutcomeUnknown {
			t.Errorf("%s is %s", r.Object, r.Outcome)
		}
	}
}

// What is declared comes back; a secret does not, nor what nobody declared.
func TestOutputsAreThoseThatAreDeclared(t *testing.T) {
	t.Parallel()
	body := `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"p:t/a",` +
		`"errorCode":"0","size":12345678901234567890,"key":"k","more":1}]}}`
	rows := call("p:t/a").Interpret(&gateway.Answer{Status: 200, Body: []byte(body)}, false)
	if out := rows[0].Outputs; len(out) != 1 || string(out["size"]) != "12345678901234567890" {
		t.Errorf("%s", wire.Raw(out))
	}
}

// What never left did nothing and is tried again; what may have arrived is not known.
func TestUnreached(t *testing.T) {
	t.Parallel()
	if r := answer.Unreached(false, errors.New("refused")); r.Outcome != wire.OutcomeFailed || r.Retry != "transport" {
		t.Errorf("%+v", r)
	}
	if r := answer.Unreached(true, errors.New("refused")); r.Outcome != wire.OutcomeUnknown || r.Retry != "" {
		t.Errorf("%+v", r)
	}
}
