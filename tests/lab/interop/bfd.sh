# SPDX-License-Identifier: Apache-2.0
# BFD with others: FRR's bfdd and BIRD over a veth, and S-BFD between two of ours. Up on both sides, new timers
# by a poll sequence, Down within the detection time after a cut, Up again; every packet well-formed to tshark.
# seconds: 240
# needs: interop
# lab: host
#
#	tests/lab/run tests/lab/interop/bfd.sh [frr] [bird] [sbfd]
#
#	 ours --- v0 | pa --- br0 --- pb | v0 --- theirs		a cut takes pa out of br0: both carriers stay up
#
# Detection is measured on each side's own capture, so on one clock: from the last packet heard to the first that says Down.
. "$LAB_TREE/tests/lab/lib.sh"

ours=10.0.0.1 theirs=10.0.0.2
driver=$LAB_DIR/wire_driver # the tree is read-only in a virtual lab
(cd "$LAB_TREE" && tests/lab/interop/build "$driver") >build.log 2>&1 || { diag_file build.log; bail "the driver builds"; }

net_up() {
	local n
	for n in ours middle theirs; do ip netns add $n; ip -n $n link set lo up; done
	ip -n middle link add br0 type bridge
	ip -n middle link set br0 up
	ip -n ours link add v0 type veth peer name pa netns middle
	ip -n theirs link add v0 type veth peer name pb netns middle
	for n in pa pb; do ip -n middle link set $n master br0 up; done
	ip -n ours addr add $ours/24 dev v0
	ip -n theirs addr add $theirs/24 dev v0
	for n in ours theirs; do ip -n $n link set v0 up; done
}
net_down() { halt_all; local n; for n in ours middle theirs; do ip netns del $n 2>/dev/null; done; }
link_cut() { ip -n middle link set pa nomaster; }
link_heal() { ip -n middle link set pa master br0; }

captures_start() { # NAME
	local n
	for n in ours theirs; do
		spawn cap-$n ip netns exec $n tcpdump -i v0 --immediate-mode -U -n -w "$LAB_DIR/$1-$n.pcap" udp port 3784 or udp port 7784
	done
	wait_for 10 "captures" eval 'grep -q listening cap-ours.log && grep -q listening cap-theirs.log'
}
captures_stop() { sleep 0.5; halt cap-ours; halt cap-theirs; }

# ---- the two ends ------------------------------------------------------------------------
wire_start() { # NAME NAMESPACE COMMAND...
	local name=$1 ns=$2; shift 2
	mkfifo "$LAB_DIR/$name.in"
	ip netns exec "$ns" "$driver" "$@" <"$LAB_DIR/$name.in" >"$LAB_DIR/$name.log" 2>&1 &
	echo $! >"$LAB_DIR/$name.pid"
	exec {wire_in}>"$LAB_DIR/$name.in"
}
wire_say() { local line; for line in "$@"; do echo "$line" >&$wire_in; done; }
wire_stop() { wire_say quit; wait_for 5 "our end to stop" gone "$1"; exec {wire_in}>&-; rm -f "$LAB_DIR/$1.in" "$LAB_DIR/$1.pid"; }
wire_state() { grep " liveness $2 " "$LAB_DIR/$1.log" | tail -n 1 | cut -d ' ' -f 5; } # NAME "link 7"
wire_is() { [ "$(wire_state "$1" "$2")" = "$3" ]; }

frr_start() { # INTERVAL_MS MULTIPLIER; no zebra: an address is all that it needs
	cat >frr.conf <<-EOF
		bfd
		 peer $ours local-address $theirs
		  detect-multiplier $2
		  receive-interval $1
		  transmit-interval $1
		 exit
		exit
	EOF
	mkdir -p frr
	chown frr:frr frr frr.conf
	chmod 711 .
	spawn frr ip netns exec theirs /usr/lib/frr/bfdd -f "$LAB_DIR/frr.conf" --vty_socket "$LAB_DIR/frr" \
		-i "$LAB_DIR/frr/pid" -z "$LAB_DIR/frr/zebra" --bfdctl "$LAB_DIR/frr/bfdd.sock" -P 0 --log stdout
	wait_for 10 "bfdd" test -S frr/bfdd.vty
}
frr_state() { vtysh --vty_socket "$LAB_DIR/frr" -d bfdd -c "show bfd peers" 2>/dev/null | sed -n 's/^\t\tStatus: //p'; }
frr_heard_interval() { vtysh --vty_socket "$LAB_DIR/frr" -d bfdd -c "show bfd peers" | sed -n '/Remote timers/,$ s/.*Transmission interval: //p'; }

