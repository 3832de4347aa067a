// Package upkeep holds the commands on what the platform does by itself: handlers of
// events, and the removal of what is old.
package upkeep

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

// remote is the platform that commands ask.
type remote struct{ command.Remote }

const handlersPath = "/api/v1/event-handlers"

// Events are the commands on what acts on events.
func Events(c command.Remote) *cobra.Command {
	r := remote{c}
	handlers := &cobra.Command{
		Use: "handlers", Short: "What acts on events, how far each has come, and what it could not do", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return r.eventHandlers(c.Context()) },
	}
	var state string
	var limit int
	parked := &cobra.Command{
		Use: "parked <handler>", Short: "The events that a handler could not act on yet, oldest first",
		Args: command.Exactly(1, "the name of a handler"),
		RunE: func(c *cobra.Command, args []string) error { return r.parkedEvents(c.Context(), args[0], state, limit) },
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
			return r.Act(c.Context(), one(args, "retry"), nil, "is tried again")
		},
	}
	var reason string
	skip := &cobra.Command{
		Use: "skip <handler> <event>", Short: "Let a handler pass over an event that it could not act on",
		Args: command.Exactly(2, "the name of a handler and the number of an event"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := command.Reasoned(reason); err != nil {
				return err
			}
			return r.Act(c.Context(), one(args, "skip"), map[string]any{"reason": reason}, "skipped")
		},
	}
	skip.Flags().StringVar(&reason, "reason", "", "why it need not be done; it is kept in the audit log")
	_ = skip.MarkFlagRequired("reason") // the flag exists
	return command.Group("event", "What acts on events, and what it could not do", handlers, parked, retry, skip)
}

func (r remote) eventHandlers(ctx context.Context) error {
	api, err := r.Client()
	if err != nil {
		return err
	}
	var page client.PageOfServerEventHandler
	if err := api.Call(ctx, "GET", handlersPath, nil, &page); err != nil {
		return err
	}
	return r.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "HANDLER\tSTATE\tEVENT\tNEWEST\tRETRYING\tBEHIND\tPARKED\tLAST ERROR")
		for _, h := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", h.Name, h.State, h.Sequence, h.Newest, h.Retrying, h.Behind, h.Parked, h.LastError)
		}
	})
}

func (r remote) parkedEvents(ctx context.Context, handler, state string, limit int) error {
	api, err := r.Client()
	if err != nil {
		return err
	}
	var page client.PageOfServerHeldEvent
	path := handlersPath + "/" + url.PathEscape(handler) + "/parked"
	if err := api.Call(ctx, "GET", client.Query(path, "state", state, "limit", client.Limit(limit)), nil, &page); err != nil {
		return err
	}
	r.Cut(page.Next, command.Onward(path, page.Next))
	return r.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "EVENT\tTYPE\tSUBJECT\tSTATE\tTRIES\tSINCE\tERROR")
		for _, e := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", e.Sequence, e.Type, e.Subject, e.State, e.Tries, command.Stamp(e.Since), e.Error)
		}
	})
}
