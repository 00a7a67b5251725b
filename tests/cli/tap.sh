#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of the command line share: sourced from the top of the tree. TUYEN names the program to test.
set -u
# shellcheck disable=SC2034
here=$PWD/tests/cli
tuyen=${TUYEN:-$PWD/build/tuyen}
case $tuyen in /*) ;; *) tuyen=$PWD/$tuyen ;; esac
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
n=0 failed=0

# ok NAME COMMAND...: one TAP line; what the command said only if it failed, but for its comments ("# ...")
ok()
{
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >"$work/said" 2>&1; then
		echo "ok $n - $name"
		grep -h '^# ' "$work/said"
	else
		failed=$((failed + 1))
		echo "not ok $n - $name"
		sed 's/^/# /' "$work/said"
	fi
}
done_testing()
{
	echo "1..$n"
	[ $failed -eq 0 ]
}
