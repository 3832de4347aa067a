package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sextant/internal/cli/command"
	"sextant/internal/terminal/live"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

type runOptions struct {
	version int
	objects []string
	vars    []string
	json    []string
	file    string
	title   string
	preview bool
	detach  bool
	urgent  int
	within  time.Duration
}

func (o *runOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.objects, "object", nil, "what the run acts on, package:type/id; may be given many times")
	f.StringArrayVar(&o.vars, "var", nil,
		"name=value, in the type that the process or service declares, else as text; may be given many times")
	o.jsonFlag(c)
	f.StringVar(&o.file, "vars", "", "JSON file with variables")
	f.StringVar(&o.title, "title", "", "title of the run")
	f.BoolVar(&o.detach, "detach", false, "do not wait for the end")
}

func (o *runOptions) jsonFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.json, "json-var", nil, "name=value, the value as JSON; may be given many times")
}

func (a *app) runCmd() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use: "run <process>", Short: "Ask the door for a run and watch it",
		Long: "Asks for a run of a process on objects and shows it live. It ends when the run ends, or stops for a person.\n" +
			"--preview starts nothing: it shows what the door would say and every row that every step would touch." + command.ExitHelp,
		Args: command.Exactly(1, "the id of a process"),
		RunE: func(c *cobra.Command, args []string) error { return a.run(c.Context(), args[0], o) },
	}
	o.flags(c)
	c.Flags().IntVar(&o.version, "version", 0, "version of the process; else the newest")
	c.Flags().BoolVar(&o.preview, "preview", false, "start nothing, show what would be done")
	c.Flags().IntVar(&o.urgent, "priority", 50, "how urgent it is where the process has a line by priority, 0 to 100")
	c.Flags().DurationVar(&o.within, "start-within", 0, "how long it may wait to start, such as 30m; else as long as its process says")
	return c
}

// variables reads the variables of a command line. What stands behind --var is
// text, unless types says that the value is of another type.
func (o *runOptions) variables(types map[string]string) (map[string]any, error) {
	vars := map[string]any{}
	if o.file != "" {
		data, err := os.ReadFile(o.file)
		if err != nil {
			return nil, err
		}
		raw := map[string]json.RawMessage{}
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, command.Usage("%s is no JSON object: %w", o.file, err)
		}
		for k, v := range raw {
			vars[k] = v
		}
	}
	for _, v := range o.vars {
		name, text, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, command.Usage("--var %q: want name=value", v)
		}
		vars[name] = valueOf(types[name], text)
	}
	for _, v := range o.json {
		name, text, ok := strings.Cut(v, "=")
		if !ok || name == "" || !json.Valid([]byte(text)) {
			return nil, command.Usage("--json-var %q: want name=value, the value as JSON", v)
		}
		vars[name] = json.RawMessage(text)
	}
	return vars, nil
}

// valueOf is a text in a declared type; one that does not fit stays text, for the
// server to refuse with the reason.
func valueOf(typ, text string) any {
	structured := strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")
	fits := false
	switch typ {
	case wire.TypeInt, wire.TypeNumber:
		fits = text != "" && strings.Trim(text, "0123456789+-.eE") == ""
	case wire.TypeBool:
		fits = text == "true" || text == "false"
	case wire.TypeList, wire.TypeObject, typeAny:
		fits = structured || typ == typeAny
	}
	if fits && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// typeAny takes JSON as such, and everything else as text.
const typeAny = "any"

// inputTypes asks for the types of what a process is started with; without the
// right to know them all is text.
func (a *app) inputTypes(ctx context.Context, api *client.Client, process string, version int) map[string]string {
	types := map[string]string{}
	if version == 0 {
		var page client.PageOfProcessDefinition
		if err := api.Call(ctx, "GET", client.Query("/api/v1/processes", "project", a.target.project, "process", process, "limit", "1"),
			nil, &page); err != nil || len(page.Items) == 0 {
			return types
		}
		version = int(page.Items[0].Version)
	}
	var page client.PageOfProcessNeed
	if err := api.Call(ctx, "GET", client.Query(fmt.Sprintf("/api/v1/processes/%s/%d/inputs", url.PathEscape(process), version),
		"project", a.target.project), nil, &page); err != nil {
		return types
	}
	for _, n := range page.Items {
		types[n.Name] = n.Type
	}
	return types
}

func (a *app) run(ctx context.Context, process string, o runOptions) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	types := map[string]string{}
	if len(o.vars) > 0 {
		types = a.inputTypes(ctx, api, process, o.version)
	}
	vars, err := o.variables(types)
	if err != nil {
		return err
	}
	body := map[string]any{"project": a.target.project, "process": process,
		"version": o.version, "objects": o.objects, "variables": vars, "title": o.title}
	if o.objects == nil {
		delete(body, "objects")
	}
	if c := o.urgent; c != 50 {
		body["priority"] = c
	}
	if o.within != 0 {
		body["due"] = time.Now().Add(o.within).UTC()
	}
	if o.preview {
		return a.preview(ctx, api, body)
	}
	var v client.ControlVerdict
	if err := api.Call(ctx, "POST", "/api/v1/runs", body, &v); err != nil {
		return err
	}
	a.note(v)
	if o.detach {
		return a.Show(v, func(w io.Writer) { fmt.Fprintf(w, "run\t%s\t%s\n", v.Run, v.Verdict) })
	}
	return a.follow(ctx, api, v.Run)
}

