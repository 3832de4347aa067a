package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/sdk/go/client"
)

// logOptions is what of a run's output is wanted.
type logOptions struct {
	object, search string
	last           int
}

func (a *app) logCmd() *cobra.Command {
	var o logOptions
	c := &cobra.Command{
		Use: "log <run>", Short: "Output of the services of a run", Args: command.Exactly(1, "the key of a run"),
		Long: "Output of the services of a run, whole and in the order in which it came. Where output is missing, a line says how much and why." +
			command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if o.search != "" && o.last > 0 {
				return command.Usage("give --search or --last, not both")
			}
			return a.logs(c.Context(), args[0], o)
		},
	}
	c.Flags().StringVar(&o.object, "object", "", "only the output about this object")
	c.Flags().StringVar(&o.search, "search", "", `only lines with these words or "phrases", without -words`)
	c.Flags().IntVar(&o.last, "last", 0, "only so many lines at the end of each step")
	return c
}

func (a *app) logs(ctx context.Context, run string, o logOptions) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var jobs client.PageOfDispatchJobState
	if err := api.Call(ctx, "GET", "/api/v1/runs/"+url.PathEscape(run)+"/jobs", nil, &jobs); err != nil {
		return err
	}
	l := logView{a: a, api: api, o: o, pieces: []client.DispatchPiece{}, hits: []client.DispatchHit{}}
	for _, j := range jobs.Items {
		if o.search != "" {
			err = l.find(ctx, j)
		} else {
			err = l.read(ctx, j)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case a.JSON && o.search != "":
		return a.Show(l.hits, nil)
	case a.JSON:
		return a.Show(l.pieces, nil)
	}
	_, err = io.WriteString(a.Out, l.newline)
	return err
}

// logView shows output page by page.
type logView struct {
	a       *app
	api     *client.Client
	o       logOptions
	pieces  []client.DispatchPiece
	hits    []client.DispatchHit
	newline string // after output that did not end its line
	head    string
	gaps    []client.DispatchPiece // that follow each other and are not told yet
}

func (l *logView) under(j client.DispatchJobState, object string) {
	if head := fmt.Sprintf("── %s · %s\n", j.Element, object); head != l.head && object != "" {
		l.print(head)
		l.head = head
	}
}

// print writes a line of our own.
func (l *logView) print(line string) {
	fmt.Fprint(l.a.Out, l.newline, line)
	l.newline = ""
}

func (l *logView) read(ctx context.Context, j client.DispatchJobState) error {
	last := ""
	if l.o.last > 0 {
		last = strconv.Itoa(l.o.last)
	}
	l.head = ""
	for after := ""; ; {
		var page client.PageOfDispatchPiece
		if err := l.api.Call(ctx, "GET", client.Query("/api/v1/jobs/"+j.Job+"/output",
			"object", l.o.object, "last", last, "limit", "500", "after", after), nil, &page); err != nil {
			return err
		}
		if l.a.JSON {
			l.pieces = append(l.pieces, page.Items...)
		} else {
			for _, p := range page.Items {
				l.piece(j, p)
			}
		}
		if after = page.Next; after == "" {
			l.missing(j)
			return nil
		}
	}
}

// missing tells the gaps that followed each other, one for each row.
func (l *logView) missing(j client.DispatchJobState) {
	for _, g := range l.gaps {
		l.under(j, g.Object)
		l.print(lostLine(g.Lost))
	}
	l.gaps = nil
}

func (l *logView) piece(j client.DispatchJobState, p client.DispatchPiece) {
	if p.Lost.Reason != "" {
		i := slices.IndexFunc(l.gaps, func(g client.DispatchPiece) bool { return g.Object == p.Object })
		if i < 0 {
			l.gaps = append(l.gaps, p)
			return
		}
		if g := &l.gaps[i].Lost; p.Lost.Bytes > g.Bytes {
			g.Reason = p.Lost.Reason
		}
		l.gaps[i].Lost.Bytes, l.gaps[i].Lost.Lines = l.gaps[i].Lost.Bytes+p.Lost.Bytes, l.gaps[i].Lost.Lines+p.Lost.Lines
		return
	}
	l.missing(j)
	l.under(j, p.Object)
	fmt.Fprint(l.a.Out, p.Text)
	if l.newline = "\n"; strings.HasSuffix(p.Text, "\n") {
		l.newline = ""
	}
}

func (l *logView) find(ctx context.Context, j client.DispatchJobState) error {
	l.head = ""
	for after := ""; ; {
		var page client.PageOfDispatchHit
		if err := l.api.Call(ctx, "GET", client.Query("/api/v1/jobs/"+j.Job+"/output/search",
			"q", l.o.search, "object", l.o.object, "limit", "500", "after", after), nil, &page); err != nil {
			return err
		}
		l.hits = append(l.hits, page.Items...)
		for _, h := range page.Items {
			if l.a.JSON {
				break
			}
			l.under(j, h.Object)
			if h.Lost.Reason != "" {
				l.print(lostLine(h.Lost))
				continue
			}
			l.print(h.Line + "\n")
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// lostLine is a gap as a line.
func lostLine(l client.DispatchLost) string {
	size := fmt.Sprintf("%d bytes", l.Bytes)
	if l.Lines > 0 {
		size += fmt.Sprintf(" (%d lines)", l.Lines)
	}
	why := map[client.DispatchLostReason]string{
		"job_limit": "the job wrote more than is kept of one", "total_limit": "all output together passed its limit",
		"sender":  "they came faster than they could be sent",
		"missing": "they never came", "damaged": "they cannot be read any more", "dropped": "old output was removed to make room",
	}[l.Reason]
	return fmt.Sprintf("── %s of output are missing here: %s ──\n", size, why)
}
