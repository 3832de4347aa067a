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

// pluginSettingCmd is about what a plugin's manifest lets an operator set.
func (a *app) pluginSettingCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list <plugin>", Short: "The settings of a plugin, with what holds in the project", Args: command.Exactly(1, "a plugin"),
		RunE: func(c *cobra.Command, args []string) error { return a.pluginSettings(c.Context(), args[0]) },
	}
	set := &cobra.Command{
		Use: "set <plugin> <setting> <value>", Short: "Set a setting in the project", Args: command.Exactly(3, "a plugin, a setting and a value"),
		Long: "Sets a setting that the plugin declares. The value counts from the next call on that takes it." + command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			return a.setPluginSetting(c.Context(), args[0], args[1], args[2])
		},
	}
	reset := &cobra.Command{
		Use: "reset <plugin> <setting>", Short: "Let a setting have its default again", Args: command.Exactly(2, "a plugin and a setting"),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.target.client()
			if err != nil {
				return err
			}
			return api.Call(c.Context(), "DELETE", a.settingOf(args[0], args[1]), nil, nil)
		},
	}
	return command.Group("setting", "What the manifest of a plugin lets an operator set", list, set, reset)
}

func (a *app) settingOf(plugin, name string) string {
	path := "/api/v1/plugins/" + url.PathEscape(plugin) + "/settings"
	if name != "" {
		path += "/" + url.PathEscape(name)
	}
	return client.Query(path, "project", a.target.project)
}

func (a *app) pluginSettings(ctx context.Context, plugin string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfPluginSetting
	if err := api.Call(ctx, "GET", a.settingOf(plugin, ""), nil, &page); err != nil {
		return err
	}
	return a.Show(page, func(w io.Writer) {
		for _, s := range page.Items {
			showSetting(w, s)
		}
	})
}

func (a *app) setPluginSetting(ctx context.Context, plugin, name, value string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var s client.PluginSetting
	if err := api.Call(ctx, "PUT", a.settingOf(plugin, name), map[string]any{"value": value}, &s); err != nil {
		return err
	}
	return a.Show(s, func(w io.Writer) { showSetting(w, s) })
}

func showSetting(w io.Writer, s client.PluginSetting) {
	from := "default"
	if s.Set {
		from = fmt.Sprintf("version %d", s.Version)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Value, from, s.Type, s.Title["en"])
}
