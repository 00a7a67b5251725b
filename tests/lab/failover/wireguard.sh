# SPDX-License-Identifier: Apache-2.0
# What the peers stand on: one WireGuard device a link, AllowedIPs 0.0.0.0/0. Devices are named after the neighbour: l<id>.
# Link i of COUNTRY_LINKS has 10.200.i.0 (the caller) and 10.200.i.1 (the called), port 52000 + i at both ends.

link_fields() { # LINK: sets a, b, spare
	a=${1%%:*} b=${1#*:} spare=
	[ "${b%:spare}" = "$b" ] || b=${b%:spare} spare=spare
}
link_probe() { # LINK: interval in ms; those that the topology calls radio or lte are slow
	case $1 in
	kham-thien*|an-bien*|cat-dai*|nam-dong*|truc-bach:le-chan*) echo 300 ;;
	*) echo "$PROBE_MS" ;;
	esac
}
router_id() { local id=${country_id[$1]}; echo "10.250.$((id / 256)).$((id % 256))"; }

wireguard_end() { # SITE NEIGHBOR INDEX SIDE(0 1) [ENDPOINT]
	local dev=l${country_id[$2]}
	ip -n "$1" link add "$dev" type wireguard
	in_site "$1" wg set "$dev" listen-port $((52000 + $3)) private-key "wg/$3.$4.key" \
		peer "$(cat "wg/$3.$((1 - $4)).pub")" allowed-ips 0.0.0.0/0 ${5:+endpoint "$5:$((52000 + $3))" persistent-keepalive 25}
	ip -n "$1" addr add "10.200.$3.$4/31" dev "$dev"
	ip -n "$1" link set "$dev" mtu 1420 up
}

wireguard_up() {
	local link a b spare i=0 side s
	country_net
	mkdir -p wg
	for s in $COUNTRY_SITES; do ip -n "$s" addr add "$(router_id "$s")/32" dev lo; done
	for link in $COUNTRY_LINKS; do
		link_fields "$link"
		i=$((i + 1))
		for side in 0 1; do wg genkey | tee "wg/$i.$side.key" | wg pubkey >"wg/$i.$side.pub"; done
		wireguard_end "$b" "$a" $i 1
		wireguard_end "$a" "$b" $i 0 "${country_public[$b]}"
	done
}

links_of() { # SITE: words neighbour:index:side:probe:spare
	local link a b spare i=0
	for link in $COUNTRY_LINKS; do
		link_fields "$link"
		i=$((i + 1))
		[ "$a" != "$1" ] || echo "$b:$i:0:$(link_probe "$link"):$spare"
		[ "$b" != "$1" ] || echo "$a:$i:1:$(link_probe "$link"):$spare"
	done
}
bfd_hears() { # NODE NEIGHBOR: the words of all_hear
	heard+=("$1" "l${country_id[$2]}" "udp dst port 3784 and not src host $(own_address "$1" "$2")")
}
# Both ends of the link just heard each other: of OSPF the quicker end tells the other. Where a site between dies, whoever of its
# neighbours misses it first tells all; of those that are on the way, no one may have the better chance.
bfd_moment() { # ROW
	local node=${row_near[$1]% *} from=${row_near[$1]#* } heard=()
	bfd_hears "$node" "$from"
	case $1 in
	district-dead) bfd_hears hanoi "$from" ;;
	province-dead) bfd_hears npdc-hn "$from" ;;
	esac
	bfd_hears "$from" "$node"
	all_hear "${heard[@]}"
}
own_address() { ip -n "$1" -br addr show "l${country_id[$2]}" | awk '{sub("/.*", "", $3); print $3}'; } # SITE NEIGHBOR
routes_through() { # SITE NEIGHBOR DESTINATION
	ip -n "$1" route get "$3" 2>/dev/null | grep -q " dev l${country_id[$2]} "
}
main_ways() { # both directions of the three communes are on their main way
	routes_through phuc-xa ba-dinh 10.0.0.10 && routes_through kham-thien dong-da 10.0.0.10 &&
		routes_through truc-bach ba-dinh 10.0.0.10 && routes_through npdc-hn hanoi 10.9.1.10 &&
		routes_through npdc-hn hanoi 10.9.2.10 && routes_through npdc-hn hanoi 10.9.3.10 &&
		routes_through hanoi ba-dinh 10.9.1.10 && routes_through hanoi dong-da 10.9.2.10 &&
		routes_through hanoi ba-dinh 10.9.3.10
}
