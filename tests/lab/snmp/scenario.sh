#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
#	 noc                    node                      modem
#	 snmpwalk  10.9.9.1 --- 10.9.9.2 snmpd            snmpd, wan0
#	 snmptrapd              |  AgentX                 192.168.100.1
#	                        tuyen-snmp -------------- (192.168.100.9: nobody)
#	                        |  control socket
#	                        fake-control
#
# tuyen-snmp between a real snmpd (with the configuration that is shipped) and a control server that says what a
# file says. Prints TAP. Needs root for namespaces; no WireGuard, no MPLS. SNMP_BIN: another tuyen-snmp.
set -u
tree=$(cd "$(dirname "$0")/../../.." && pwd)
bin=${SNMP_BIN:-$tree/build/tuyen-snmp}
w=$(mktemp -d /tmp/tuyen-snmp-lab.XXXXXX)
chmod 755 "$w"
n=tsnmp$$
tests=0 failed=0 pids=

ok() { # NAME COMMAND...
	local name=$1; shift
	tests=$((tests + 1))
	if "$@" >"$w/last" 2>&1; then echo "ok $tests - $name"; return 0; fi
	failed=$((failed + 1))
	echo "not ok $tests - $name"
	{ echo "failed: $*"; tail -n 5 "$w/last" | cut -c1-200; } | sed 's/^/# /'
	return 1
}
has() { grep -Eq -- "$2" <<<"$1" || { echo "no '$2' in:"; echo "$1"; return 1; }; }
wait_for() { # SECONDS COMMAND...: so long where a look takes no time; a machine that is busy is slower to look, too
	local looks=$(($1 * 10)); shift
	until "$@" >/dev/null 2>&1; do [ $((looks--)) -gt 0 ] || return 1; sleep 0.1; done
}
sorted() { # OIDS: as numbers, level by level
	local key
	key=$(awk -F. '{ for (i = 2; i <= NF; i++) printf "%010d.", $i; print "" }' <<<"$1")
	[ "$key" = "$(LC_ALL=C sort -u <<<"$key")" ]
}
alive() { kill -0 "$1" 2>/dev/null; }
start() { # VARIABLE NAMESPACE LOG COMMAND...
	local variable=$1 ns=$2 log=$3; shift 3
	ip netns exec "$n-$ns" "$@" >>"$w/$log" 2>&1 </dev/null &
	printf -v "$variable" '%s' $!
	pids="$pids $!"
}
finish() {
	for p in $pids; do kill -CONT "$p"; kill "$p"; done 2>/dev/null
	wait 2>/dev/null
	for ns in noc node modem; do ip netns del "$n-$ns" 2>/dev/null; done
	[ -n "${KEEP:-}" ] || rm -rf "$w"
}
trap finish EXIT
trap 'exit 130' INT TERM

