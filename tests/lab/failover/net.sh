# SPDX-License-Identifier: Apache-2.0
# The carrier of bench.topology, its faults, and the stream that measures. Sourced after lib.sh and country.sh.
#
#	              (lan-npdc-hn: the echo, behind both)
#	              npdc-hn     npdc-hcm
#	                 |    \ /    |
#	                 |    / \    |
#	             hanoi ------ hai-phong
#	            /     \        /      \
#	      ba-dinh - dong-da  le-chan - ngo-quyen
#	         |  \      |      |  |        |
#	     phuc-xa truc-bach  (backups: phuc-xa le-chan, truc-bach le-chan over lte, kham-thien ngo-quyen, ...)
#
# Every site has one veth to the namespace "carrier", truc-bach a second one for its LTE modem. The carrier delays what it
# hands over: 1 ms to a fibre, 21 ms to the modem. All faults are the carrier's own: what a link's two addresses send each
# other is dropped, in one direction or both, or at times, or above a size. No device of a site ever says a word.

COUNTRY_SITES="npdc-hn npdc-hcm hanoi hai-phong ba-dinh dong-da le-chan ngo-quyen phuc-xa kham-thien truc-bach an-bien cat-dai nam-dong"
# caller:other, the caller first. It is the spare one of its two if its third word is "spare".
COUNTRY_LINKS="hanoi:npdc-hn hanoi:npdc-hcm:spare hai-phong:npdc-hcm hai-phong:npdc-hn:spare hanoi:hai-phong ba-dinh:hanoi dong-da:hanoi le-chan:hai-phong
	ngo-quyen:hai-phong ba-dinh:dong-da le-chan:ngo-quyen phuc-xa:ba-dinh phuc-xa:le-chan:spare
	kham-thien:dong-da kham-thien:ngo-quyen:spare truc-bach:ba-dinh truc-bach:le-chan:spare
	an-bien:le-chan an-bien:ba-dinh:spare cat-dai:ngo-quyen cat-dai:dong-da:spare nam-dong:dong-da nam-dong:ngo-quyen:spare"
country_id=([npdc-hn]=1 [npdc-hcm]=2 [hanoi]=101 [hai-phong]=102 [ba-dinh]=210 [dong-da]=211 [le-chan]=212 [ngo-quyen]=213
	[phuc-xa]=901 [kham-thien]=902 [truc-bach]=903 [an-bien]=904 [cat-dai]=905 [nam-dong]=906)
country_public=([npdc-hn]=203.0.113.1 [npdc-hcm]=203.0.113.2 [hanoi]=198.51.100.1 [hai-phong]=198.51.100.2 [ba-dinh]=198.51.100.9
	[dong-da]=198.51.100.13 [le-chan]=198.51.100.17 [ngo-quyen]=198.51.100.21 [phuc-xa]=192.0.2.91 [kham-thien]=192.0.2.92
	[truc-bach]=192.0.2.93 [an-bien]=192.0.2.94 [cat-dai]=192.0.2.95 [nam-dong]=192.0.2.96)
country_lan=([phuc-xa]=10.9.1.0/24 [kham-thien]=10.9.2.0/24 [truc-bach]=10.9.3.0/24)
country_host=([npdc-hn]=10.0.0.10 [phuc-xa]=10.9.1.10 [kham-thien]=10.9.2.10 [truc-bach]=10.9.3.10)
LTE_PUBLIC=192.0.2.193 LTE_GATEWAY=169.254.1.2
RENUMBERED=192.0.2.191 # what phuc-xa is given by a new DHCP lease
FIBRE_DELAY=1ms LTE_DELAY=21ms
RTT_MS=6 # three links there, three back
COUNTRY_SOURCES="$LAB_TREE/tests/lab/failover/bench.topology $LAB_TREE/tests/lab/failover/bench.policy"

