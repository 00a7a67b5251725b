#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tuyen simulate, as it is called: scenarios, scripts, chance, releases, exit codes. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
tuyen=$(realpath "${TUYEN:-build/tuyen}")
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
tests=0 failed=0

is() { # NAME EXPECTED ACTUAL
	tests=$((tests + 1))
	if [ "$2" = "$3" ]; then echo "ok $tests - $1"; return; fi
	failed=$((failed + 1))
	echo "not ok $tests - $1"
	printf 'expected: %s\ngot: %s\n' "$2" "$3" | sed 's/^/# /'
}
code() { timeout 600 "$@" >"$work/out" 2>"$work/err" </dev/null; echo $?; }
simulate() { timeout 600 "$tuyen" simulate "$@" 2>"$work/err"; }
between() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] && echo yes || echo "no: $1 is not in $2..$3"; }

light="topology/examples/first-light.topology policies/examples/first-light.policy"
echo 'at 10s cut link phuc-xa ba-dinh; # the main path
at 20s heal link phuc-xa ba-dinh;' >"$work/cut"

is "a script runs" 0 "$(code "$tuyen" simulate --script "$work/cut" $light)"
is "one site is hit and moves, there and back" "1 1   in 2 switches" \
	"$(sed -n 's/^  sites hit  *\([0-9]*\)$/\1/p; s/^  moved to another path  *//p' "$work/out" | paste -sd' ')"
is "the events are shown" 1 "$(grep -c '^  at 10.000 s  cut link phuc-xa ba-dinh$' "$work/out")"
is "promises are kept" 1 "$(grep -c '^all 11 promises kept$' "$work/out")"
is "a histogram is drawn" 1 "$(grep -c '|####* 1$' "$work/out")"
json=$(simulate --script "$work/cut" --json $light)
is "JSON says the same" "true 1 2 0" "$(jq -r '"\(.ok) \(.sites_hit) \(.switches) \(.broken_promises)"' <<<"$json")"
is "the outage is one detection time" yes "$(between "$(jq .outage.max_us <<<"$json")" 100000 180000)"
is "and all of it could be helped" true "$(jq '.lost_us == .lost_avoidable_us and .lost_us == .outage.max_us' <<<"$json")"
is "a script's error has a line" "1 tuyen simulate: $work/bad: line 2: a site is wanted, not 'nowhere'" \
	"$(printf 'at 10s kill site hanoi;\nat 20s kill site nowhere' >"$work/bad"; code "$tuyen" simulate --script "$work/bad" $light) $(tail -n 1 "$work/err")"

said() { # TEXT ARGUMENT...: what is said of a script, and the exit code
	printf '%s\n' "$1" >"$work/script"
	shift
	local code
	code=$(code "$tuyen" simulate --script "$work/script" "$@" $light)
	echo "$code $(tail -n 1 "$work/err" | sed "s|.*$work/||")"
}
is "what would happen behind the end is refused" "1 script: line 2: 'kill site hanoi' at 60.000 s: it would never happen, the run ends at 60.000 s" \
	"$(said $'at 10s spoil site hanoi;\nat 60s kill site hanoi;')"
is "also with a length that is given" "1 script: line 1: 'kill site hanoi' at 60.000 s: it would never happen, the run ends at 59.000 s" \
	"$(said 'at 60s kill site hanoi;' --seconds 59)"
is "and not within it" 0 "$(said 'at 60s kill site hanoi;' --seconds 61 | sed 's/ .*//')"
is "a scenario longer than the run too" "1 tuyen simulate: 'revive site npdc-hn' at 40.000 s: it would never happen, the run ends at 40.000 s" \
	"$(code "$tuyen" simulate --scenario gateway-lost --seconds 40 $light) $(tail -n 1 "$work/err")"
is "a script without an event" "1 script: no event" "$(said '# none')"
is "a heal of what is whole" "1 script: line 2: 'heal link hanoi ba-dinh' without a 'cut' before it" \
	"$(said $'at 10s cut link phuc-xa ba-dinh;\nat 20s heal link hanoi ba-dinh;')"
is "a country without a session" "1 tuyen simulate: nothing was tried: no policy makes a session" \
	"$(code "$tuyen" simulate ${light%% *}) $(tail -n 1 "$work/err")"
is "... of which nothing is said" "" "$(cat "$work/out")"

is "the hub dead: nobody has a path" "2 2" \
	"$(simulate --scenario gateway-lost --json $light | jq -r '"\(.sites_hit) \(.sites_without_live_path.commune)"')"
is "a province cut" "2 0" \
	"$(simulate --scenario province-cut --json $light | jq -r '"\(.sites_hit) \(.broken_promises)"')"
