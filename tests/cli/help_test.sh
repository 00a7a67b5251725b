# SPDX-License-Identifier: Apache-2.0
# Every program and subcommand explains itself, and says no to what it does not know. Prints TAP.
cd "$(dirname "$0")/../.." || exit 2
tests=0 failed=0
tuyen=build/tuyen
result() { # NAME CONDITION...
	local name=$1; shift
	tests=$((tests + 1))
	if "$@"; then echo "ok $tests - $name"; return; fi
	failed=$((failed + 1)); echo "not ok $tests - $name"
	printf '%s\n' "$out" | head -n 8 | sed 's/^/# /'
}
run() { out=$(timeout 10 "$@" </dev/null 2>&1); code=$?; }
code_is() { [ "$code" -eq "$1" ] || { out="exit $code, wanted $1; $out"; false; }; }
says() { printf '%s\n' "$out" | grep -qiE -- "$1"; }

subcommands="check fmt compile explain generate import budget simulate keygen officer roster sign verify seal install reload status show plan watch"

run $tuyen --help
result "tuyen --help exits 0" code_is 0
for s in $subcommands; do result "tuyen --help lists $s" says "^ +$s( |$)"; done
for s in $subcommands; do
	run $tuyen "$s" --help
	result "tuyen $s --help exits 0" code_is 0
	result "tuyen $s --help shows its usage" says "usage: tuyen $s"
	run $tuyen "$s" --no-such-option
	result "tuyen $s --no-such-option exits 2" code_is 2
	result "... and names the option" says "no-such-option"
done
run $tuyen
result "tuyen alone exits 2" code_is 2
run $tuyen no-such-command
result "tuyen no-such-command exits 2" code_is 2
result "... and names the command" says "no-such-command"
run $tuyen --version
result "tuyen --version" says '[0-9]+\.[0-9]+\.[0-9]+'
for p in tuyend tuyen-snmp; do
	run build/$p --help
	result "$p --help exits 0" code_is 0
	result "$p --help shows its usage" says "usage: $p"
	run build/$p --no-such-option
	result "$p --no-such-option exits 2" code_is 2
	run build/$p --version
	result "$p --version" says '[0-9]+\.[0-9]+\.[0-9]+'
done
run build/tuyend --site ''
result "a node whose number nobody wrote says where it belongs" says 'SITE=ID.*/etc/tuyen/node\.conf'
for s in $subcommands; do
	out="neither tuyen(1) nor a page of its own has $s"
	result "a manual page has $s" grep -qE "(Ic|Cm|Ss|Nm tuyen) $s\b" packaging/man/tuyen.1 packaging/man/tuyen-*.1
done
echo "1..$tests"
[ $failed -eq 0 ]
