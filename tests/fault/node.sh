# SPDX-License-Identifier: Apache-2.0
# Faults in a node, one after the other, while a commune's packets run: processes, netlink, memory, files, clock, descriptors,
# an operator's hand, snmpd. Each time: what is expected comes, nothing is lost that has a way, and nothing is left to do.
# clock: virtual
# seconds: 5000
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/snmp.sh"
. "$LAB_TREE/tests/fault/table"

state=$(site_dir phuc-xa)/state
eval "$(declare -f country_keys | sed 's/^country_keys/country_keys_made/')"
country_keys() { # the commune's folder is a small disk of its own
	mount -t tmpfs -o size=1m,mode=0711 state "$state" && mkdir -p "$state/keys" "$state/incoming" && country_keys_made
}
faults_begin

# ---- processes ----
killed() { # WHICH
	local pid; pid=$(process_of phuc-xa "$1")
	kill -KILL "$pid"
	expect "it is back" other_process phuc-xa "$1" "$pid"
	expect "all paths up" paths_up phuc-xa 2
	expect "on the main path" path_is phuc-xa main
}
begin "kernel process killed" "it comes back and changes nothing"
killed kernel
settle 0 phuc-xa
begin "wire process killed" "it comes back, no path changes"
killed wire
settle 0 phuc-xa
begin "both killed at once" "both come back"
kill -KILL "$(process_of phuc-xa wire)"
killed kernel
settle 0 phuc-xa
begin "supervisor killed, started again" "the two end with it, the next takes over"
kill -KILL "$(pid_of phuc-xa)"
wait_for 5 "the end" gone phuc-xa
expect "none is left" eval '! pgrep -f "tuyend --site 901 " '
start_daemon phuc-xa
expect "all paths up" paths_up phuc-xa 2
judge "nothing changed in the kernel" status_is phuc-xa .daemon.operations 0
settle 0 phuc-xa
begin "orderly restart" "forwarding is taken over"
stop_daemon phuc-xa
sleep 2
start_daemon phuc-xa
expect "all paths up" paths_up phuc-xa 2
judge "nothing changed in the kernel" status_is phuc-xa .daemon.operations 0
settle 0 phuc-xa
begin "wire process stopped for 10 s" "who was not scheduled withholds his verdict"
before=$(changes)
kill -STOP "$(process_of phuc-xa wire)"; sleep 10; kill -CONT "$(process_of phuc-xa wire)"
sleep 1
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
expect "all paths up" paths_up phuc-xa 2
settle 0 phuc-xa
begin "a second tuyend for the node" "it ends and says why"
spawn second $(tuyend_command phuc-xa)
expect "it has ended" gone second
judge "it said why" grep -q 'another tuyend' second.log
settle 0 phuc-xa
begin "run folder deleted and made anew" "a second tuyend is refused; the control socket is back"
rm -rf "$(site_dir phuc-xa)/run"; mkdir "$(site_dir phuc-xa)/run"
spawn second $(tuyend_command phuc-xa)
expect "the second has ended" gone second
expect "the socket is back" status_get phuc-xa .daemon.version
expect "all paths up" paths_up phuc-xa 2
settle 0 phuc-xa

