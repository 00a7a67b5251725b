# SPDX-License-Identifier: Apache-2.0
# Six nodes come up from one signed release; a commune's query reaches the data centre; status says so everywhere.
# seconds: 960
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

country_up || bail "the country comes up"
pass "the country comes up"
https_start
for s in phuc-xa kham-thien; do
	ok "a query of $s is answered" wait_for 10 "an answer" query_answers "$s"
done
ok "nothing but the policy's classes passes" eval '! in_site lan-phuc-xa ping -q -c 1 -W 1 10.0.0.10'
ok "a commune does not reach a commune" eval '! in_site lan-phuc-xa ping -q -c 1 -W 1 10.9.2.10'
ok "nobody but a head-end opens connections" eval '! in_site lan-npdc-hn timeout 2 bash -c "echo >/dev/tcp/10.9.1.10/443"'

is "the commune's status has its name" "$(status_get phuc-xa .site.name)" phuc-xa
is "... its label" "$(status_get phuc-xa .site.label)" 16901
is "... the epoch" "$(status_get phuc-xa .bundle.epoch)" 1
is "... who signed" "$(status_get phuc-xa '.bundle.signers | sort | join(" ")')" "an binh"
is "... its links" "$(status_get phuc-xa '[.links[] | .site + " " + .state] | sort | join(", ")')" "ba-dinh up, dong-da up"
is "... its paths" "$(status_get phuc-xa '[.paths[] | .name + " " + .state] | sort | join(", ")')" "main up, spare up"
is "... the path in use" "$(active_path phuc-xa)" main
like "... its labels, district and province first" "$(status_get phuc-xa '.paths[] | select(.name == "main") | .labels | join("/")')" '16001$'
is "the gateway has both communes' sessions" "$(status_get npdc-hn '[.sessions[] | select(.state == "up") | .peer] | sort | join(" ")')" \
	"kham-thien phuc-xa"
is "the district has no session at all" "$(status_get ba-dinh '.sessions | length')" 0
like "the district knows the labels that pass" "$(status_get ba-dinh '[.labels[].in] | sort | join(" ")')" '16001.*16901'
for s in $COUNTRY_SITES; do
	is "the plan of $s is empty" "$("$tuyen" plan --control "$(control_of "$s")" | grep -cE '^(add|change|remove|set|ip|wg|tc|nft|sysctl)')" 0
	like "tuyen status of $s is for people" "$("$tuyen" status --control "$(control_of "$s")" 2>&1)" "$s"
done
for what in links paths sessions labels bundle; do
	ok "tuyen show $what --json is JSON" eval '"$tuyen" show '$what' --control "$(control_of phuc-xa)" --json | jq -e .'
	like "tuyen show $what is a table" "$("$tuyen" show $what --control "$(control_of phuc-xa)")" '[a-z0-9]'
done
is "tuyen show drift: there is none" "$("$tuyen" show drift --control "$(control_of phuc-xa)")" "none: the kernel holds what the bundle says"
is "... which is JSON, too" "$("$tuyen" show drift --json --control "$(control_of phuc-xa)" | jq -c .)" '{"operations":[],"left_out":null}'
largest=$((1500 - 60 - 20 - 3 * 4 - 60))
at_most "the session's MTU is what fits" "$(status_get phuc-xa '.sessions[0].mtu')" $((largest + 8))
segment=$(($(status_get phuc-xa '.sessions[0].mtu') - 40)) # less the headers of IPv4 and TCP
is "a connection's segments fit, there and back" "$(connection_mss phuc-xa)" "$segment $segment"
country_down
done_testing
