# SPDX-License-Identifier: Apache-2.0
# A commune with fibre and LTE to one district: two links between the same two sites, each over its own line, with its own
# WireGuard device, adjacency and BFD. One of its policies may use LTE, the other may not. On the virtual clock.
#
#	npdc-hn 203.0.113.1
#	   |
#	hanoi 198.51.100.1
#	   |
#	ba-dinh 198.51.100.9
#	   |   \________________ link1: lsp901p, lsp210p
#	   | link0: lsp901, lsp210 \
#	   |                        |
#	phuc-xa: fibre 192.0.2.91, LTE 192.0.2.191
#
# clock: virtual
# seconds: 1200
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

COUNTRY_SITES="npdc-hn hanoi ba-dinh phuc-xa"
country_id=([npdc-hn]=1 [hanoi]=101 [ba-dinh]=210 [phuc-xa]=901)
country_public=([npdc-hn]=203.0.113.1 [hanoi]=198.51.100.1 [ba-dinh]=198.51.100.9 [phuc-xa]=192.0.2.91)
country_lan=([npdc-hn]=10.0.0.0/16 [phuc-xa]=10.9.1.0/24)
country_host=([npdc-hn]=10.0.0.10 [phuc-xa]=10.9.1.10)
FIBRE=192.0.2.91 LTE=192.0.2.191 LTE_GATEWAY=169.254.1.2 DISTRICT=198.51.100.9 RECORDS_PORT=163
PRESHARED=$(printf "tuyen link1" | openssl dgst -sha256 -binary | base64)
daemon_options=([phuc-xa]="--uplinks fibre=u-fibre,lte=u-lte")
cat >parallel.topology <<-TOPOLOGY
	tiers npdc, province, district, commune;
	underlay fibre { probe 50ms x 3; mtu 1500; delay 1ms; }
	underlay lte { probe 300ms x 3; mtu 1428; delay 1ms; metric 50; }
	site npdc-hn tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/16; }
	site hanoi tier province id 101 under npdc-hn { uplink fibre 198.51.100.1; }
	site ba-dinh tier district id 210 under hanoi { uplink fibre 198.51.100.9; }
	site phuc-xa tier commune id 901 under ba-dinh {
		uplink fibre dynamic;
		uplink lte dynamic metered 200MB/day;
		lan 10.9.1.0/24;
	}
	link phuc-xa ba-dinh parallel { over lte, fibre; }
TOPOLOGY
cat >parallel.policy <<-POLICY
	class query { to port tcp 443; to port udp $STREAM_PORT; priority high; }
	class records { to port udp $RECORDS_PORT; }
	policy citizen color 10 {
		from tier commune;
		to npdc-hn;
		carry query;
		path main preference 200 via parent;
		path spare preference 100 via parent over lte;
		encrypt end-to-end;
	}
	policy archive color 20 {
		from tier commune;
		to npdc-hn;
		carry records;
		path main preference 200 via parent over fibre;
		encrypt end-to-end;
	}
	expect phuc-xa reaches npdc-hn with query after failure of link phuc-xa ba-dinh;
POLICY
COUNTRY_SOURCES="parallel.topology parallel.policy"

country_net() {
	local s
	carrier_up
	for s in npdc-hn hanoi ba-dinh; do site_up "$s"; done
	namespace phuc-xa router
	mkdir -p "$(site_dir phuc-xa)/state/keys" "$(site_dir phuc-xa)/state/incoming" "$(site_dir phuc-xa)/run"
	line_of phuc-xa u-fibre u-phuc-xa $FIBRE $CARRIER_GATEWAY
	line_of phuc-xa u-lte u-phuc-l $LTE $LTE_GATEWAY
	for s in "${!country_lan[@]}"; do lan_up "$s"; done
}
ACTIVE_PATH='.paths[] | select(.active and .policy == "citizen") | .name'
all_up() { links_up ba-dinh 3 && links_up phuc-xa 2 && paths_up phuc-xa 3 && path_is phuc-xa main; }
country_daemons_up() { wait_for 60 "links and paths" all_up && wait_for 30 "both sessions" sessions_up phuc-xa 2; }

