# SPDX-License-Identifier: Apache-2.0
# The inside of make bench-liveness: our wire process, BIRD and a bare loop, each against the same neighbours.
# seconds: 600
# needs: interop
# lab: host
#
#	hub 10.1.0.1 --- v0 | v0 --- far 10.2.0.1, .2, ...: all of them one bare process
#
# Packets are counted by the hub's v0, processor time is the process's own, by its clock. What a packet
# costs until it is in the other's socket is spent by its sender: so that this is the daemon's cost and not its neighbours',
# those go deaf once all are up, at the first place where a packet can be dropped, and go on sending.
. "$LAB_TREE/tests/lab/lib.sh"
window=${1:-10} rounds=3 # what else a machine does comes and goes: of each ratio the median counts
driver=$LAB_TREE/build/interop/wire_driver bare=$LAB_TREE/build/bench/bare
missed=0

net_up() {
	local n
	for n in hub far; do ip netns add $n; ip -n $n link set lo up; done
	ip link add v0 netns hub type veth peer name v0 netns far
	ip -n hub addr add 10.1.0.1/8 dev v0
	for ((n = 0; n < 500; n++)); do echo "addr add 10.2.$(((n + 1) / 256)).$(((n + 1) % 256))/8 dev v0"; done | ip -n far -batch -
	for n in hub far; do
		ip -n $n link set v0 up
		ip netns exec $n sysctl -qw net.core.rmem_max=8388608 2>/dev/null
	done
}
in_hub() { ip netns exec hub "$@"; }
remote() { echo "10.2.$((($1 + 1) / 256)).$((($1 + 1) % 256))"; }
packets() { in_hub awk '$1 == "v0:" {print $3 + $11}' /proc/net/dev; }
cpu_ns() { "$bare" cpu "$1"; }
judge() { # WHAT VALUE RELATION LIMIT
	local word=ok
	awk -v v="$2" -v l="$4" -v r="$3" 'BEGIN {exit !(r == "<=" ? v + 0 <= l + 0 : v + 0 >= l + 0)}' || { word=MISSED; missed=1; }
	printf '%-58s %10s   bar %s %-6s %s\n' "$1" "$2" "$3" "$4" $word
}
median() { printf '%s\n' "$@" | sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }

far_deaf() { ip netns exec far nft 'table ip deaf { chain in { type filter hook prerouting priority -500; udp dport 3784 drop; }; }'; }
far_hears() { ip netns exec far nft delete table ip deaf; }
far_start() { spawn far ip netns exec far chrt -r 20 "$bare" far "$1" "$2"; }
ours_start() { # COUNT INTERVAL_US
	local i args=("begin 1")
	for ((i = 0; i < $1; i++)); do args+=("link $((i + 1)) 10.1.0.1 $(remote $i) $2 3 v0"); done
	args+=("commit 1")
	mkfifo ours.in 2>/dev/null
	ip netns exec hub "$driver" "${args[@]}" <ours.in >ours.log 2>&1 &
	echo $! >ours.pid
	exec {ours_in}>ours.in
	sleep 0.5
	subject=$(pgrep -P "$(pid_of ours)" | head -n 1)
}
ours_stop() { echo quit >&$ours_in; wait_for 5 "our end to stop" gone ours; exec {ours_in}>&-; rm -f ours.pid; }
bare_start() { spawn bare ip netns exec hub "$bare" hub "$1" "$2"; sleep 0.5; subject=$(pid_of bare); }
bare_stop() { halt bare; }
look_start() { spawn bare ip netns exec hub "$bare" look "$1" "$2"; sleep 0.5; subject=$(pid_of bare); }
look_stop() { halt bare; }
bird_start() {
	local i
	{
		echo 'router id 10.1.0.1; protocol device { } protocol bfd {'
		echo "interface \"v0\" { min rx interval $2 us; min tx interval $2 us; idle tx interval 1 s; multiplier 3; };"
		for ((i = 0; i < $1; i++)); do echo "neighbor $(remote $i) dev \"v0\" local 10.1.0.1;"; done
		echo '}'
	} >bird.conf
	spawn bird ip netns exec hub bird -f -c "$LAB_DIR/bird.conf" -s "$LAB_DIR/bird.ctl" -P "$LAB_DIR/bird.run"
	sleep 0.5
	subject=$(pid_of bird)
}
bird_stop() { halt bird; }

