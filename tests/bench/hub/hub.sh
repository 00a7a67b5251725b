# SPDX-License-Identifier: Apache-2.0
# The inside of make bench-hub: one gateway applied from nothing, its messages replayed by a bare sender, and the same
# state made by ip -batch, tc -batch, wg setconf and nft -f. Each in a namespace of its own, in turns; the best counts.
# seconds: 900
# memory: 8192M
#
# Then the link falls that most ways back go over, and at another site that most label routes go over: what our own repair takes.
#
#	hub.sh FOLDER [ROUNDS [COLORS [GATEWAYS]]]	FOLDER holds hub.bundle, changed.bundle, narrow.bundle,
#							transit.bundle, hub.seal and roster
. "$LAB_TREE/tests/lab/lib.sh"
folder=$1 rounds=${2:-3} colors=${3:-1} gateways=${4:-1}
driver=$LAB_TREE/build/bench/hub_driver tuyen=$LAB_BIN/tuyen
declare -A best
missed=0

fresh() { # a namespace like the last one was
	ip netns del hub 2>/dev/null
	ip netns add hub && ip -n hub link set lo up
}
in_hub() { ip netns exec hub "$@"; }
figure() { sed -n "s/^$2 //p" "$1"; }
lower() { # NAME VALUE: keeps the lowest
	best[$1]=$(awk -v a="${best[$1]:-}" -v b="$2" 'BEGIN {print (a == "" || b + 0 < a + 0) ? b : a}')
}
judge() { # WHAT VALUE RELATION LIMIT
	local word=ok
	awk -v v="$2" -v l="$4" -v r="$3" 'BEGIN {exit !(r == "<=" ? v + 0 <= l + 0 : v + 0 >= l + 0)}' || { word=MISSED; missed=1; }
	printf '%-62s %10s   bar %s %-8s %s\n' "$1" "$2" "$3" "$4" $word
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }

ours() {
	fresh
	in_hub "$driver" apply "$folder/hub.bundle" link.key session.key >ours || { cat ours; exit 1; }
	for f in desired read plan apply sum again; do lower $f "$(figure ours $f)"; done
}
bare() {
	fresh
	in_hub "$driver" replay messages >bare || { cat bare; exit 1; }
	lower replay "$(figure bare replay)"
	[ "$(figure bare failed)" = 0 ] || { echo "the bare sender failed: $(cat bare)"; missed=1; }
}
scripts_make() { # what the plan says in words, as the tools take it
	fresh
	in_hub "$driver" commands "$folder/hub.bundle" link.key session.key
	sed -n 's/, listen-port.*//; s/^ip link add \([^ ]*\) \(type.*\) mtu \([0-9]*\)$/link add \1 mtu \3 group 21593 \2/p' plan.txt >links
	sed -n 's/^link add \([^ ]*\) .*/link set \1 up alias "tuyen: bench"/p' links >>links
	sed -n 's/^ip \(address .*\)/\1/p; s/^ip \(route.*dev link0.*\)/\1 scope link proto 84/p' plan.txt >onlink
	sed -n '/dev link0/! s/^ip \(route .*\)/\1 scope global proto 84/p; s/^ip \(rule .*\)/\1 protocol 84/p' plan.txt >rest
	sed -n 's/^ip -f mpls \(.*\)/\1 proto 84/p' plan.txt >labels
	sed -n 's|^sysctl ||p' plan.txt >sysctls
	awk '/^tc filter add dev/ {
		print "qdisc add dev " $5 " clsact"
		print "filter add dev " $5 " ingress prio 2 protocol all matchall action drop"
		sub(/,? ?else drop$/, ""); n = split($NF, stacks, ",")
		for (i = 1; i <= n; i++) {
			depth = split(stacks[i], label, "/")
			line = "filter add dev " $5 " ingress protocol mpls_uc prio 1 flower mpls"
			for (d = 1; d <= depth; d++) line = line " lse depth " d " label " label[d] (d == depth ? " bos 1" : "")
			print line " action pass"
		}}' plan.txt >filters
}
tools() {
	local begin conf
	fresh
	begin=$EPOCHREALTIME
	in_hub ip -batch links && in_hub nft -f table.nft || missed=1
	for conf in *.conf; do in_hub wg setconf "${conf%.conf}" "$conf" || missed=1; done
	in_hub ip -batch onlink || missed=1
	in_hub tc -batch filters || missed=1
	in_hub sysctl -qp sysctls || missed=1
	in_hub ip -f mpls -batch labels && in_hub ip -batch rest || missed=1
	lower tools "$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", (b - a) * 1000}')"
	in_hub "$driver" apply "$folder/hub.bundle" link.key session.key >left 2>&1 ||
		{ echo "what the tools left could not be applied: $(tail -n 1 left)"; missed=1; }
	[ -n "${said:-}" ] || said=$(figure left operations)
}