link_is() { status_is ba-dinh ".links[] | select(.device == \"$1\") | .$2" "$3"; } # DEVICE FIELD WANTED
label_by() { in_site ba-dinh ip -f mpls route show "$1" | grep -o 'as to [0-9]*\|dev [a-z0-9]*' | tr '\n' ' '; } # LABEL
way_by() { ip -n phuc-xa route get $DISTRICT mark "$1" 2>&1 | grep -o 'dev [a-z-]*'; } # MARK, as WireGuard asks
label_goes() { [ "$(label_by "$1")" = "$2" ]; }

country_up || bail "the country comes up, with both links of the commune"
pass "the country comes up, with both links of the commune"
https_start
ok "a query is answered" query_answers phuc-xa
stream_echo_start
spawn records ip netns exec lan-npdc-hn "$LAB_TOOLS/stream" echo "${country_host[npdc-hn]}" $RECORDS_PORT

# ---- two links, each over its own line ---------------------------------------------------------
is "each end has both" "$(status_get ba-dinh '[.links[] | .site + " by " + .device] | sort | join(", ")')" \
	"hanoi by lsp101, phuc-xa by lsp901, phuc-xa parallel by lsp901p"
is "... with BFD of their own" "$(status_get phuc-xa '[.links[] | .underlay + " " + (.interval_us * .multiplier | tostring)] | sort | join(", ")')" \
	"fibre 150000, lte 900000"
is "link1 is there where a parallel link ends" \
	"$(for s in $COUNTRY_SITES; do in_site "$s" test -e /sys/class/net/link1 && echo "$s"; done | paste -sd ' ')" "ba-dinh phuc-xa"
is "... with the same key, and the next port" "$(in_site ba-dinh wg show link1 public-key) $(in_site ba-dinh wg show link1 listen-port)" \
	"$(in_site ba-dinh wg show link0 public-key) 51821"
is "a link's packets go by its line" "$(way_by 0x57000000), $(way_by 0x58000000)" "dev u-fibre, dev u-lte"
capture_start fibre carrier u-phuc-xa ip
capture_start lte carrier u-phuc-l ip
sleep 3
capture_stop fibre; capture_stop lte
at_least "fibre has the ordinary link's packets" "$(captured fibre 'udp port 51820')" 60
is "... and no other" "$(captured fibre "not (host $FIBRE and host $DISTRICT and udp port 51820)")" 0
at_least "LTE has the parallel link's" "$(captured lte 'udp port 51821')" 10
is "... and no other" "$(captured lte "not (host $LTE and host $DISTRICT and udp port 51821)")" 0

# ---- the fibre is cut: 150 ms detection, 10 more, a round trip of less than 8 ---------------------
# The second policy's path: its source address on the adjacency, behind one label; and its label at the district.
archive=$(status_get phuc-xa '.paths[] | select(.policy == "archive") | .source')
archive_source="link[16:4] = $(printf '0x%02x%02x%02x%02x' ${archive//./ })"
capture_start up phuc-xa lsp210p
capture_start down ba-dinh lsp901p
stream_start phuc-xa 10
sleep 1
ok "the fibre is cut, just after a probe" link_cut_after_probe phuc-xa phuc-xa ba-dinh
ok "the commune takes the path by LTE" wait_for 5 "the spare path" path_is phuc-xa spare
ok "... and the district sends by LTE what came for the fibre" wait_for 2 "the repair" label_goes 16901 "as to 156901 dev lsp901p "
sleep 1
stream_stop phuc-xa
at_most "a stream there and back was out, ms" "$outage_ms" 168
ok "the district says so" link_is lsp901 repaired true
ok "a query is answered" query_answers phuc-xa
ok "the policy without a path by LTE has none" status_is phuc-xa '[.paths[] | select(.policy == "archive" and .state == "up")] | length' 0
is "... and the district keeps its label on the fibre" "$(label_by 86901)" "as to 86901 dev lsp901 " ||
	in_site ba-dinh ip -f mpls route | sed 's/^/# /'
