# SPDX-License-Identifier: Apache-2.0
# Tuyen: S-BFD along each path from the commune, BFD on each link.
ours_holds=2

ours_up() {
	local s
	sed "s/probe 50ms x 3/probe ${PROBE_MS}ms x $PROBE_TIMES/" "${COUNTRY_SOURCES%% *}" >bench.topology
	COUNTRY_SOURCES="bench.topology ${COUNTRY_SOURCES##* }"
	country_net && country_officers >make.log 2>&1 && country_keys >>make.log 2>&1 &&
		country_release 1 >>make.log 2>&1 || { diag_file make.log 40; return 1; }
	for s in $COUNTRY_SITES; do install_before_start "$s" 1; start_daemon "$s"; done
}

ours_commune_ready() { paths_up "$1" 2 && path_is "$1" main && session_up "$1"; }
ours_ready() {
	wait_for 60 "the links of npdc-hn" links_up npdc-hn 2 && wait_for 60 "the links of hanoi" links_up hanoi 4 &&
		wait_for 60 "the paths of phuc-xa" ours_commune_ready phuc-xa &&
		wait_for 60 "the paths of kham-thien" ours_commune_ready kham-thien &&
		wait_for 60 "the paths of truc-bach" ours_commune_ready truc-bach
}

# The path's own probe tells the commune; of the trunk's repair, the trunk's.
ours_moment() { # ROW
	local site=${row_site[$1]} node=${row_near[$1]% *} from=${row_near[$1]#* } source device=lo
	source="udp src port 7784 and dst host $(status_get "$site" '.paths[] | select(.active) | .source')"
	[ "$1" != local-repair ] || { source="udp dst port 3784 and src host $(link_address "$node" "$from")" site=$node device=link0; }
	hear "$site" $device "$source"
}
link_address() { status_get "$1" ".links[] | select(.site == \"$2\") | .link_address"; } # NODE NEIGHBOR
ours_why() { echo "$(active_path "$1"): $(status "$1" | jq -c '[.paths[] | [.name, .state, .diagnostic]]')"; } # SITE