is "a bad release at a site that is named" "1 0" \
	"$(simulate --scenario bad-release --at dong-da --json $light | jq -r '"\(.sites_without_live_path.commune) \(.broken_promises)"')"
is "no LTE, no scenario" "1 tuyen simulate: lte-only: there is no LTE line" \
	"$(code "$tuyen" simulate --scenario lte-only $light) $(tail -n 1 "$work/err")"
is "no such scenario" 1 "$(code "$tuyen" simulate --scenario flood $light)"
is "no such site" 1 "$(code "$tuyen" simulate --scenario gateway-lost --at nowhere $light)"
is "no such option" 2 "$(code "$tuyen" simulate --no-such-option $light)"
is "no country" 2 "$(code "$tuyen" simulate)"
is "a number out of its range" 2 "$(code "$tuyen" simulate --loss 101 $light)"
is "not a number" 2 "$(code "$tuyen" simulate --seed x $light)"
is "a scenario and a script" 2 "$(code "$tuyen" simulate --scenario random --script "$work/cut" $light)"
is "wrong sources" 1 "$(code "$tuyen" simulate policies/examples/first-light.policy)"

"$tuyen" generate national --provinces 3 --districts 12 --communes 120 --keys -o "$work/country" >/dev/null
national="$work/country/national.topology $work/country/national.policy $work/country/national.keys"
is "a small country, twenty seeds" 0 "$(code "$tuyen" simulate --seeds 20 --failures-per-hour 400 --time $national)"
is "a line each, none broken" "20 20 seeds, 0 broken promises" \
	"$(grep -cE '^ +[0-9]+ .* 0$' "$work/out") $(tail -n 1 "$work/out")"
echo "# $(tail -n 1 "$work/err")"
is "the same seed, the same words" "$(simulate --seed 5 $national | sha256sum)" "$(simulate --seed 5 $national | sha256sum)"
is "another seed, others" 2 \
	"$({ simulate --seed 5 --failures-per-hour 600 $national | sha256sum; simulate --seed 6 --failures-per-hour 600 $national | sha256sum; } | sort -u | wc -l)"
is "jitter, loss and reordering break nothing" 0 \
	"$(code "$tuyen" simulate --seconds 60 --jitter-us 3000 --loss 0.5 --reorder 2 --failures-per-hour 600 $national)"
is "and fewer promises are judged than there are" "8 of 11 promises were judged, those that a site can keep where packets are lost by chance|all 8 promises kept" \
	"$(grep promises "$work/out" | paste -sd'|')"
is "chance's packets are not counted, and not 0" 1 "$(grep -c '^  packets faults lost .*; those lost by chance are not counted$' "$work/out")"
is "JSON says both" "11 8 null" "$(simulate --seconds 30 --loss 0.5 --json $light | jq -r '"\(.promises) \(.promises_judged) \(.packets_lost_by_chance)"')"
is "and without loss" "11 11 0" "$(simulate --seconds 30 --json $light | jq -r '"\(.promises) \(.promises_judged) \(.packets_lost_by_chance)"')"
is "several seeds say so too" "2 2 seeds, 0 broken promises; 8 of 11 were judged" \
	"$(simulate --seconds 60 --seeds 2 --loss 0.5 $light >"$work/out"; echo "$(grep -c '[0-9]+  *0$' "$work/out") $(tail -n 1 "$work/out")")"
is "what chance does not make whole again before the end is not in the list" 0 \
	"$(simulate --seconds 60 --failures-per-hour 3600 --json $national | jq '[.events[] | select(.at_us >= 60000000)] | length')"
is "LTE only: sites without it are named by tier" "0 true" \
	"$(simulate --scenario lte-only --json $national | jq -r '"\(.sites_without_live_path.district) \(.sites_without_live_path.commune > 0)"')"

is "a release is compiled" 0 "$(code "$tuyen" compile $national -o "$work/release" --epoch 1)"
is "and simulated" 0 "$(code "$tuyen" simulate --scenario province-cut --release "$work/release" --json)"
is "with the same sites, sessions and paths" "$(simulate --scenario province-cut --json $national | jq -c '[.sites, .links, .sessions, .paths]')" \
	"$(jq -c '[.sites, .links, .sessions, .paths]' "$work/out")"
bundle=$(find "$work/release/sites" -name '*.bundle' | sort | head -n 1)
echo >>"$bundle"
is "a bundle that is not the manifest's is refused" 1 "$(code "$tuyen" simulate --release "$work/release")"
is "no release there" 1 "$(code "$tuyen" simulate --release "$work/none")"
echo "1..$tests"
[ $failed -eq 0 ]
