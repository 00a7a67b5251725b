# SPDX-License-Identifier: Apache-2.0
# Identity queries never wait behind bulk image sync. Bar 8: p99 of a query under a saturating transfer, up or down, is at
# most 1.5 x idle and one packet's time on the line, at 2 Mbit/s. Without a rate in the topology nothing queues, and they wait.
# clock: virtual
# seconds: 2400
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/qos.sh"

COUNTRY_SOURCES=$(qos_sources "rate 2Mbit\/s" rated)
sed -i '/^underlay fibre/s/delay 2ms; }/delay 2ms; dscp high ef, normal af21, low cs1; }/' qosrated.topology
qos_up || bail "the country comes up"
pass "the country comes up"

fragments() { in_site "$1" awk '$1 == "Ip:" { line++; for (i = 2; i <= NF; i++) if (line == 1) name[i] = $i
	else if (name[i] == "FragCreates") print $i }' /proc/net/snmp; }
queues() { in_site "$1" tc class show dev link0 | grep -c htb; }
is "the commune queues for its parents" "$(queues phuc-xa)" 13 # line, 2 neighbours with 5 each
is "the parent queues for the commune" "$(queues ba-dinh)" 6
is "the province has no slow line" "$(in_site hanoi tc qdisc show dev link0 | grep -c htb)" 0

qos_measure idle none 1000
idle_us=$p99_us
limit_us=$((idle_us * 3 / 2 + SERIALIZATION_US))
is "idle: all are answered" "$answered" 1000
changes=$(status_get phuc-xa '[.links[].changes, .paths[].changes] | add')
capture_start carrier carrier u-phuc-xa "udp and src ${country_public[phuc-xa]}"
qos_measure "bulk up" up 1000
capture_stop carrier
at_most "bulk up: p99 of a query, in us" "$p99_us" $limit_us
is "... all are answered" "$answered" 1000
at_least "... and the line is full, in kbit/s" "$bulk_kbps" 1400
at_least "the carrier sees EF for queries and probes" "$(captured carrier 'ip[1] = 0xb8')" 250
at_least "... and CS1 for images" "$(captured carrier 'ip[1] = 0x20 and greater 1200')" 500
padded="ip[1] = 0x48 and greater 1200" # AF21
is "... nothing else but padded probes, and no ECN bit of ours" "$(captured carrier "ip[1] != 0xb8 and ip[1] != 0x20 and not ($padded)")" 0
at_most "... of those, which wait behind queries, one in 128" "$(captured carrier "$padded")" 40
is "... so that EF has none as large as an image" "$(captured carrier 'ip[1] = 0xb8 and greater 1200')" 0
is "no packet of a session went out in fragments" "$(fragments phuc-xa)" 0
qos_measure "bulk down" down 1000
at_most "bulk down: p99 of a query, in us" "$p99_us" $limit_us
is "... all are answered" "$answered" 1000
at_least "... and the line is full, in kbit/s" "$bulk_kbps" 1400
dropped() { status_get "$1" "[.queues[] | select(.site == \"$2\" and .queue == \"$3\") | $4] | add"; }
at_least "the commune says how much it dropped of the images" "$(dropped phuc-xa ba-dinh images .drops)" 1
is "... and that no query was" "$(dropped phuc-xa ba-dinh citizen-query .drops)" 0
is "... nor a probe" "$(dropped phuc-xa ba-dinh probes .drops)" 0
at_least "the parent, which has none of the sessions, keeps the images apart" \
	"$(dropped ba-dinh phuc-xa policy 'select(.color == 20) | .tx_bytes')" 1000000
is "... and dropped no query" "$(dropped ba-dinh phuc-xa policy 'select(.color == 10) | .drops')" 0
like "a person reads it too" "$("$tuyen" show queues --control "$(control_of phuc-xa)")" '^ba-dinh +images +20 +'
spawn forms ip netns exec lan-npdc-hn "$load" server "${country_host[npdc-hn]}" 443
wait_for 10 "the forms" listening lan-npdc-hn tcp 443
spawn flood ip netns exec lan-phuc-xa "$load" up "${country_host[npdc-hn]}" 443 # of high priority, and fills the line
qos_measure "bulk up, and queries fill it" up 250
signal_and_wait flood TERM
eval "$(sed -n 's/^bytes=\([0-9]*\) ms=\([0-9]*\)$/flood_kbps=$((\1 * 8 \/ \2))/p' flood.log)"
at_least "queries that fill the line have most of it, in kbit/s" "$flood_kbps" 1000
at_least "... and images what they are promised of the half of it that this parent is, in kbit/s" "$bulk_kbps" 140
# ... and what no policy names: large packets from path to path, 4 Mbit/s of them for as long as the others
spawn flood ip netns exec lan-phuc-xa "$load" up "${country_host[npdc-hn]}" 443
spawn blast ip netns exec phuc-xa python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
end = time.monotonic() + 30
while time.monotonic() < end:
	s.sendto(bytes(1200), (sys.argv[2], 7784))
	time.sleep(0.0025)
' "$(status_get phuc-xa '[.paths[] | select(.color == 10)][0].source')" "$(status_get npdc-hn .site.node_address)"
qos_measure "bulk up, queries and the rest" up 250
signal_and_wait flood TERM
signal_and_wait blast TERM
at_least "the rest has been sent, in bytes" "$(status_get phuc-xa '[.queues[] | select(.queue == "rest") | .tx_bytes] | add')" 100000
at_least "... and images have their turns beside it, three packets to one, in kbit/s" "$bulk_kbps" 120
is "no link or path changed meanwhile" "$(status_get phuc-xa '[.links[].changes, .paths[].changes] | add')" "$changes"

COUNTRY_SOURCES=$(qos_sources "" plain)
ok "the next release says no rate" country_release 2 $COUNTRY_SOURCES keys.topology
for s in $COUNTRY_SITES; do install_seal "$s" "seals.2/${country_id[$s]}.seal" >>install.log 2>&1; done
ok "... and the commune takes it" wait_for 60 "the release" status_is phuc-xa .bundle.epoch 2
wait_for 30 "the queues to go" eval '[ "$(in_site phuc-xa tc qdisc show dev link0 | grep -c htb)" = 0 ]'
is "without a rate nothing queues" "$(in_site phuc-xa tc qdisc show dev link0 | grep -c htb)" 0
qos_measure "bulk up, no queues" up 100
at_least "... and queries wait in the carrier's queue, in us" "$p99_us" 100000
country_down
done_testing
