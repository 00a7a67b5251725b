# SPDX-License-Identifier: Apache-2.0
# Queues as the kernel holds them: applied, read back, repaired where somebody has changed them, changed without a rest,
# and removed.
# seconds: 960
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/kernel/common"
. "$LAB_TREE/tests/lab/qos.sh"

tc_site() { in_site "$1" tc "${@:2}"; }
COUNTRY_SOURCES=$(qos_sources "rate up 2Mbit\/s down 8Mbit\/s" kernel)
sed -i 's/delay 2ms; }/delay 2ms; dscp high ef, normal af21, low cs1; }/' qoskernel.topology
ok "every site has a bundle" compile_country
country_net
for s in phuc-xa ba-dinh hanoi; do
	node apply "$s" >"apply.$s"
	like "$s: all is applied" "$(tail -n 1 "apply.$s")" '^applied [0-9]+ failed 0' || diag_file driver.log 3
	is "$s: read back, nothing is left to do" "$(planned "$s")" "plan of 0 operations" || node plan "$s" | sed 's/^/# /'
	ok "$s: nft lists what was written, byte for byte" nft_same "$s" || diag_file .last
done
is "the commune has a line, two neighbours, four queues for each and a class over two of them" "$(tc_site phuc-xa class show dev link0 | grep -c htb)" 13
like "queries have half of what is left" "$(tc_site phuc-xa class show dev link0)" 'htb 5459:34c2 .*prio 1 rate 441600bit overhead 75 ceil 1920Kbit'
like "the parent sends what the commune takes" "$(tc_site ba-dinh class show dev link0)" 'htb 5459:e180 root rate 7440Kbit overhead 75 ceil 7440Kbit'
is "... to it alone" "$(tc_site ba-dinh class show dev link0 | grep -c 'htb.*root')" 1
is "the province queues for nobody" "$(tc_site hanoi qdisc show dev link0 | grep -c htb)" 0

drift() { # WHAT OPERATIONS COMMAND...
	local what=$1 wanted=$2; shift 2
	in_site phuc-xa "$@" || fail "cannot make drift: $*"
	is "drift: $what" "$(planned phuc-xa)" "plan of $wanted operations" || node plan phuc-xa | sed 's/^/# /'
	node apply phuc-xa >drift.log || diag_file drift.log
	is "... is repaired" "$(planned phuc-xa)" "plan of 0 operations" || node plan phuc-xa | sed 's/^/# /'
}
drift "a class that may take all" 1 tc class change dev link0 parent 5459:34c0 classid 5459:34c2 htb rate 1900kbit ceil 1920kbit prio 0
drift "a queue without its way" 1 tc filter del dev link0 parent 5459:34c0 prio 1 handle 0x56000001 fw
drift "the neighbours without their way" 2 tc filter del dev link0 parent 5459: prio 1
drift "those of low priority and the rest without their way" 1 tc filter del dev link0 parent 5459:34c0 prio 2
drift "the rest without its way" 1 tc filter del dev link0 parent 5459:34c1 prio 2
drift "images with all of the line" 1 tc class change dev link0 parent 5459:34c1 classid 5459:34c3 htb rate 1900kbit ceil 1920kbit prio 0
drift "images with longer turns" 1 tc class change dev link0 parent 5459:34c1 classid 5459:34c3 htb rate 128bit ceil 1920kbit burst 64 overhead 75 prio 3 quantum 20000
drift "a queue without fq_codel" 1 tc qdisc replace dev link0 parent 5459:34c2 pfifo limit 10
drift "a queue that marks what nobody sees" 1 tc qdisc change dev link0 parent 5459:34c2 fq_codel ecn
drift "a queue of one packet" 1 tc qdisc change dev link0 parent 5459:34c2 fq_codel limit 1
drift "... of few bytes" 1 tc qdisc change dev link0 parent 5459:34c2 fq_codel memory_limit 2000
drift "... that drops in the tenth part of the time" 1 tc qdisc change dev link0 parent 5459:34c2 fq_codel interval 10ms
drift "a class too many" 1 tc class add dev link0 parent 5459:34c0 classid 5459:34d0 htb rate 1mbit
drift "a filter too many" 15 tc filter add dev link0 parent 5459: prio 5 protocol all matchall flowid 5459:34c2
drift "the queues gone" 14 tc qdisc del dev link0 root
drift "another queue in their place" 14 tc qdisc replace dev link0 root pfifo
drift "the device gone" 23 ip link del link0

mkdir -p before; cp b/* before/
sed -i 's/rate up 2Mbit\/s/rate up 4Mbit\/s/' qoskernel.topology
ok "the line becomes faster" "$driver" bundles b $COUNTRY_SOURCES keys.source
node plan phuc-xa >faster.plan
is "... and its classes change at their place" "$(grep -c '^tc class replace' faster.plan) $(tail -n 1 faster.plan)" "13 plan of 13 operations"
node apply phuc-xa >/dev/null
is "... at once" "$(planned phuc-xa)" "plan of 0 operations"
COUNTRY_SOURCES=$(qos_sources "" plain)
ok "the line has no rate" "$driver" bundles b $COUNTRY_SOURCES keys.source
node plan phuc-xa >none.plan
like "... and its queues go" "$(cat none.plan)" '^tc qdisc delete dev link0 root htb'
is "... in one operation" "$(grep -c '^tc ' none.plan)" 1
node apply phuc-xa >/dev/null
is "... and are gone" "$(planned phuc-xa) $(tc_site phuc-xa qdisc show dev link0 | grep -c htb)" "plan of 0 operations 0"
tc_site phuc-xa qdisc add dev link0 root pfifo
is "what is not ours is left alone" "$(planned phuc-xa)" "plan of 0 operations"
country_down
done_testing
