# SPDX-License-Identifier: Apache-2.0
# The seven steps of the demonstration, inside the lab. See tests/lab/demo.
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/snmp.sh"
MARKER=CITIZEN-001099012345
PROBE_MS=50 STREAM_MS=10
if [ "$LAB_KERNEL" = stock ]; then # an emulated processor cannot keep six nodes' probes and a stream at that pace
	PROBE_MS=500 STREAM_MS=100
	sed "s/probe 50ms x 3/probe ${PROBE_MS}ms x 3/" "$LAB_TREE/topology/examples/first-light.topology" >first-light.topology
	COUNTRY_SOURCES="first-light.topology $LAB_TREE/policies/examples/first-light.policy"
fi
shown=() missing=0

step() { printf '\n==== %s\n' "$*"; }
say() { printf '%s\n' "$*"; }
show() { printf '  $ %s\n' "$(printf '%s ' "$@" | sed "s|$LAB_BIN/||g; s|$LAB_TREE/||g; s|$LAB_DIR/||g")"; "$@" 2>&1 | sed "s|$LAB_TREE/||g; s/^/    /"; }
seen() { # WHAT YES|NO [FIGURE]
	shown+=("$1|$2|${3:-}")
	[ "$2" = yes ] || missing=$((missing + 1))
}
check() { # WHAT COMMAND...: seen if it succeeds
	local what=$1; shift
	if "$@" >/dev/null 2>&1; then seen "$what" yes; else seen "$what" NO; say "  !! not seen: $what"; fi
}
give_up() { say "!! $1"; country_diagnose; table; exit 1; }
table() {
	local row what yes figure
	step "What was shown"
	for row in "${shown[@]}"; do
		IFS='|' read -r what yes figure <<<"$row"
		printf '  %-66s %-4s %s\n' "$what" "$yes" "$figure"
	done
}

step "1. One policy for the whole country, signed by two officers"
say "Six boxes make their own WireGuard keys; the private halves never leave them."
country_net
country_officers >make.log 2>&1 && country_keys >>make.log 2>&1 || give_up "keys: $(tail -n 3 make.log)"
sed 's/^/    /; s/session.*/.../' keys.topology | head -n 2
[ $PROBE_MS = 50 ] || say "This kernel runs on an emulated processor, so lines are probed every $PROBE_MS ms here and not every 50."
say "The topology and the policy are compiled into one release: a bundle for each site."
show "$tuyen" compile $COUNTRY_SOURCES keys.topology -o release.1 --epoch 1
say "(The warning is right: main and spare share the line from province to data centre. It is a small country.)"
say "Two officers sign it, each with a key of their own."
for o in $OFFICERS; do show "$tuyen" sign release.1 --officer "$o" --key "officers/$o.key" | tail -n 1; done
"$tuyen" seal release.1 --all -o seals.1 >>make.log 2>&1 || give_up "sealing: $(tail -n 3 make.log)"
say "Nobody has to trust our programs for that: stock openssl and sha256sum come to the same verdict."
verified() {
	cd release.1 || return 1
	for o in $OFFICERS; do
		openssl pkeyutl -verify -rawin -pubin -inkey "../officers/$o.pem" -in release -sigfile "signatures/$o.sig" || return 1
	done
	echo "$(sed -n 's/^manifest //p' release)  manifest" | sha256sum -c --quiet || return 1
	sha256sum -c --quiet manifest
}
(cd release.1
	show openssl pkeyutl -verify -rawin -pubin -inkey ../officers/an.pem -in release -sigfile signatures/an.sig
	say '  $ echo "$(sed -n "s/^manifest //p" release)  manifest" | sha256sum -c'
	echo "$(sed -n 's/^manifest //p' release)  manifest" | sha256sum -c 2>&1 | sed 's/^/    /'
	show sha256sum -c manifest)
if (verified) >/dev/null 2>&1; then seen "openssl and sha256sum verify the release" yes; else seen "openssl and sha256sum verify the release" NO; fi
say "Each box gets its one file and starts its daemon."
install_and_start 1 $COUNTRY_SITES
country_daemons_up || give_up "the country did not come up"
seen "six daemons, all links, paths and sessions up" yes

step "2. A commune asks the data centre"
https_start
say "From the LAN of phuc-xa to an HTTPS server behind the data centre's gateway:"
wait_for 15 "an answer" query_answers phuc-xa
say "  \$ curl https://population.example/citizen"
query phuc-xa 2>&1 | sed 's/^/    /'
check "a query from commune to data centre over HTTPS" query_answers phuc-xa
for s in phuc-xa ba-dinh npdc-hn; do
	say "tuyen status on $s:"
	"$tuyen" status --control "$(control_of $s)" 2>&1 | sed 's/^/    /'
done
check "status: the path in use is 'main'" path_is phuc-xa main

step "3. What the carrier and the district see of it"
mkdir -p www
ip -n lan-npdc-hn addr add 10.0.0.11/16 dev eth0 2>/dev/null
spawn plain ip netns exec lan-npdc-hn "$LAB_TOOLS/stream" mirror 10.0.0.11 443
wait_for 10 "a server without TLS" eval 'in_site lan-npdc-hn ss -Hlnt | grep -q 10.0.0.11:443'
say "To make it hard, the same query goes once more without TLS, so that only the tunnels hide it."
for c in "session phuc-xa s10" "carrier carrier u-phuc-xa" "adjacency ba-dinh lsp901" "link ba-dinh link0"; do capture_start $c; done
in_site lan-phuc-xa timeout "$(lab_patience 5)" bash -c "exec 3<>/dev/tcp/10.0.0.11/443; echo $MARKER >&3; head -n 1 <&3" | sed 's/^/    answer: /'
for c in session carrier adjacency link; do capture_stop $c; done
say "On the carrier's line:"
tcpdump -nr carrier.pcap -c 3 2>/dev/null | cut -c1-110 | sed 's/^/    /'
say "On the district's adjacency, inside the link's WireGuard:"
show_labels adjacency 3 | sed 's/^/    /'
for c in session carrier adjacency link; do
	printf '  %-10s %4d packets, with the payload in clear: %s\n' $c "$(captured $c)" "$(captured_text $c "$MARKER" && echo yes || echo no)"
