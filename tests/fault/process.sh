# SPDX-License-Identifier: Apache-2.0
# Faults of processes that take their time: one that is stopped, one that ends again and again, one that memory runs out for, one that is
# told too much, a box that stands still, names and modules that are not to be had. Each time a commune's packets run.
# clock: virtual
# seconds: 5000
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/snmp.sh"
. "$LAB_TREE/tests/fault/table"

faults_begin
processes() { echo "$(process_of phuc-xa kernel) $(process_of phuc-xa wire)"; }
has_rule() { in_site phuc-xa ip rule | grep -q ^31001:; }
whole() { paths_up phuc-xa 2 && path_is phuc-xa main; }

# All pauses are of the virtual clock. Those of 30 s and of 300 s are the faults themselves, as the fault table has them (F04, F21); in the
# others what must not happen would have happened, so no condition could end them sooner.

# ---- F04: stopped for 30 s; who is silent for 15 s is ended by the supervisor ----
stopped() { # PROCESS
	begin "$1 process stopped for 30 s" "the supervisor ends it after 15 s; the next one takes over"
	pid=$(process_of phuc-xa "$1")
	kill -STOP "$pid"
	expect "said" logged "tuyend-$1 says nothing for 15 s"
	judge "another runs" wait_for 2 "the next" other_process phuc-xa "$1" "$pid"
	sleep 15 # to the end of the 30 s: 15 have passed until it was said
	kill -CONT "$pid" 2>/dev/null && { seen "THE OLD ONE LIVES"; fault_bad=1; }
	expect "all paths up" paths_up phuc-xa 2
	expect "on the main path" path_is phuc-xa main
	judge "it was ended once" eval '[ "$(tail -n +$log_from phuc-xa.log | grep -c "says nothing for")" = 1 ]'
	settle 0 phuc-xa
}
stopped kernel
stopped wire
begin "kernel process stopped, and the spare path's line cut in it" "the next one says what nobody has said"
kill -STOP "$(process_of phuc-xa kernel)"
sleep 3
link_cut phuc-xa dong-da
expect "another runs" logged "tuyend-kernel says nothing for 15 s"
expect "the link's end is said" logged '"event":"link","site":"dong-da".*"state":"down"'
link_heal phuc-xa dong-da
expect "all paths up" paths_up phuc-xa 2
judge "... once" eval '[ "$(tail -n +$log_from phuc-xa.log | grep -c "\"event\":\"link\",\"site\":\"dong-da\".*\"state\":\"down\"")" = 1 ]'
settle 0 phuc-xa
begin "supervisor stopped for 30 s" "it ends nobody for what it has not heard itself"
before=$(processes) path_changes=$(changes)
kill -STOP "$(pid_of phuc-xa)"; sleep 30; kill -CONT "$(pid_of phuc-xa)"
sleep 3 # who had a stale timer would act now
judge "the same two" eval '[ "$(processes)" = "$before" ]'
judge "no path changed" eval '[ "$(changes)" = "$path_changes" ]'
settle 0 phuc-xa
begin "all three stopped for 30 s" "none ends another, all goes back by itself"
before=$(processes)
kill -STOP "$(pid_of phuc-xa)" $before; sleep 30; kill -CONT "$(pid_of phuc-xa)" $before
sleep 3 # likewise
judge "the same two" eval '[ "$(processes)" = "$before" ]'
expect "all paths up" paths_up phuc-xa 2
expect "on the main path" path_is phuc-xa main
settle 0 phuc-xa

# ---- F05 ----
begin "wire process aborts again and again" "it waits longer each time, 30 s at most; the kernel process repairs meanwhile"
kernel=$(process_of phuc-xa kernel)
wire_there() { pid=$(process_of phuc-xa wire) && [ -n "$pid" ]; }
for i in 1 2 3 4 5 6 7 8 9 10; do
	wait_for 40 "the next" wire_there && kill -ABRT "$pid"
	wait_for 2 "its end" eval '! kill -0 $pid'
