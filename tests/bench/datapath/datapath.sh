# SPDX-License-Identifier: Apache-2.0
# The inside of make bench-datapath: one processor does the work of all nodes, on the real clock.
# clock: real
# seconds: 1500
#
#	datapath.sh bare|rated ROUNDS SECONDS	rated: the lines have a rate, so that there are queues
#
#	npdc-hn --- hanoi --- ba-dinh --- phuc-xa	each with a LAN and one host in it: lan-npdc-hn, lan-hanoi, ...
#	         1         2           3  hops
#
# What stands in the kernels is what the daemons put there from a signed release; they are stopped then, so that their
# probes do not take part. Plain WireGuard is a tunnel between npdc-hn and hanoi over the same veths, between the same
# hosts; while it is measured, both have no nft table. All are measured in turns, the median of the ratios counts.
#
#	labelled hop	packets to S-BFD's port, from hanoi's path address to npdc-hn's node address: a label, MPLS-in-IP, link0.
#			Beside plain WireGuard with packets as large as fit there.
#	session		from a host behind npdc-hn to one behind the site, in its session, over one, two and three hops; in
#			packets as large as fit into the session, from the site's host to npdc-hn's, beside the same packets
#			through plain WireGuard; and in TCP. Of TCP's segments the kernel makes packets behind plain WireGuard's
#			routes and puts them together again before the host: only the innermost tunnel has that, and what
#			carries it sees each packet. So TCP says what bulk loses, and packets what a hop costs.
#
# Then parts are taken away one after the other: what is saved is what a part costs. Figures go to the script beside this.
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
way=$1 rounds=$2 seconds=$3
load=$LAB_TOOLS/load
missed=0

COUNTRY_SITES="npdc-hn hanoi ba-dinh phuc-xa"
unset country_id country_public country_lan country_host
declare -A country_id=([npdc-hn]=1 [hanoi]=101 [ba-dinh]=210 [phuc-xa]=901)
declare -A country_public=([npdc-hn]=203.0.113.1 [hanoi]=198.51.100.1 [ba-dinh]=198.51.100.9 [phuc-xa]=192.0.2.91)
declare -A country_lan=([npdc-hn]=10.0.0.0/24 [hanoi]=10.1.1.0/24 [ba-dinh]=10.2.1.0/24 [phuc-xa]=10.9.1.0/24)
declare -A country_host=([npdc-hn]=10.0.0.10 [hanoi]=10.1.1.10 [ba-dinh]=10.2.1.10 [phuc-xa]=10.9.1.10)
modem_up() { :; }
COUNTRY_SOURCES="$LAB_DIR/chain.topology $LAB_DIR/chain.policy"
cat >chain.topology <<-END
	tiers npdc, province, district, commune;
	underlay fibre { probe 50ms x 3; mtu 1500; delay 1ms; $([ $way = bare ] || echo 'rate 10Gbit/s;') }
	site npdc-hn tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/24; }
	site hanoi tier province id 101 under npdc-hn { uplink fibre 198.51.100.1; lan 10.1.1.0/24; }
	site ba-dinh tier district id 210 under hanoi { uplink fibre 198.51.100.9; lan 10.2.1.0/24; }
	site phuc-xa tier commune id 901 under ba-dinh { uplink fibre dynamic; lan 10.9.1.0/24; }
END
policy() { # NAME COLOR CLASS
	echo "policy $1 color $2 { from tier commune, district, province; to tier npdc; carry $3;"
	echo "	path main preference 200 via parent; encrypt end-to-end; }"
}
{
	echo 'class query { to port tcp 443; priority high; share 50%; }'
	echo 'class alarm { to port udp 162; priority normal; share 10%; }'
	echo 'class image { to port tcp 873; priority low; share 20%; }'
	policy queries 10 query; policy alarms 20 alarm; policy images 30 image
} >chain.policy
country_daemons_up() {
	local s
	for s in phuc-xa ba-dinh hanoi; do
		wait_for 60 "the paths of $s" paths_up $s 3 &&
			wait_for 60 "the sessions of $s" status_is $s '[.sessions[] | select(.state == "up")] | length' 3 || return 1
	done
}
all() { local s; for s in $COUNTRY_SITES; do "$1" "$s"; done; }
both() { "$1" npdc-hn; "$1" hanoi; }

