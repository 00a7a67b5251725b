# SPDX-License-Identifier: Apache-2.0
# Two gateways in one LAN of the data centre. What a site asks by one may be answered by the other; the one that a site uses loses
# its power, and the site goes over to the other in the time that its probes take; connections go on. On the virtual clock.
# clock: virtual
# seconds: 2000
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/snmp.sh"

COUNTRY_SITES="npdc-hn npdc-hcm hanoi ba-dinh dong-da phuc-xa kham-thien"
country_id[npdc-hcm]=2
country_public[npdc-hcm]=203.0.113.2
COUNTRY_SOURCES="two.topology two.policy"
unset 'country_lan[npdc-hn]'

cat >two.topology <<'END'
tiers npdc, province, district, commune;
underlay fibre { probe 50ms x 3; mtu 1500; delay 2ms; }
site npdc-hn tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/16 shared 10.0.0.2;
	lan 10.50.0.0/16 shared 10.50.0.2; } # is yet to come
site npdc-hcm tier npdc id 2 { uplink fibre 203.0.113.2; lan 10.0.0.0/16 shared 10.0.0.3;
	lan 10.50.0.0/16 shared 10.50.0.3; }
site hanoi tier province id 101 under npdc-hn backup npdc-hcm { uplink fibre 198.51.100.1; }
link hanoi npdc-hcm { metric 20; }
site ba-dinh tier district id 210 under hanoi { uplink fibre 198.51.100.9; }
site dong-da tier district id 211 under hanoi { uplink fibre 198.51.100.13; }
site phuc-xa tier commune id 901 under ba-dinh backup dong-da { uplink fibre dynamic; lan 10.9.1.0/24; }
site kham-thien tier commune id 902 under dong-da { uplink fibre dynamic; lan 10.9.2.0/24; }
END
cat >two.policy <<'END'
class query { to port tcp 443; priority high; }
class alarm { to port udp 162; }
policy citizen-query color 10 {
	from tier commune;
	to tier npdc;
	carry query, alarm;
	path main preference 200 via parent;
	path spare preference 100 via backup disjoint main;
	revert after 2s;
	encrypt end-to-end;
}
expect tier commune reaches tier npdc with query;
END

# The LAN: a switch that routes, with a line to each gateway; a line without light is not used.
npdc_lan_up() {
	local gateway line=0 own=2
	namespace lan-npdc-hn
	ip -n lan-npdc-hn addr add 10.0.0.10/32 dev lo
	in_site lan-npdc-hn sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1 net.ipv4.conf.all.rp_filter=0
	for gateway in npdc-hn npdc-hcm; do
		ip link add lan0 netns $gateway type veth peer name eth$line netns lan-npdc-hn
		ip -n $gateway addr add 10.0.0.$own/16 dev lan0
		ip -n $gateway link set lan0 up
		ip -n lan-npdc-hn link set eth$line up
		ip -n lan-npdc-hn route add 10.0.0.$own dev eth$line src 10.0.0.10
		ip -n lan-npdc-hn route add default via 10.0.0.$own dev eth$line src 10.0.0.10 metric $((line + 1)) onlink
		line=$((line + 1)) own=$((own + 1))
	done
}
answer_by() { # 1 or 2: the gateway by which the data centre answers
	in_site lan-npdc-hn ip route replace default via 10.0.0.$(($1 + 1)) dev eth$(($1 - 1)) src 10.0.0.10 metric 0 onlink
}
answer_by_light() { ip -n lan-npdc-hn route del default metric 0; }

two_up() {
	local s
	install_and_start 1 $COUNTRY_SITES
	wait_for 60 "the links of hanoi" links_up hanoi 4 && wait_for 30 "the paths of phuc-xa" paths_up phuc-xa 4 &&
		wait_for 30 "the sessions of phuc-xa" sessions_up phuc-xa 2 &&
		wait_for 30 "the sessions of kham-thien" sessions_up kham-thien 2
}
GATEWAY='.sessions[] | select(.standby | not) | .peer'
gateway_of() { status_get "$1" "$GATEWAY"; }
gateway_is() { status_is "$1" "$GATEWAY" "$2"; }
lan_away_is() { status_is "$1" .site.lan_away "$2"; }
status_conditions+="gateway_is lan_away_is "

# What the first gateway says of its LAN: to `tuyen watch`, and by SNMP to a receiver that it reaches without that LAN.
SNMP_SITE=npdc-hn TRAP_PLACE=npdc-hn TRAP_HOST=127.0.0.1
told() { grep -q "\"event\":\"lan\",\"away\":$1,\"at\":\"20" watch.log; } # true or false
trapped() { grep -q "tuyenLanAway$1.*tuyenSiteName\.0.*npdc-hn.*tuyenSiteLanAway\.0 = INTEGER: $2" trapd.log; }

