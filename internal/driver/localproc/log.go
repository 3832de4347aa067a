package localproc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxLog   = 16 << 20 // bytes of a log file before it is put aside
	tailSize = 4 << 10  // bytes at the end of a log that are told in an error
	tailRows = 20
)

func (d *Driver) logPath(name string) string { return filepath.Join(d.LogDir, name+".log") }

// openLog opens the log of a process that is to be started, a new one where the
// old one has become large. It gives where the output of the process will begin.
func (d *Driver) openLog(name string) (*os.File, int64, error) {
	path := d.logPath(name)
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	if err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, err
	}
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, at, nil
}

// rotate puts the log of a running process aside. The process keeps the file
// open, so that its content is copied and cut; what it writes between the two is
// lost.
func (d *Driver) rotate(name string) error {
	path := d.logPath(name)
	from, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := from.Stat()
	if err == nil && info.Size() > maxLog {
		err = cutLog(from, path+".1")
	}
	return errors.Join(err, from.Close())
}

func cutLog(from *os.File, to string) error {
	aside, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(aside, from)
	if err = errors.Join(err, aside.Close()); err != nil {
		return err
	}
	return from.Truncate(0)
}

// tail gives the last lines of a log, of what was written from a place on.
func (d *Driver) tail(name string, from int64) string {
	f, err := os.Open(d.logPath(name))
	if err != nil {
		return "there is no log: " + err.Error()
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "the log cannot be read: " + err.Error()
	}
	if size < from {
		from = 0 // it was put aside
	}
	begin := max(from, size-tailSize)
	data := make([]byte, size-begin)
	n, err := f.ReadAt(data, begin)
	if err != nil && !errors.Is(err, io.EOF) {
		return "the log cannot be read: " + err.Error()
	}
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(data[:n]), "�"), "\n"), "\n")
	if begin > from && len(lines) > 1 {
		lines = lines[1:] // it begins in the middle
	}
	lines = lines[max(0, len(lines)-tailRows):]
	if text := strings.Join(lines, "\n"); text != "" {
		return "the end of its log:\n" + text
	}
	return "it has written nothing"
}

// ReadLog gives what a process wrote, at most limit bytes from a place on, and the place
// where to read on. A log that was put aside since is read from its beginning; one
// that is not there is empty.
func (d *Driver) ReadLog(name string, from int64, limit int) ([]byte, int64, error) {
	if !ValidName(name) {
		return nil, 0, nil
	}
	f, err := os.Open(d.logPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("localproc: the log of %s: %w", name, err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, fmt.Errorf("localproc: the log of %s: %w", name, err)
	}
	if from > size {
		from = 0
	}
	data := make([]byte, min(size-from, int64(limit)))
	n, err := f.ReadAt(data, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("localproc: the log of %s: %w", name, err)
	}
	return data[:n], from + int64(n), nil
}
