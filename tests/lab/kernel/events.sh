# SPDX-License-Identifier: Apache-2.0
# What wakes the engine: a stranger's change does, the daemon's own does not; of a gateway's size it hears less, and looks.
# seconds: 480
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/kernel/common"

wakes() { # NAME COMMAND...: is the stranger's change seen?
	local name=$1; shift
	spawn watch ip netns exec phuc-xa "$driver" watch 2
	sleep 0.7
	in_site phuc-xa "$@"
	sleep 1.6
	like "$name wakes the engine" "$(cat watch.log)" '^event'
}
ok "every site has a bundle" compile_country
country_net
WATCH=1 node apply phuc-xa >apply.log
like "applying a whole plan" "$(cat apply.log)" 'failed 0'
is "... wakes nobody afterwards" "$(grep -c '^event' apply.log)" 0
WATCH=1 node apply phuc-xa 2 >apply.log
is "a switch wakes nobody" "$(grep -c '^event' apply.log)" 0
WATCH=1 in_site phuc-xa "$driver" poke s10 >poke.log 2>&1
is "a poke wakes nobody" "$(grep -c '^event' poke.log)" 0
wakes "a device down" ip link set s10 down
wakes "an address gone" ip addr del 100.80.56.80/32 dev lo
wakes "a route gone" ip route del 100.80.0.16/32 table 560001
wakes "a rule gone" ip rule del priority 20010
wakes "a label gone" ip -f mpls route del 16901
wakes "a filter gone" tc qdisc del dev lsp210 clsact
wakes "a table gone" nft delete table inet tuyen
node apply phuc-xa >apply.log
is "all of it is repaired" "$(planned phuc-xa)" "plan of 0 operations"

events_of_many() { grep -c '^event' many.log; }
events_are() { [ "$(events_of_many)" = "$1" ]; }
ip netns add many && ip -n many link set lo up
spawn many ip netns exec many "$driver" many 20000 4
wait_for 20 "twenty thousand routes" grep -q 'failed 0' many.log
ok "what happens while they are applied is not heard: once that counts as a change" wait_for 5 "an event" events_are 1
ip -n many route del unreachable 10.0.0.7 table 530000
ok "from then on each is heard as before" wait_for 5 "another event" events_are 2
wait_for 20 "the end of it" gone many
is "... and their own wake nobody" "$(events_of_many)" 2
country_down
done_testing
