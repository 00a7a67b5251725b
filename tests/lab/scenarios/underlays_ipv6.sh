# SPDX-License-Identifier: Apache-2.0
# Two lines of IPv6 alone: a commune and the hub with a fibre and an LTE each, whose routers are addresses of the link, as
# router advertisements have it. On the virtual clock.
#
#	           npdc-hn 2001:db8:a::1, and for LTE 2001:db8:a::2
#	                |
#	             hanoi 2001:db8:b::1
#	                |
#	               duo: fibre 2001:db8:c::5 to hanoi, LTE 2001:db8:d::5 to npdc-hn
#
# clock: virtual
# seconds: 900
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

COUNTRY_SITES="npdc-hn hanoi duo"
country_id=([npdc-hn]=1 [hanoi]=101 [duo]=906)
country_lan=([npdc-hn]=10.0.0.0/16 [duo]=10.9.6.0/24)
country_host=([npdc-hn]=10.0.0.10 [duo]=10.9.6.10)
HANOI=2001:db8:b::1 NPDC=2001:db8:a::1 NPDC_LTE=2001:db8:a::2 DUO=2001:db8:c::5 DUO_LTE=2001:db8:d::5
cat >underlays.topology <<-TOPOLOGY
	tiers npdc, province, commune;
	underlay fibre { probe 50ms x 3; mtu 1500; delay 1ms; }
	underlay lte { probe 300ms x 3; mtu 1500; delay 1ms; metric 50; }
	site npdc-hn tier npdc id 1 { uplink fibre $NPDC; uplink lte $NPDC_LTE; lan 10.0.0.0/16; }
	site hanoi tier province id 101 under npdc-hn { uplink fibre $HANOI; }
	site duo tier commune id 906 under hanoi backup npdc-hn { uplink fibre dynamic; uplink lte dynamic; lan 10.9.6.0/24; }
	link duo npdc-hn { over lte, lte; }
TOPOLOGY
sed '/^deny/,$d' "$LAB_TREE/policies/examples/first-light.policy" >underlays.policy
COUNTRY_SOURCES="underlays.topology underlays.policy"
daemon_options=([duo]="--uplinks fibre=u-fibre,lte=u-lte" [npdc-hn]="--uplinks fibre=u-fibre,lte=u-lte")

line_of() { # SITE DEVICE CARRIER'S-DEVICE ADDRESS ROUTER
	ip link add "$2" netns "$1" type veth peer name "$3" netns carrier
	ip -n carrier link set "$3" up
	ip -n carrier addr replace "$5/64" dev "$3" nodad
	lease_of "$@"
}
lease_of() {
	ip -n "$1" link set "$2" up
	ip -n carrier route replace "$4/128" dev "$3"
	ip -n "$1" addr replace "$4/128" dev "$2" nodad
	ip -n "$1" -6 route replace default via "$5" dev "$2" metric "$([ "$2" = u-lte ] && echo 2048 || echo 1024)"
}
country_net() {
	local s
	namespace carrier router
	for s in $COUNTRY_SITES; do
		namespace "$s"
		in_site "$s" sysctl -qw net.ipv4.ip_forward=1
		mkdir -p "$(site_dir "$s")/state/keys" "$(site_dir "$s")/state/incoming" "$(site_dir "$s")/run"
	done
	for s in carrier $COUNTRY_SITES; do
		in_site "$s" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
			net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
	done
	in_site carrier sysctl -qw net.ipv6.conf.all.forwarding=1
	line_of npdc-hn u-fibre u-npdc $NPDC fe80::1
	line_of npdc-hn u-lte u-npdc-l $NPDC_LTE fe80::2
	line_of hanoi u-carrier u-hanoi $HANOI fe80::1
	line_of duo u-fibre u-duo $DUO fe80::1
	line_of duo u-lte u-duo-l $DUO_LTE fe80::2
	for s in "${!country_lan[@]}"; do lan_up "$s"; done
}
both_lines() { links_up duo 2 && paths_up duo 2 && path_is duo main; }
country_daemons_up() {
	wait_for 60 "the links of hanoi" links_up hanoi 2 && wait_for 30 "both lines of duo" both_lines &&
		wait_for 30 "the session of duo" session_up duo
}
drift() { status_get "$1" .daemon.drift_repairs; }
others() { # CAPTURE LINE NEIGHBOR: neighbour discovery and the kernel's own reports are the link's
	captured "$1" "not icmp6 and not ip6 proto 0 and not (host $2 and host $3 and udp port 51820)"
}
way_of() { ip -n duo -6 route get "$1" mark 0x57000000 2>&1; } # ADDRESS, as WireGuard asks
by() { way_of "$1" | grep -o 'via [0-9a-f:]* dev [a-z-]*'; }

