package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sextant/sdk/go/client"
)

func (a *app) pluginCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Plugins with their states and services", Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.plugins(c.Context()) },
	}
	var o runOptions
	call := &cobra.Command{
		Use: "call <plugin>/<service>/<action>", Short: "Call a service on objects: a run of one step",
		Long: "Asks the door for a run of one step. Inputs that the manifest does not take from the object are given with --var." + exitHelp,
		Args: exactly(1, "a service: plugin/service/action"),
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
		Use: "remove <name>", Short: "Un-register a plugin that runs elsewhere", Args: exactly(1, "a plugin"),
		Long: "Un-registers a plugin that was connected from elsewhere. It stays while runs wait for its calls, other plugins require it, or their types refer to its objects." + exitHelp,
		RunE: func(c *cobra.Command, args []string) error { return a.removePlugin(c.Context(), args[0]) },
	}
	return group("plugin", "Plugins and their services", list, call, remove)
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
	return a.show(page, func(w io.Writer) {
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
		return usage("%q is no service: write plugin/service/action", service)
	}
	api, err := a.target.client()
	if err != nil {
		return err
	}
	body := map[string]any{"project": a.target.project, "service": service, "variables": vars}
	if len(objects) > 0 {
		body["objects"] = objects
	}
	var v client.ControlVerdict
	if err := api.Call(ctx, "POST", "/api/v1/calls", body, &v); err != nil {
		return err
	}
	var last client.ProcessRun
	err = api.Watch(ctx, v.Run, nil, func(u client.Update) bool {
		last = u.Run
		return u.Run.State == "active"
	})
	if err != nil {
		return err
	}
	var jobs client.PageOfDispatchStep
	if err := api.Call(ctx, "GET", "/api/v1/runs/"+v.Run+"/jobs", nil, &jobs); err != nil {
		return err
	}
	if err := a.show(map[string]any{"run": last, "jobs": jobs.Items}, func(w io.Writer) { showRows(w, jobs.Items) }); err != nil {
		return err
	}
	if last.State != "completed" {
		return a.stopped(ctx, api, last)
	}
	return nil
}

func showRows(w io.Writer, jobs []client.DispatchStep) {
	for _, j := range jobs {
		for _, r := range j.Rows {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.Object, r.Outcome, strings.TrimSpace(r.Message+" "+attributes(r.Outputs)))
		}
	}
}

// stopped tells why a run of one step did not complete, and ends it: nobody
// would come back to it.
func (a *app) stopped(ctx context.Context, api *client.Client, r client.ProcessRun) error {
	if r.State != "incident" {
		return outcome{ExitFailed}
	}
	var page client.PageOfProcessIncident
	if err := api.Call(ctx, "GET", client.Query("/api/v1/incidents", "project", r.Project, "run", r.Key), nil, &page); err != nil {
		return err
	}
	for _, i := range page.Items {
		fmt.Fprintf(a.Err, "%s\n", i.Message)
	}
	if err := api.Call(ctx, "POST", "/api/v1/runs/"+r.Key+"/cancel", client.CancelBody{Reason: "the call failed"}, nil); err != nil {
		return err
	}
	return outcome{ExitFailed}
}

func (a *app) connectionCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Connections without their secrets", Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.connections(c.Context()) },
	}
	var typ string
	var fields, secrets, files []string
	set := &cobra.Command{
		Use: "set <name>", Short: "Create or replace a connection", Args: exactly(1, "a name"),
		Long: "Creates or replaces a connection. Secrets are read from files, or given as name=value where others cannot see your commands; they are sealed and never shown again." + exitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			in, err := connectionInput(typ, fields, secrets, files)
			if err != nil {
				return err
			}
			return a.setConnection(c.Context(), args[0], in)
		},
	}
	set.Flags().StringVar(&typ, "type", "ssh", "what it connects to")
	set.Flags().StringArrayVar(&fields, "field", nil, "name=value; may be given many times")
	set.Flags().StringArrayVar(&secrets, "secret", nil, "name=value; may be given many times")
	set.Flags().StringArrayVar(&files, "secret-file", nil, "name=file; may be given many times")
	return group("connection", "Connections to foreign systems", list, set)
}

// anyType takes every value as JSON where it is some.
func anyType(pairs []string) map[string]string {
	types := map[string]string{}
	for _, p := range pairs {
		name, _, _ := strings.Cut(p, "=")
		types[name] = typeAny
	}
	return types
}

func connectionInput(typ string, fields, secrets, files []string) (client.SettingInput, error) {
	in := client.SettingInput{Type: typ, Secrets: map[string]string{}}
	plain := runOptions{vars: fields}
	var err error
	if in.Fields, err = plain.variables(anyType(fields)); err != nil {
		return in, err
	}
	for _, s := range secrets {
		name, v, ok := strings.Cut(s, "=")
		if !ok {
			return in, usage("--secret: want name=value")
		}
		in.Secrets[name] = v
	}
	for _, s := range files {
		name, file, ok := strings.Cut(s, "=")
		if !ok {
			return in, usage("--secret-file %q: want name=file", s)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return in, err
		}
		in.Secrets[name] = string(data)
	}
	return in, nil
}

func (a *app) setConnection(ctx context.Context, name string, in client.SettingInput) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var out client.SettingConnection
	if err := api.Call(ctx, "PUT", client.Query("/api/v1/connections/"+url.PathEscape(name), "project", a.target.project), in, &out); err != nil {
		return err
	}
	return a.show(out, func(w io.Writer) { fmt.Fprintf(w, "connection/%s\tversion %d\n", out.Name, out.Version) })
}

func (a *app) connections(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfSettingConnection
	if err := api.Call(ctx, "GET", client.Query("/api/v1/connections", "project", a.target.project, "limit", client.Limit(500)), nil, &page); err != nil {
		return err
	}
	a.cut(page.Next)
	return a.show(page, func(w io.Writer) {
		for _, c := range page.Items {
			fmt.Fprintf(w, "connection/%s\t%s\t%s\n", c.Name, c.Type, c.Updated.Local().Format("2006-01-02 15:04"))
		}
	})
}
