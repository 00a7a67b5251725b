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
	local s c
	country_net
	mkdir -p nebula
	(cd nebula && nebula-cert ca -name lab)
	for s in $nebula_sites; do
		(cd nebula && nebula-cert sign -name "$s" -ip "$(nebula_address "$s")/16" ${country_lan[$s]:+-subnets "${country_lan[$s]}"})
		nebula_config "$s" >"nebula/$s.yml"
	done
	# a commune's carrier takes it to its districts alone
	for c in phuc-xa kham-thien truc-bach; do fault_cut add "$c" npdc-hn; done
	in_site carrier nft "add element ip cuts pairs { $LTE_PUBLIC . ${country_public[npdc-hn]}, ${country_public[npdc-hn]} . $LTE_PUBLIC,
		$LTE_PUBLIC . ${country_public[ba-dinh]}, ${country_public[ba-dinh]} . $LTE_PUBLIC }"
	for s in $nebula_sites; do spawn "nebula-$s" ip netns exec "$s" nebula -config "nebula/$s.yml"; done
}
nebula_answers() { in_site "lan-$1" ping -q -n -c 1 -W 1 "${country_host[npdc-hn]}"; }
nebula_ready() {
	local s
	for s in phuc-xa truc-bach; do wait_for 90 "an answer to $s" nebula_answers "$s" || { diag_file "nebula-$s.log" 5; return 1; }; done
}
nebula_moment() { :; } # it has no probe
nebula_why() { grep -i "relay\|dead" "nebula-$1.log" | tail -n 2 | cut -c1-200; }
