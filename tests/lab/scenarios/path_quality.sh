# SPDX-License-Identifier: Apache-2.0
# A path that lives and serves badly: a carrier that swallows big packets, loses many or is late. The first costs seconds and then smaller
# packets, the others are left for another path where policy says so. On the virtual clock.
# clock: virtual
# seconds: 2000
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/snmp.sh"

sed 's/revert after 2s;/&\n\tdegraded above loss 5%, round-trip 300ms;/' "$LAB_TREE/policies/examples/first-light.policy" >limits.policy
COUNTRY_SOURCES="$LAB_TREE/topology/examples/first-light.topology limits.policy"

carried() { status_get "$1" ".paths[] | select(.name == \"$2\") | .carried_mtu"; }
carries() { test "$(carried "$1" "$2")" "$3" "$4"; }
link() { status_get "$1" ".links[] | select(.site == \"$2\") | .$3"; } # SITE NEIGHBOR FIELD
link_carries() { local carried; carried=$(link "$1" "$2" carried_mtu); test "${carried:-null}" != null && test "$carried" "$3" "$4"; }
session_mtu() { in_site "$1" cat /sys/class/net/s10/mtu 2>/dev/null || in_site "$1" ip -o link show s10 | sed 's/.* mtu \([0-9]*\).*/\1/'; }
status_conditions+="degraded damped main_state link_carries "
degraded() { status_is "$1" ".paths[] | select(.name == \"$2\") | .degraded" "$3"; }

# What passes between two sites in the carrier's net and is longer than LENGTH is swallowed without a word.
carrier_swallows() { # A B LENGTH [one-way: what A sends alone]
	local a=${country_public[$1]} b=${country_public[$2]} from
	from="{ $a, $b }"
	[ -z "${4-}" ] || from=$a
	in_site carrier nft add chain ip cuts small '{ type filter hook forward priority 1; }'
	in_site carrier nft add rule ip cuts small ip saddr "$from" ip daddr "{ $a, $b }" meta length gt "$3" counter drop
}
carrier_loses() { in_site carrier tc qdisc add dev "u-$1" root netem loss "$2%"; } # SITE PERCENT: of what goes to it
carrier_heals() { in_site carrier nft delete chain ip cuts "$1"; }

