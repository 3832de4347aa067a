# Ends a copy that process $1, started at $2 since boot $3, does, and tells whether
# the file of the text, _sxt_d with the SHA-256 _sxt_h, stands in its place.
eval "$_sxt_t"
_sxt_g=
if [ "$3" = "$_sxt_boot" ] && _sxt_alive "$1" "$2" "$3"; then
  _sxt_quit "" "$1" "$2" 30 || _sxt_names
fi
[ ! -L "$_sxt_d" ] || _sxt_d=$(readlink -f -- "$_sxt_d")
rm -f -- "${_sxt_d%/*}/.sextant.$1.$2"
_sxt_l=$({ sha256sum <"$_sxt_d"; } 2>/dev/null)
[ "${_sxt_l%% *}" != "$_sxt_h" ] || _sxt_say placed
_sxt_say ended
