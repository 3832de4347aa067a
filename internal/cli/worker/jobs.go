package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

const jobsPath = "/api/v1/jobs"

// remote is the platform that commands ask.
type remote struct{ command.Remote }

// Jobs are the commands on jobs that workers pull.
func Jobs(c command.Remote) *cobra.Command {
	r := remote{c}
	return command.Group("job", "Jobs of types that workers pull", r.jobListCmd(), r.jobActivateCmd(), r.jobCompleteCmd(),
		r.jobFailCmd(), r.jobErrorCmd(), r.jobExtendCmd(), r.jobWorkCmd())
}

// jobFilter is which jobs a list shows.
type jobFilter struct {
	kind, state, run string
	limit            int
}

func (r remote) jobListCmd() *cobra.Command {
	var f jobFilter
	c := &cobra.Command{Use: "list", Short: "Open jobs, the oldest first", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return r.jobs(c.Context(), f) }}
	c.Flags().StringVar(&f.kind, "type", "", "only jobs of this type")
	c.Flags().StringVar(&f.state, "state", "", "only jobs that are free, leased, paused (they failed) or stuck (no tries left)")
	c.Flags().StringVar(&f.run, "run", "", "only jobs of this run")
	c.Flags().IntVar(&f.limit, "limit", 50, "how many at most, up to 500")
	return c
}

func (r remote) jobs(ctx context.Context, f jobFilter) error {
	api, err := r.Client()
	if err != nil {
		return err
	}
	var page client.PageOfJobOpen
	path := client.Query(jobsPath, "project", r.Project(), "type", f.kind, "state", f.state, "run", f.run,
		"limit", client.Limit(f.limit))
	if err := api.Call(ctx, "GET", path, nil, &page); err != nil {
		return err
	}
	r.Cut(page.Next, command.Onward(jobsPath, page.Next))
	return r.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "JOB\tTYPE\tSTATE\tTRIES\tRUN\tPROCESS\tSTEP\tWORKER\tUNTIL")
		for _, j := range page.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", j.Key, j.Type, j.State, j.Retries, j.Run, j.Process,
				j.Element, j.Worker, command.Stamp(j.Until))
		}
	})
}

// pulling is how a worker asks for jobs.
type pulling struct {
	kind, worker     string
	max, lease, wait int
}

func (r remote) jobActivateCmd() *cobra.Command {
	var p pulling
	c := &cobra.Command{Use: "activate", Short: "Take free jobs of a type", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return r.activate(c.Context(), p) }}
	c.Flags().StringVar(&p.kind, "type", "", "type of the jobs")
	c.Flags().StringVar(&p.worker, "worker", "cli", "who takes them")
	c.Flags().IntVar(&p.max, "max", 1, "how many at most, up to 200")
	c.Flags().IntVar(&p.lease, "lease", 300, "seconds until others may have them")
	c.Flags().IntVar(&p.wait, "wait", 0, "seconds to wait for the first one, up to 60")
	_ = c.MarkFlagRequired("type") // the flag exists
	return c
}

func (r remote) activate(ctx context.Context, p pulling) error {
	api, err := r.Client()
	if err != nil {
		return err
	}
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	body := map[string]any{"project": r.Project(), "type": p.kind, "worker": p.worker, "max": p.max, "lease": p.lease, "wait": p.wait}
	if err := api.Call(ctx, "POST", jobsPath+"/activate", body, &page); err != nil {
		return err
	}
	return r.Show(page, func(w io.Writer) {
		fmt.Fprintln(w, "JOB\tLEASE\tRUN\tSTEP\tTRIES\tHEADERS\tVARIABLES")
		for _, raw := range page.Items {
			var j Job
			_ = json.Unmarshal(raw, &j) // the server's own
			headers, _ := json.Marshal(j.Headers)
			variables, _ := json.Marshal(j.Variables)
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", j.Key, j.Lease, j.Run, j.Element, j.Retries, headers, variables)
		}
	})
}

// jobSays is a command on one job under its lease.
func (r remote) jobSays(verb, short, done string, body func() (map[string]any, error)) *cobra.Command {
	var lease string
	c := &cobra.Command{Use: verb + " <job>", Short: short, Args: command.Exactly(1, "the key of a job"),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := body()
			if err != nil {
				return err
			}
			all["lease"] = lease
			return r.Act(c.Context(), jobsPath+"/"+url.PathEscape(args[0])+"/"+verb, all, done)
		}}
	c.Flags().StringVar(&lease, "lease", "", "number of the lease, as activate told it")
	_ = c.MarkFlagRequired("lease") // the flag exists
	return c
}

