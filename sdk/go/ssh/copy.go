package ssh

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// File is something to put on a host.
type File struct {
	Path   string
	Mode   os.FileMode
	SHA256 string // hex
	// Open gives the content; it is not called where the host has it already.
	Open func() (io.ReadCloser, error)
}

// Copy puts a file on a host: written beside its place, checked, synced and
// then moved. changed is false where the host had it already.
func (p *Pool) Copy(ctx context.Context, t Target, cred Credential, f File) (changed bool, err error) {
	if strings.ContainsRune(f.Path, 0) || !strings.HasPrefix(f.Path, "/") {
		return false, &Error{Lost, t.Address, fmt.Sprintf("the path %q is not absolute", f.Path), nil}
	}
	session, _, release, err := p.session(ctx, t, cred)
	if err != nil {
		return false, err
	}
	broken := true
	defer func() { release(broken) }()
	defer session.Close()
	done := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer done()
	stdin, err := session.StdinPipe()
	if err != nil {
		return false, err
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := session.Start(shell(copyFile, f.Path, f.SHA256, fmt.Sprintf("%04o", f.Mode.Perm()))); err != nil {
		return false, &Error{Lost, t.Address, "the connection broke", err}
	}
	in := bufio.NewReader(stdout)
	word, err := in.ReadString('\n')
	if err == nil && word == "send\n" {
		if err := send(stdin, f); err != nil {
			return false, &Error{Lost, t.Address, "the file cannot be sent", err}
		}
		word, err = in.ReadString('\n')
	}
	if err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, &Error{Lost, t.Address, "the connection broke; the file on the host is as it was", err}
	}
	broken = false
	switch word {
	case "same\n":
		return false, nil
	case "changed\n":
		return true, nil
	case "partial\n":
		return false, &Error{Lost, t.Address, "the file arrived damaged and was not put in place: is the given SHA-256 that of the content?", nil}
	case "disk\n":
		return false, &Error{Disk, t.Address, fmt.Sprintf("the host cannot write %s: look at the rights and the room on its disk", f.Path), nil}
	}
	return false, &Error{Protocol, t.Address, fmt.Sprintf("the host answered %.200q", word), nil}
}

func send(to io.WriteCloser, f File) error {
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Close()
}
