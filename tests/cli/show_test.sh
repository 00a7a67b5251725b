#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tuyen show chooses and orders rows, as text and as JSON; the daemon is a double that says what a file says. Prints TAP.
cd "$(dirname "$0")/../.." || exit 2
lab=$PWD/tests/lab/snmp
. tests/cli/tap.sh

jq '.sessions = [[10, "query", "phuc-xa", "up", 900], [10, "query", "kham-thien", "down", 70], [20, "alarm", "phuc-xa", "down", 1000],
	[20, "alarm", "kham-thien", "down", null], [20, "alarm", "ba-dinh", "down", 7]] |
	.sessions |= map({color: .[0], policy: .[1], peer: .[2], state: .[3], since_s: .[4]})' "$lab/status.json" >status.json
mkfifo events
python3 "$lab/fake-control" "$work/control" status.json events &
double=$!
trap 'kill $double; rm -rf "$work"' EXIT
for ((i = 0; i < 100; i++)); do
	[ ! -S control ] || break
	sleep 0.1 # until the double listens
done

show() { "$tuyen" show "$@" --control control; }
rows() { show sessions "$@" | awk 'NR > 1 {print $1, $2}' | paste -sd ,; }
says() { # WANTED COMMAND...
	local wanted=$1 got
	shift
	got=$("$@" 2>&1)
	[ "$got" = "$wanted" ] || { printf 'wanted: %s\ngot: %s\n' "$wanted" "$got"; return 1; }
}
code() { # WANTED COMMAND...
	local wanted=$1
	shift
	"$@" >said.code 2>&1
	[ $? = "$wanted" ] || { cat said.code; return 1; }
}
peers() { show sessions "$@" --json | jq -r 'map(.peer) | join(",")'; }

ok "all rows" says "phuc-xa query,kham-thien query,phuc-xa alarm,kham-thien alarm,ba-dinh alarm" rows
ok "those with a word" says "kham-thien query,phuc-xa alarm,kham-thien alarm,ba-dinh alarm" rows down
ok "with both words" says "kham-thien query,kham-thien alarm" rows down kham
ok "none with it" says "" rows hanoi
ok "the newest first, the unknown last" says "ba-dinh alarm,kham-thien query,phuc-xa query,phuc-xa alarm,kham-thien alarm" rows --sort since
ok "by a word" says "ba-dinh alarm,kham-thien query,kham-thien alarm,phuc-xa query,phuc-xa alarm" rows --sort SESSION
ok "both" says "ba-dinh alarm,phuc-xa alarm,kham-thien alarm" rows down alarm --sort since
ok "as JSON the same" says "ba-dinh,phuc-xa,kham-thien" peers down alarm --sort since
ok "a column that is none" code 2 show sessions --sort age
ok "... and those that there are" grep -q "no column 'age'; there are 'SESSION', 'POLICY'" said.code
ok "what has no rows" code 2 show bundle down
ok "... nor an order" code 2 show drift --sort since
# ---- a status of a kernel process that is away ----
made() { # SECONDS: as the next document says
	jq --arg at "$(date -u -d "$1 seconds" +%FT%TZ)" '.daemon.snapshot = $at' "$lab/status.json" >made.json && mv made.json status.json
}
stale() { "$tuyen" status --control control | sed -n 's/^stale *//p'; }
made -601
ok "what is old is said to be" says "all of this is what was 10 min ago: tuyend's kernel process says nothing" stale
made -5
ok "what is not, is not" says "" stale
made 600
ok "nor what a clock that went back makes of it" says "" stale
# ---- what is up, and less trusted or worth less ----
jq '.links[0] += {damped: true, damped_for_s: 40} |
	.paths[1] += {degraded: true, loss_permille: 125, round_trip_us: 80000, jitter_us: 3000}' "$lab/status.json" >made.json && mv made.json status.json
head_says() { "$tuyen" status --control control | sed -n "s/^$1 *//p"; }
ok "a clone" says "dong-da's key speaks from two places, a box and its clone" head_says duplicate
ok "a link that is held as spare although it is up" says "the link to dong-da failed again and again: held as spare for 40 s more" head_says damped
ok "a path that serves badly" says "path spare of citizen-query: 12.5 % of its probes are lost, 80.0 ms there and back, jitter 3.0 ms" head_says degraded
done_testing
