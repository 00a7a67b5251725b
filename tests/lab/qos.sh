# SPDX-License-Identifier: Apache-2.0
# A commune on a slow line. Sourced after country.sh, by the scenario and by the bench.
#
# The carrier's line to phuc-xa takes 2 Mbit/s of IP packets each way and queues 200 packets, as modems do: netem in the
# carrier's net towards the commune, and at the commune's end of the line towards the carrier. What the nodes know of it is
# what the topology says. One policy carries queries, another copies images.

qos_paths=3 qos_sessions=2
LINE_RATE=2mbit LINE_QUEUE=200 SERIALIZATION_US=6000 # of 1,500 bytes
QUERY_PORT=7000 IMAGE_PORT=873
load=$LAB_TOOLS/load

qos_sources() { # RATE: the words behind the commune's uplink; "" none
	sed "/^site phuc-xa/,/^}/s/uplink fibre dynamic;/uplink fibre dynamic $1;/" \
		"$LAB_TREE/topology/examples/first-light.topology" >"qos$2.topology"
	sed 's/class query { to port tcp 443; priority high; }/class query { to port udp 7000, tcp 443; priority high; share 50%; }\
class image { to port tcp 873; priority low; share 20%; }\
policy images color 20 {\
	from tier commune; to tier npdc; carry image;\
	path main preference 200 via parent;\
	encrypt end-to-end;\
}/; s/carry query, alarm;/carry query;/; /^class alarm/d' \
		"$LAB_TREE/policies/examples/first-light.policy" >qos.policy
	echo "$LAB_DIR/qos$2.topology $LAB_DIR/qos.policy"
}

qos_one_policy() { # queries and images share a session, and so a queue
	sed -i '/^policy images/,/^}/d; s/carry query;/carry query, image;/' qos.policy
	qos_paths=2 qos_sessions=1
}

qos_line_up() {
	ip netns exec carrier tc qdisc replace dev u-phuc-xa root netem rate $LINE_RATE -14 limit $LINE_QUEUE &&
		ip netns exec phuc-xa tc qdisc replace dev u-carrier root netem rate $LINE_RATE -14 limit $LINE_QUEUE
}

qos_up() { # the country with a slow line, and what fills it
	local s
	country_net && qos_line_up && country_officers >make.log 2>&1 && country_keys >>make.log 2>&1 &&
		country_release 1 >>make.log 2>&1 || { diag_file make.log 40; return 1; }
	install_and_start 1 $COUNTRY_SITES
	wait_for 60 "the links of hanoi" links_up hanoi 3 &&
		wait_for 30 "the paths of phuc-xa" paths_up phuc-xa $qos_paths &&
		wait_for 30 "the sessions of phuc-xa" status_is phuc-xa '[.sessions[] | select(.state == "up")] | length' $qos_sessions ||
		{ country_diagnose; return 1; }
	spawn answer ip netns exec lan-npdc-hn "$load" answer "${country_host[npdc-hn]}" $QUERY_PORT
	spawn images ip netns exec lan-npdc-hn "$load" server "${country_host[npdc-hn]}" $IMAGE_PORT
	wait_for 10 "the answers" listening lan-npdc-hn udp $QUERY_PORT && wait_for 10 "the images" listening lan-npdc-hn tcp $IMAGE_PORT
}

qos_fill() { # up|down|none: a bulk transfer begins and saturates the line
	[ "$1" != none ] || return 0
	spawn bulk ip netns exec lan-phuc-xa "$load" "$1" "${country_host[npdc-hn]}" $IMAGE_PORT
	sleep 4
}
qos_empty() { # it ends; sets bulk_kbps
	bulk_kbps=0
	[ "$1" != none ] || return 0
	signal_and_wait bulk TERM
	eval "$(grep -E '^bytes=[0-9]+ ms=[0-9]+$' bulk.log)"
	bulk_kbps=$((bytes * 8 / ms))
	sleep 4 # what was queued goes away
}
qos_queries() { # COUNT: sets sent, answered, p50_us, p90_us, p99_us, max_us
	sent= answered= p50_us= p90_us= p99_us= max_us=
	eval "$(in_site lan-phuc-xa "$load" query "${country_host[npdc-hn]}" $QUERY_PORT 40 "$1" 200 600)"
}
qos_measure() { # NAME up|down|none COUNT
	qos_fill "$2"
	qos_queries "$3"
	qos_empty "$2"
	figures=$(printf '%-28s p50 %7.1f  p90 %7.1f  p99 %7.1f  max %7.1f ms  answered %s of %s  bulk %s kbit/s' "$1" \
		"$(ms_of "$p50_us")" "$(ms_of "$p90_us")" "$(ms_of "$p99_us")" "$(ms_of "$max_us")" "$answered" "$sent" "$bulk_kbps")
	diag "$figures"
}
ms_of() { # MICROSECONDS; what was never answered has no time
	[ "$1" -lt 100000000 ] && echo "$(($1 / 1000)).$(($1 % 1000 / 100))" || echo 99999.9
}
