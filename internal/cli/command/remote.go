package command

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"sextant/sdk/go/client"
)

// Remote is what commands share that ask a platform.
type Remote struct {
	*Session
	// Client gives who asks, and Project the project to work in, once flags are read.
	Client  func() (*client.Client, error)
	Project func() string
}

// Act posts and says that it is done.
func (r Remote) Act(ctx context.Context, path string, body any, done string) error {
	api, err := r.Client()
	if err != nil {
		return err
	}
	if err := api.Call(ctx, "POST", path, body, nil); err != nil {
		return err
	}
	return r.Show(map[string]string{"result": done}, func(w io.Writer) { fmt.Fprintln(w, done) })
}

// Cut says that a list goes on after what is shown, and how to see the rest.
func (r Remote) Cut(next, how string) {
	if next != "" {
		fmt.Fprintf(r.Err, "There are more than these: %s.\n", how)
	}
}

// Onward is how to read on in a list of which a command shows one page.
func Onward(path, next string) string {
	return "read on with GET " + path + "?limit=500&after=" + url.QueryEscape(next)
}

// Stamp is a time as lists show it; a dash for none.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// minReason is the shortest reason that says something.
const minReason = 3

// Reasoned refuses a reason that says nothing, before anything is asked.
func Reasoned(reason string) error {
	if utf8.RuneCountInString(strings.TrimSpace(reason)) < minReason {
		return Usage("--reason %q: say why in at least %d characters", reason, minReason)
	}
	return nil
}
