# SPDX-License-Identifier: Apache-2.0
# Another site's address on a device of a box (F26): said, passed over before a packet is lost, and never fought for.
# clock: virtual
# seconds: 1200
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
spawn watch "$tuyen" watch --control "$(control_of phuc-xa)"

conflict_is() { status_is "$1" .site.conflict "$2"; }
status_conditions+="conflict_is "
counters() { status_get "$1" '.daemon | "\(.operations) \(.drift_repairs)"'; }
plan_empty() { "$tuyen" plan --control "$(control_of "$1")" | grep -q nothing; }
ours_in_local() { ip -n "$1" route show table local proto 84 | grep -c throw; }
nothing_left() { [ "$(ours_in_local "$1")" = 0 ] && ! ip -n "$1" rule | grep -q ^9900:; }
tells() { "$tuyen" status --control "$(control_of "$1")" | grep -q "^conflict .*$2"; }
said() { grep -cF "$2" "$1.log"; }
address() { ip -n "$1" address "$2" "$3" dev "$4"; } # SITE add|del ADDRESS DEVICE

# While packets of 20 ms run from phuc-xa to the data centre and back.
conflict() { # NAME SITE ADDRESS DEVICE STATUS
	local name=$1 s=$2 before
	before=$(status_get "$s" .daemon.drift_repairs)
	stream_start phuc-xa 20
	sleep 0.5 # of the virtual clock, as all here: the stream runs
	address "$s" add "$3" "$4"
	ok "$name: $3 on $4 of $s is said" wait_for 5 "the word" conflict_is "$s" "$5"
	sleep 12 # two looks of five seconds, and what a repair would wait for
	is "... in the log, once" "$(said "$s" "device of this box: $5;")" 1
	ok "... by tuyen status" tells "$s" "${5%%,*}"
	is "... and is no failure" "$(status_get "$s" .daemon.last_failure)" ''
	ok "... the address is left" eval "ip -n $s -o -4 address show dev $4 | grep -qF '$3'"
	ok "... and there is nothing to do" plan_empty "$s"
	is "... and nothing was fought for" "$(status_get "$s" .daemon.drift_repairs)" "$before"
	before=$(counters "$s")
	sleep 6 # a look more
	is "... nor is it" "$(counters "$s")" "$before"
	address "$s" del "$3" "$4"
	ok "... it ends with the address" wait_for 5 "the end" conflict_is "$s" ''
	ok "... and leaves nothing" wait_for 2 "nothing" nothing_left "$s"
	stream_stop phuc-xa
	is "... and no packet was lost" "$lost" 0
}
gateway=$(status_get npdc-hn .site.node_address)
beside=$(status_get hanoi .site.link_address)
conflict "the gateway" phuc-xa "$gateway/32" lan0 "$gateway on lan0"
ok "... tuyen watch had a line for it" grep -q "\"event\":\"conflict\",\"addresses\":\"$gateway on lan0\"" watch.log
ok "... and for its end" grep -q '"event":"conflict","addresses":""' watch.log
conflict "the server" phuc-xa 10.0.0.10/24 lan0 "10.0.0.10 on lan0, 10.0.0.255 on lan0"
conflict "a host of a commune" npdc-hn 10.9.1.10/32 lan0 "10.9.1.10 on lan0"
conflict "a path's address" npdc-hn "$(status_get phuc-xa '.paths[] | select(.name == "main") | .source')/32" lan0 \
	"$(status_get phuc-xa '.paths[] | select(.name == "main") | .source') on lan0"
ip -n ba-dinh link add theirs type dummy
ip -n ba-dinh link set theirs up
conflict "a neighbour, at a node without rules" ba-dinh "$beside/32" theirs "$beside on theirs"

# ---- it comes again, the daemon is away, somebody's hand ----
ip -n phuc-xa link add theirs type dummy
ip -n phuc-xa link set theirs up
stream_start phuc-xa 20
address phuc-xa add 10.0.0.10/24 theirs
wait_for 5 "the word" conflict_is phuc-xa "10.0.0.10 on theirs, 10.0.0.255 on theirs"
before=$(counters phuc-xa)
for i in 1 2 3 4 5; do
	ip -n phuc-xa link set theirs down; sleep 0.3; ip -n phuc-xa link set theirs up; sleep 0.3 # it flaps
done
address phuc-xa del 10.0.0.10/24 theirs; address phuc-xa add 10.0.0.10/32 theirs
wait_for 5 "the word" conflict_is phuc-xa "10.0.0.10 on theirs"
ok "its device flaps, and it is given anew" wait_for 5 "an empty plan" plan_empty phuc-xa
is "... for which nothing is to be repaired" "$(counters phuc-xa | cut -d' ' -f2)" "$(echo "$before" | cut -d' ' -f2)"
stop_daemon phuc-xa; start_daemon phuc-xa
ok "a restart finds it" wait_for 20 "the word" conflict_is phuc-xa "10.0.0.10 on theirs"
is "... and changes nothing" "$(status_get phuc-xa .daemon.operations)" 0
before=$(status_get phuc-xa .daemon.drift_repairs)
ip -n phuc-xa route del throw 10.0.0.10/32 table local proto 84
ok "what passes it over is repaired" wait_for 5 "the repair" eval '[ "$(status_get phuc-xa .daemon.drift_repairs)" -gt $before ]'
stream_stop phuc-xa
at_most "... and packets were lost for that alone, ms" "$outage_ms" 200
stop_daemon phuc-xa
stream_start phuc-xa 20
address phuc-xa del 10.0.0.10/32 theirs
like "the address goes while the daemon is away: seen in its plan" \
	"$(in_site phuc-xa "$tuyend" --site 901 --state "$(site_dir phuc-xa)/state" --plan 2>/dev/null)" 'ip route delete throw 10.0.0.10/32'
