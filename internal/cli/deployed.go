package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

func (a *app) decisionDeployCmd() *cobra.Command {
	return &cobra.Command{
		Use: "deploy <model.dmn> …", Short: "Deploy the decisions of DMN files", Args: command.AtLeastOne("DMN files"),
		Long: "Keeps each decision of the files as its newest version. A file with a mistake is refused; the same file again changes nothing." +
			command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			for _, file := range args {
				if err := a.decisionDeploy(c.Context(), file); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) decisionDeploy(ctx context.Context, file string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var d struct {
		Decisions []client.DecisionVersion `json:"decisions"`
		Changed   bool                     `json:"changed"`
		Warnings  []struct {
			Path    string `json:"path"`
			Message string `json:"message"`
		} `json:"warnings,omitempty"`
	}
	if err := api.Upload(ctx, client.Query("/api/v1/decisions", "project", a.target.project),
		"application/xml", bytes.NewReader(data), &d); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return a.Show(d, func(w io.Writer) {
		for _, v := range d.Decisions {
			how := "deployed"
			if !d.Changed {
				how = "unchanged"
			}
			fmt.Fprintf(w, "%s\t%s\tversion %d\n", v.Decision, how, v.Version)
		}
		for _, f := range d.Warnings {
			fmt.Fprintf(w, "warning\t%s\t%s\n", f.Path, f.Message)
		}
	})
}

func (a *app) decisionListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Decisions that are deployed", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			api, err := a.target.client()
			if err != nil {
				return err
			}
			var page client.PageOfDecisionVersion
			if err := api.Call(c.Context(), "GET", client.Query("/api/v1/decisions", "project", a.target.project, "limit", client.Limit(500)),
				nil, &page); err != nil {
				return err
			}
			a.cut(page.Next, command.Onward("/api/v1/decisions", page.Next))
			return a.Show(page, func(w io.Writer) {
				fmt.Fprintln(w, "DECISION\tVERSION\tNAME\tMODEL\tBY\tDEPLOYED")
				for _, v := range page.Items {
					fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", v.Decision, v.Version,
						v.Name, v.Model, v.Subject, v.Created.Local().Format("2006-01-02 15:04:05"))
				}
			})
		},
	}
}

func (a *app) decisionAskCmd() *cobra.Command {
	var o runOptions
	var version int
	c := &cobra.Command{
		Use: "ask <decision>", Short: "Ask a decision that is deployed", Args: command.Exactly(1, "the id of a decision"),
		Example: "  sextant decision ask approval --json-var 'Change={\"environment\": \"test\"}'",
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.target.client()
			if err != nil {
				return err
			}
			vars, err := o.variables(nil)
			if err != nil {
				return err
			}
			var answer client.DecisionAnswer
			body := map[string]any{"project": a.target.project, "version": version, "variables": vars}
			if err := api.Call(c.Context(), "POST", "/api/v1/decisions/"+url.PathEscape(args[0])+"/evaluate", body, &answer); err != nil {
				return err
			}
			for _, w := range answer.Warnings {
				fmt.Fprintln(a.Err, "warning:", w)
			}
			value, err := json.Marshal(answer.Value)
			if err != nil {
				return err
			}
			return a.Show(answer, func(w io.Writer) { fmt.Fprintf(w, "%s\n", value) })
		},
	}
	c.Flags().IntVar(&version, "version", 0, "a version, the newest without one")
	a.given(c, &o)
	return c
}
