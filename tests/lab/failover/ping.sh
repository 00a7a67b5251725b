# SPDX-License-Identifier: Apache-2.0
# Static routes, and a script at either end of each commune's session that pings along both ways and moves one route: what
# many a branch office runs. A way is down after PROBE_TIMES pings without an answer, up again after 2 s of answers.
#
# For commune n the main way has the addresses 10.251.n.1 (the commune) and 10.252.n.1 (the gateway), the spare way .2.
ping_without=gateway-dead # it knows one
ping_holds=2
ping_communes="phuc-xa kham-thien truc-bach"
ping_way() { # COMMUNE NUMBER(1 main, 2 spare): the sites that it goes through
	case $1.$2 in
	phuc-xa.1|truc-bach.1) echo "$1 ba-dinh hanoi npdc-hn" ;;
	phuc-xa.2|truc-bach.2) echo "$1 le-chan hai-phong npdc-hn" ;;
	kham-thien.1) echo "$1 dong-da hanoi npdc-hn" ;;
	kham-thien.2) echo "$1 ngo-quyen hai-phong npdc-hn" ;;
	esac
}
ping_number() { echo $((${country_id[$1]} - 900)); }
ping_route() { ip -n "$1" route replace "$2" dev "l${country_id[$3]}"; } # SITE PREFIX NEIGHBOR
ping_routes() { # COMMUNE NUMBER SITE...: of one way, hop by hop
	local n k=$2 lan=${country_lan[$1]}
	n=$(ping_number "$1"); shift 2
	ip -n "$1" addr add 10.251.$n.$k/32 dev lo
	ip -n "$4" addr add 10.252.$n.$k/32 dev lo
	local i sites=("$@")
	for i in 0 1 2; do
		ping_route "${sites[i]}" 10.252.$n.$k/32 "${sites[i + 1]}"
		ping_route "${sites[i + 1]}" 10.251.$n.$k/32 "${sites[i]}"
		if [ "$i" -ge 1 ] || [ $k = 1 ]; then ping_route "${sites[i]}" 10.0.0.0/16 "${sites[i + 1]}"; fi
		if [ "$i" -le 1 ] || [ $k = 1 ]; then ping_route "${sites[i + 1]}" "$lan" "${sites[i]}"; fi
	done
}

ping_watch() { # NAME NUMBER PROBE_MS: lines of ping -O; says up or down in NAME.NUMBER.way, then runs ping_choose
	local line failed=0 good=0 way=down
	while read -r line; do
		case $line in
		*"bytes from"*) failed=0 good=$((good + 1)); [ $good -lt $((2000 / $3)) ] || way=up ;;
		"no answer yet"*|From*|ping:*) good=0 failed=$((failed + 1)); [ $failed -lt "$PROBE_TIMES" ] || way=down ;;
		*) continue ;;
		esac
		[ "$(<"$1.$2.way")" = $way ] || { echo $way >"$1.$2.way"; ping_choose "$1"; }
	done
}
ping_choose() { # NAME: the main way if it is up, else the spare one if that is
	( flock 9
	case $(<"$1.1.way").$(<"$1.2.way") in
	up.*) ip route replace "$PREFIX" dev "$DEVICE1" ;;
	down.up) ip route replace "$PREFIX" dev "$DEVICE2" ;;
	esac ) 9>"$1.lock"
}
ping_track() { # NAME SOURCE1 TARGET1 SOURCE2 TARGET2 PREFIX DEVICE1 DEVICE2 PROBE_MS
	PREFIX=$6 DEVICE1=$7 DEVICE2=$8
	ping -n -O -i "0.$(printf %03d "$9")" -I "$2" "$3" 2>&1 | ping_watch "$1" 1 "$9" &
	ping -n -O -i "0.$(printf %03d "$9")" -I "$4" "$5" 2>&1 | ping_watch "$1" 2 "$9" &
	wait
}
export -f ping_track ping_watch ping_choose

ping_up() {
	local s n k
	wireguard_up
	export PROBE_TIMES
	for s in $ping_communes; do
		n=$(ping_number "$s")
		for k in 1 2; do ping_routes "$s" $k $(ping_way "$s" $k); done
	done
	for s in $ping_communes; do
		n=$(ping_number "$s")
		set -- $(ping_way "$s" 1) $(ping_way "$s" 2)
		ping_start "$s" "$s" 10.251.$n.1 10.252.$n.1 10.251.$n.2 10.252.$n.2 10.0.0.0/16 "l${country_id[$2]}" "l${country_id[$6]}"
		ping_start npdc-hn "$s-back" 10.252.$n.1 10.251.$n.1 10.252.$n.2 10.251.$n.2 "${country_lan[$s]}" "l${country_id[$3]}" "l${country_id[$7]}"
	done
}
ping_start() { # NAMESPACE NAME WORD...
	local ns=$1 name=$2 ms=$PROBE_MS; shift 2
	case $name in kham-thien*) ms=300 ;; esac
	echo down >"$name.1.way"; echo down >"$name.2.way"
	spawn "track-$name" ip netns exec "$ns" bash -c 'ping_track "$@"' _ "$name" "$@" "$ms"
}
ping_ready() {
	local s
	for s in $ping_communes; do
		wait_for 60 "the ways of $s" eval "grep -q up $s.1.way && grep -q up $s.2.way && grep -q up $s-back.1.way && grep -q up $s-back.2.way" || return 1
	done
	wait_for 10 "the main ways" main_ways
}
ping_moment() { # ROW: just after the commune heard an answer on its main way
	local site=${row_site[$1]}
	all_hear "$site" "l${country_id[$(set -- $(ping_way "$site" 1); echo "$2")]}" "icmp[icmptype] == icmp-echoreply"
}
ping_why() { ip -n "$1" route show 10.0.0.0/16; }
