# _sxt_scan finds the processes of a job: those that carry its mark $1, are in
# its control group, in the session or group of process $2 started at $3, or
# descend from any of these. _sxt_found holds them; ended ones do not count.
_sxt_scan() {
  _sxt_found=" " _sxt_dead=" " _sxt_first=$2
  if [ ! -r /proc/self/stat ]; then
    [ "$2" -gt 0 ] 2>/dev/null && kill -s 0 -- "-$2" 2>/dev/null && _sxt_found=" -$2 "
    return
  fi
  # A process that has the number of the first one and began at another time is
  # another one, and so is its session.
  [ "$2" -gt 0 ] 2>/dev/null && _sxt_stat "$2" && [ "$_sxt_s" != "$3" ] && _sxt_first=0
  _sxt_all=$(cat /proc/[0-9]*/stat 2>/dev/null)
  if [ -n "$1" ]; then
    for _sxt_l in $(grep -lsF "$1=" /proc/[0-9]*/environ 2>/dev/null); do
      _sxt_l=${_sxt_l#/proc/}
      _sxt_found="$_sxt_found${_sxt_l%/environ} "
    done
  fi
  if [ -n "$_sxt_g" ] && [ -r "$_sxt_g/cgroup.procs" ]; then
    for _sxt_l in $(cat "$_sxt_g/cgroup.procs" 2>/dev/null); do
      case $_sxt_found in *" $_sxt_l "*) ;; *) _sxt_found="$_sxt_found$_sxt_l " ;; esac # told once
    done
  fi
  _sxt_more=1
  while [ $_sxt_more = 1 ]; do
    _sxt_more=0
    set -f
    IFS='
'
    for _sxt_l in $_sxt_all; do
      IFS=' '
      _sxt_one "${_sxt_l%% *}" ${_sxt_l##*) }
    done
    unset IFS
    set +f
  done
  _sxt_l=" "
  for _sxt_x in $_sxt_found; do
    case $_sxt_dead in *" $_sxt_x "*) continue ;; esac
    [ ! -d "/proc/$_sxt_x" ] || _sxt_l="$_sxt_l$_sxt_x "
  done
  _sxt_found=$_sxt_l
}
_sxt_one() {
  case $_sxt_dead in *" $1 "*) return ;; esac
  case $2 in
    Z | X) [ "${19}" -gt 1 ] || { _sxt_dead="$_sxt_dead$1 "; return; } ;;
  esac
  case $_sxt_found in *" $1 "*) return ;; esac
  case $_sxt_found in
    *" $3 "*) ;;
    *) [ "$_sxt_first" != 0 ] && { [ "$5" = "$_sxt_first" ] || [ "$4" = "$_sxt_first" ] || [ "$1" = "$_sxt_first" ] || [ "$3" = "$_sxt_first" ]; } || return ;;
  esac
  _sxt_found="$_sxt_found$1 " _sxt_more=1
}
# _sxt_quit ends what _sxt_scan finds, softly first, and returns once nothing is
# found twice: that is the proof. $4 is how many tenths of a second the soft way
# has. It fails where something cannot be ended.
_sxt_quit() {
  _sxt_i=0 _sxt_clean=0
  while :; do
    _sxt_scan "$1" "$2" "$3"
    if [ "$_sxt_found" = " " ]; then
      _sxt_clean=$((_sxt_clean + 1))
      [ $_sxt_clean -lt 2 ] || return 0
      continue
    fi
    _sxt_clean=0
    if [ $_sxt_i -eq 0 ]; then
      for _sxt_x in $_sxt_found; do kill -s TERM -- "$_sxt_x" 2>/dev/null; kill -s CONT -- "$_sxt_x" 2>/dev/null; done
    elif [ $_sxt_i -ge "$4" ]; then
      for _sxt_x in $_sxt_found; do kill -s KILL -- "$_sxt_x" 2>/dev/null; done
    fi
    [ $_sxt_i -lt $(($4 + 50)) ] || return 1
    _sxt_i=$((_sxt_i + 1))
    _sxt_nap
  done
}
# _sxt_names tells which processes are left, for a message.
_sxt_names() {
  _sxt_l=
  for _sxt_x in $_sxt_found; do
    _sxt_n=
    { read -r _sxt_n <"/proc/$_sxt_x/comm"; } 2>/dev/null
    _sxt_l="$_sxt_l $_sxt_x($_sxt_n)"
  done
  _sxt_say alive $_sxt_l
}