country_up || bail "the country comes up"
pass "the country comes up"
https_start
snmp_up
trapped() { grep -qE "TUYEN-MIB::$1.*$2" trapd.log; } # NOTIFICATION OBJECTS
head -c 200000 /dev/urandom | base64 >www/image
download() { in_site "lan-$1" curl -sS --max-time "$(lab_patience 5)" --cacert www.pem -o image.got \
	--resolve "population.example:443:${country_host[npdc-hn]}" https://population.example/image && cmp -s image.got www/image; }
asks_much() { # SITE: in one record of TLS, which is answered when all of it is there
	in_site "lan-$1" curl -sS --max-time "$(lab_patience 5)" --cacert www.pem -H "Form: $(printf '%08000d' 0)" \
		--resolve "population.example:443:${country_host[npdc-hn]}" https://population.example/citizen | grep -qF "$QUERY_TEXT"
}
whole=$(status_get phuc-xa '.paths[] | select(.name == "main") | .mtu')
compiled=$(status_get kham-thien '.paths[0].mtu')
device=$(session_mtu kham-thien)
ok "the first long probes come back: what was compiled passes" wait_for 15 "a size" eval 'carries phuc-xa main -eq "$whole" && carries phuc-xa spare -gt 0'
ok "so do the links', from either end" wait_for 30 "a size" eval 'link_carries phuc-xa ba-dinh -eq 1440 && link_carries ba-dinh phuc-xa -eq 1440'
ok "a big answer comes" download kham-thien
hub=$(session_mtu npdc-hn) # one device for all communes: the least of them
is "a connection's segments are what each end's session takes" "$(connection_mss kham-thien)" "$((device - 40)) $((hub - 40))"

# Two ways, one of them narrow: the other is taken, for what is small too.
changes=$(link phuc-xa ba-dinh changes)
carrier_swallows phuc-xa ba-dinh 1300
ok "small packets still pass: the path lives" paths_up phuc-xa 2
ok "the black hole is found, and the path that is whole is taken" wait_for 15 "the spare path" path_is phuc-xa spare
ok "a big answer comes by it" download phuc-xa
# 1300 less IP, UDP and WireGuard (60), MPLS-in-IP (20), a label (4); WireGuard pads to 16
ok "what the path carries is found" wait_for 15 "a size" eval 'carries phuc-xa main -le 1216 && carries phuc-xa main -ge 1188'
is "the other path is whole" "$(carried phuc-xa spare)" "$(status_get phuc-xa '.paths[] | select(.name == "spare") | .mtu')"
like "... and it is said" "$(grep -h '"event":"mtu".*"index"' phuc-xa.log | tail -n 1)" '"name":"main"'
# 1300 less IP, UDP and WireGuard (60); WireGuard pads to 16
ok "... and which link it is: it is asked when the path says so" wait_for 15 "a size" \
	eval 'link_carries phuc-xa ba-dinh -le 1240 && link_carries phuc-xa ba-dinh -ge 1225'
ok "... its other end asks by itself, more seldom" wait_for 90 "a size" eval 'link_carries ba-dinh phuc-xa -le 1240 && link_carries ba-dinh phuc-xa -ge 1225'
like "... which is said" "$(grep -h '"event":"mtu","site"' phuc-xa.log | tail -n 1)" '"site":"ba-dinh","site_id":210,"carried_mtu":12[0-9]*,"mtu":1440'
is "the next link on the way, and the other one of the site's, are whole" "$(link ba-dinh hanoi carried_mtu) $(link phuc-xa dong-da carried_mtu)" "1440 1440"
is "... and no link has failed for it" "$(link phuc-xa ba-dinh state) $(link phuc-xa ba-dinh changes)" "up $changes"
ok "the network centre is told of the path" wait_for 15 "the trap" trapped tuyenPathMtuReduced \
	"tuyenPathName.*main.*tuyenPathMtu.* ${whole}[^0-9].*tuyenPathCarriedMtu.* $(carried phuc-xa main)([^0-9]|$)"
ok "... and of the link" wait_for 15 "the trap" trapped tuyenLinkMtuReduced \
	"tuyenLinkName.*ba-dinh.*tuyenLinkMtu.* 1440[^0-9].*tuyenLinkCarriedMtu.* $(link phuc-xa ba-dinh carried_mtu)([^0-9]|$)"
ok "... and not of an end" eval '! trapped "tuyen(Path|Link)MtuRestored"'
carrier_heals small
ok "the carrier is whole again, and traffic goes back" wait_for 120 "the main path" path_is phuc-xa main
is "... to the whole path" "$(carried phuc-xa main)" "$whole"
ok "... and the whole link" wait_for 900 "the whole size" eval 'link_carries phuc-xa ba-dinh -eq 1440 && link_carries ba-dinh phuc-xa -eq 1440'
ok "... which the network centre is told, too" wait_for 15 "the traps" eval \
	'trapped tuyenPathMtuRestored "tuyenPathName.*main" && trapped tuyenLinkMtuRestored "tuyenLinkName.*ba-dinh"'

# One way alone: the session's packets become smaller.
carrier_swallows kham-thien dong-da 1300
ok "a black hole without a way round it is found" wait_for 15 "a size" \
	eval 'carries kham-thien main -le 1216 && carries kham-thien main -ge 1188'
is "the session follows, by whole blocks of its cipher" "$(session_mtu kham-thien)" "$((($(carried kham-thien main) - 60) / 16 * 16))"
ok "a big answer comes again" download kham-thien
is "... as a new connection asks for smaller segments" "$(connection_mss kham-thien)" "$(($(session_mtu kham-thien) - 40)) $((hub - 40))"
ok "... and a big question passes" asks_much kham-thien
is "nothing of it was drift" "$(status_get kham-thien .daemon.drift_repairs)" 0 || grep -h drift kham-thien.log | sed "s/^/# /"
carrier_heals small
ok "the carrier is whole again, and that is found" wait_for 120 "the whole size" carries kham-thien main -eq "$compiled"
is "the session follows" "$(session_mtu kham-thien)" "$device"

carrier_swallows dong-da phuc-xa 1300 one-way
ok "one direction alone is enough: both ends find it" wait_for 120 "a size" \
	eval 'link_carries dong-da phuc-xa -le 1240 && link_carries phuc-xa dong-da -le 1240'
carrier_heals small
ok "... and the path over it is whole again before the link" wait_for 120 "the whole size" \
	carries phuc-xa spare -eq "$(status_get phuc-xa '.paths[] | select(.name == "spare") | .mtu')"

is "the main path is in use" "$(active_path phuc-xa)" main
stream_echo_start
carrier_loses ba-dinh 10
ok "loss is measured, and the path is degraded" wait_for 15 "a degraded path" degraded phuc-xa main true
ok "traffic moves to the one that is not" wait_for 5 "the spare path" path_is phuc-xa spare
stream_start phuc-xa 10
sleep 5
stream_stop phuc-xa
is "there nothing is lost" "$lost" 0
event=$(grep -h '"event":"quality"' phuc-xa.log | grep '"name":"main"' | grep -m 1 '"degraded":true')
like "... and it is said" "$event" '"endpoint":"npdc-hn"'
at_least "... with the loss that was measured, in 1/1000" "$(sed 's/.*"loss_permille":\([0-9]*\).*/\1/' <<<"$event")" 51
is "loss is no black hole" "$(carried phuc-xa main)" "$whole"
in_site carrier tc qdisc del dev u-ba-dinh root
stream_start phuc-xa 10
ok "the loss ends, and after the hold time traffic goes back" wait_for 60 "the main path" path_is phuc-xa main
sleep 1
stream_stop phuc-xa
is "going back loses nothing" "$lost" 0

# What goes to ba-dinh waits, on the way there and on the way back.
carrier_delays() { in_site carrier tc qdisc replace dev u-ba-dinh root netem delay "$@"; } # TIME [JITTER]
left_for_it() { grep -h '"event":"quality"' phuc-xa.log | grep '"name":"main"' | grep -c '"degraded":true'; }
before=$(left_for_it)
for ms in 30 60 90 120; do carrier_delays ${ms}ms; sleep 0.5; done # no step is a gap of the detection time
sleep 5 # of the virtual clock: a window of probes has passed, and nothing happens that could be waited for
is "a way that becomes longer, below its limit, loses nothing" "$(left_for_it)" "$before"
carrier_delays 0ms # what waits is not lost
sleep 5 # likewise
is "... nor does one that becomes shorter" "$(left_for_it), $(active_path phuc-xa)" "$before, main" ||
	grep -h '"event":"quality"' phuc-xa.log | tail -n 3 | sed 's/^/# /'
in_site carrier tc qdisc del dev u-ba-dinh root

# Round trip and jitter, each by a release that limits nothing else: a way that changes may count as restless.
limited_to() { # EPOCH LIMITS
	sed "s/loss 5%, round-trip 300ms;/$2;/" limits.policy >"limits.$1.policy"
	ok "a release limits $2 alone" country_release "$1" "$LAB_TREE/topology/examples/first-light.topology" "limits.$1.policy" keys.topology
	for s in $COUNTRY_SITES; do install_seal "$s" "seals.$1/${country_id[$s]}.seal" >>install.log 2>&1; done
	ok "... and the commune takes it" wait_for 30 "the release" status_is phuc-xa .bundle.epoch "$1"
	stream_start phuc-xa 10
}
figure() { grep -h '"event":"quality"' phuc-xa.log | grep '"name":"main"' | tail -n 1 | sed "s/.*\"$1\":\([a-z0-9]*\).*/\1/"; } # FIELD
main_changes() { status_get phuc-xa '.paths[] | select(.name == "main") | .changes'; }
in_use() { status_get phuc-xa '[.paths[] | select(.name == "main" and .degraded) | "degraded"] + [.paths[] | select(.active) | .name] | join(", ")'; }
is_left() { # NAME
	ok "$1: the path is degraded" wait_for 60 "a degraded path" degraded phuc-xa main true
	ok "... and traffic moves" wait_for 5 "the spare path" path_is phuc-xa spare
	is "... which is said" "$(figure degraded)" true
}
is_taken_again() { # NAME
	local begin
	carrier_delays 0ms # what waits is not lost
	begin=$(now_ms)
	ok "$1 ends, and traffic goes back" wait_for 60 "the main path" path_is phuc-xa main
	at_least "... after the hold time, in ms" $(($(now_ms) - begin)) 2000
	sleep 1 # of the stream
	stream_stop phuc-xa
	is "... of which nothing is lost" "$lost" 0
	in_site carrier tc qdisc del dev u-ba-dinh root
}
changes=$(main_changes)
limited_to 2 "round-trip 300ms"
for ms in 20 40 60 80 100 120 140; do carrier_delays ${ms}ms; sleep 1; done # no step is a gap of the detection time
sleep 30 # of the virtual clock: the smoothed figure has come up to it, and nothing happens that could be waited for
is "a round trip of 280 ms is let be" "$(in_use)" main
carrier_delays 160ms
is_left "320 ms"
at_least "... by that, in us" "$(figure round_trip_us)" 300001
carrier_delays 130ms
sleep 30 # the smoothed figure has come down to it, and more than the hold time is over: nothing may happen
is "260 ms, more than three quarters of the limit: it is left alone" "$(in_use)" "degraded, spare"
is_taken_again "the long way"
limited_to 3 "jitter 10ms"
carrier_delays 20ms 4ms
sleep 30 # the step itself is no part of the smoothed jitter any more, and nothing happens that could be waited for
is "a round trip that varies a little is let be" "$(in_use)" main
carrier_delays 20ms 20ms
is_left "one that varies much"
at_least "... by that, in us" "$(figure jitter_us)" 10001
is_taken_again "the restlessness"
is "in all that the path has not failed" "$(main_changes)" "$changes"

# A line that fails, comes back, and fails again.
damped() { status_is "$1" ".paths[] | select(.name == \"$2\") | .damped" "$3"; }
main_state() { status_is "$1" '.paths[] | select(.name == "main") | .state' "$2"; }
flap() { # SITE A B: its path by there fails once
	link_cut "$2" "$3"; wait_for 5 "the failure" main_state "$1" down
	link_heal "$2" "$3"; wait_for 5 "its end" main_state "$1" up
}
told() { grep -c '"event":"damped".*"name":"main"' phuc-xa.log; }
wait_for 60 "the end of what the loss cost" damped phuc-xa main false
before=$(told)
for i in 1 2 3; do # the loss may have cost one before
	damped phuc-xa main true || { wait_for 10 "the main path" path_is phuc-xa main; flap phuc-xa phuc-xa ba-dinh; }
done
ok "with the third failure in a row the path is held as spare" damped phuc-xa main true
sleep 4
is "... for longer than the hold time" "$(active_path phuc-xa)" spare
is "... which is said once" "$(told)" $((before + 1))
link_cut phuc-xa dong-da
ok "... and used all the same where no other is up" wait_for 2 "the main path" path_is phuc-xa main
link_heal phuc-xa dong-da
ok "the spare one comes back, and nothing moves for that" eval 'wait_for 5 "both paths" paths_up phuc-xa 2 && path_is phuc-xa main'
ok "it is forgotten" wait_for 30 "the end of it" damped phuc-xa main false
country_down
done_testing
