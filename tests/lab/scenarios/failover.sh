# SPDX-License-Identifier: Apache-2.0
# The active path is cut: how long is nothing answered? Bars 2 and 3: at most 160 ms with probes of 3 x 50 ms, nothing
# lost on the way back, and the gateway's daemon tells its kernel nothing. On the virtual clock times are exact.
# clock: virtual
# seconds: 1600
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

# What the gateway's processes send, call by call, from the cut on. The daemon looks at its kernel every 5 s (dumps: sysctls
# send no events), cut or no cut: begun just after such a look, the trace is over before the next.
# A session's socket is connected to its neighbour: a control packet of 24 bytes, and no address.
link_bfd='sendmsg.*UDP.*msg_name=NULL.*iov_len=24'
turn_after() { [ "$(status_get npdc-hn .daemon.turns)" -gt "$1" ]; }
hub_trace_begin() {
	wait_for 20 "a look" turn_after "$(status_get npdc-hn .daemon.turns)" || return 1
	spawn hub-trace strace -f -yy -qq -s 64 -e trace=sendto,sendmsg,sendmmsg -e signal=none -o "$LAB_DIR/hub.trace" \
		-p "$(process_of npdc-hn kernel)" -p "$(process_of npdc-hn wire)"
	wait_for 10 "the trace" grep -qE "$link_bfd" "$LAB_DIR/hub.trace"
}
hub_sent() { grep -cE "$1" "$LAB_DIR/hub.trace"; } # lines of the trace

country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
is "the path in use" "$(active_path phuc-xa)" main

hub_before=$(status_get npdc-hn '.daemon | "\(.netlink_messages) \(.operations) \(.drift_repairs)"')
hub_links_before=$(status_get npdc-hn '[.links[].changes] | add')
stream_start phuc-xa 10
stream_start kham-thien 10
sleep 1
ok "the gateway's calls are traced" hub_trace_begin
ok "the line is cut just after a probe came back" link_cut_after_probe phuc-xa phuc-xa ba-dinh
ok "traffic moves to the spare path" wait_for 10 "the spare path" path_is phuc-xa spare
halt hub-trace
sleep 1
stream_stop phuc-xa
at_most "outage of the cut, in ms" "$outage_ms" 160
at_least "... and there was one" "$lost" 1
is "... only one" "$gaps" 1
stream_stop kham-thien
is "the other commune loses nothing" "$lost" 0
is "the gateway's daemon told its kernel nothing" \
	"$(status_get npdc-hn '.daemon | "\(.netlink_messages) \(.operations) \(.drift_repairs)"')" "$hub_before"
replies='sendmmsg.*UDP.*htons\((49|[56])[0-9]{3}\)'
is "... and sent it no netlink message at all, to read or to write" "$(hub_sent NETLINK)" 0
at_least "the gateway answered probes meanwhile" "$(hub_sent "$replies")" 3
is "... and sent nothing else but its own link's BFD" "$(grep -cvE "$replies|$link_bfd|UNIX" "$LAB_DIR/hub.trace")" 0
is "... and no link of the gateway changed" "$(status_get npdc-hn '[.links[].changes] | add')" "$hub_links_before"
is "the gateway's kernel follows: the peer comes from the spare path's address" \
	"$(status_get npdc-hn '.sessions[] | select(.peer == "phuc-xa") | .endpoint')" \
	"$(status_get phuc-xa '.paths[] | select(.name == "spare") | .source'):52010"
like "the commune says why" "$(status_get phuc-xa '.paths[] | select(.name == "main") | .diagnostic')" 'detect|expire|time'

stream_start phuc-xa 10
sleep 1
link_heal phuc-xa ba-dinh
ok "the main path comes up again" wait_for 30 "the main path" eval 'paths_up phuc-xa 2'
ok "traffic goes back after the hold time" wait_for 30 "the revert" path_is phuc-xa main
sleep 1
stream_stop phuc-xa
is "going back loses nothing" "$lost" 0
is "neither move was taken for somebody else's change" "$(status_get phuc-xa .daemon.drift_repairs)" 0
country_down

# Who answers the probes of a whole country is asked less often than a line is watched.
sed 's/revert after/probe 1s x 3; &/' "$LAB_TREE/policies/examples/first-light.policy" >slow.policy
rm -rf officers roster keys.topology -- *.d
COUNTRY_SOURCES="$LAB_TREE/topology/examples/first-light.topology $LAB_DIR/slow.policy"
country_up || bail "the country comes up with slow paths"
stream_echo_start
is "a slow path" "$(status_get phuc-xa '.paths[] | select(.name == "main") | .detection_us')" 3000000
changes() { status_get phuc-xa '[.paths[].changes] | add'; }
status_conditions+="all_links_up "
all_links_up() { status_is "$1" '[.links[] | select(.state != "up")] | length' 0; }
before=$(changes)
stream_start phuc-xa 10
stop_daemon ba-dinh
sleep 2
start_daemon ba-dinh
ok "the parent's daemon is restarted" wait_for 20 "its links" all_links_up ba-dinh
pid=$(process_of ba-dinh wire); kill -KILL "$pid"
ok "... its wire process is killed" wait_for 20 "the link" eval '[ "$(process_of ba-dinh wire)" != "$pid" ] && all_links_up ba-dinh'
sleep 4
stream_stop phuc-xa
is "... and no path of its child fails" "$(changes)" "$before"
is "... nor is anything lost" "$lost" 0

stream_start phuc-xa 10
sleep 1.5
link_cut phuc-xa ba-dinh
ok "traffic leaves it" wait_for 10 "the spare path" path_is phuc-xa spare
sleep 1
stream_stop phuc-xa
at_most "as soon as its first line is known to be cut, in ms" "$outage_ms" 170
at_least "... and there was an outage" "$lost" 1
country_down
done_testing
