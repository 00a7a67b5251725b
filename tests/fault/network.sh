# SPDX-License-Identifier: Apache-2.0
# Faults of lines and of whole nodes, alone, two at a time, and while a daemon is killed, restarted or stands still: what has a way
# left is out of reach for one detection (3 x 50 ms) at most, and not at all when a fault that was repaired ends.
# clock: virtual
# seconds: 5000
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/fault/ring"
. "$LAB_TREE/tests/fault/table"

REPAIR_MS=180 # a link's detection, and what fits between two packets of the stream
SLOW_MS=20    # what each part of a slow reading takes (tests/lab/tools/fault.h)
STEP_MS=100   # and each step of a slow apply
SERVED_MS=1250 # silence that is borne of a link that served before its daemon's life: 1 s + 3 x 50 ms, a start, a turn
PATH_MS=380   # a path's own detection where its nodes might have repaired it: 6 x 50 ms, a round trip, a gap of the stream
repaired_is() { status_is "$1" '[.links[] | select(.repaired) | .site] | sort | join(" ")' "$2"; }
all_back() {
	local s
	path_is phuc-xa main && paths_up phuc-xa 2 || return 1 # what comes last is looked at first
	for s in $COUNTRY_SITES; do repaired_is "$s" "" || return 1; done
}
led_around_by_nobody() { local s; for s in npdc-hn hai-phong ba-dinh; do repaired_is $s "" || return 1; done; }
stays() { # SECONDS COMMAND...: it is so each time that it is asked, once a second
	local i seconds=$1; shift
	for ((i = 0; i < seconds; i++)); do "$@" || return 1; sleep 1; done
}
changes() { status_get phuc-xa '[.paths[] | .changes] | add'; }
damped_count() { grep -c '"event":"damped","site"' "$1.log"; }
path_down() { status_is phuc-xa ".paths[] | select(.name == \"$1\") | .state" down; }
put_back() { [ "$(in_site "$1" sysctl -n net.ipv6.conf.lsp210.disable_ipv6)" = 1 ] && ip -n "$1" -f mpls route | grep -q "^86001 "; }
status_conditions+="repaired_is all_back path_down "
settle_back() { # MOST_MS SITE...: all goes back, too
	expect "all back" all_back
	settle "$@"
}

faults_on
country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
wait_for 60 "all repairs to end" all_back