[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
for c in snmpd snmptrapd snmpwalk; do
	command -v $c >/dev/null || { echo "1..0 # SKIP needs $c"; exit 0; }
done

# ---- the places
for ns in noc node modem; do
	ip netns add "$n-$ns" && ip -n "$n-$ns" link set lo up || exit 2
done
ip -n "$n-noc" link add to-node type veth peer name to-noc netns "$n-node"
ip -n "$n-modem" link add lan0 type veth peer name eth1 netns "$n-node"
ip -n "$n-modem" link add wan0 type veth peer name carrier
for a in "noc to-node 10.9.9.1/24" "node to-noc 10.9.9.2/24" "node eth1 192.168.100.2/24" \
	"modem lan0 192.168.100.1/24" "modem wan0 192.0.2.1/24"; do
	set -- $a
	ip -n "$n-$1" address add "$3" dev "$2"
	ip -n "$n-$1" link set "$2" up
done
ip -n "$n-modem" link set dev carrier up

# ---- who they are
user='-u noc -l authPriv -a SHA-256 -A noc-auth-phrase -x AES -X noc-priv-phrase'
mkdir -p "$w/node" "$w/modem" "$w/noc" "$w/agentx"
mibdirs=$tree/tests/lab/snmp/mibs:$tree/packaging/mib
sed -e "s|^agentAddress.*|agentAddress udp:10.9.9.2:161|" \
	-e "s|^agentXSocket.*|agentXSocket $w/agentx/master|" \
	-e "s|^agentXPerms.*|agentXPerms 0660 0755|" \
	-e 's|^#trapsess .*|trapsess -Ci -v 3 -l authPriv -u noc-trap -a SHA-256 -A "trap-auth-phrase" -x AES -X "trap-priv-phrase" 10.9.9.1:162|' \
	"$tree/packaging/snmpd/snmpd.conf" >"$w/node.conf"
echo 'createUser noc SHA-256 "noc-auth-phrase" AES "noc-priv-phrase"' >>"$w/node.conf"
{
	echo 'agentAddress udp:192.168.100.1:161'
	echo 'rouser poller priv'
	echo 'sysName modem-phuc-xa'
	echo 'createUser poller SHA-256 "poll-auth-phrase" AES "poll-priv-phrase"'
} >"$w/modem.conf"
{
	echo 'createUser noc-trap SHA-256 "trap-auth-phrase" AES "trap-priv-phrase"'
	echo 'authUser log noc-trap priv'
} >"$w/noc.conf"
printf '%s\n' '# who we are' 'user poller auth SHA-256 "poll-auth-phrase" priv AES "poll-priv-phrase"' >"$w/devices.conf"
chmod 600 "$w/devices.conf"
cp "$tree/tests/lab/snmp/status.json" "$w/status.json"
mkfifo "$w/events"

snmpd_start() { # VARIABLE NAMESPACE
	start "$1" "$2" "$2-snmpd.log" env SNMP_PERSISTENT_DIR="$w/$2" MIBS= snmpd -f -Lo -C -c "$w/$2.conf" -p "$w/$2.pid"
}
control_start() {
	start control node control.log python3 "$tree/tests/lab/snmp/fake-control" "$w/control" "$w/status.json" "$w/events"
}
agent_start() {
	start agent node agent.log ${WRAP:-} "$bin" --foreground --control "$w/control" --agentx "unix:$w/agentx/master" \
		--devices "$w/devices.conf" --interval 1
}
ask() { # COMMAND OID...
	local c=$1; shift
	ip netns exec "$n-noc" env MIBDIRS="$mibdirs" MIBS=TUYEN-MIB "$c" -v 3 $user -t 1 -r 1 10.9.9.2 "$@" 2>&1
}
get() { ask snmpget -OqvU "TUYEN-MIB::$1"; }
is_value() { # OBJECT VALUE
	local got; got=$(get "$1")
	[ "$got" = "$2" ] || { echo "$1 is $got, not $2"; return 1; }
}
traps() { cat "$w/traps.log" 2>/dev/null; }
trapped() { grep -Eq -- "$1" "$w/traps.log"; }
event() { printf '%s\n' "$1" >"$w/events"; }

start trapd noc traps.log env SNMP_PERSISTENT_DIR="$w/noc" MIBDIRS="$mibdirs" MIBS=TUYEN-MIB:SNMPv2-MIB \
	snmptrapd -f -Lo -C -c "$w/noc.conf" -OQ udp:10.9.9.1:162
snmpd_start modem modem
snmpd_start snmpd node
control_start
agent_start

# ---- what is seen
ok "snmpd shows the site within 5 s" wait_for 5 is_value tuyenSiteName.0 phuc-xa
ok "the bundle's epoch" is_value tuyenBundleEpoch.0 7
ok "tuyend is running" is_value tuyenDaemonState.0 running
ok "failed self-checks are counted" is_value tuyenSelfCheckFailures.0 1
walk=$(ask snmpwalk -OQ TUYEN-MIB::tuyenMIB)
ok "links" has "$walk" 'tuyenLinkName.210 = ba-dinh'
ok "a counter of 64 bits" has "$walk" 'tuyenLinkInOctets.210 = 5000000000'
ok "paths and their labels" has "$walk" 'tuyenPathLabelStack.1 = 16101/16001'
ok "a path's state" has "$walk" 'tuyenPathState.2 = unknown'
ok "since" has "$walk" 'tuyenLinkSince.210 = 2026-11-24,8:0:2.0'
ok "sessions" has "$walk" 'tuyenSessionPath.10.1 = main'
ok "what is unknown has no instance" eval '! has "$walk" "tuyenPathRoundTrip.2 "'
numeric=$(ask snmpwalk -On -OQ TUYEN-MIB::tuyenMIB | grep -v 'No more variables' | sed 's/ = .*//' | grep '^\.1')
ok "GETNEXT is in order and ends" sorted "$numeric"
ok "a walk has more than a hundred variables" test "$(wc -l <<<"$numeric")" -gt 100
bulk=$(ask snmpbulkwalk -On -OQ TUYEN-MIB::tuyenMIB | grep -v 'No more variables' | sed 's/ = .*//' | grep '^\.1')
ok "GETBULK finds the same" eval '[ "$bulk" = "$numeric" ]'
ok "a SET is refused" eval '! ask snmpset TUYEN-MIB::tuyenSiteName.0 s evil | grep -q "= evil"'
ok "without privacy nothing is shown" eval '! ip netns exec $n-noc snmpget -v 3 -u noc -l authNoPriv -a SHA-256 -A noc-auth-phrase -t 1 -r 0 10.9.9.2 .1.3.6.1.4.1.32473.1.1.1.1.0'

# ---- the manager
ok "the modem is reachable" wait_for 6 is_value 'tuyenDeviceState."modem"' reachable
ok "its interface by name" is_value 'tuyenDeviceIfName."modem"' wan0
ok "its interface is up" is_value 'tuyenDeviceIfOperStatus."modem"' up
ok "its speed" is_value 'tuyenDeviceIfHighSpeed."modem"' 10000
ok "its name" is_value 'tuyenDeviceSysName."modem"' modem-phuc-xa
ok "the link it carries" is_value 'tuyenDeviceLinkId."modem"' 210
ok "a dead device is unreachable" wait_for 8 is_value 'tuyenDeviceState."dead"' unreachable
ok "and was told" wait_for 3 trapped 'tuyenDeviceDown'
ok "the modem's arrival was told" wait_for 3 trapped 'tuyenDeviceUp'
ip -n "$n-modem" link set dev carrier down # snmpd there looks every 15 s

# ---- notifications
sed -i 's/"site_id": 210, \(.*\)"state": "up"/"site_id": 210, \1"state": "down"/' "$w/status.json"
event '{"event":"link","site":"ba-dinh","site_id":210,"state":"down","diagnostic":"control detection time expired","at":"2026-11-24T09:00:00Z"}'
ok "a link's notification arrives" wait_for 3 trapped 'tuyenLinkDown'
ok "with the site, the neighbour and the reason" trapped 'tuyenSiteName.0 = phuc-xa.*tuyenLinkName.210 = ba-dinh.*tuyenLinkState.210 = down.*control detection time expired'
ok "the table follows the event" wait_for 2 is_value tuyenLinkState.210 down
event '{"event":"switch","color":10,"endpoint":"npdc-hn","endpoint_id":1,"from":1,"to":2,"from_name":"main","to_name":"spare","at":"2026-11-24T09:00:00Z"}'
ok "a switch of paths arrives" wait_for 3 trapped 'tuyenPathSwitch.*tuyenNotifyFromPath.0 = main.*tuyenNotifyToPath.0 = spare'
event '{"event":"bundle","epoch":6,"accepted":false,"reason":"older than the one in force","at":"2026-11-24T09:00:01Z"}'
ok "a refused bundle arrives" wait_for 3 trapped 'tuyenBundleRefused.*tuyenNotifyEpoch.0 = 6'
event '{"event":"damped","index":1,"name":"main","policy":"citizen-query","color":10,"endpoint":"npdc-hn","endpoint_id":1,"held_s":60,"at":"2026-11-24T09:00:01Z"}'
ok "a path that is held as spare arrives" wait_for 3 trapped 'tuyenPathDampingBegin.*tuyenPathName.1 = main.*tuyenPathDamped.1 = true.*tuyenPathDoubts.1 = 7.*tuyenNotifyDampedFor.0 = 60'
event '{"event":"damped","site":"ba-dinh","site_id":210,"held_s":16,"at":"2026-11-24T09:00:01Z"}'
ok "... and a link" wait_for 3 trapped 'tuyenLinkDampingBegin.*tuyenLinkName.210 = ba-dinh.*tuyenNotifyDampedFor.0 = 16'
event '{"event":"duplicate","site":"ba-dinh","site_id":210,"duplicate":true,"endpoint":"192.0.2.1:51820","other":"192.0.2.9:40000","at":"2026-11-24T09:00:01Z"}'
ok "a clone arrives" wait_for 3 trapped 'tuyenLinkDuplicateBegin.*tuyenLinkName.210 = ba-dinh.*tuyenNotifyPlace.0 = 192.0.2.1:51820.*tuyenNotifyOtherPlace.0 = 192.0.2.9:40000'
event '{"event":"duplicate","site":"ba-dinh","site_id":210,"duplicate":false,"endpoint":"192.0.2.1:51820","other":"192.0.2.9:40000","at":"2026-11-24T09:02:01Z"}'
ok "... and its end" wait_for 3 trapped 'tuyenLinkDuplicateEnd.*tuyenLinkDuplicate.210 = false'
event '{"event":"mtu","site":"ba-dinh","site_id":210,"carried_mtu":1237,"mtu":1440,"at":"2026-11-24T09:02:02Z"}'
ok "a link that swallows big packets arrives" wait_for 3 trapped 'tuyenLinkMtuReduced.*tuyenLinkName.210 = ba-dinh.*tuyenLinkMtu.210 = 1440.*tuyenLinkCarriedMtu.210 = 1237'
event '{"event":"mtu","site":"ba-dinh","site_id":210,"carried_mtu":1440,"mtu":1440,"at":"2026-11-24T09:02:03Z"}'
ok "... and its end" wait_for 3 trapped 'tuyenLinkMtuRestored.*tuyenLinkCarriedMtu.210 = 1440'
event '{"event":"lan","away":true,"at":"2026-11-24T09:02:04Z"}'
ok "a gateway that withdraws arrives" wait_for 3 trapped 'tuyenLanAwayBegin.*tuyenSiteName.0 = phuc-xa.*tuyenSiteLanAway.0 = true'
event '{"event":"lan","away":false,"at":"2026-11-24T09:02:05Z"}'
ok "... and its return" wait_for 3 trapped 'tuyenLanAwayEnd.*tuyenSiteLanAway.0 = false.*tuyenNotifyAt.0 = 2026-11-24,9:2:5'
ok "the site's own word of it" is_value tuyenSiteLanAway.0 false
event '{"event":"conflict","addresses":"10.0.0.10 on lan0","at":"2026-11-24T09:02:06Z"}'
ok "another site's address on the box arrives" wait_for 3 trapped 'tuyenConflictBegin.*tuyenSiteName.0 = phuc-xa.*tuyenSiteConflict.0 = 10.0.0.10 on lan0'
event '{"event":"conflict","addresses":"","at":"2026-11-24T09:02:07Z"}'
ok "... and its end" wait_for 3 trapped 'tuyenConflictEnd.*tuyenNotifyAt.0 = 2026-11-24,9:2:7'
event '{"event":"claim","claim":"10.9.1.10/32 over u-carrier","at":"2026-11-24T09:02:08Z"}'
ok "a line that claims some of the LAN arrives" wait_for 3 trapped 'tuyenLanClaimBegin.*tuyenSiteName.0 = phuc-xa.*tuyenSiteLanClaim.0 = 10.9.1.10/32 over u-carrier'
event '{"event":"claim","claim":"","at":"2026-11-24T09:02:09Z"}'
ok "... and its end" wait_for 3 trapped 'tuyenLanClaimEnd.*tuyenNotifyAt.0 = 2026-11-24,9:2:9'
event '{"event":"folder","folder":"/var/lib/tuyen: gone","at":"2026-11-24T09:02:10Z"}'
ok "a folder that a restart would miss arrives" wait_for 3 trapped 'tuyenFolderLost.*tuyenSiteName.0 = phuc-xa.*tuyenSiteFolder.0 = /var/lib/tuyen: gone'
event '{"event":"folder","folder":"","at":"2026-11-24T09:02:11Z"}'
ok "... and its end" wait_for 3 trapped 'tuyenFolderRestored.*tuyenNotifyAt.0 = 2026-11-24,9:2:11'
ok "how near the release's end is" eval 'is_value tuyenBundleExpiry.0 distant && is_value tuyenBundleDaysLeft.0 341'
ok "... of which nobody is told while it is distant" eval '! trapped tuyenBundleExpiry'
release() { # EPOCH EXPIRY DAYS_LEFT: another, which waits for no turn
	sed -i "s/\"epoch\": [0-9]*/\"epoch\": $1/; s/\"expiry\": \"[a-z]*\", \"days_left\": [0-9]*/\"expiry\": \"$2\", \"days_left\": $3/" "$w/status.json"
}
release 8 week 6
ok "a release that expires soon arrives" wait_for 12 trapped 'tuyenBundleExpirySoon.*tuyenSiteName.0 = phuc-xa.*tuyenBundleEpoch.0 = 8.*tuyenBundleExpires.0 = 2027-11-1,0:0:0.*tuyenBundleExpiry.0 = week.*tuyenBundleDaysLeft.0 = 6'
release 9 past 0
ok "... and one that has expired" wait_for 12 trapped 'tuyenBundleExpiryPast.*tuyenBundleExpiry.0 = past.*tuyenBundleDaysLeft.0 = 0'
ok "the tables have columns for both" eval 'is_value tuyenPathDamped.2 true && is_value tuyenLinkDuplicate.211 true && is_value tuyenLinkDamped.211 false'
before=$(grep -c 'tuyenLinkName.211' "$w/traps.log")
for i in $(seq 40); do
	event '{"event":"link","site":"dong-da","site_id":211,"state":"down","diagnostic":"x","at":"2026-11-24T09:00:02Z"}'
	event '{"event":"link","site":"dong-da","site_id":211,"state":"up","diagnostic":"x","at":"2026-11-24T09:00:02Z"}'
done
sleep 2.5
flaps=$(($(grep -c 'tuyenLinkName.211' "$w/traps.log") - before))
ok "80 changes of a flapping link are $flaps notifications" test $flaps -ge 2 -a $flaps -le 5
ok "the last one tells the last state and how many were held" trapped 'tuyenLinkUp.*tuyenLinkName.211.*tuyenNotifyHeld.0 = [1-9]'

line_down() { has "$(get 'tuyenDeviceIfOperStatus."modem"')" '^(down|lowerLayerDown)$'; }
ok "the modem's line goes down" wait_for 20 line_down

# ---- each may die
kill -9 "$snmpd"; wait "$snmpd" 2>/dev/null
polls=$(cat "$w/control.count")
event '{"event":"path","index":1,"name":"main","policy":"citizen-query","color":10,"endpoint":"npdc-hn","endpoint_id":1,"state":"down","diagnostic":"x","at":"2026-11-24T09:00:09Z"}'
sleep 1
ok "snmpd killed: tuyen-snmp lives" alive "$agent"
ok "snmpd killed: the control socket is still read" test "$(cat "$w/control.count")" -gt "$polls"
t0=$(date +%s%3N)
snmpd_start snmpd node
ok "snmpd back: registered again within 5 s" wait_for 5 is_value tuyenSiteName.0 phuc-xa
echo "# registered after $(($(date +%s%3N) - t0)) ms"
ok "what happened meanwhile is told" wait_for 5 trapped 'tuyenPathDown.*tuyenPathName.1 = main'

path_event() { printf '{"event":"path","index":%d,"name":"%s","policy":"p","color":10,"endpoint":"npdc-hn","endpoint_id":1,"state":"%s","diagnostic":"x","at":"2026-11-24T09:00:10Z"}\n' "$@"; }
told_once() { [ "$(grep -c -- "$1" "$w/traps.log")" = 1 ]; }
kill -STOP "$snmpd"
{ for i in $(seq 300 700); do path_event "$i" "flood-$i" up; done; } >"$w/events"
sleep 0.5
kill -9 "$snmpd"; wait "$snmpd" 2>/dev/null
snmpd_start snmpd node
ok "snmpd stopped, its socket full, killed: the next is told what there was no room for" wait_for 8 trapped 'tuyenPathUp.*tuyenPathName.700 = flood-700'
ok "... the last 64 of it" wait_for 5 trapped 'tuyenPathName.637 = flood-637'
kill -STOP "$snmpd"
path_event 2 unread down >"$w/events"
sleep 0.5
kill -9 "$snmpd"; wait "$snmpd" 2>/dev/null
snmpd_start snmpd node
ok "snmpd stopped and killed: the next is told what it had not read" wait_for 8 trapped 'tuyenPathDown.*tuyenPathName.2 = unread'
path_event 2 read up >"$w/events"
ok "what was read is told" wait_for 3 trapped 'tuyenPathUp.*tuyenPathName.2 = read'
kill -9 "$snmpd"; wait "$snmpd" 2>/dev/null
snmpd_start snmpd node
ok "snmpd killed: registered again" wait_for 5 is_value tuyenSiteName.0 phuc-xa
path_event 2 after down >"$w/events"
ok "what happens then is told" wait_for 3 trapped 'tuyenPathName.2 = after'
ok "... and what had been read is not told again" told_once 'tuyenPathName.2 = read'

modem_polled() { get 'tuyenDeviceLastPolled."modem"'; }
polls=$(cat "$w/control.count")
kill -STOP "$snmpd"
for i in $(seq 6); do
	event '{"event":"drift","repaired":1,"what":"x","at":"2026-11-24T09:00:09Z"}'
	sleep 2
done
ok "snmpd stopped for 12 s: tuyen-snmp lives" alive "$agent"
ok "snmpd stopped: the control socket is still read" test "$(cat "$w/control.count")" -ge $((polls + 4))
kill -CONT "$snmpd"
ok "snmpd goes on: registered within 8 s" wait_for 8 is_value tuyenSiteName.0 phuc-xa

kill "$control"; wait "$control" 2>/dev/null
ok "tuyend gone: told within 2 s" wait_for 2 is_value tuyenDaemonState.0 unreachable
ok "tuyend gone: the rows stay" is_value tuyenLinkName.210 ba-dinh
ok "tuyend gone: a notification" wait_for 8 trapped 'tuyenDaemonDown'
ok "tuyend gone: the snapshot has an age" test "$(get tuyenSnapshotAge.0 | tr -dc 0-9)" -ge 3
control_start
ok "tuyend back: seen within 6 s" wait_for 6 is_value tuyenDaemonState.0 running
ok "tuyend back: a notification" wait_for 3 trapped 'tuyenDaemonUp'
event '{"event":"bundle","epoch":5,"accepted":false,"reason":"again","at":"2026-11-24T09:00:30Z"}'
ok "tuyend back: watched again" wait_for 6 trapped 'tuyenNotifyEpoch.0 = 5'
ok "... and asked for what was said meanwhile, as at the start it was not" test "$(xargs <"$w/control.watched")" = "WATCH WATCH AGAIN"

kill -STOP "$control"
ok "tuyend stopped: told within 6 s" wait_for 6 is_value tuyenDaemonState.0 unreachable
ok "tuyend stopped: snmpd is answered" is_value tuyenSiteName.0 phuc-xa
kill -CONT "$control"
ok "tuyend goes on: seen" wait_for 8 is_value tuyenDaemonState.0 running

pss=$(awk '/^Pss:/ { print $2 }' "/proc/$agent/smaps_rollup")
echo "# tuyen-snmp: PSS $pss kB, private $(awk '/^Private_/ { s += $2 } END { print s }' "/proc/$agent/smaps_rollup") kB"
[ -n "${SNMP_BIN:-}" ] || ok "PSS $pss kB is at most 5120" test "$pss" -le 5120

kill -9 "$agent"; wait "$agent" 2>/dev/null
sleep 0.5
ok "tuyen-snmp killed: snmpd lives" alive "$snmpd"
ok "tuyen-snmp killed: snmpd answers" ask snmpget -OqvU .1.3.6.1.2.1.1.3.0
mv "$w/status.json" "$w/status.away"
watched=$(wc -l <"$w/control.watched")
is_watched() { [ "$(wc -l <"$w/control.watched")" -gt "$watched" ]; }
agent_start
ok "tuyen-snmp back, and no status yet: it watches" wait_for 5 is_watched
path_event 2 early down >"$w/events"
sleep 0.5
mv "$w/status.away" "$w/status.json"
ok "what happened before the first status names the site" wait_for 8 trapped 'tuyenPathDown.*tuyenSiteName.0 = phuc-xa.*tuyenPathName.2 = early'
ok "tuyen-snmp back: registered within 5 s" wait_for 5 is_value tuyenSiteName.0 phuc-xa
kill "$agent"; wait "$agent"
ok "SIGTERM ends it with 0" test $? = 0

# ---- the MIB's text
if command -v smilint >/dev/null; then
	ok "smilint prints no line" "$tree/tests/lab/snmp/mib-lint"
	sed 's/{ tuyenLinkEntry 5 }/{ tuyenLinkEntry 4 }/' "$tree/packaging/mib/TUYEN-MIB" >"$w/TUYEN-MIB"
	ok "and does for a number given twice" eval '! "$tree/tests/lab/snmp/mib-lint" "$w/TUYEN-MIB"'
fi

# ---- what is refused
chmod 644 "$w/devices.conf"
"$bin" --devices "$w/devices.conf" --control "$w/none" --agentx "unix:$w/none" >"$w/refused" 2>&1
code=$?
ok "a devices file that all can read is refused with 1" test $code = 1
ok "and the reason has the remedy" grep -q 'chmod' "$w/refused"
"$bin" --nonsense >/dev/null 2>&1
ok "a wrong call is 2" test $? = 2
ok "no pass phrase in any log" eval '! grep -rq "auth-phrase\|priv-phrase" "$w"/*.log'

echo "1..$tests"
[ $failed = 0 ] || { for f in agent node-snmpd control; do tail -n 8 "$w/$f.log" | sed "s/^/# $f: /"; done; exit 1; }
