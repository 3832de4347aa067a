package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

// connectionOptions are what the flags of connection set say.
type connectionOptions struct {
	typ, environment                string
	targets, fields, secrets, files []string
	given                           func(flag string) bool
}

func (a *app) connectionCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Connections without their secrets", Args: command.Exactly(0, "no arguments"),
		Long: "Lists the connections: name, type, environment, what they may be used on, and when they changed." + command.ExitHelp,
		RunE: func(c *cobra.Command, _ []string) error { return a.connections(c.Context()) },
	}
	var o connectionOptions
	set := &cobra.Command{
		Use: "set <name>", Short: "Create or change a connection", Args: command.Exactly(1, "a name"),
		Long: `Creates a connection, or changes one. A connection that is there keeps its type, its environment, its targets, its fields and its secrets, each unless a flag says otherwise; if somebody else changes it meanwhile, nothing is changed (exit code 4).

Secrets are read from files, or given as name=value where others cannot see your commands; they are sealed and never shown again.` + command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			o.given = c.Flags().Changed
			return a.setConnection(c.Context(), args[0], o)
		},
	}
	set.Flags().StringVar(&o.typ, "type", "", "what it connects to; a new connection is ssh unless you say")
	set.Flags().StringVar(&o.environment, "environment", "", `where it serves; "" takes the environment away, and the connection serves all of them`)
	set.Flags().StringArrayVar(&o.targets, "target", nil, `what it may be used on: an object path such as "host:host{environment eq 'dev'}" or addresses such as 10.1.*; may be given many times, replaces all targets that are there; "" takes them away`)
	set.Flags().StringArrayVar(&o.fields, "field", nil, "name=value; name= removes the field; may be given many times")
	set.Flags().StringArrayVar(&o.secrets, "secret", nil, "name=value; may be given many times")
	set.Flags().StringArrayVar(&o.files, "secret-file", nil, "name=file; may be given many times")
	return command.Group("connection", "Connections to foreign systems", list, set)
}

// setConnection changes the version of a connection that it has read, and no other.
func (a *app) setConnection(ctx context.Context, name string, o connectionOptions) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	old, err := a.connection(ctx, api, name)
	if err != nil {
		return fmt.Errorf("reading what connection/%s has: %w", name, err)
	}
	in, err := o.change(old)
	if err != nil {
		return err
	}
	var out client.SettingConnection
	path := client.Query("/api/v1/connections/"+url.PathEscape(name), "project", a.target.project)
	if err := api.CallWith(ctx, "PUT", path, map[string]string{"If-Match": fmt.Sprintf(`"%d"`, old.Version)}, in, &out); err != nil {
		return err
	}
	return a.Show(out, func(w io.Writer) { fmt.Fprintf(w, "connection/%s\tversion %d\n", out.Name, out.Version) })
}

// connection finds a connection by name; one that is not there has version 0.
func (a *app) connection(ctx context.Context, api *client.Client, name string) (client.SettingConnection, error) {
	for after := ""; ; {
		var page client.PageOfSettingConnection
		if err := api.Call(ctx, "GET", client.Query("/api/v1/connections", "project", a.target.project, "limit", client.Limit(500), "after", after), nil, &page); err != nil {
			return client.SettingConnection{}, err
		}
		for _, c := range page.Items {
			if c.Name == name {
				return c, nil
			}
		}
		if after = page.Next; after == "" {
			return client.SettingConnection{Name: name}, nil
		}
	}
}

// change is a connection as it is to be: what it has, and what the flags say.
func (o connectionOptions) change(old client.SettingConnection) (client.SettingInput, error) {
	in := client.SettingInput{Type: cmp.Or(o.typ, old.Type, "ssh"), Environment: old.Environment, Targets: old.Targets, Fields: map[string]any{}, Secrets: map[string]string{}}
	if o.given("environment") {
		in.Environment = o.environment
	}
	if o.given("target") {
		in.Targets = nil
		for _, t := range o.targets {
			if t != "" {
				in.Targets = append(in.Targets, t)
			}
		}
	}
	sealed := map[string]bool{}
	for name, v := range old.Fields {
		if sealed[name] = isSecret(old.Name, name, v); !sealed[name] {
			in.Fields[name] = v
		}
	}
	for _, f := range o.fields {
		name, text, ok := strings.Cut(f, "=")
		switch {
		case !ok || name == "":
			return in, command.Usage("--field %q: want name=value", f)
		case sealed[name]:
			return in, command.Usage("--field %s: connection/%s has a secret of this name: give it with --secret", name, old.Name)
		case text == "":
			delete(in.Fields, name)
		default:
			in.Fields[name] = valueOf(typeAny, text)
		}
	}
	if err := o.secretsInto(in.Secrets); err != nil {
		return in, err
	}
	for name := range in.Secrets {
		delete(in.Fields, name) // it is kept in the clear no more
	}
	return in, nil
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
	if err := api.Call(ctx, "GET", client.Query("/api/v1/connections", "project", a.target.project, "limit", client.Limit(500)), nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, onward("/api/v1/connections", page.Next))
	return a.Show(page, func(w io.Writer) {
		for _, c := range page.Items {
			fmt.Fprintf(w, "connection/%s\t%s\t%s\t%s\t%s\n", c.Name, c.Type, cmp.Or(c.Environment, "every environment"),
				cmp.Or(strings.Join(c.Targets, ", "), "every object"), c.Updated.Local().Format("2006-01-02 15:04"))
		}
	})
}
