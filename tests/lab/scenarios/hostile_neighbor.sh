# SPDX-License-Identifier: Apache-2.0
# A commune in wrong hands sends its district far more BFD than anybody may. It shares a receive buffer there with all who are
# behind link0: theirs must still find room. On the virtual clock, where the flood costs nobody time.
# clock: virtual
# seconds: 600
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
inject=$LAB_TOOLS/inject
KT_LINK=$(status_get kham-thien .site.link_address) DD_LINK=$(status_get dong-da .site.link_address)
BFD=0x20c0031800000007abcdef010000c3500000c35000000000 # up, 3 x 50 ms, for a discriminator that nobody has

link() { status_get "$1" ".links[] | select(.site == \"$2\") | .$3"; } # SITE NEIGHBOR FIELD
changes() { # of all links of dong-da, at either end
	local pair
	for pair in "dong-da hanoi" "dong-da phuc-xa" "dong-da kham-thien" "hanoi dong-da" "phuc-xa dong-da"; do
		link $pair changes
	done | paste -sd ' '
}
overflown() { in_site dong-da awk '/^Udp: [0-9]/ { print $6 }' /proc/net/snmp; } # packets that found no room
unlawful_is_seen() { test "$(link dong-da kham-thien filter_drops)" -gt 10000; }

before=$(changes)
in_site kham-thien "$inject" udp "$KT_LINK" "$DD_LINK" 3784@49999 $BFD 50x700
is "35,000 in half a second fill no buffer" "$(overflown)" 0
wire=$(process_of dong-da wire)
kill -STOP "$wire" # for less than its neighbours bear
in_site kham-thien "$inject" udp "$KT_LINK" "$DD_LINK" 3784@49999 $BFD 8x700
kill -CONT "$wire"
sleep 1 # each link is heard several times
is "... nor while the district's own process is late" "$(overflown)" 0
is "no link falls" "$(changes)" "$before"
ok "what was beyond is counted where it came in" wait_for 20 "the count" unlawful_is_seen
is "... and of nobody else" "$(link dong-da hanoi filter_drops) $(link dong-da phuc-xa filter_drops)" "0 0"
country_down
done_testing
