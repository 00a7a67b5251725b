# SPDX-License-Identifier: Apache-2.0
# Bar 4. Each process of a node is killed while traffic runs: nothing is lost; what starts again changes nothing.
# clock: virtual
# seconds: 1600
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start

operations() { status_get "$1" '.daemon | "\(.operations) \(.netlink_messages)"'; }
changed_pid() { local now; now=$(process_of "$1" "$2") && [ -n "$now" ] && [ "$now" != "$3" ]; }
kill_one() { # SITE kernel|wire: while traffic runs
	local s=$1 which=$2 pid
	pid=$(process_of "$s" "$which")
	[ -n "$pid" ] || { fail "$s has a $which process"; return; }
	stream_start phuc-xa 10
	sleep 0.5
	kill -KILL "$pid"
	ok "$s: a killed $which process comes back in a second" wait_for 1 "a new process" changed_pid "$s" "$which" "$pid"
	wait_for 20 "its status" eval "status_get $s .daemon.uptime_s"
	sleep 3
	stream_stop phuc-xa
	is "$s: killing the $which process loses nothing" "$lost" 0
	is "$s: ... and the plan is empty" "$("$tuyen" plan --control "$(control_of "$s")" | grep -c 'nothing')" 1
}
for s in phuc-xa ba-dinh npdc-hn; do
	kill_one $s kernel
	kill_one $s wire
done

for s in phuc-xa ba-dinh npdc-hn; do
	stream_start phuc-xa 10
	sleep 0.5
	kill_daemon $s
	sleep 2
	start_daemon $s
	ok "$s: all killed at once, and started" wait_for 20 "status of $s" eval "status_get $s .daemon.version"
	wait_for 20 "its links" eval "status_is $s '[.links[] | select(.state == \"up\")] | length > 0' true"
	sleep 3
	stream_stop phuc-xa
	is "$s: nothing is lost" "$lost" 0
	is "$s: the new daemon changed nothing in the kernel" "$(operations $s)" "0 0"
done

# All of the gateway's daemons are gone for long, its kernel forwards: no probe is answered, and no session made anew for that.
status_conditions+="paths_down "
paths_down() { status_is phuc-xa '[.paths[] | select(.state == "down")] | length' 2; }
renewed() { grep -c "made anew" phuc-xa.log; }
before=$(renewed)
stream_start phuc-xa 10
sleep 0.5
kill_daemon npdc-hn
ok "the gateway's daemons are gone: no path is heard" wait_for 10 "the end of the paths" paths_down
sleep 600 # what the fault table asks for: ten minutes
is "... and for ten minutes no session that carries is made anew" "$(renewed)" "$before"
start_daemon npdc-hn
ok "they are back" wait_for 20 "the paths" paths_up phuc-xa 2
sleep 3
stream_stop phuc-xa
is "nothing is lost" "$lost" 0

# ... the first AdminDown is lost on the way: the neighbour hears the next before it would call it a failure.
from_neighbor='.links[] | select(.site == "phuc-xa")'
in_site ba-dinh nft 'add table ip deaf; add chain ip deaf in { type filter hook input priority -300; }
	add rule ip deaf in udp dport 3784 @th,72,2 0 limit rate 1/day burst 1 packets counter drop'
stream_start phuc-xa 10
sleep 0.5
stop_daemon phuc-xa
is "an AdminDown was lost" "$(in_site ba-dinh nft list table ip deaf | grep -c 'counter packets 1 ')" 1
wait_for 5 "the end of the link" status_is ba-dinh "$from_neighbor | .state" down
is "... and the neighbour has heard another" "$(status_get ba-dinh "$from_neighbor | .diagnostic")" \
	"neighbor signaled session down"
sleep 2
start_daemon phuc-xa
in_site ba-dinh nft delete table ip deaf
wait_for 20 "status" eval "status_get phuc-xa .daemon.version"
sleep 2
stream_stop phuc-xa
is "an orderly restart loses nothing" "$lost" 0
is "... and changes nothing in the kernel" "$(operations phuc-xa)" "0 0"

before=$(process_of phuc-xa supervisor)
spawn second $(tuyend_command phuc-xa)
ok "a second tuyend for the same node ends at once" wait_for 5 "its end" gone second
like "... and says why" "$(cat second.log)" 'another tuyend'
is "... and the first goes on" "$(process_of phuc-xa supervisor)" "$before"
# Data that nobody replies to: the gateway's two keepalives put the commune's off to 45 s. The session lives, and is left alone.
received() { in_site npdc-hn wg show s10 dump | grep -F "${country_lan[phuc-xa]}" | cut -f6; }
wait_for 60 "the session" session_up phuc-xa
in_site lan-npdc-hn nft 'add table ip mute; add chain ip mute out { type filter hook output priority 0; policy drop; }'
sleep 15 # of the virtual clock, as all here: into the time between two of its keepalives
in_site lan-phuc-xa bash -c "for i in 1 2 3; do echo \$i >/dev/udp/${country_host[npdc-hn]}/$STREAM_PORT; sleep 0.3; done"
sleep 5
before=$(received)
sleep 38 # longer than 28 s, shorter than the 45 s to which it is put off
at_least "a session whose keepalive was put off is not made anew: bytes received" "$(received)" "$before"
in_site lan-npdc-hn nft delete table ip mute
# A commune starts anew with a clock of two hours ago: WireGuard takes no handshake that is older than one before, and of the
# others nobody calls by itself.
wait_for 60 "the session" session_up phuc-xa
stop_daemon phuc-xa
in_site phuc-xa "$tuyend" --remove >/dev/null
date -s "-2 hours" >/dev/null
sleep 10 # of the virtual clock: it boots meanwhile, and the gateway hears nothing
begin=$(now_ms)
stream_start phuc-xa 50
start_daemon phuc-xa
ok "a clock that went back over a restart: the links" wait_for 30 "the links" links_up phuc-xa 2
ok "... and the session, which the gateway asks for" wait_for 40 "the session" session_up phuc-xa
at_most "... in ms" $(($(now_ms) - begin)) 25000
sleep 1
stream_stop phuc-xa
at_most "... and traffic flows, in ms" "$outage_ms" 25000
country_down
done_testing
