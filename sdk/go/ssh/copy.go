package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const copyEndWithin = 30 * time.Second // for one try to end a copy

// File is something to put on a host.
type File struct {
	Path string
	// Mode is the permissions; zero keeps those of the file that is there, and
	// gives a new one 0644.
	Mode   os.FileMode
	SHA256 string // hex
	// NoLinks refuses a path that is a symbolic link; else the file that it leads
	// to is replaced.
	NoLinks bool
	// Open gives the content; it is not called where the host has it already.
	Open func() (io.ReadCloser, error)
	// Note takes a sentence when something keeps a copy from being ended; may be nil.
	Note func(string)
}

// Copy puts a file on a host: written beside its place, checked, synced and
// then moved. changed is false where the host had it already. When ctx ends it is
// ended on the host too, as Run does.
func (p *Pool) Copy(ctx context.Context, t Target, cred Credential, f File) (changed bool, err error) {
	if strings.ContainsRune(f.Path, 0) || !strings.HasPrefix(f.Path, "/") || strings.HasSuffix(f.Path, "/") {
		return false, &Error{Kind: Invalid, Address: t.Address, Message: fmt.Sprintf("the path %q is not the absolute path of a file", f.Path)}
	}
	d, who, err := p.talk(ctx, t, cred, copyScript)
	if err != nil {
		return false, err
	}
	c := &copying{pool: p, target: t, cred: cred, file: f, who: who}
	changed, err = c.place(d)
	d.close()
	if ctx.Err() != nil && KindOf(err) == Lost {
		return c.ended(ctx)
	}
	return changed, err
}

// copying is a copy that a shell on the host does.
type copying struct {
	pool   *Pool
	target Target
	cred   Credential
	file   File
	who    []string // the shell on the host: process, when it began, since which boot
}

// text tells the script on the host what to do.
func (c *copying) text() string {
	mode, links := "", "follow"
	if c.file.Mode != 0 {
		mode = fmt.Sprintf("%o", c.file.Mode.Perm())
	}
	if c.file.NoLinks {
		links = "refuse"
	}
	return fmt.Sprintf("_sxt_d=%s _sxt_h=%s _sxt_w=%s _sxt_y=%s\n", Quote(c.file.Path), Quote(c.file.SHA256), Quote(mode), links)
}

func (c *copying) fail(kind Kind, message string, cause error) error {
	return &Error{Kind: kind, Address: c.target.Address, Message: message, Err: cause}
}

func (c *copying) place(d *dialog) (changed bool, err error) {
	lost := func(err error) error {
		d.broken = true
		return c.fail(Lost, "the connection broke; the file on the host is as it was, or whole", err)
	}
	if _, err := io.WriteString(d.stdin, c.text()+string(d.mark)+"\n"); err != nil {
		return false, lost(err)
	}
	words, err := d.next()
	if err == nil && words[0] == "send" {
		sent := make(chan error, 1)
		from, openErr := c.file.Open()
		if openErr != nil {
			return false, c.fail(Invalid, "the file cannot be read", openErr)
		}
		go func() { // ends with the session, which is closed
			defer from.Close()
			_, err := io.Copy(d.stdin, from)
			_ = d.stdin.Close()
			sent <- err
		}()
		words, err = d.next()
	}
	if err != nil {
		return false, lost(err)
	}
	return c.answer(words)
}

// answer turns what the host says into what became of the file.
func (c *copying) answer(words []string) (bool, error) {
	path := c.file.Path
	switch words[0] {
	case "same":
		return false, nil
	case "changed":
		return true, nil
	case "partial":
		return false, c.fail(Lost, "the file arrived damaged and was not put in place: is the given SHA-256 that of the content?", nil)
	case "folder":
		return false, c.fail(Path, path+" is a folder on the host: name the file in it", nil)
	case "special":
		return false, c.fail(Path, path+" is a device, a pipe or a socket on the host, and no file", nil)
	case "link":
		return false, c.fail(Path, path+" is a symbolic link on the host that is not followed: it is not to be, or leads nowhere", nil)
	case "disk":
		return false, c.fail(Disk, fmt.Sprintf("the host cannot write %s: look at the rights and the room on its disk", path), nil)
	}
	return false, c.fail(Protocol, fmt.Sprintf("the host answers %.200q", strings.Join(words, " ")), nil)
}

// ended ends the copy on the host after ctx has ended.
func (c *copying) ended(ctx context.Context) (bool, error) {
	kind, message := Timeout, "the copy took too long; it was ended, and the file on the host is as it was"
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind, message = Cancelled, "the copy was cancelled; it was ended, and the file on the host is as it was"
	}
	for wait := firstPause; ; wait = min(2*wait, maxBackoff) {
		attempt, cancel := c.pool.within(copyEndWithin)
		words, err := c.pool.ask(attempt, c.target, c.cred, c.text(), quitScript, c.who...)
		cancel()
		switch {
		case err == nil && words[0] == "placed":
			return true, nil
		case err == nil && words[0] == "ended":
			return false, c.fail(kind, message, nil)
		case err == nil:
			err = fmt.Errorf("the copy does not end, still trying: %.300q", strings.Join(words, " "))
		default:
			err = fmt.Errorf("the host cannot be reached; still trying to stop the copy: %w", err)
		}
		if c.file.Note != nil {
			c.file.Note(err.Error())
		}
		if !c.pool.pause(wait) {
			return false, c.fail(Unknown, "the copy was to be ended, and that is not proven", err)
		}
	}
}
