#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tuyen-snmp says what it waits for. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
failed=0
says() { # NUMBER NAME WORDS
	if grep -qF -- "$3" "$work/log"; then echo "ok $1 - $2"; else
		failed=1; echo "not ok $1 - $2"; sed 's/^/# /' "$work/log"; fi
}
timeout 13 build/tuyen-snmp --agentx "unix:$work/master" --control "$work/control" --devices "$work/devices" >"$work/log" 2>&1
says 1 "a missing tuyend is said" "tuyend does not answer: $work/control"
says 2 "a missing snmpd is said" "snmpd does not answer on unix:$work/master: No such file"
made() { sed -n 's/^Created directory: //p' "$work/log"; }
if [ -z "$(made)" ]; then echo "ok 3 - no folder is made"; else
	failed=1; echo "not ok 3 - no folder is made"; made | sed 's/^/# /'
fi
echo "1..3"
exit $failed
