# SPDX-License-Identifier: Apache-2.0
# Carriers of every kind: IPv6, fixed and dynamic; translated addresses, at home and at the carrier's (RFC 6598, where the
# overlay lies too); leases that end; a second line, by LTE, and a fibre whose device goes and comes. On the virtual clock.
#
#	                  npdc-hn 203.0.113.1, and for LTE 203.0.113.2
#	                     |
#	                   hanoi 198.51.100.1, 2001:db8:1::1
#	   .---------.-------'--------.------------.
#	   |         |                |            |
#	  six      slaac             nat          cgn 192.0.2.99      translate: a mapping that is silent for 10 s is gone
#	 fixed    dynamic      192.0.2.93         /    \			duo: fibre 192.0.2.96 to hanoi,
#	      IPv6                    |        cgn-a   cgn-b			     LTE 192.0.2.196 to npdc-hn
#	                           natted    100.64.5.11 .12
#
# clock: virtual
# seconds: 1600
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

COUNTRY_SITES="npdc-hn hanoi six slaac natted cgn-a cgn-b duo"
country_id=([npdc-hn]=1 [hanoi]=101 [six]=901 [slaac]=902 [natted]=903 [cgn-a]=904 [cgn-b]=905 [duo]=906)
country_public=([npdc-hn]=203.0.113.1 [hanoi]=198.51.100.1)
country_lan=([npdc-hn]=10.0.0.0/16 [six]=10.9.1.0/24 [slaac]=10.9.2.0/24 [natted]=10.9.3.0/24 [duo]=10.9.6.0/24)
country_host=([npdc-hn]=10.0.0.10 [six]=10.9.1.10 [slaac]=10.9.2.10 [natted]=10.9.3.10 [duo]=10.9.6.10)
DUO_FIBRE=192.0.2.96 DUO_LTE=192.0.2.196 LTE_GATEWAY=169.254.1.2 NPDC_LTE=203.0.113.2
cat >underlays.topology <<-TOPOLOGY
	tiers npdc, province, commune;
	underlay fibre { probe 50ms x 3; mtu 1500; delay 1ms; }
	underlay fibre6 { probe 50ms x 3; mtu 1500; delay 1ms; }
	underlay lte { probe 300ms x 3; mtu 1500; delay 1ms; metric 50; }
	site npdc-hn tier npdc id 1 { uplink fibre 203.0.113.1; uplink lte 203.0.113.2; lan 10.0.0.0/16; }
	site hanoi tier province id 101 under npdc-hn { uplink fibre 198.51.100.1; uplink fibre6 2001:db8:1::1; }
	site six tier commune id 901 under hanoi { uplink fibre6 2001:db8:91::1; lan 10.9.1.0/24; }
	site slaac tier commune id 902 under hanoi { uplink fibre6 dynamic; lan 10.9.2.0/24; }
	site natted tier commune id 903 under hanoi { uplink fibre dynamic; lan 10.9.3.0/24; }
	site cgn-a tier commune id 904 under hanoi { uplink fibre dynamic; lan 10.9.4.0/24; }
	site cgn-b tier commune id 905 under hanoi { uplink fibre dynamic; lan 10.9.5.0/24; }
	site duo tier commune id 906 under hanoi backup npdc-hn {
		uplink fibre dynamic;
		uplink lte dynamic metered 100KB/day;
		lan 10.9.6.0/24;
	}
	link duo npdc-hn { over lte, lte; }
TOPOLOGY
sed '/^deny/,$d' "$LAB_TREE/policies/examples/first-light.policy" >underlays.policy
COUNTRY_SOURCES="underlays.topology underlays.policy"

# ---- the carrier's net -------------------------------------------------------------------
wire() { # SITE [WHOM]: its line to the carrier, or to WHOM
	ip link add u-carrier netns "$1" type veth peer name "u-$1" netns "${2:-carrier}"
	ip -n "${2:-carrier}" link set "u-$1" up
	ip -n "$1" link set u-carrier up
}
ipv6_on() { in_site "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
	net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0; }