begin "a link of the core cut, and healed" "repaired beside it"
link_cut hanoi npdc-hn
expect "hanoi leads around it" repaired_is hanoi npdc-hn
link_heal hanoi npdc-hn
settle_back $REPAIR_MS hanoi npdc-hn
begin "the same, no spare path, and hanoi reads the kernel for a second" "repaired when it is known, not when all is read"
link_cut phuc-xa dong-da
expect "the spare path is down" path_down spare
arm hanoi kernel dump slow 0 100000
link_cut hanoi npdc-hn
"$tuyen" plan --control "$(control_of hanoi)" >plan.log &
reader=$!
expect "hanoi leads around it" repaired_is hanoi npdc-hn
wait $reader
disarm
link_heal hanoi npdc-hn
link_heal phuc-xa dong-da
settle_back $((REPAIR_MS + SLOW_MS)) hanoi npdc-hn
begin "the same, and hanoi puts back for a second what somebody changed" "repaired when it is known, not when all is put back"
link_cut phuc-xa dong-da
expect "the spare path is down" path_down spare
arm hanoi kernel step slow 0 100000
for device in link0 lsp1 lsp102 lsp210; do in_site hanoi sysctl -qw net.ipv4.conf.$device.rp_filter=2 net.ipv6.conf.$device.disable_ipv6=0; done
link_cut hanoi npdc-hn
ip -n hanoi -f mpls route del 86001 # of which an event tells
expect "hanoi leads around it" repaired_is hanoi npdc-hn
expect "all put back" put_back hanoi
disarm
link_heal hanoi npdc-hn
link_heal phuc-xa dong-da
settle_back $((REPAIR_MS + STEP_MS)) hanoi npdc-hn
begin "one direction of it lost" "repaired beside it"
in_site carrier nft "add element ip cuts pairs { ${country_public[hanoi]} . ${country_public[npdc-hn]} }"
expect "hanoi leads around it" repaired_is hanoi npdc-hn
in_site carrier nft "delete element ip cuts pairs { ${country_public[hanoi]} . ${country_public[npdc-hn]} }"
settle_back $REPAIR_MS hanoi npdc-hn
begin "a province dead" "its neighbours lead around it"
for s in npdc-hn hai-phong ba-dinh; do link_cut hanoi $s; done
expect "ba-dinh leads around it" repaired_is ba-dinh hanoi
for s in npdc-hn hai-phong ba-dinh; do link_heal hanoi $s; done
settle_back $REPAIR_MS ba-dinh npdc-hn
begin "a province's daemon stopped in order for 40 s" "its kernel forwards: nobody leads around it"
stop_daemon hanoi
judge "nobody does, at any second" stays 40 led_around_by_nobody # more than twice what a box that is off is given
start_daemon hanoi
settle_back 0 ba-dinh npdc-hn hanoi
begin "a province shut down in order: its daemon says goodbye, then its lines are silent; they are back before it" "its neighbours lead around it when nothing has come for 15 s, and over it when its kernel is heard"
stop_daemon hanoi
for s in npdc-hn hai-phong ba-dinh; do link_cut hanoi $s; done
for s in ba-dinh npdc-hn; do expect "$s leads around it" repaired_is $s hanoi; done
for s in npdc-hn hai-phong ba-dinh; do link_heal hanoi $s; done
for s in ba-dinh npdc-hn; do expect "$s leads over it" repaired_is $s ""; done
start_daemon hanoi
settle_back $PATH_MS ba-dinh npdc-hn hanoi
begin "a district dead" "the commune takes its spare path"
for s in hanoi hai-phong phuc-xa; do link_cut ba-dinh $s; done
expect "on the spare path" path_is phuc-xa spare
for s in hanoi hai-phong phuc-xa; do link_heal ba-dinh $s; done
settle_back $REPAIR_MS phuc-xa
begin "two links at once: the commune's and one of the core" "the spare path, and its repair"
link_cut phuc-xa ba-dinh; link_cut hai-phong npdc-hn
expect "on the spare path" path_is phuc-xa spare
expect "hai-phong leads around it" repaired_is hai-phong npdc-hn
link_heal phuc-xa ba-dinh; link_heal hai-phong npdc-hn
settle_back $PATH_MS phuc-xa hai-phong npdc-hn
begin "all paths down for 3 s, and back" "nothing to be done; then it goes on"
link_cut phuc-xa ba-dinh; link_cut phuc-xa dong-da
sleep 3
link_heal phuc-xa ba-dinh; link_heal phuc-xa dong-da
settle_back 3600 phuc-xa
switches() { tail -n "+$log_from" phuc-xa.log | grep -c '"event":"switch"'; } # since the fault began
begin "a link that flaps: 20 times down 0.3 s, up 0.3 s" "one switch there, one back"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	link_cut phuc-xa ba-dinh; sleep 0.3; link_heal phuc-xa ba-dinh; sleep 0.3
done
judge "the spare path carried" path_is phuc-xa spare
judge "all back when it has held" wait_for 600 "the end of the damping" all_back
judge "$(switches) switches" [ "$(switches)" = 2 ]
gaps_at_most 1
settle $REPAIR_MS phuc-xa
begin "the carrier delays by 20 ms +-15, doubles and reorders" "no link falls, no path changes"
before=$(changes)
for s in phuc-xa ba-dinh; do in_site carrier tc qdisc add dev u-$s root netem delay 20ms 15ms duplicate 20% reorder 20%; done
sleep 5
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
for s in phuc-xa ba-dinh; do in_site carrier tc qdisc change dev u-$s root netem delay 0ms; done
sleep 0.5 # what waits there would go with it
for s in phuc-xa ba-dinh; do in_site carrier tc qdisc del dev u-$s root; done
settle_back 0 phuc-xa

