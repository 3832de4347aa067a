// Package worker runs a command for each job of a type: a worker in a line of shell.
//
//	pull ─► command: variables on its standard input ─► exit 0: complete with its standard output
//	          │ the lease is extended while it works    └► else: fail with the end of its standard error
//	          └ the job is gone, or another has it: the command is ended with all that it started, and nothing is said
package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"sextant/sdk/go/client"
)

const (
	pullFor     = 30 // seconds that the server waits for a job
	again       = 2 * time.Second
	endFor      = 5 * time.Second // until a command that was told to end, or what it started, is killed
	sayFor      = 15 * time.Second
	maxMessage  = 2000    // bytes of what is said of a failure
	maxResult   = 1 << 20 // bytes of standard output
	headerStart = "SEXTANT_HEADER_"
)

// errLost ends a command whose job is gone, or another's.
var errLost = errors.New("the job is gone, or another worker has it")

// Worker is what works on the jobs of a type.
type Worker struct {
	API           *client.Client
	Project, Type string
	// Name is who the server is told has the jobs.
	Name string
	// Command is a program with its arguments.
	Command []string
	// Lease is how long a job is had without a word.
	Lease time.Duration
	// Parallel is how many jobs are worked on at once.
	Parallel int
	// Backoff is the pause before a job that failed is free again.
	Backoff time.Duration
	// Once ends the worker after one job.
	Once bool
	// Err takes what commands say on their standard error, and what became of jobs.
	Err io.Writer
}

// Job is a job that was pulled.
type Job struct {
	Key       string                     `json:"key"`
	Type      string                     `json:"type"`
	Run       string                     `json:"run"`
	Process   string                     `json:"process"`
	Element   string                     `json:"element"`
	Retries   int                        `json:"retries"`
	Lease     string                     `json:"lease"`
	Headers   map[string]string          `json:"headers"`
	Variables map[string]json.RawMessage `json:"variables"`
}

// Run pulls jobs and works on them until ctx ends. Jobs that are worked on then are given
// back, with as many tries as before. With Once it returns after one job, with an error
// if that failed.
func (w *Worker) Run(ctx context.Context) error {
	if w.Once {
		for ctx.Err() == nil {
			all, err := w.pull(ctx, 1)
			if err != nil || len(all) > 0 && !w.one(ctx, all[0]) {
				return errors.Join(err, errIf(err == nil, "the job failed"))
			}
			if len(all) > 0 {
				return nil
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, max(w.Parallel, 1))
	for ctx.Err() == nil {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		all, err := w.pull(ctx, 1)
		if refused(err) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			w.say("no jobs: %v; it is asked again", err)
			pause(ctx, again)
		}
		if len(all) == 0 {
			<-free
			continue
		}
		wg.Go(func() {
			defer func() { <-free }()
			w.one(ctx, all[0])
		})
	}
	return nil
}

func errIf(yes bool, text string) error {
	if yes {
		return errors.New(text)
	}
	return nil
}

// refused reports whether asking again brings nothing else.
func refused(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Status < http.StatusInternalServerError && e.Status != http.StatusTooManyRequests
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (w *Worker) say(format string, args ...any) { fmt.Fprintf(w.Err, format+"\n", args...) }

func (w *Worker) seconds() int { return max(int(w.Lease/time.Second), 1) }

func (w *Worker) pull(ctx context.Context, most int) ([]Job, error) {
	var page struct{ Items []Job }
	body := map[string]any{"project": w.Project, "type": w.Type, "worker": w.Name, "max": most, "lease": w.seconds(), "wait": pullFor}
	err := w.API.Call(ctx, "POST", "/api/v1/jobs/activate", body, &page)
	return page.Items, err
}

// one works on a job, and reports whether it is done.
func (w *Worker) one(ctx context.Context, j Job) bool {
	start := time.Now()
	work, end := context.WithCancelCause(ctx)
	var keeper sync.WaitGroup
	kept, stop := context.WithCancel(work)
	keeper.Go(func() { w.keep(kept, j, end) })
	vars, err := w.command(work, j)
	stop()
	keeper.Wait()
	lost := errors.Is(context.Cause(work), errLost)
	end(nil)
	told := context.WithoutCancel(ctx)
	switch {
	case lost:
		w.say("job %s of run %s: %v; its command and what it started were ended", j.Key, j.Run, errLost)
		return false
	case err != nil && ctx.Err() != nil:
		w.tell(told, j, "fail", map[string]any{"message": "the worker was stopped", "retries": j.Retries})
		w.say("job %s of run %s: given back", j.Key, j.Run)
		return false
	case err != nil:
		w.tell(told, j, "fail", map[string]any{"message": err.Error(), "backoff": int(w.Backoff / time.Second)})
		w.say("job %s of run %s failed: %v", j.Key, j.Run, err)
		return false
	}
	if err := w.tell(told, j, "complete", map[string]any{"variables": vars}); err != nil {
		w.say("job %s of run %s could not be completed: %v", j.Key, j.Run, err)
		return false
	}
	w.say("job %s of run %s: done in %s", j.Key, j.Run, time.Since(start).Round(time.Millisecond))
	return true
}

// keep extends the lease of a job until ctx ends, and ends the work when it is lost.
func (w *Worker) keep(ctx context.Context, j Job, end context.CancelCauseFunc) {
	every := time.NewTicker(w.Lease / 3)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		body := map[string]any{"lease": j.Lease, "seconds": w.seconds()}
		err := w.API.Call(ctx, "POST", "/api/v1/jobs/"+url.PathEscape(j.Key)+"/extend", body, nil)
		if refused(err) {
			end(errLost)
			return
		}
	}
}

// tell says what came of a job. A server that cannot be reached is asked again for a
// while: the lease lasts.
func (w *Worker) tell(ctx context.Context, j Job, verb string, body map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, max(w.Lease/2, sayFor))
	defer cancel()
	body["lease"] = j.Lease
	for {
		err := w.API.Call(ctx, "POST", "/api/v1/jobs/"+url.PathEscape(j.Key)+"/"+verb, body, nil)
		if err == nil || refused(err) || ctx.Err() != nil {
			return err
		}
		pause(ctx, again)
	}
}

