// Command gen writes api/openapi.yaml from the endpoints, and from it the types
// of the Go client.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"sextant/internal/server"
)

const generator = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	spec, err := server.OpenAPI(ctx, false)
	if err != nil {
		return err
	}
	if err := os.WriteFile("api/openapi.yaml", spec, 0o644); err != nil {
		return err
	}
	older, err := server.OpenAPI(ctx, true)
	if err != nil {
		return err
	}
	in, err := os.CreateTemp("", "openapi30-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(in.Name())
	if _, err := in.Write(older); err != nil {
		return err
	}
	if err := in.Close(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "run", generator, "-config", "api/gen/client.yaml", in.Name())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