# A connection that lasts: a line every 20 ms, each answered.
cat >line.py <<'END'
import socket, sys, time
if sys.argv[1] == "serve":
    s = socket.create_server(("10.0.0.10", 443), reuse_port=True)
    while True:
        c, _ = s.accept()
        while data := c.recv(4096):
            c.sendall(data)
else:
    c = socket.create_connection(("10.0.0.10", 443), timeout=20)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(int(sys.argv[2])):
        c.sendall(b"%06d\n" % i)
        time.sleep(0.02)
    got = b""
    while len(got) < 7 * int(sys.argv[2]):
        data = c.recv(65536)
        if not data:
            break
        got += data
    print("lines", got.count(b"\n"))
END

country_net && npdc_lan_up && country_officers >make.log 2>&1 && country_keys >>make.log 2>&1 && country_release 1 >>make.log 2>&1 ||
	{ diag_file make.log 40; bail "a release for two gateways"; }
two_up || { country_diagnose; bail "the country comes up"; }
pass "the country comes up: four paths, two sessions a commune"
ok "the nearer gateway is used" wait_for 20 "the nearer gateway" gateway_is phuc-xa npdc-hn
ok "... by the main path" wait_for 10 "the main path" path_is phuc-xa main
is "a device for each gateway" "$(in_site phuc-xa ip -o link show type wireguard | grep -c ': s10')" 2
https_start
stream_echo_start
ok "a query is answered" query_answers phuc-xa

answer_by 2
ok "a query that goes by one gateway is answered by the other" query_answers phuc-xa
stream_start phuc-xa 10
sleep 1
answer_by 1
sleep 1
answer_by 2
sleep 1
answer_by_light
sleep 1
stream_stop phuc-xa
is "the answers' way changes and nothing is lost" "$lost" 0
is "the gateways track no connection of the communes" \
	"$(for g in npdc-hn npdc-hcm; do in_site $g cat /proc/net/nf_conntrack 2>/dev/null; done | grep -c '10\.9\.')" 0
ok "a connection that policy does not allow stays closed" \
	eval '! in_site lan-phuc-xa timeout 3 bash -c "exec 3<>/dev/tcp/10.0.0.10/80" 2>/dev/null'
in_site lan-phuc-xa timeout 60 "$LAB_TOOLS/stream" echo 10.9.1.10 9999 & sneak=$!
ok "the data centre opens none to a commune" \
	eval '! in_site lan-npdc-hn timeout 3 bash -c "exec 3<>/dev/tcp/10.9.1.10/443" 2>/dev/null'
kill $sneak 2>/dev/null
halt https
spawn serve ip netns exec lan-npdc-hn python3 line.py serve
wait_for 10 "the server" listening lan-npdc-hn tcp 443
spawn ask ip netns exec lan-kham-thien python3 line.py ask 400

other_before=$(status_get npdc-hcm '.daemon | "\(.netlink_messages) \(.operations) \(.drift_repairs)"')
stream_start phuc-xa 5
sleep 1
source=$(status_get phuc-xa '.paths[] | select(.active) | .source')
in_site phuc-xa timeout 20 tcpdump -i lo -c 1 --immediate-mode -Z root -w /dev/null "udp src port 7784 and dst host $source" 2>/dev/null
ip -n npdc-hn link set u-carrier down
ip -n npdc-hn link set lan0 down
kill_daemon npdc-hn
ok "the commune goes over to the other gateway" wait_for 10 "the other gateway" gateway_is phuc-xa npdc-hcm
sleep 1
stream_stop phuc-xa
# three probes of 50 ms; the spare path to the dead gateway was heard at most one probe later than the first
at_most "outage when the gateway in use loses its power, in ms" "$outage_ms" 210
is "... once" "$gaps" 1
is "the other gateway's daemon told its kernel nothing" \
	"$(status_get npdc-hcm '.daemon | "\(.netlink_messages) \(.operations) \(.drift_repairs)"')" "$other_before"
wait_for 60 "the end of the connection" gone ask
is "a connection outlives the gateway it came by" "$(tail -n 1 ask.log)" "lines 400"
like "the event says so" "$(grep -h '"event":"gateway"' phuc-xa.log | tail -n 1)" 'npdc-hcm'
is "no path of the dead gateway is up" "$(status_get phuc-xa '[.paths[] | select(.endpoint == "npdc-hn" and .state == "up")] | length')" 0

