# Ends a job and proves it. $1 is the folder's name, $2 how many tenths of a second
# it has to end by itself, $3 all, or rest for what a command that has ended left. A job that has not begun will not begin any more.
_sxt_b=$HOME/.sextant/jobs
_sxt_d=$_sxt_b/$1
[ -d "$_sxt_b" ] || { mkdir -p "$HOME/.sextant" && mkdir -p -m 700 "$_sxt_b"; } 2>/dev/null
if mkdir -m 700 "$_sxt_d" 2>/dev/null; then
  cd "$_sxt_d" && : >out && : >err && echo "0 - -" >leader && echo yes >stop && echo nev >exit && _sxt_say never
  _sxt_say disk
fi
cd "$_sxt_d" 2>/dev/null || _sxt_say disk
# It may still be filled by whoever has claimed it.
_sxt_i=0
while [ ! -s exit ] || [ ! -s leader ] || [ ! -s stop ]; do
  _sxt_i=$((_sxt_i + 1))
  [ $_sxt_i -lt 100 ] || break
  [ -d "$_sxt_d" ] || _sxt_say again
  _sxt_nap
done
_sxt_x= _sxt_l=
{ read -r _sxt_x <exit; read -r _sxt_l <stop; } 2>/dev/null
case $_sxt_x in
  nev) _sxt_say never ;;
  "" | ---) ;;
  *) [ "$_sxt_l" = yes ] || [ "$3" = rest ] || _sxt_say done ;;
esac
[ "$3" = rest ] || { echo yes 1<>stop; } 2>/dev/null
# The mark stands behind the word that yes is written over, which has a line of its
# own then. An older version has a file for it.
_sxt_g= _sxt_mark=-
{ read -r _sxt_l _sxt_mark; [ -n "$_sxt_mark" ] || read -r _sxt_mark; } 2>/dev/null <stop
[ ! -e mark ] || { read -r _sxt_mark <mark; } 2>/dev/null
{ read -r _sxt_g <group; } 2>/dev/null
_sxt_p=0 _sxt_since=- _sxt_l=-
{ read -r _sxt_p _sxt_since _sxt_l <leader; } 2>/dev/null
_sxt_l=${_sxt_l%% *}
if [ "${_sxt_p:-0}" = 0 ] || [ "$_sxt_l" = "$_sxt_boot" ]; then
  # Whoever begins from now on sees that it is not to; who began before is found.
  _sxt_quit "SEXTANT_JOB_$_sxt_mark" "${_sxt_p:-0}" "$_sxt_since" "$2" || _sxt_names
  { read -r _sxt_p _sxt_since _sxt_l <leader; } 2>/dev/null
  _sxt_quit "SEXTANT_JOB_$_sxt_mark" "${_sxt_p:-0}" "$_sxt_since" 0 || _sxt_names
fi
# The supervisor stores the end; one that does not is ended too.
_sxt_i=0
while { read -r _sxt_x <exit; } 2>/dev/null; [ "${_sxt_x:----}" = --- ]; do
  _sxt_p=0 _sxt_since=- _sxt_l=-
  { read -r _sxt_x _sxt_x _sxt_l _sxt_p _sxt_since _sxt_x <leader; } 2>/dev/null
  [ ! -e pid ] || { read -r _sxt_p _sxt_since _sxt_l <pid; } 2>/dev/null
  _sxt_alive "${_sxt_p:-0}" "$_sxt_since" "$_sxt_l" || break
  [ $_sxt_i -ne 30 ] || kill -s KILL "$_sxt_p" 2>/dev/null
  [ $_sxt_i -lt 60 ] || { _sxt_found=" $_sxt_p "; _sxt_names; }
  _sxt_i=$((_sxt_i + 1))
  _sxt_nap
done
{ read -r _sxt_x <exit; } 2>/dev/null
[ "${_sxt_x:----}" != --- ] || { echo 143 1<>exit; } 2>/dev/null
for _sxt_x in run script stdin; do [ ! -s $_sxt_x ] || : >$_sxt_x; done
[ -z "$_sxt_g" ] || rmdir "$_sxt_g" 2>/dev/null
_sxt_say ended
