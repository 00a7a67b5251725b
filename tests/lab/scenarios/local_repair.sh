# SPDX-License-Identifier: Apache-2.0
# A core link is cut, then one direction of it, then a province dies: the nodes beside it lead traffic around it themselves,
# one link detection (3 x 50 ms) and 5 ms later at most, and the commune does not leave its path.
#
#	          npdc-hn                      main path: phuc-xa, ba-dinh, hanoi, npdc-hn
#	         /       \                     spare:     phuc-xa, dong-da, hai-phong, npdc-hn
#	     hanoi ----- hai-phong
#	       |   .----'    |
#	    ba-dinh       dong-da
#	         \        /
#	          phuc-xa
# clock: virtual
# seconds: 4000
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

COUNTRY_SITES="npdc-hn hanoi hai-phong ba-dinh dong-da phuc-xa"
unset country_id country_public country_lan country_host
declare -A country_id=([npdc-hn]=1 [hanoi]=101 [hai-phong]=102 [ba-dinh]=210 [dong-da]=211 [phuc-xa]=901)
declare -A country_public=([npdc-hn]=203.0.113.1 [hanoi]=198.51.100.1 [hai-phong]=198.51.100.2 [ba-dinh]=198.51.100.9
	[dong-da]=198.51.100.13 [phuc-xa]=192.0.2.91)
declare -A country_lan=([npdc-hn]=10.0.0.0/16 [phuc-xa]=10.9.1.0/24)
declare -A country_host=([npdc-hn]=10.0.0.10 [phuc-xa]=10.9.1.10)
modem_up() { :; }
cat >ring.topology <<-END
	tiers npdc, province, district, commune;
	underlay fibre { probe 50ms x 3; mtu 1500; delay 2ms; metric 10; }
	site npdc-hn tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/16; }
	site hanoi tier province id 101 under npdc-hn { uplink fibre 198.51.100.1; }
	site hai-phong tier province id 102 under npdc-hn { uplink fibre 198.51.100.2; }
	link hanoi hai-phong;
	site ba-dinh tier district id 210 under hanoi backup hai-phong { uplink fibre 198.51.100.9; }
	site dong-da tier district id 211 under hai-phong { uplink fibre 198.51.100.13; }
	site phuc-xa tier commune id 901 under ba-dinh backup dong-da { uplink fibre dynamic; lan 10.9.1.0/24; }
END
cat >ring.policy <<-END
	class alarm { to port udp 162; }
	policy alarms color 10 {
		from tier commune;
		to tier npdc;
		carry alarm;
		path main preference 200 via parent;
		path spare preference 100 via backup disjoint main;
		revert after 2s;
		encrypt end-to-end;
	}
END
COUNTRY_SOURCES="$LAB_DIR/ring.topology $LAB_DIR/ring.policy"
country_daemons_up() {
	wait_for 60 "the links of hanoi" links_up hanoi 3 &&
	wait_for 30 "the links of hai-phong" links_up hai-phong 4 &&
	wait_for 30 "the links of npdc-hn" links_up npdc-hn 2 &&
	wait_for 30 "the links of ba-dinh" links_up ba-dinh 3 &&
	wait_for 30 "the paths of phuc-xa" paths_up phuc-xa 2 &&
	wait_for 30 "the session of phuc-xa" session_up phuc-xa &&
	wait_for 30 "the main path of phuc-xa" path_is phuc-xa main
}

REPAIRED='[.links[] | select(.repaired) | .site] | sort | join(" ")' # the neighbours around whose links it leads
repaired() { status_get "$1" "$REPAIRED"; }
repaired_is() { status_is "$1" "$REPAIRED" "$2"; }
switches() { status_get phuc-xa '[.paths[] | "\(.name) \(.changes)"] | join(", ")'; }
told() { grep -c '"event":"switch"' phuc-xa.log; }
nobody_repairs() { local s; for s in $COUNTRY_SITES; do repaired_is "$s" "" || return 1; done; }
status_conditions+="repaired_is nobody_repairs "
drift_of_all() { local s; for s in $COUNTRY_SITES; do status_get "$s" .daemon.drift_repairs; done | awk "{n += \$1} END {print n}"; }
label_dev() { in_site "$1" ip -f mpls route show "$2" | sed -n 's/.* dev \([^ ]*\).*/\1/p'; }
drops() { status_get "$1" ".links[] | select(.site == \"$2\") | .filter_drops"; }

country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
ok "what was repaired while the country came up goes back" wait_for 60 "the end of the repairs" nobody_repairs
is "the path in use" "$(active_path phuc-xa)" main
before=$(switches) told_before=$(told)

# ---- a link is cut ----
stream_start phuc-xa 1
sleep 1
link_cut hanoi npdc-hn
ok "hanoi repairs its link to npdc-hn" wait_for 5 "the repair" repaired_is hanoi npdc-hn
ok "npdc-hn repairs its link to hanoi" wait_for 5 "the repair" repaired_is npdc-hn hanoi
sleep 1
stream_stop phuc-xa
at_most "outage of a cut link, there and back, in ms" "$outage_ms" 155
at_least "... and there was one" "$lost" 1
is "... only one" "$gaps" 1
is "the commune's probes noticed nothing" "$(switches)" "$before"
is "... and it is still on its main path" "$(active_path phuc-xa)" main
is "... and no switch was told" "$(told)" "$told_before"
is "nobody else repairs anything" "$(repaired ba-dinh)$(repaired hai-phong)$(repaired phuc-xa)" ""
is "hanoi's kernel sends the gateway's label by hai-phong" "$(label_dev hanoi 16001)" lsp102
is "... and its status says so" "$(status_get hanoi '.labels[] | select(.in == 16001) | "\(.repaired) \(.next) \(.out)"')" 'true hai-phong [86001]'
like "... and its log" "$(cat hanoi.log)" '"event":"repair","site":"npdc-hn","site_id":1,"repaired":true,"routes":[1-9]'
is "plan of hanoi while it repairs" "$("$tuyen" plan --control "$(control_of hanoi)" | grep -cE '^(add|change|remove|set|ip|wg|tc|nft|sysctl)')" 0

