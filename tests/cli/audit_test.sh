#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tuyen audit and tuyen diff, as they are called: exit codes, releases on disk, reports. Prints TAP.
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
code() { "$@" >"$work/out" 2>"$work/err" </dev/null; echo $?; }
has() { grep -c -- "$1" "$work/out"; }

keys=tests/golden/compile/first-light/first-light.keys
sources="topology/examples/first-light.topology policies/examples/first-light.policy $keys"
cp $sources "$work"
"$tuyen" compile $sources -o "$work/r1" --epoch 1 --issued 2025-01-31 >/dev/null 2>&1

is "the example is clean" 0 "$(code "$tuyen" audit $sources)"
is "and says so" 1 "$(has '^clean: ')"
is "every path works" 1 "$(has '^  paths  *3 work there and back')"
is "single points of failure are named" 1 "$(has '^  link hanoi npdc-hn cuts off 2 commune: phuc-xa, kham-thien$')"
"$tuyen" generate national --provinces 3 --districts 9 --communes 30 --keys -o "$work/country" >/dev/null
is "where each cuts off one site alone, they are counted" "0 1" "$(code "$tuyen" audit "$work"/country/*) $(has '^  42 that cut off one site alone (')"
is "without failures" "0 0" "$(code "$tuyen" audit --no-failures $sources) $(has 'single failure')"
is "so is its release" 0 "$(code "$tuyen" audit --release "$work/r1" $sources)"
is "nothing is noted" 0 "$(grep -c note "$work/err")"
is "the release is named" "1" "$(has "^$work/r1, epoch 1, audited in")"
is "one JSON document" "true 3 2" "$("$tuyen" audit --json $sources 2>/dev/null | jq -r '"\(.ok) \(.paths_working) \(.single_points[0].sites_cut)"')"

statement() { sed -n 's/^audit //p' "$1/release"; }
digest() { "$tuyen" audit --canonical "$@" $sources 2>/dev/null | sha256sum | cut -d' ' -f1; }
is "a release says that it was proven" "clean 0.1.0 $(digest)" "$(statement "$work/r1")"
is "its bundles give the same document" "clean 0.1.0 $(digest --release "$work/r1")" "$(statement "$work/r1")"
is "wherever the sources lie" "$(digest)" "$("$tuyen" audit --canonical "$work"/first-light.* 2>/dev/null | sha256sum | cut -d' ' -f1)"
is "which says that nothing was found" "true 0 3" "$("$tuyen" audit --canonical $sources 2>/dev/null | jq -r '"\(.ok) \(.findings | length) \(.sources | length)"')"
is "it can be left out" "0 none" "$(code "$tuyen" compile $sources -o "$work/r0" --no-audit --epoch 1 --issued 2025-01-31) $(statement "$work/r0")"
is "the bundles are the same" 0 "$(code diff -r "$work/r0/sites" "$work/r1/sites")"
is "the summary says so" '"clean" "none"' "$(for no in '' --no-audit; do "$tuyen" compile $sources -o "$work/r0" $no --json --epoch 1 --issued 2025-01-31 2>/dev/null; done | jq -c .audit | xargs -d '\n')"