# ---- netlink, for a time: sweep.sh has each call on its own ----
troubled() { # NAME POINT WHAT FAILURE: while a rule is missing, for 3 s
	begin "$1 for 3 s, a rule gone" "said, and repaired when it can be"
	arm phuc-xa kernel "$2" "$3" 0 100000
	in_site phuc-xa ip rule del priority 31001
	expect "said" logged "$4"
	sleep 3
	disarm
	expect "the rule is back" eval 'in_site phuc-xa ip rule | grep -q ^31001:'
	expect "nothing is said any more" status_is phuc-xa .daemon.last_failure ''
	settle 0 phuc-xa
}
troubled "netlink: all requests refused, EBUSY" request EBUSY 'cannot read the kernel'
troubled "netlink: all answers lost, ENOBUFS" answer lose 'cannot read the kernel'
troubled "netlink: all dumps interrupted" dump break 'cannot read the kernel'
troubled "netlink: all send() fail, ENOMEM" call ENOMEM 'memory'
begin "notifications lost, ENOBUFS" "counts as a change: it looks"
arm phuc-xa kernel event ENOBUFS 0 1
in_site phuc-xa ip rule del priority 31001
expect "the rule is back" eval 'in_site phuc-xa ip rule | grep -q ^31001:'
disarm
settle 0 phuc-xa
begin "kill -9 at the first step of a repair" "the next life repairs"
pid=$(process_of phuc-xa kernel)
arm phuc-xa kernel step kill
in_site phuc-xa ip rule del priority 31001
expect "it is back" other_process phuc-xa kernel "$pid"
expect "the rule is back" eval 'in_site phuc-xa ip rule | grep -q ^31001:'
disarm
settle 0 phuc-xa

# ---- memory ----
begin "kernel process: 30 allocations fail, a rule gone" "refused or begun anew, then repaired"
arm phuc-xa kernel memory ENOMEM 20 30
in_site phuc-xa ip rule del priority 31001
expect "the rule is back" eval 'in_site phuc-xa ip rule | grep -q ^31001:'
disarm
expect "all paths up" paths_up phuc-xa 2
settle 0 phuc-xa
begin "wire process: 30 allocations fail" "clients are sent away, probes go on"
before=$(changes)
arm phuc-xa wire memory ENOMEM 0 30
for i in 1 2 3; do status phuc-xa >/dev/null 2>&1; done
sleep 1
disarm
expect "it answers" status_get phuc-xa .daemon.version
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa

# ---- files, and a release that comes ----
country_release 2 >release2.log 2>&1 || bail "a second release"
country_release 3 >release3.log 2>&1 || bail "a third release"
status_conditions+="epoch_is "
epoch_is() { status_is phuc-xa .bundle.epoch "$1"; }
begin "a release cut off in the middle" "refused, the old one in force"
head -c 600 seals.2/901.seal >half.seal
install_seal phuc-xa half.seal >install.log 2>&1
judge "refused" grep -q refused install.log
judge "epoch 1" epoch_is 1
settle 0 phuc-xa
begin "a release for another site" "refused, the old one in force"
install_seal phuc-xa seals.2/902.seal >install.log 2>&1
judge "refused" grep -q refused install.log
judge "epoch 1" epoch_is 1
settle 0 phuc-xa
begin "disk full when a release comes" "the old one in force; taken when there is room"
cp seals.2/901.seal "$state/incoming/a.seal"; chown 64101 "$state/incoming/a.seal"
dd if=/dev/zero of="$state/full" bs=4k >/dev/null 2>&1
kill -HUP "$(pid_of phuc-xa)"
expect "said" logged "No space"
judge "epoch 1" epoch_is 1
rm "$state/full"
kill -HUP "$(pid_of phuc-xa)"
expect "epoch 2" epoch_is 2
settle 0 phuc-xa
for point in fsync rename create write; do
	begin "$point: EIO when a release comes" "the old one in force; taken at the next try"
	arm phuc-xa kernel $point EIO
	cp seals.3/901.seal "$state/incoming/b.seal"; chown 64101 "$state/incoming/b.seal"
	kill -HUP "$(pid_of phuc-xa)"
	expect "said" logged "Input/output"
	disarm
	judge "epoch 2" epoch_is 2
	rm -f "$state/incoming/b.seal"
	settle 0 phuc-xa
