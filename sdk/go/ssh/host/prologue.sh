# Every script begins with this. $1 and $2 are the halves of the marker that
# frames each answer: what a shell prints at log-in, even the command line
# itself, is told from it. All names begin with _sxt_ and none is exported, so
# that nothing of the user's environment is changed.
_sxt_k=$1$2; shift 2
_sxt_q=${PATH+set} _sxt_p=${PATH-}
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin${PATH:+:$PATH}
_sxt_say() { echo "$_sxt_k $*"; exit 0; }
# _sxt_stat reads what /proc tells of process $1; _sxt_s is when it started.
_sxt_stat() {
  _sxt_s=
  { read -r _sxt_s <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -- ${_sxt_s##*) }
  _sxt_s=${20} _sxt_a=$1 _sxt_m=${18}
}
_sxt_boot=-
{ read -r _sxt_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
# _sxt_alive is true while process $1, started at $2 since boot $3, lives.
_sxt_alive() {
  [ "${1:-0}" -gt 0 ] 2>/dev/null && [ "$3" = "$_sxt_boot" ] || return 1
  if [ "$2" = - ]; then kill -s 0 "$1" 2>/dev/null; return; fi
  _sxt_stat "$1" && [ "$_sxt_s" = "$2" ] || return 1
  case $_sxt_a in
    Z | X) [ "$_sxt_m" -gt 1 ] ;; # other threads of an ended leader
  esac
}
_sxt_nap() { sleep 0.1 2>/dev/null || sleep 1; }
for _sxt_c in cat chmod grep head mkdir mv rm setsid sha256sum sleep tail wc; do
  command -v "$_sxt_c" >/dev/null 2>&1 || { echo; _sxt_say lacks "$_sxt_c"; }
done
_sxt_s=-