STREAM_PORT=$RECORDS_PORT stream_start phuc-xa 20
sleep 2
stream_stop phuc-xa
is "... its packets are lost" "$answered" 0
capture_stop up; capture_stop down
at_least "LTE carried the stream and the query" "$(captured up)" 100
is "... and of that policy nothing, there" "$(captured up "$archive_source")" 0
is "... nor back" "$(captured down "$(label_is 86901)")" 0
link_heal phuc-xa ba-dinh
ok "the fibre is back: the commune goes back to it" wait_for 15 "all of it" all_up
ok "... and so does the district" wait_for 15 "its label" label_goes 16901 "as to 16901 dev lsp901 "
ok "... of the repair nothing is left" wait_for 5 "the link" link_is lsp901 repaired false

# ---- LTE is cut, then the device of the fibre goes down --------------------------------------------
stream_start phuc-xa 10
country_public[phuc-xa]=$LTE
link_cut phuc-xa ba-dinh
ok "LTE is cut" wait_for 5 "the link" link_is lsp901p state down
ok "... the district sends by fibre what comes for LTE" wait_for 2 "the repair" label_goes 156901 "as to 16901 dev lsp901 "
link_heal phuc-xa ba-dinh
country_public[phuc-xa]=$FIBRE
ok "... and LTE is back" wait_for 30 "all of it" all_up
stream_stop phuc-xa
is "... of which who uses the fibre has seen nothing: lost" "$lost" 0
ok "... and used by the district" wait_for 30 "the label" label_goes 156901 "as to 156901 dev lsp901p "
capture_start gone carrier u-phuc-l ip
line_goes_down phuc-xa u-fibre 168
sleep 2
capture_stop gone
is "nothing of the link over fibre goes by LTE, the only line with a way" "$(captured gone 'udp port 51820')" 0
lease_of phuc-xa u-fibre u-phuc-xa $FIBRE $CARRIER_GATEWAY
ok "it is up again, and so is all else" wait_for 60 "all of it" all_up

# ---- what does not belong on a link is refused ------------------------------------------------------
drops() { status_get phuc-xa ".links[] | select(.device == \"$1\") | .filter_drops"; }
before=$(drops lsp210p)
in_site ba-dinh "$LAB_TOOLS/inject" mpls lsp901p 86901 100.80.0.16 "$archive" 7784 WRONG-LINE- 5
in_site ba-dinh "$LAB_TOOLS/inject" mpls lsp901p 16901 100.80.0.16 "$archive" 7784 WRONG-LABEL- 5
ok "labels of the other link are dropped" wait_for 5 "the count" eval '[ "$(drops lsp210p)" -ge $((before + 10)) ]'
before=$(drops lsp210)
in_site ba-dinh "$LAB_TOOLS/inject" mpls lsp901 156901 100.80.0.16 "$archive" 7784 WRONG-LABEL- 5
ok "... on either" wait_for 5 "the count" eval '[ "$(drops lsp210)" -ge $((before + 5)) ]'
ok "from the carrier, an address of parallel links is not answered" eval '! in_site carrier ping -c 1 -W 1 -I 100.65.0.7 100.65.0.210'