bird_start() {
	cat >bird.conf <<-EOF
		router id 10.0.0.2;
		protocol device { }
		protocol bfd {
			interface "v0" { min rx interval $1 ms; min tx interval $1 ms; idle tx interval 1 s; multiplier $2; };
			neighbor $ours dev "v0" local $theirs;
		}
	EOF
	spawn bird ip netns exec theirs bird -f -c "$LAB_DIR/bird.conf" -s "$LAB_DIR/bird.ctl" -P "$LAB_DIR/bird.run"
	wait_for 10 "bird" test -S bird.ctl
}
bird_line() { birdc -s "$LAB_DIR/bird.ctl" show bfd sessions 2>/dev/null | grep "^$ours"; }
bird_state() { bird_line | awk '{print tolower($3)}'; }
bird_heard_interval() { bird_line | awk '{print $5 * 1000 "ms"}'; } # the interval that it sends at, which our RX sets

theirs_is() { [ "$("$1"_state)" = "$2" ]; }

# ---- judging captures ----------------------------------------------------------------------
fields() { # PCAP FILTER FIELD...
	local pcap=$1 filter=$2 f args=(); shift 2
	for f; do args+=(-e "$f"); done
	tshark -n -r "$pcap" -d udp.port==7784,bfd -Y "$filter" -T fields "${args[@]}" 2>/dev/null
}
count() { fields "$1" "$2" frame.number | wc -l; }

well_formed() { # NAME: in both captures
	local n pcap all
	for n in ours theirs; do
		pcap=$LAB_DIR/$1-$n.pcap
		all=$(tshark -n -r "$pcap" -Y udp -T fields -e frame.number 2>/dev/null | wc -l)
		at_least "$1: packets captured at $n" "$all" 50
		is "$1: all of them are BFD version 1 of 24 bytes" "$(count "$pcap" 'bfd.version == 1 && bfd.message_length == 24')" "$all"
		is "$1: and none is malformed or warned of" "$(count "$pcap" '_ws.malformed || _ws.expert.severity >= 0x600000')" 0
	done
	pcap=$LAB_DIR/$1-ours.pcap
	is "$1: we never send but with TTL 255, CS6, a source port of RFC 5881" "$(count "$pcap" \
		"ip.src == $ours && !(ip.ttl == 255 && ip.dsfield.dscp == 48 && (udp.srcport >= 49152 || udp.srcport == 7784))")" 0
	is "$1: we never set P and F at once, nor A, M" "$(count "$pcap" \
		"ip.src == $ours && ((bfd.flags.p == 1 && bfd.flags.f == 1) || bfd.flags.a == 1 || bfd.flags.m == 1)")" 0
}

# Milliseconds from the last packet of PEER before SELF's first "detection time expired", in SELF's capture.
detection_ms() { # PCAP SELF PEER
	local down
	down=$(fields "$1" "ip.src == $2 && bfd.diag == 1 && bfd.sta == 1" frame.time_epoch | head -n 1)
	fields "$1" "ip.src == $3" frame.time_epoch |
		awk -v d="${down:-0}" '$1 < d {last = $1} END {if (last) printf "%.1f\n", (d - last) * 1000}'
}
detected() { # WHO MS DETECTION_MS
	local ratio
	ratio=$(awk -v m="${2:-0}" -v d="$3" 'BEGIN {printf "%d", m * 100 / d}')
	diag "$1: Down $2 ms after the last packet, detection time $3 ms"
	at_least "$1 waits for its detection time, in hundredths" "$ratio" 99
	at_most "$1 is Down within it, in hundredths" "$ratio" 120
}

