package screen_test

import (
	"strings"
	"testing"

	"sextant/internal/terminal/screen"
)

func TestControlCharactersAreShown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		parts []string
		want  string
	}{
		{"plain", []string{"a\tb\n主é😀\n"}, "a\tb\n主é😀\n"},
		{"colours", []string{"\x1b[31mred\x1b[0m"}, `\u001b[31mred\u001b[0m`},
		{"title and clipboard", []string{"\x1b]0;x\a\x1b]52;c;eA==\x1b\\"}, `\u001b]0;x\u0007\u001b]52;c;eA==\u001b\`},
		{"codes of eight bits", []string{"\u009b2J\u0090q\u009c"}, `\u009b2J\u0090q\u009c`},
		{"bytes of eight bits", []string{"\x9b2J\xff"}, `\x9b2J\xff`},
		{"going back", []string{"secret\rpublic\b\b\x7f\v\f\x00"}, `secret\u000dpublic\u0008\u0008\u007f\u000b\u000c\u0000`},
		{"turned around", []string{"a\u202eb\u2066c"}, `a\u202eb\u2066c`},
		{"a character in two parts", []string{"\xe4", "\xb8", "\xbb.", "\xc2", "\x9b2J"}, `主.\u009b2J`},
		{"a character that is not ended", []string{"\xe4\xb8", "x"}, `\xe4\xb8x`},
	}
	for _, tt := range tests {
		var b strings.Builder
		raw := false
		w := screen.New(&b, &raw)
		for _, p := range tt.parts {
			if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
				t.Errorf("%s: %d %v", tt.name, n, err)
			}
		}
		if b.String() != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, b.String(), tt.want)
		}
	}
	var b strings.Builder
	raw := true
	_, _ = screen.New(&b, &raw).Write([]byte("\x1b[2J\xff")) // it never fails
	if b.String() != "\x1b[2J\xff" {
		t.Errorf("raw: %q", b.String())
	}
}