line4() { # SITE
	ip -n carrier addr add $CARRIER_GATEWAY/32 dev "u-$1"
	ip -n carrier route add "${country_public[$1]}/32" dev "u-$1"
	ip -n "$1" addr add "${country_public[$1]}/32" dev u-carrier
	ip -n "$1" route add default via $CARRIER_GATEWAY dev u-carrier onlink
}
line6() { # SITE ADDRESS
	ip -n carrier addr replace fe80::1/64 dev "u-$1" nodad
	ip -n carrier route add "$2/128" dev "u-$1"
	ip -n "$1" addr add "$2/128" dev u-carrier nodad
	ip -n "$1" route replace default via fe80::1 dev u-carrier
}
translator() { # NAME PUBLIC: what is behind it is seen as PUBLIC, each connection at a port of chance
	namespace "$1"
	in_site "$1" sysctl -qw net.ipv4.ip_forward=1
	country_public[$1]=$2
	wire "$1"
	line4 "$1"
	in_site "$1" nft -f - <<-NFT
	table ip translate {
		chain postrouting { type nat hook postrouting priority srcnat; oifname "u-carrier" masquerade fully-random; }
	}
	NFT
	in_site "$1" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=10 net.netfilter.nf_conntrack_udp_timeout_stream=10
}
behind() { # SITE TRANSLATOR ADDRESS GATEWAY
	wire "$1" "$2"
	lease "$@"
}
lease() { # SITE TRANSLATOR ADDRESS GATEWAY: as a DHCP client takes it
	ip -n "$2" addr add "$4/32" dev "u-$1"
	ip -n "$2" route add "$3/32" dev "u-$1"
	ip -n "$1" addr add "$3/32" dev u-carrier
	ip -n "$1" route replace default via "$4" dev u-carrier onlink
}
lease_ends() { # SITE TRANSLATOR ADDRESS GATEWAY
	ip -n "$1" addr del "$3/32" dev u-carrier
	ip -n "$2" route del "$3/32" dev "u-$1"
	ip -n "$2" addr del "$4/32" dev "u-$1"
}
mappings_forget() { # TRANSLATOR: as one that is restarted
	ip -n "$1" addr del "${country_public[$1]}/32" dev u-carrier
	ip -n "$1" addr add "${country_public[$1]}/32" dev u-carrier
	ip -n "$1" route replace default via $CARRIER_GATEWAY dev u-carrier onlink
}

# Which device a line is, --uplinks says; each has a default route, as leases have.
daemon_options=([duo]="--uplinks fibre=u-fibre,lte=u-lte" [npdc-hn]="--uplinks fibre=u-carrier,lte=u-lte")

country_net() {
	local s
	carrier_up
	for s in $COUNTRY_SITES; do
		namespace "$s"
		in_site "$s" sysctl -qw net.ipv4.ip_forward=1
		mkdir -p "$(site_dir "$s")/state/keys" "$(site_dir "$s")/state/incoming" "$(site_dir "$s")/run"
	done
	for s in carrier hanoi six slaac; do ipv6_on "$s"; done
	in_site carrier sysctl -qw net.ipv6.conf.all.forwarding=1
	for s in npdc-hn hanoi; do wire "$s"; line4 "$s"; done
	for s in six slaac; do wire "$s"; done
	line6 hanoi 2001:db8:1::1
	line6 six 2001:db8:91::1
	line6 slaac 2001:db8:f92::5
	translator nat 192.0.2.93
	translator cgn 192.0.2.99
	behind natted nat 192.168.1.2 192.168.1.1
	behind cgn-a cgn 100.64.5.11 100.64.5.1
	behind cgn-b cgn 100.64.5.12 100.64.5.1
	line_of duo u-fibre u-duo $DUO_FIBRE $CARRIER_GATEWAY
	line_of duo u-lte u-duo-l $DUO_LTE $LTE_GATEWAY
	line_of npdc-hn u-lte u-npdc-l $NPDC_LTE $LTE_GATEWAY
	for s in "${!country_lan[@]}"; do lan_up "$s"; done
}
country_daemons_up() {
	local s
	wait_for 60 "the links of hanoi" links_up hanoi 7 || return 1
	wait_for 30 "both paths of duo" paths_up duo 2 && wait_for 30 "the main path of duo" path_is duo main || return 1
	for s in six slaac natted cgn-a cgn-b; do
		wait_for 30 "the path of $s" paths_up "$s" 1 && wait_for 30 "the session of $s" session_up "$s" || return 1
	done
}