func (a *app) preview(ctx context.Context, api *client.Client, body map[string]any) error {
	var p client.ProcessPreview
	if err := api.Call(ctx, "POST", "/api/v1/runs/preview", body, &p); err != nil {
		return err
	}
	blocked := p.Would == "REJECTED"
	err := a.Show(p, func(w io.Writer) {
		fmt.Fprintf(w, "%s, version %d\n\nThe door\n", p.Process, p.Version)
		for _, s := range p.Door {
			word := "ok"
			if !s.Ok {
				word = s.Reason
			}
			fmt.Fprintf(w, "  %s\t%s\n", s.Name, word)
		}
		switch {
		case p.Would == verdictWaits:
			fmt.Fprintf(w, "\nIt would wait for %s, at place %d, until %s at most\n", blockers(p.Wait.For), p.Wait.Place, stamp(p.Wait.Until))
		case p.Other != "":
			fmt.Fprintf(w, "\nIt would start nothing: run %s does the same\n", p.Other)
		}
		if len(p.Ends) > 0 {
			fmt.Fprintf(w, "It would take the place of %s\n", strings.Join(p.Ends, ", "))
		}
		fmt.Fprintln(w, "\nThe steps")
		for _, s := range p.Steps {
			name := s.Name
			if name == "" {
				name = s.Element
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%d object(s)\t%d call(s)\n", name, s.Service, s.Risk, len(s.Rows), s.Calls)
			if s.Problem != "" {
				fmt.Fprintf(w, "    cannot be told: %s\n", s.Problem)
			}
			if len(s.Batches) > 0 {
				for i, b := range s.Batches {
					fmt.Fprintf(w, "    batch %d\t%s\n", i+1, strings.Join(*b, ", "))
				}
			} else if len(s.Rows) > 0 {
				fmt.Fprintf(w, "    \t%s\n", strings.Join(s.Rows, ", "))
			}
		}
	})
	if err == nil && blocked {
		return command.Outcome{Code: command.ExitRefused}
	}
	return err
}

// follow shows a run live until it ends or stops for a person.
func (a *app) follow(ctx context.Context, api *client.Client, run string) error {
	isTerm, size := a.screen()
	view := live.New(a.Err, isTerm && !a.JSON, size)
	var last client.ProcessRun
	stopped := false
	err := api.Watch(ctx, run, func(error) {
		fmt.Fprintln(a.Err, "the connection is lost; the run goes on, looking again …")
	}, func(u client.Update) bool {
		last = u.Run
		view.Take(u, time.Now())
		tasks, incidents := view.Waiting()
		stopped = len(tasks)+len(incidents) > 0 && idle(view)
		return !stopped
	})
	if err != nil {
		return a.left(ctx, run, err)
	}
	if err := a.conclude(ctx, api, last, stopped); err != nil {
		return err
	}
	if last.State == "cancelled" && !a.JSON {
		a.decided(ctx, api, last)
	}
	if last.State != "completed" {
		return command.Outcome{Code: command.ExitFailed}
	}
	return nil
}

// left says what becomes of a run that nobody follows any more, where the reason is
// that a person ended the command.
func (a *app) left(ctx context.Context, run string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	fmt.Fprintf(a.Err, "\nrun %s goes on; look at it with: sextant runs show %s\n", run, run)
	return command.Outcome{Code: command.ExitOK}
}

// screen tells whether a person watches on a terminal, and how large that is.
func (a *app) screen() (bool, live.Size) {
	f, ok := a.Err.(*os.File)
	if !ok || !terminal(f) {
		return false, live.Size{}
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return true, live.Size{} // it does not tell
	}
	return true, live.Size{Width: width, Height: height}
}

// idle reports whether nothing but people can move a run on.
func idle(v *live.View) bool {
	for _, s := range v.Steps() {
		if s.State == "active" && (s.Type == "service" && !s.Loop || s.Type == "timer" || s.Type == "script") {
			return false
		}
	}
	return true
}

// conclude says how a run ended, or what it waits for and what to do.
func (a *app) conclude(ctx context.Context, api *client.Client, r client.ProcessRun, stopped bool) error {
	if !stopped {
		return a.Show(r, func(w io.Writer) {
			fmt.Fprintf(w, "run %s is %s", r.Key, r.State)
			if r.Code != "" {
				fmt.Fprintf(w, ": %s", r.Code)
			}
			fmt.Fprintf(w, ", after %s\n", r.Ended.Sub(r.Started).Round(100*time.Millisecond))
		})
	}
	var tasks client.PageOfWorklistTask
	if err := api.Call(ctx, "GET", client.Query("/api/v1/tasks", "project", r.Project, "run", r.Key), nil, &tasks); err != nil {
		return err
	}
	var incidents client.PageOfProcessIncident
	if err := api.Call(ctx, "GET", client.Query("/api/v1/incidents", "project", r.Project, "run", r.Key), nil, &incidents); err != nil {
		return err
	}
	return a.Show(map[string]any{"run": r, "tasks": tasks.Items, "incidents": incidents.Items}, func(w io.Writer) {
		fmt.Fprintf(w, "run %s waits for a person\n", r.Key)
		for _, t := range tasks.Items {
			fmt.Fprintf(w, "\n  task: %s\n    sextant task complete %s --var name=value\n", t.Name, t.Key)
			if t.Nobody {
				fmt.Fprintf(w, "    none of those who are asked (%s) may see and complete it: sextant task delegate %s --to NAME\n", people(t), t.Key)
			}
		}
		for _, i := range incidents.Items {
			fmt.Fprintf(w, "\n  %s: %s\n    sextant incident retry %s [--input name=value]\n    sextant incident skip %s --reason \"…\"\n",
				i.Element, i.Message, i.Key, i.Key)
		}
	})
}
