# SPDX-License-Identifier: Apache-2.0
# What the carrier sees, and what the district sees: WireGuard's UDP outside, labels on the adjacency, and no payload.
# clock: virtual
# seconds: 960
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

MARKER=CITIZEN-001099012345
country_up || bail "the country comes up"
pass "the country comes up"

# In clear on port 443, so that what hides it is ours and not TLS.
spawn plain ip netns exec lan-npdc-hn "$LAB_TOOLS/stream" mirror 10.0.0.10 443
wait_for 10 "the plain server" listening lan-npdc-hn tcp 443
ask_in_clear() {
	in_site lan-phuc-xa timeout 5 bash -c "exec 3<>/dev/tcp/10.0.0.10/443; echo $MARKER >&3; head -n 1 <&3"
}

capture_start session phuc-xa s10
capture_start carrier carrier u-phuc-xa
capture_start link ba-dinh link0
capture_start adjacency ba-dinh lsp901
capture_start upward ba-dinh lsp101
for i in 1 2 3; do answer=$(ask_in_clear 2>&1); done
is "the query is answered" "$answer" "$MARKER"
for c in session carrier link adjacency upward; do capture_stop $c; done

ok "the commune's own session device has the payload (the search can find it)" captured_text session "$MARKER"
for c in carrier link adjacency upward; do
	at_least "packets captured on $c" "$(captured $c)" 6
	ok "no payload on $c" eval "! captured_text $c $MARKER"
done
is "the carrier sees WireGuard's UDP and ARP alone" "$(captured carrier 'not (udp port 51820) and not arp')" 0
at_least "... and of it" "$(captured carrier 'udp port 51820')" 6
at_least "link0 of the district carries MPLS-in-IP" "$(captured link 'ip proto 137')" 6
is "the adjacency carries labelled packets alone" "$(captured adjacency "not ($labelled)")" 0
at_least "... with the data centre's label" "$(captured adjacency "$(label_is 16001)")" 3
at_least "the next adjacency too, the same label" "$(captured upward "$(label_is 16001)")" 3
at_least "... and the way back has the commune's" "$(captured upward "$(label_is 16901)")" 3
like "in words" "$(show_labels adjacency 1)" '^label 16(001|901) \(ttl [0-9]+\): IP 100\.'
is "the district has no key of the session" "$(in_site ba-dinh wg show all | grep -c 'interface: s10')" 0
country_down
done_testing
