# Claims the folder of a job, fills it, checks what was written, starts the
# supervisor and follows the job to its end. Where the folder exists it follows
# that job. $1 is the folder's name, $2 how many bytes follow the text, $3 to $5
# the checksums of run, script and stdin, $6 live or quiet, $7 and $8 how much of
# both streams is known already, $9 sweep or keep, ${10} the supervisor's text,
# ${11} how the files are made.
_sxt_n=$1 _sxt_z=$2 _sxt_live=$6 _sxt_o=$7 _sxt_e=$8 _sxt_w=$9 _sxt_v=${10} _sxt_made=${11}
_sxt_sums="$3  run
$4  script
$5  stdin"
_sxt_b=$HOME/.sextant/jobs
_sxt_d=$_sxt_b/$_sxt_n _sxt_f=$_sxt_b/.$_sxt_n.$$
# What is in these folders is nobody else's, whatever the umask, which the command
# gets as it is.
if [ -z "${HOME-}" ] || { [ ! -d "$_sxt_b" ] && ! { mkdir -p "$HOME/.sextant" && mkdir -p -m 700 "$_sxt_b"; } 2>/dev/null; }; then _sxt_say disk; fi

# _sxt_fill makes the files of the job, few of them: on a busy disk making one costs
# more than filling it. Those that tell its state have their room already when the
# disk is full later: they are only written over. No word of it is one whose failure
# ends a shell. What is run of a small job stays in memory.
_sxt_fill() {
  eval "$_sxt_t" || return 1
  if [ "$_sxt_made" != blob ]; then
    printf %s "$_sxt_2" >"$_sxt_d/script" || return 1
    if [ "$_sxt_made" = sums ]; then printf %s "$_sxt_1" >"$_sxt_d/run" || return 1; fi
    if [ "$_sxt_made" = sums ] || [ -n "$_sxt_3" ]; then printf %s "$_sxt_3" >"$_sxt_d/stdin" || return 1; fi
  fi
  if [ "$_sxt_made" = read ]; then
    _sxt_same script "$_sxt_2" || return 1
    [ -z "$_sxt_3" ] || _sxt_same stdin "$_sxt_3" || return 1
  else
    [ "$(cd "$_sxt_d" && sha256sum run script stdin)" = "$_sxt_sums" ] || return 1
  fi
  true >>"$_sxt_d/out" && true >>"$_sxt_d/err" && echo --- >"$_sxt_d/exit" && { [ -e "$_sxt_d/stop" ] || echo "no- $_sxt_k" >"$_sxt_d/stop"; } &&
    echo "0 - -                                                                                                    " >"$_sxt_d/leader" || return 1
  for _sxt_l in exit stop leader; do [ -s "$_sxt_d/$_sxt_l" ] || return 1; done
}
# What was written is looked at again: a little by the shell, much by its sums.
_sxt_same() {
  _sxt_x= _sxt_l=
  [ -f "$_sxt_d/$1" ] && while IFS= read -r _sxt_l; do _sxt_x="$_sxt_x$_sxt_l
"; done <"$_sxt_d/$1"
  [ "$_sxt_x$_sxt_l" = "$2" ] && [ -f "$_sxt_d/$1" ]
}

# _sxt_group makes a control group for the job where that is allowed.
_sxt_group() {
  _sxt_g=/sys/fs/cgroup
  [ -f $_sxt_g/cgroup.controllers ] || _sxt_g=$_sxt_g/unified
  [ -w $_sxt_g/cgroup.procs ] || { _sxt_g=; return; }
  while read -r _sxt_l; do
    case $_sxt_l in 0::*) _sxt_g=$_sxt_g${_sxt_l#0::} ;; esac
  done </proc/self/cgroup
  _sxt_g=${_sxt_g%/}/sextant-$_sxt_k
  mkdir "$_sxt_g" 2>/dev/null || _sxt_g=
}