# Loss that is no matter of chance: of each 256 packets of a tunnel, 77 are dropped (30 %), by the low byte of the counter
# that WireGuard numbers them with, spread as a multiplicative generator has it. LOSS_BYTE is where that byte is, from the
# UDP header on.
LOSS_BYTE=16
loss_values() { awk 'BEGIN {x = 7; for (i = 0; i < 77; i++) {x = (x * 141 + 29) % 256; printf "%s%d", i ? ", " : "", x}}'; }

carrier_up() {
	namespace carrier
	in_site carrier sysctl -qw net.ipv4.ip_forward=1
	in_site carrier nft -f - <<-NFT
	table ip cuts {
		set pairs { type ipv4_addr . ipv4_addr; }
		set narrow { type ipv4_addr . ipv4_addr; }
		set lossy { type ipv4_addr . ipv4_addr; }
		set dead { type ipv4_addr; }
		chain forward {
			type filter hook forward priority 0;
			ip saddr . ip daddr @pairs counter drop
			ip saddr @dead counter drop
			ip daddr @dead counter drop
			ip saddr . ip daddr @narrow ip length > 1000 counter drop
			ip saddr . ip daddr @lossy meta l4proto udp @th,$((LOSS_BYTE * 8)),8 { $(loss_values) } counter drop
		}
	}
	NFT
}

carrier_delay() { tc -n carrier qdisc add dev "$1" root netem delay "$2" limit 10000; } # DEVICE DELAY

modem_up() { # truc-bach's LTE: its own line, and a route over it to the district that is called by it
	ip link add u-lte netns truc-bach type veth peer name u-truc-bach-l netns carrier
	ip -n carrier addr add $LTE_GATEWAY/32 dev u-truc-bach-l
	ip -n carrier link set u-truc-bach-l up
	ip -n carrier route add $LTE_PUBLIC/32 dev u-truc-bach-l
	ip -n truc-bach addr add $LTE_PUBLIC/32 dev u-lte
	ip -n truc-bach link set u-lte up
	ip -n truc-bach route add "${country_public[le-chan]}" via $LTE_GATEWAY dev u-lte onlink src $LTE_PUBLIC
	carrier_delay u-truc-bach-l $LTE_DELAY
}

# The data centre's LAN: a switch that routes, with a line to each gateway; a line without light is not used.
npdc_lan_up() {
	local gateway line=0
	namespace lan-npdc-hn
	ip -n lan-npdc-hn addr add "${country_host[npdc-hn]}/32" dev lo
	in_site lan-npdc-hn sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1 net.ipv4.conf.all.rp_filter=0
	for gateway in npdc-hn npdc-hcm; do
		ip link add lan0 netns $gateway type veth peer name eth$line netns lan-npdc-hn
		ip -n $gateway addr add 10.0.0.$((line + 2))/16 dev lan0
		ip -n $gateway link set lan0 up
		ip -n lan-npdc-hn link set eth$line up
		ip -n lan-npdc-hn route add 10.0.0.$((line + 2)) dev eth$line src "${country_host[npdc-hn]}"
		ip -n lan-npdc-hn route add default via 10.0.0.$((line + 2)) dev eth$line src "${country_host[npdc-hn]}" \
			metric $((line + 1)) onlink
		line=$((line + 1))
	done
}

country_net() {
	local s
	carrier_up
	for s in $COUNTRY_SITES; do site_up "$s"; carrier_delay "u-$s" $FIBRE_DELAY; done
	for s in "${!country_lan[@]}"; do lan_up "$s"; done
	modem_up
	npdc_lan_up
}

country_down() {
	local s
	halt_all
	for s in $COUNTRY_SITES carrier lan-npdc-hn; do ip netns del "$s" 2>/dev/null; done
	for s in "${!country_lan[@]}"; do ip netns del "lan-$s" 2>/dev/null; done
	return 0
}

