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

const handlersPath = "/api/v1/event-handlers"

func (a *app) eventCmd() *cobra.Command {
	handlers := &cobra.Command{
		Use: "handlers", Short: "What acts on events, how far each has come, and what it could not do", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.eventHandlers(c.Context()) },
	}
	var state string
	var limit int
	parked := &cobra.Command{
		Use: "parked <handler>", Short: "The events that a handler could not act on yet, oldest first",
		Args: command.Exactly(1, "the name of a handler"),
		RunE: func(c *cobra.Command, args []string) error { return a.parkedEvents(c.Context(), args[0], state, limit) },
	}
	parked.Flags().StringVar(&state, "state", "",
		"only those that are again (tried again), behind (an earlier one comes first) or parked (a person decides)")
	parked.Flags().IntVar(&limit, "limit", 50, "how many at most, up to 500")
	one := func(args []string, verb string) string {
		return handlersPath + "/" + url.PathEscape(args[0]) + "/parked/" + url.PathEscape(args[1]) + "/" + verb
	}
	retry := &cobra.Command{
		Use: "retry <handler> <event>", Short: "Let a handler act again at once on an event that failed",
		Args: command.Exactly(2, "the name of a handler and the number of an event"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.act(c.Context(), one(args, "retry"), nil, "is tried again")
		},
	}
	var reason string
	skip := &cobra.Command{
		Use: "skip <handler> <event>", Short: "Let a handler pass over an event that it could not act on",
		Args: command.Exactly(2, "the name of a handler and the number of an event"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := reasoned(reason); err != nil {
				return err
			}
			return a.act(c.Context(), one(args, "skip"), map[string]any{"reason": reason}, "skipped")
		},
	}
	skip.Flags().StringVar(&reason, "reason", "", "why it need not be done; it is kept in the audit log")
	_ = skip.MarkFlagRequired("reason") // the flag exists
	return command.Group("event", "What acts on events, and what it could not do", handlers, parked, retry, skip)
}

func (a *app) eventHandlers(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfServerEventHandler
	if err := api.Call(ctx, "GET", handlersPath, nil, &page); err != nil {
		return err
	}
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "HANDLER\tSTATE\tEVENT\tNEWEST\tRETRYING\tBEHIND\tPARKED\tLAST ERROR")
		for _, h := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", h.Name, h.State, h.Sequence, h.Newest, h.Retrying, h.Behind, h.Parked, h.LastError)
		}
	})
}

func (a *app) parkedEvents(ctx context.Context, handler, state string, limit int) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfServerHeldEvent
	path := handlersPath + "/" + url.PathEscape(handler) + "/parked"
	if err := api.Call(ctx, "GET", client.Query(path, "state", state, "limit", client.Limit(limit)), nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, onward(path, page.Next))
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "EVENT\tTYPE\tSUBJECT\tSTATE\tTRIES\tSINCE\tERROR")
		for _, e := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", e.Sequence, e.Type, e.Subject, e.State, e.Tries, stamp(e.Since), e.Error)
		}
	})
}
