# SPDX-License-Identifier: Apache-2.0
# An operator's hand in the kernel: what is ours comes back in two seconds, what is not ours stays as it is.
# clock: virtual
# seconds: 1200
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
https_start
query_answers phuc-xa || fail "a query passes before"

plan_empty() { "$tuyen" plan --control "$(control_of "$1")" | grep -q nothing; }
settled() { path_is phuc-xa main && plan_empty phuc-xa && plan_empty "$1"; }
damaged_and_repaired() { # NAME SITE COMMAND...
	local name=$1 s=$2 before; shift 2
	wait_for 30 "traffic on its main path" settled "$s"
	before=$(status_get "$s" .daemon.drift_repairs)
	in_site "$s" "$@" >/dev/null 2>&1 || { fail "$name: the damage itself failed"; return; }
	ok "$name is repaired" wait_for 8 "the repair" eval "[ \"\$(status_get $s .daemon.drift_repairs)\" -gt $before ] && plan_empty $s"
	ok "... and a query passes" wait_for 15 "an answer" query_answers phuc-xa
}
damaged_and_repaired "a deleted route" phuc-xa ip route flush table 550010
damaged_and_repaired "a route before ours" phuc-xa ip route prepend unreachable 100.80.0.16/32 table 550010
damaged_and_repaired "a route in our place" phuc-xa ip route replace unreachable 100.80.0.16/32 table 550010
damaged_and_repaired "a route of a part of ours" phuc-xa ip route add unreachable 10.0.0.0/24 table 540010
damaged_and_repaired "a route of ours with a TOS" phuc-xa ip route add 10.0.0.0/16 tos 0x10 dev s10 table 540010 proto 84
damaged_and_repaired "a deleted rule" phuc-xa ip rule del priority 20010
damaged_and_repaired "a deleted label route" ba-dinh ip -f mpls route del 16001
damaged_and_repaired "a deleted nft table" phuc-xa nft delete table inet tuyen
damaged_and_repaired "a deleted label filter" ba-dinh tc qdisc del dev lsp901 clsact
damaged_and_repaired "a filter on a session" phuc-xa sh -c 'tc qdisc add dev s10 clsact && tc filter add dev s10 egress matchall action drop'
damaged_and_repaired "a queue on a session" phuc-xa tc qdisc replace dev s10 root netem loss 100%
into_vrf='ip link add vrf9 type vrf table 99; ip link set vrf9 up; ip link set $0 master vrf9'
for device in s10 lsp210 link0; do
	damaged_and_repaired "$device in a VRF" phuc-xa sh -c "$into_vrf" $device
	ip -n phuc-xa link del vrf9
done
damaged_and_repaired "mpls input turned off" ba-dinh sysctl -qw net.mpls.conf.lsp901.input=0
damaged_and_repaired "an emptied label table" ba-dinh sysctl -qw net.mpls.platform_labels=0
damaged_and_repaired "a loopback device that is down" ba-dinh ip link set lo down
damaged_and_repaired "... at the session's end" npdc-hn ip link set lo down
damaged_and_repaired "labels that live for one hop" phuc-xa sysctl -qw net.mpls.ip_ttl_propagate=0 net.mpls.default_ttl=1
in_site phuc-xa sysctl -qw net.mpls.ip_ttl_propagate=1
damaged_and_repaired "packets that live for one hop" phuc-xa sysctl -qw net.ipv4.ip_default_ttl=1
damaged_and_repaired "forwarding turned off" ba-dinh sysctl -qw net.ipv4.ip_forward=0
damaged_and_repaired "forwarding turned off from the session alone" phuc-xa sysctl -qw net.ipv4.conf.s10.forwarding=0
damaged_and_repaired "a removed WireGuard peer" ba-dinh sh -c 'wg set link0 peer $(wg show link0 peers | head -n 1) remove'
wg genpsk >psk
preshared='wg set $0 peer $(wg show $0 peers | head -n 1) preshared-key psk'
damaged_and_repaired "a preshared key on the link" ba-dinh sh -c "$preshared" link0
damaged_and_repaired "a preshared key in the session" phuc-xa sh -c "$preshared" s10
is "... and none is left" "$(in_site phuc-xa wg show s10 preshared-keys | cut -f 2)" '(none)'

