package manifest

import (
	"fmt"
	"strings"
)

// run checks how the plugin is started and what it needs.
func (c *checker) run() {
	switch r := c.m.Run; {
	case r == nil && (len(c.m.Services) > 0 || len(c.m.Objects) > 0 || len(c.m.Routes) > 0 || c.m.DynamicObjects):
		c.add("run", CodeRun, "something must serve the services, objects and routes: write run with binary, image or builtin")
	case r != nil:
		given := 0
		for _, set := range []bool{r.Binary != "", r.Image != "", r.Builtin} {
			if set {
				given++
			}
		}
		if given != 1 {
			c.add("run", CodeRun, "%d of binary, image and builtin are given: write exactly one", given)
		}
		c.file("run.binary", r.Binary)
		c.file("run.image", r.Image)
	}
	if r := c.m.Resources; r != nil {
		if r.Memory != "" && !memorySize.MatchString(r.Memory) {
			c.add("resources.memory", CodeRange, "%q is not an amount of memory: write it like 256Mi", r.Memory)
		}
		if !(r.CPU >= 0 && r.CPU <= maxCPU) {
			c.add("resources.cpu", CodeRange, "%v is not a number of processors: 0 to %d are possible", r.CPU, maxCPU)
		}
	}
}

// file checks the name of a file in the package; an empty one is none.
func (c *checker) file(path, name string) {
	if name == "" {
		return
	}
	bad := strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00\r\n")
	for _, part := range strings.Split(name, "/") {
		bad = bad || part == "" || part == "." || part == ".."
	}
	if bad {
		c.add(path, CodePath, "%q is not a file of the package: write its path from the package's root, with / between folders", name)
	}
}

func (c *checker) ui() {
	ui := c.m.UI
	if ui == nil {
		return
	}
	if ui.Entry == "" {
		c.add("ui.entry", CodeMissing, "the entry is missing: name the script that exports pages and cards")
	}
	c.file("ui.entry", ui.Entry)
	pages := map[string]bool{}
	for i, p := range ui.Pages {
		path := fmt.Sprintf("ui.pages[%d]", i)
		c.route(path+".path", p.Path)
		if pages[p.Path] {
			c.add(path+".path", CodeDuplicate, "%q is the path of another page: change one", p.Path)
		}
		pages[p.Path] = true
		c.name(path+".export", p.Export, exportName, nil)
	}
	for i, card := range ui.Cards {
		path := fmt.Sprintf("ui.cards[%d]", i)
		c.reference(path+".on", card.On)
		c.name(path+".export", card.Export, exportName, nil)
	}
}
