# SPDX-License-Identifier: Apache-2.0
# A carrier that swallows a path's probes for 180 of every 300 ms, and nothing else: the path is in doubt again and again and
# never down. Its traffic goes to and fro a few times, and then stays away until that is over. On the virtual clock.
# clock: virtual
# seconds: 1200
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/fault/ring"

main_is() { status_get phuc-xa ".paths[] | select(.name == \"main\") | .$1"; }
nobody_repairs() { local s; for s in $COUNTRY_SITES; do status_is "$s" '[.links[] | select(.repaired)] | length' 0 || return 1; done; }
status_conditions+="nobody_repairs "
operations() { status_get phuc-xa .daemon.operations; }
told() { grep -c "\"event\":\"$1\"" phuc-xa.log; }
# A probe of the path is 140 bytes on the line, one of the link 124. While its sender is in @shut, the carrier swallows it.
from=${country_public[phuc-xa]} to=${country_public[ba-dinh]}
carrier_swallows() {
	in_site carrier nft -f - <<-NFT
	table ip cuts {
		set shut { type ipv4_addr; flags dynamic,timeout; }
		set wait { type ipv4_addr; flags dynamic,timeout; }
		chain probes {
			type filter hook forward priority 1;
			ip saddr != $from accept
			ip daddr != $to accept
			meta length != 125-150 accept
			ip saddr @shut counter drop
			ip saddr @wait accept
		}
	}
	NFT
}
again_and_again() { # one comes through, what follows in 180 ms does not, what comes in the next 120 ms does
	in_site carrier nft add rule ip cuts probes add @shut '{ ip saddr timeout 180ms }' add @wait '{ ip saddr timeout 300ms }'
}

country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
wait_for 60 "the end of the repairs" nobody_repairs
carrier_swallows

# Once, as when a failure is repaired on the way: away and back, and nobody need know.
changes=$(main_is changes) before=$(operations) switches=$(told switch)
in_site carrier nft add element ip cuts shut "{ $from timeout 190ms }"
sleep 1
is "silent for 190 ms: in doubt, once" "$(main_is doubts) $(main_is in_doubt) $(main_is state) $(main_is damped)" "1 false up false"
is "... and never down" "$(main_is changes)" "$changes"
is "... its traffic went another way, and is back" "$(($(operations) - before)) $(active_path phuc-xa)" "2 main"
is "... which nobody is told" "$(told switch)" "$switches"

changes=$(main_is changes) before=$(operations) damped=$(told damped) switches=$(told switch)
again_and_again
sleep 20
at_least "again and again for 20 s: so often in doubt" "$(main_is doubts)" 50
is "... and never down" "$(main_is changes)" "$changes"
is "the path is held as spare" "$(main_is damped) $(active_path phuc-xa)" "true spare"
at_most "... after few changes of routes" $(($(operations) - before)) 12
is "... which is said once, and where its traffic is" "$(($(told damped) - damped)) $(($(told switch) - switches))" "1 1"
stream_start phuc-xa 5
sleep 5
stream_stop phuc-xa
is "there nothing is lost" "$lost" 0
in_site carrier nft delete chain ip cuts probes
ok "when it has been calm for a minute its traffic goes back" wait_for 90 "the main path" path_is phuc-xa main
is "... which is said too" "$(($(told damped) - damped)) $(($(told switch) - switches))" "1 2"
is "nothing of it was taken for somebody else's change" "$(status_get phuc-xa .daemon.drift_repairs)" 0
country_down
done_testing