country_up || bail "the country comes up over two lines of IPv6"
pass "the country comes up over two lines of IPv6"
is "each line has its own neighbour" "$(by $HANOI), $(by $NPDC_LTE)" "via fe80::1 dev u-fibre, via fe80::2 dev u-lte"
like "... and the hub answers over the line by which it was called" "$(ip -n npdc-hn -6 rule)" "from $NPDC_LTE fwmark 0x57000000/0xff00ffff lookup 532001"
https_start
ok "a query is answered" query_answers duo
planned() { # SITE: how many operations of IPv6 its plan has; what it says where it cannot be made
	local LAB_WRAPPER=
	$(tuyend_command "$1") --plan >plan.txt 2>&1 || { cat plan.txt; return 1; }
	awk '/^ip -6 / {count++} END {print count + 0}' plan.txt
}
is "a plan has nothing to do" "$(planned duo)" 0

# ---- each line carries its own ---------------------------------------------------------------
capture_start fibre carrier u-duo ip6
capture_start lte carrier u-duo-l ip6
sleep 2
capture_stop fibre
at_least "the fibre has its link's packets" "$(captured fibre "udp port 51820")" 40
is "... and no other" "$(others fibre $DUO $HANOI)" 0 || tcpdump -nr fibre.pcap not icmp6 and not udp | head -5 | sed 's/^/# /'
stream_echo_start
line_goes_down duo u-fibre 168
ok "what is for the fibre goes nowhere" wait_for 5 "no route" eval 'way_of $HANOI | grep -qi "no route to host\|unreachable"'
sleep 3
capture_stop lte
at_least "LTE has its link's packets" "$(captured lte "udp port 51820")" 10
is "... and nothing that the fibre was for, whatever default route is left" "$(others lte $DUO_LTE $NPDC_LTE)" 0 ||
	tcpdump -nr lte.pcap "not icmp6 and not (host $DUO_LTE and host $NPDC_LTE)" | head -5 | sed 's/^/# /'
is "... nor from the hub, whose default route is its fibre's, anything but from where it was called" "$(captured lte "host $NPDC")" 0
lease_of duo u-fibre u-duo $DUO fe80::1
ok "it is back: so is its link, and its path" wait_for 15 "both" both_lines ||
	{ status duo | jq -c '.links, .paths' | sed 's/^/# /'; ip -n duo -6 route | sed 's/^/# /'; ip -n duo -6 rule | sed 's/^/# /'; tail -n 20 duo.log | sed 's/^/# /'; }

# ---- a router that is silent for a while -----------------------------------------------------------
# The kernel gives it up; it asks again only where no way of the same table leads elsewhere.
ip -n carrier addr del fe80::1/64 dev u-duo
in_site carrier nft -f - <<-NFT
	table ip6 silent {
		chain pre { type filter hook prerouting priority -400; iifname "u-duo" drop; }
	}
