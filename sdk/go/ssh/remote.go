package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// bootstrap takes a payload from standard input, claims the job's folder, starts
// the supervisor and waits for the end. $1 is the name of the folder, $2 the
// last line that the payload must have: a connection that breaks in the middle
// must not run half a script. Where the folder exists it waits for that job.
//
// Its answer is a line "SEXTANT <state> <exit> <bytes of out> <bytes of err>"
// and then the ends of both streams. States: done, unknown, disk, partial.
const bootstrap = `umask 077
B="$HOME/.sextant/jobs"; D="$B/$1"; T="$B/.$1.$$"
mkdir -p "$B" 2>/dev/null && cat >"$T" 2>/dev/null || { rm -f "$T"; echo "SEXTANT disk 0 0 0"; exit 0; }
if [ "$(tail -n 1 "$T")" != "$2" ]; then rm -f "$T"; echo "SEXTANT partial 0 0 0"; exit 0; fi
if mkdir "$D" 2>/dev/null; then
  mv "$T" "$D/run"
  S=; command -v setsid >/dev/null 2>&1 && S=setsid
  $S sh -c '` + supervisor + `' sh "$D" "$B" </dev/null >/dev/null 2>&1 &
  wait $!
else
  rm -f "$T"
  [ -d "$D" ] || { echo "SEXTANT disk 0 0 0"; exit 0; }
fi
n=0
while [ ! -f "$D/exit" ]; do
  if [ -f "$D/pid" ]; then
    read -r p s <"$D/pid"
    c=$(cut -d" " -f3,22 "/proc/$p/stat" 2>/dev/null)
    if [ "${c#[!Z] }" != "$s" ]; then [ -f "$D/exit" ] || [ -f "$D/stop" ] || { echo "SEXTANT unknown 0 0 0"; exit 0; }; fi
  else
    n=$((n+1))
    if [ $n -gt 100 ]; then echo "SEXTANT unknown 0 0 0"; exit 0; fi
  fi
  [ -f "$D/exit" ] || sleep 0.1 2>/dev/null || sleep 1
done
read -r x <"$D/exit"
o=$(($(wc -c <"$D/out"))); e=$(($(wc -c <"$D/err")))
echo "SEXTANT done $x $o $e"
for f in out err; do
  z=$(($(wc -c <"$D/$f")))
  if [ $z -gt 65536 ]; then head -c 32768 "$D/$f"; tail -c 32768 "$D/$f"; else cat "$D/$f"; fi
done`

// supervisor runs the payload and stores how it ended; afterwards it removes
// finished jobs that are older than a day. It stands in single quotes.
const supervisor = `D=$1; : >"$D/out"; : >"$D/err"
echo "$$ $(cut -d" " -f22 /proc/$$/stat)" >"$D/pid.new"; mv "$D/pid.new" "$D/pid"
sh "$D/run" "$D" >"$D/out" 2>"$D/err"; x=$?
rm -f "$D/run" "$D/script" "$D/stdin"
echo $x >"$D/exit.new"; mv "$D/exit.new" "$D/exit"
{ cd "$2" && find . -mindepth 2 -maxdepth 2 -name exit -mtime +0 2>/dev/null | while read -r o; do rm -rf "${o%/exit}"; done; } &`

// follow prints new output: "<bytes of out> <bytes of err>" and the bytes from
// the offsets $2 and $3 on, at most 256 KiB of each.
const follow = `D="$HOME/.sextant/jobs/$1"
[ -f "$D/out" ] || { echo "0 0"; exit 0; }
o=$(($(wc -c <"$D/out")-$2)); e=$(($(wc -c <"$D/err")-$3))
[ $o -gt 262144 ] && o=262144; [ $e -gt 262144 ] && e=262144
[ $o -lt 0 ] && o=0; [ $e -lt 0 ] && e=0
echo "$o $e"
tail -c +$(($2+1)) "$D/out" | head -c $o
tail -c +$(($3+1)) "$D/err" | head -c $e`