link_to() { status_get hanoi ".links[] | select(.site == \"$1\") | .$2"; } # SITE FIELD
drift() { status_get "$1" .daemon.drift_repairs; }
unshaken() { local s; for s in six slaac natted cgn-a cgn-b; do printf '%s ' "$(link_to $s changes)"; done; }
followed() { [ "$(link_to "$1" endpoint)" != "$2" ] && [ "$(link_to "$1" state)" = up ]; } # SITE FORMER
from_port() { [ "${1##*:}" != 51820 ]; }

country_up || bail "the country comes up: IPv6, fixed and dynamic; one behind a translator, two behind the carrier's"
pass "the country comes up: IPv6, fixed and dynamic; one behind a translator, two behind the carrier's"

# ---- IPv6 ------------------------------------------------------------------------------------
is "the link to six is one of IPv6" "$(link_to six endpoint)" "[2001:db8:91::1]:51820"
is "... and that to slaac, which called" "$(link_to slaac endpoint)" "[2001:db8:f92::5]:51820"
is "a link over IPv6 carries 20 bytes less than one over IPv4" \
	"$(in_site six cat /sys/class/net/link0/mtu) $(in_site npdc-hn cat /sys/class/net/link0/mtu)" "1420 1440"
https_start
capture_start six carrier u-six
ok "a query is answered over IPv6" query_answers six
carried() { status_is "$1" '.paths[0] | .carried_mtu == .mtu' true; }
ok "packets of the full size pass" wait_for 30 "a padded probe" carried six
capture_stop six
at_least "a capture in the carrier's net sees WireGuard's packets" "$(captured six "udp port 51820")" 20
is "... and besides them the neighbour's discovery alone" "$(captured six "not (udp port 51820) and not \
	(icmp6 and (ip6[40] = 133 or ip6[40] = 135 or ip6[40] = 136 or ip6[40] = 143))")" 0 || tcpdump -nr six.pcap not udp | head -5 | sed 's/^/# /'
ok "the query's text is not in it" eval '! captured_text six "Nguyen Van An"'
ok "from the carrier, a ping is not answered" eval '! in_site carrier ping -6 -c 1 -W 1 2001:db8:91::1'
ok "... nor a connection to ssh's port" eval '! in_site carrier timeout 2 bash -c "echo > /dev/tcp/2001:db8:91::1/22"'
ok "the neighbour is found again" eval 'ip -n carrier neigh flush all && wait_for 5 "a neighbour" eval "ip -n carrier neigh show dev u-six | grep -q lladdr"'
# A carrier's hop that takes less says so by ICMPv6 (RFC 4890 section 4.3.1): the kernel learns the path's MTU.
ip -n carrier -6 route change 2001:db8:91::1/128 dev u-six mtu lock 1400
narrower() { in_site hanoi ip -6 route get 2001:db8:91::1 | grep -q "mtu 1400"; }
ok "too big, says the carrier, and is heard" wait_for 20 "the path's MTU" narrower
ip -n carrier -6 route change 2001:db8:91::1/128 dev u-six

