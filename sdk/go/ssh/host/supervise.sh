# Runs the command of a job and stores how it ended. $1 is the folder, $2 that of
# all jobs, $3 sweep or keep, $4 and $5 the PATH of the log-in, $6 the mark of the
# job, $7 a control group or nothing, $8 the process that follows the job and $9
# what boot this is. The command becomes the leader of a session
# of its own: what it does to its group does not reach this. It tells who it is,
# and then looks whether it is still wanted: whoever stops a job does it the other
# way round.
# What is run comes as a variable, or lies in the folder.
_sxt_r=${_sxt_run-}
unset _sxt_run
_sxt_s=
_sxt_since() { set -- ${_sxt_s##*) }; _sxt_s=${20}; }
{ read -r _sxt_s </proc/$$/stat; } 2>/dev/null && _sxt_since || _sxt_s=-
_sxt_u=$_sxt_s
[ -z "$7" ] || echo "$7" >"$1/group"
(
  export "SEXTANT_JOB_$6=1"
  _sxt_s=
  { read -r _sxt_s </proc/self/stat; } 2>/dev/null
  _sxt_p=${_sxt_s%% *}
  [ -n "$_sxt_p" ] || _sxt_p=$(exec sh -c 'echo $PPID')
  _sxt_since
  {
    [ -z "$7" ] || echo "$_sxt_p" >"$7/cgroup.procs"
    echo "$_sxt_p ${_sxt_s:--} $9 $$ $_sxt_u" 1<>"$1/leader" || exit 143
    read -r _sxt_s <"$1/stop" || exit 143
  } 2>/dev/null
  [ "$_sxt_s" != yes ] || exit 143
  _sxt_f=/usr/bin/setsid
  [ -x $_sxt_f ] || _sxt_f=$(command -v setsid)
  set -- "$1" "$4" "$5" "$_sxt_f"
  _sxt_path() { if [ "$_sxt_q" = set ]; then PATH=$_sxt_p; else unset PATH; fi; }
  _sxt_q=$2 _sxt_p=$3
  if [ -n "$_sxt_r" ]; then eval "$_sxt_r"; else . "$1/run"; fi
) </dev/null >>"$1/out" 2>>"$1/err"
_sxt_x=$?
if [ $_sxt_x != 0 ]; then # it may never have begun
  read -r _sxt_l _sxt_s <"$1/leader"
  [ "$_sxt_l" != 0 ] || _sxt_x=nev
fi
for _sxt_f in run script stdin; do [ ! -s "$1/$_sxt_f" ] || : >"$1/$_sxt_f"; done
echo $_sxt_x 1<>"$1/exit"
# Whoever follows the job need not look again and again. It works in the folder of
# the job, by which it is known.
[ "/proc/$8/cwd" -ef "$1" ] && kill -s TERM "$8" 2>/dev/null
if [ -n "$7" ]; then rmdir "$7" 2>/dev/null & fi
if [ "$3" = sweep ] && cd "$2"; then
  {
    find . -mindepth 2 -maxdepth 2 -name exit -mtime +0 2>/dev/null | while read -r _sxt_f; do
      read -r _sxt_x <"$_sxt_f"
      [ "$_sxt_x" = --- ] || rm -rf "${_sxt_f%/exit}"
    done
    find . -mindepth 1 -maxdepth 1 -mtime +30 -exec rm -rf {} + 2>/dev/null
    find . -maxdepth 1 -type f -name '.*.*' -mtime +0 -exec rm -f {} + 2>/dev/null
  } &
fi