# ---- one neighbour -------------------------------------------------------------------------
neighbour() { # frr|bird
	local them=$1
	net_up
	captures_start "$them"
	"${them}_start" 100 4
	wire_start ours ours "begin 1" "link 7 $ours $theirs 100000 3 v0" "commit 1"
	ok "$them: our session comes up" wait_for 10 "our session" wire_is ours "link 7" up
	ok "$them: theirs too" wait_for 5 "theirs" theirs_is "$them" up
	sleep 2
	link_cut
	ok "$them: a cut takes ours down" wait_for 5 "ours down" wire_is ours "link 7" down
	ok "$them: and theirs" wait_for 5 "theirs down" theirs_is "$them" down
	captures_stop
	detected "ours (4 x 100 ms, with $them)" "$(detection_ms "$them-ours.pcap" $ours $theirs)" 400
	detected "$them (3 x 100 ms)" "$(detection_ms "$them-theirs.pcap" $theirs $ours)" 300
	well_formed "$them"
	captures_start "$them-2"
	link_heal
	ok "$them: up again after the cut" wait_for 10 "our session" wire_is ours "link 7" up
	wire_say "begin 2" "link 7 $ours $theirs 250000 5 v0" "commit 2"
	ok "$them: hears our new timers" wait_for 5 "new timers" eval "[ \"\$(${them}_heard_interval)\" = 250ms ]"
	sleep 2
	captures_stop
	is "$them: new timers are no flap" "$(grep -c ' liveness link 7 up .*generation=2' ours.log),$(wire_state ours "link 7"),$("${them}_state")" "1,up,up"
	at_least "$them: they came by a poll sequence" "$(count "$them-2-ours.pcap" "ip.src == $ours && bfd.flags.p == 1 && bfd.desired_min_tx_interval == 250000")" 1
	at_least "$them: that they ended" "$(count "$them-2-ours.pcap" "ip.src == $theirs && bfd.flags.f == 1")" 1
	wire_say "begin 3" "link 7 $ours $theirs 20000 5 v0 1400" "commit 3"
	captures_start "$them-3"
	sleep 4
	captures_stop
	at_least "$them: hears a padded poll (RFC 9764)" "$(count "$them-3-theirs.pcap" "ip.src == $ours && bfd.flags.p == 1 && udp.length == 616")" 1
	is "$them: ... and as its Final is short, nothing is said of what the link carries" "$(grep -c ' liveness link 7 .*mtu=[1-9]' ours.log)" 0
	is "$them: ... while the session stays up on both sides" "$(wire_state ours "link 7"),$("${them}_state")" "up,up"
	wire_stop ours
	ok "$them: we stop, they are told" wait_for 1 "theirs down" theirs_is "$them" down
	net_down
}

sbfd() {
	net_up
	captures_start sbfd
	wire_start reflector theirs "begin 1" "reflect $theirs 101" "commit 1"
	local reflector_in=$wire_in
	wire_start ours ours "begin 1" "path 1 $ours $theirs 50000 3 101" "path 2 $ours $theirs 50000 3 102" "commit 1"
	ok "sbfd: the path comes up" wait_for 5 "path" wire_is ours "path 1" up
	sleep 2
	is "sbfd: a path to a reflector that is not there does not" "$(wire_state ours "path 2")" down
	link_cut
	ok "sbfd: a cut takes it down" wait_for 5 "path down" wire_is ours "path 1" down
	link_heal
	ok "sbfd: and up again" wait_for 5 "path" wire_is ours "path 1" up
	wire_stop ours
	captures_stop
	wire_in=$reflector_in wire_stop reflector
	detected "sbfd (3 x 50 ms)" "$(detection_ms sbfd-ours.pcap $ours $theirs)" 150
	well_formed sbfd
	is "sbfd: every question has D, every answer has not and is Up" "$(count sbfd-ours.pcap \
		"(ip.src == $ours && bfd.flags.d == 0) || (ip.src == $theirs && (bfd.flags.d == 1 || bfd.sta != 3 || udp.srcport != 7784))")" 0
	is "sbfd: nothing comes back for the other discriminator" "$(count sbfd-ours.pcap "ip.src == $theirs && bfd.my_discriminator == 102")" 0
	net_down
}

ip link add probe0 type bridge 2>/dev/null && ip link del probe0 || { skip "this kernel has no bridge"; done_testing; }
trap net_down EXIT
[ -n "${1:-}" ] || set -- frr bird sbfd
for them; do
	case $them in
	frr) [ -x /usr/lib/frr/bfdd ] && neighbour frr || skip "no FRR here" ;;
	bird) [ -x /usr/sbin/bird ] && neighbour bird || skip "no BIRD here" ;;
	sbfd) sbfd ;;
	esac
done
done_testing
