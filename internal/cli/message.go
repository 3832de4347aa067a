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

func (a *app) messageCmd() *cobra.Command {
	var o runOptions
	m := client.MessageMessage{}
	publish := &cobra.Command{
		Use: "publish <name>", Short: "Publish a message to the runs that wait for it", Args: command.Exactly(1, "the name of a message"),
		Long: "One run of each process takes it, the one that has waited longest; " +
			"a process that begins with it is started. With --ttl it waits for those who come later." + command.ExitHelp,
		Example: "  sextant message publish paid --key A-7 --json-var amount=3 --ttl PT1H",
		RunE: func(c *cobra.Command, args []string) error {
			vars, err := o.variables(nil)
			if err != nil {
				return err
			}
			m.Name, m.Project, m.Variables = args[0], a.target.project, vars
			return a.tell(c.Context(), "/api/v1/messages", m)
		},
	}
	publish.Flags().StringVar(&m.CorrelationKey, "key", "", "correlation key by which the run is found")
	publish.Flags().StringVar(&m.MessageId, "id", "", "a second message with this id is refused while the first is there")
	publish.Flags().StringVar(&m.TimeToLive, "ttl", "", "how long it waits for somebody, such as PT1H")
	a.given(publish, &o)

	var w string
	waits := &cobra.Command{
		Use: "waits", Short: "What waits for messages and signals", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.waits(c.Context(), w) },
	}
	waits.Flags().StringVar(&w, "run", "", "only what this run waits for")
	var name string
	list := &cobra.Command{
		Use: "list", Short: "Messages that wait for somebody", Args: command.Exactly(0, "no arguments"),
		Long: "Lists your own messages that wait, or all with the right message.write. What they bring is not shown." + command.ExitHelp,
		RunE: func(c *cobra.Command, _ []string) error { return a.messages(c.Context(), name) },
	}
	list.Flags().StringVar(&name, "name", "", "only messages of this name")
	remove := &cobra.Command{
		Use: "delete <key>", Short: "Remove a message that waits", Args: command.Exactly(1, "the key of a message"),
		RunE: func(c *cobra.Command, args []string) error { return a.deleteMessage(c.Context(), args[0]) },
	}
	return command.Group("message", "Messages between runs and the world outside", publish, list, remove, waits)
}

func (a *app) messages(ctx context.Context, name string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfMessageBuffered
	if err := api.Call(ctx, "GET", client.Query("/api/v1/messages", "project", a.target.project, "name", name, "limit", client.Limit(500)),
		nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, command.Onward("/api/v1/messages", page.Next))
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "MESSAGE\tNAME\tKEY\tID\tBYTES\tBY\tSINCE\tUNTIL")
		for _, m := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", m.Key, m.Name, m.CorrelationKey,
				m.MessageId, m.Size, m.By, m.Created.Local().Format("2006-01-02 15:04:05"), m.Expires.Local().Format("2006-01-02 15:04:05"))
		}
	})
}

func (a *app) deleteMessage(ctx context.Context, key string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	if err := api.Call(ctx, "DELETE", "/api/v1/messages/"+url.PathEscape(key), nil, nil); err != nil {
		return err
	}
	return a.Show(map[string]string{"result": "deleted"}, func(w io.Writer) { fmt.Fprintln(w, "deleted") })
}

func (a *app) signalCmd() *cobra.Command {
	var o runOptions
	broadcast := &cobra.Command{
		Use: "broadcast <name>", Short: "Broadcast a signal to everything that waits for it", Args: command.Exactly(1, "the name of a signal"),
		Long: "Everything in the project that waits for it now hears it, and what begins with it is started; who comes later does not." +
			command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			vars, err := o.variables(nil)
			if err != nil {
				return err
			}
			return a.tell(c.Context(), "/api/v1/signals", client.MessageSignal{Name: args[0], Project: a.target.project, Variables: vars})
		},
	}
	a.given(broadcast, &o)
	return command.Group("signal", "Signals to everything that waits for them", broadcast)
}

// given adds the flags for variables.
func (a *app) given(c *cobra.Command, o *runOptions) {
	c.Flags().StringArrayVar(&o.vars, "var", nil, "name=value, a variable, as text; may be given many times")
	o.jsonFlag(c)
}

// tell publishes something and says who heard it.
func (a *app) tell(ctx context.Context, path string, what any) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var t client.MessageTold
	if err := api.Call(ctx, "POST", path, what, &t); err != nil {
		return err
	}
	err = a.Show(t, func(w io.Writer) {
		for _, h := range t.Runs {
			how := "heard"
			if h.Began {
				how = "began"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", how, h.Run, h.Process)
		}
		for _, r := range t.Refused {
			fmt.Fprintf(w, "refused\t%s\t%s\n", r.Process, r.Reason)
		}
		switch {
		case t.Buffered:
			fmt.Fprintf(w, "It waits for others until %s.\n", t.Expires.Local().Format("2006-01-02 15:04:05"))
		case len(t.Runs)+len(t.Refused) == 0:
			fmt.Fprintln(w, "Nobody waits for it.")
		}
	})
	if err == nil && len(t.Refused) > 0 && len(t.Runs) == 0 && !t.Buffered {
		return command.Outcome{Code: command.ExitRefused}
	}
	return err
}

func (a *app) waits(ctx context.Context, run string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfMessageWaiting
	if err := api.Call(ctx, "GET", client.Query("/api/v1/waits", "project", a.target.project, "run", run, "limit", client.Limit(500)),
		nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, command.Onward("/api/v1/waits", page.Next))
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "RUN\tPROCESS\tSTEP\tFOR\tNAME\tKEY\tSINCE")
		for _, p := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Run, p.Process, p.Element,
				p.Kind, p.Name, p.CorrelationKey, p.Since.Local().Format("2006-01-02 15:04:05"))
		}
	})
}