# ---- the daemon itself: how much memory do its processes share out among them? ------------------
pss_of() { awk '/^Pss:/ {print $2}' "/proc/$1/smaps_rollup"; }
settled() { "$tuyen" status --control run/control --json 2>/dev/null | jq -e '.daemon.turns > 1 and .daemon.operations > 60000' >/dev/null; }
processes() { pid_of tuyend; pgrep -P "$(pid_of tuyend)"; pid_of tuyen-snmp; }
memory_look() { # appends to the file "memory" what each process has, and the sum
	local p kb total=0 line=
	for p in $(processes); do
		kb=$(pss_of "$p")
		[ -n "$kb" ] || { echo "a process is gone: the sum is not all"; missed=1; }
		line+=" $(cat "/proc/$p/comm")=${kb:-0}"
		total=$((total + ${kb:-0}))
	done
	echo "$total$line" >>memory
}
daemon_measure() {
	local i part
	fresh
	mkdir -p state/keys state/incoming run
	cp "$folder/roster" state/roster && cp "$folder/hub.seal" state/incoming/1.seal
	"$tuyen" keygen -o state/keys --site npdc-1 >/dev/null
	chown -R 64101:64101 state
	chmod 711 "$LAB_DIR"
	spawn tuyend ip netns exec hub "$LAB_BIN/tuyend" --site 1 --state "$LAB_DIR/state" --run "$LAB_DIR/run" \
		--user 64101 --wire-user 64102 --group 64101
	wait_for 60 "the daemon's first turn" settled || { diag_file tuyend.log; return 1; }
	spawn tuyen-snmp ip netns exec hub "$LAB_BIN/tuyen-snmp" --control "$LAB_DIR/run/control" --agentx "unix:$LAB_DIR/no-master"
	for ((i = 0; i < 120; i++)); do memory_look; sleep 0.2; done # several turns, and several times a status
	pss=$(sort -n memory | tail -n 1)
	printf '\n%-34s %10s %10s\n' "memory, kB of PSS" "half-time" most
	printf '%-34s %10s %10s\n' "all processes" "$(sort -n memory | sed -n '60s/ .*//p')" "${pss%% *}"
	for part in ${pss#* }; do
		printf '%-34s %10s %10s\n' "... ${part%=*}" "$(sed "s/.* ${part%=*}=\([0-9]*\).*/\1/" memory | sort -n | sed -n 60p)" "${part#*=}"
	done
	pss=${pss%% *}
	halt_all
}

repair_measure() { # BUNDLE: what the link's fall costs, into best: look, moved, labels, and into the file BUNDLE.repair
	local i f
	for ((i = 0; i < rounds; i++)); do
		fresh
		in_hub "$driver" apply "$folder/$1.bundle" link.key session.key >applied &&
			in_hub "$driver" repair "$folder/$1.bundle" link.key session.key >"$1.repair" || { cat applied "$1.repair"; exit 1; }
		for f in look moved labels; do lower "$1-$f" "$(figure "$1.repair" $f)"; done
	done
}
repairs_measure() {
	repair_measure narrow
	repair_measure transit
	echo
	printf '%-34s %10s %10s\n' "our own repair, a first hop falls" ms messages
	printf '%-34s %10s\n' "what is to be set is known" "${best[narrow-look]}"
	printf '%-34s %10s %10s\n' "$(figure narrow.repair returns) ways back are moved" "${best[narrow-moved]}" "$(figure narrow.repair messages)"
	printf '%-34s %10s %10s\n' "$(figure transit.repair label-routes) transit labels, in one batch" "${best[transit-labels]}" \
		"$(figure transit.repair label-messages)"
	printf '%-34s %10s\n' "operations left for the next turn" "$(figure narrow.repair left) $(figure transit.repair left)"
	echo
	judge "our own repair of $(figure narrow.repair returns) ways back, ms" "${best[narrow-moved]}" "<=" 1
	judge "... and operations left over" "$(($(figure narrow.repair left) + $(figure transit.repair left)))" "<=" 0
}

moves_measure() { # all ways back leave by one first hop, and are to leave by another
	local i
	fresh
	ip -n hub link add dummy0 type dummy && ip -n hub addr add 100.64.0.9/24 dev dummy0 && ip -n hub link set dummy0 up
	for i in 1 2; do
		ip -n hub link add lsp$i type ipip mode mplsip local 100.64.0.9 remote 100.64.0.$i && ip -n hub link set lsp$i up
	done
	in_hub sysctl -qw net.mpls.platform_labels=100000 net.mpls.conf.lo.input=1 net.ipv4.nexthop_compat_mode=0
	in_hub "$LAB_TREE/build/bench/move" 10611 >moves || { cat moves; missed=1; }
}

for k in link session; do wg genkey >$k.key; done
fresh
RECORD=$LAB_DIR/messages in_hub "$driver" apply "$folder/hub.bundle" link.key session.key >first || { cat first; exit 1; }
scripts_make
for ((i = 0; i < rounds; i++)); do ours; bare; tools >tools.log 2>&1; done
head -n 5 tools.log
ours
COUNT=1 in_hub "$driver" apply "$folder/hub.bundle" link.key session.key >same || { cat same; exit 1; }
is_changed() { # one site has another key and network
	COUNT=1 in_hub "$driver" apply "$folder/changed.bundle" link.key session.key >changed || { cat changed; exit 1; }
}
is_changed
echo
printf '%-34s %10s\n' "gateway 1 of $gateways, $(grep -c '^peer ' "$folder/hub.bundle") peers, $(grep -c '^return ' "$folder/hub.bundle") ways back" "ms"
for f in desired read plan apply sum replay tools again; do
	case $f in
	desired) what="desired state" ;; read) what="reading the empty kernel" ;; plan) what="plan" ;;
	apply) what="apply" ;; sum) what="whole turn" ;; replay) what="bare sender, the same messages" ;;
	tools) what="ip, tc, wg, nft and sysctl" ;; again) what="reading all of it, and the plan" ;;
	esac
	printf '%-34s %10s\n' "$what" "${best[$f]}"
