# SPDX-License-Identifier: Apache-2.0
# A commune in wrong hands sends its district far more BFD than anybody may. It shares a receive buffer there with all who are
# behind link0: theirs must still find room. And somebody forges what a carrier's router would say. On the virtual clock, where the
# flood costs nobody time.
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

# Who forges a source tells a box that its link's packets are too long for the way, whose ports everybody knows.
cat >too-long.py <<-'END'
	import socket, struct, sys
	def sealed(header, at): # with its checksum at the offset
	    total = sum(struct.unpack(f">{len(header) // 2}H", header))
	    total = (total >> 16) + (total & 0xffff)
	    return header[:at] + struct.pack(">H", ~(total + (total >> 16)) & 0xffff) + header[at + 2:]
	of, to, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
	sent = sealed(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 1400, 1, 0, 64, 17, 0, socket.inet_aton(of), socket.inet_aton(to)), 10)
	sent += struct.pack(">HHHH", 51820, 51820, 1380, 0)
	told = sealed(struct.pack(">BBHHH", 3, 4, 0, 0, size) + sent, 2)
	socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(told, (of, 0))
END
way() { in_site kham-thien ip route get "${country_public[dong-da]}"; }
refused() { in_site kham-thien nft list chain inet tuyen input_line | grep -c 'frag-needed counter packets [1-9]'; }
ok "a way to the district is there" way
ok "the carrier says that packets to the district be no longer than 600" in_site carrier python3 too-long.py \
	"${country_public[kham-thien]}" "${country_public[dong-da]}" 600
ok "that is refused" wait_for 5 "the drop" eval '[ "$(refused)" = 1 ]'
unlike "... and no packet is parted for it" "$(way)" 'mtu 600'
country_down
done_testing