begin "a daemon killed between repair and the link's return" "it takes the repair over, and goes back"
link_cut hanoi npdc-hn
expect "hanoi leads around it" repaired_is hanoi npdc-hn
kill_daemon hanoi
link_heal hanoi npdc-hn
sleep 1
start_daemon hanoi
settle_back $REPAIR_MS hanoi npdc-hn
begin "the gateway's daemon killed while it repairs" "it comes back and goes on with its repair"
link_cut hanoi npdc-hn
expect "it leads around" repaired_is npdc-hn hanoi
kill_daemon npdc-hn
start_daemon npdc-hn
expect "it leads around" repaired_is npdc-hn hanoi
link_heal hanoi npdc-hn
settle_back $REPAIR_MS npdc-hn hanoi
begin "the gateway's daemon killed, and a link cut in that moment" "back after 1 s, it asks the link, which served, twice, then repairs"
kill_daemon npdc-hn
link_cut hanoi npdc-hn
sleep 1 # so long the daemon is away: part of the fault
start_daemon npdc-hn
expect "it leads around" repaired_is npdc-hn hanoi
sleep 2 # the commune, whose paths were down meanwhile, asks them once a second
link_heal hanoi npdc-hn
settle_back $((1000 + SERVED_MS + 1000)) npdc-hn hanoi
begin "its wire process killed, and a link cut in that moment" "the next one asks the link twice, then it repairs"
pid=$(process_of npdc-hn wire); kill -KILL "$pid"
link_cut hanoi npdc-hn
expect "it is back" other_process npdc-hn wire "$pid"
expect "it leads around" repaired_is npdc-hn hanoi
sleep 2 # likewise
link_heal hanoi npdc-hn
settle_back $((SERVED_MS + 1000)) npdc-hn hanoi
begin "the gateway's daemon killed and back, then one of its links cut" "its neighbours' lines have never failed: they are back on them when it is"
link_cut phuc-xa dong-da
expect "the spare path is down" path_down spare
kill_daemon npdc-hn
expect "hanoi leads around it" repaired_is hanoi npdc-hn
start_daemon npdc-hn
expect "hai-phong's links are up" links_up hai-phong 4
expect "hanoi's links are up" links_up hanoi 3
judge "it goes back" wait_for 1 "its own link" repaired_is hanoi ""
link_cut hai-phong npdc-hn
expect "hai-phong's is down" links_up hai-phong 3
expect "hai-phong leads around it" repaired_is hai-phong npdc-hn
link_heal hai-phong npdc-hn
link_heal phuc-xa dong-da
judge "all back when it has held" wait_for 600 "the end of the damping" all_back
settle 0 npdc-hn hanoi hai-phong
begin "the gateway's wire process killed again and again, within a second, and a link cut" "the second that hears nothing says so, and the other line is not held for it"
held=$(damped_count hai-phong)
link_cut hanoi npdc-hn
for i in 1 2; do
	pid=$(process_of npdc-hn wire); kill -KILL "$pid"
	expect "life $i" other_process npdc-hn wire "$pid"
	sleep 0.7 # less than the silence that is borne of one that served
