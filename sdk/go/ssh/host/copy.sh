# Takes a file from standard input unless the host has it already. The text
# sets its path _sxt_d, SHA-256 _sxt_h, permissions or nothing _sxt_w, and
# _sxt_y: follow or refuse for links.
eval "$_sxt_t"
if [ -L "$_sxt_d" ] && [ "$_sxt_y" = refuse ]; then _sxt_say link; fi
if [ -L "$_sxt_d" ]; then
  _sxt_d=$(readlink -f -- "$_sxt_d" && echo .) || _sxt_say link
  _sxt_d=${_sxt_d%
.}
fi
[ ! -d "$_sxt_d" ] || _sxt_say folder
if [ -e "$_sxt_d" ] && [ ! -f "$_sxt_d" ]; then _sxt_say special; fi
_sxt_b=${_sxt_d%/*}/
_sxt_sum() { _sxt_x=$(sha256sum 2>/dev/null <"$1") && [ "${_sxt_x%% *}" = "$2" ]; }
_sxt_o= _sxt_r=$_sxt_w
if [ -f "$_sxt_d" ]; then
  _sxt_l=$(stat -c '%a %u:%g' -- "$_sxt_d" 2>/dev/null)
  _sxt_o=${_sxt_l#* } _sxt_l=${_sxt_l%% *}
  _sxt_w=${_sxt_w:-$_sxt_l}
  if _sxt_sum "$_sxt_d" "$_sxt_h"; then
    [ "${_sxt_r:-$_sxt_l}" = "$_sxt_l" ] || { chmod "$_sxt_r" "$_sxt_d" 2>/dev/null || _sxt_say disk; _sxt_say changed; }
    _sxt_say same
  fi
fi
[ -d "$_sxt_b" ] || mkdir -p -- "$_sxt_b" 2>/dev/null || _sxt_say disk
_sxt_stat $$ || _sxt_s=-
_sxt_f=$_sxt_b.sextant.$$.$_sxt_s
trap 'rm -f -- "$_sxt_f"' EXIT
trap 'exit 143' HUP INT TERM PIPE
umask 077
set -C
{ : >"$_sxt_f"; } 2>/dev/null || { trap - EXIT; _sxt_say disk; }
set +C
echo "$_sxt_k send"
cat >"$_sxt_f" 2>/dev/null || _sxt_say disk
_sxt_sum "$_sxt_f" "$_sxt_h" || _sxt_say partial
[ -z "$_sxt_o" ] || chown "$_sxt_o" "$_sxt_f" 2>/dev/null
chmod "${_sxt_w:-644}" "$_sxt_f" 2>/dev/null || _sxt_say disk
sync "$_sxt_f" 2>/dev/null || sync
[ ! -d "$_sxt_d" ] || _sxt_say folder
mv -f -- "$_sxt_f" "$_sxt_d" 2>/dev/null || _sxt_say disk
_sxt_say changed