# ---- what a neighbour may send meanwhile ----
inject=$LAB_TOOLS/inject
capture_start hp npdc-hn lsp102
refused=$(drops hai-phong hanoi)
for labels in 86001/16901 86210/16001 16001 86102 16211/16901; do
	in_site hanoi "$inject" mpls lsp102 "$labels" 100.80.6.80 10.0.0.10 162 INJECT- 2
done
sleep 0.5
capture_stop hp
is "labels that no repair sends go no further" "$(tcpdump -nr hp.pcap -A 2>/dev/null | grep -c INJECT-)" 0
ok "... and are counted" wait_for 20 "the count" eval '[ $(($(drops hai-phong hanoi) - refused)) -ge 10 ]'

# ---- the daemon restarts meanwhile ----
stream_start phuc-xa 5
stop_daemon hanoi
sleep 1
is "a daemon that stops has no neighbour repair" "$(repaired ba-dinh)$(repaired hai-phong)" ""
start_daemon hanoi
ok "hanoi takes its repair over" wait_for 20 "the repair" repaired_is hanoi npdc-hn
wait_for 20 "the links of hanoi" links_up hanoi 2
kill_daemon hanoi
ok "one that is killed has: nobody knows of its forwarding" wait_for 5 "the repair" repaired_is ba-dinh hanoi
start_daemon hanoi
ok "hanoi takes its repair over again" wait_for 20 "the repair" repaired_is hanoi npdc-hn
wait_for 20 "the links of hanoi" links_up hanoi 2
stop_daemon npdc-hn
sleep 1
start_daemon npdc-hn
ok "so does the gateway" wait_for 20 "the repair" repaired_is npdc-hn hanoi
wait_for 20 "the links of npdc-hn" links_up npdc-hn 1
sleep 1
stream_stop phuc-xa
is "restarts during a repair lose nothing" "$lost" 0

# ---- and back ----
wait_for 60 "the main path" path_is phuc-xa main # a gateway's daemon that restarts answers no probe for a while
told_before=$(told)
stream_start phuc-xa 5
sleep 1
link_heal hanoi npdc-hn
ok "the link comes up again" wait_for 20 "the links of hanoi" links_up hanoi 3
is "hanoi does not go back at once" "$(repaired hanoi)" npdc-hn
ok "hanoi goes back after the hold time" wait_for 20 "the end of the repair" repaired_is hanoi ""
ok "so does npdc-hn" wait_for 20 "the end of the repair" repaired_is npdc-hn ""
is "hanoi's kernel sends the gateway's label over its own link" "$(label_dev hanoi 16001)" lsp1
sleep 1
stream_stop phuc-xa
is "going back loses nothing" "$lost" 0

# ---- one direction alone ----
before=$(switches)
for pair in "hanoi npdc-hn" "npdc-hn hanoi"; do
	set -- $pair
	stream_start phuc-xa 1
	sleep 1
	in_site carrier nft "add element ip cuts pairs { ${country_public[$1]} . ${country_public[$2]} }"
	ok "hanoi repairs when only $1 is not heard by $2" wait_for 5 "the repair" repaired_is hanoi npdc-hn
	sleep 1
	stream_stop phuc-xa
	at_most "outage of one direction, in ms" "$outage_ms" 155
	in_site carrier nft "delete element ip cuts pairs { ${country_public[$1]} . ${country_public[$2]} }"
	ok "all go back" wait_for 40 "the end of the repairs" nobody_repairs
done
is "the commune's probes noticed nothing" "$(switches)" "$before"

# ---- a province dies ----
stream_start phuc-xa 1
sleep 1
for s in npdc-hn hai-phong ba-dinh; do link_cut hanoi $s; done
ok "ba-dinh leads around hanoi" wait_for 5 "the repair" repaired_is ba-dinh hanoi
ok "npdc-hn leads around hanoi" wait_for 5 "the repair" repaired_is npdc-hn hanoi
sleep 1
stream_stop phuc-xa
at_most "outage of a dead province, in ms" "$outage_ms" 155
is "... only one" "$gaps" 1
is "the commune's probes noticed nothing" "$(switches)" "$before"
stream_start phuc-xa 5
for s in npdc-hn hai-phong ba-dinh; do link_heal hanoi $s; done
ok "all go back" wait_for 40 "the end of the repairs" nobody_repairs
sleep 1
stream_stop phuc-xa
is "going back loses nothing" "$lost" 0
is "of all that since then no switch was told" "$(told)" "$told_before"

# ---- a failure that nobody can repair ----
stream_start phuc-xa 1
sleep 1
link_cut hanoi ba-dinh
link_cut_after_probe phuc-xa hai-phong ba-dinh
ok "the commune takes its spare path" wait_for 5 "the spare path" path_is phuc-xa spare
sleep 1
stream_stop phuc-xa
at_most "... which does not wait for a repair: outage in ms" "$outage_ms" 160 # detection and 10
is "... and one switch was told" "$(told)" $((told_before + 1))
link_heal hanoi ba-dinh
link_heal hai-phong ba-dinh
ok "the main path is taken again" wait_for 60 "the main path" path_is phuc-xa main
is "nothing of it was taken for somebody else's change" "$(drift_of_all)" 0
country_down
done_testing
