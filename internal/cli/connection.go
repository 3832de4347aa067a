package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/terminal/table"
	"sextant/sdk/go/client"
)

// connectionOptions are what the flags of connection set say.
type connectionOptions struct {
	typ, environment                       string
	targets, fields, secrets, files, unset []string
	given                                  func(flag string) bool
}

func (a *app) connectionCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Connections without their secrets", Args: command.Exactly(0, "no arguments"),
		Long: "Lists the connections: name, type, environment, what they may be used on, and when they changed." + command.ExitHelp,
		RunE: func(c *cobra.Command, _ []string) error { return a.connections(c.Context()) },
	}
	show := &cobra.Command{
		Use: "show <name>", Short: "A connection without its secrets", Args: command.Exactly(1, "a name"),
		RunE: func(c *cobra.Command, args []string) error { return a.showConnection(c.Context(), args[0]) },
	}
	remove := &cobra.Command{
		Use: "delete <name>", Short: "Remove a connection with its secrets", Args: command.Exactly(1, "a name"),
		RunE: func(c *cobra.Command, args []string) error { return a.deleteConnection(c.Context(), args[0]) },
	}
	var o connectionOptions
	set := &cobra.Command{
		Use: "set <name>", Short: "Create or change a connection", Args: command.Exactly(1, "a name"),
		Long: `Creates a connection, or changes one. A connection that is there keeps its type, its environment, ` +
			`its targets, its fields and its secrets, each unless a flag says otherwise. The right connection.write is enough; who may ` +
			`read the connection too changes the version that he has seen, and nothing where somebody else has changed it meanwhile (exit code 4).

Secrets are read from files, or given as name=value where others cannot see your commands; they are sealed and never shown again.` +
			command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			o.given = c.Flags().Changed
			return a.setConnection(c.Context(), args[0], o)
		},
	}
	set.Flags().StringVar(&o.typ, "type", "", "what it connects to; a new connection is ssh unless you say")
	set.Flags().StringVar(&o.environment, "environment", "",
		`where it serves; "" takes the environment away, and the connection serves all of them`)
	set.Flags().StringArrayVar(&o.targets, "target", nil, `what it may be used on: an object path such as "host:host{environment `+
		`eq 'dev'}" or addresses such as 10.1.*; may be given many times, replaces all targets that are there; "" takes them away`)
	set.Flags().StringArrayVar(&o.fields, "field", nil, "name=value; name= removes the field; may be given many times")
	set.Flags().StringArrayVar(&o.secrets, "secret", nil, "name=value; may be given many times")
	set.Flags().StringArrayVar(&o.files, "secret-file", nil, "name=file; may be given many times")
	set.Flags().StringArrayVar(&o.unset, "unset", nil, "name of a field or secret that is removed; may be given many times")
	return command.Group("connection", "Connections to foreign systems", list, show, set, remove)
}

func (a *app) connectionPath(name string, below ...string) string {
	return client.Query("/api/v1/connections/"+url.PathEscape(name)+strings.Join(below, ""), "project", a.target.project)
}

// setConnection changes the version of a connection that it has read, and any where
// it may not read.
func (a *app) setConnection(ctx context.Context, name string, o connectionOptions) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	in, err := o.change()
	if err != nil {
		return err
	}
	version, err := a.versionOf(ctx, api, name)
	if err != nil {
		return fmt.Errorf("reading what connection/%s has: %w", name, err)
	}
	var out client.SettingConnection
	put := func(version string) error {
		header := map[string]string{}
		if version != "" {
			header["If-Match"] = version
		}
		return api.CallWith(ctx, "POST", a.connectionPath(name, "/changes"), header, in, &out)
	}
	err = put(version)
	var refused *client.Error
	if version == none && errors.As(err, &refused) && refused.Code == "connection.stale" {
		// There is one: somebody has made it meanwhile, or it may not be read here.
		if now, bad := a.versionOf(ctx, api, name); bad == nil && now == none {
			err = put("")
		}
	}
	if errors.As(err, &refused) && refused.Code == "connection.secret_field" {
		return command.Usage("--field: %s (--secret gives one, --unset removes one)", refused.Title)
	}
	if err != nil {
		return err
	}
	return a.Show(out, func(w io.Writer) { fmt.Fprintf(w, "connection/%s\tversion %d\n", out.Name, out.Version) })
}

