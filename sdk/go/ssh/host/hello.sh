# The greeting says who this is, where it was looked up: a shell reads files byte by
# byte.
echo "
$_sxt_k hello $$ $_sxt_s $_sxt_boot"
# The client sends a text that ends with the marker; a connection that breaks in
# its middle runs none of it.
_sxt_t=
while IFS= read -r _sxt_l; do
  [ "$_sxt_l" != "$_sxt_k" ] || break
  _sxt_t="$_sxt_t$_sxt_l
"
done
[ "$_sxt_l" = "$_sxt_k" ] || _sxt_say partial
