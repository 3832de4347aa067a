package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

type tokenOptions struct {
	scope []string
	days  int
}

func (a *app) tokenCmd() *cobra.Command {
	var o tokenOptions
	create := &cobra.Command{
		Use: "create <name>", Short: "Create an API token; it is shown once", Args: command.Exactly(1, "a name"),
		RunE: func(c *cobra.Command, args []string) error { return a.createToken(c.Context(), args[0], o) },
	}
	create.Flags().StringArrayVar(&o.scope, "scope", nil,
		"permission to narrow the token to, such as run.start; may be given many times, else all of yours")
	create.Flags().IntVar(&o.days, "days", 30, "days until it expires, up to 366")
	list := &cobra.Command{
		Use: "list", Short: "Your API tokens", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.tokens(c.Context()) },
	}
	revoke := &cobra.Command{
		Use: "revoke <id>", Short: "End an API token at once", Args: command.Exactly(1, "the id of a token"),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.target.client()
			if err != nil {
				return err
			}
			if err := api.Call(c.Context(), "DELETE", "/api/v1/tokens/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			return a.Show(map[string]string{"result": "revoked"}, func(w io.Writer) { fmt.Fprintln(w, "revoked") })
		},
	}
	return command.Group("token", "API tokens for programs", create, list, revoke)
}

func (a *app) createToken(ctx context.Context, name string, o tokenOptions) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	body := map[string]any{"name": name, "days": o.days}
	if len(o.scope) > 0 {
		body["scope"] = o.scope
	}
	var out client.CreateOutBody
	if err := a.confirmed(ctx, api, func() error { return api.Call(ctx, "POST", "/api/v1/tokens", body, &out) }); err != nil {
		return err
	}
	return a.Show(out, func(w io.Writer) { fmt.Fprintln(w, out.Token) })
}

func (a *app) tokens(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfIdentityToken
	if err := api.Call(ctx, "GET", "/api/v1/tokens?limit=500", nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, command.Onward("/api/v1/tokens", page.Next))
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "TOKEN\tNAME\tEXPIRES\tSCOPE")
		for _, t := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%v\n", t.Id, t.Name, t.Expires.Local().Format("2006-01-02"), t.Scope)
		}
	})
}

// confirmed makes a call that may need a fresh proof of who asks: then it asks
// for the password and calls once more.
func (a *app) confirmed(ctx context.Context, api *client.Client, call func() error) error {
	err := call()
	var p *client.Error
	if !errors.As(err, &p) || p.Code != "identity.reauth" {
		return err
	}
	password, err := a.password("your log-in, once more", "")
	if err != nil {
		return err
	}
	if err := api.Call(ctx, "POST", "/api/v1/session/proof", client.ProveInBody{Password: password}, nil); err != nil {
		return err
	}
	return call()
}