// stop ends a job's process group, softly first. A job that is still on its way
// finds its folder taken and does not begin.
const stop = `umask 077
B="$HOME/.sextant/jobs"; D="$B/$1"; mkdir -p "$B"
nap() { sleep 0.1 2>/dev/null || sleep 1; }
if mkdir "$D" 2>/dev/null; then : >"$D/out"; : >"$D/err"; echo 143 >"$D/exit.new"; mv "$D/exit.new" "$D/exit"; exit 0; fi
[ -d "$D" ] || exit 1
n=0; while [ ! -f "$D/pid" ] && [ ! -f "$D/exit" ] && [ $n -lt 50 ]; do nap; n=$((n+1)); done
[ -f "$D/pid" ] && [ ! -f "$D/exit" ] || exit 0
read -r p s <"$D/pid"
c=$(cut -d" " -f3,22 "/proc/$p/stat" 2>/dev/null)
[ "${c#[!Z] }" = "$s" ] || exit 0
: >"$D/stop"
kill -s TERM -- "-$p" 2>/dev/null
n=0; while [ ! -f "$D/exit" ] && kill -s 0 -- "-$p" 2>/dev/null && [ $n -lt 30 ]; do nap; n=$((n+1)); done
kill -s KILL -- "-$p" 2>/dev/null
[ -f "$D/exit" ] || { echo 143 >"$D/exit.new"; mv "$D/exit.new" "$D/exit"; }
rm -f "$D/run" "$D/script" "$D/stdin"`

// copyFile takes a file from standard input unless the host has it already. $1
// is the path, $2 the SHA-256, $3 the mode.
const copyFile = `p=$1; d=$(dirname -- "$p")
sum() { sha256sum <"$1" | cut -c1-64; }
if [ -f "$p" ] && [ "$(sum "$p")" = "$2" ]; then chmod "$3" "$p"; echo same; exit 0; fi
mkdir -p "$d" || { echo disk; exit 0; }
t=$(mktemp "$d/.sextant.XXXXXX") || { echo disk; exit 0; }
trap 'rm -f "$t"' EXIT
echo send
cat >"$t" || { echo disk; exit 0; }
[ "$(sum "$t")" = "$2" ] || { echo partial; exit 0; }
chmod "$3" "$t"; sync "$t" 2>/dev/null || sync
mv -f "$t" "$p" && echo changed || echo disk`

// shell is the command line that runs one of the scripts above with arguments,
// none of them secret.
func shell(script string, args ...string) string {
	words := []string{"sh", "-c", Quote(script), "sh"}
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

// payload is the script that the supervisor runs: it makes the files of the
// command, sets its environment and runs it.
func payload(c Command) (text, last string) {
	var b strings.Builder
	b.WriteString("D=$1\n")
	here := func(file, content string) {
		sum := sha256.Sum256([]byte(content))
		mark := "SEXTANT_" + hex.EncodeToString(sum[:8])
		fmt.Fprintf(&b, "cat >\"$D/%s\" <<'%s'\n%s\n%s\n", file, mark, content, mark)
	}
	here("script", strings.TrimSuffix(c.Script, "\n"))
	input := "/dev/null"
	if c.Stdin != "" {
		here("stdin", strings.TrimSuffix(c.Stdin, "\n"))
		input = `"$D/stdin"`
	}
	b.WriteString("chmod 700 \"$D/script\"\n")
	names := make([]string, 0, len(c.Env))
	for name := range c.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "export %s=%s\n", name, Quote(c.Env[name]))
	}
	b.WriteString("umask 022\n")
	if c.Dir != "" {
		fmt.Fprintf(&b, "cd %s || exit 126\n", Quote(c.Dir))
	}
	run := `sh "$D/script"`
	if strings.HasPrefix(c.Script, "#!") {
		run = `"$D/script"`
	}
	b.WriteString("rm -f \"$D/run\"\n" + run)
	for _, a := range c.Args {
		b.WriteString(" " + Quote(a))
	}
	b.WriteString(" <" + input + "\nexit $?\n")
	sum := sha256.Sum256([]byte(b.String()))
	last = "# end " + hex.EncodeToString(sum[:])
	return b.String() + last + "\n", last
}