# ---- translated addresses ----------------------------------------------------------------------
natted=$(link_to natted endpoint) cgn_a=$(link_to cgn-a endpoint) cgn_b=$(link_to cgn-b endpoint)
like "natted is seen as its translator" "$natted" '^192\.0\.2\.93:'
is "two sites behind one address of the carrier's" "${cgn_a%:*} ${cgn_b%:*}" "192.0.2.99 192.0.2.99"
ok "... at ports of their own" [ "$cgn_a" != "$cgn_b" ]
before=$(unshaken)
sleep 25
is "no mapping is lost, though 10 s of silence would end it" \
	"$(link_to natted endpoint) $(link_to cgn-a endpoint) $(link_to cgn-b endpoint)" "$natted $cgn_a $cgn_b"
is "... and no link shook" "$(unshaken)" "$before"
stream_echo_start
stream_start natted 10
sleep 0.5
mappings_forget nat
ok "the translator forgets: the link follows to another port" wait_for 5 "another endpoint" followed natted "$natted"
sleep 0.5
stream_stop natted
at_most "... what was on its way is lost, ms" "$outage_ms" 60
is "... and BFD never missed it" "$(unshaken)" "$before"
mappings_forget cgn
ok "so does the carrier's, with two at once" eval 'wait_for 5 "cgn-a" followed cgn-a "$cgn_a" && wait_for 5 "cgn-b" followed cgn-b "$cgn_b"'
is "... and no link shook" "$(unshaken)" "$before"

