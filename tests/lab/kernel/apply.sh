# SPDX-License-Identifier: Apache-2.0
# The kernel layer alone, without a daemon: what the compiler's bundles ask for is applied on each node of the example
# country, read back, and found complete; it carries a query; drift is repaired; what is not ours stays as it is.
# seconds: 800
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/kernel/common"

snapshot() { # all that is in phuc-xa and not the device's own doing
	in_site phuc-xa sh -c 'ip -o link | grep -o "^[0-9]*: [^ @:]*"; ip -o addr; ip route show table all; ip rule
		ip -f mpls route; nft -s list ruleset; wg show all dump | cut -f 1-4'
}
foreign_things() {
	ip -n phuc-xa link add foreign0 type dummy
	ip -n phuc-xa link set foreign0 up
	ip -n phuc-xa addr add 172.16.0.1/24 dev foreign0
	ip -n phuc-xa route add 172.20.0.0/16 dev foreign0 proto static
	ip -n phuc-xa route add 172.21.0.0/16 dev foreign0 table 640000
	ip -n phuc-xa route add 100.64.0.211/32 dev foreign0 proto dhcp # as a lease may bring
	ip -n phuc-xa rule add priority 10009 from 172.16.0.0/24 table 100
	ip -n phuc-xa link add wg-other type wireguard
	in_site phuc-xa wg set wg-other listen-port 40000 private-key phuc-xa.link peer "$(wg pubkey <hanoi.link)" allowed-ips 172.22.0.0/16
	in_site phuc-xa nft add table ip other
}

ok "every site has a bundle" compile_country
country_net
like "the kernel has all it needs" "$(in_site hanoi "$driver" check)" '^ok .*nf_tables'
unlike "... and nothing is missing" "$(in_site hanoi "$driver" check)" '^FAIL'
foreign_things
snapshot >before
for s in $COUNTRY_SITES; do
	node apply "$s" >"apply.$s"
	like "$s: all is applied" "$(tail -n 1 "apply.$s")" '^applied [0-9]+ failed 0'
	is "$s: read back, nothing is left to do" "$(planned "$s")" "plan of 0 operations"
	ok "$s: nft lists what was written, byte for byte" nft_same "$s"
done
unlike "no private key is printed" "$(cat apply.*)" "$(cut -c 1-40 phuc-xa.link | sed 's/[+]/[+]/g')"

like "a neighbour is reached by its link, whatever a lease says" "$(ip -n phuc-xa route get 100.64.0.211)" 'dev link0'
wait_for 10 "the links of hanoi" handshake hanoi link0 3
wait_for 10 "the session" handshake npdc-hn s10 2
ok "the node pings the centre through its session" ping_site phuc-xa 10.9.1.1 10.0.0.1
serve lan-npdc-hn 443; serve lan-npdc-hn 80; serve lan-kham-thien 443
wait_for 10 "the server" tcp lan-npdc-hn 10.0.0.10 80
ok "a LAN host opens 443 at the centre" tcp lan-phuc-xa 10.0.0.10 443
ok "... and not 80" eval '! tcp lan-phuc-xa 10.0.0.10 80'
ok "... and not 443 at the other commune" eval '! tcp lan-phuc-xa 10.9.2.10 443'
serve lan-phuc-xa 443
ok "the centre opens nothing at a commune" eval '! tcp lan-npdc-hn 10.9.1.10 443'
is "the centre sees the path address" "$(in_site npdc-hn wg show s10 endpoints | grep -c 100.80.56.81:52010)" 1

is "another active path is one operation" "$(planned phuc-xa 2)" "plan of 1 operations"
spawn pinging ip netns exec phuc-xa ping -q -i 0.05 -c 60 -I 10.9.1.1 10.0.0.1
sleep 0.5
like "... a replaced route" "$(node apply phuc-xa 2)" '^ip route replace 100.80.0.16/32 encap mpls 16001 dev lsp211 src 100.80.56.82'
is "... then one packet in each session" "$(in_site phuc-xa "$driver" poke s10)" "poke 0"
wait_for 3 "the centre to follow" eval 'in_site npdc-hn wg show s10 endpoints | grep -q 100.80.56.82:52010'
is "the centre has followed" "$(in_site npdc-hn wg show s10 endpoints | grep -c 100.80.56.82:52010)" 1
sleep 4
like "... and no packet was lost" "$(cat pinging.log)" ' 0% packet loss'
ok "the switched plan is empty" empty phuc-xa 2
in_site npdc-hn "$driver" plan b/npdc-hn npdc-hn.link npdc-hn.session >npdc.plan 2>&1
like "a learned endpoint is no drift at the centre" "$(cat npdc.plan)" '^plan of 0'

