#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tuyen check and tuyen fmt, as they are called: exit codes, streams, options, files. Prints TAP.
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

topology=topology/examples/first-light.topology policy=policies/examples/first-light.policy
is "the example is lawful" 0 "$(code "$tuyen" check $topology $policy)"
is "the last line counts" "6 sites, 6 links, 1 policy: ok (1 warning)" "$(cat "$work/out")"
is "a policy alone names what it does not know" 1 "$(code "$tuyen" check $policy)"
is "errors go to standard error alone" "" "$(cat "$work/out")"
is "keys may be demanded" 1 "$(code "$tuyen" check --keys $topology $policy)"
is "a warning may be an error" 1 "$(code "$tuyen" check -W error=missing-keys $topology $policy)"
is "another is not" 0 "$(code "$tuyen" check -W error=unused-class $topology $policy)"
is "all may be errors" 1 "$(code "$tuyen" check -W error $topology $policy)"
is "there is no such warning" 2 "$(code "$tuyen" check -W error=nothing $topology)"
is "... and where to look is said" 1 "$(grep -c "there is no warning 'nothing'; .tuyen check -W help" "$work/err")"
is "a warning may be unwanted" "0 0" "$(code "$tuyen" check -W error -W ignore=missing-keys $topology $policy) $(grep -c . "$work/err")"
is "a warning of the compiler is known to check too" 0 "$(code "$tuyen" check -W error=shared-links $topology $policy)"
is "and unwanted by those that compile" "1 0" "$(code "$tuyen" explain -W ignore=shared-links -W ignore=missing-keys $topology $policy phuc-xa kham-thien) $(grep -c warning "$work/err")"
for command in check explain audit budget compile simulate; do
	is "$command -W help is the same list" "$("$tuyen" check -W help)" "$("$tuyen" $command -W help)"
	is "$command says what is wrong with -W" "2 1" "$(code "$tuyen" $command -W nonsense $topology) $(grep -c "^tuyen $command: -W nonsense: write error, " "$work/err")"
done
"$tuyen" check -W help | sed 's/ .*//' >"$work/names"
is "the manual page has the same warnings" "$(cat "$work/names")" "$(sed -n '/^\.Sh DIAGNOSTICS/,/^\.Sh SEE/s/^\.It //p' packaging/man/tuyen-topology.5)"
is "no golden file has another" "" "$(grep -rhoE 'warning: .* \[[a-z-]+\]$' tests/golden | sed 's/.*\[\(.*\)\]$/\1/' | sort -u | grep -vxFf "$work/names")"
is "as JSON a note without a place too" true "$("$tuyen" check --json tests/golden/language/rates.in 2>/dev/null | jq '[.diagnostics[] | select(.name == "unused-uplink").notes[] | select(.file == null)] | length == 1')"
is "no file" 2 "$(code "$tuyen" check)"
is "a file that is not there" 1 "$(code "$tuyen" check "$work/none")"
is "a folder is no file" 1 "$(code "$tuyen" check "$work")"
is "JSON says the same" "true 6 6 1 missing-keys" \
	"$("$tuyen" check --json $topology $policy | jq -r '"\(.ok) \(.sites) \(.links) \(.policies) \(.diagnostics[0].name)"')"
is "JSON of errors" "false 1 error" \
	"$("$tuyen" check --json <(echo 'tiers a') | jq -r '"\(.ok) \(.errors) \(.diagnostics[0].severity)"')"

mkdir "$work/sub"
echo 'include "sub/b.topology";' >"$work/a.topology"
echo 'include "c.topology"; underlay u { }' >"$work/sub/b.topology"
echo 'tiers t;' >"$work/sub/c.topology"
echo 'site s tier t id 1 { uplink u dynamic; }' >>"$work/a.topology"
is "includes are relative to their file" 0 "$(code "$tuyen" check "$work/a.topology")"
echo 'include "../a.topology";' >>"$work/sub/c.topology"
is "a circle of includes is an error" 1 "$(code "$tuyen" check "$work/a.topology")"
is "and says so" 1 "$(grep -c 'includes itself' "$work/err")"

printf 'tiers   a ,b;' >"$work/f.topology"
chmod 640 "$work/f.topology"
is "fmt prints" "tiers a, b;" "$("$tuyen" fmt "$work/f.topology")"
is "fmt reads standard input" "tiers a, b;" "$("$tuyen" fmt <"$work/f.topology")"
is "fmt --check finds it" "1 $work/f.topology" "$(code "$tuyen" fmt --check "$work/f.topology") $(cat "$work/out")"
is "fmt -w" 0 "$(code "$tuyen" fmt -w "$work/f.topology")"
is "fmt -w wrote" "tiers a, b;" "$(cat "$work/f.topology")"
is "fmt -w keeps the mode" 640 "$(stat -c %a "$work/f.topology")"
is "fmt --check is content" 0 "$(code "$tuyen" fmt --check "$work/f.topology")"
echo 'tiers a' >"$work/f.topology"
is "fmt -w refuses what has errors" 1 "$(code "$tuyen" fmt -w "$work/f.topology")"
is "and leaves it" "tiers a" "$(cat "$work/f.topology")"
is "fmt of nothing there" 2 "$(code "$tuyen" fmt "$work/none")"
is "no temporary file stays" 0 "$(find "$work" -name '*.topology.*' | wc -l)"
is "a full disk is said" 2 "$("$tuyen" check $topology >/dev/full 2>/dev/null; echo $?)"
large_classes() { # 40 of 4,096 matches each, side by side, 20 of them forbidden
	local i
	for i in {0..39}; do
		echo "class c$i { to port $(seq -f 'tcp %.0f' -s ', ' $((64 * i + 1)) $((64 * i + 64)));"
		printf 'to 10.0.%d.0/24; ' {0..63}
		echo '}'
	done
	echo "policy p color 10 { from tier commune; to tier npdc; carry $(printf 'c%d, ' {0..38})c39;
		path m preference 1 via parent; encrypt end-to-end; }"
	printf 'deny from tier commune to tier npdc class c%d;\n' {0..19}
}
large_classes >"$work/large.policy"
is "large classes are compared in no time" 0 "$(code timeout 10 "$tuyen" explain $topology "$work/large.policy" -- phuc-xa npdc-hn c30)"
echo "1..$tests"
[ $failed -eq 0 ]
