package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed list.txt
var list string

// sabotage is one line to break, and the test that has to turn red.
type sabotage struct{ name, file, old, new, pkg, test string }

var breaks = strings.NewReplacer(`\n`, "\n", `\t`, "\t")

func read(text string) ([]sabotage, error) {
	var all []sabotage
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(block, "\n") {
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		if len(lines) == 0 {
			continue
		}
		if len(lines) != 5 {
			return nil, fmt.Errorf("%q has %d lines, want 5: name, file, old text, new text, package and test", lines[0], len(lines))
		}
		pkg, test, ok := strings.Cut(lines[4], " ")
		if !ok {
			return nil, fmt.Errorf("%s: %q is no package and test", lines[0], lines[4])
		}
		all = append(all, sabotage{lines[0], lines[1], breaks.Replace(lines[2]), breaks.Replace(lines[3]), pkg, test})
	}
	return all, nil
}

// overlay is the copy of a file with the broken line, as go build takes it in place
// of the file.
func (s sabotage) overlay(dir string) (string, error) {
	data, err := os.ReadFile(s.file)
	if err != nil {
		return "", err
	}
	if n := bytes.Count(data, []byte(s.old)); n != 1 {
		return "", fmt.Errorf("%s holds the old text %d times, want once", s.file, n)
	}
	copied, plan := filepath.Join(dir, "copy.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(copied, bytes.Replace(data, []byte(s.old), []byte(s.new), 1), 0o600); err != nil {
		return "", err
	}
	whole, err := filepath.Abs(s.file)
	if err != nil {
		return "", err
	}
	return plan, os.WriteFile(plan, fmt.Appendf(nil, `{"Replace":{%q:%q}}`, whole, copied), 0o600)
}

var ran = regexp.MustCompile(`(?m)^=== RUN`)

// run breaks the line and tells whether the test noticed.
func (s sabotage) run(dir string) error {
	plan, err := s.overlay(dir)
	if err != nil {
		return err
	}
	pattern := "^" + strings.ReplaceAll(s.test, "/", "$/^") + "$"
	out,
		err := exec.Command("go", "test", "-overlay", plan, "-vet=off", "-count=1", "-v", "-timeout=120s", "-run", pattern,
		"./"+s.pkg).CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil && !ran.Match(out):
		return errors.New("there is no such test")
	case err == nil:
		return errors.New("the test stayed green")
	case !errors.As(err, &failed):
		return err
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return fmt.Errorf("it does not build:\n%s", out)
	}
	return nil
}

func main() {
	all, err := read(list)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sabotage:", err)
		os.Exit(2)
	}
	only, n, green := strings.Join(os.Args[1:], " "), 0, 0
	for _, s := range all {
		if !strings.Contains(s.name+" "+s.file, only) {
			continue
		}
		dir, err := os.MkdirTemp("", "sabotage-")
		if err == nil {
			err = s.run(dir)
			if gone := os.RemoveAll(dir); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
		if n++; err != nil {
			green++
			fmt.Printf("GREEN %s: %s: %v\n", s.name, s.pkg+" "+s.test, err)
			continue
		}
		fmt.Printf("red   %s\n", s.name)
	}
	fmt.Printf("%d of %d sabotages were noticed\n", n-green, n)
	if green > 0 {
		os.Exit(1)
	}
}