NFT
ok "its router is silent: traffic goes by LTE" wait_for 10 "the spare path" path_is duo spare
failed() { ip -n duo -6 neigh show fe80::1 dev u-fibre | grep -q FAILED; }
ok "... the kernel gives it up" wait_for 120 "its failure" failed
in_site carrier nft delete table ip6 silent
ip -n carrier addr add fe80::1/64 dev u-duo nodad
ok "... and it is back: so is the fibre" wait_for 30 "both" both_lines

# ---- what a carrier changes ---------------------------------------------------------------------
ip -n duo -6 route del default dev u-fibre
ok "the router is gone: its line leads nowhere" wait_for 5 "no route" eval 'way_of $HANOI | grep -qi "no route to host\|unreachable"'
ip -n carrier addr add fe80::9/64 dev u-duo nodad
ip -n duo -6 route add default via fe80::9 dev u-fibre metric 1024
ok "... and another comes, which the line takes" wait_for 5 "the route" eval '[ "$(by $HANOI)" = "via fe80::9 dev u-fibre" ]'
ok "... both are up" wait_for 15 "both" both_lines
ok "... and it is said" grep -q 'uplink fibre: IPv6 over u-fibre by fe80::9' duo.log
ip -n carrier route add 2001:db8:c::77/128 dev u-duo
ip -n duo addr add 2001:db8:c::77/128 dev u-fibre nodad
ip -n duo addr del $DUO/128 dev u-fibre
ok "another prefix: the address has its rule" wait_for 5 "the rule" eval 'ip -n duo -6 rule | grep -q "from 2001:db8:c::77"'
ok "... and the one that is gone has none" wait_for 5 "no rule" eval '! ip -n duo -6 rule | grep -q "from $DUO"'
ok "... both are up" wait_for 15 "both" both_lines
ip -n duo -6 route add $NPDC_LTE/128 via fe80::9 dev u-fibre
is "a host route of the box's own does not lead a neighbour away" "$(by $NPDC_LTE)" "via fe80::2 dev u-lte"
ip -n duo -6 route del $NPDC_LTE/128 via fe80::9 dev u-fibre

# ---- a neighbour that is elsewhere than the bundle says ---------------------------------------------
ip -n npdc-hn addr add 2001:db8:a::77/128 dev u-lte nodad
ip -n carrier route add 2001:db8:a::77/128 dev u-npdc-l
capture_start moved carrier u-duo ip6
ip -n npdc-hn addr del $NPDC_LTE/128 dev u-lte
ok "a neighbour roams: its way is its line's" wait_for 90 "its route" eval '[ "$(by 2001:db8:a::77)" = "via fe80::2 dev u-lte" ]'
capture_stop moved
is "... and no packet of its was elsewhere" "$(captured moved "host 2001:db8:a::77")" 0
ip -n npdc-hn addr add $NPDC_LTE/128 dev u-lte nodad
ip -n npdc-hn addr del 2001:db8:a::77/128 dev u-lte
hub_at() { [ "$(status_get duo '.links[] | select(.site == "npdc-hn") | .endpoint')" = "[$1]:51820" ]; }
ok "... and back, as it goes on" wait_for 90 "it" eval 'hub_at $NPDC_LTE && both_lines'
ok "... and the way to where it was goes at the next turn" wait_for 30 "no way" \
	eval '[ -z "$(ip -n duo -6 route show table 531000; ip -n duo -6 route show table 531500)" ]'

is "of all this nothing was taken for drift" "$(drift duo) $(drift npdc-hn)" "0 0" || grep -h drift {duo,npdc-hn}.log | sed 's/^/# /'

# ---- what is ours, and what is not ------------------------------------------------------------------
# Without its rules WireGuard takes the box's own routes, and addresses of the fibre for LTE's packets: it must forget them.
ip -n duo link add link1 type wireguard
in_site duo wg set link1 fwmark 7
stop_daemon duo
for r in 9000 9001 9100 9101 9200 9200 9201 9201 9300; do ip -n duo -6 rule del priority $r; done
is "a plan would make the nine rules anew, and nothing else" "$(planned duo), $(grep -c '^ip -6 rule add' plan.txt)" "9, 9" ||
	sed 's/^/# /' plan.txt
