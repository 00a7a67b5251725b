#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Whole countries: generate, import and budget as they are called; the two real tables of units, where they are at
# hand; the same bytes from two runs and two compilers. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
tuyen=$(realpath "${TUYEN:-build/tuyen}")
data=${TUYEN_DATA:-../shared/data}
clang=build/clang/tuyen
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
digest() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum); }
# id and network of each site
numbers() { awk '/^site / {for (i = 1; i < NF; i++) if ($i == "id") id = $(i + 1)} /^\tlan/ {print id, $2}' "$1" | sort; }

# ---- generate ----------------------------------------------------------------------------
counts="--provinces 3 --districts 9 --communes 60 --gateways 2"
is "generate by counts" 0 "$(code "$tuyen" generate national $counts --keys -o "$work/a")"
is "it counts" "74 2 3 9 60" "$("$tuyen" generate national $counts --keys --json -o "$work/b" | jq -r '"\(.sites) \(.tiers | map(.[1]) | join(" "))"')"
is "the same call, the same bytes" "$(digest "$work/a")" "$(digest "$work/b")"
"$tuyen" generate national $counts --seed 2 --keys -o "$work/c" >/dev/null
is "another seed, other keys" 1 "$(code cmp "$work/a/national.keys" "$work/c/national.keys")"
is "the keys are said to be fake" 1 "$(head -1 "$work/a/national.keys" | grep -c FAKE)"
is "no keys unless asked for" 0 "$("$tuyen" generate national $counts -o "$work/d" >/dev/null; ls "$work/d" | grep -c keys)"
is "canonical" 0 "$(code "$tuyen" fmt --check $(files "$work/a"))"
is "lawful, without a warning" "0 " "$(code "$tuyen" check -W error --keys $(files "$work/a")) $(cat "$work/err")"
is "it compiles, and every expectation holds" 0 "$(code "$tuyen" compile -W error $(files "$work/a") -o "$work/release" --epoch 1 --issued 2025-01-01)"
is "two ways that share nothing survive each link" 0 \
	"$(echo 'expect tier commune reaches tier npdc with query after any single link failure;' >"$work/any.policy"
	code "$tuyen" compile $(files "$work/a") "$work/any.policy" -o "$work/any" --epoch 1 --issued 2025-01-01)"
# README.md's way to the boxes; also where a country has a tier that README.md does not know
{
	sed -n '/^    class ssh /,/^    deny /p' README.md
	echo 'expect tier npdc reaches tier commune with ssh;'
	echo 'expect all except tier npdc never reaches all with ssh;'
} >"$work/upkeep.policy"
is "a gateway opens connections to more sites than a head-end has paths" 0 \
	"$(code "$tuyen" compile $(files "$work/a") "$work/upkeep.policy" -o "$work/upkeep" --epoch 1 --issued 2025-01-01)"
mkdir "$work/tiers"
sed 's/^tiers npdc, /&region, /; s/ tier province / tier region /' "$work/a/national.topology" >"$work/tiers/national.topology"
sed 's/tier province/tier region/' "$work/a/national.policy" >"$work/tiers/national.policy"
cp "$work/a/national.keys" "$work/tiers"
is "... and nobody else does, whatever tiers there are" 0 \
	"$(code "$tuyen" compile $(files "$work/tiers") "$work/upkeep.policy" -o "$work/upkeep" --epoch 2 --issued 2025-01-01)"
is "counts out of range" 2 "$(code "$tuyen" generate national --provinces 100 --districts 1 --communes 1 -o "$work/x")"
is "neither counts nor units" 2 "$(code "$tuyen" generate national -o "$work/x")"
is "both" 2 "$(code "$tuyen" generate national $counts --units "$work/x" -o "$work/x")"
printf 'code\tparent_code\ttier\tname\n01\tVN\tp\tA\n01\tVN\tp\tB\n9\tVN\tp\tC\n' >"$work/bad.tsv"
is "a bad table" 1 "$(code "$tuyen" generate national --units "$work/bad.tsv" -o "$work/x")"
is "its error has a place" 1 "$(grep -c "bad.tsv:3:1: error: code '01' is there already" "$work/err")"
is "and nothing is written" 1 "$(code test -e "$work/x")"