renewed() { grep -q "no path to npdc-hn is heard: its session is made anew" phuc-xa.log; }
ok "a gateway that is silent for long is called anew, before WireGuard does" wait_for 20 "the renewal" renewed
(LAB_WRAPPER='' && $(tuyend_command npdc-hn) --remove) >remove.log 2>&1 # it lost its power: the kernel knows nothing any more
answer_by 2
ip -n npdc-hn link set lan0 up
ip -n npdc-hn link set u-carrier up
ip -n npdc-hn route add default via $CARRIER_GATEWAY dev u-carrier onlink
start_daemon npdc-hn
stream_start phuc-xa 10
ok "the gateway is back: four paths" wait_for 60 "four paths" paths_up phuc-xa 4
ok "the commune goes back after the hold time" wait_for 30 "the first gateway" gateway_is phuc-xa npdc-hn
sleep 1
stream_stop phuc-xa
is "going back loses nothing, though the gateway had forgotten every session" "$lost" 0
is "... it was called anew once" "$(grep -c "its session is made anew" phuc-xa.log)" 1
snmp_up
spawn watch "$tuyen" watch --control "$(control_of npdc-hn)"
ok "a gateway with its LAN says so by SNMP" eval 'get tuyenSiteLanAway.0 | grep -q false'
stream_start phuc-xa 10
ip -n npdc-hn link set lan0 down
ok "a gateway that lost the data centre's LAN is left" wait_for 10 "the other gateway" gateway_is phuc-xa npdc-hcm
stream_stop phuc-xa
at_most "... in ms" "$outage_ms" 250
is "... and says so" "$(status_get npdc-hn .site.lan_away)" true
ok "... by an event" wait_for 10 "the event" told true
ok "... and a notification" wait_for 20 "the trap" trapped Begin true
ok "... and its table" wait_for 15 "the table" eval 'get tuyenSiteLanAway.0 | grep -q true'
ip -n npdc-hn link set lan0 up
stream_start phuc-xa 10
ok "the LAN is back, and so is the commune after the hold time" wait_for 30 "the first gateway" gateway_is phuc-xa npdc-hn
stream_stop phuc-xa
is "... and nothing is lost" "$lost" 0
is "... and is said" "$(status_get npdc-hn .site.lan_away)" false
ok "... by an event" wait_for 10 "the event" told false
ok "... and a notification" wait_for 20 "the trap" trapped End false
ok "... and its table" wait_for 15 "the table" eval 'get tuyenSiteLanAway.0 | grep -q false'
ip -n npdc-hn route replace 10.0.200.0/24 via 10.0.0.10 dev lan0 onlink # a part of it, by a router
ip -n npdc-hn route del 10.0.0.0/16 dev lan0
sleep 2
is "a part of the LAN is enough" "$(status_get npdc-hn .site.lan_away)" false
ip -n npdc-hn route del 10.0.200.0/24
ok "... and no part is not" wait_for 10 "the word" lan_away_is npdc-hn true
ip -n npdc-hn route add 10.0.0.0/16 dev lan0 src 10.0.0.2
ok "... and it is back" wait_for 10 "the word" lan_away_is npdc-hn false
sleep 1
is "each is told once" "$(grep '"event":"lan"' watch.log | grep -o 'away":[a-z]*' | cut -d: -f2 | xargs)" "true false true false"
wait_for 30 "the first gateway" gateway_is phuc-xa npdc-hn

in_site npdc-hn nft -f - <<'END'
table inet theirs {
	chain input { type filter hook input priority -10; udp dport 52010 drop; }
}
END
ok "a gateway whose paths answer and whose session is dead is left" wait_for 320 "the other gateway" gateway_is phuc-xa npdc-hcm
is "... though its paths are up" "$(status_get phuc-xa '[.paths[] | select(.endpoint == "npdc-hn" and .state == "up")] | length')" 2
in_site npdc-hn nft delete table inet theirs
ok "... it lives again" timeout "$(lab_patience 120)" grep -qm 1 "the session with npdc-hn lives again" <(exec timeout 150 tail -n +1 -f phuc-xa.log)
now_set
lives=$now
ok "... and is gone back to" wait_for 20 "the first gateway" gateway_is phuc-xa npdc-hn
now_set
at_least "... no sooner than after the hold time, in ms" $((now - lives)) 1500
at_most "... and not much later" $((now - lives)) 3000

restart_before=$(status_get phuc-xa .daemon.operations)
ip -n npdc-hn link set u-carrier down
ok "it goes over once more" wait_for 10 "the other gateway" gateway_is phuc-xa npdc-hcm
stream_start phuc-xa 10
kill_daemon phuc-xa
start_daemon phuc-xa
ok "a new daemon" wait_for 20 "paths" paths_up phuc-xa 2
sleep 1
stream_stop phuc-xa
is "a daemon that starts keeps the gateway in use: nothing is lost" "$lost" 0
is "... and it changed nothing" "$(status_get phuc-xa .daemon.operations)" 0 || diag_file phuc-xa.log 12
gateway_is phuc-xa npdc-hcm && pass "... and it is still the other one" || fail "... and it is still the other one"
ip netns del npdc-hcm
country_down
done_testing
