# SPDX-License-Identifier: Apache-2.0
# Tuyen: S-BFD along each path from the commune, BFD on each link.
ours_holds=2

ours_up() {
	local s
	sed "s/probe 50ms x 3/probe ${PROBE_MS}ms x $PROBE_TIMES/" "${COUNTRY_SOURCES%% *}" >bench.topology
	COUNTRY_SOURCES="bench.topology ${COUNTRY_SOURCES##* }"
	country_net && country_officers >make.log 2>&1 && country_keys >>make.log 2>&1 &&
		country_release 1 >>make.log 2>&1 || { diag_file make.log 40; return 1; }
	install_and_start 1 $COUNTRY_SITES
}

ours_commune_ready() { # on the main paths to both gateways, and by the nearer of these
	paths_up "$1" 4 && status_is "$1" '[.paths[] | select(.active) | .name] | unique | join(" ")' main &&
		status_is "$1" '[.sessions[] | select(.standby | not) | "\(.peer) \(.state)"] | join(" ")' "npdc-hn up"
}
ours_ready() {
	local s
	wait_for 60 "the links of npdc-hn" links_up npdc-hn 2 && wait_for 60 "the links of hanoi" links_up hanoi 5 &&
		wait_for 60 "the paths of phuc-xa" ours_commune_ready phuc-xa &&
		wait_for 60 "the paths of kham-thien" ours_commune_ready kham-thien &&
		wait_for 60 "the paths of truc-bach" ours_commune_ready truc-bach || return 1
	for s in npdc-hn npdc-hcm hanoi hai-phong ba-dinh dong-da le-chan ngo-quyen; do
		wait_for 60 "the detours of $s to end" none_repaired $s || return 1
	done
}

# A detour that is still in use from before, or from the start, would hide the next cut: links are gone back to five seconds
# after they are up.
status_conditions+="ours_commune_ready none_repaired "
none_repaired() { status_is "$1" '[.links[] | select(.repaired)] | length' 0; }

# The path's own probe tells the commune; of the trunk's repair, the trunk's both ends; of the trunk's cut, whoever is first.
ours_moment() { # ROW
	local site=${row_site[$1]} node=${row_near[$1]% *} from=${row_near[$1]#* } trunk=() answer
	# of an MTU hole the padded one, which comes every 6.4 s
	answer="udp src port 7784 $([ "$1" != mtu-hole ] || echo and greater 1000) and dst host $(status_get "$site" \
		'.paths[] | select(.active and .endpoint == "npdc-hn") | .source')"
	case $1 in
	local-repair|trunk-cut)
		trunk=("$node" link0 "udp dst port 3784 and src host $(link_address "$node" "$from")"
			"$from" link0 "udp dst port 3784 and src host $(link_address "$from" "$node")") ;;
	esac
	case $1 in
	local-repair) all_hear "${trunk[@]}" ;;
	trunk-cut) all_hear "${trunk[@]:0:3}" "$site" lo "$answer" "${trunk[@]:3}" ;; # traffic flows when both ends have seen it
	*) all_hear "$site" lo "$answer" ;;
	esac
}
link_address() { status_get "$1" ".links[] | select(.site == \"$2\") | .link_address"; } # NODE NEIGHBOR
ours_why() { status "$1" | jq -c '[.paths[] | [.name, .endpoint, .active, .state, .diagnostic]]'; } # SITE
