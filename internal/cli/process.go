package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

func (a *app) processCmd() *cobra.Command {
	deploy := &cobra.Command{
		Use: "deploy <file.bpmn> …", Short: "Check BPMN files and keep them as new versions",
		Long: "Checks each file and keeps it as the newest version of its process. What cannot be executed is refused with element and line." +
			command.ExitHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usage("want one or more BPMN files")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.deploy(c.Context(), args) },
	}
	list := &cobra.Command{
		Use: "list", Short: "Processes in their newest version", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.processes(c.Context()) },
	}
	var version int
	show := &cobra.Command{
		Use: "show <process>", Short: "The BPMN file of a process", Args: command.Exactly(1, "the id of a process"),
		RunE: func(c *cobra.Command, args []string) error { return a.showProcess(c.Context(), args[0], version) },
	}
	show.Flags().IntVar(&version, "version", 0, "version; else the newest")
	return command.Group("process", "Processes and their versions", deploy, list, show)
}

// deployed is the answer to a deployment.
type deployed struct {
	client.ProcessDefinition
	Changed  bool                       `json:"changed"`
	Warnings []client.ErrsField         `json:"warnings,omitempty"`
	Others   []client.ProcessDefinition `json:"others,omitempty"`
}

func (a *app) deploy(ctx context.Context, files []string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var all []deployed
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var d deployed
		if err := api.Upload(ctx, client.Query("/api/v1/processes", "project", a.target.project),
			"application/xml", bytes.NewReader(data), &d); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, w := range d.Warnings {
			fmt.Fprintf(a.Err, "%s: line %d: %s\n", file, w.Line, w.Message)
		}
		all = append(all, d)
	}
	return a.Show(all, func(w io.Writer) {
		for _, d := range all {
			word := "unchanged"
			if d.Changed {
				word = "deployed"
			}
			for _, p := range append([]client.ProcessDefinition{d.ProcessDefinition}, d.Others...) {
				fmt.Fprintf(w, "%s\tversion %d\t%s\n", p.Process, p.Version, word)
			}
		}
	})
}

func (a *app) processes(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfProcessDefinition
	if err := api.Call(ctx, "GET", client.Query("/api/v1/processes", "project", a.target.project, "limit", client.Limit(500)),
		nil, &page); err != nil {
		return err
	}
	a.cut(page.Next, command.Onward("/api/v1/processes", page.Next))
	return a.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "PROCESS\tVERSION\tNAME\tDEPLOYED\tBY")
		for _, d := range page.Items {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", d.Process, d.Version, d.Name, d.Created.Local().Format("2006-01-02 15:04"), d.Subject)
		}
	})
}

func (a *app) showProcess(ctx context.Context, process string, version int) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	if version == 0 {
		var page client.PageOfProcessDefinition
		if err := api.Call(ctx, "GET", client.Query("/api/v1/processes", "project", a.target.project, "process", process, "limit", "1"),
			nil, &page); err != nil {
			return err
		}
		if version = 1; len(page.Items) > 0 {
			version = int(page.Items[0].Version)
		}
	}
	data, err := api.Download(ctx,
		client.Query(fmt.Sprintf("/api/v1/processes/%s/%d/xml", url.PathEscape(process), version), "project", a.target.project))
	if err != nil {
		return err
	}
	_, err = a.Out.Write(data)
	return err
}