# ---- faults: VERB is add or delete ------------------------------------------------------------
both_ways() { # VERB SET A B
	local a=${country_public[$3]} b=${country_public[$4]}
	in_site carrier nft "$1 element ip cuts $2 { $a . $b, $b . $a }"
}
fault_cut() { both_ways "$1" pairs "$2" "$3"; }
fault_deaf() { in_site carrier nft "$1 element ip cuts pairs { ${country_public[$2]} . ${country_public[$3]} }"; } # FROM TO
fault_lossy() { both_ways "$1" lossy "$2" "$3"; }
fault_narrow() { both_ways "$1" narrow "$2" "$3"; }
fault_dead() { # VERB SITE: the light of its LAN goes out too
	in_site carrier nft "$1 element ip cuts dead { ${country_public[$2]} }"
	[ "$2" != npdc-hn ] || ip -n npdc-hn link set lan0 "$([ "$1" = add ] && echo down || echo up)"
}
fault_renumber() { # VERB SITE: the lease ends and another one begins, as a DHCP client does it
	local s=$2 old=${country_public[$2]} new=$RENUMBERED
	[ "$1" = add ] || { new=$old old=$RENUMBERED; }
	ip -n carrier route del "$old/32"
	ip -n carrier route add "$new/32" dev "u-$s"
	ip -n "$s" addr del "$old/32" dev u-carrier
	ip -n "$s" addr add "$new/32" dev u-carrier
	ip -n "$s" route replace default via $CARRIER_GATEWAY dev u-carrier onlink
}

# ---- what is measured ----------------------------------------------------------------------------
# row: the commune that sends; what the worst moment is just after: a packet that NODE hears from NEIGHBOR; the fault;
# bytes a packet, 0: 64
declare -A row_site row_near row_fault row_bytes row_text
row() { row_site[$1]=$2 row_near[$1]=$3 row_fault[$1]=$4 row_bytes[$1]=$5 row_text[$1]=$6 ROWS="${ROWS:-} $1"; }
row link-cut       phuc-xa    "phuc-xa ba-dinh"	"cut phuc-xa ba-dinh"		0    "its own link is cut"
row one-way        phuc-xa    "phuc-xa ba-dinh"	"deaf ba-dinh phuc-xa"		0    "its own link, from the district alone"
row one-way-up     phuc-xa    "ba-dinh phuc-xa"	"deaf phuc-xa ba-dinh"		0    "its own link, to the district alone"
row district-dead  phuc-xa    "phuc-xa ba-dinh"	"dead ba-dinh"			0    "the district dies"
row province-dead  phuc-xa    "ba-dinh hanoi"	"dead hanoi"			0    "the province dies"
row trunk-cut      phuc-xa    "hanoi npdc-hn"	"cut hanoi npdc-hn"		0    "the province's trunk is cut"
row local-repair   kham-thien "hanoi npdc-hn"	"cut hanoi npdc-hn"		0    "the same, seen by a slowly probed path"
row gateway-dead   phuc-xa    "hanoi npdc-hn"	"dead npdc-hn"			0    "the gateway dies"
row loss-30        phuc-xa    "phuc-xa ba-dinh"	"lossy phuc-xa ba-dinh"		0    "30 % loss on its own link"
row mtu-hole       phuc-xa    "phuc-xa ba-dinh"	"narrow phuc-xa ba-dinh"	1000 "its own link drops big packets"
row renumbering    phuc-xa    "phuc-xa ba-dinh"	"renumber phuc-xa"		0    "its address changes"
row lte-only       truc-bach  "truc-bach ba-dinh" "cut truc-bach ba-dinh"	0    "fibre gone, LTE stays"

stream_start() { # SITE INTERVAL_MS BYTES
	spawn "stream-$1" ip netns exec "lan-$1" "$LAB_TOOLS/stream" send "${country_host[npdc-hn]}" $STREAM_PORT "$2" 0.0.0.0 "$3"
}
