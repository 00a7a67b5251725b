# SPDX-License-Identifier: Apache-2.0
# A path that lives and serves badly: a carrier that swallows big packets, or loses many. The first costs seconds and then smaller
# packets, the second is left for another path where policy says so. On the virtual clock.
# clock: virtual
# seconds: 500
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

sed 's/revert after 2s;/&\n\tdegraded above loss 5%, round-trip 300ms;/' "$LAB_TREE/policies/examples/first-light.policy" >limits.policy
COUNTRY_SOURCES="$LAB_TREE/topology/examples/first-light.topology limits.policy"

carried() { status_get "$1" ".paths[] | select(.name == \"$2\") | .carried_mtu"; }
carries() { [ "$(carried "$1" "$2")" "$3" "$4" ]; }
session_mtu() { in_site "$1" cat /sys/class/net/s10/mtu 2>/dev/null || in_site "$1" ip -o link show s10 | sed 's/.* mtu \([0-9]*\).*/\1/'; }
degraded() { status_is "$1" ".paths[] | select(.name == \"$2\") | .degraded" "$3"; }

# What passes between two sites in the carrier's net and is longer than LENGTH is swallowed without a word.
carrier_swallows() { # A B LENGTH
	local a=${country_public[$1]} b=${country_public[$2]}
	in_site carrier nft add chain ip cuts small '{ type filter hook forward priority 1; }'
	in_site carrier nft add rule ip cuts small ip saddr "{ $a, $b }" ip daddr "{ $a, $b }" meta length gt "$3" counter drop
}
carrier_loses() { in_site carrier tc qdisc add dev "u-$1" root netem loss "$2%"; } # SITE PERCENT: of what goes to it
carrier_heals() { in_site carrier nft delete chain ip cuts "$1"; }

country_up || bail "the country comes up"
pass "the country comes up"
https_start
head -c 200000 /dev/urandom | base64 >www/image
download() { in_site lan-phuc-xa curl -sS --max-time "$(lab_patience 5)" --cacert www.pem -o image.got \
	--resolve "population.example:443:${country_host[npdc-hn]}" https://population.example/image && cmp -s image.got www/image; }
compiled=$(status_get phuc-xa '.paths[] | select(.name == "main") | .mtu')
device=$(session_mtu phuc-xa)
is "at first what was compiled is believed" "$(carried phuc-xa main)" "$compiled"
ok "a big answer comes" download

carrier_swallows phuc-xa ba-dinh 1300
ok "small packets still pass: the path lives" paths_up phuc-xa 2
ok "the black hole is found" wait_for 15 "a smaller size" carries phuc-xa main -lt "$compiled"
# 1300 less IP, UDP and WireGuard (60), MPLS-in-IP (20), a label (4); WireGuard pads to 16
at_most "what the path carries" "$(carried phuc-xa main)" 1216
at_least "... to some bytes" "$(carried phuc-xa main)" 1188
is "the other path is whole" "$(carried phuc-xa spare)" "$(status_get phuc-xa '.paths[] | select(.name == "spare") | .mtu')"
is "the session follows, by whole blocks of its cipher" "$(session_mtu phuc-xa)" "$((($(carried phuc-xa main) - 60) / 16 * 16))"
like "... and it is said" "$(grep -h '"event":"mtu"' phuc-xa.log | tail -n 1)" '"name":"main"'
ok "a big answer comes again" download
is "nothing of it was drift" "$(status_get phuc-xa .daemon.drift_repairs)" 0 || grep -h drift phuc-xa.log | sed "s/^/# /"
carrier_heals small
ok "the carrier is whole again, and that is found" wait_for 90 "the whole size" carries phuc-xa main -eq "$compiled"
is "the session follows" "$(session_mtu phuc-xa)" "$device"

is "the main path is in use" "$(active_path phuc-xa)" main
stream_echo_start
carrier_loses ba-dinh 6
ok "loss is measured, and the path is degraded" wait_for 15 "a degraded path" degraded phuc-xa main true
ok "traffic moves to the one that is not" wait_for 5 "the spare path" path_is phuc-xa spare
stream_start phuc-xa 10
sleep 5
stream_stop phuc-xa
is "there nothing is lost" "$lost" 0
at_least "the loss that is shown, in 1/1000" "$(status_get phuc-xa '.paths[] | select(.name == "main") | .loss_permille')" 25
like "... and it is said" "$(grep -h '"event":"quality"' phuc-xa.log | tail -n 1)" '"name":"main".*"degraded":true'
is "loss is no black hole" "$(carried phuc-xa main)" "$compiled"
in_site carrier tc qdisc del dev u-ba-dinh root
stream_start phuc-xa 10
ok "the loss ends, and after the hold time traffic goes back" wait_for 60 "the main path" path_is phuc-xa main
sleep 1
stream_stop phuc-xa
is "going back loses nothing" "$lost" 0
country_down
done_testing
