package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

// The verdicts that start no run now.
const (
	verdictWaits  = "WAIT"
	verdictMerged = "MERGED"
)

func (a *app) waitingCmd() *cobra.Command {
	var process string
	var limit int
	c := &cobra.Command{
		Use: "waiting", Short: "Runs that wait to start, in the order of the line", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.listWaiting(c.Context(), process, limit) },
	}
	c.Flags().StringVar(&process, "process", "", "only runs of this process")
	c.Flags().IntVar(&limit, "limit", 50, "how many at most, up to 500")
	return c
}

func (a *app) moveUpCmd() *cobra.Command {
	return &cobra.Command{
		Use: "move-up <run>", Short: "Let a run that waits come before all others that want the same",
		Args: command.Exactly(1, "the key of a run"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.act(c.Context(), "/api/v1/runs/"+url.PathEscape(args[0])+"/move-up", nil, "comes first now")
		},
	}
}

func (a *app) listWaiting(ctx context.Context, process string, limit int) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfControlWaiting
	path := client.Query("/api/v1/waiting", "project", a.target.project, "process", process, "limit", client.Limit(limit))
	if err := api.Call(ctx, "GET", path, nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, "ask for up to 500 with --limit, or narrow the list with --process")
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "RUN\tPROCESS\tPLACE\tSINCE\tUNTIL\tBY\tWAITS FOR")
		for _, r := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.Run, r.Process, r.Place, stamp(r.Since), stamp(r.Until), r.Subject, blockers(r.For))
		}
	})
}

func stamp(t time.Time) string { return command.Stamp(t) }

const namedBlockers = 3 // for whom a run waits

// blockers says for whom a run waits.
func blockers(all []client.ControlBlocker) string {
	if len(all) == 0 {
		return "its turn"
	}
	var named []string
	for i, b := range all {
		if i == namedBlockers {
			named = append(named, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		who := "a run that you may not see"
		if b.Run != "" {
			who = "run " + b.Run
		}
		named = append(named, fmt.Sprintf("%s (%s)", who, b.Object))
	}
	return strings.Join(named, ", ")
}

// note says on the side that a run does not begin now.
func (a *app) note(v client.ControlVerdict) {
	switch {
	case v.Verdict == verdictWaits:
		fmt.Fprintf(a.Err, "run %s waits for %s, at place %d, until %s at most; it starts by itself\n",
			v.Run, blockers(v.Wait.For), v.Wait.Place, stamp(v.Wait.Until))
	case v.Verdict == verdictMerged:
		fmt.Fprintf(a.Err, "run %s does the same already, and stands for this one\n", v.Run)
	}
}
