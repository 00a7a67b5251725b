#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `tuyen compile` where something is short: it is interrupted at any moment, has few descriptors, little memory, one
# processor or many workers. It makes the same release or none, says why, and leaves nothing beside OUT.
#
# Prints TAP. TUYEN names the program to test.
cd "$(dirname "$0")/../.." || exit 2
. tests/cli/tap.sh

"$tuyen" generate national --provinces 3 --districts 15 --communes 160 --keys -o country >/dev/null || exit 2
compile() { "$tuyen" compile country/national.{topology,policy,keys} -o "$@" --epoch 1 --issued 2025-01-02; }
mkdir whole && compile whole/out -j1 >/dev/null || exit 2
same() { diff -r whole/out/sites "$1/sites" && diff whole/out/manifest "$1/manifest"; }

many_workers() { local j; for j in 2 3 7 64; do rm -rf out; compile out --no-audit -j$j && [ "$(root out)" = "$(root whole/out)" ] || return 1; done; }
root() { sed -n 's/^root //p' "$1/release"; }
ok "the same by any number of workers" many_workers

# Where a signal is taken, by how long the whole takes: from the first file on nothing of it may stay.
interrupted()
{
	local i left took begin=$EPOCHREALTIME
	mkdir -p cut && compile cut/out "$@" >/dev/null && rm -rf cut/out || return 1
	took=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')
	for i in $(seq 1 16); do
		"$tuyen" compile country/national.{topology,policy,keys} -o cut/out --epoch 1 --issued 2025-01-02 "$@" \
			>/dev/null 2>cut.said &
		sleep "$(awk -v t="$took" -v i="$i" 'BEGIN {print t * i / 14}')"
		kill -TERM $! 2>/dev/null
		wait $!
		for left in cut/*; do
			[ "$left" = cut/out ] || [ ! -e "$left" ] || { ls -l cut; cat cut.said; return 1; }
		done
		[ ! -e cut/out ] || same cut/out || return 1
		rm -rf cut/out
	done
}
ok "interrupted at any moment by one worker, nothing is left" interrupted -j1
ok "... and by several" interrupted -j3
ok "... which do not prove it first" interrupted -j3 --no-audit

# So many that are free, whatever who runs this has open.
limit_for() # FREE: sets limit
{
	local free=0
	for ((limit = 0; free < $1; limit++)); do
		[ -e "/proc/$$/fd/$limit" ] || free=$((free + 1))
	done
}
few_descriptors()
{
	local free j limit
	for free in 8 17 29; do
		limit_for $free
		for j in 1 3; do
			rm -rf few
			if ! (ulimit -n "$limit" && compile few -j$j) || ! same few; then
				echo "with $free, -j$j"
				return 1
			fi
		done
	done
}
ok "few descriptors are enough" few_descriptors

# Up to what it needs; under a sanitizer, which needs more than there is, nothing can be said of that.
little_memory()
{
	local kb code made=0
	for kb in $(seq 12000 700 32000); do
		rm -rf little
		(ulimit -v "$kb" && exec timeout 60 "$tuyen" compile country/national.{topology,policy,keys} -o little \
			--epoch 1 --issued 2025-01-02 --no-audit -j$((kb / 700 % 3 + 1))) 2>little.said
		code=$?
		case $code in
		0) made=$((made + 1)) ;;
		2) if [ -e little ] || ! grep -q 'no memory\|cannot open shared\|allocate memory\|out of memory' little.said; then
			echo "$kb kB: $(cat little.said)"
			return 1
		fi ;;
		127) ;; # the program itself did not fit
		*) echo "$kb kB: code $code, $(tail -n 1 little.said)"; return 1 ;;
		esac
	done
	[ $made -gt 0 ] || { echo "never enough"; return 1; }
}
if grep -qa __asan_init "$tuyen"; then
	n=$((n + 1))
	echo "ok $n - too little memory is an error, and soon # SKIP a sanitizer reserves more than can be limited"
else
	ok "too little memory is an error, and soon" little_memory
fi

done_testing