// none is the version of a connection that is not there.
const none = `"0"`

// versionOf is the version of a connection as a header wants it; empty where nothing
// may be read.
func (a *app) versionOf(ctx context.Context, api *client.Client, name string) (string, error) {
	var c client.SettingConnection
	var refused *client.Error
	switch err := api.Call(ctx, "GET", a.connectionPath(name), nil, &c); {
	case err == nil:
		return fmt.Sprintf(`"%d"`, c.Version), nil
	case errors.As(err, &refused) && refused.Code == "connection.not_found":
		return none, nil
	case errors.As(err, &refused) && (refused.Status == 403 || refused.Status == 422): // a name that is none is refused by the change
		return "", nil
	default:
		return "", err
	}
}

// change is what the flags say.
func (o connectionOptions) change() (map[string]any, error) {
	in := map[string]any{}
	if o.typ != "" {
		in["type"] = o.typ
	}
	if o.given("environment") {
		in["environment"] = o.environment
	}
	if o.given("target") {
		targets := []string{}
		for _, t := range o.targets {
			if t != "" {
				targets = append(targets, t)
			}
		}
		in["targets"] = targets
	}
	fields, secrets := map[string]any{}, map[string]string{}
	for _, f := range o.fields {
		name, text, ok := strings.Cut(f, "=")
		switch {
		case !ok || name == "":
			return nil, command.Usage("--field %q: want name=value", f)
		case text == "":
			fields[name] = nil
		default:
			fields[name] = valueOf(typeAny, text)
		}
	}
	if err := o.secretsInto(secrets); err != nil {
		return nil, err
	}
	in["fields"], in["secrets"] = fields, secrets
	if len(o.unset) > 0 {
		in["unset"] = o.unset
	}
	return in, nil
}

func (a *app) showConnection(ctx context.Context, name string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var c client.SettingConnection
	if err := api.Call(ctx, "GET", a.connectionPath(name), nil, &c); err != nil {
		return err
	}
	return a.Show(c, func(w io.Writer) {
		fmt.Fprintf(w, "connection/%s\tversion %d, %s\n", c.Name, c.Version, c.Updated.Local().Format("2006-01-02 15:04"))
		fmt.Fprintf(w, "type\t%s\nenvironment\t%s\ntargets\t%s\n", c.Type, cmp.Or(c.Environment, "every environment"),
			cmp.Or(strings.Join(c.Targets, ", "), "every object"))
		for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
			text := table.Plain(c.Fields[field])
			if isSecret(c.Name, field, c.Fields[field]) {
				text = "(sealed)"
			}
			fmt.Fprintf(w, "%s\t%s\n", field, text)
		}
	})
}

func (a *app) deleteConnection(ctx context.Context, name string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	if err := api.Call(ctx, "DELETE", a.connectionPath(name), nil, nil); err != nil {
		return err
	}
	return a.Show(map[string]string{"result": "deleted"}, func(w io.Writer) { fmt.Fprintln(w, "deleted") })
}

// isSecret says whether a field stands for a secret of the connection itself.
func isSecret(connection, field string, v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 1 && m["$secret"] == "connection/"+connection+"#"+field
}

func (o connectionOptions) secretsInto(secrets map[string]string) error {
	for _, s := range o.secrets {
		name, v, ok := strings.Cut(s, "=")
		if !ok {
			return command.Usage("--secret: want name=value")
		}
		secrets[name] = v
	}
	for _, s := range o.files {
		name, file, ok := strings.Cut(s, "=")
		if !ok {
			return command.Usage("--secret-file %q: want name=file", s)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		secrets[name] = string(data)
	}
	return nil
}

func (a *app) connections(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfSettingConnection
	if err := api.Call(ctx, "GET", client.Query("/api/v1/connections", "project", a.target.project, "limit", client.Limit(500)),
		nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, command.Onward("/api/v1/connections", page.Next))
	return a.Show(page, func(w io.Writer) {
		for _, c := range page.Items {
			fmt.Fprintf(w, "connection/%s\t%s\t%s\t%s\t%s\n", c.Name, c.Type, cmp.Or(c.Environment, "every environment"),
				cmp.Or(strings.Join(c.Targets, ", "), "every object"), c.Updated.Local().Format("2006-01-02 15:04"))
		}
	})
}
