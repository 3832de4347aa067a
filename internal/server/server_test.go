package server_test

import (
	"testing"

	"sextant/internal/server"
)

func TestOpenAPIDescribesTheEndpoints(t *testing.T) {
	t.Parallel()
	data, err := server.OpenAPI(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(data))
	if testing.Verbose() {
		t.Log(string(data))
	}
}