# ---- a carrier's own addresses, where the overlay lies too: cgn's gateway, a DHCP server behind it, and what is not those ----
NPDC_NODE=$(status_get npdc-hn .site.node_address) CGN_NODE=$(status_get cgn-a .site.node_address)
HANOI_LINK=$(status_get hanoi .site.link_address)
ip -n cgn addr add 100.64.9.9/32 dev lo # its DHCP server, not on the line
ip -n cgn addr add 100.64.9.8/32 dev lo # its resolver, as little
for a in $NPDC_NODE $HANOI_LINK; do ip -n cgn addr add "$a/32" dev lo; done # and it says of itself that it is the overlay
spawn dhcp ip netns exec cgn "$LAB_TOOLS/stream" echo 0.0.0.0 67
spawn dns ip netns exec cgn "$LAB_TOOLS/stream" echo 0.0.0.0 53
wait_for 5 "the carrier's servers" eval 'listening cgn udp 67 && listening cgn udp 53'
asks() { # SITE ADDRESS PORT SOURCE[:PORT]: does it answer one of five?
	local got
	got=$(in_site "$1" timeout 1 "$LAB_TOOLS/stream" send "$2" "$3" 100 "$4" 2>&1)
	[[ $got =~ answered=([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -gt 0 ]
}
is "the next hop is known" "$(in_site cgn-a nft list set inet tuyen hops | tr -d '\n\t' | sed 's/.*elements = //')" "{ 100.64.5.1 }}}"
ok "it answers a ping" in_site cgn-a ping -c 1 -W 1 100.64.5.1
ok "... and a query to its resolver" asks cgn-a 100.64.5.1 53 100.64.5.11
ok "... and a renewal of the lease, from port to port" asks cgn-a 100.64.5.1 67 100.64.5.11:68
ok "a DHCP server that is not on the line answers too (RFC 2131 section 4.4.5)" asks cgn-a 100.64.9.9 67 100.64.5.11:68
capture_start clear cgn u-cgn-a
for to in 100.64.9.8 "$NPDC_NODE" "$HANOI_LINK" 100.64.5.12; do
	ok "to $to nothing goes by the line in clear" eval '! asks cgn-a '"$to"' 53 100.64.5.11 && ! in_site cgn-a ping -c 1 -W 1 -I 100.64.5.11 '"$to"
done
ok "nor with a source of the overlay, be it from port 68" eval '! asks cgn-a 100.64.9.9 67 "$CGN_NODE:68" && ! asks cgn-a 100.64.5.1 53 "$CGN_NODE"'
capture_stop clear
is "... the carrier has seen none of it" "$(captured clear "not arp and not udp port 51820")" 0 || tcpdump -nr clear.pcap not udp port 51820 | head -5 | sed 's/^/# /'
ok "the carrier's servers reach nothing here that they were not asked by" \
	eval '! asks cgn 100.64.5.11 53 100.64.5.1 && ! in_site cgn ping -c 1 -W 1 100.64.5.11'
# The lease names the hub's own address, and then a site's that is known, as the gateway.
for liar in $NPDC_NODE $HANOI_LINK; do
	ip -n cgn-a route replace default via "$liar" dev u-carrier onlink
	wait_for 5 "another turn" eval '! in_site cgn-a nft list set inet tuyen hops | grep -q elements'
	capture_start liar cgn u-cgn-a
	ok "a gateway that calls itself $liar is not reached by that name" eval '! in_site cgn-a ping -c 1 -W 1 -I 100.64.5.11 '"$liar"
	capture_stop liar
	is "... and hears nothing but links" "$(captured liar "not arp and not udp port 51820")" 0
done
ip -n cgn-a route replace default via 100.64.5.1 dev u-carrier onlink
ok "the gateway has its own name again" wait_for 5 "the next hop" eval 'in_site cgn-a ping -c 1 -W 1 100.64.5.1'
is "of all this nothing was taken for drift" "$(drift cgn-a)" 0 || grep -h drift cgn-a.log | sed 's/^/# /'
halt dhcp; halt dns
for a in 100.64.9.9 100.64.9.8 $NPDC_NODE $HANOI_LINK; do ip -n cgn addr del "$a/32" dev lo; done

# ---- leases that end ----------------------------------------------------------------------------
# detection 150 ms, round trip 8 ms
foreign() { ip -n "$1" route show proto boot; ip -n "$1" addr show dev u-carrier; }
stream_start natted 10
sleep 0.5
lease_ends natted nat 192.168.1.2 192.168.1.1
lease natted nat 192.168.7.9 192.168.7.1
sleep 1
stream_stop natted
at_most "another address and another gateway under the running daemon, ms" "$outage_ms" 168
stream_start slaac 10
sleep 0.5
ip -n slaac addr del 2001:db8:f92::5/128 dev u-carrier
line6 slaac 2001:db8:e92::77
sleep 1
stream_stop slaac
at_most "another prefix under the running daemon, ms" "$outage_ms" 168
is "... is where the link is now" "$(link_to slaac endpoint)" "[2001:db8:e92::77]:51820"
is "of all this nothing was taken for drift" "$(drift natted) $(drift slaac) $(drift hanoi)" "0 0 0" || grep -h "drift" {natted,slaac,hanoi}.log | sed 's/^/# /'
is "and the lines' own routes are as they were made" "$(ip -n natted route show default; ip -n slaac -6 route show default | sed 's/ metric.*//')" \
	"default via 192.168.7.1 dev u-carrier onlink 
default via fe80::1 dev u-carrier"

# ---- two lines, and a device that goes and comes --------------------------------------------------
both_lines() { links_up duo 2 && paths_up duo 2 && path_is duo main; }
others() { captured "$1" "not arp and not (host $2 and host $3 and udp port 51820)"; } # CAPTURE LINE NEIGHBOR
capture_start fibre carrier u-duo ip
capture_start lte carrier u-duo-l ip
sleep 2
capture_stop fibre
at_least "fibre has its link's packets" "$(captured fibre "udp port 51820")" 40
is "... and no other" "$(others fibre $DUO_FIBRE "${country_public[hanoi]}")" 0
line_goes_down duo u-fibre 168
sleep 3
capture_stop lte
at_least "LTE has its link's packets" "$(captured lte "udp port 51820")" 10
is "... and nothing that the fibre was for, whatever default route is left" "$(others lte $DUO_LTE $NPDC_LTE)" 0
is "... nor from the hub, whose default route is its fibre's, anything but from where it was called" \
	"$(captured lte "host ${country_public[npdc-hn]}")" 0
lease_of duo u-fibre u-duo $DUO_FIBRE $CARRIER_GATEWAY
ok "it is back: so is its link, and its path" wait_for 15 "both" both_lines ||
	{ status duo | jq -c '.links, .paths' | sed 's/^/# /'; ip -n duo route | sed 's/^/# /'; ip -n carrier route show dev u-duo | sed 's/^/# /'; in_site duo wg show link0 | sed 's/^/# /'; tail -n 20 duo.log | sed 's/^/# /'; }
ip -n duo link del u-fibre
ok "the device is gone" wait_for 5 "the spare path" path_is duo spare
line_of duo u-fibre u-duo $DUO_FIBRE $CARRIER_GATEWAY
ok "... and another comes by its name" wait_for 15 "both" both_lines
way_of() { ip -n duo route get "$1" mark 0x57000000 2>&1; } # ADDRESS, as WireGuard asks
by() { way_of "$1" | grep -o 'via [0-9.]* dev [a-z-]*'; }
HANOI=${country_public[hanoi]}
is "each line has its own neighbour" "$(by $HANOI), $(by $NPDC_LTE)" "via $CARRIER_GATEWAY dev u-fibre, via $LTE_GATEWAY dev u-lte"
ip -n carrier addr add 169.254.1.3/32 dev u-duo
ip -n duo route del default dev u-fibre
ok "a lease ends: its line leads nowhere" wait_for 5 "no route" eval 'way_of $HANOI | grep -qi "no route to host"'
ip -n duo route append default via 169.254.1.3 dev u-fibre onlink metric 100
ok "... and comes by another gateway, which the line takes" wait_for 5 "the route" \
	eval '[ "$(by $HANOI)" = "via 169.254.1.3 dev u-fibre" ]'
# Without a lease for longer than its detection time the path has failed for the third time: it is held (core/damping.h).
ok "... both are up" wait_for 15 "both" eval 'links_up duo 2 && paths_up duo 2'
ok "... and fibre is used again, if that is a failure too many when it is forgotten" wait_for 60 "the main path" path_is duo main
ok "... and it is said" grep -q 'uplink fibre: over u-fibre by 169.254.1.3' duo.log

# ---- a lease is renewed, and what else it may bring -----------------------------------------------
ip -n carrier route add 192.0.2.97/32 dev u-duo
ip -n duo -batch - <<-END
	addr add 192.0.2.97/32 dev u-fibre
	route append default via 169.254.1.3 dev u-fibre onlink metric 100 src 192.0.2.97
	route del default via 169.254.1.3 dev u-fibre metric 100
END
ok "a lease comes with the same gateway and another address, which the line takes" wait_for 5 "the source" \
	eval 'way_of $HANOI | grep -q "src 192.0.2.97"'
ok "... both are up" wait_for 15 "both" both_lines
ip -n duo route add $NPDC_LTE/32 via 169.254.1.3 dev u-fibre onlink
capture_start brought carrier u-duo ip
sleep 2
is "a host route that a lease brings does not lead a neighbour away" "$(by $NPDC_LTE)" "via $LTE_GATEWAY dev u-lte"
capture_stop brought
is "... and no packet of its" "$(captured brought "host $NPDC_LTE")" 0
ip -n duo route del $NPDC_LTE/32 via 169.254.1.3 dev u-fibre

# ---- a neighbour that is elsewhere than the bundle says ---------------------------------------------
ip -n npdc-hn addr add 203.0.113.77/32 dev u-lte
ip -n carrier route add 203.0.113.77/32 dev u-npdc-l
NPDC_KEY=$(in_site npdc-hn wg show link0 public-key)
capture_start moved carrier u-duo ip
stream_start duo 10
ip -n npdc-hn addr del $NPDC_LTE/32 dev u-lte
sleep 3
stream_stop duo
capture_stop moved
is "a neighbour roams: it is answered over its line at once" \
	"$(captured moved "host 203.0.113.77") $(status_get duo '[.links[] | select(.state == "up")] | length')" "0 2"
ok "... which goes with it at the next turn" wait_for 90 "its route" eval '[ "$(by 203.0.113.77)" = "via $LTE_GATEWAY dev u-lte" ]'
ok "... and the hub answers from there" wait_for 10 "its rule" eval 'ip -n npdc-hn rule | grep -q "from 203.0.113.77"'
capture_start roamed carrier u-duo ip
ip -n duo addr del $DUO_LTE/32 dev u-lte
seen_at() { in_site duo wg show link0 endpoints | awk -v key="$NPDC_KEY" '$1 == key {sub(/:[0-9]*$/, "", $2); print $2}'; } # it may roam back
ok "LTE has no address any more: what is for it goes nowhere" wait_for 10 "no route" eval 'way_of "$(seen_at)" | grep -qi "no route to host"' ||
	{ seen_at; way_of "$(seen_at)"; ip -n duo rule; ip -n duo route show table 531000; ip -n duo route show table 530000; } 2>&1 | sed 's/^/# /'
sleep 3
capture_stop roamed
is "... and nothing of it goes by the fibre, nor what the hub still sends to the address that is gone" \
	"$(captured roamed "udp port 51820 and not (host $DUO_FIBRE and host $HANOI)")" 0 ||
	tcpdump -nr roamed.pcap "udp port 51820 and not (host $DUO_FIBRE and host $HANOI)" | head -5 | sed 's/^/# /'
ip -n npdc-hn addr add $NPDC_LTE/32 dev u-lte
ip -n npdc-hn addr del 203.0.113.77/32 dev u-lte
lease_of duo u-lte u-duo-l $DUO_LTE $LTE_GATEWAY
ok "... both are up" wait_for 30 "both" both_lines
is "of all this nothing was taken for drift" "$(drift duo) $(drift npdc-hn)" "0 0" || grep -h drift {duo,npdc-hn}.log | sed 's/^/# /'

# ---- a metered line ---------------------------------------------------------------------------------
used() { status_get duo '.meters[] | select(.line == "lte") | .used_bytes'; }
carried() { in_site duo sh -c 'cd /sys/class/net/u-lte/statistics && echo $(($(cat rx_bytes) + $(cat tx_bytes)))'; }
ok "a metered line is counted" wait_for 60 "its level" status_is duo '.meters[] | .line + " on " + .device + ": " + .level' "lte on u-lte: exceeded"
before=$(used)
at_most "... no more than the device carried" "$before" "$(carried)"
at_least "... and all of it, but for the last look and the first" "$before" $(($(carried) * 7 / 10))
like "... which is said" "$(grep '"event":"meter"' duo.log)" '"line":"lte","level":"exceeded","used_kb":[0-9]+,"allowance_kb":100'
like "... and shown" "$("$tuyen" status --control "$(control_of duo)")" 'metered +lte on u-lte: exceeded, [0-9.]+ [kM]?i?B'
stop_daemon duo
start_daemon duo
ok "the daemon is restarted" wait_for 60 "both" both_lines
at_least "... and forgets nothing of it" "$(used)" "$before"
said() { grep -c "\"event\":\"meter\".*\"level\":\"$1\"" duo.log; }
ok "its first minute passes, in which it says nothing" wait_for 120 "it" status_is duo '.daemon.uptime_s > 61' true
before=$(used)
ok "... and it has counted again since" wait_for 60 "a larger count" eval '[ "$(used)" -gt "$before" ]'
is "... nor says it again" "$(said '[a-z]*')" 0
before=$(used)
date -s "@$(($(date +%s) + 86400))" >/dev/null
ok "on the next day it begins anew" wait_for 90 "a smaller count" eval '[ "$(used)" -lt "$before" ]'
is "... which is said, once" "$(said within)" 1
date -s "@$(($(date +%s) - 86400))" >/dev/null
ok "the clock was wrong, and comes back: that day's count goes on" wait_for 90 "the count" eval '[ "$(used)" -ge "$before" ]'
is "... which is said, once" "$(said exceeded)" 1
country_down
done_testing
