package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/terminal/live"
	"sextant/sdk/go/client"
)

func (a *app) incidentCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "What waits for help, newest first", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.incidents(c.Context()) },
	}
	var inputs, vars, outputs runOptions
	retry := &cobra.Command{
		Use: "retry <incident>", Short: "Try again, with the same or with new inputs; rows that are done are not done again",
		Args: command.Exactly(1, "the key of an incident"),
		RunE: func(c *cobra.Command, args []string) error {
			in, err := inputs.variables(nil)
			if err != nil {
				return err
			}
			v, err := vars.variables(nil)
			if err != nil {
				return err
			}
			out, err := outputs.variables(nil)
			if err != nil {
				return err
			}
			body := map[string]any{"inputs": in, "variables": v, "outputs": out}
			return a.act(c.Context(), "/api/v1/incidents/"+url.PathEscape(args[0])+"/retry", body, "taken up again")
		},
	}
	retry.Flags().StringArrayVar(&inputs.vars, "input", nil, "name=value, an input of the service to replace; may be given many times")
	retry.Flags().StringArrayVar(&vars.vars, "var", nil, "name=value, a variable to set first, as text; may be given many times")
	vars.jsonFlag(retry)
	retry.Flags().StringArrayVar(&outputs.vars, "output", nil,
		"name=value, an output to write to the objects in place of one that could not be written; may be given many times")
	var reason, flow string
	var results runOptions
	skip := &cobra.Command{
		Use: "skip <incident>", Short: "Leave the step as if it had completed", Args: command.Exactly(1, "the key of an incident"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := command.Reasoned(reason); err != nil {
				return err
			}
			v, err := results.variables(nil)
			if err != nil {
				return err
			}
			return a.act(c.Context(), "/api/v1/incidents/"+url.PathEscape(args[0])+"/skip",
				client.ProcessSkip{Reason: reason, Flow: flow, Variables: v}, "skipped")
		},
	}
	skip.Flags().StringVar(&reason, "reason", "", "why; it is kept for ever")
	skip.Flags().StringArrayVar(&results.vars, "var", nil,
		"name=value, a result that the step would have given, as text; may be given many times")
	results.jsonFlag(skip)
	skip.Flags().StringVar(&flow, "flow", "", "flow to leave an exclusive gateway by")
	_ = skip.MarkFlagRequired("reason") // the flag exists
	return command.Group("incident", "Steps that stopped and wait for a person", list, retry, skip)
}

func (a *app) incidents(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfProcessIncident
	if err := api.Call(ctx, "GET", client.Query("/api/v1/incidents", "project", a.target.project, "limit", client.Limit(500)),
		nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, command.Onward("/api/v1/incidents", page.Next))
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "INCIDENT\tRUN\tSTEP\tKIND\tSINCE\tMESSAGE")
		for _, i := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", i.Key, i.Run, i.Element, i.Kind, i.Since.Local().Format("15:04:05"), live.Short(i.Message))
		}
	})
}

func (a *app) taskCmd() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Work that waits for people", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.tasks(c.Context()) },
	}
	var o runOptions
	var reason string
	complete := &cobra.Command{
		Use: "complete <task>", Short: "Complete a task with its results", Args: command.Exactly(1, "the key of a task"),
		RunE: func(c *cobra.Command, args []string) error {
			vars, err := o.variables(nil)
			if err != nil {
				return err
			}
			body := map[string]any{"variables": vars}
			if reason != "" {
				body["reason"] = reason
			}
			return a.act(c.Context(), "/api/v1/tasks/"+url.PathEscape(args[0])+"/complete", body, "completed")
		},
	}
	complete.Flags().StringArrayVar(&o.vars, "var", nil, "name=value, a result, as text; may be given many times")
	complete.Flags().StringVar(&reason, "reason", "", "why it is answered so; it is kept with the answers")
	o.jsonFlag(complete)
	act := func(use, short, done string) *cobra.Command {
		verb, _, _ := strings.Cut(use, " ")
		return &cobra.Command{Use: use, Short: short, Args: command.Exactly(1, "the key of a task"),
			RunE: func(c *cobra.Command, args []string) error {
				return a.act(c.Context(), "/api/v1/tasks/"+url.PathEscape(args[0])+"/"+verb, nil, done)
			}}
	}
	var to string
	delegate := &cobra.Command{
		Use: "delegate <task>", Short: "Pass a task on to another person", Args: command.Exactly(1, "the key of a task"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.act(c.Context(), "/api/v1/tasks/"+url.PathEscape(args[0])+"/delegate", map[string]any{"to": to}, "passed on to "+to)
		},
	}
	delegate.Flags().StringVar(&to, "to", "", "name of the user who is to do it")
	_ = delegate.MarkFlagRequired("to") // the flag exists
	return command.Group("task", "The inbox: work for people", list, act("claim <task>",
		"Take a task: nobody else completes it then", "taken"), act("release <task>", "Give a task back", "given back"), delegate, complete)
}

func (a *app) tasks(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfWorklistTask
	if err := api.Call(ctx, "GET", client.Query("/api/v1/tasks", "project", a.target.project, "limit", client.Limit(500)),
		nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, command.Onward("/api/v1/tasks", page.Next))
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "TASK\tRUN\tNAME\tASKS\tFOR\tSINCE")
		for _, t := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Key, t.Run, t.Name, asks(t), people(t), t.Created.Local().Format("2006-01-02 15:04:05"))
		}
	})
}

// asks is what has to be answered to complete a task: decision=retry|stop.
func asks(t client.WorklistTask) string {
	var all []string
	for _, q := range t.Questions {
		said := q.Name
		if !q.Required {
			said = "[" + said + "]"
		}
		var values []string
		for _, c := range q.Choices {
			values = append(values, c.Value)
		}
		if len(values) > 0 {
			said += "=" + strings.Join(values, "|")
		}
		all = append(all, said)
	}
	return strings.Join(all, " ")
}

// people is whom a task is for.
func people(t client.WorklistTask) string {
	if t.Assignee != "" {
		return t.Assignee
	}
	return strings.Join(t.People, ", ")
}

func (a *app) stopCmd() *cobra.Command {
	var reason string
	var off bool
	c := &cobra.Command{
		Use: "stop", Short: "Stop every start, or allow them again with --off",
		Long: "While stopped, the door refuses every run; what runs goes on. The same is done by a file STOP in the data folder." +
			command.ExitHelp,
		Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := a.target.client()
			if err != nil {
				return err
			}
			if reason == "" && !off {
				return command.Usage("say why: --reason \"…\"")
			}
			var s client.ControlStop
			if err := api.Call(c.Context(), "PUT", "/api/v1/stop", map[string]any{"active": !off, "reason": reason}, &s); err != nil {
				return err
			}
			return a.Show(s, func(w io.Writer) {
				if s.Active {
					fmt.Fprintf(w, "Nothing starts any more: %s\n", s.Reason)
				} else {
					fmt.Fprintln(w, "Runs may start again.")
				}
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why everything is stopped")
	c.Flags().BoolVar(&off, "off", false, "allow starts again")
	return c
}
