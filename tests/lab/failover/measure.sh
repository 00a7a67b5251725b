# SPDX-License-Identifier: Apache-2.0
# Measures one candidate's rows in one boot; a line "figure: WHO ROW OUTAGE_MS LOST" a row. See tests/lab/bench-failover.
#
#	measure.sh WHO PROBE_MS PROBE_TIMES ROW...
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
folder=$LAB_TREE/tests/lab/failover
. "$folder/net.sh"
. "$folder/wireguard.sh"
who=$1 PROBE_MS=$2 PROBE_TIMES=$3; shift 3
. "$folder/$who.sh"
holds=${who}_holds holds=${!holds} # seconds that a fault lasts
interval=${who}_interval interval=${!interval:-1} # ms from packet to packet
without=${who}_without without=${!without:-} # rows that it has no part in

hear() { # SECONDS SITE DEVICE FILTER: until the next such packet
	in_site "$2" timeout "$1" tcpdump -i "$3" -c 1 --immediate-mode -Z root -w /dev/null "$4" 2>>hear.log
}
# Each within a millisecond of the one before: so much sooner whoever heard first misses the next. Three meet by chance too seldom
# for that, and have four.
rest_hear() { # (SITE DEVICE FILTER)...
	local apart=0.001
	[ $# -le 3 ] || apart=0.004
	while [ $# -gt 0 ]; do hear $apart "$1" "$2" "$3" || return 1; shift 3; done
}
all_hear() { # (SITE DEVICE FILTER)...: the first, and then the rest
	local try
	for ((try = 0; try < 2000; try++)); do
		hear "$(lab_patience 10)" "$1" "$2" "$3" || { diag "$1 hears nothing on $2: $3"; diag_file hear.log 5; return 1; }
		rest_hear "${@:4}" && return 0
	done
	diag "these never hear each other at once: $*"
	return 1
}
fault() { "fault_${row_fault[$2]%% *}" "$1" ${row_fault[$2]#* }; } # add|delete ROW

measure() { # ROW
	local site=${row_site[$1]} last=$holds
	"${who}_ready" || { echo "figure: $who $1 not-ready -"; return; }
	case $1 in loss-30) last=10 ;; mtu-hole) last=9 ;; esac
	stream_start "$site" "$interval" "$([ "${row_bytes[$1]}" -gt 0 ] && echo "${row_bytes[$1]}" || echo 64)"
	sleep 0.5
	"${who}_moment" "$1" || { halt "stream-$site"; echo "figure: $who $1 no-moment -"; return; }
	fault add "$1"
	sleep "$last"
	diag "$who $1: $("${who}_why" "$site" 2>&1)"
	stream_stop "$site"
	fault delete "$1"
	[ $((tail * interval)) -le 100 ] || outage_ms=never
	[ "$1" != loss-30 ] || outage_ms=$((lost * interval))
	echo "figure: $who $1 ${outage_ms:-none} ${lost:-none}"
}

"${who}_up" || { diag "$who does not come up"; exit 1; }
stream_echo_start
for row; do
	case " $without " in *" $row "*) continue ;; esac
	measure "$row"
done
[ "$LAB_KERNEL" = virtual ] || country_down # a kernel of our own ends with us
