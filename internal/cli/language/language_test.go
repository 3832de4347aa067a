package language_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/cli"
	"sextant/internal/cli/command"
)

type said struct {
	out, err string
	code     int
}

// sextant runs the command line.
func sextant(t *testing.T, in string, args ...string) said {
	t.Helper()
	var out, err bytes.Buffer
	code := cli.Run(t.Context(), command.Streams{In: strings.NewReader(in), Out: &out, Err: &err}, "test", args)
	return said{out.String(), err.String(), code}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
