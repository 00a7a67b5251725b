# SPDX-License-Identifier: Apache-2.0
# FRR: zebra, ospfd and bfdd a site, OSPF with BFD on every WireGuard link, its shortest-path run without delay. On a
# virtual clock it needs tools/unspin_preload.c.
frr_holds=3

frr_config() { # SITE
	local l neighbour index side probe spare cost
	for l in $(links_of "$1"); do
		IFS=: read -r neighbour index side probe spare <<<"$l"
		cost=10
		[ -z "$spare" ] || cost=20
		cat <<-EOF
		interface l${country_id[$neighbour]}
		 ip ospf network point-to-point
		 ip ospf area 0
		 ip ospf cost $cost
		 ip ospf hello-interval 1
		 ip ospf dead-interval 4
		 ip ospf bfd
		 ip ospf bfd profile p$probe
		exit
		EOF
	done
	cat <<-EOF
	interface lo
	 ip ospf area 0
	exit
	interface lan0
	 ip ospf area 0
	 ip ospf passive
	exit
	router ospf
	 ospf router-id $(router_id "$1")
	 timers throttle spf 0 10 100
	 timers throttle lsa all 0
	 timers lsa min-arrival 0
	exit
	EOF
}
frr_bfd_config() {
	local probe
	echo bfd
	for probe in $PROBE_MS 300; do
		printf ' profile p%s\n  detect-multiplier %s\n  receive-interval %s\n  transmit-interval %s\n exit\n' $probe $PROBE_TIMES $probe $probe
	done
	echo exit
}
frr_daemon() { # SITE DAEMON [WORD...]: the interface to the kernel and the command socket are the site's own
	local s=$1 d=$2; shift 2
	spawn "$d-$s" ip netns exec "$s" env LD_PRELOAD="$LAB_TOOLS/unspin_preload.so" /usr/lib/frr/"$d" -f "$LAB_DIR/frr/$s/$d.conf" --vty_socket "$LAB_DIR/frr/$s" \
		-i "$LAB_DIR/frr/$s/$d.id" -z "$LAB_DIR/frr/$s/zebra" -P 0 --log stdout "$@"
}
frr_up() {
	local s
	wireguard_up
	chmod 711 "$LAB_DIR"
	for s in $COUNTRY_SITES; do
		mkdir -p "frr/$s"
		: >"frr/$s/zebra.conf"
		frr_config "$s" >"frr/$s/ospfd.conf"
		frr_bfd_config >"frr/$s/bfdd.conf"
	done
	chown -R frr:frr frr
	chmod 711 frr
	mkdir -p /run/frr
	chown frr:frr /run/frr
	for s in $COUNTRY_SITES; do frr_daemon "$s" zebra; done
	for s in $COUNTRY_SITES; do wait_for 20 "zebra of $s" test -S "frr/$s/zebra"; done
	for s in $COUNTRY_SITES; do
		frr_daemon "$s" bfdd --bfdctl "$LAB_DIR/frr/$s/bfdd.sock"
		frr_daemon "$s" ospfd
	done
}
frr_sessions() { # SITE COUNT
	[ "$(vtysh --vty_socket "$LAB_DIR/frr/$1" -d bfdd -c "show bfd peers" 2>/dev/null | grep -c 'Status: up')" = "$2" ]
}
frr_sites=
frr_ready() {
	local s
	for s in ${frr_sites:-$COUNTRY_SITES}; do
		wait_for 60 "the BFD sessions of $s" frr_sessions "$s" "$(links_of "$s" | wc -l)" || {
			diag_file "ospfd-$s.log"; diag_file "bfdd-$s.log"; diag_file "zebra-$s.log"; return 1; }
	done
	frr_sites="npdc-hn hanoi ba-dinh" # the first time all
	wait_for 60 "the main ways" main_ways
}
frr_moment() { bfd_moment "$1"; }
frr_why() { ip -n "$1" route get 10.0.0.10 | head -n 1; }