// command runs the command for a job and gives what it says on its standard output.
func (w *Worker) command(ctx context.Context, j Job) (map[string]json.RawMessage, error) {
	input, err := json.Marshal(j.Variables)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, w.Command[0], w.Command[1:]...) //nolint:gosec // what the user asks for
	cmd.Env = append(cmd.Environ(), "SEXTANT_JOB="+j.Key, "SEXTANT_JOB_TYPE="+j.Type, "SEXTANT_RUN="+j.Run,
		"SEXTANT_PROCESS="+j.Process, "SEXTANT_ELEMENT="+j.Element, "SEXTANT_RETRIES="+strconv.Itoa(j.Retries))
	for key, value := range j.Headers {
		cmd.Env = append(cmd.Env, headerStart+name(key)+"="+value)
	}
	out, said := &bounded{most: maxResult}, &tail{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(input), out, io.MultiWriter(w.Err, said), endFor
	apart(cmd)
	if err := cmd.Run(); err != nil {
		endAll(cmd) // before the job is another's
		if text := strings.TrimSpace(said.String()); text != "" {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	}
	return result(out)
}

// result is what a command gives: nothing, or a JSON object of variables.
func result(out *bounded) (map[string]json.RawMessage, error) {
	text := bytes.TrimSpace(out.Bytes())
	switch {
	case out.over:
		return nil, fmt.Errorf("the command wrote more than %d bytes to its standard output, which is for a JSON object of variables", maxResult)
	case len(text) == 0:
		return map[string]json.RawMessage{}, nil
	}
	var vars map[string]json.RawMessage
	if err := json.Unmarshal(text, &vars); err != nil || vars == nil {
		return nil, fmt.Errorf("the standard output of the command is no JSON object of variables: %.200s", text)
	}
	return vars, nil
}

// name is a key as a variable of the environment is called.
func name(key string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, key)
}

// bounded keeps what is written, up to a limit.
type bounded struct {
	bytes.Buffer
	most int
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		b.over = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// tail keeps the end of what is written.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - maxMessage/2; over > 0 {
		t.kept = append([]byte(nil), t.kept[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.kept), "…") }
