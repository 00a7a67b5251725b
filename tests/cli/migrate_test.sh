#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# From three tiers to two, and from one parent to the next: the stages are written, canonical, compile, and hold; what leaves a stage out is refused, with
# its place. A small country always, the two real ones where their tables are at hand. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
tuyen=$(realpath "${TUYEN:-build/tuyen}")
data=${TUYEN_DATA:-../shared/data}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
tests=0 failed=0

is() { # NAME EXPECTED ACTUAL
	tests=$((tests + 1))
	if [ "$2" = "$3" ]; then echo "ok $tests - $1"; return; fi
	failed=$((failed + 1))
	echo "not ok $tests - $1"
	printf 'expected: %s\ngot: %s\n' "$2" "$3" | head -n 20 | sed 's/^/# /'
}
skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }
code() { "$@" >"$work/out" 2>"$work/err" </dev/null; echo $?; }
files() { echo "$1"/national.topology "$1"/national.policy "$1"/national.keys; }
migrate() { "$tuyen" migrate "$@"; }
stages='.stages | map("\(.name) \(.proven) \(.audit_findings) \(.switched | length)") | join(", ")'

"$tuyen" generate national --provinces 4 --districts 12 --communes 60 --gateways 2 --keys -o "$work/old" >/dev/null
"$tuyen" generate national --provinces 2 --districts 0 --communes 61 --gateways 2 --keys -o "$work/new" >/dev/null
old=$(files "$work/old") new=$(files "$work/new")

is "four stages" 0 "$(code migrate --old $old --new $new -o "$work/way" --json)"
is "each is proven, and one of them moves 60 sites" \
	"join true 0 0, make true 0 0, move true 0 60, break true 0 0" "$(jq -r "$stages" "$work/out")"
is "what is new and what goes" "64 1 14 60" "$(jq -r '.plan | "\(.sites_kept) \(.sites_gained) \(.sites_lost) \(.moving)"' "$work/out")"
is "both writings agree" 4 "$(migrate --old $old --new $new -o "$work/way" | grep -c ' clean  proven$')"
is "written: a pair a stage" "1-join.policy 1-join.topology 2-make.policy 2-make.topology 3-move.policy 3-move.topology 4-break.policy 4-break.topology" \
	"$(cd "$work/way" && echo *)"
is "canonical" 0 "$(code "$tuyen" fmt --check "$work"/way/*)"
for s in 1-join 2-make 3-move 4-break; do
	is "$s can be released, audited clean" 0 \
		"$(code "$tuyen" compile "$work/way/$s".* -o "$work/$s" --epoch ${s%%-*} --issued 2025-01-01)"
done
"$tuyen" compile $old -o "$work/0-old" --epoch 1 --issued 2025-01-01 >/dev/null
is "release by release: join" 0 "$(code migrate "$work/0-old" "$work/1-join")"
is "make" 0 "$(code migrate "$work/1-join" "$work/2-make")"
is "move" 0 "$(code migrate "$work/2-make" "$work/3-move")"
is "break" 0 "$(code migrate "$work/3-move" "$work/4-break")"
is "the same call, the same bytes" "" "$(migrate --old $old --new $new -o "$work/again" >/dev/null; diff -r "$work/way" "$work/again")"

is "at once is refused" 1 "$(code migrate --old $old --new $new)"
is "with the place" 1 "$(grep -c "commune-00001' to 'npdc-1', color 10,.*'district-001' with the new release is not there" "$work/out")"
is "make without join is refused" 1 "$(code migrate "$work/0-old" "$work/2-make")"
is "at the site that does not know of the link yet" 1 "$(grep -c "'commune-[0-9]*' with the old release has no working link there" "$work/out" | sed 's/^[1-9].*/1/')"
is "move without fresh links is refused" 1 "$(code migrate "$work/1-join" "$work/3-move")"
is "break before move is refused" 1 "$(code migrate "$work/2-make" "$work/4-break")"
is "as JSON" "false break" "$(migrate --json "$work/2-make" "$work/4-break" | jq -r '"\(.proven) \(.stages[0].findings[0].kind)"')"