done
judge "it leads around" repaired_is npdc-hn hanoi
link_heal hanoi npdc-hn
judge "all back when it has held" wait_for 600 "the end of the damping" all_back
judge "hai-phong holds nothing for it" [ "$(damped_count hai-phong)" = "$held" ]
settle $((100 + 700 + 200 + 150 + 250)) npdc-hn hanoi # a life between two pauses, a detection, and what a start and a turn take
begin "the commune's daemon killed, and its line cut in that moment" "back after 1 s, it asks the path, which served, twice, then leaves it"
kill_daemon phuc-xa
link_cut phuc-xa ba-dinh
sleep 1 # likewise
start_daemon phuc-xa
expect "on the spare path" path_is phuc-xa spare
link_heal phuc-xa ba-dinh
settle_back $((1000 + SERVED_MS + 150)) phuc-xa
begin "its wire process killed, and its line cut in that moment" "the next one asks the path twice, then it is left"
pid=$(process_of phuc-xa wire); kill -KILL "$pid"
link_cut phuc-xa ba-dinh
expect "it is back" other_process phuc-xa wire "$pid"
expect "on the spare path" path_is phuc-xa spare
link_heal phuc-xa ba-dinh
settle_back $((SERVED_MS + 150)) phuc-xa
begin "both ends of a link restarted, one 2 s after the other" "what the link carries says that it lives"
stop_daemon hanoi; stop_daemon ba-dinh
sleep 1 # likewise
start_daemon hanoi
sleep 2 # longer than silence alone is borne
start_daemon ba-dinh
expect "hanoi's links are up" links_up hanoi 3
expect "ba-dinh's links are up" links_up ba-dinh 3
judge "nobody led around it" eval '! cat hanoi.log ba-dinh.log | grep -q "\"event\":\"repair\""'
settle_back 0 hanoi ba-dinh
begin "restart while on the spare path" "it stays there until the main path has held"
link_cut phuc-xa ba-dinh
expect "on the spare path" path_is phuc-xa spare
stop_daemon phuc-xa; start_daemon phuc-xa
expect "on the spare path" path_is phuc-xa spare
expect "one path up" paths_up phuc-xa 1
link_heal phuc-xa ba-dinh
settle_back $REPAIR_MS phuc-xa
begin "kernel process stands still for 5 s, a link falls in it" "it moves when it goes on"
kill -STOP "$(process_of phuc-xa kernel)"
link_cut phuc-xa ba-dinh
sleep 5
kill -CONT "$(process_of phuc-xa kernel)"
expect "on the spare path" path_is phuc-xa spare
link_heal phuc-xa ba-dinh
settle_back 5200 phuc-xa
begin "wire process stands still for 1 s" "the same one goes on at once; no path is left"
before=$(changes) pid=$(process_of phuc-xa wire)
kill -STOP "$pid"; sleep 1; kill -CONT "$pid"
sleep 1 # a path that is left, or a process that turns, would show by now
judge "it answers, and no path changed" eval '[ "$(changes)" = "$before" ]'
judge "it is the same" [ "$(process_of phuc-xa wire)" = "$pid" ]
settle_back 0 phuc-xa
begin "kill -9 in the middle of a failover" "the next life fails over"
pid=$(process_of phuc-xa kernel)
arm phuc-xa kernel step kill
link_cut phuc-xa ba-dinh
expect "it is back" other_process phuc-xa kernel "$pid"
expect "on the spare path" path_is phuc-xa spare
disarm
link_heal phuc-xa ba-dinh
settle_back $((REPAIR_MS + 160)) phuc-xa # the next life begins after 100 ms, and reads the kernel
begin "netlink refuses the failover at first: EBUSY" "read and planned again, then done"
arm phuc-xa kernel request EBUSY 0 40
link_cut phuc-xa ba-dinh
expect "on the spare path" path_is phuc-xa spare
disarm
link_heal phuc-xa ba-dinh
settle_back $((REPAIR_MS + 30)) phuc-xa # the detection, and one turn more

begin "a path too narrow for big packets, the wire process killed" "what was found stays known"
main_carries() { status_get phuc-xa '.paths[] | select(.name == "main") | .carried_mtu'; }
in_site carrier nft add chain ip cuts small '{ type filter hook forward priority 1; }'
in_site carrier nft add rule ip cuts small ip saddr ${country_public[phuc-xa]} ip daddr ${country_public[ba-dinh]} meta length gt 1300 drop
expect "on the spare path" path_is phuc-xa spare
narrow_found() { local size; size=$(main_carries) && [ "$size" -le 1216 ] && [ "$size" -ge 1188 ]; }
expect "what passes is found" narrow_found
pid=$(process_of phuc-xa wire); kill -KILL "$pid"
expect "it is back" other_process phuc-xa wire "$pid"
expect "all paths up" paths_up phuc-xa 2
sleep 1
judge "it is still known" narrow_found
judge "still on the spare path" path_is phuc-xa spare
stop_daemon phuc-xa; start_daemon phuc-xa
expect "all paths up" paths_up phuc-xa 2
in_site carrier nft delete chain ip cuts small
wait_for 120 "the way back" all_back
settle 0 phuc-xa

