package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

// instanceCmd is about the places where a plugin that runs elsewhere answers.
func (a *app) instanceCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list <plugin>", Short: "The instances of a plugin that runs elsewhere", Args: command.Exactly(1, "a plugin"),
		RunE: func(c *cobra.Command, args []string) error { return a.instances(c.Context(), args[0]) },
	}
	weight := 1
	add := &cobra.Command{
		Use: "add <plugin> <address>", Short: "Add an instance", Args: command.Exactly(2, "a plugin and an address"),
		Long: "Adds an instance that was started with the plugin's token, in the version that is registered. Off this machine its " +
			"address begins with https." + command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			return a.instance(c.Context(), "POST", instancesOf(args[0]), map[string]any{"url": args[1], "weight": weight})
		},
	}
	add.Flags().IntVar(&weight, "weight", 1, "its share of the calls beside the others'")
	drain := &cobra.Command{
		Use: "drain <plugin> <instance>", Short: "Give an instance no new calls", Args: command.Exactly(2, "a plugin and an instance"),
		Long: "Gives an instance no new calls. Those under way end where they are, and so do those that it will call back for; " +
			"then it is drained and can be stopped, resumed or removed." + command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			return a.instance(c.Context(), "POST", instancesOf(args[0])+"/"+url.PathEscape(args[1])+"/drain", nil)
		},
	}
	resume := &cobra.Command{
		Use: "resume <plugin> <instance>", Short: "Have an instance that was drained take calls again",
		Args: command.Exactly(2, "a plugin and an instance"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.instance(c.Context(), "POST", instancesOf(args[0])+"/"+url.PathEscape(args[1])+"/resume", nil)
		},
	}
	remove := &cobra.Command{
		Use: "remove <plugin> <instance>", Short: "Forget an instance without calls", Args: command.Exactly(2, "a plugin and an instance"),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.target.client()
			if err != nil {
				return err
			}
			return api.Call(c.Context(), "DELETE", instancesOf(args[0])+"/"+url.PathEscape(args[1]), nil, nil)
		},
	}
	return command.Group("instance", "The places where plugins that run elsewhere answer", list, add, drain, resume, remove)
}

func instancesOf(plugin string) string {
	return "/api/v1/plugins/" + url.PathEscape(plugin) + "/instances"
}

func (a *app) instances(ctx context.Context, plugin string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfPluginInstance
	if err := api.Call(ctx, "GET", instancesOf(plugin), nil, &page); err != nil {
		return err
	}
	return a.Show(page, func(w io.Writer) {
		for _, i := range page.Items {
			showInstance(w, i)
		}
	})
}

// instance changes an instance and shows it.
func (a *app) instance(ctx context.Context, method, path string, body any) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var i client.PluginInstance
	if err := api.Call(ctx, method, path, body, &i); err != nil {
		return err
	}
	return a.Show(i, func(w io.Writer) { showInstance(w, i) })
}

func showInstance(w io.Writer, i client.PluginInstance) {
	fmt.Fprintf(w, "%s\t%s\tweight %d\t%s\t%d calls\t%s\n", i.Id, i.Url, i.Weight, i.State, i.Calls, i.Error)
}