# _sxt_emit sends what is new of both streams, at most 256 KiB of each. It also
# finds out that nobody listens any more.
_sxt_emit() {
  if [ "$_sxt_live" = live ] && [ $((_sxt_o + _sxt_e)) -lt 1073741824 ]; then
    set -- $(wc -c out err 2>/dev/null)
    set -- $((${1:-0} - _sxt_o)) $((${3:-0} - _sxt_e))
  else
    set -- 0 0
  fi
  [ "$1" -le 262144 ] || set -- 262144 "$2"
  [ "$2" -le 262144 ] || set -- "$1" 262144
  [ "$1" -ge 0 ] || set -- 0 "$2"
  [ "$2" -ge 0 ] || set -- "$1" 0
  echo "$_sxt_k live $1 $2" || exit 1
  [ "$1" -eq 0 ] || tail -c +$((_sxt_o + 1)) out | head -c "$1"
  [ "$2" -eq 0 ] || tail -c +$((_sxt_e + 1)) err | head -c "$2"
  _sxt_o=$((_sxt_o + $1)) _sxt_e=$((_sxt_e + $2)) _sxt_new=$(($1 + $2))
}

# _sxt_who reads who works on the job: _sxt_1 to _sxt_3 are its command, since when
# and in which boot, _sxt_4 and _sxt_5 the supervisor. An older version has a file
# for the latter.
_sxt_who() {
  _sxt_1=0 _sxt_2=- _sxt_3=- _sxt_4=0 _sxt_5=-
  { read -r _sxt_1 _sxt_2 _sxt_3 _sxt_4 _sxt_5 _sxt_l <leader; } 2>/dev/null
  [ ! -e pid ] || { read -r _sxt_4 _sxt_5 _sxt_3 <pid; } 2>/dev/null
}

# _sxt_look tells whether the job still works. A supervisor that is gone without
# a word may have left its command at work, which is waited for.
_sxt_look() {
  _sxt_who
  case $_sxt_4 in
    "" | 0)
      # A folder that is gone was taken back by who filled it, or removed later.
      if [ ! -d "$_sxt_d" ]; then
        [ $_sxt_begun = 1 ] || _sxt_say partial
        while [ $_sxt_child -gt 0 ] && kill -s 0 $_sxt_child 2>/dev/null; do
          echo "$_sxt_k live 0 0" || exit 1
          _sxt_nap
        done
        _sxt_say gone
      fi
      _sxt_i=$((_sxt_i + 1))
      [ $_sxt_i -lt 200 ] && return
      { echo yes 1<>"$_sxt_d/stop"; } 2>/dev/null # it will not begin now
      _sxt_who
      case $_sxt_1 in "" | 0) _sxt_say never ;; esac
      ;;
  esac
  _sxt_begun=1
  _sxt_alive "$_sxt_4" "$_sxt_5" "$_sxt_3" && return
  { read -r _sxt_x <"$_sxt_d/exit"; } 2>/dev/null
  [ "$_sxt_x" = --- ] || return
  _sxt_alive "$_sxt_1" "$_sxt_2" "$_sxt_3" && return
  { read -r _sxt_x <"$_sxt_d/stop"; } 2>/dev/null
  [ "$_sxt_x" = yes ] || _sxt_say gone
  _sxt_x=143 # its supervisor was ended too, and stores nothing any more
  _sxt_tell
}

# _sxt_tell gives the end of the job, with what both streams have: also what a
# command wrote after it was told to end. $_sxt_x is its exit code.
_sxt_tell() {
  { read -r _sxt_l <stop; } 2>/dev/null
  _sxt_end=done
  [ "$_sxt_l" != yes ] || _sxt_end=stopped
  set -- 0 x 0
  if [ -s out ] || [ -s err ]; then set -- $(wc -c out err); fi
  if [ $(($1 + $3)) -gt 65536 ]; then
    _sxt_new=1
    while [ "$_sxt_live" = live ] && [ $_sxt_new -gt 0 ]; do _sxt_emit; done
    set -- $(wc -c out err)
  fi
  echo "$_sxt_k $_sxt_end $_sxt_x $1 $3"
  if [ "$1" -le 65536 ] && [ "$3" -le 65536 ]; then
    [ "$1" -eq 0 ] || head -c "$1" out
    [ "$3" -eq 0 ] || head -c "$3" err
    exit 0
  fi
  _sxt_kept "$1" out
  _sxt_kept "$3" err
  exit 0
}