done
echo "operations $(figure first operations), messages $(figure first messages); the tools left $said operations undone"
echo
judge "apply / the kernel's own time" "$(ratio "${best[apply]}" "${best[replay]}")" "<=" 1.15
judge "the tools / apply" "$(ratio "${best[tools]}" "${best[apply]}")" ">=" 2
judge "no change: changing messages" "$(figure same messages)" "<=" 0
judge "one changed site: messages" "$(figure changed messages)" "<=" $((20 * colors))
repairs_measure
moves_measure
echo
printf '%-34s %10s %10s\n' "the same as the kernel can, 10,611" ms messages
for f in routes same-metric nexthops nexthop label rule; do
	case $f in
	routes) what="routes rewritten" ;; same-metric) what="... if they had one metric" ;;
	nexthops) what="nexthop objects, one a stack" ;; nexthop) what="one object, were the stacks alike" ;;
	label) what="one label route that all go through" ;;
	rule) what="one rule to a table of theirs, as we do" ;;
	esac
	printf '%-34s %10s %10s\n' "$what" $(sed -n "s/^$f //p" moves)
done
daemon_measure
[ "$colors$gateways" != 11 ] || judge "memory of all processes at its most, kB" "${pss:-none}" "<=" 65536
ip netns del hub
exit $missed