# ---- an operator's hand --------------------------------------------------------------------------
plan_empty() { "$tuyen" plan --control "$(control_of "$1")" | grep -q nothing; }
damaged_and_repaired() { # NAME SITE COMMAND...
	local name=$1 s=$2 before; shift 2
	before=$(status_get "$s" .daemon.drift_repairs)
	in_site "$s" "$@" >/dev/null 2>&1 || { fail "$name: the damage itself failed"; return; }
	ok "$name is repaired" wait_for 8 "the repair" eval "[ \"\$(status_get $s .daemon.drift_repairs)\" -gt $before ] && plan_empty $s"
	ok "... and all is up again" wait_for 30 "links and paths" all_up
}
ok "the district's way down is the fibre's again" wait_for 15 "the label" label_goes 16901 "as to 16901 dev lsp901 "
stream_start phuc-xa 10
damaged_and_repaired "a deleted link1" phuc-xa ip link del link1
damaged_and_repaired "a deleted link1 of the district" ba-dinh ip link del link1
damaged_and_repaired "a removed peer of link1" ba-dinh sh -c 'wg set link1 peer $(wg show link1 peers) remove'
damaged_and_repaired "a removed peer of link1 at the commune" phuc-xa sh -c 'wg set link1 peer $(wg show link1 peers) remove'
damaged_and_repaired "a deleted adjacency" ba-dinh ip link del lsp901p
damaged_and_repaired "a deleted label filter" phuc-xa tc qdisc del dev lsp210p clsact
damaged_and_repaired "a deleted rule of the line" phuc-xa ip rule del priority 9400
damaged_and_repaired "a deleted address" phuc-xa ip addr flush dev link1
stream_stop phuc-xa
is "who uses the fibre has seen nothing of that: lost" "$lost" 0

# ---- the carrier of LTE turns handshakes of link1 to the port of link0 -----------------------------------
handshakes_turned() { # COUNT: at each end
	[ "$(in_site carrier nft list table ip turn | grep -o 'packets [0-9]*' | awk -v n="$1" '$2 >= n' | wc -l)" = 2 ]
}
fibre_changes() { for s in phuc-xa ba-dinh; do status_get $s '.links[] | select(.device == "lsp210" or .device == "lsp901") | .state, .changes'; done | paste -sd ' '; }
preshared() { in_site "$1" wg show "$2" preshared-keys | cut -f 2 | sort -u | paste -sd ' '; } # SITE DEVICE
is "link1's peers have the key that keeps them apart, link0's none" \
	"$(for s in phuc-xa ba-dinh; do preshared $s link0; preshared $s link1; done | paste -sd ' ')" \
	"(none) $PRESHARED (none) $PRESHARED"
before=$(fibre_changes)
stream_start phuc-xa 10
in_site carrier nft -f - <<-NFT
	table ip turn {
		chain p {
			type filter hook prerouting priority -400;
			ip saddr $LTE udp dport 51821 udp length 156 counter udp dport set 51820
			ip daddr $LTE udp dport 51821 udp length 156 counter udp dport set 51820
		}
	}
NFT
in_site phuc-xa sh -c 'wg set link1 peer $(wg show link1 peers) remove'
ok "handshakes of both ends are turned" wait_for 60 "the count" handshakes_turned 2
ok "... and the parallel link is down" link_is lsp901p state down
ok "... the fibre's is called by fibre" \
	wait_for 2 "the endpoint" eval 'in_site ba-dinh wg show link0 endpoints | grep -q "$FIBRE:51820"'
is "... and has been up all the time" "$(fibre_changes)" "$before"
in_site carrier nft delete table ip turn
ok "let be, it is back" wait_for 60 "all of it" all_up
stream_stop phuc-xa
at_most "who uses the fibre was out to the next probe at most, ms" "$outage_ms" 60
at_least "... because the commune, which calls, takes none of them" \
	"$(in_site phuc-xa nft list chain inet tuyen guard_line | sed -n 's/.* udp length 156 counter packets \([0-9]*\) .*/\1/p' | awk '{n += $1} END {print n}')" 2

