package localproc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// record is what the run folder keeps about a process. One with a pid of 0 is an
// intent: the process is about to be started.
type record struct {
	Name string `json:"name"`
	Pid  int    `json:"pid"`
	// Started is in ticks since the boot; of an intent, when it was written.
	Started uint64   `json:"started"`
	Boot    string   `json:"boot"`
	Address string   `json:"address,omitempty"`
	Path    string   `json:"path"`
	Args    []string `json:"args,omitempty"`
	Dir     string   `json:"dir,omitempty"`
	// File tells one version of the program from another.
	File file      `json:"file"`
	Time time.Time `json:"time"`

	child *child // where this one is its parent and has just started it
}

// file tells whether a program is still the same.
type file struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Inode    uint64    `json:"inode"`
}

func fileOf(path string) (file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return file{}, err
	}
	if !info.Mode().IsRegular() {
		return file{}, fmt.Errorf("%s is no file", path)
	}
	f := file{Size: info.Size(), Modified: info.ModTime().UTC()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Inode = s.Ino
	}
	return f, nil
}

// fits reports whether the process is the one that is asked for.
func (r record) fits(p Process, f file) bool {
	return r.Path == p.Path && slices.Equal(r.Args, p.Args) && r.Dir == p.Dir && (r.Address != "") == p.Listen &&
		r.File.Size == f.Size && r.File.Inode == f.Inode && r.File.Modified.Equal(f.Modified)
}

func (r record) state() State {
	return State{Name: r.Name, Pid: r.Pid, Started: r.Started, Boot: r.Boot, Address: r.Address, Since: r.Time}
}

func (d *Driver) recordPath(name string) string { return filepath.Join(d.RunDir, name+".json") }

// load reads a record; ok is false where there is none.
func (d *Driver) load(name string) (r record, ok bool, err error) {
	data, err := os.ReadFile(d.recordPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return record{}, false, fmt.Errorf("read what runs as %s: %w", name, err)
	}
	return r, true, nil
}

// running finds the process of a name.
func (d *Driver) running(name string) (r record, ok bool, err error) {
	r, ok, err = d.load(name)
	if err != nil || !ok {
		return r, false, err
	}
	if r.Pid == 0 {
		return r.search()
	}
	ok, err = r.alive()
	return r, ok, err
}

// save writes a record all at once and makes sure that it stays.
func (d *Driver) save(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(d.RunDir, ".new-*") // readable by the owner alone
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(data, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), d.recordPath(r.Name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(d.RunDir)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// forget removes a record.
func (d *Driver) forget(name string) error {
	err := os.Remove(d.recordPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// names lists the names that have a record.
func (d *Driver) names() ([]string, error) {
	entries, err := os.ReadDir(d.RunDir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && namePattern.MatchString(name) {
			out = append(out, name)
		}
	}
	return out, nil
}
