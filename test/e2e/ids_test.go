package e2e_test

import (
	"errors"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// What is deployed can be read again: ids that cannot stand in an address, or read as
// others, are refused with their place.
func TestIdsThatCannotBeReadAgainAreRefused(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	deploy := map[string]func(id string) error{
		"process": func(id string) error {
			return p.Deploy([]byte(strings.Replace(opened+`<sequenceFlow id="f" sourceRef="s" targetRef="e"/>`+closed, `id="p"`, `id="`+id+`"`, 1)))
		},
		"decision": func(id string) error {
			xml := `<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="m" name="m" namespace="n"><decision id="` +
				id + `" name="d"><variable name="d"/><literalExpression><text>1</text></literalExpression></decision></definitions>`
			return p.Upload(t.Context(), "/api/v1/decisions", "application/xml", strings.NewReader(xml), nil)
		},
	}
	for what, one := range deploy {
		for _, id := range []string{".", "..", "../../x", "a/../b", "a//b", `a\b`, "a&#10;b", "a\u200bb", "a\u202eb"} {
			var refused *client.Error
			if err := one(id); !errors.As(err, &refused) || refused.Status != 422 ||
				len(refused.Fields) != 1 || refused.Fields[0].Code != what+".id" ||
				what == "process" && refused.Fields[0].Line == 0 || strings.ContainsAny(refused.Fields[0].Path, "\u200b\u202e\n") {
				t.Errorf("%s %q: %v %+v", what, id, err, refused)
			}
		}
		for _, id := range []string{"订单", "a.b-c_1"} {
			if err := one(id); err != nil {
				t.Errorf("%s %q: %v", what, id, err)
			}
		}
	}
}
