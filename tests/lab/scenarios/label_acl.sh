# SPDX-License-Identifier: Apache-2.0
# Bar 5. A commune in wrong hands pushes labels that policy does not give it; the carrier sends what is not WireGuard.
# clock: virtual
# seconds: 960
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
inject=$LAB_TOOLS/inject
PX_LINK=100.64.3.133 KT_NODE=$(status_get kham-thien .site.node_address) HUB_NODE=$(status_get npdc-hn .site.node_address)
PX_NODE=$(status_get phuc-xa .site.node_address) BD_LINK=$(status_get ba-dinh .site.link_address)
DD_LINK=$(status_get dong-da .site.link_address) HUB_LINK=$(status_get npdc-hn .site.link_address)

seen() { # NAME TEXT: packets captured that carry TEXT
	tcpdump -nr "$1.pcap" -A 2>/dev/null | grep -c -- "$2"
}
drops() { status_get "$1" ".links[] | select(.site == \"$2\") | .filter_drops"; }

# 1. raw labels from phuc-xa into dong-da (its second district) and ba-dinh
capture_start kham kham-thien any udp
capture_start hub npdc-hn any udp
capture_start hubLan lan-npdc-hn any udp
capture_start tap dong-da lsp901
before=$(drops dong-da phuc-xa)
for text_labels in OTHER-COMMUNE:16902 DISTRICT-THEN-COMMUNE:16211/16902 PROVINCE:16101/16902 OWN-LABEL:16901 RESERVED:0; do
	for target in "$KT_NODE" 10.9.2.10 10.0.0.10; do
		in_site phuc-xa "$inject" mpls lsp211 "${text_labels#*:}" "$PX_NODE" "$target" 162 "INJECT-${text_labels%%:*}-" 3
	done
done
in_site phuc-xa "$inject" mpls lsp210 16001 "$PX_NODE" 10.0.0.10 162 INJECT-LAN-OF-CENTRE- 5
in_site phuc-xa "$inject" mpls lsp210 16001 10.9.2.10 10.0.0.10 162 INJECT-FALSE-SOURCE- 5
in_site phuc-xa "$inject" mpls lsp210 16001 "$KT_NODE" "$HUB_NODE" 7784 INJECT-FALSE-PROBE- 5
sleep 0.5
for c in kham hub hubLan tap; do capture_stop $c; done
at_least "the injected labels arrive at the district's door (the attack is real)" "$(seen tap INJECT-OTHER-COMMUNE-)" 3
for text in OTHER-COMMUNE DISTRICT-THEN-COMMUNE PROVINCE; do
	is "label '$text' reaches nobody at the other commune" "$(seen kham "INJECT-$text-")" 0
done
is "nothing injected reaches the other commune" "$(seen kham INJECT-)" 0
is "nothing injected reaches the data centre's LAN" "$(seen hubLan INJECT-)" 0
at_least "the district counted the drops" "$(($(drops dong-da phuc-xa) - before))" 9

# 1b. its own label leads to the gateway: from there on a packet must look like a path's, whoever it says it is from
cat >agent.py <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	s.settimeout(None if sys.argv[1] == "serve" else 5)
	if sys.argv[1] == "serve":
	    s.bind(("::", 161))
	    while True:
	        text, of = s.recvfrom(2000)
	        print(text.decode(), flush=True)
	        s.sendto(text, of)
	s.sendto(b"own", (sys.argv[2], 161))
	s.recvfrom(2000)
END
in_site npdc-hn sysctl -qw net.ipv6.conf.lo.disable_ipv6=0 && ip -n npdc-hn addr replace ::1/128 dev lo
spawn agent ip netns exec npdc-hn python3 agent.py serve
wait_for 10 "a service on the gateway" listening npdc-hn udp 161
capture_start hubLo npdc-hn lo
for source in "$HUB_NODE" 10.0.0.1 10.0.0.10 "${country_public[npdc-hn]}" 127.0.0.1 "$PX_NODE"; do
	in_site phuc-xa "$inject" mpls lsp210 16001 "$source" "$HUB_NODE" 161 "INJECT-AS-$source-" 5
	in_site phuc-xa "$inject" mpls lsp210 16001 "$source" 127.0.0.1 161 "INJECT-AT-$source-" 5
	in_site phuc-xa "$inject" mpls lsp210 16001 "$source" 10.0.0.1 161 "INJECT-IN-$source-" 5
	in_site phuc-xa "$inject" mpls lsp210 16001 "$source" "$HUB_NODE" 161@7784 "INJECT-AS-ANSWER-$source-" 5
