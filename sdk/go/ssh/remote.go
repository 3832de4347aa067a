package ssh

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The scripts in host/ start few processes: on a busy host starting one costs
// more than everything else. What the shell can do by itself it does. Besides
// POSIX shells the log-in shell may be fish, which reads a backslash before a
// quote or a backslash otherwise: they hold none of these.
var (
	//go:embed host/prologue.sh
	prologueText string
	//go:embed host/hello.sh
	helloText string
	//go:embed host/start.sh
	startText string
	//go:embed host/supervise.sh
	superviseText string
	//go:embed host/scan.sh
	scanText string
	//go:embed host/end.sh
	endText string
	//go:embed host/copy.sh
	copyText string
	//go:embed host/quit.sh
	quitText string

	startScript = bare(prologueText + helloText + startText)
	supervisor  = bare(superviseText)
	endScript   = bare(prologueText + helloText + scanText + endText)
	copyScript  = bare(prologueText + "_sxt_stat $$ || _sxt_s=-\n" + helloText + copyText)
	quitScript  = bare(prologueText + helloText + scanText + quitText)
)

// bare leaves comments, indentation and empty lines out.
func bare(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// marker frames what a script of ours says.
type marker string

func newMarker() marker {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return marker(hex.EncodeToString(b[:]))
}

// shell is the command line that runs one of the scripts with arguments, none of
// them secret and none with a backslash. The marker stands on it in two halves.
func (m marker) shell(script string, args ...string) string {
	words := []string{"exec /bin/sh -c", Quote(script), "sh", string(m[:16]), string(m[16:])}
	for _, a := range args {
		words = append(words, Quote(a))
	}
	return strings.Join(words, " ")
}

// jobName is the folder of a key.
func jobName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// Quote makes one word of a POSIX shell of any text without NUL.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// maxSmall is the size in bytes up to which the host's shell takes the files of
// a command by itself; cat takes longer ones faster than it is started.
const maxSmall = 16 << 10

// How the files of a command come to be and are checked: the shell writes them and
// reads them again, or compares their sums; or the text cuts them out of the bytes
// that follow.
const (
	kindRead  = "read"
	kindShell = "sums"
	kindBlob  = "blob"
)

// maxRead is the size in bytes up to which the host's shell reads what it has
// written: longer files are compared by their sums.
const maxRead = 2 << 10

// load is what is sent for a command: a text for the shell and bytes after it.
type load struct {
	kind string
	text string
	blob []byte
	sums [3]string // of run, script and stdin
}

// pack makes the files of a command: run sets the environment and begins it.
func pack(c Command) load {
	parts := [3]string{runFile(c, kindBlob), c.Script, c.Stdin}
	var l load
	plain, size := true, 0
	for i, p := range parts {
		sum := sha256.Sum256([]byte(p))
		l.sums[i] = hex.EncodeToString(sum[:])
		size += len(p)
		plain = plain && !strings.ContainsFunc(p, func(r rune) bool { return r == 0 || r > 126 })
	}
	if plain && size <= maxSmall {
		l.kind = kindShell
		if size <= maxRead {
			l.kind = kindRead
			parts[0] = runFile(c, kindRead)
		}
		l.text = fmt.Sprintf("_sxt_1=%s _sxt_2=%s _sxt_3=%s\n", Quote(parts[0]), Quote(parts[1]), Quote(parts[2]))
		return l
	}
	n := len(parts[0])
	l.kind = kindBlob
	l.text = fmt.Sprintf("head -c %d \"$_sxt_f\" >\"$_sxt_d/run\" && tail -c +%d \"$_sxt_f\" | "+
		"head -c %d >\"$_sxt_d/script\" && tail -c +%d \"$_sxt_f\" >\"$_sxt_d/stdin\"\n", n, n+1, len(parts[1]), n+len(parts[1])+1)
	l.blob = []byte(strings.Join(parts[:], ""))
	return l
}

// runFile is run by the supervisor's child and becomes the command, in a session
// of its own. $1 is the job's folder and $4 is setsid; _sxt_path gives back the PATH
// of the log-in. Once the environment is set only positions are used. It is a file
// unless the host's shell keeps it in memory.
func runFile(c Command, kind string) string {
	var b strings.Builder
	names := make([]string, 0, len(c.Env))
	for name := range c.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 0 && kind != kindRead {
		b.WriteString("rm -f \"$1/run\"\n") // it holds the environment, of which parts may be secret
	}
	if c.Dir != "" {
		dir := c.Dir
		if dir[0] != '/' {
			dir = "./" + dir
		}
		fmt.Fprintf(&b, "cd -- %s || exit 126\n", Quote(dir))
	}
	b.WriteString("_sxt_path\n")
	if len(names) > 0 {
		b.WriteString("{\n")
		for _, name := range names {
			fmt.Fprintf(&b, "export %s=%s\n", name, Quote(c.Env[name]))
		}
		b.WriteString(":\n} 2>/dev/null\n")
	}
	b.WriteString("exec \"$4\" " + interpreter(c.Script) + ` "$1/script"`)
	for _, a := range c.Args {
		b.WriteString(" " + Quote(a))
	}
	if kind == kindRead && c.Stdin == "" {
		b.WriteString(" </dev/null\n")
		return b.String()
	}
	b.WriteString(" <\"$1/stdin\"\n")
	return b.String()
}

// interpreter is what the first line of a script names, as the kernel reads it:
// one word and at most one argument. It is named here because a home may forbid
// to execute files.
func interpreter(script string) string {
	line, _, _ := strings.Cut(script, "\n")
	rest, ok := strings.CutPrefix(line, "#!")
	program, arg, _ := strings.Cut(strings.Trim(rest, " \t"), " ")
	if i := strings.IndexByte(program, '\t'); i >= 0 {
		program, arg = program[:i], program[i+1:]+" "+arg
	}
	if !ok || program == "" {
		return "/bin/sh"
	}
	if arg = strings.Trim(arg, " \t"); arg != "" {
		return Quote(program) + " " + Quote(arg)
	}
	return Quote(program)
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// shellOwn are the names that one shell or another sets by itself or does not let
// be set.
var shellOwn = regexp.MustCompile(`^(_|_sxt_.*|SEXTANT_JOB_.*|PPID|` +
	`UID|EUID|GROUPS|PWD|OLDPWD|SHLVL|LINENO|OPTIND|RANDOM|SRANDOM|SECONDS|EPOCHSECONDS|EPOCHREALTIME|HISTCMD|` +
	`FUNCNAME|DIRSTACK|SHELLOPTS|BASHOPTS|BASHPID|BASH_(ALIASES|ARGC|ARGV|ARGV0|CMDS|COMMAND|LINENO|REMATCH|SOURCE|SUBSHELL|VERSINFO))$`)

// CheckEnvName tells why a name cannot be one of the environment of a command;
// nil if it can.
func CheckEnvName(name string) error {
	if !envName.MatchString(name) {
		return fmt.Errorf("%q is no name of an environment variable: letters, digits and _ are, and no digit comes first", name)
	}
	if shellOwn.MatchString(name) {
		return fmt.Errorf("%q is set by the shell itself and cannot be given", name)
	}
	return nil
}

// Normalize takes a byte order mark and Windows line ends from a script; what
// tells what it took, empty for nothing.
func Normalize(script string) (text, what string) {
	text, mark := strings.CutPrefix(script, "\uFEFF")
	lines := strings.ReplaceAll(text, "\r\n", "\n")
	if lines != text {
		lines = strings.TrimSuffix(lines, "\r")
	}
	switch {
	case mark && lines != text:
		what = "a byte order mark and Windows line ends were taken from the script"
	case mark:
		what = "a byte order mark was taken from the beginning of the script"
	case lines != text:
		what = "Windows line ends of the script were made line ends of Unix"
	}
	return lines, what
}
