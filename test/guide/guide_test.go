package guide_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What the documents tell readers to type works as it stands, in its order, and
// prints what they show.
func TestTheDocumentsDoWhatTheyShow(t *testing.T) {
	t.Parallel()
	for _, c := range chapters(t) {
		t.Run(path.Base(c.docs[0]), func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			if c.prepare != nil {
				c.prepare(w)
			}
			for _, doc := range c.docs {
				w.read(c, doc)
			}
			if c.after != nil {
				c.after(w)
			}
		})
	}
}

// read goes through a document.
func (w *world) read(c chapter, doc string) {
	w.t.Helper()
	d := parse(doc, read(w.t, doc))
	for name, text := range d.files {
		w.file(name, text)
	}
	heading := ""
	for _, s := range d.steps {
		if s.heading != heading {
			heading = s.heading
			if happened := c.before[heading]; happened != nil {
				happened(w)
			}
		}
		if elsewhere()[doc+": "+plain(s.command)] == "" {
			w.do(s)
		}
	}
}

var remark = regexp.MustCompile(`\s+#.*$`)

// plain is a command without the comment behind it.
func plain(command string) string { return remark.ReplaceAllString(command, "") }

// Every command of every document is run, or stands in the list of those that are
// not, with its reason; and what happens between the parts of a document is of parts
// that are there.
func TestEveryCommandIsRunOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	run, left := map[string]bool{}, elsewhere()
	for _, c := range chapters(t) {
		parts := map[string]bool{}
		for _, doc := range c.docs {
			run[doc] = true
			for _, s := range parse(doc, read(t, doc)).steps {
				parts[s.heading] = true
			}
		}
		for part := range c.before {
			if !parts[part] {
				t.Errorf("%v have no part %q with commands", c.docs, part)
			}
		}
	}
	commands := 0
	for _, doc := range written(t) {
		for _, s := range parse(doc, read(t, doc)).steps {
			name := doc + ": " + plain(s.command)
			if reason, ok := elsewhere()[name]; ok {
				t.Logf("%s is not run here: %s", name, reason)
				delete(left, name)
				continue
			}
			if commands++; !run[doc] {
				t.Errorf("%s is in no chapter: nothing proves that it works", name)
			}
		}
	}
	for name := range left {
		t.Errorf("no document has %s", name)
	}
	if commands < 60 {
		t.Errorf("%d commands are run", commands)
	}
}

// folderIsTold fails where the data folder holds what the document does not name.
func (w *world) folderIsTold() {
	w.t.Helper()
	_, table, _ := strings.Cut(read(w.t, "docs/operate/server.md"), "## The data folder\n")
	table, _, _ = strings.Cut(table, "\n## ")
	entries, err := os.ReadDir(w.fill("/var/lib/sextant"))
	if err != nil || len(entries) < 8 {
		w.t.Fatalf("the data folder holds %v, %v", entries, err)
	}
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), "-") // the database has two files beside it while it is open
		if !regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(name) + "[`/]").MatchString(table) {
			w.t.Errorf("docs/operate/server.md does not say what %s in the data folder is", e.Name())
		}
	}
}

// nothingIsLeft fails where a process goes on that works in the reader's folder or
// was started with something in it; the reader's own shell stays.
func (w *world) nothingIsLeft() {
	w.t.Helper()
	var found []string
	defer func() {
		if len(found) > 0 {
			w.t.Errorf("these go on: %q", found)
		}
	}()
	w.until("something goes on after its end", func() bool {
		found = nil
		dirs, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, dir := range dirs {
			line, err := os.ReadFile(dir + "/cmdline")
			if err != nil || filepath.Base(dir) == strconv.Itoa(w.shell.cmd.Process.Pid) {
				continue // it has ended, or is the shell
			}
			folder, err := os.Readlink(dir + "/cwd")
			if err == nil && strings.HasPrefix(folder+"/", w.dir+"/") || strings.Contains(string(line), w.dir+"/") {
				found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
			}
		}
		return len(found) == 0
	})
}