func (r remote) jobCompleteCmd() *cobra.Command {
	var texts, values []string
	c := r.jobSays("complete", "End a job with its results", "completed", func() (map[string]any, error) {
		vars, err := results(texts, values)
		return map[string]any{"variables": vars}, err
	})
	c.Flags().StringArrayVar(&texts, "var", nil, "name=value, a result, as text; may be given many times")
	c.Flags().StringArrayVar(&values, "json-var", nil, "name=value, the value as JSON; may be given many times")
	return c
}

// results are variables that were given as texts and as JSON.
func results(texts, values []string) (map[string]any, error) {
	all := map[string]any{}
	for _, v := range texts {
		name, text, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, command.Usage("--var %q: want name=value", v)
		}
		all[name] = text
	}
	for _, v := range values {
		name, text, ok := strings.Cut(v, "=")
		if !ok || name == "" || !json.Valid([]byte(text)) {
			return nil, command.Usage("--json-var %q: want name=value, the value as JSON", v)
		}
		all[name] = json.RawMessage(text)
	}
	return all, nil
}

func (r remote) jobFailCmd() *cobra.Command {
	var message string
	var retries int
	var backoff time.Duration
	c := r.jobSays("fail", "Say that a try has failed", "failed", func() (map[string]any, error) {
		all := map[string]any{"message": message, "backoff": int(backoff / time.Second)}
		if retries >= 0 {
			all["retries"] = retries
		}
		return all, nil
	})
	c.Flags().StringVar(&message, "message", "", "what went wrong")
	c.Flags().IntVar(&retries, "retries", -1, "tries that are left; one less than before without it")
	c.Flags().DurationVar(&backoff, "backoff", 0, "pause before the next try, such as 30s")
	_ = c.MarkFlagRequired("message") // the flag exists
	return c
}

func (r remote) jobErrorCmd() *cobra.Command {
	var code, message string
	c := r.jobSays("error", "Throw a BPMN error from a job", "thrown", func() (map[string]any, error) {
		return map[string]any{"code": code, "message": message}, nil
	})
	c.Flags().StringVar(&code, "code", "", "code of the error")
	c.Flags().StringVar(&message, "message", "", "what went wrong")
	_ = c.MarkFlagRequired("code") // the flag exists
	return c
}

func (r remote) jobExtendCmd() *cobra.Command {
	var seconds int
	c := r.jobSays("extend", "Have a job for longer", "extended", func() (map[string]any, error) {
		return map[string]any{"seconds": seconds}, nil
	})
	c.Flags().IntVar(&seconds, "seconds", 300, "from now on")
	return c
}

func (r remote) jobWorkCmd() *cobra.Command {
	w := &Worker{}
	c := &cobra.Command{
		Use: "work --type <type> -- <command> [argument …]", Short: "Be a worker: run a command for each job of a type",
		Long: "Pulls jobs of a type and runs a command for each. Variables of the job come as a JSON object on its standard input, " +
			"what the process says to the worker (zeebe:taskHeaders) in variables of the environment SEXTANT_HEADER_<KEY>, " +
			"and SEXTANT_JOB, SEXTANT_RUN, SEXTANT_PROCESS, SEXTANT_ELEMENT beside them. " +
			"Where it exits with 0 the job is completed with the JSON object on its standard output, if there is one; " +
			"else the try has failed, for the reason at the end of its standard error. The lease is extended while it works; " +
			"when the run is cancelled meanwhile the command is ended. A worker that is stopped gives its jobs back. " +
			"What is ended, and what has failed, ends with all that it started: its process group is told to, and killed after 5 seconds " +
			"(on Windows the command alone is)." + command.ExitHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usage("name a command after --, such as: sextant job work --type paint -- ./paint.sh")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if w.Lease < 3*time.Second || w.Lease > 24*time.Hour {
				return command.Usage("--lease %s: from 3s to 24h", w.Lease)
			}
			api, err := r.Client()
			if err != nil {
				return err
			}
			w.API, w.Project, w.Command, w.Err = api, r.Project(), args, r.Err
			return w.Run(c.Context())
		},
	}
	c.Flags().StringVar(&w.Type, "type", "", "type of the jobs")
	c.Flags().StringVar(&w.Name, "worker", "cli", "who the server is told works on them")
	c.Flags().DurationVar(&w.Lease, "lease", time.Minute, "how long a job is had without a word, such as when this machine is lost")
	c.Flags().DurationVar(&w.Backoff, "backoff", 10*time.Second, "pause before a job that failed is free again")
	c.Flags().IntVar(&w.Parallel, "parallel", 1, "how many jobs are worked on at once")
	c.Flags().BoolVar(&w.Once, "once", false, "end after one job")
	_ = c.MarkFlagRequired("type") // the flag exists
	return c
}