ip -n duo addr del $DUO_LTE/128 dev u-lte
NPDC_LINK=$(status_get npdc-hn .site.link_address)
capture_start before carrier u-duo ip6
lte_by_fibre() { # both ways
	in_site duo ping -c 1 -W 1 "$NPDC_LINK" >/dev/null
	[ "$(captured before "src 2001:db8:c::77 and dst host $NPDC_LTE and udp")" -gt 2 ] &&
		[ "$(captured before "src host $NPDC_LTE and udp")" -gt 2 ]
}
ok "without the rules LTE's packets go by the fibre, from its address" wait_for 30 "them" lte_by_fibre
capture_stop before
ip -n duo addr add $DUO_LTE/128 dev u-lte nodad
capture_start after carrier u-duo-l ip6
start_daemon duo
ok "the daemon makes them anew" wait_for 60 "both" both_lines
sleep 2
capture_stop after
at_least "... LTE's packets go by LTE" "$(captured after "host $NPDC_LTE and udp port 51820")" 10
is "... and never from an address of the fibre's" "$(captured after "src 2001:db8:c::77")" 0
is "... and a link1 of somebody else's keeps its mark" "$(in_site duo wg show link1 fwmark)" 0x7
ip -n duo link del link1
ip -n duo -6 rule del priority 9000
ip -n duo -6 route flush table 530000
ok "rules and ways that somebody took away come back" wait_for 15 "them" \
	eval 'ip -n duo -6 rule | grep -q "^9000:" && [ "$(ip -n duo -6 route show table 530000 | wc -l)" = 2 ]'
ok "... which is said to be drift" wait_for 10 "it" eval '[ "$(drift duo)" -ge 1 ]'
ip -n duo -6 route del $HANOI table 530000 metric 84
ip -n duo -6 route add $HANOI via fe80::2 dev u-lte metric 84 table 530000 proto static
ok "a route that is not ours in the place of one is replaced" wait_for 30 "ours" eval '[ "$(by $HANOI)" = "via fe80::9 dev u-fibre" ]'
# Both carriers call their routers by one name, as NetworkManager's metrics have it.
for d in fibre lte; do ip -n duo addr add "fd00::$([ $d = lte ] && echo 3 || echo 2)/64" dev u-$d nodad; done
ip -n carrier addr add fd00::1/64 dev u-duo nodad
ip -n carrier addr add fd00::1/64 dev u-duo-l nodad
ip -n duo -6 route replace default via fd00::1 dev u-lte metric 2048
ok "a router with the address of another line's is taken" wait_for 30 "it" eval '[ "$(by $NPDC_LTE)" = "via fd00::1 dev u-lte" ]'
is "... and nothing failed" "$(status_get duo '.daemon.last_failure // ""')" "" || status_get duo .daemon | sed 's/^/# /'
ip -n duo -6 route replace default via fe80::2 dev u-lte metric 2048
ok "... nor when it has its own name again" wait_for 30 "it" eval '[ "$(by $NPDC_LTE)" = "via fe80::2 dev u-lte" ]'
before=$(ip -n duo -6 route show table all | sort; ip -n duo -6 rule)
stop_daemon duo
is "the daemon stops: its ways stay" "$(ip -n duo -6 route show table all | sort; ip -n duo -6 rule)" "$before"
daemon_options[duo]=
start_daemon duo
ok "it is told of no lines: there are no ways of theirs any more" wait_for 60 "none" \
	eval '[ -z "$(ip -n duo -6 route show table all proto 84; ip -n duo -6 rule | grep 0x57)" ]'
is "... and the box's own are as they were" "$(ip -n duo -6 route show default | sed 's/ pref.*//')" \
	"default via fe80::9 dev u-fibre metric 1024
default via fe80::2 dev u-lte metric 2048"
country_down
done_testing
