package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

type loginOptions struct{ name, link string }

func (a *app) loginCmd() *cobra.Command {
	var o loginOptions
	c := &cobra.Command{
		Use: "login", Short: "Log in and keep the log-in for later commands",
		Long: "Logs in with name and password, or with the one-time link that the first start of a server prints. " +
			"The password is asked for, or read from standard input where that is no terminal." + command.ExitHelp,
		Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.login(c.Context(), o) },
	}
	c.Flags().StringVar(&o.name, "name", "admin", "user name")
	c.Flags().StringVar(&o.link, "link", "", "one-time link instead of a password")
	return c
}

func (a *app) login(ctx context.Context, o loginOptions) error {
	url, _, err := a.target.address()
	if err != nil {
		return err
	}
	api := &client.Client{URL: url}
	var out client.SessionOutBody
	if o.link != "" {
		err = api.Call(ctx, "POST", "/api/v1/session/link", client.RedeemInBody{Link: o.link[strings.LastIndexAny(o.link, "/#=")+1:]}, &out)
	} else {
		var password string
		if password, err = a.password(o.name, ", or use --link"); err == nil {
			err = api.Call(ctx, "POST", "/api/v1/session", client.LoginInBody{Name: o.name, Password: password}, &out)
		}
	}
	if err != nil {
		return err
	}
	path, err := a.target.path()
	if err != nil {
		return err
	}
	if err := (credentials{url, out.Token}).save(path); err != nil {
		return err
	}
	return a.Show(map[string]any{"url": url, "expires": out.Expires}, func(w io.Writer) {
		fmt.Fprintf(w, "Logged in at %s until %s.\n", url, out.Expires.Local().Format("2006-01-02 15:04"))
	})
}

// password asks for the password of somebody; otherwise is what he may give instead
// where nothing comes.
func (a *app) password(name, otherwise string) (string, error) {
	if f, ok := a.In.(*os.File); ok && terminal(f) {
		fmt.Fprintf(a.Err, "Password of %s: ", name)
		raw, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.Err)
		return string(raw), err
	}
	line, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil && line == "" {
		return "", command.Usage("give the password on standard input%s", otherwise)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