# ---- keys and releases ----
begin "a line that goes to and fro between two carriers each second" "its neighbours follow, and call it no clone"
told_of_clones() { cat ba-dinh.log dong-da.log | grep -c '"event":"duplicate"'; }
use_address() { # NEW OLD: of phuc-xa; the carrier knows both
	ip -n phuc-xa addr add "$1/32" dev u-carrier
	ip -n phuc-xa route replace default via $CARRIER_GATEWAY dev u-carrier onlink src "$1"
	ip -n phuc-xa addr del "$2/32" dev u-carrier
	ip -n phuc-xa route replace default via $CARRIER_GATEWAY dev u-carrier onlink src "$1" # some went with the address
}
endpoint_of_phuc_xa() { status_get "$1" '.links[] | select(.site == "phuc-xa") | .endpoint'; }
seen_at() { [[ "$(endpoint_of_phuc_xa ba-dinh) " = "$1:"* ]]; }
ip -n carrier route add 192.0.2.191/32 dev u-phuc-xa
before=$(told_of_clones)
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	use_address 192.0.2.191 ${country_public[phuc-xa]}
	[ $i -ne 10 ] || judge "ba-dinh follows" wait_for 1 "the other carrier" seen_at 192.0.2.191
	sleep 1
	use_address ${country_public[phuc-xa]} 192.0.2.191
	sleep 1
done
sleep 10
judge "nobody calls it a clone" eval '[ "$(told_of_clones)" = "$before" ]'
ip -n carrier route del 192.0.2.191/32 dev u-phuc-xa
settle_back $REPAIR_MS phuc-xa
begin "a clone: another box with the node's keys and id" "told by its neighbours; all is well when it is gone"
country_public[clone]=192.0.2.99
site_up clone
cp -a "$(site_dir phuc-xa)/state/." "$(site_dir clone)/state/"
country_id[clone]=901
start_daemon clone
judge "a neighbour tells it" wait_for 60 "a neighbour's word" eval 'cat ba-dinh.log dong-da.log | grep -q "\"event\":\"duplicate\""'
halt clone
ip netns del clone; ip -n carrier link del u-clone 2>/dev/null
sleep 20 # who hears nothing for 15 s calls anew (WireGuard), and is followed
# The answers go to the clone, whose keys are as good as the node's, until the node calls: WireGuard's 15 s after what was not answered; then
# the paths are asked once a second. 16,820 ms were seen, whether the clone lived for 10, 16, 32 or 45 s.
settle_back $((15000 + 2000 + PATH_MS)) phuc-xa
begin "a session's key rolls over while a link is down" "on the spare path, and out of reach from the gateway's turn to the node's"
link_cut phuc-xa ba-dinh
expect "on the spare path" path_is phuc-xa spare
mkdir new && "$tuyen" keygen -o new --site phuc-xa >new.keys 2>/dev/null
{ grep -v '^keys phuc-xa' keys.topology; cat new.keys; } >keys2.topology
judge "a release with the new key" country_release 2 $COUNTRY_SOURCES keys2.topology
for s in hanoi hai-phong ba-dinh dong-da; do install_seal $s seals.2/${country_id[$s]}.seal >/dev/null; done
stop_daemon phuc-xa
cp new/*.key "$(site_dir phuc-xa)/state/keys/"
rm -f "$(site_dir phuc-xa)"/state/incoming/*; cp seals.2/901.seal "$(site_dir phuc-xa)/state/incoming/"
install_seal npdc-hn seals.2/1.seal >/dev/null
start_daemon phuc-xa
expect "epoch 2" status_is phuc-xa .bundle.epoch 2
link_heal phuc-xa ba-dinh
gaps_at_most 2
# Each node turns to the release when it comes to it: 100 to 240 ms were seen.
settle_back 500 phuc-xa npdc-hn ba-dinh

table_print
country_down
done_testing
