# SPDX-License-Identifier: Apache-2.0
# What scenarios share: TAP, bounded waits, processes. Sourced inside a lab, where /run/lab is the scenario's own.
#
#	. "$LAB_TREE/tests/lab/lib.sh"
#	ok "it works" command...		is "the label" "$got" 16101		like "text" "$got" 'pattern'
#	at_most "outage" "$ms" 160		skip "why" 2				diag "a line"
#	wait_for 10 "the session" command...	done_testing

lab_tests=0 lab_failed=0
LAB_TREE=${LAB_TREE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
LAB_BIN=${LAB_BIN:-$LAB_TREE/build} LAB_TOOLS=$LAB_TREE/build/lab
LAB_DIR=${LAB_DIR:-/run/lab}
cd "$LAB_DIR" || exit 2
umask 077

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
diag_file() { [ ! -s "$1" ] || tail -n "${2:-20}" "$1" | cut -c1-400 | sed "s|^|# $(basename "$1"): |"; }

pass() { lab_tests=$((lab_tests + 1)); echo "ok $lab_tests - $1"; }
fail() { lab_tests=$((lab_tests + 1)); lab_failed=$((lab_failed + 1)); echo "not ok $lab_tests - $1"; }

ok() { # NAME COMMAND...
	local name=$1; shift
	if "$@" >"$LAB_DIR/.last" 2>&1; then pass "$name"; return 0; fi
	fail "$name"
	diag "failed: $*"; diag_file "$LAB_DIR/.last" 10
	return 1
}

is() { # NAME GOT WANTED
	if [ "$2" = "$3" ]; then pass "$1"; return 0; fi
	fail "$1"; diag "got:    $2"; diag "wanted: $3"
	return 1
}

# One of the lines of TEXT has PATTERN. No process: each costs 20 ms in a virtual kernel.
has() { # TEXT PATTERN (extended regular expression)
	local line
	while IFS= read -r line; do [[ ! $line =~ $2 ]] || return 0; done <<<"$1"
	return 1
}
like() { # NAME GOT PATTERN
	if has "$2" "$3"; then pass "$1"; return 0; fi
	fail "$1"; diag "got: $2"; diag "has no: $3"
	return 1
}

unlike() {
	if ! has "$2" "$3"; then pass "$1"; return 0; fi
	fail "$1"; diag "got: $2"; diag "has: $3"
	return 1
}

at_most() { # NAME GOT LIMIT, whole numbers
	if [ -n "$2" ] && [ "$2" -le "$3" ] 2>/dev/null; then pass "$1: $2 (at most $3)"; return 0; fi
	fail "$1: '$2' (at most $3)"
	return 1
}

at_least() {
	if [ -n "$2" ] && [ "$2" -ge "$3" ] 2>/dev/null; then pass "$1: $2 (at least $3)"; return 0; fi
	fail "$1: '$2' (at least $3)"
	return 1
}

skip() { # WHY [HOW_MANY]
	local i
	for ((i = 0; i < ${2:-1}; i++)); do
		lab_tests=$((lab_tests + 1)); echo "ok $lab_tests # SKIP $1"
	done
}

done_testing() {
	echo "1..$lab_tests"
	[ $lab_failed -eq 0 ] && exit 0
	exit 1
}

bail() { # a scenario that cannot go on
	fail "$1"
	done_testing
}

now_set() { # milliseconds since the boot, into $now: no process, which costs 12 ms in a virtual kernel
	local up
	read -r up _ </proc/uptime
	printf -v now '%s%-3s' "${up%.*}" "${up#*.}"
	now=$((10#${now// /0}))
}
now_ms() { local now; now_set; echo "$now"; }

# The emulated kernel is 10 to 50 times slower: waits there are that much longer, conditions are the same.
lab_patience() { [ "$LAB_KERNEL" = stock ] && echo $(($1 * 6)) || echo "$1"; }

# Conditions that are made of status_is alone: one process waits for them, instead of four for each look.
status_conditions=" "
wait_for_status() { # SECONDS WHAT COMMAND...
	local limit=$1 what=$2 conditions=() collecting=yes
	shift 2
	"$@"
	collecting=
	WAITS_FOR=$what "$LAB_TOOLS/status" "$limit" "${conditions[@]}" 2>&1
}

wait_for() { # SECONDS WHAT COMMAND...: bounded, says every 5 s that it waits
	local now start end next what=$2 limit=$1 pause=1 longest=$((5 + $1 / 15)) # tenths of a second: a look costs processes
	[ "$LAB_KERNEL" != stock ] || limit=$(lab_patience "$1")
	shift 2
	if [[ $status_conditions == *" $1 "* ]]; then
		wait_for_status "$limit" "$what" "$@" || { diag "waited $limit s in vain for $what"; return 1; }
		return
	fi
	now_set
	start=$now end=$((now + limit * 1000)) next=$((now + 5000))
	until "$@" >/dev/null 2>&1; do
		now_set
		[ $now -lt $end ] || { diag "waited $limit s in vain for $what"; return 1; }
		[ $now -lt $next ] || {
			diag "waiting for $what: $(((now - start) / 1000)) s"; next=$((now + 5000)); }
		sleep $((pause / 10)).$((pause % 10))
		[ $pause -ge $longest ] || pause=$((pause + 1))
	done
}

# ---- processes: each by its own id, with a name and a log -------------------------------
spawn() { # NAME COMMAND...: in the background; $NAME.pid, $NAME.log
	local name=$1; shift
	"$@" </dev/null >"$LAB_DIR/$name.log" 2>&1 &
	echo $! >"$LAB_DIR/$name.pid"
	disown # bash need not tell of its end
}
pid_set() { # NAME: into $pid, "" if there is none
	pid=
	[ ! -e "$LAB_DIR/$1.pid" ] || read -r pid <"$LAB_DIR/$1.pid"
}
pid_of() { local pid; pid_set "$1"; [ -n "$pid" ] && echo "$pid"; }
alive() { local pid; pid_set "$1"; [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }
gone() { ! alive "$1"; }
signal_and_wait() { # NAME SIGNAL
	local pid; pid_set "$1"
	[ -n "$pid" ] || return 0
	kill "-$2" "$pid" 2>/dev/null
	wait_for 10 "$1 to end" gone "$1" || kill -KILL "$pid" 2>/dev/null
	rm -f "$LAB_DIR/$1.pid"
}
halt() { signal_and_wait "$1" TERM; }
halt_all() { # all are asked before one is waited for
	local f pid
	for f in "$LAB_DIR"/*.pid; do
		[ ! -e "$f" ] || { read -r pid <"$f" && kill -TERM "$pid" 2>/dev/null; }
	done
	for f in "$LAB_DIR"/*.pid; do f=${f##*/}; [ "$f" = "*.pid" ] || halt "${f%.pid}"; done
}
