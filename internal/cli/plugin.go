package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/terminal/live"
	"sextant/internal/terminal/table"
	"sextant/sdk/go/client"
)

func (a *app) pluginCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Plugins with their states and services", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.plugins(c.Context()) },
	}
	var o runOptions
	call := &cobra.Command{
		Use: "call <plugin>/<service>/<action>", Short: "Call a service on objects: a run of one step",
		Long: "Asks the door for a run of one step. Inputs that the manifest does not take from the object are given with --var." +
			command.ExitHelp,
		Args: command.Exactly(1, "a service: plugin/service/action"),
		RunE: func(c *cobra.Command, args []string) error {
			vars, err := o.variables(nil)
			if err != nil {
				return err
			}
			return a.call(c.Context(), args[0], vars, o.objects)
		},
	}
	call.Flags().StringArrayVar(&o.objects, "object", nil, "what the service acts on, package:type/id; may be given many times")
	call.Flags().StringArrayVar(&o.vars, "var", nil, "name=value, an input; may be given many times")
	remove := &cobra.Command{
		Use: "remove <name>", Short: "Un-register a plugin that runs elsewhere", Args: command.Exactly(1, "a plugin"),
		Long: "Un-registers a plugin that was connected from elsewhere. It stays while runs wait for its calls, " +
			"other plugins require it, or their types refer to its objects." + command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error { return a.removePlugin(c.Context(), args[0]) },
	}
	return command.Group("plugin", "Plugins and their services", list, call, remove,
		a.instanceCmd(), a.pluginVersionCmd(), a.pluginSettingCmd())
}

func (a *app) removePlugin(ctx context.Context, name string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	return api.Call(ctx, "DELETE", "/api/v1/plugins/"+url.PathEscape(name), nil, nil)
}

func (a *app) plugins(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfPluginListed
	if err := api.Call(ctx, "GET", "/api/v1/plugins", nil, &page); err != nil {
		return err
	}
	return a.Show(page, func(w io.Writer) {
		for _, m := range page.Items {
			fmt.Fprintf(w, "%s %s\t%s\t%s\n", m.Plugin, m.Version, strings.TrimSpace(string(m.State)+" "+m.Reason), m.Title["en"])
			for _, s := range m.Services {
				for _, act := range s.Actions {
					fmt.Fprintf(w, "  %s/%s/%s\t%s\t%s\n", m.Plugin, s.Name, act.Action, act.Risk, act.Title["en"])
				}
			}
		}
	})
}

// call runs a service as a run of one step, waits for it and shows its rows.
func (a *app) call(ctx context.Context, service string, vars map[string]any, objects []string) error {
	if strings.Count(service, "/") != 2 {
		return command.Usage("%q is no service: write plugin/service/action", service)
	}
	api, err := a.target.client()
	if err != nil {
		return err
	}
	body := map[string]any{"project": a.target.project, "service": service, "variables": vars, "onFailure": "fail"}
	if len(objects) > 0 {
		body["objects"] = objects
	}
	var v client.ControlVerdict
	if err := api.Call(ctx, "POST", "/api/v1/calls", body, &v); err != nil {
		return err
	}
	var last client.ProcessRun
	quiet := table.News(ctx, api, v.Run, a.Err)
	err = api.Watch(ctx, v.Run, nil, func(u client.Update) bool {
		last = u.Run
		return u.Run.State == "active" || u.Run.State == "stopping"
	})
	if quiet(); err != nil {
		return a.left(ctx, v.Run, err)
	}
	var jobs client.PageOfDispatchJobState
	if err := api.Call(ctx, "GET", "/api/v1/runs/"+v.Run+"/jobs", nil, &jobs); err != nil {
		return err
	}
	if err := a.Show(map[string]any{"run": last, "jobs": jobs.Items}, func(w io.Writer) { table.Rows(w, jobs.Items) }); err != nil {
		return err
	}
	if !a.JSON {
		if err := table.Whole(a.Out, jobs.Items); err != nil {
			return err
		}
	}
	if last.State != "completed" {
		return a.stopped(ctx, api, last)
	}
	return nil
}

// decided tells who ended a run, and why; without the right to know only why.
func (a *app) decided(ctx context.Context, api *client.Client, r client.ProcessRun) {
	var page client.PageOfProcessDecision
	if err := api.Call(ctx, "GET", "/api/v1/runs/"+r.Key+"/decisions", nil, &page); err == nil {
		for _, d := range page.Items {
			if d.Verb == client.RunCancel || d.Verb == client.RunGiveUp {
				verb := map[client.ProcessDecisionVerb]string{client.RunCancel: "was cancelled by", client.RunGiveUp: "was given up by"}[d.Verb]
				fmt.Fprintf(a.Err, "run %s %s %s: %s\n", r.Key, verb, d.Who, d.Reason)
			}
		}
		return
	}
	fmt.Fprintf(a.Err, "run %s is %s: %s\n", r.Key, r.State, r.Code)
}

// stopped tells why a run of one step did not complete. One that stands still is
// ended as failed: nobody would come back to it, and it would keep its objects. What
// may still be at work on them keeps them.
func (a *app) stopped(ctx context.Context, api *client.Client, r client.ProcessRun) error {
	if r.State == "cancelled" {
		a.decided(ctx, api, r)
	}
	if r.State != "incident" {
		var steps client.PageOfProcessStep
		if err := api.Call(ctx, "GET", "/api/v1/runs/"+r.Key+"/steps", nil, &steps); err != nil {
			return err
		}
		for _, step := range steps.Items {
			if step.Type == "service" && step.Message != "" {
				fmt.Fprintf(a.Err, "%s\n", step.Message)
			}
		}
		return command.Outcome{Code: command.ExitFailed}
	}
	var page client.PageOfProcessIncident
	if err := api.Call(ctx, "GET", client.Query("/api/v1/incidents", "project", r.Project, "run", r.Key), nil, &page); err != nil {
		return err
	}
	why := "the call failed"
	for i, one := range page.Items {
		fmt.Fprintf(a.Err, "%s\n", one.Message)
		if one.Kind == "unknown" {
			fmt.Fprintf(a.Err, "run %s waits and keeps its objects: look at them, then retry, skip or cancel (sextant incident list shows it)\n",
				r.Key)
			return command.Outcome{Code: command.ExitFailed}
		}
		if i == 0 {
			why += ": " + live.Short(one.Message)
		}
	}
	if err := api.Call(ctx, "POST", "/api/v1/runs/"+r.Key+"/cancel", client.CancelBody{Reason: short(why), Failed: true}, nil); err != nil {
		return err
	}
	return command.Outcome{Code: command.ExitFailed}
}

// short keeps a reason within what the server takes.
func short(text string) string {
	const most = 500
	if all := []rune(text); len(all) > most {
		return string(all[:most])
	}
	return text
}
