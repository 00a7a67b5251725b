# SPDX-License-Identifier: Apache-2.0
# BIRD: OSPF with BFD on every WireGuard link. Its OSPF looks at what changed once a "tick", at least a second.
bird_holds=4

bird_config() { # SITE
	local l neighbour index side probe spare
	cat <<-EOF
	log stderr all;
	router id $(router_id "$1");
	protocol device { }
	protocol kernel { ipv4 { import none; export where source = RTS_OSPF; }; }
	protocol bfd {
	$(for l in $(links_of "$1"); do
		IFS=: read -r neighbour index side probe spare <<<"$l"
		echo "interface \"l${country_id[$neighbour]}\" { min rx interval $probe ms; min tx interval $probe ms; idle tx interval 1 s; multiplier $PROBE_TIMES; };"
	done)
	}
	protocol ospf v2 {
		tick 1;
		ipv4 { import all; export none; };
		area 0 {
	$(for l in $(links_of "$1"); do
		IFS=: read -r neighbour index side probe spare <<<"$l"
		echo "interface \"l${country_id[$neighbour]}\" { type ptp; cost ${spare:+2}${spare:-1}0; hello 1; dead 4; bfd yes; };" | sed 's/spare//'
	done)
			interface "lan0" { stub yes; cost 1; };
			interface "lo" { stub yes; cost 1; };
		};
	}
	EOF
}
bird_up() {
	local s
	wireguard_up
	for s in $COUNTRY_SITES; do
		bird_config "$s" >"bird.$s.conf"
		spawn "bird-$s" ip netns exec "$s" bird -f -c "$LAB_DIR/bird.$s.conf" -s "$LAB_DIR/bird.$s.ctl" -P "$LAB_DIR/bird.$s.run"
	done
}
bird_sessions() { # SITE COUNT
	[ "$(birdc -s "$LAB_DIR/bird.$1.ctl" show bfd sessions | grep -c ' Up ')" = "$2" ]
}
bird_sites=
bird_ready() {
	local s
	for s in ${bird_sites:-$COUNTRY_SITES}; do
		wait_for 60 "the BFD sessions of $s" bird_sessions "$s" "$(links_of "$s" | wc -l)" || {
			birdc -s "$LAB_DIR/bird.$s.ctl" show bfd sessions; diag_file "bird-$s.log"; return 1; }
	done
	bird_sites="npdc-hn hanoi ba-dinh" # the first time all
	wait_for 60 "the main ways" main_ways
}
bird_moment() { bfd_moment "$1"; }
bird_why() { ip -n "$1" route get 10.0.0.10 | head -n 1; }
