package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
)

// watched is a row whose command works on a host, and how far its log is in a
// line.
type watched struct {
	hosts *hosts
	call  *plugin.Call
	mu    sync.Mutex
}

func (h *hosts) watch(call *plugin.Call) *watched { return &watched{hosts: h, call: call} }

// note tells whoever watches the run something that the command did not print.
func (w *watched) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintf(w.call, "[sextant] %s\n", text) // it never fails
	w.call.Progress(0, text)
}

// run runs a command under the key of the row. That it may have begun is noted
// down in the plugin's folder first: a call that comes again only to be ended,
// after the plugin was started anew, must not take the command for one that
// never was, nor begin it.
func (w *watched) run(ctx context.Context, to ssh.Target, cred ssh.Credential, c ssh.Command) (ssh.Result, error) {
	mark := w.mark()
	c.Begun = mark == "" && w.call.Again
	c.Key, c.Leave, c.Note = w.call.Key, plugin.ErrStopping, w.note
	if mark != "" {
		_, err := os.Stat(mark)
		c.Begun = err == nil
		c.Sending = func() error { return begin(mark) }
	}
	res, err := w.hosts.pool.Run(ctx, to, cred, c)
	if mark != "" && ssh.KindOf(err) != ssh.Unknown {
		if gone := os.Remove(mark); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			w.call.Host.Log.WarnContext(ctx, "the note about a command that has ended cannot be removed", "err", gone)
		}
	}
	return res, err
}

// mark is the file that says that the command of this row may have begun; empty
// where the plugin has no folder.
func (w *watched) mark() string {
	if w.call.Host.Data == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(w.call.Key))
	return filepath.Join(w.call.Host.Data, "begun", hex.EncodeToString(sum[:16]))
}

func begin(mark string) error {
	if err := os.MkdirAll(filepath.Dir(mark), 0o700); err != nil {
		return err
	}
	return os.WriteFile(mark, nil, 0o600)
}