# ---- what the kernel tells nobody of: nobody asks for the status meanwhile, which would be a look of its own ----
ms_until() { # COMMAND...: until it holds, 10 s at most
	local begin i; begin=$(now_ms)
	for ((i = 0; i < 200; i++)); do "$@" && break; sleep 0.05; done
	echo $(($(now_ms) - begin))
}
peers_are() { [ "$(in_site "$1" wg show "$2" peers | wc -l)" = "$3" ]; }
forwards() { [ "$(in_site "$1" sysctl -n net.ipv4.ip_forward)" = 1 ]; }
wait_for 30 "traffic on its main path" settled ba-dinh
count=$(in_site ba-dinh wg show link0 peers | wc -l)
for offset in 0 0.7 1.4; do
	sleep $((10 + ${offset%.*})).${offset#*.}
	in_site ba-dinh sh -c 'wg set link0 peer $(wg show link0 peers | head -n 1) remove'
	at_most "a removed peer is back in two seconds, in ms" "$(ms_until peers_are ba-dinh link0 "$count")" 2100
	sleep 10 # the pause after the repair before it is over: nothing may be due but what finds this one
	in_site ba-dinh sysctl -qw net.ipv4.ip_forward=0
	at_most "forwarding that was turned off is on in two seconds, in ms" "$(ms_until forwards ba-dinh)" 2100
done
# ---- the same of all else: by an event in two seconds, by a look in two more ----
shows() { [ "$(in_site "$1" sh -c "$2" 2>/dev/null)" = "$3" ]; }
back_in() { # NAME MOST_MS SITE SHOWN COMMAND...: what SHOWN prints is as before so soon after COMMAND
	local name=$1 most=$2 s=$3 shown=$4 want; shift 4
	want=$(in_site "$s" sh -c "$shown")
	sleep 10 # the pause after the repair before it is over: nothing may be due but what finds this one
	in_site "$s" "$@" >/dev/null 2>&1 || fail "$name: the damage itself failed"
	at_most "$name is back, in ms" "$(ms_until shows "$s" "$shown" "$want")" "$most"
}
back_in "a link's device" 1000 phuc-xa "wg show link0 peers | sort" ip link del link0
back_in "an adjacency's device" 1000 ba-dinh "tc filter show dev lsp901 ingress | wc -l; ip -f mpls route" ip link del lsp901
back_in "the loopback device" 2000 ba-dinh "ip -f mpls route; ip -o link show lo | grep -c UP; ip route show table local" ip link set lo down
back_in "an address" 2000 phuc-xa "ip -o -4 addr show dev link0" ip addr flush dev link0
back_in "a route" 2000 phuc-xa "ip route show table 550010" ip route flush table 550010
back_in "a rule" 2000 phuc-xa "ip rule" ip rule del priority 20010
back_in "a label route" 2000 ba-dinh "ip -f mpls route" ip -f mpls route del 16001
back_in "a label filter" 2000 ba-dinh "tc filter show dev lsp901 ingress | wc -l" tc filter del dev lsp901 ingress
back_in "its qdisc" 2000 ba-dinh "tc filter show dev lsp901 ingress | wc -l" tc qdisc del dev lsp901 clsact
back_in "the nft table" 2000 phuc-xa "nft list table inet tuyen | wc -l" nft flush ruleset
back_in "what is in it" 2000 phuc-xa "nft list table inet tuyen | wc -l" nft flush table inet tuyen
back_in "the label table" 2000 ba-dinh "ip -f mpls route" sysctl -qw net.mpls.platform_labels=0
back_in "mpls input" 5000 ba-dinh "sysctl -n net.mpls.conf.lsp901.input" sysctl -qw net.mpls.conf.lsp901.input=0
for device in link0 s10 lsp210; do
	back_in "rp_filter of $device" 5000 phuc-xa "sysctl -n net.ipv4.conf.$device.rp_filter" sysctl -qw "net.ipv4.conf.$device.rp_filter=1"
done
back_in "a port" 2100 ba-dinh "wg show link0 listen-port" wg set link0 listen-port 4444
back_in "a mark" 2100 phuc-xa "wg show s10 fwmark" wg set s10 fwmark 77

# ---- who is only called has lost the others' places with its peers: it calls them where they were, before they miss it in 15 s ----
stream_echo_start
outage_in() { # NAME MOST_MS SITE COMMAND...
	local name=$1 most=$2 s=$3; shift 3
	wait_for 30 "traffic on its main path" settled "$s"
	sleep 10 # the pause after the repair before it is over: nothing may be due but what finds this one
	stream_start phuc-xa 20
	sleep 0.9
	in_site "$s" "$@"
	sleep 4
	stream_stop phuc-xa
	at_most "$name: traffic is out for, in ms" "$outage_ms" "$most"
}
without_peers="for p in \$(wg show \$0 peers); do wg set \$0 peer \$p remove; done"
for s in phuc-xa hanoi npdc-hn; do outage_in "the links' device of $s deleted" 1000 $s ip link del link0; done
outage_in "the sessions' device of npdc-hn deleted" 1000 npdc-hn ip link del s10
outage_in "all links' peers of hanoi removed" 2100 hanoi sh -c "$without_peers" link0
outage_in "all sessions' peers of npdc-hn removed" 2100 npdc-hn sh -c "$without_peers" s10
# ---- what is the box's own is said, and left ----
closed_is() { status_is phuc-xa .site.lan_closed "$1"; }
away_is() { status_is phuc-xa .site.lan_away "$1"; }
status_conditions+="closed_is away_is "
in_site phuc-xa sysctl -qw net.ipv4.conf.lan0.forwarding=0
ok "a LAN's device that does not forward is said" wait_for 10 "the word" closed_is lan0
like "... in the log" "$(cat phuc-xa.log)" 'net.ipv4.conf.lan0.forwarding is 0'
like "... and by tuyen status" "$("$tuyen" status --control "$(control_of phuc-xa)")" '^LAN .*lan0'
is "... and left" "$(in_site phuc-xa sysctl -n net.ipv4.conf.lan0.forwarding)" 0
ip -n phuc-xa link set lan0 down
ok "a LAN whose cable is out is said" wait_for 10 "the word" away_is true
like "... in the log" "$(cat phuc-xa.log)" 'no way leads to the LAN: what is for it is lost'
like "... and by tuyen status" "$("$tuyen" status --control "$(control_of phuc-xa)")" '^LAN .*no way leads to it: no host there is reached'
ip -n phuc-xa link set lan0 up
ok "... until it is in" wait_for 10 "the word" away_is false
is "... and it was not said to forward meanwhile" "$(grep -c "from the LAN is forwarded again" phuc-xa.log)" 0
in_site phuc-xa sysctl -qw net.ipv4.conf.lan0.forwarding=1
ok "... until it forwards" wait_for 10 "the word" closed_is ''
damaged_and_repaired "a deleted adjacency" ba-dinh ip link del lsp901
damaged_and_repaired "a deleted session device" phuc-xa ip link del s10
damaged_and_repaired "a deleted link device" phuc-xa ip link del link0
damaged_and_repaired "a deleted address" phuc-xa sh -c 'ip addr del $(ip -o -4 addr show dev link0 | grep -o "100[0-9./]*" | head -n 1) dev link0'

# The path changes some 100 to 150 ms after the cut, and what is damaged in the 50 ms before is repaired by the same turn.
damaged_in_a_cut() { # NAME SECONDS SITE COMMAND...: so long after the cut
	local name=$1 after=$2 s=$3 before; shift 3
	wait_for 30 "traffic on its main path" settled "$s"
	before=$(status_get "$s" .daemon.drift_repairs)
	link_cut phuc-xa ba-dinh
	sleep "$after"
	in_site "$s" "$@"
	ok "$name, $after s after a cut, is said to be repaired" wait_for 8 "the repair" eval \
		"[ \"\$(status_get $s .daemon.drift_repairs)\" -gt $before ] && plan_empty $s"
	ok "... and a query passes by the other path" wait_for 15 "an answer" query_answers phuc-xa
	link_heal phuc-xa ba-dinh
}
for after in 0.07 0.10 0.13; do
	damaged_in_a_cut "a deleted session device" $after phuc-xa ip link del s10
	damaged_in_a_cut "a deleted rule" $after phuc-xa ip rule del priority 20010
	damaged_in_a_cut "a deleted label route" $after ba-dinh ip -f mpls route del 16001
	damaged_in_a_cut "a deleted nft table" $after phuc-xa nft delete table inet tuyen
done

in_site phuc-xa ip link add theirs type dummy
in_site phuc-xa ip route add 172.31.0.0/16 dev lo table 777
in_site phuc-xa nft add table inet theirs
in_site phuc-xa ip rule add priority 9000 to 172.31.0.0/16 table 777
damaged_and_repaired "a deleted route, beside what is not ours" phuc-xa ip route flush table 550010
ok "a device that is not ours stays" ip -n phuc-xa link show theirs
like "a route that is not ours stays" "$(ip -n phuc-xa route show table 777)" 172.31
like "a rule that is not ours stays" "$(ip -n phuc-xa rule)" 9000
like "a table that is not ours stays" "$(in_site phuc-xa nft list tables)" theirs

# A route that stays somebody else's, so that each turn fails: after a move, too, what else is taken away is said.
in_site phuc-xa ip link set theirs up
printf '%s\n' "route del 10.0.0.0/16 dev s10" "route add 10.0.0.0/16 dev theirs" | ip -n phuc-xa -batch -
link_cut phuc-xa ba-dinh
sleep 3
link_heal phuc-xa ba-dinh
wait_for 60 "traffic on its main path" path_is phuc-xa main
sleep 5
before=$(status_get phuc-xa .daemon.drift_repairs)
in_site phuc-xa ip rule del priority 20010
ok "a deleted rule is said to be repaired while something else fails" wait_for 40 "the repair" eval \
	"[ \"\$(status_get phuc-xa .daemon.drift_repairs)\" -gt $before ] && ip -n phuc-xa rule | grep -q ^20010"
in_site phuc-xa ip route del 10.0.0.0/16 dev theirs
wait_for 60 "the end of the failure" eval "plan_empty phuc-xa && status_is phuc-xa .daemon.last_failure ''"

printf '%s\n' "link del lsp901" "link add lsp901 type dummy" | ip -n ba-dinh -batch - # faster than the repair
ok "a name that something else has taken is said" wait_for 15 "the failure" eval "status_get ba-dinh .daemon.last_failure | grep -q lsp901"
is "... and not opened to labels" "$(in_site ba-dinh cat /proc/sys/net/mpls/conf/lsp901/input)" 0
like "... and shown" "$("$tuyen" show drift --control "$(control_of ba-dinh)")" 'left out: .*lsp901'
like "... and as JSON" "$("$tuyen" show drift --json --control "$(control_of ba-dinh)" | jq -r .left_out)" lsp901
in_site ba-dinh ip -f mpls route del 16001
ok "... and all else is repaired" wait_for 30 "the label route" eval "ip -n ba-dinh -f mpls route | grep -q ^16001"
in_site ba-dinh ip link del lsp901
ok "... and it comes back when the name is free" wait_for 30 "the adjacency" eval "ip -n ba-dinh -d link show lsp901 | grep -q ipip && plan_empty ba-dinh"
ok "... and nothing is said any more" wait_for 15 "no failure" eval "status_is ba-dinh .daemon.last_failure ''"
ok "... and a query passes" wait_for 15 "an answer" query_answers phuc-xa

stop_daemon phuc-xa
(LAB_WRAPPER='' && $(tuyend_command phuc-xa) --remove) >remove.log 2>&1
is "tuyend --remove leaves no device" "$(ip -n phuc-xa -o link | grep -cE ' (link0|lsp[0-9]+|s10)[:@]')" 0
is "... no route" "$(ip -n phuc-xa route show table all proto 84 | wc -l)" 0
is "... no table" "$(in_site phuc-xa nft list tables | grep -c tuyen)" 0
is "... and, as the firewall is gone, no forwarding" "$(in_site phuc-xa sysctl -n net.ipv4.ip_forward)" 0
is "... and it takes no redirects for that" "$(in_site phuc-xa sysctl -n net.ipv4.conf.all.accept_redirects)" 0
ok "... and what is not ours still stands" ip -n phuc-xa link show theirs
in_site phuc-xa sysctl -qw net.ipv4.ip_forward=1
(LAB_WRAPPER='' && $(tuyend_command phuc-xa) --remove) >remove.log 2>&1
is "where nothing of tuyend's is, --remove leaves forwarding as it is" "$(in_site phuc-xa sysctl -n net.ipv4.ip_forward)" 1
stop_daemon ba-dinh
in_site ba-dinh nft delete table inet tuyen # as who is locked out may try first
(LAB_WRAPPER='' && $(tuyend_command ba-dinh) --remove) >remove.log 2>&1
is "where the firewall is gone already, --remove ends forwarding all the same" "$(in_site ba-dinh sysctl -n net.ipv4.ip_forward)" 0
country_down
done_testing