drift() { # WHAT OPERATIONS COMMAND...
	local what=$1 wanted=$2; shift 2
	in_site phuc-xa "$@" || fail "cannot make drift: $*"
	is "drift: $what" "$(planned phuc-xa 2)" "plan of $wanted operations"
	node apply phuc-xa 2 >drift.log || diag_file drift.log
	is "... is repaired" "$(planned phuc-xa 2)" "plan of 0 operations" || node plan phuc-xa 2 | sed 's/^/# /'
}
drift "a route gone" 1 ip route del 100.80.0.16/32 table 550010
drift "a route before ours" 1 ip route prepend unreachable 100.80.0.16/32 table 550010
drift "a route in our place" 1 ip route replace blackhole 100.80.0.16/32 table 550010
drift "a route in our place for some packets" 1 ip route add prohibit 10.0.0.0/24 tos 0x10 metric 7 table 540010 proto static
drift "a route with a device, in a table that a rule leads to" 1 ip route add default dev foreign0 table 550010
in_site phuc-xa ip route prepend unreachable 100.80.0.16/32 table 550010
is "a route before ours, and another active path" "$(planned phuc-xa)" "plan of 2 operations"
node apply phuc-xa >/dev/null
ok "... and ours alone stands" empty phuc-xa
is "... once" "$(ip -n phuc-xa route show table 550010 | wc -l)" 1
node apply phuc-xa 2 >/dev/null
drift "a label gone" 1 ip -f mpls route del 16901
drift "a rule gone" 1 ip rule del priority 20010
in_site phuc-xa sh -c "ip rule add $(ip -n phuc-xa rule | sed -n 's/^20010:\t\(.*\) proto 84/\1/p') priority 20010 iif foreign0"
drift "... but for one that asks for more" 1 ip rule del priority 20010
in_site phuc-xa ip rule del priority 20010 iif foreign0
drift "an address gone" 1 ip addr del 100.80.56.80/32 dev lo
drift "a peer gone" 1 wg set s10 peer "$(wg pubkey <npdc-hn.session)" remove
in_site phuc-xa wg genpsk >psk
drift "a preshared key" 1 wg set s10 peer "$(wg pubkey <npdc-hn.session)" preshared-key psk
drift "a prefix given to a stranger" 2 wg set s10 peer "$(wg pubkey <hanoi.session)" allowed-ips 10.0.0.0/16
drift "the filter gone" 1 tc qdisc del dev lsp210 clsact
drift "another qdisc in the place of the filter's" 1 sh -c 'tc qdisc del dev lsp210 clsact; tc qdisc add dev lsp210 ingress'
drift "the last drop gone" 1 tc filter del dev lsp210 ingress prio 2
drift "a filter too many" 1 tc filter add dev lsp210 ingress protocol mpls_uc prio 1 flower mpls lse depth 1 label 99 bos 1 action pass
drift "labels closed" 1 sysctl -qw net.mpls.conf.lsp210.input=0
drift "another's queue at a session's root" 1 tc qdisc replace dev s10 root netem loss 100%
in_site phuc-xa tc qdisc add dev s10 clsact
drift "another's filter on a session" 1 tc filter add dev s10 egress matchall action drop
drift "... and one that takes what comes in" 1 tc qdisc add dev s10 ingress
drift "the nft table gone" 1 nft delete table inet tuyen
drift "a rule of the nft table gone" 1 nft flush chain inet tuyen input
drift "an MTU whose lower 16 bits are right" 1 sh -c 'ip link set s10 mtu $((65536 + $(cat /sys/class/net/s10/mtu)))'
drift "the loopback device down" 1 ip link set lo down
drift "labels that live for one hop" 1 sysctl -qw net.mpls.default_ttl=1
drift "a device down" 3 ip link set s10 down
drift "forwarding from the session turned off" 1 sysctl -qw net.ipv4.conf.s10.forwarding=0
drift "a device gone" 8 ip link del s10
drift "an adjacency gone" 7 ip link del lsp211
drift "a device with another alias" 1 ip link set s10 alias operator
drift "a device with another name" 9 sh -c 'ip link set s10 down; ip link set s10 name wg0; ip link set wg0 up'
drift "an adjacency with another name" 8 sh -c 'ip link set lsp211 down; ip link set lsp211 name eth7; ip link set eth7 up'
drift "the label table emptied" 2 sysctl -qw net.mpls.platform_labels=0
wait_for 20 "the session" ping_site phuc-xa 10.9.1.1 10.0.0.1
ok "after all that a query passes" tcp lan-phuc-xa 10.0.0.10 443

in_site phuc-xa "$driver" clear >clear.log 2>&1
like "what is ours goes" "$(cat clear.log)" ' failed 0 '
snapshot >after
is "... and all else is as before" "$(diff before after)" ""

# Below 1,280 the kernel takes IPv6 from a device, and with it what turns that off.
namespace narrow
sed 's/^\(session .* mtu \)[0-9]*/\11272/' b/phuc-xa >b/narrow
cp phuc-xa.link narrow.link && cp phuc-xa.session narrow.session
like "a session of 1,272 bytes: all is applied" "$(node apply narrow | tail -n 1)" '^applied [0-9]+ failed 0'
ok "... and nothing is left to do" empty narrow
country_down
done_testing