done
sleep 1 # the last is said
pauses=$(tail -n "+$log_from" phuc-xa.log | sed -n 's/.*tuyend-wire was ended by signal 6.* again in \([0-9]*\) ms.*/\1/p' | xargs)
judge "paused for $pauses ms" [ "$pauses" = "100 200 400 800 1600 3200 6400 12800 25600 30000" ]
judge "the kernel process is the same" [ "$(process_of phuc-xa kernel)" = "$kernel" ]
in_site phuc-xa ip rule del priority 31001
expect "it repairs" has_rule
judge "no wire process is there yet" eval '[ -z "$(process_of phuc-xa wire)" ]'
judge "it comes after 30 s" wait_for 40 "the next" process_of phuc-xa wire
expect "all paths up" paths_up phuc-xa 2
expect "on the main path" path_is phuc-xa main
settle 0 phuc-xa

# ---- F07: a group of the kernel's own, for the kernel process alone, with less than it has, or than a repair takes ----
group=/sys/fs/cgroup/tuyen-oom
memory_group() { # a group with a limit of memory; false where this kernel has none
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup || return 1
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir -p "$group" && [ -e "$group/memory.max" ]
}
ooms() { sed -n 's/^oom_kill //p' "$group/memory.events"; }
out_of_memory() { # KB: that it may have more than it has
	begin "kernel process: $1 KB of memory left, an adjacency's device gone" "killed by the kernel, not in the middle for ever: the next repairs"
	pid=$(process_of phuc-xa kernel) before=$(ooms)
	echo max >"$group/memory.max"
	echo "$pid" >"$group/cgroup.procs"
	in_site phuc-xa ip link del lsp211
	echo $(($(cat "$group/memory.current") + $1 * 1024)) >"$group/memory.max"
	expect "killed" eval '[ "$(ooms)" -gt "$before" ]'
	expect "it is back" other_process phuc-xa kernel "$pid"
	expect "said" logged "tuyend-kernel was ended by signal 9"
	echo max >"$group/memory.max"
	expect "all paths up" paths_up phuc-xa 2
	expect "on the main path" path_is phuc-xa main
	settle 0 phuc-xa
}
if memory_group; then
	for kb in 0 100 200; do out_of_memory $kb; done
else
	skip "this kernel has no groups with a limit of memory" 3
fi

# ---- F08: more notifications than a socket of 4 MB holds, of routes that are not ours; then of a rule of ours, and of a route of
# others in a table of ours, for which nobody looks without a reason ----
event_drops() { # of the sockets of phuc-xa's processes
	in_site phuc-xa awk 'NR > 1 && $2 == 0 {n += $9} END {print n + 0}' /proc/net/netlink
}
begin "20,000 notifications while the kernel process stands, then a rule of ours gone, a route of others in our table" "some are lost; it looks at all in 2 s"
pid=$(process_of phuc-xa kernel) before=$(event_drops)
ip -n phuc-xa link add theirs type dummy
ip -n phuc-xa link set theirs up
kill -STOP "$pid"
for ((i = 0; i < 20000; i++)); do echo "route add 172.16.$((i / 256)).$((i % 256))/32 dev theirs table 777"; done >theirs.batch
ip -n phuc-xa -batch theirs.batch
in_site phuc-xa ip rule del priority 31001
ip -n phuc-xa route add unreachable 10.0.200.0/24 table 540010
kill -CONT "$pid"
begin_ms=$(now_ms)
expect "the rule is back" has_rule
expect "the route is gone" eval '! ip -n phuc-xa route show table 540010 | grep -q 10.0.200.0/24'
at=$(ms_since "$begin_ms")
judge "in $at ms" [ "$at" -le 2000 ]
judge "$(($(event_drops) - before)) were lost" [ "$(event_drops)" -gt "$before" ]
judge "the same process" [ "$(process_of phuc-xa kernel)" = "$pid" ]
ip -n phuc-xa link del theirs # and its routes
settle 0 phuc-xa

