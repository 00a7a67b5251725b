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
	for option in --help --version; do
		run sh -c "build/$p $option >/dev/full"
		result "$p $option to a full disk is a failure" code_is 2
	done
	run build/$p --no-such-option
	result "$p --no-such-option exits 2" code_is 2
	run build/$p --version
	result "$p --version" says '[0-9]+\.[0-9]+\.[0-9]+'
done
run build/tuyend --site ''
result "a node whose number nobody wrote says where it belongs" says 'SITE=ID.*/etc/tuyen/node\.conf'
work=$(mktemp -d) # where nobody may look, wherever this tree lies
chmod 755 "$work" && cp $tuyen "$work/tuyen" && mkdir -m 0 "$work/closed"
as_nobody=$([ "$(id -u)" != 0 ] || echo "setpriv --reuid 65534 --regid 65534 --clear-groups")
run $as_nobody "$work/tuyen" status --control "$work/closed/control"
result "who may not open the control socket is told who may" says 'Permission denied: it is for root and the group tuyen'
chmod 700 "$work/closed" && rm -r "$work"
# Each option that is told is known: what is said is something else than that it is not.
known() { # COMMAND OPTION [VALUE]
	run $tuyen "$@"
	! says "(unrecognized|invalid|unknown) option|what is '$2'|option '$2' (is unknown|needs)" && [ "$code" -ne 139 ]
}
words_are_known() { # COMMAND
	$tuyen --words "$1" | while read -r word value; do
		case $word in .|--help) continue ;; esac
		known "$1" "$word" ${value:+"${value%%|*}"} || { echo "$1 $word: $out"; exit 1; }
	done
}
for s in $subcommands audit diff migrate; do
	out=$(words_are_known "$s")
	result "tuyen $s knows the options it tells" [ $? -eq 0 ]
	out=$($tuyen --words "$s"; $tuyen "$s" --help)
	result "... and tells those of its usage" sh -c "
		$tuyen $s --help | sed -n 1p | grep -oE -- '(^|[[ ])--?[a-zA-Z][a-z0-9-]*' | tr -d '[ ' | sort -u >/tmp/usage.\$\$
		$tuyen --words $s | sed 's/ .*//' | sort -u >/tmp/words.\$\$
		comm -23 /tmp/usage.\$\$ /tmp/words.\$\$ | { ! grep .; }; e=\$?; rm -f /tmp/usage.\$\$ /tmp/words.\$\$; exit \$e"
done
run $tuyen --words
result "tuyen --words lists the commands" says '^migrate$'
run $tuyen --words no-such-command
result "... and no other" code_is 2

# What bash would offer: COMPLETED WORD...
complete_words() {
	bash -c '. packaging/completion/tuyen; PATH=build:$PATH; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tuyen; echo "${COMPREPLY[*]}"' - "$@"
}
offers() { # WANTED WORD...
	local wanted=$1; shift
	out=$(complete_words "$@")
	result "after '$*' the shell offers '$wanted'" [ "$out" = "$wanted" ]
}
offers "explain" tuyen ex
offers "links labels" tuyen show l
offers "--release --report" tuyen audit --re
offers "--roster-version" tuyen compile --ro
offers "keys" tuyen migrate --same k
offers "new next" tuyen roster n
offers "new" tuyen officer n
offers "error=unused-class" tuyen check -W error=unused-c
offers "unused-class unused-path unused-template unused-uplink" tuyen check -W error = unu

for s in $subcommands; do
	out="neither tuyen(1) nor a page of its own has $s"
	result "a manual page has $s" grep -qE "(Ic|Cm|Ss|Nm tuyen) $s\b" packaging/man/tuyen.1 packaging/man/tuyen-*.1
done
echo "1..$tests"
[ $failed -eq 0 ]