# ---- plain WireGuard, beside it ----------------------------------------------------------------------
SBFD_PORT=7784 ALARM_PORT=162 PLAIN_PORT=51999 PLAIN_TABLE=77 LINK_MTU=1440 # what a carrier of 1,500 has room for
without_nft=
plain_device() { ip -n "$1" link add plain0 type wireguard; wg genkey >"plain.$1"; }
plain_peer() { # SITE OTHER ADDRESS
	in_site "$1" wg set plain0 listen-port $PLAIN_PORT private-key "plain.$1" peer "$(wg pubkey <"plain.$2")" \
		allowed-ips 0.0.0.0/0 endpoint "${country_public[$2]}:$PLAIN_PORT"
	ip -n "$1" -batch - <<-END
	addr add $3/32 dev plain0
	link set plain0 mtu $LINK_MTU up
	route add 10.77.0.0/24 dev plain0 src $3 table $PLAIN_TABLE
	route add ${country_lan[$2]} dev plain0 table $PLAIN_TABLE
	END
}
plain_up() {
	both plain_device
	plain_peer npdc-hn hanoi 10.77.0.1
	plain_peer hanoi npdc-hn 10.77.0.2
}
nft_keep() { in_site "$1" nft list table inet tuyen >"nft.$1"; }
nft_away() { in_site "$1" nft delete table inet tuyen; }
plain_begin() { [ -n "$without_nft" ] || nft_away "$1"; ip -n "$1" rule add priority 5 table $PLAIN_TABLE; }
plain_end() { ip -n "$1" rule del priority 5; [ -n "$without_nft" ] || in_site "$1" nft -f "nft.$1"; }

# ---- measuring: says "measure NAME", and what load prints, to the script beside this one --------------------
packets() { # NAME SITE ADDRESS SOURCE BYTES [PORT]
	echo "measure $1"
	in_site "$2" "$load" fill "$3" ${6:-$SBFD_PORT} "$seconds" "$5" "$4"
}
host_packets() { # NAME SITE: between hosts, of a class that UDP has
	packets "$1" "lan-$2" "${country_host[npdc-hn]}" "${country_host[$2]}" $((session_mtu - 28)) $ALARM_PORT
}
session() { # NAME SITE
	echo "measure $1"
	in_site "lan-$2" "$load" down "${country_host[npdc-hn]}" 443 "$seconds"
}
labelled() { packets "$1" hanoi "$node_address" "$path_address" $((LINK_MTU - 20 - 4 - 28)); } # NAME
plain() { # COMMAND...
	both plain_begin
	"$@"
	both plain_end
}
round() {
	local s
	plain packets plain-packets hanoi 10.77.0.1 10.77.0.2 $((LINK_MTU - 28))
	labelled labelled
	plain host_packets plain-host hanoi
	for s in hanoi ba-dinh phuc-xa; do host_packets $s-host $s; done
	plain session plain-session hanoi
	for s in hanoi ba-dinh phuc-xa; do session $s $s; done
}

