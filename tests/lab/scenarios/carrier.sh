# SPDX-License-Identifier: Apache-2.0
# The lab proves itself: the carrier's net joins every pair of sites, and a cut stops one pair and no other.
# seconds: 240
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

reaches() { in_site "$1" ping -q -c 1 -W 1 "${country_public[$2]}"; }
country_net

for link in $COUNTRY_LINKS; do
	ok "carrier joins ${link/:/ and }" reaches "${link%:*}" "${link#*:}"
done
ok "the LAN host of phuc-xa sees its gateway" in_site lan-phuc-xa ping -q -c 1 -W 1 10.9.1.1
ok "phuc-xa sees its modem" in_site phuc-xa ping -q -c 1 -W 1 192.168.100.1

link_cut phuc-xa ba-dinh
ok "a cut stops phuc-xa to ba-dinh" eval '! reaches phuc-xa ba-dinh'
ok "... and back" eval '! reaches ba-dinh phuc-xa'
ok "... and leaves phuc-xa to dong-da" reaches phuc-xa dong-da
ok "... and ba-dinh to hanoi" reaches ba-dinh hanoi
link_heal phuc-xa ba-dinh
ok "a mended link passes again" reaches phuc-xa ba-dinh

stream_echo_start
spawn stream-near ip netns exec lan-npdc-hn "$LAB_TOOLS/stream" send 10.0.0.10 162 10
sleep 1
stream_stop near
at_least "the stream sends 100 a second" "$sent" 90
is "and loses none of its own" "$lost" 0
capture_start ping carrier u-hanoi icmp
reaches hanoi npdc-hn >/dev/null
capture_stop ping
is "a capture in the carrier's net sees both ways" "$(captured ping)" 2
country_down
done_testing