# Faults in bundles on disk: FILE SED-SCRIPT KIND WORDS
plant() {
	rm -rf "$work/bad"
	cp -r "$work/r1" "$work/bad"
	sed -i "$2" "$work/bad/sites/$1.bundle"
	is "$3 in $1.bundle: findings" 1 "$(code "$tuyen" audit --release "$work/bad" $sources)"
	is "$3 in $1.bundle: named" yes "$(grep -q "^$3: .*$4" "$work/out" && echo yes || cat "$work/out")"
	is "$3 in $1.bundle: against the manifest" 1 "$(has 'not what the manifest says')"
}
plant 211 's/^accept 901 16001$/&\naccept 901 16902/' leak "it leads to 'kham-thien'"
plant 210 '/^accept 901 16001/d' filtered "'ba-dinh' drops 16001 from 'phuc-xa'"
plant 101 '/^label 16901/s/to 210/to 211/' filtered "'dong-da' drops 16901 from 'hanoi'"
plant 1 '/^return 100.80.56.81/d' return "has no way back"
plant 1 's/^rule 10 in priority 2 protocol 6 ports 443-443/rule 10 in priority 2 protocol 6 ports 22-443/' rule-wide "ports 22-443"
plant 901 's/call 198.51.100.9:51820/call 198.51.100.66:51820/' link-call "where it does not listen"
plant 901 's/mtu 1416/mtu 1500/' mtu "packets of 1500 bytes"
plant 902 's/^site 902/site 901/' bundle "\(another site\|does not match\|label\)"
plant 902 's/^tuyen-bundle 1/tuyen-bundle 2/' bundle "line 1"
is "another proof than the statement's is noted" 1 "$(grep -c "note: the release's statement is of another proof" "$work/err")"
is "the bundle is named, and no other" "1 1" "$(has '^  902.bundle$') $(grep -cE '^ +[0-9]+\.bundle' "$work/out")"
is "so are the file, the place in it, and what the rest is judged by" 1 "$(has "^bundle: $work/bad/sites/902.bundle: line 1: .*; the bundle is not what the manifest says; the rest is judged as if")"
is "nothing else follows from it" 1 "$(has '^[a-z-]*: ')"
is "diff names it too" 1 "$(code "$tuyen" diff "$work/r1" "$work/bad" >/dev/null; grep -c "sites/902.bundle: line 1: " "$work/err")"

plant 902 's/^neighbor 211 dong-da /neighbor 211 dong%1B%5B2J /' neighbor "calls its neighbour 211 'dong?"
is "nothing that a terminal would obey" 0 "$(LC_ALL=C grep -c $'\x1b\|\xc2\x9b' "$work/out")"

is "reports are written" 0 "$(code "$tuyen" audit $sources --report "$work/r.html" --csv "$work/r.csv" --moves "$work/m.csv")"
is "the page needs nothing else" "0 1" "$(grep -cE '<script|src=|href=|@import|url\(' "$work/r.html") $(grep -c '<!DOCTYPE html>' "$work/r.html")"
is "it names rule and source" 1 "$(grep -c 'policies/examples/first-light.policy:6' "$work/r.html" | sed 's/[2-9]/1/')"
is "the digest is sha256sum's" 1 "$(grep -c "$(sha256sum <policies/examples/first-light.policy | cut -d' ' -f1)" "$work/r.html")"
is "the CSV has every pair" 4 "$(grep -c '^reach,' "$work/r.csv")"
sed 's/site npdc-hn/site "=hub,1"/; s/npdc-hn/"=hub,1"/' topology/examples/first-light.topology >"$work/formula.topology"
sed 's/to tier npdc/to "=hub,1"/; /^expect/d' policies/examples/first-light.policy >"$work/formula.policy"
code "$tuyen" audit "$work/formula.topology" "$work/formula.policy" --csv "$work/formula.csv" >"$work/code"
is "no name is a spreadsheet's formula" "4 0" "$(grep -c "^reach,.*\"'=hub,1\"" "$work/formula.csv") $(grep -cE '(^|,)"?=' "$work/formula.csv")"
code "$tuyen" audit "$work/formula.topology" "$work/formula.policy" --moves "$work/formula.csv" >"$work/code"
is "nor in the moves" "2 0" "$(grep -c "^link phuc-xa ba-dinh,phuc-xa,\"'=hub,1\",citizen-query,main,spare\|^site ba-dinh,phuc-xa,\"'=hub,1\"" "$work/formula.csv") $(grep -cE '(^|,)"?=' "$work/formula.csv")"
is "and every site that is cut off" "$(printf 'kham-thien\nphuc-xa')" "$(grep '^cut,site hanoi,' "$work/r.csv" | cut -d, -f3 | sort)"
is "each columns as its heading" "" "$(python3 -c '
import csv, sys
width = 0
for row in csv.reader(open(sys.argv[1], newline="")):
    if row[0].startswith("#"): width = len(row)
    elif len(row) != width: print(row)' "$work/r.csv")"