done
begin "folder read-only when a release comes" "the old one in force"
cp seals.3/901.seal "$state/incoming/b.seal"; chown 64101 "$state/incoming/b.seal"
mount -o remount,ro "$state"
kill -HUP "$(pid_of phuc-xa)"
expect "said" logged "Read-only"
judge "epoch 2" epoch_is 2
mount -o remount,rw "$state"
kill -HUP "$(pid_of phuc-xa)"
expect "epoch 3" epoch_is 3
settle 0 phuc-xa
begin "release in force torn, kernel process killed" "its copy is used"
head -c 100 "$state/current.seal" >torn && cat torn >"$state/current.seal"
killed kernel
judge "epoch 3" epoch_is 3
settle 0 phuc-xa
# ---- F17 ----
mkdir kept && cp -a "$state/." kept/ && cp kept/current.seal.copy kept/current.seal # whole again, not torn as the row before left it
as_kept() { local f; for f in current.seal current.seal.copy roster state keys/link.key keys/session.key; do cmp "kept/$f" "$state/$f" || return; done; }
begin "all in the folder deleted under the daemon" "written again as it was; a restart comes up with it"
rm -rf "${state:?}"/*
expect "all is back" as_kept
expect "incoming too" test -d "$state/incoming"
judge "said" logged 'gone from .*, and written again: keys, current.seal, current.seal.copy, roster, state, incoming'
judge "as keys must be" [ "$(stat -c '%u %a' "$state/keys" "$state/keys/link.key" | xargs)" = "64101 700 64101 600" ]
stop_daemon phuc-xa
start_daemon phuc-xa
expect "epoch 3" epoch_is 3
expect "all paths up" paths_up phuc-xa 2
judge "nothing changed in the kernel" status_is phuc-xa .daemon.operations 0
settle 0 phuc-xa
begin "the folder deleted, with the disk that it is on" "said; one that is made again is filled"
folder_said() { status_get phuc-xa .site.folder | grep -q "$1"; }
umount -l "$state" && rm -r "$state"
expect "said" logged 'make that folder again'
expect "in the status" folder_said 'No such file'
judge "at its head" eval '"$tuyen" status --control "$(control_of phuc-xa)" | grep -q "^folder .*finds no keys"'
mkdir "$state" # root's
expect "what cannot be opened is said" folder_said 'Permission denied'
chmod 755 "$state"
expect "what cannot be written is said" folder_said 'cannot be written again: keys: Permission denied'
chown 64101 "$state"
expect "all is there" as_kept
expect "nothing is said any more" status_is phuc-xa .site.folder ''
settle 0 phuc-xa
begin "the folder deleted, and made again where the unit lets nothing be written" "said; filled when it is mounted as tuyend.8 says"
in_view() { nsenter -m -t "$(pid_of phuc-xa)" "$@"; }
around=$(site_dir phuc-xa)
in_view mount -o bind "$around" "$around" && in_view mount -o remount,bind,ro "$around"
rm -r "$state"
mkdir "$state" && chown 64101 "$state"
expect "said" logged 'another folder stands'
expect "in the status" folder_said 'cannot be written again: keys: Read-only file system'
in_view mount -o bind "$state" "$state" && in_view mount -o remount,bind,rw "$state"
expect "all is there" as_kept
expect "nothing is said any more" status_is phuc-xa .site.folder ''
in_view umount "$state" && in_view umount "$around"
settle 0 phuc-xa
begin "the folder moved away, and back" "said, until it is there"
mv "$state" away
expect "in the status" folder_said 'No such file'
mv away "$state"
expect "nothing is said any more" status_is phuc-xa .site.folder ''
judge "it is as it was" as_kept
settle 0 phuc-xa
begin "all files deleted, and with them the kernel process" "forwarding goes on; the next one says what is missing"
pid=$(process_of phuc-xa kernel)
kill -STOP "$pid" # it writes nothing again
rm -rf "$state"/current* "$state/state" "$state/roster"
kill -KILL "$pid"
expect "it is back" other_process phuc-xa kernel "$pid"
expect "said" logged "no release yet|no roster"
cp -a kept/. "$state/"
kill -HUP "$(pid_of phuc-xa)"
expect "epoch 3" epoch_is 3
expect "all paths up" paths_up phuc-xa 2
settle 0 phuc-xa

# ---- descriptors, clients ----
begin "kernel process: no descriptor free, a rule gone" "said, and repaired when there are"
pid=$(process_of phuc-xa kernel)
prlimit --pid "$pid" --nofile=3
in_site phuc-xa ip rule del priority 31001
expect "said" logged "cannot read .*Too many open files"
judge "the same process" [ "$(process_of phuc-xa kernel)" = "$pid" ]
prlimit --pid "$pid" --nofile=1024
expect "the rule is back" eval 'in_site phuc-xa ip rule | grep -q ^31001:'
settle 0 phuc-xa
begin "wire process: no descriptor free" "probes go on, clients wait"
before=$(changes)
prlimit --pid "$(process_of phuc-xa wire)" --nofile=3
judge "none is answered" eval '! timeout 3 "$tuyen" status --control "$(control_of phuc-xa)"'
prlimit --pid "$(process_of phuc-xa wire)" --nofile=1024
expect "it answers" status_get phuc-xa .daemon.version
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa
begin "control socket: 200 clients of one user that never read" "16 of them stay, others are served"
chmod 755 "$(site_dir phuc-xa)/run" # as where it is installed
spawn flood setpriv --reuid 65534 --regid 64101 --clear-groups python3 -c "
import socket, sys, time
all = []
for i in range(200):
    c = socket.socket(socket.AF_UNIX)
    c.connect(sys.argv[1])
    all.append(c)
    try: c.send(b'WATCH\n')
    except OSError: pass # who was sent away
print(len(all), 'connected', flush=True)
def stays(c):
    c.setblocking(False)
    try: return c.recv(1, socket.MSG_PEEK) != b''
    except BlockingIOError: return True
    except OSError: return False
time.sleep(2) # each was taken or sent away by then
print(sum(map(stays, all)), 'stay', flush=True)
time.sleep(30)" "$(control_of phuc-xa)"
expect "all connected" grep -qx "200 connected" flood.log
expect "16 stay" grep -qx "16 stay" flood.log
expect "root is served" status_get phuc-xa .daemon.version
judge "and they are still there" alive flood
halt flood
settle 0 phuc-xa

# ---- an operator's hand ----
ip -n phuc-xa link add theirs type dummy
ip -n phuc-xa link set theirs up
by_hand() { # FAULT MOST_MS SITE COMMAND...
	local name=$1 most=$2 s=$3 before; shift 3
	begin "$name" "put back, and said"
	before=$(drift_of "$s")
	in_site "$s" "$@" || { seen "THE DAMAGE FAILED"; fault_bad=1; }
	expect "said" drift_over "$s" "$before"
	sleep 1 # BFD may still fall
	expect "all paths up" paths_up phuc-xa 2
	judge "on the main path" wait_for 90 "the end of the damping" path_is phuc-xa main # held after so many faults in a row
	settle "$most" "$s"
}
address=$(status_get phuc-xa '.paths[] | select(.name == "main") | .source')
# Each is read and put back at once, for the kernel tells of it; until then what goes that way is lost. Where a link's label routes,
# its device or its peer are gone, the far end's silence may come first: 3 x 50 ms, and the path is another.
by_hand "a session's device deleted" 60 phuc-xa ip link del s10
by_hand "the links' device deleted" 60 phuc-xa ip link del link0
by_hand "an adjacency's device deleted" 160 phuc-xa ip link del lsp210
by_hand "an adjacency's device renamed" 160 phuc-xa sh -c 'ip link set lsp210 down; ip link set lsp210 name other; ip link set other up'
by_hand "a session's device set down" 60 phuc-xa ip link set s10 down
by_hand "a route of ours replaced by another's" 60 phuc-xa ip route replace 100.80.0.16/32 dev theirs table 550010
by_hand "a label route replaced by another's" 160 ba-dinh sh -c 'ip -f mpls route replace 16001 dev lo'
by_hand "all tables, rules and sets of nft flushed" 0 phuc-xa nft flush ruleset
by_hand "a peer removed" 210 ba-dinh wg set link0 peer "$(in_site phuc-xa wg show link0 public-key)" remove
begin "a rule of ours replaced by the same by hand" "it serves as well, and is not fought for"
rule=$(in_site phuc-xa ip rule | grep '^31001:' | sed 's/^31001:[[:space:]]*//; s/ proto .*//')
in_site phuc-xa sh -c "ip rule del priority 31001; ip rule add priority 31001 $rule"
sleep 6
before=$(drift_of phuc-xa); sleep 6
judge "not fought for" eval '[ "$(drift_of phuc-xa)" = "$before" ]'
settle 0 phuc-xa
begin "an address of ours given to another's device" "forwarding does not change"
before=$(changes)
in_site phuc-xa ip addr add "$address/32" dev theirs
sleep 6
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa
in_site phuc-xa ip addr del "$address/32" dev theirs
begin "somebody's device is named tuyen-check" "it stays, the self-check finds another name"
in_site phuc-xa ip link add tuyen-check type dummy
stop_daemon phuc-xa; start_daemon phuc-xa
expect "all paths up" paths_up phuc-xa 2
judge "it stays" in_site phuc-xa ip link show tuyen-check
judge "the self-check is well" status_is phuc-xa '[.self_check[] | select(.fatal and (.ok | not))] | length' 0
settle 0 phuc-xa
in_site phuc-xa ip link del tuyen-check

