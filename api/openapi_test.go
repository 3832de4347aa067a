package api_test

import (
	"bytes"
	"os"
	"testing"

	"sextant/internal/server"
)

// The description that is kept is that of the endpoints.
func TestTheDescriptionIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := server.OpenAPI(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("api/openapi.yaml is not that of the endpoints: run make gen")
	}
}
