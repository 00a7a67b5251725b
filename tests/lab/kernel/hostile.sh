# SPDX-License-Identifier: Apache-2.0
# What a carrier, a neighbour and a LAN host may not do, against the rules and filters alone. Each thing that must be
# dropped is sent beside one that must pass.
# clock: virtual
# seconds: 1200
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/kernel/common"

filter_count() { # SITE DEVICE passed|dropped: packets
	in_site "$1" tc -s -j filter show dev "$2" ingress | jq "[.[] | select(.kind == \"$(
		[ "$3" = passed ] && echo flower || echo matchall)\") | .options.actions[]?.stats.packets] | add // 0"
}
guarded() { # SITE: packets that the guard has dropped
	local chain
	for chain in guard_line guard_overlay; do in_site "$1" nft -j list chain inet tuyen $chain; done |
		jq -s '[.[].nftables[].rule?.expr[]?.counter?.packets] | add // 0'
}
labels() { # FROM DEVICE STACK: five packets
	in_site "$1" "$LAB_TOOLS/inject" mpls "$2" "$3" 100.80.0.16 100.80.56.81 7784 x 5
}
filtered() { # NAME SITE DEVICE FROM FROM_DEVICE STACK passed|dropped
	local before
	before=$(filter_count "$2" "$3" "$7")
	labels "$4" "$5" "$6"
	sleep 0.3
	is "$1" $(($(filter_count "$2" "$3" "$7") - before)) 5
}

ok "every site has a bundle" compile_country
country_net
for s in $COUNTRY_SITES; do node apply "$s" >"apply.$s"; done
wait_for 10 "the links of hanoi" handshake hanoi link0 3
wait_for 10 "the session" handshake npdc-hn s10 2

filtered "a lawful label passes" ba-dinh lsp901 phuc-xa lsp210 16001 passed
filtered "another site's label is dropped" ba-dinh lsp901 phuc-xa lsp210 16902 dropped
filtered "the district's own label is dropped" ba-dinh lsp901 phuc-xa lsp210 16210 dropped
filtered "a lawful label above another is dropped" ba-dinh lsp901 phuc-xa lsp210 16001/16902 dropped
filtered "a lawful stack of two passes" dong-da lsp101 hanoi lsp211 16211/16901 passed
filtered "its top label alone is dropped" dong-da lsp101 hanoi lsp211 16211 dropped
filtered "its bottom label alone is dropped" dong-da lsp101 hanoi lsp211 16901 dropped
filtered "with a third label it is dropped" dong-da lsp101 hanoi lsp211 16211/16901/16902 dropped

before=$(guarded hanoi)
in_site carrier "$LAB_TOOLS/inject" mpls-in-ip 100.64.0.210 198.51.100.1 16001 100.80.56.81 100.80.0.16 7784 x 5
is "clear labels in IP from the carrier are dropped" $(($(guarded hanoi) - before)) 5
before=$(guarded npdc-hn)
ip -n carrier route add 100.80.0.16/32 dev u-npdc-hn
in_site carrier "$LAB_TOOLS/inject" udp 100.80.56.81 100.80.0.16 7784 x 5
is "overlay addresses from the carrier are dropped" $(($(guarded npdc-hn) - before)) 5
before=$(guarded phuc-xa)
in_site lan-phuc-xa "$LAB_TOOLS/inject" udp 10.9.1.10 100.80.0.16 7784 x 5
is "... and from a LAN" $(($(guarded phuc-xa) - before)) 5

serve lan-npdc-hn 443
wait_for 10 "the server" tcp lan-phuc-xa 10.0.0.10 443
ok "a LAN host opens 443 at the centre" tcp lan-phuc-xa 10.0.0.10 443
spawn capture ip netns exec carrier tcpdump -n -l -i u-phuc-xa net 10.0.0.0/8
sleep 1
ip -n phuc-xa link del s10
ok "without the session it does not" eval '! tcp lan-phuc-xa 10.0.0.10 443'
ip -n phuc-xa route flush table main proto 84
ok "... nor without our routes" eval '! tcp lan-phuc-xa 10.0.0.10 443'
sleep 0.5; halt capture
is "... and nothing leaves in clear" "$(grep -c '10\.0\.0\.10' capture.log)" 0
node apply phuc-xa >/dev/null
wait_for 15 "the session" tcp lan-phuc-xa 10.0.0.10 443
ok "it is back after a new plan" tcp lan-phuc-xa 10.0.0.10 443
country_down
done_testing