# A daemon says it itself, but the neighbours know best: how many of them are up is asked at the end, flaps are its log's.
measure() { # WHO COUNT INTERVAL_US: sets cost (us a packet), rate (packets a second), up
	local p0 c0 p1 c1
	far_start "$2" "$3"
	"$1_start" "$2" "$3"
	sleep 4
	far_deaf
	p0=$(packets) c0=$(cpu_ns "$subject")
	sleep "$window"
	p1=$(packets) c1=$(cpu_ns "$subject")
	fallen=0
	if [ "$1" = ours ]; then
		[ -s ours.log ] || { echo "ours said nothing: its falls cannot be counted"; exit 1; }
		fallen=$(grep -c "liveness link .* down 'detection" ours.log || true) # 1: there is none
	fi
	far_hears
	halt far
	"$1_stop"
	up=$(sed -n 's/.* up //p' far.log)
	cost=$(awk -v c=$((c1 - c0)) -v p=$((p1 - p0)) 'BEGIN {printf "%.2f", c / p / 1000}')
	rate=$(((p1 - p0) / window))
	share=$(awk -v c=$((c1 - c0)) -v w="$window" 'BEGIN {printf "%.1f", c / w / 1e7}')
}
row() { printf '%-28s %8s us a packet  %7s packets/s  %5s %% of a core  %4s up\n' "$1" "$cost" "$rate" "$share" "$up"; }

reflections() { # PORT: replies a second of the subject's processor time
	local c0 c1
	c0=$(cpu_ns "$subject")
	ip netns exec far "$bare" ask "$1" 64 "$window" 1 >asked
	c1=$(cpu_ns "$subject")
	per_second=$(awk -v n="$(sed -n 's/^replies //p' asked)" -v c=$((c1 - c0)) 'BEGIN {printf "%.0f", n * 1e9 / c}')
}

net_up
echo "# load $(cut -d' ' -f1 /proc/loadavg), window $window s"
echo
measure look 500 50000
row "look, 500 x 50 ms"
to_bare= to_bird=
for ((round = 0; round < rounds; round++)); do
	for who in bare ours bird; do
		measure $who 500 50000
		declare "cost_$who=$cost"
		row "$who, 500 x 50 ms"
	done
	to_bare+="$(ratio "$cost_ours" "$cost_bare") " to_bird+="$(ratio "$cost_ours" "$cost_bird") "
done
measure ours 200 10000
row "ours, 200 x 10 ms"
spawn echo ip netns exec hub "$bare" echo 7784; sleep 0.3; subject=$(pid_of echo)
reflections 7784
echo_rate=$per_second
halt echo
mkfifo ours.in 2>/dev/null
ip netns exec hub "$driver" "begin 1" "reflect 10.1.0.1 1" "commit 1" <ours.in >ours.log 2>&1 &
echo $! >ours.pid
exec {ours_in}>ours.in
sleep 0.5
subject=$(pgrep -P "$(pid_of ours)" | head -n 1)
reflections 7784
ours_stop
printf '%-28s %8s replies a second of processor time\n%-28s %8s\n\n' "echo loop" "$echo_rate" "our reflector" "$per_second"
judge "processor time a BFD packet, ours / bare" "$(median $to_bare)" "<=" 1.3
judge "... ours / BIRD" "$(median $to_bird)" "<=" 0.6
judge "200 x 10 ms: sessions that fell" "$fallen" "<=" 0
judge "S-BFD replies a second, ours / echo loop" "$(ratio "$per_second" "$echo_rate")" ">=" 0.8
halt_all
for n in hub far; do ip netns del $n; done
exit $missed
