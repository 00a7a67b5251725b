# SPDX-License-Identifier: Apache-2.0
# Nebula: the communes reach the gateway through their two districts, which relay. It knows one relay between two ends, so
# that the provinces are no part of it: their rows are not measured; hai-phong is the lighthouse; a LAN behind two gateways it has not. Its own timers, in whole
# seconds, at their least.
nebula_holds=40 nebula_interval=10
LOSS_BYTE=23 # the low byte of Nebula's counter
nebula_without="gateway-dead province-dead trunk-cut local-repair"
nebula_sites="hai-phong npdc-hn ba-dinh dong-da le-chan ngo-quyen phuc-xa kham-thien truc-bach"
nebula_address() { echo "10.77.$((${country_id[$1]} / 256)).$((${country_id[$1]} % 256))"; }

nebula_config() { # SITE
	local s=$1 d
	cat <<-EOF
	pki: {ca: $LAB_DIR/nebula/ca.crt, cert: $LAB_DIR/nebula/$s.crt, key: $LAB_DIR/nebula/$s.key}
	static_host_map:
	  "$(nebula_address hai-phong)": ["${country_public[hai-phong]}:4242"]
	lighthouse:
	  am_lighthouse: $([ "$s" = hai-phong ] && echo true || echo false)
	  interval: 1
	  local_allow_list: {interfaces: {'lan.*': false}, 10.0.0.0/8: false, 0.0.0.0/0: true}
	  remote_allow_list: {10.0.0.0/8: false, 0.0.0.0/0: true}
	  hosts: [$([ "$s" = hai-phong ] || echo "\"$(nebula_address hai-phong)\"")]
	listen: {host: 0.0.0.0, port: 4242}
	punchy: {punch: true}
	relay:
	  am_relay: $(case $s in ba-dinh|dong-da|le-chan|ngo-quyen) echo true ;; *) echo false ;; esac)
	  use_relays: true
	  relays: [$(case $s in
		phuc-xa|truc-bach) echo "\"$(nebula_address ba-dinh)\", \"$(nebula_address le-chan)\"" ;;
		kham-thien) echo "\"$(nebula_address dong-da)\", \"$(nebula_address ngo-quyen)\"" ;;
		npdc-hn) echo "\"$(nebula_address ba-dinh)\", \"$(nebula_address le-chan)\"" ;;
	  esac)]
	tun:
	  dev: neb0
	  mtu: 1300
	  unsafe_routes:
	$(case $s in
		phuc-xa|kham-thien|truc-bach) echo "    - {route: 10.0.0.0/16, via: $(nebula_address npdc-hn)}" ;;
		npdc-hn) for d in phuc-xa kham-thien truc-bach; do echo "    - {route: ${country_lan[$d]}, via: $(nebula_address $d)}"; done ;;
	esac)
	timers: {connection_alive_interval: 1, pending_deletion_interval: 1}
	firewall:
	  outbound: [{port: any, proto: any, host: any}]
	  inbound: [{port: any, proto: any, host: any}]
	EOF
}
nebula_up() {
	local s c subnets
	country_net
	mkdir -p nebula
	(cd nebula && nebula-cert ca -name lab)
	for s in $nebula_sites; do
		subnets=${country_lan[$s]:-}
		[ "$s" != npdc-hn ] || subnets=10.0.0.0/16
		(cd nebula && nebula-cert sign -name "$s" -ip "$(nebula_address "$s")/16" ${subnets:+-subnets "$subnets"})
		nebula_config "$s" >"nebula/$s.yml"
	done
	# a commune's carrier takes it to its districts alone
	for c in phuc-xa kham-thien truc-bach; do fault_cut add "$c" npdc-hn; done
	in_site carrier nft "add element ip cuts pairs { $LTE_PUBLIC . ${country_public[npdc-hn]}, ${country_public[npdc-hn]} . $LTE_PUBLIC,
		$LTE_PUBLIC . ${country_public[ba-dinh]}, ${country_public[ba-dinh]} . $LTE_PUBLIC }"
	for s in $nebula_sites; do spawn "nebula-$s" ip netns exec "$s" nebula -config "nebula/$s.yml"; done
}
nebula_answers() { in_site "lan-$1" ping -q -n -c 1 -W 1 "${country_host[npdc-hn]}"; }
nebula_by_district() { # COMMUNE: its answers come by ba-dinh
	local heard
	hear 3 "$1" u-carrier "udp port 4242 and src host ${country_public[ba-dinh]} and greater 400" & heard=$!
	in_site "lan-$1" ping -q -n -c 4 -i 0.5 -s 400 -W 1 "${country_host[npdc-hn]}" >/dev/null
	wait $heard
}
nebula_spare() { # VERB COMMUNE: its way to the other district is cut
	local line=${country_public[$2]} other=${country_public[le-chan]}
	[ "$2" != truc-bach ] || line=$LTE_PUBLIC
	in_site carrier nft "$1 element ip cuts pairs { $line . $other, $other . $line }"
}
nebula_hears_spare() { # COMMUNE: the other district holds a tunnel to it, and says so each ten seconds
	local line=u-carrier
	[ "$1" != truc-bach ] || line=u-lte
	hear 12 "$1" "$line" "udp port 4242 and src host ${country_public[le-chan]}"
}
nebula_ready() { # by the district that the rows are about: by itself it never goes back
	local s
	for s in phuc-xa truc-bach; do
		wait_for 90 "an answer to $s" nebula_answers "$s" || { diag_file "nebula-$s.log" 5; return 1; }
		nebula_by_district "$s" && continue
		nebula_spare add "$s"
		wait_for 90 "$s to go by ba-dinh" nebula_by_district "$s" || { diag_file "nebula-$s.log" 5; return 1; }
		nebula_spare delete "$s"
		wait_for 60 "both ways of $s" nebula_hears_spare "$s" || return 1
	done
}
nebula_moment() { :; } # it has no probe
nebula_why() { grep -i "relay\|dead" "nebula-$1.log" | tail -n 2 | cut -c1-200; }