done
in_site phuc-xa "$inject" mpls lsp210 16001 ::1 ::1 161 INJECT-AS-ONESELF- 5
sleep 0.5 # what was sent last arrives
capture_stop hubLo
at_least "labelled packets with sources of the gateway's own arrive on its lo (the attack is real)" "$(seen hubLo INJECT-AS-)" 65
is "none reaches a service of it" "$(grep -c INJECT agent.log)" 0
for to in ::ffff:127.0.0.1 "::ffff:$HUB_NODE" ::ffff:10.0.0.1 ::1; do
	ok "while the gateway's service answers the gateway at $to" in_site npdc-hn python3 agent.py ask "$to"
done

# 2. the carrier, in clear, with a neighbour's overlay address
for pair in "ba-dinh $BD_LINK" "phuc-xa $PX_LINK" "npdc-hn $HUB_LINK" "phuc-xa $PX_NODE" "npdc-hn $HUB_NODE" \
	"npdc-hn 10.0.0.1" "npdc-hn 10.0.0.10" "phuc-xa 10.9.1.10"; do
	set -- $pair
	ip -n carrier route replace "$2/32" via "${country_public[$1]}" dev "u-$1" onlink 2>/dev/null ||
		ip -n carrier route replace "$2/32" dev "u-$1"
	in_site carrier ip neigh replace "$2" lladdr "$(in_site "$1" cat /sys/class/net/u-carrier/address)" dev "u-$1" 2>/dev/null
done
capture_start badinh ba-dinh lsp101
capture_start px lan-phuc-xa any udp
capture_start hubLan2 lan-npdc-hn any udp
capture_start arrive ba-dinh u-carrier
in_site carrier "$inject" mpls-in-ip "$PX_LINK" "$BD_LINK" 16001 "$PX_NODE" "$HUB_NODE" 162 CLEAR-LABEL- 5
in_site carrier "$inject" mpls-in-ip "${country_public[phuc-xa]}" "${country_public[ba-dinh]}" 16001 "$PX_NODE" "$HUB_NODE" 162 CLEAR-PUBLIC- 5
in_site carrier "$inject" udp 10.9.1.10 10.0.0.10 162 CLEAR-LAN- 5
in_site carrier "$inject" udp 10.0.0.10 10.9.1.10 162 CLEAR-BACK- 5
sleep 0.5
for c in badinh px hubLan2 arrive; do capture_stop $c; done
at_least "clear MPLS-in-IP arrives at the district's line (the attack is real)" "$(captured arrive 'ip proto 137')" 5
is "clear MPLS-in-IP goes no further" "$(seen badinh CLEAR-)" 0
is "a clear packet to the data centre's LAN goes no further" "$(seen hubLan2 CLEAR-)" 0
is "a clear packet to the commune's LAN goes no further" "$(seen px CLEAR-)" 0

# 3. the node's own addresses answer WireGuard alone on the carrier's side
spawn listener ip netns exec npdc-hn "$LAB_TOOLS/stream" echo 0.0.0.0 9999
wait_for 5 "a service on the node" listening npdc-hn udp 9999
for address in "${country_public[npdc-hn]}" 10.0.0.1 "$HUB_NODE" "$HUB_LINK"; do
	spawn stream-probe ip netns exec carrier "$LAB_TOOLS/stream" send "$address" 9999 20
	sleep 1
	stream_stop probe
	is "a clear packet to $address of the gateway has no answer" "$answered" 0
done
ok "and rightful traffic still passes" eval '[ -n "$(stream_echo_start; stream_start phuc-xa 10; sleep 1; stream_stop phuc-xa; [ "$lost" = 0 ] && echo yes)" ]'
country_down
done_testing