_sxt_follow() {
  cd "$_sxt_d" || _sxt_say partial
  # What has just been started is not looked for at once.
  _sxt_i=0 _sxt_r=0.1 _sxt_new=0
  [ $_sxt_begun = 0 ] || _sxt_new=-1
  while :; do
    _sxt_x=
    { read -r _sxt_x <exit; } 2>/dev/null
    case $_sxt_x in "" | ---) ;; *) break ;; esac
    if [ $_sxt_new -ge 0 ]; then _sxt_look; else _sxt_new=0; fi
    [ $_sxt_stop = 0 ] || { _sxt_stop=0; continue; }
    sleep $_sxt_r >/dev/null 2>&1 &
    _sxt_nap=$!
    if [ $_sxt_stop = 0 ]; then
      wait $_sxt_nap
      [ $? -ne 1 ] || sleep 1
    fi
    _sxt_nap=
    [ $_sxt_stop = 0 ] || { _sxt_stop=0; continue; }
    _sxt_emit
    # Who writes faster than this looks is caught up with at once.
    while [ $_sxt_new -ge 262144 ] && [ $_sxt_stop = 0 ]; do _sxt_emit; done
    case $_sxt_r$_sxt_new in
      0.10) _sxt_r=0.2 ;;
      0.20) _sxt_r=0.4 ;;
      0.40) _sxt_r=0.8 ;;
      0.80 | 1.00) _sxt_r=1.0 ;;
      *) _sxt_r=0.2 ;;
    esac
  done
  [ "$_sxt_x" != nev ] || _sxt_say never
  _sxt_tell
}
_sxt_kept() {
  if [ "$1" -le 65536 ]; then head -c "$1" "$2"; return; fi
  head -c 32768 "$2"
  tail -c +$(($1 - 32767)) "$2" | head -c 32768
}

_sxt_woken() { _sxt_stop=1; [ -z "$_sxt_nap" ] || kill -s KILL $_sxt_nap 2>/dev/null; }
_sxt_begun=0 _sxt_child=0 _sxt_stop=0 _sxt_nap=
[ -d "$_sxt_d" ] && _sxt_follow
if [ "$_sxt_z" -gt 0 ]; then
  cat >"$_sxt_f" 2>/dev/null || { rm -f "$_sxt_f"; _sxt_say disk; }
  [ $(($(wc -c <"$_sxt_f"))) -eq "$_sxt_z" ] || { rm -f "$_sxt_f"; _sxt_say partial; }
fi
if ! mkdir -m 700 "$_sxt_d" 2>/dev/null; then
  [ "$_sxt_z" -eq 0 ] || rm -f "$_sxt_f"
  [ -d "$_sxt_d" ] || _sxt_say disk
  _sxt_follow
fi
_sxt_fill 2>/dev/null || { rm -rf "$_sxt_d" "$_sxt_f"; _sxt_say disk; }
[ "$_sxt_z" -eq 0 ] || rm -f "$_sxt_f"
_sxt_group 2>/dev/null
# The supervisor tells this shell with TERM that the job has ended.
_sxt_begun=1
trap _sxt_woken TERM
_sxt_run=
[ "$_sxt_made" != read ] || _sxt_run=$_sxt_1
_sxt_run=$_sxt_run setsid /bin/sh -c "$_sxt_v" sh "$_sxt_d" "$_sxt_b" "$_sxt_w" "$_sxt_q" "$_sxt_p" "$_sxt_k" "$_sxt_g" $$ "$_sxt_boot" </dev/null >/dev/null 2>&1 &
_sxt_child=$!
exec </dev/null
_sxt_follow
