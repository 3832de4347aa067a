package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	longestLine = 4 << 10 // bytes of a line of ours
	mostNoise   = 1 << 20 // bytes that a log-in may print before our script says something
	hintSize    = 200     // bytes of what a log-in printed in a message
	greetWithin = 30 * time.Second
)

// dialog is a script of ours at work on a host. All that it reads is bounded.
type dialog struct {
	address string
	mark    marker
	session *ssh.Session
	stdin   io.WriteCloser
	in      *bufio.Reader
	to      *io.PipeWriter
	noise   []byte // the end of what else was printed
	close   func() // ends the session
	broken  bool   // the connection cannot be used again
}

// talk starts a script and waits for its greeting. Until then nothing is sent, so
// that an error means that nothing was done. The dialog ends with ctx, and has to
// be closed.
func (p *Pool) talk(ctx context.Context, t Target, cred Credential, script string, args ...string) (*dialog, []string, error) {
	session, release, err := p.session(ctx, t, cred)
	if err != nil {
		return nil, nil, err
	}
	// What the host sends ends with the session on its side, which may take long:
	// through a pipe it ends on this side.
	from, to := io.Pipe()
	end := func() { _ = from.CloseWithError(errEnded); _ = session.Close() }
	d := &dialog{address: t.Address, mark: newMarker(), session: session, in: bufio.NewReaderSize(from, longestLine), to: to}
	stop := context.AfterFunc(ctx, end)
	d.close = func() { stop(); end(); release(d.broken) }
	words, err := d.greet(script, args)
	if err != nil {
		d.close()
		return nil, nil, err
	}
	return d, words, nil
}

func (d *dialog) greet(script string, args []string) ([]string, error) {
	lost := func(err error) error {
		d.broken = true
		return &Error{Kind: Lost, Address: d.address, Message: "the connection broke before the command began", Err: err}
	}
	var err error
	if d.stdin, err = d.session.StdinPipe(); err != nil {
		return nil, lost(err)
	}
	out, err := d.session.StdoutPipe()
	if err != nil {
		return nil, lost(err)
	}
	go func() { // ends with the session
		_, err := io.Copy(d.to, out)
		_ = d.to.CloseWithError(err)
		_, _ = io.Copy(io.Discard, out) // nobody listens any more, and the host must not wait
	}()
	if err := d.session.Start(d.mark.shell(script, args...)); err != nil {
		return nil, lost(err)
	}
	late := time.AfterFunc(greetWithin, func() { _ = d.to.CloseWithError(errSilent) })
	words, err := d.next()
	late.Stop()
	switch {
	case errors.Is(err, errSilent):
		return nil, &Error{Kind: Shell, Address: d.address,
			Message: fmt.Sprintf("the user's shell on the host did not begin a command within %v, nothing was done", greetWithin) + d.hint()}
	case err == nil && words[0] == "hello" && len(words) == 4:
		return words[1:], nil
	case err == nil && words[0] == "lacks":
		return nil, &Error{Kind: Shell, Address: d.address, Message: "the host lacks the program " +
			strings.Join(words[1:], " ") + ", which is needed to run anything there"}
	case err == nil:
		return nil,
			&Error{Kind: Shell, Address: d.address, Message: fmt.Sprintf("the host answers %.200q instead of a greeting", strings.Join(words, " "))}
	case errors.Is(err, errNoise):
		return nil, &Error{Kind: Shell, Address: d.address, Message: "the log-in prints without end" + d.hint()}
	}
	return nil, d.noGreeting(err, lost)
}

// noGreeting tells a shell that runs no command from a connection that broke.
func (d *dialog) noGreeting(cause error, lost func(error) error) error {
	ended := make(chan error, 1)
	go func() { ended <- d.session.Wait() }() // ends with the session, which is closed
	select {
	case err := <-ended:
		var exit *ssh.ExitError
		if err == nil || errors.As(err, &exit) {
			return &Error{Kind: Shell, Address: d.address, Message: "the user's shell on the host runs no commands, nothing was done" + d.hint()}
		}
		return lost(cause)
	case <-time.After(exitWithin):
		return &Error{Kind: Shell, Address: d.address,
			Message: "the user's shell on the host closes its output and runs no commands, nothing was done" + d.hint()}
	}
}

// exitWithin is how long the end of a shell is waited for that has closed its
// output.
const exitWithin = 5 * time.Second

// hint is the last line that was printed beside the frames.
func (d *dialog) hint() string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(d.noise), "?"))
	s = strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
	if s == "" {
		return ""
	}
	return fmt.Sprintf("; it said: %.*q", hintSize, s)
}

// errEnded ends what is read of a dialog that is closed.
var errEnded = errors.New("the dialog is closed")

// errSilent ends the waiting for a greeting.
var errSilent = errors.New("no greeting")

// errNoise ends a log-in that prints too much.
var errNoise = errors.New("too much output")

// next gives the words of the next line that carries the marker.
func (d *dialog) next() ([]string, error) {
	for seen := 0; ; {
		line, err := d.in.ReadSlice('\n')
		words := bytes.Fields(line)
		if err == nil && len(words) > 1 && string(words[0]) == string(d.mark) {
			all := make([]string, len(words)-1)
			for i, w := range words[1:] {
				all[i] = string(w)
			}
			return all, nil
		}
		if d.noise = append(d.noise, line...); len(d.noise) > 2*hintSize {
			d.noise = append(d.noise[:0], d.noise[len(d.noise)-hintSize:]...)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if seen += len(line); seen > mostNoise {
			return nil, errNoise
		}
	}
}

// send hands a text over that the script takes up to the marker, and what follows
// it. The host may answer before it has taken all: an error is seen in the answer.
func (d *dialog) send(text string, more io.Reader) {
	go func() { // ends with the session, which is closed
		_, err := io.WriteString(d.stdin, text+string(d.mark)+"\n")
		if err == nil && more != nil {
			_, _ = io.Copy(d.stdin, more)
		}
		_ = d.stdin.Close()
	}()
}

// ask runs a script that takes a text and gives one answer.
func (p *Pool) ask(ctx context.Context, t Target, cred Credential, text, script string, args ...string) ([]string, error) {
	d, _, err := p.talk(ctx, t, cred, script, args...)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.send(text, nil)
	words, err := d.next()
	if err != nil {
		d.broken = true
		return nil, &Error{Kind: Lost, Address: t.Address, Message: "the connection broke", Err: err}
	}
	return words, nil
}