# ---- SNMP ----
snmp_up
begin "snmpd killed and started" "the table is back, no path changes"
before=$(changes)
signal_and_wait node-snmpd KILL
snmpd_start node-snmpd phuc-xa node-snmpd.conf
expect "the table is back" eval 'get tuyenSiteName.0 | grep -q phuc-xa'
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa
begin "snmpd stopped for 5 s" "no path changes"
kill -STOP "$(pid_of node-snmpd)"; sleep 5; kill -CONT "$(pid_of node-snmpd)"
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa
begin "tuyen-snmp killed while a link falls" "the next one serves the table; the failover does not wait"
link_cut phuc-xa ba-dinh
signal_and_wait tuyen-snmp KILL
tuyen_snmp_start
expect "on the spare path" path_is phuc-xa spare
expect "the table is back" eval 'get tuyenSiteName.0 | grep -q phuc-xa'
link_heal phuc-xa ba-dinh
expect "on the main path" path_is phuc-xa main
settle 180 phuc-xa

# ---- the clock, last: WireGuard takes no handshake that is older than the one before (FACTS 5) ----
begin "the clock goes back a day" "no timer moves"
before=$(changes)
date -s "@$(($(date +%s) - 86400))" >/dev/null
sleep 400 # two keys' time: handshakes are older than those before all that while
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa
begin "the clock goes ten years ahead" "the release is past its expiry: an alarm, and forwarding goes on"
judge "it was not before" status_is phuc-xa .bundle.expired false
date -s "@$(($(date +%s) + 315360000))" >/dev/null
expect "the status says it" status_is phuc-xa .bundle.expired true
expect "the log says it" logged "release of epoch 3 is past its expiry"
expect "SNMP says it" get_is tuyenBundleExpired.0 true
date -s "@$(($(date +%s) + 600))" >/dev/null # by then each site had its turn to tell it
expect "the network centre is told" grep -q 'TUYEN-MIB::tuyenBundleExpiryPast.*tuyenBundleEpoch.* 3[^0-9]' trapd.log
sleep 12 # two looks, each of which could say it again
judge "it is said once" eval '[ "$(tail -n "+$log_from" phuc-xa.log | grep -c "past its expiry")" = 1 ]'
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa

table_print
country_down
done_testing