# ---- import ------------------------------------------------------------------------------
printf '\xef\xbb\xbfName;Tier;ID;Parent;Uplink;Address;LAN\r\nhub;npdc;1;;fibre;203.0.113.1;10.0.0.0/16\r\n"Hà ""Nội""";commune;2;hub;fibre;;10.1.0.0/24\r\n' >"$work/s.csv"
is "import" 0 "$(code "$tuyen" import "$work/s.csv" -o "$work/s.topology")"
is "what it wrote is lawful and canonical" "0 0" "$(code "$tuyen" check "$work/s.topology") $(code "$tuyen" fmt --check "$work/s.topology")"
is "to standard output" "" "$("$tuyen" import "$work/s.csv" | diff - "$work/s.topology")"
is "a summary as JSON" "true 2 2" "$("$tuyen" import --json "$work/s.csv" | jq -r '"\(.ok) \(.sites) \(.lans)"')"
printf 'name,tier,id,uplink\na,t,0,u\na,t,x,\n' >"$work/s.csv"
is "all errors at once" "1 4" "$(code "$tuyen" import "$work/s.csv" -o "$work/none") $(grep -c error: "$work/err")"
is "with line and column" 1 "$(grep -c 's.csv:3:5: error: an id is a number' "$work/err")"
is "and as JSON" "false 4 2" "$("$tuyen" import --json "$work/s.csv" | jq -r '"\(.ok) \(.errors) \(.diagnostics[0].line)"')"
is "and no file" 1 "$(code test -e "$work/none")"

# ---- budget ------------------------------------------------------------------------------
is "budget" 0 "$(code "$tuyen" budget $(files "$work/a"))"
is "it speaks of both gateways" 2 "$(grep -c '^hub npdc-' "$work/out")"
is "what all send all receive" "true true" \
	"$("$tuyen" budget --sites --json $(files "$work/a") | jq -r '"\(.ok) \((.lines | map(.sent.bytes_day) | add) == .all.bytes_day)"')"
sed 's|metered 500MB/day|metered 100MB/day|' "$work/a/national.topology" >"$work/tight.topology"
is "an allowance that is too small" 1 "$(code "$tuyen" budget "$work/tight.topology" "$work/a/national.policy")"
line=$(grep -n 'metered' "$work/tight.topology" | head -1 | cut -d: -f1)
is "is refused at its line" 1 "$(grep -c "tight.topology:$line:[0-9]*: error: watching takes" "$work/err")"
is "the example has no metered line" 0 "$(code "$tuyen" budget topology/examples/first-light.topology policies/examples/first-light.policy)"

