package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

// pluginVersionCmd is about the versions of plugins.
func (a *app) pluginVersionCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list <plugin>", Short: "Versions of a plugin, what they require and who would miss them", Args: command.Exactly(1, "a plugin"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.versions(c.Context(), "GET", versionsOf(args[0]))
		},
	}
	disable := &cobra.Command{
		Use: "disable <plugin> <version>", Short: "Switch a version off", Args: command.Exactly(2, "a plugin and a version"),
		Long: "Switches a version off: its services are not offered any more, and what needs them is refused. Calls under way end. " +
			"A version that others require stays." + command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			return a.versions(c.Context(), "POST", versionsOf(args[0])+"/"+url.PathEscape(args[1])+"/disable")
		},
	}
	enable := &cobra.Command{
		Use: "enable <plugin> <version>", Short: "Switch a version on", Args: command.Exactly(2, "a plugin and a version"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.versions(c.Context(), "POST", versionsOf(args[0])+"/"+url.PathEscape(args[1])+"/enable")
		},
	}
	return command.Group("version", "The versions of a plugin", list, disable, enable)
}

func versionsOf(plugin string) string {
	return "/api/v1/plugins/" + url.PathEscape(plugin) + "/versions"
}

func (a *app) versions(ctx context.Context, method, path string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfPluginVersion
	if err := api.Call(ctx, method, path, nil, &page); err != nil {
		return err
	}
	return a.Show(page, func(w io.Writer) {
		for _, v := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Version, v.State, needs(v.Requires), strings.Join(v.RequiredBy, ", "))
		}
	})
}

// needs says what a version requires, and what of it is missing.
func needs(all []client.PluginNeed) string {
	var said []string
	for _, n := range all {
		one := strings.TrimSpace(n.Plugin + " " + n.Version)
		if n.Missing != "" {
			one += " (" + n.Missing + ")"
		}
		said = append(said, one)
	}
	return strings.Join(said, ", ")
}