is "who moves, and where to" "link phuc-xa ba-dinh,phuc-xa,npdc-hn,citizen-query,main,spare" "$(grep '^link phuc-xa ba-dinh' "$work/m.csv" | tr -d '\r')"
is "reports are the same twice" 0 "$(SOURCE_DATE_EPOCH=0 code "$tuyen" audit $sources --report "$work/1.html"; SOURCE_DATE_EPOCH=0 code "$tuyen" audit $sources --report "$work/2.html" >/dev/null; cmp "$work/1.html" "$work/2.html")"

is "a broken expectation" 1 "$(code "$tuyen" audit $sources <(echo 'expect phuc-xa reaches npdc-hn with query after any single link failure;'))"
is "is said with the link" 1 "$(has "^expectation: 'phuc-xa' does not reach 'npdc-hn' when link hanoi npdc-hn fails")"
is "no file" 2 "$(code "$tuyen" audit)"
is "no release" 1 "$(code "$tuyen" audit --release "$work/none" $sources)"

is "nothing changes" 0 "$(code "$tuyen" diff "$work/r1" "$work/r1" --flows)"
is "and says so" 1 "$(has '^sites: 6 the same, 0 changed')"
sed -i 's/deny from tier commune to tier commune;/deny from kham-thien to npdc-hn;/; /^expect/d' "$work/first-light.policy"
new="$work/first-light.topology $work/first-light.policy $work/first-light.keys"
"$tuyen" compile $new -o "$work/r2" --epoch 2 --issued 2025-01-31 >/dev/null 2>&1
is "releases differ" 1 "$(code "$tuyen" diff "$work/r1" "$work/r2" --flows)"
is "who loses whom" 1 "$(has '^  lost   kham-thien -> npdc-hn query ')"
is "nobody gains" 1 "$(has '^connections: 2 the same, 0 gained, 2 lost, 0 go another way$')"
is "lines of the gateway" 1 "$(has '^  - peer 10 902 kham-thien ')"
is "how many operations" "operations: 22 on 4 nodes; half of them need at most 3, nine of ten at most 11, kham-thien 11" "$(grep '^operations' "$work/out")"
is "as JSON, by site" "22 22 4" "$("$tuyen" diff --json "$work/r1" "$work/r2" | jq -r '"\(.operations.total) \([.sites[].operations] | add) \(.operations.nodes)"')"
is "sources differ alike" 1 "$(code "$tuyen" diff --old $sources --new $new --flows)"
is "with the same words" 1 "$(has '^  lost   kham-thien -> npdc-hn query ')"
is "as JSON" "2 0" "$("$tuyen" diff --json --flows "$work/r1" "$work/r2" | jq -r '"\(.flows_lost) \(.flows_gained)"')"
is "the new release is audited against old sources" 1 "$(code "$tuyen" audit --release "$work/r2" $sources)"
is "with a note" 1 "$(grep -c 'was not made of this policies/examples/first-light.policy' "$work/err")"
sed 's/path spare /path third preference 150 via shortest; path spare /' policies/examples/first-light.policy >"$work/third.policy"
sed 's/path spare .*/&\n path last preference 1 via shortest;/' policies/examples/first-light.policy >"$work/last.policy"
renumber="$tuyen diff --old $sources --new topology/examples/first-light.topology $keys"
is "a path put in between renumbers those behind it" 1 "$(code $renumber "$work/third.policy")"
is "which is said, with what it costs" "1 1" "$(has '^path numbers: 1 path of 1 site only gets another number') $(has '1 endpoint gets as many ways back')"
is "and for each path" 1 "$(has "^  path 'spare' to 'npdc-hn', color 10: number 2 becomes 3, 100.80.56.82 becomes 100.80.56.83$")"
is "as JSON" '1 1 1 [{"path":"spare","endpoint":"npdc-hn","color":10,"before":2,"after":3}]' \
	"$($renumber --json "$work/third.policy" 2>/dev/null | jq -cr '"\(.paths_renumbered) \(.sites_renumbered) \(.endpoints_renumbered) \([.sites[].renumbered[]])"')"
is "one put at the end renumbers nobody" "1 0" "$(code $renumber "$work/last.policy") $(has 'path numbers')"

is "diff of one" 2 "$(code "$tuyen" diff "$work/r1")"
is "diff of nothing there" 1 "$(code "$tuyen" diff "$work/r1" "$work/none")"
echo "1..$tests"
[ $failed -eq 0 ]