start_daemon phuc-xa
ok "... and done" wait_for 20 "nothing" nothing_left phuc-xa
wait_for 20 "all paths" paths_up phuc-xa 2
sleep 3 # a look
stream_stop phuc-xa
is "... and no packet was lost" "$lost" 0
stop_daemon phuc-xa
address phuc-xa add 10.0.0.10/32 theirs
like "an address that comes while the daemon is away: seen in its plan" \
	"$(in_site phuc-xa "$tuyend" --site 901 --state "$(site_dir phuc-xa)/state" --plan 2>/dev/null)" 'ip route prepend throw 10.0.0.10/32 table 255'
start_daemon phuc-xa
ok "... and passed over" wait_for 20 "the word" conflict_is phuc-xa "10.0.0.10 on theirs"
ok "... and there is nothing to do" wait_for 5 "an empty plan" plan_empty phuc-xa
address phuc-xa del 10.0.0.10/32 theirs
wait_for 5 "the end" conflict_is phuc-xa ''

# ---- what is needed or ours ----
address phuc-xa add 10.9.1.200/32 theirs
address phuc-xa add 172.31.0.1/24 theirs
sleep 6 # a look
is "an address in the site's own LAN, and one that is nobody's, are none" "$(status_get phuc-xa .site.conflict)" ''
ok "... and left" nothing_left phuc-xa
address phuc-xa add 10.0.0.77/32 u-carrier
ok "one on a line to the carrier is said" wait_for 5 "the word" conflict_is phuc-xa "10.0.0.77 on u-carrier"
ok "... as a failure" wait_for 5 "the word" eval 'status_get phuc-xa .daemon.last_failure | grep -q "10.0.0.77 on u-carrier"'
ok "... and left" nothing_left phuc-xa
address phuc-xa add 10.0.0.78/32 theirs
ok "... beside another that is passed over" wait_for 5 "the word" conflict_is phuc-xa "10.0.0.77 on u-carrier, 10.0.0.78 on theirs"
is "... alone" "$(ip -n phuc-xa route show table local proto 84 | grep -o '10[0-9.]*')" 10.0.0.78
ip -n phuc-xa link add line type veth peer name far
address phuc-xa add 10.0.0.79/24 line # as a line that is being set up
ok "one on a device that may become a line is said" wait_for 5 "the word" eval 'status_get phuc-xa .site.conflict | grep -q "10.0.0.79 on line"'
ip -n phuc-xa link set far up; ip -n phuc-xa link set line up
ok "... and left, so that it comes up" ip -n phuc-xa route add 172.31.9.0/24 via 10.0.0.1 dev line src 10.0.0.79 metric 9
ip -n phuc-xa link del line
address phuc-xa del 10.0.0.77/32 u-carrier
ip -n phuc-xa link del theirs
ok "... until they are gone" wait_for 5 "the end" conflict_is phuc-xa ''
ok "... with the failure" wait_for 5 "no failure" status_is phuc-xa .daemon.last_failure ''
ip -n phuc-xa route add local 10.0.0.10 dev lo table local
ip -n phuc-xa route add local "$gateway" dev lo table local
ok "what somebody made local by hand is said" wait_for 10 "the word" eval 'status_get phuc-xa .daemon.last_failure | grep -qF "table local $gateway"'
ok "... and left" nothing_left phuc-xa
ip -n phuc-xa route del local 10.0.0.10 dev lo table local
ip -n phuc-xa route del local "$gateway" dev lo table local
wait_for 10 "no failure" status_is phuc-xa .daemon.last_failure ''

# ---- a release that ends it ----
address npdc-hn add 10.9.2.77/24 lan0
wait_for 5 "the word" conflict_is npdc-hn "10.9.2.77 on lan0, 10.9.2.255 on lan0"
sed 's|10\.9\.2\.0/24|10.9.3.0/24|' "$LAB_TREE/topology/examples/first-light.topology" >moved.topology
country_release 2 moved.topology "$LAB_TREE/policies/examples/first-light.policy" keys.topology >release2.log 2>&1 || fail "a second release"
install_seal npdc-hn seals.2/1.seal >install.log 2>&1
ok "a release that gives the address to no other site ends it" wait_for 10 "the end" conflict_is npdc-hn ''
ok "... and leaves nothing" wait_for 2 "nothing" nothing_left npdc-hn
like "... and the address is the box's own" "$(ip -n npdc-hn route get 10.9.2.77)" '^local'
is "... which is said" "$(said npdc-hn "10.9.2.77 on lan0 is no other site's any more")" 1

address npdc-hn add 10.9.1.10/32 lan0
wait_for 5 "the word" conflict_is npdc-hn "10.9.1.10 on lan0"
stop_daemon npdc-hn
(LAB_WRAPPER='' && $(tuyend_command npdc-hn) --remove) >remove.log 2>&1
ok "tuyend --remove leaves nothing of it" nothing_left npdc-hn
country_down
done_testing