# ---- both links of a pair led to each other's port, as by a carrier that writes what it likes -------------
district_key=$(in_site phuc-xa wg show link1 peers) commune_key=$(in_site ba-dinh wg show link1 peers)
stream_start phuc-xa 10
in_site carrier nft 'table ip turn { chain p { type filter hook prerouting priority -400; udp dport 51820 drop; }; }'
sleep 0.1 # what is under way arrives
in_site phuc-xa wg set link0 peer "$district_key" endpoint "${country_public[ba-dinh]}:51821"
in_site ba-dinh wg set link0 peer "$commune_key" endpoint "$LTE:51821"
in_site carrier nft delete table ip turn
ok "crossed, they hear nothing of each other" wait_for 5 "the link" status_is phuc-xa '.links[] | select(.device == "lsp210") | .state' down
ok "... and link0 is called where the release has it" \
	wait_for 10 "the endpoint" eval 'in_site phuc-xa wg show link0 endpoints | grep -F "$district_key" | grep -q ":51820$"'
ok "... and all is up again" wait_for 30 "all of it" all_up
stream_stop phuc-xa
at_most "who uses the fibre was out for less than with the fibre cut for good, ms" "$outage_ms" 1000
damaged_and_repaired "link1's peer without its preshared key" phuc-xa sh -c 'wg set link1 peer $(wg show link1 peers) preshared-key /dev/null'
echo $PRESHARED >psk
damaged_and_repaired "link0's peer with that of link1" phuc-xa sh -c 'wg set link0 peer $(wg show link0 peers) preshared-key psk'

# ---- colors never mix: each class by its own session, label path and label back ---------------------------
closed() { in_site "$1" nft list chain inet tuyen "$2" | sed -n 's/.*counter packets \([0-9]*\).* drop.*/\1/p'; } # SITE CHAIN: drops
lan_sends() { # TEXT: five packets of each class
	in_site lan-phuc-xa "$LAB_TOOLS/inject" udp 10.9.1.10 10.0.0.10 $STREAM_PORT "CITIZEN-$1-" 5
	in_site lan-phuc-xa "$LAB_TOOLS/inject" udp 10.9.1.10 10.0.0.10 $RECORDS_PORT "ARCHIVE-$1-" 5
	sleep 0.5 # the last ones arrive
}
arrived() { echo "$(captured "$1" "src 10.9.1.10 and udp dst port $STREAM_PORT") $(captured "$1" "src 10.9.1.10 and udp dst port $RECORDS_PORT")"; }
from_port="link[24:2] =" to_port="link[26:2] =" # of a session's packet behind one label
citizen=$(status_get phuc-xa '.paths[] | select(.policy == "citizen" and .name == "main") | .source')
citizen_source="link[16:4] = $(printf '0x%02x%02x%02x%02x' ${citizen//./ })"
ok "the district's way down is the fibre's" wait_for 15 "the label" label_goes 16901 "as to 16901 dev lsp901 "
capture_start up phuc-xa lsp210
capture_start down ba-dinh lsp901
capture_start host lan-npdc-hn eth0
lan_sends OWN
for c in up down host; do capture_stop $c; done
is "packets of both classes arrive" "$(arrived host)" "5 5"
at_least "session 10 goes by its path" "$(captured up "$from_port 52010 and $citizen_source")" 5
at_least "... and comes back by its label" "$(captured down "$to_port 52010 and $(label_is 16901)")" 5
at_least "session 20 goes by its own" "$(captured up "$from_port 52020 and $archive_source")" 5
at_least "... and comes back by its own" "$(captured down "$to_port 52020 and $(label_is 86901)")" 5
is "neither goes by the other's" \
	"$(captured up "$from_port 52010 and $archive_source or $from_port 52020 and $citizen_source")" 0
is "... nor comes back by it" \
	"$(captured down "$to_port 52010 and $(label_is 86901) or $to_port 52020 and $(label_is 16901)")" 0

