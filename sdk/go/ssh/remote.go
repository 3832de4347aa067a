package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// The scripts below start few processes: on a busy host starting one costs more
// than everything else. What the shell can do by itself it does.

// bootstrap takes a payload from standard input, claims the job's folder, starts
// the supervisor and waits for the end. $1 is the name of the folder, $2 the
// last line that the payload must have: a connection that breaks in the middle
// must not run half a script. $3 is "small" for a payload that the shell reads
// by itself, $4 "sweep" where old jobs are to be removed. Where the folder
// exists it waits for that job.
//
// Its answer is a line "SEXTANT <state> <exit> <bytes of out> <bytes of err>"
// and then the ends of both streams. States: done, unknown, disk, partial.
const bootstrap = `umask 077
B="$HOME/.sextant/jobs"; D="$B/$1"; T="$B/.$1.$$"; L=; P=
say() { echo "SEXTANT $1 0 0 0"; exit 0; }
[ -d "$B" ] || mkdir -p "$B" 2>/dev/null || say disk
if [ "$3" = small ]; then
  while IFS= read -r L; do P="$P$L
"; l=$L; done
  L=$l
else
  cat >"$T" 2>/dev/null || { rm -f "$T"; say disk; }
  L=$(tail -n 1 "$T")
  [ "$L" = "$2" ] || rm -f "$T"
fi
[ "$L" = "$2" ] || say partial
if mkdir "$D" 2>/dev/null; then
  if [ "$3" = small ]; then
    { printf %s "$P" >"$D/run"; } 2>/dev/null || { rm -rf "$D"; say disk; }
  else
    mv "$T" "$D/run"
  fi
  S=; command -v setsid >/dev/null 2>&1 && S=setsid
  $S sh -c '` + supervisor + `' sh "$D" "$B" "$4" </dev/null >/dev/null 2>&1 &
  wait $!
else
  [ "$3" = small ] || rm -f "$T"
  [ -d "$D" ] || say disk
fi
n=0
while [ ! -s "$D/exit" ]; do
  if [ -s "$D/pid" ]; then
    read -r p s <"$D/pid"
    c=$(cut -d" " -f3,22 "/proc/$p/stat" 2>/dev/null)
    if [ "${c#[!Z] }" != "$s" ]; then [ -s "$D/exit" ] || [ -f "$D/stop" ] || say unknown; fi
  else
    n=$((n+1))
    if [ $n -gt 100 ]; then say unknown; fi
  fi
  [ -s "$D/exit" ] || sleep 0.1 2>/dev/null || sleep 1
done
read -r x <"$D/exit"
cd "$D" || say unknown
set -- $(wc -c out err)
o=$1; e=$3
echo "SEXTANT done $x $o $e"
if [ $o -le 65536 ] && [ $e -le 65536 ]; then
  [ $((o+e)) -eq 0 ] || cat out err
  exit 0
fi
for f in out err; do
  z=$(($(wc -c <"$f")))
  if [ $z -gt 65536 ]; then head -c 32768 "$f"; tail -c 32768 "$f"; else cat "$f"; fi
done`

// supervisor runs the payload and stores how it ended; where it is asked to it
// then removes finished jobs that are older than a day. It stands in single
// quotes. A file that is there but empty is one that is being written.
const supervisor = `D=$1; B=$2; W=$3; : >"$D/out"; : >"$D/err"
s=; read -r s </proc/$$/stat; set -- "$D" "$B" ${s##*) }
echo "$$ ${22}" >"$D/pid"
( . "$D/run" ) >"$D/out" 2>"$D/err"; x=$?
for f in run script stdin; do [ ! -f "$D/$f" ] || : >"$D/$f"; done
echo $x >"$D/exit"
[ "$W" != sweep ] || { cd "$B" && find . -mindepth 2 -maxdepth 2 -name exit -mtime +0 2>/dev/null | while read -r o; do rm -rf "${o%/exit}"; done; } &`