"$tuyen" generate national --provinces 2 --districts 0 --communes 61 --seed 2 --keys -o "$work/strangers" >/dev/null
is "strangers, by their keys" 1 "$(code migrate --old $old --new $(files "$work/strangers") -o "$work/x")"
is "are told of --same" 1 "$(grep -c 'no site of the new country is one of the old: see --same' "$work/err")"
is "by name they are the same" 0 "$(code migrate --old $old --new $(files "$work/strangers") -o "$work/x" --same name)"
is "a call without sides" 2 "$(code migrate "$work/0-old")"
is "folders cannot be planned" 2 "$(code migrate "$work/0-old" "$work/1-join" -o "$work/x")"
is "an unknown way to be the same" 2 "$(code migrate --old $old --new $new -o "$work/x" --same luck)"

# ---- below one grandparent: a fifth stage -------------------------------------------------------
{
	echo 'tiers npdc, province, district, commune; underlay fibre { }'
	echo 'site hub tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/16; }'
	echo 'site p tier province id 2 under hub { uplink fibre 203.0.113.2; }'
	for d in 1 2 3; do echo "site d$d tier district id 1$d under p { uplink fibre 203.0.113.1$d; }"; done
	echo 'site c tier commune id 101 under d1 backup d3 { uplink fibre dynamic; lan 10.1.1.0/24; }'
} >"$work/near.topology"
echo 'class web { to port tcp 443; }
policy web color 10 { from tier commune; to tier npdc; carry web; path main preference 200 via parent;
	path spare preference 100 via backup; encrypt end-to-end; }
expect c reaches hub with web;' >"$work/near.policy"
sed 's/under d1 backup d3/under d2 backup d3/' "$work/near.topology" >"$work/nearer.topology"
sed 's/under d1 backup d3/under d3 backup d1/' "$work/near.topology" >"$work/swap.topology"
for way in nearer swap; do
	is "$way: proven" 0 "$(code migrate --old "$work"/near.* --new "$work/$way.topology" "$work/near.policy" -o "$work/near-$way" --json)"
	is "$way: in five stages" "join true 0 0, make true 0 0, move true 0 1, leave true 0 0, break true 0 0" "$(jq -r "$stages" "$work/out")"
	is "$way: with their numbers, and no others" "1-join 2-make 3-move 4-leave 5-break" "$(cd "$work/near-$way" && echo *.topology | sed 's/\.topology//g')"
	is "$way: nothing is said of what was written" 0 "$(grep -c "near-$way/" "$work/err")"
	is "$way: leave may not be left out" 1 "$(code migrate --old "$work/near-$way"/3-* --new "$work/near-$way"/5-*)"
done
is "where four are enough, a fifth is no more there" "0 4" \
	"$(code migrate --old "$work"/near.* --new "$work"/near.* -o "$work/near-swap") $(ls "$work/near-swap"/*.policy | wc -l)"

# ---- 63 provinces in three tiers, 34 in two ---------------------------------------------------
if [ -r "$data/units-63.tsv" ] && [ -r "$data/units-34.tsv" ]; then
	for n in 63 34; do
		"$tuyen" generate national --units "$data/units-$n.tsv" --keys --gateways 2 -o "$work/$n" >/dev/null
	done
	is "63 to 34" 0 "$(code migrate --old $(files "$work/63") --new $(files "$work/34") -o "$work/real" --json)"
	is "each stage is proven" "join true 0 0, make true 0 0, move true 0 3314, break true 0 0" "$(jq -r "$stages" "$work/out")"
	is "who stays, comes and goes" "3350 7 8019" "$(jq -r '.plan | "\(.sites_kept) \(.sites_gained) \(.sites_lost)"' "$work/out")"
	is "at the end there are as many sites as in the new country" "$("$tuyen" diff --old $(files "$work/34") --new $(files "$work/34") --json | jq .sites_same)" \
		"$(jq '.stages[3].sites' "$work/out")"
else
	skip "the country of 63 provinces becomes that of 34" "no tables in $data"
fi
echo "1..$tests"
[ $failed -eq 0 ]