# An honest node, and a stranger's route that leads its queries into the other session
capture_start session20 phuc-xa s20
capture_start host lan-npdc-hn eth0
before=$(closed phuc-xa into_20)
ip -n phuc-xa route add 10.0.0.10/32 dev s20
lan_sends ROUTE
ip -n phuc-xa route add 10.0.0.10/32 dev s20 table 540010
lan_sends TABLE
capture_stop session20; capture_stop host
turned=$(($(closed phuc-xa into_20) - before))
at_least "a better route leads queries into the other session (the attack is real)" $turned 1
is "... which they do not enter" "$(captured session20 "udp dst port $STREAM_PORT")" 0
is "... and go by their own, where none is in its table" "$(arrived host)" "$((10 - turned)) 10"
ip -n phuc-xa route del 10.0.0.10/32 dev s20

# A commune in wrong hands: no daemon, no rules, routes at will. The gateway sees what comes by which session.
all_into() { # SESSION: all that the LAN sends
	ip -n phuc-xa route replace 10.0.0.0/16 dev "$1"
	drops=$(closed npdc-hn "from_${1#s}")
	capture_start host lan-npdc-hn eth0
	lan_sends "INTO-$1"
	in_site lan-phuc-xa timeout 2 bash -c "echo >/dev/tcp/10.0.0.10/443" 2>/dev/null
	capture_stop host
	drops=$(($(closed npdc-hn "from_${1#s}") - drops))
}
stop_daemon phuc-xa
in_site phuc-xa nft delete table inet tuyen
all_into s20
is "wrong hands send all into session 20: its own class arrives (the attack is real), no query does" "$(arrived host)" "0 5"
is "... nor a connection of one" "$(captured host 'src 10.9.1.10 and tcp')" 0
at_least "... the gateway has dropped all of it" "$drops" 6
all_into s10
is "all into session 10: queries arrive, nothing of the other class does" "$(arrived host)" "5 0"
at_least "... a connection does" "$(captured host 'src 10.9.1.10 and tcp dst port 443')" 2
is "... the gateway has dropped the rest" "$drops" 5
ip -n phuc-xa route del 10.0.0.0/16 dev s10 # a stranger's, which the daemon would leave
start_daemon phuc-xa
ok "the node is itself again" wait_for 30 "all of it" eval 'all_up && plan_empty phuc-xa'
ok "... and a query is answered" query_answers phuc-xa

# ---- a release without the parallel link, and back ---------------------------------------------------
sed '/parallel/d' parallel.topology >single.topology
sed '/spare/d; /^expect/d' parallel.policy >single.policy
release() { # EPOCH SOURCE...
	country_release "$@" >>make.log 2>&1 || { fail "release $1"; diag_file make.log 20; return; }
	for s in $COUNTRY_SITES; do install_seal "$s" "seals.$1/${country_id[$s]}.seal" >/dev/null; done
}
release 2 single.topology single.policy keys.topology
ok "a release without it takes link1 away" wait_for 15 "one link" eval 'links_up phuc-xa 1 && ! in_site phuc-xa test -e /sys/class/net/link1'
release 3 parallel.topology parallel.policy keys.topology
ok "... and one with it brings it back" wait_for 30 "all of it" all_up
ok "a query is answered" query_answers phuc-xa

# ---- a box that does not say which device each line is -----------------------------------------------
is "each line has its device" "$(status_get phuc-xa .site.unnamed)" ''
stop_daemon phuc-xa
daemon_options[phuc-xa]="--uplinks fibre=u-fibre"
start_daemon phuc-xa
ok "a line without one is told" wait_for 30 "it" status_is phuc-xa .site.unnamed "ba-dinh parallel"
ok "... by the status" eval '"$tuyen" status --control "$(control_of phuc-xa)" | grep -q "^uplinks   ba-dinh parallel and"'
is "... and once by the log" "$(grep -c "ba-dinh is called over fibre and lte" "$LAB_DIR/phuc-xa.log")" 1
is "... not by who is called" "$(status_get ba-dinh .site.unnamed)" ''
country_down
done_testing
