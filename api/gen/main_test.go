package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
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
	got, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("api/openapi.yaml is not that of the endpoints: run make gen")
	}
}

// Each schema of the description has a type in the client, and the client none beside.
func TestTheClientIsThatOfTheDescription(t *testing.T) {
	t.Parallel()
	description, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	client, err := os.ReadFile("../../sdk/go/client/types.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(description), "\n  schemas:\n")
	if !ok {
		t.Fatal("the description has no schemas")
	}
	schemas, types := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^    ([A-Za-z0-9_]+):$|^  \S`).FindAllStringSubmatch(part, -1) {
		if m[1] == "" {
			break // the next part of the components
		}
		schemas[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`// (\w+) defines model for (\w+)\.`).FindAllStringSubmatch(string(client), -1) {
		types[m[2]] = true
	}
	if len(schemas) < 50 {
		t.Fatalf("only %d schemas are found", len(schemas))
	}
	for name := range schemas {
		if !types[name] {
			t.Errorf("the client has no type for %s: run make gen", name)
		}
	}
	for name := range types {
		if !schemas[name] {
			t.Errorf("the client has a type for %s, which is not described any more: run make gen", name)
		}
	}
}
