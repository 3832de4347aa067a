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

type runsOptions struct {
	state, process, object string
	parent, called         string
	limit                  int
}

func (a *app) runsCmd() *cobra.Command {
	var o runsOptions
	list := &cobra.Command{
		Use: "list", Short: "Runs, newest first", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.listRuns(c.Context(), o) },
	}
	list.Flags().StringVar(&o.state, "state", "", "waiting, active, incident, stopping, completed, failed or cancelled")
	list.Flags().StringVar(&o.process, "process", "", "only runs of this process")
	list.Flags().StringVar(&o.object, "object", "", "only runs that were given this object")
	list.Flags().StringVar(&o.parent, "parent", "", "only runs that this run has called")
	list.Flags().StringVar(&o.called, "called", "", "no leaves out runs that others have called, only lists those alone")
	list.Flags().IntVar(&o.limit, "limit", 50, "how many at most, up to 500")
	show := &cobra.Command{
		Use: "show <run>", Short: "A run with its steps and every row's outcome", Args: command.Exactly(1, "the key of a run"),
		RunE: func(c *cobra.Command, args []string) error { return a.showRun(c.Context(), args[0]) },
	}
	watch := &cobra.Command{
		Use: "watch <run>", Short: "Watch a run live", Args: command.Exactly(1, "the key of a run"),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.target.client()
			if err != nil {
				return err
			}
			return a.follow(c.Context(), api, args[0])
		},
	}
	var reason string
	cancel := &cobra.Command{
		Use: "cancel <run>", Short: "End a run; what it has begun is told to stop", Args: command.Exactly(1, "the key of a run"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := command.Reasoned(reason); err != nil {
				return err
			}
			return a.act(c.Context(), "/api/v1/runs/"+url.PathEscape(args[0])+"/cancel", client.CancelBody{Reason: reason}, "cancelled")
		},
	}
	cancel.Flags().StringVar(&reason, "reason", "", "why")
	_ = cancel.MarkFlagRequired("reason") // the flag exists
	return command.Group("runs", "Runs",
		append([]*cobra.Command{list, show, watch, a.logCmd(), a.waitingCmd(), a.moveUpCmd(), cancel}, a.localRunsCmds()...)...)
}

func (a *app) listRuns(ctx context.Context, o runsOptions) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfProcessRun
	path := client.Query("/api/v1/runs", "project", a.target.project, "state",
		o.state, "process", o.process, "object", o.object, "parent", o.parent, "called", o.called, "limit", client.Limit(o.limit))
	if err := api.Call(ctx, "GET", path, nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, "ask for up to 500 with --limit, or narrow the list with --state, --process or --object")
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "RUN\tPROCESS\tSTATE\tSTARTED\tTOOK\tBY\tOBJECTS")
		for _, r := range page.Items {
			took := "…"
			if !r.Ended.IsZero() {
				took = r.Ended.Sub(r.Started).Round(100 * time.Millisecond).String()
			}
			fmt.Fprintf(w, "%s\t%s v%d\t%s\t%s\t%s\t%s\t%s\n", r.Key, r.Process,
				r.Version, r.State, r.Started.Local().Format("2006-01-02 15:04:05"), took, r.Subject, strings.Join(r.Objects, " "))
		}
	})
}

func (a *app) showRun(ctx context.Context, run string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	path := "/api/v1/runs/" + url.PathEscape(run)
	var r client.ProcessRun
	var steps client.PageOfProcessStep
	var jobs client.PageOfDispatchJobState
	for suffix, into := range map[string]any{"": &r, "/steps": &steps, "/jobs": &jobs} {
		if err := api.Call(ctx, "GET", path+suffix, nil, into); err != nil {
			return err
		}
	}
	return a.Show(map[string]any{"run": r, "steps": steps.Items, "jobs": jobs.Items}, func(w io.Writer) {
		fmt.Fprintf(w, "run %s\t%s v%d\t%s %s\tby %s\n", r.Key, r.Process, r.Version, r.State, r.Code, r.Subject)
		showCalls(w, r)
		fmt.Fprintln(w)
		rows := map[string]client.DispatchJobState{}
		for _, j := range jobs.Items {
			rows[j.Job] = j
		}
		for _, s := range steps.Items {
			if s.State != "incident" && (s.Type == "gateway" || s.Type == "start" || s.Type == "end") {
				continue
			}
			a.showStep(w, s, rows[s.Job])
		}
	})
}

func (a *app) showStep(w io.Writer, s client.ProcessStep, job client.DispatchJobState) {
	name := s.Name
	if name == "" {
		name = s.Element
	}
	if s.Index > 0 {
		name = fmt.Sprintf("%s %d", name, s.Index)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\n", s.State, name, s.Message)
	for _, r := range job.Rows {
		text := r.Message
		if r.Code != "" {
			text = r.Code + ": " + text
		}
		fmt.Fprintf(w, "\t  %s\t%s\t%s\n", r.Object, r.Outcome, text)
	}
}

// act makes a call that answers nothing.
func (a *app) act(ctx context.Context, path string, body any, done string) error {
	return a.remote().Act(ctx, path, body, done)
}

// showCalls names the run that has called a run, and those that it has called.
func showCalls(w io.Writer, r client.ProcessRun) {
	if r.Parent != "" {
		fmt.Fprintf(w, "called by run %s in its step %s\n", r.Parent, r.Caller)
	}
	for _, c := range r.Called {
		stuck := ""
		if c.Incidents > 0 {
			stuck = ", which waits for help: sextant runs show " + c.Run
		}
		fmt.Fprintf(w, "called run %s of %s in the step %s: %s%s\n", c.Run, c.Process, c.Step, c.State, stuck)
	}
}