// follow prints new output: "<bytes of out> <bytes of err>" and the bytes from
// the offsets $2 and $3 on, at most 256 KiB of each.
const follow = `cd "$HOME/.sextant/jobs/$1" 2>/dev/null && [ -f err ] || { echo "0 0"; exit 0; }
[ -s out ] || [ -s err ] || { echo "0 0"; exit 0; }
a=$2; b=$3; set -- $(wc -c out err)
o=$(($1-a)); e=$(($3-b))
[ $o -gt 262144 ] && o=262144; [ $e -gt 262144 ] && e=262144
[ $o -lt 0 ] && o=0; [ $e -lt 0 ] && e=0
echo "$o $e"
[ $o -eq 0 ] || tail -c +$((a+1)) out | head -c $o
[ $e -eq 0 ] || tail -c +$((b+1)) err | head -c $e`

// stop ends a job's process group, softly first. A job that is still on its way
// finds its folder taken and does not begin.
const stop = `umask 077
B="$HOME/.sextant/jobs"; D="$B/$1"; mkdir -p "$B"
nap() { sleep 0.1 2>/dev/null || sleep 1; }
if mkdir "$D" 2>/dev/null; then : >"$D/out"; : >"$D/err"; echo 143 >"$D/exit.new"; mv "$D/exit.new" "$D/exit"; exit 0; fi
[ -d "$D" ] || exit 1
n=0; while [ ! -s "$D/pid" ] && [ ! -s "$D/exit" ] && [ $n -lt 50 ]; do nap; n=$((n+1)); done
[ -s "$D/pid" ] && [ ! -s "$D/exit" ] || exit 0
read -r p s <"$D/pid"
c=$(cut -d" " -f3,22 "/proc/$p/stat" 2>/dev/null)
[ "${c#[!Z] }" = "$s" ] || exit 0
: >"$D/stop"
kill -s TERM -- "-$p" 2>/dev/null
n=0; while [ ! -s "$D/exit" ] && kill -s 0 -- "-$p" 2>/dev/null && [ $n -lt 30 ]; do nap; n=$((n+1)); done
kill -s KILL -- "-$p" 2>/dev/null
[ -s "$D/exit" ] || { echo 143 >"$D/exit.new"; mv "$D/exit.new" "$D/exit"; }
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

// maxSmall is the size in bytes up to which the host's shell reads a payload by
// itself, byte by byte; cat takes longer ones faster than it is started.
const maxSmall = 16 << 10

// payload is the script that the supervisor runs: it makes the files of the
// command, sets its environment and runs it.
func payload(c Command) (text, last string) {
	var b strings.Builder
	b.WriteString("D=$1\n")
	keep := func(file, content string) {
		b.WriteString("printf '%s\\n' " + Quote(strings.TrimSuffix(content, "\n")) + " >\"$D/" + file + "\"\n")
	}
	keep("script", c.Script)
	input := "/dev/null"
	if c.Stdin != "" {
		keep("stdin", c.Stdin)
		input = `"$D/stdin"`
	}
	names := make([]string, 0, len(c.Env))
	for name := range c.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "export %s=%s\n", name, Quote(c.Env[name]))
	}
	run := `sh "$D/script"`
	if strings.HasPrefix(c.Script, "#!") {
		b.WriteString("chmod 700 \"$D/script\"\n")
		run = `"$D/script"`
	}
	b.WriteString("umask 022\n")
	if c.Dir != "" {
		fmt.Fprintf(&b, "cd %s || exit 126\n", Quote(c.Dir))
	}
	if len(names) > 0 {
		b.WriteString("rm -f \"$D/run\"\n") // it holds the environment, of which parts may be secret
	}
	b.WriteString("exec " + run)
	for _, a := range c.Args {
		b.WriteString(" " + Quote(a))
	}
	b.WriteString(" <" + input + "\n")
	sum := sha256.Sum256([]byte(b.String()))
	last = "# end " + hex.EncodeToString(sum[:])
	return b.String() + last + "\n", last
}