# ---- the real tables -----------------------------------------------------------------------
real() { # NAME SITES TIERS TOWNS
	local units=$data/units-$1.tsv
	[ -r "$units" ] || { skip "the country of $1 provinces" "no $units"; return; }
	"$tuyen" generate national --units "$units" --keys --json -o "$work/$1" >"$work/out"
	is "$1: sites and tiers" "$2 $3" "$(jq -r '"\(.sites) \(.tiers | length)"' "$work/out")"
	is "$1: canonical" 0 "$(code "$tuyen" fmt --check $(files "$work/$1"))"
	is "$1: compiles without a warning" 0 "$(code "$tuyen" compile -W error $(files "$work/$1") -o "$work/release-$1" --epoch 1 --issued 2025-01-01)"
	is "$1: metered lines can pay" 0 "$(code "$tuyen" budget $(files "$work/$1"))"
	is "$1: every unit is a site of its own name" "$(grep -cv -e '^#' -e '^code' "$units")" \
		"$(grep -oE '^site ("[^"]*"|[^ ]*)' "$work/$1/national.topology" | grep -v '^site npdc-' | sort -u | wc -l)"
	is "$1: communes called Tân Thành" "$4" "$(grep -cE '^site "Xã Tân Thành( \(|")' "$work/$1/national.topology")"
	is "$1: no name has two blanks" 0 "$(grep -c '^site.*  ' "$work/$1/national.topology")"
	# without every hundredth of the lowest units, and the table upside down: nobody else gets another number
	(grep -e '^#' -e '^code' "$units"; grep -v -e '^#' -e '^code' "$units" | tac | awk -F'\t' '$3 != "commune" || ++n % 100') >"$work/fewer.tsv"
	"$tuyen" generate national --units "$work/fewer.tsv" -o "$work/fewer" >/dev/null
	numbers "$work/$1/national.topology" >"$work/all.numbers"
	numbers "$work/fewer/national.topology" >"$work/fewer.numbers"
	is "$1: ids stay when units come and go" "" "$(cut -d' ' -f1 "$work/fewer.numbers" | comm -23 - <(cut -d' ' -f1 "$work/all.numbers"))"
	moved=$(comm -23 "$work/fewer.numbers" "$work/all.numbers" | wc -l)
	echo "# $moved of $(wc -l <"$work/fewer.numbers") networks are others when a hundredth of the communes go"
	is "$1: and so do nearly all networks" yes "$([ "$moved" -lt 40 ] && echo yes || echo "$moved")"
}
real 63 11369 4 27
real 34 3357 3 "$(grep -c $'\tXã Tân Thành$' "$data/units-34.tsv" 2>/dev/null)"
if [ -d "$work/63" ]; then
	is "63: pairs of siblings that differ by accents alone, sites all" "20" \
		"$(awk -F'\t' '{gsub(/  +/, " ")} !/^#/ {pairs += n[$2 FS $4]++} END {print pairs}' "$data/units-63.tsv")"
	is "63: a commune reaches the data centre" 0 "$(code "$tuyen" explain $(files "$work/63") - 10001 npdc-1 query)"
fi

# ---- same input, same bytes --------------------------------------------------------------
"$tuyen" compile $(files "$work/a") -o "$work/again" --epoch 1 --issued 2025-01-01 >/dev/null
is "two runs, the same bytes" "$(digest "$work/release")" "$(digest "$work/again")"
for j in 1 2 7; do
	"$tuyen" compile $(files "$work/a") -o "$work/again" --epoch 1 --issued 2025-01-01 -j $j >/dev/null
	is "-j $j, the same bytes" "$(digest "$work/release")" "$(digest "$work/again")"
	"$tuyen" compile $(files "$work/a") -o "$work/unproven" --epoch 1 --issued 2025-01-01 -j $j --no-audit >/dev/null
	is "-j $j without an audit, the same bundles" "$(digest "$work/release/sites")" "$(digest "$work/unproven/sites")"
	is "-j $j, the same proof" "$(sed -n 's/^audit clean [^ ]* //p' "$work/release/release")" \
		"$("$tuyen" audit -j $j --canonical $(files "$work/a") | sha256sum | cut -d' ' -f1)"
done
is "-j 0 is no number of processors" "2 2" "$(code "$tuyen" compile $(files "$work/a") -o "$work/no" --epoch 1 -j 0) $(
	code "$tuyen" audit $(files "$work/a") -j 257)"
for j in 0 257 99999999999999999999999 x 2x -1 ''; do
	for command in "compile $(files "$work/a") -o $work/no --epoch 1 -j" "audit $(files "$work/a") -j"; do
		is "'-j $j' of ${command%% *} says what it takes" "tuyen ${command%% *}: -j $j: a number of processors, 1 to 256" \
			"$("$tuyen" $command "$j" 2>&1)"
	done
done
if [ -d "$work/63" ]; then
	"$tuyen" compile $(files "$work/63") -o "$work/again" --epoch 1 --issued 2025-01-01 -j5 >/dev/null
	is "63: -j5, the same bytes" "$(digest "$work/release-63")" "$(digest "$work/again")"
fi
if [ -x $clang ]; then
	$clang generate national $counts --keys -o "$work/clang" >/dev/null
	is "clang's program generates the same bytes" "$(digest "$work/a")" "$(digest "$work/clang")"
	source=a out=release
	[ ! -d "$work/63" ] || source=63 out=release-63
	$clang compile $(files "$work/$source") -o "$work/clang-release" --epoch 1 --issued 2025-01-01 >/dev/null
	is "clang's program compiles the same bytes" "$(digest "$work/$out")" "$(digest "$work/clang-release")"
else
	skip "gcc and clang, the same bytes" "no $clang (tests/run build makes it)"
fi
echo "1..$tests"
[ $failed -eq 0 ]
