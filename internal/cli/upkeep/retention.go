package upkeep

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

const retentionPath = "/api/v1/retention"

// Retention are the commands on what is kept, and for how long.
func Retention(c command.Remote) *cobra.Command {
	r := remote{c}
	show := &cobra.Command{
		Use: "show", Short: "What is kept, for how long, how much there is, and when old things were removed",
		Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return r.retention(c.Context(), "GET") },
	}
	run := &cobra.Command{
		Use: "run", Short: "Remove what is older now, and not within the hour", Args: command.Exactly(0, "no arguments"),
		Long: "Has the server look for what is older than its settings (retention.*) now. " +
			"It is removed a little at a time; sextant retention show tells how it stands." + command.ExitHelp,
		RunE: func(c *cobra.Command, _ []string) error { return r.retention(c.Context(), "POST") },
	}
	return command.Group("retention", "What is kept, and for how long", show, run)
}

func (r remote) retention(ctx context.Context, method string) error {
	api, err := r.Client()
	if err != nil {
		return err
	}
	var page client.PageOfRetentionReport
	if err := api.Call(ctx, method, retentionPath, nil, &page); err != nil {
		return err
	}
	return r.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "KIND\tKEPT FOR\tSTATE\tCOUNT\tSIZE\tOLDEST\tREMOVED\tLAST REMOVED\tREASON")
		for _, k := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", k.Kind, keptFor(k.Days),
				k.State, counted(k.Count), sized(k.Bytes), command.Stamp(k.Oldest), k.Removed, command.Stamp(k.Last), k.Reason)
		}
	})
}

func keptFor(days int64) string {
	switch days {
	case 0:
		return "ever"
	case 1:
		return "1 day"
	}
	return fmt.Sprintf("%d days", days)
}

func counted(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func sized(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