done
check "the search finds the payload where it is in clear (commune)" captured_text session "$MARKER"
check "MPLS labels on the district's adjacency" eval '[ "$(captured adjacency "$(label_is 16001)")" -gt 0 ]'
check "no payload in clear on the carrier's line nor at the district" \
	eval '! captured_text carrier $MARKER && ! captured_text adjacency $MARKER && ! captured_text link $MARKER'
check "nothing but WireGuard on the carrier's line" eval '[ "$(captured carrier "not udp port 51820 and not arp")" = 0 ]'

step "4. The primary district's line is cut"
snmp_up
stream_echo_start
stream_start phuc-xa $STREAM_MS
sleep 2
say "A packet every $STREAM_MS ms runs from the commune to the data centre and back. Now the cut."
link_cut phuc-xa ba-dinh
wait_for 15 "the spare path" path_is phuc-xa spare && say "  traffic is on the spare path, through dong-da"
check "traffic moved to the spare path" path_is phuc-xa spare
sleep 2
stream_stop phuc-xa >/dev/null
say "  lost $lost of $sent packets, outage $outage_ms ms (probes of 3 x $PROBE_MS ms)"
seen "packets lost and outage in the cut" "$([ -n "$lost" ] && [ "$gaps" -le 3 ] && echo yes || echo NO)" "$lost packets, $outage_ms ms"
stream_start phuc-xa $STREAM_MS
sleep 1
link_heal phuc-xa ba-dinh
say "The line is mended."
wait_for 60 "the way back" path_is phuc-xa main && say "  after its hold time of 2 s the traffic is back on the main path"
check "traffic went back to the main path" path_is phuc-xa main
sleep 2
stream_stop phuc-xa >/dev/null
say "  lost $lost of $sent packets on the way back"
seen "packets lost on the way back" "$([ "${lost:-1}" -eq 0 ] || [ "$LAB_KERNEL" = stock ] && echo yes || echo NO)" "$lost packets"

step "5. The network centre watches by SNMP version 3, authenticated and encrypted"
wait_for 30 "the modem's state" eval 'walk TUYEN-MIB::tuyenDeviceTable | grep -q IfOperStatus.*up'
say '  $ snmpwalk -v 3 -l authPriv ... TUYEN-MIB (links, paths, sessions)'
for t in tuyenLinkTable tuyenPathTable tuyenSessionTable; do
	walk TUYEN-MIB::$t | grep -E 'LinkName|LinkState|PathName|PathState|PathActive|SessionPeer\.|SessionState' | sed 's/^/    /'
done
say "The site's modem, which tuyen-snmp polls over SNMPv3:"
walk TUYEN-MIB::tuyenDeviceTable | grep -E 'SysName|IfName|IfOperStatus|InOctets' | sed 's/^/    /'
check "links, paths and sessions by SNMPv3" eval 'walk TUYEN-MIB::tuyenSessionTable | grep -q SessionState'
check "the state of the site's modem" eval 'walk TUYEN-MIB::tuyenDeviceTable | grep -q "IfOperStatus.*up"'
wait_for 20 "the trap of the cut" grep -q tuyenLinkDown trapd.log
say "The trap of the cut, as the trap receiver at the data centre wrote it:"
grep -m 1 -h tuyenLinkDown trapd.log | cut -c1-300 | sed 's/^/    /'
check "the trap of step 4 at the trap receiver" grep -q tuyenLinkDown trapd.log

step "6. What a box refuses"
country_release 2 >>make.log 2>&1
cp seals.2/901.seal flipped.seal
offset=$(($(stat -c %s flipped.seal) - 20))
printf "\\x$(printf %02x $(($(od -An -tu1 -j $offset -N 1 flipped.seal) ^ 1)))" |
	dd of=flipped.seal bs=1 seek=$offset conv=notrunc status=none
refuse() { # WHAT FILE
	local out
	say "$1:"
	out=$(install_seal phuc-xa "$2" 2>&1) && { say "  !! accepted"; seen "refused: $1" NO; return; }
	printf '%s\n' "$out" | cut -c1-200 | sed 's/^/    /'
	seen "refused: $1" yes
}
stream_start phuc-xa 20
refuse "a bundle with one flipped bit" flipped.seal
refuse "a bundle of another site" seals.2/902.seal
say "The rightful release 2 is taken:"
install_seal phuc-xa seals.2/901.seal 2>&1 | sed 's/^/    /'
refuse "a bundle of an older epoch" seals.1/901.seal
sleep 1
stream_stop phuc-xa >/dev/null
seen "forwarding went on meanwhile" "$([ "${lost:-1}" -eq 0 ] || [ "$LAB_KERNEL" = stock ] && echo yes || echo NO)" "$lost of $sent packets lost"

step "7. Done"
country_down
table
[ $missing -ne 0 ] || exit 0
printf '\nNot seen: %d of %d, marked NO above.\n' $missing ${#shown[@]}
[ "$LAB_KERNEL" != stock ] || say "This kernel ran on an emulated processor, too slow for some of it on a busy machine: LAB=virtual make demo builds a faster one."
exit 1