# ---- parts that are taken away, on all nodes, for good -----------------------------------------------------
queues_away() { tc -n "$1" qdisc del dev link0 root; }
filters_away() {
	local device
	for device in $(ip -n "$1" -o link show type ipip | sed -n 's/^[0-9]*: \(lsp[0-9]*\)@.*/\1/p'); do
		tc -n "$1" qdisc del dev "$device" clsact
	done
}
nft_empty() { # its chains hook into the kernel as before, and connections are tracked, but nothing is asked
	{
		echo "table inet tuyen {"
		in_site "$1" nft list table inet tuyen | grep -B 1 ' hook ' | sed '/^--/d; s/policy .*/policy accept; }/'
		echo "chain tracked { ct direction original accept; }; }"
	} >nft.empty
	nft_away "$1"
	in_site "$1" nft -f nft.empty || missed=1
}
nft_gone() { without_nft=yes; all nft_away; }
rules_away() { # the first color's ways go to the main table
	ip -n "$1" route show table 550010 2>/dev/null | sed 's/^/route add /; s/ mpls  */ mpls /' | ip -n "$1" -batch -
	while ip -n "$1" rule del protocol 84 2>/dev/null; do :; done
}
declare -A owned source_of # SITE: prefixes that are reached there; what it sends from
neighbors=(npdc-hn:hanoi hanoi:npdc-hn hanoi:ba-dinh ba-dinh:hanoi ba-dinh:phuc-xa phuc-xa:ba-dinh)
beyond() { # SITE NEIGHBOR: who is in that direction
	local before=" ${COUNTRY_SITES%"$1"*}" after="${COUNTRY_SITES#*"$1"} "
	case $before in *" $2 "*) echo "$before" ;; *) echo "$after" ;; esac
}
straight_over() { # SITE NEIGHBOR: what is in that direction goes over link0 itself
	local address key s prefix prefixes=
	for s in $(beyond "$1" "$2"); do prefixes+=" ${owned[$s]}"; done
	address=$(ip -n "$1" -d -o link show "lsp${country_id[$2]}" | sed -n 's/.* remote \([^ ]*\) .*/\1/p')
	key=$(in_site "$1" wg show link0 allowed-ips | awk -v a="$address/32" '{for (i = 2; i <= NF; i++) if ($i == a) print $1}')
	in_site "$1" wg set link0 peer "$key" allowed-ips "$(echo $address $prefixes | tr ' ' ,)"
	for prefix in $prefixes; do echo "route replace $prefix dev link0 src ${source_of[$1]} table 78"; done | ip -n "$1" -batch -
}
straight() {
	local pair s
	for pair in "${neighbors[@]}"; do straight_over "${pair%:*}" "${pair#*:}"; done
	for s in $COUNTRY_SITES; do ip -n "$s" rule add priority "$1" table 78; done
}
labels_away() {
	local s
	for s in $COUNTRY_SITES; do
		owned[$s]=$(status_path_addresses "$s") source_of[$s]=${owned[$s]%% *}
	done
	straight 6
}
sessions_away() {
	local s
	for s in $COUNTRY_SITES; do owned[$s]+=" ${country_lan[$s]}"; done
	straight 4
}
status_path_addresses() { cat "addresses.$1"; }
addresses_keep() { # of the first color; the gateway's node address
	status_get "$1" '.site.node_address as $n | [.paths[] | select(.color == 10) | .source] | if length > 0 then .[0] else $n end' >"addresses.$1"
}
part() { # NAME COMMAND...: without it
	local name=$1 i; shift
	"$@"
	for ((i = 0; i < rounds; i++)); do
		[ "$name" = sessions ] || labelled "$name-labelled"
		session "$name-session" ba-dinh
	done
}

country_up || exit 1
all addresses_keep
node_address=$(cat addresses.npdc-hn) path_address=$(cat addresses.hanoi)
for s in $COUNTRY_SITES; do stop_daemon $s; done
for s in $COUNTRY_SITES; do
	# What S-BFD's port answers is taken in at the ports of probes alone.
	in_site $s sysctl -q -w net.ipv4.ip_local_port_range="49152 65535"
	planned=$(in_site $s "$tuyend" --site "${country_id[$s]}" --state "$(site_dir $s)/state" --plan)
	[ -z "$planned" ] || { echo "$s is not as its daemon left it: $planned"; missed=1; }
done
all nft_keep
session_mtu=$(ip -n npdc-hn -o link show s20 | sed 's/.* mtu \([0-9]*\).*/\1/')
plain_up
spawn server ip netns exec lan-npdc-hn "$load" server "${country_host[npdc-hn]}" 443
spawn host-sink ip netns exec lan-npdc-hn "$load" sink "${country_host[npdc-hn]}" $ALARM_PORT
spawn sink ip netns exec npdc-hn "$load" sink "$node_address" $SBFD_PORT
spawn plain-sink ip netns exec npdc-hn "$load" sink 10.77.0.1 $SBFD_PORT
sleep 1
for ((i = 0; i < rounds; i++)); do round; done
part all :
[ $way = bare ] || part queues all queues_away
part rules_of_nft all nft_empty
part nft nft_gone
part filters all filters_away
part rules all rules_away
part labels labels_away
part sessions sessions_away
country_down
exit $missed
