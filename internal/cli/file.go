package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
)

func (a *app) fileCmd() *cobra.Command {
	put := &cobra.Command{
		Use: "put <file>", Short: "Store a file for runs to use; prints the SHA-256 that names it", Args: command.Exactly(1, "a file"),
		RunE: func(c *cobra.Command, args []string) error { return a.putFile(c.Context(), args[0]) },
	}
	return command.Group("file", "Files that runs use, named by their SHA-256", put)
}

func (a *app) putFile(ctx context.Context, path string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var stored struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	}
	if err := api.Upload(ctx, "/api/v1/blobs", "application/octet-stream", f, &stored); err != nil {
		return err
	}
	return a.Show(stored, func(w io.Writer) { fmt.Fprintln(w, stored.SHA256) })
}
