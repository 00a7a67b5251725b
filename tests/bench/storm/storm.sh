# SPDX-License-Identifier: Apache-2.0
# The inside of make bench-storm: real WireGuard on both ends, in one kernel on one core, which does the work of all callers too.
# seconds: 1500
# memory: 12288M
#
#	storm.sh SITES OUTAGE_S lockstep|spread
. "$LAB_TREE/tests/lab/lib.sh"
sites=$1 outage=$2 way=$3
# Thousands of packets of one moment wait in the one queue that a virtual cable has, which is no carrier's.
sysctl -qw net.core.netdev_max_backlog=100000
for ns in hub sites; do
	ip netns add $ns
	ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip -n $ns link set lo up
done
ip link add up0 netns hub type veth peer name up0 netns sites
ip -n hub addr add 192.0.2.1/24 dev up0
ip -n sites addr add 192.0.2.2/24 dev up0
ip -n hub link set up0 up
ip -n sites link set up0 up
# WireGuard under load bounds handshakes by address, 20 a second: on the way each caller gets one of its own for its port. What
# load is, it keeps for a whole kernel, so callers too are taken to be under it, and bound what comes from the hub: for each the
# hub has the same address. What is left of that: an answer without a cookie may be answered by one, which costs the caller a try.
ip -n hub route add 10.128.0.0/9 dev up0
ip -n sites route add 10.128.0.0/9 via 192.0.2.1
ip netns exec hub nft -f - <<-NFT || exit 1
	table ip storm {
		map address { type inet_service : ipv4_addr; elements = { $(awk -v n="$sites" 'BEGIN {
			for (i = 0; i < n; i++) printf "%s%d : 10.%d.%d.%d", i ? ", " : "", 20000 + i, 128 + i / 65536, i / 256 % 256, i % 256 }') } }
		chain before { type filter hook prerouting priority raw; udp dport 51820 notrack ip daddr set 192.0.2.1 ip saddr set udp sport map @address; }
		chain in { type filter hook input priority 0; udp dport 51820 @th,64,8 1 counter comment "tries"; }
		chain out { type filter hook output priority raw
			udp sport 51820 notrack
			udp sport 51820 @th,64,8 2 counter comment "answers"
			udp sport 51820 @th,64,8 3 counter comment "cookies"
			udp sport 51820 ip saddr set udp dport map @address ip daddr set 192.0.2.2; }
	}
NFT
ip netns exec hub ip neigh add 192.0.2.2 dev up0 lladdr "$(ip netns exec sites cat /sys/class/net/up0/address 2>/dev/null || ip -n sites -br link show up0 | awk '{print $3}')"
"$LAB_TREE/build/bench/storm_driver" hub sites "$sites" "$outage" "$way" >figures || { cat figures; exit 1; }
figure() { sed -n "s/^$1 //p" figures; }
counted() { ip netns exec hub nft list table ip storm | sed -n "s/.*counter packets \([0-9]*\) .*\"$1\".*/\1/p"; }
printf '%-9s %5s callers, %2s s without the hub: half %6s ms, 99 %% %6s ms, all %6s ms; at most %5s sessions in 100 ms; tries %s, answers %s, cookies %s%s\n' \
	"$way" "$(figure sessions)" "$outage" "$(figure half)" "$(figure most)" "$(figure all)" "$(figure peak)" \
	"$(counted tries)" "$(counted answers)" "$(counted cookies)" "$(sed -n "s/^missing/; missing/p" figures)"
missing=$(figure missing)
echo "figures: $(figure sessions) ${missing:-0} $(figure peak)"
