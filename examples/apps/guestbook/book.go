package guestbook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	shownEntries = 20
	maxBook      = 1 << 20 // bytes
	maxName      = 60      // characters
	maxText      = 500     // characters
)

// errFull is answered when the book takes no more.
var errFull = errors.New("the book is full")

// entryError says what is wrong with an entry.
type entryError struct{ message string }

// Error is the message.
func (e *entryError) Error() string { return e.message }

// Entry is what a visitor wrote.
type Entry struct {
	Name string    `json:"name"`
	Text string    `json:"text"`
	Time time.Time `json:"time"`
}

// book is the file of entries, one a line. Lines are appended with one write
// each, so that instances which share the file do not mix them up.
type book struct{ path string }

func openBook(dir string) (*book, error) {
	if dir == "" {
		return &book{}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &book{filepath.Join(dir, "entries.jsonl")}, nil
}

func (b *book) add(e Entry) error {
	e.Name, e.Text = strings.TrimSpace(e.Name), strings.TrimSpace(e.Text)
	if e.Name == "" {
		e.Name = "A visitor"
	}
	if e.Text == "" || utf8.RuneCountInString(e.Text) > maxText || utf8.RuneCountInString(e.Name) > maxName {
		return &entryError{fmt.Sprintf("an entry has a text of 1 to %d characters and a name of at most %d", maxText, maxName)}
	}
	if b.path == "" {
		return errFull
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > maxBook {
		return errors.Join(err, errFull)
	}
	_, err = f.Write(append(line, '\n'))
	return err
}

// newest gives the entries to show, the last written first.
func (b *book) newest() ([]Entry, error) {
	if b.path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Entry
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // a line that a full disk has cut
		}
		all = append(all, e)
	}
	slices.Reverse(all)
	return all[:min(len(all), shownEntries)], lines.Err()
}