# ---- F27: a name of ours that somebody else has before the start ----
taken() { # NAME
	begin "$1 is somebody else's device before the start" "said, and left; what does not need it is there"
	before=$(processes)
	stop_daemon phuc-xa
	begin_ms=$(now_ms)
	ip -n phuc-xa link del "$1"
	ip -n phuc-xa link add "$1" type dummy
	ip -n phuc-xa link set "$1" up
	ip -n phuc-xa address add 172.30.0.1/32 dev "$1"
	index=$(in_site phuc-xa cat "/sys/class/net/$1/ifindex")
	start_daemon phuc-xa
	log_from=1 # a log of its own
	expect "said" logged "device $1 is there and is not Tuyen's: rename it or remove it \(ip link delete $1\)"
	expect "in the status" failure_said phuc-xa "device $1 is there"
	first=$(processes)
}
left() { # it is as it was made
	judge "it is left" eval "[ \"\$(in_site phuc-xa cat /sys/class/net/$1/ifindex)\" = $index ] &&
		ip -n phuc-xa -d link show $1 | grep -q dummy && ip -n phuc-xa -o address show dev $1 | grep -q 172.30.0.1 &&
		[ \"\$(in_site phuc-xa cat /proc/sys/net/mpls/conf/$1/input)\" = 0 ]"
	judge "and nobody ended" eval '[ "$(processes)" = "$first" ]'
	ip -n phuc-xa link del "$1"
	taken_ms=$(ms_since "$begin_ms")
	expect "it is had when it is free" paths_up phuc-xa 2
	expect "nothing is said any more" status_is phuc-xa .daemon.last_failure ''
	expect "on the main path" path_is phuc-xa main
}
taken lsp211
expect "both links are up" links_up phuc-xa 2
expect "the other path is up" paths_up phuc-xa 1
expect "on the main path" path_is phuc-xa main
sleep 5 # a look
left lsp211
settle 0 phuc-xa
taken link0
sleep 10 # two looks of 5 s, which must leave it
left link0
sleep 6 # a session that was made anew meanwhile calls each 5 s
settle $((taken_ms + 100)) phuc-xa # no link is without it; the kernel tells at once that it is free

# ---- F29: modules that a new kernel lacks; for what is started with a block of its own ----
"$LAB_TOOLS/fault" module.block new
chmod 666 module.block
lacking() { LAB_WRAPPER="env LD_PRELOAD=$LAB_TOOLS/fault_preload.so FAULT_FILE=$LAB_DIR/module.block" "$@"; }
check() { lacking eval '$(tuyend_command phuc-xa) --check' >check.log 2>&1; echo $?; }
missing() { # POINT CHECK REMEDY MODULE
	begin "no module $4" "tuyend --check, log and status say so with a remedy; what forwards goes on"
	"$LAB_TOOLS/fault" module.block arm "$1" EOPNOTSUPP 0 100000000
	judge "the check fails" [ "$(check)" = 1 ]
	judge "and says why" grep -q "^FAIL $2" check.log
	judge "and what to do" grep -q "remedy: $3" check.log
	stop_daemon phuc-xa
	lacking start_daemon phuc-xa
	log_from=1
	expect "the log says so" logged "self-check: $2.*remedy: $3"
	expect "the status says so" eval "\"$tuyen\" status --control $(control_of phuc-xa) | grep -q 'check .*$2.*remedy: $3'"
	first=$(processes)
	sleep 30 # whoever ended for it would have done so again and again
	judge "nobody ended" eval '[ "$(processes)" = "$first" ]'
	"$LAB_TOOLS/fault" module.block off >module.met
	judge "it was met" eval 'read -r met _ <module.met && [ "$met" -gt 0 ]'
	expect "with the module all is well" plan_empty phuc-xa
	expect "all paths up" paths_up phuc-xa 2
	expect "nothing is said any more" status_is phuc-xa .daemon.last_failure ''
	stop_daemon phuc-xa
	start_daemon phuc-xa
	expect "all paths up" paths_up phuc-xa 2
	expect "on the main path" path_is phuc-xa main
	settle 0 phuc-xa
}
missing wireguard "WireGuard" "modprobe wireguard" wireguard
missing mpls "label routing" "modprobe mpls_router" mpls_router
begin "no module wireguard, and nothing of ours in the kernel, as after a boot" "said, tried again and again by the same process; all comes with it"
stop_daemon phuc-xa
begin_ms=$(now_ms)
(LAB_WRAPPER='' && $(tuyend_command phuc-xa) --remove) >remove.log 2>&1
"$LAB_TOOLS/fault" module.block arm wireguard EOPNOTSUPP 0 100000000
lacking start_daemon phuc-xa
log_from=1
expect "the log says so" logged "self-check: WireGuard.*remedy: modprobe wireguard"
expect "the status too" failure_said phuc-xa wireguard
first=$(processes)
sleep 60 # a dozen tries, and as many times at which somebody could end or say it again
judge "nobody ended" eval '[ "$(processes)" = "$first" ]'
judge "it is not said at each try" eval '[ "$(tail -n +$log_from phuc-xa.log | wc -l)" -le 40 ]'
"$LAB_TOOLS/fault" module.block off >module.met
missing_ms=$(ms_since "$begin_ms")
judge "the links come in the next try" wait_for 7 "the links" links_up phuc-xa 2
expect "all paths up" paths_up phuc-xa 2
expect "on the main path" path_is phuc-xa main
settle $((missing_ms + 6500)) phuc-xa # nobody tells that a module came: a try each 5 s, and then links and paths come up
stop_daemon phuc-xa
start_daemon phuc-xa
wait_for 30 "all paths" whole

# ---- F04, of SNMP ----
snmp_up
begin "tuyen-snmp stopped for 30 s" "no path changes; it goes on"
before=$(changes)
kill -STOP "$(pid_of tuyen-snmp)"; sleep 30; kill -CONT "$(pid_of tuyen-snmp)"
expect "the table is back" eval 'get tuyenSiteName.0 | grep -q phuc-xa'
judge "no path changed" eval '[ "$(changes)" = "$before" ]'
settle 0 phuc-xa
halt_snmp() { local s; for s in tuyen-snmp node-snmpd modem-snmpd trapd; do halt "$s"; done; }
halt_snmp

# ---- F21: a virtual machine that stands still; at last, as WireGuard's keys end in it ----
begin "the box stands still for 5 min, its lines with it" "its neighbours miss it, and its sessions are renewed 5 s after at most"
before=$(processes)
begin_ms=$(now_ms)
for s in ba-dinh dong-da; do link_cut phuc-xa $s; done
kill -STOP "$(pid_of phuc-xa)" $before
sleep 300 # the pause that is tested: keys end after 180 s
for s in ba-dinh dong-da; do link_heal phuc-xa $s; done
kill -CONT "$(pid_of phuc-xa)" $before
pause_ms=$(ms_since "$begin_ms")
expect "said" logged "this box stood still for 30. s"
expect "all paths up" paths_up phuc-xa 2
judge "the same two" eval '[ "$(processes)" = "$before" ]'
expect "all paths up" paths_up phuc-xa 2
expect "on the main path" path_is phuc-xa main
sleep 2 # and then traffic, which the outage is judged by
settle $((pause_ms + 5000)) phuc-xa
seen_ms=${outage_ms:-0}
diag "after it traffic was out for $((seen_ms - pause_ms)) ms more"
begin "CLOCK_BOOTTIME is 5 min ahead at once, for all daemons of the country" "no timer fires for it, nobody is ended"
before=$(processes) path_changes=$(changes)
"$LAB_TOOLS/fault" "$FAULT_BLOCK" boottime 300
sleep 20 # longer than any silence that is borne
judge "the same two" eval '[ "$(processes)" = "$before" ]'
judge "no path changed" eval '[ "$(changes)" = "$path_changes" ]'
judge "the time is seen" eval '[ "$(status_get phuc-xa .daemon.uptime_s)" -gt 600 ]'
expect "all paths up" paths_up phuc-xa 2
expect "on the main path" path_is phuc-xa main
settle 0 phuc-xa

table_print
country_down
done_testing
