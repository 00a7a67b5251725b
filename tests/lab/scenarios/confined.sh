# SPDX-License-Identifier: Apache-2.0
# The capabilities that packaging/systemd/tuyend.service leaves are enough: for the first start, for each later one, when the
# folder belongs to another user already; and the two processes keep of them what they should and no more.
# clock: virtual
# seconds: 960
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

unit=$LAB_TREE/packaging/systemd/tuyend.service
set=-all$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr 'A-Z ' 'a-z\n' | sed 's/^cap_/,+/' | tr -d '\n')
like "the unit names its capabilities" "$set" 'net_admin'
LAB_WRAPPER="setpriv --no-new-privs --bounding-set $set"
country_up || bail "the country comes up with the unit's capabilities"
pass "the country comes up with the unit's capabilities"

status_line() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$(process_of phuc-xa "$1")/status"; }
is "the kernel process keeps CAP_NET_ADMIN alone" "$(status_line kernel CapEff)" 0000000000001000
is "... cannot get more" "$(status_line kernel CapBnd)" 0000000000000000
is "... is not root" "$(status_line kernel Uid | cut -f1)" 64101
is "... under seccomp" "$(status_line kernel Seccomp)" 2
is "the wire process keeps nothing" "$(status_line wire CapEff)" 0000000000000000
is "... is not root" "$(status_line wire Uid | cut -f1)" 64102
is "... under seccomp" "$(status_line wire Seccomp)" 2
is "... has an empty folder as its root" "$(ls -A "/proc/$(process_of phuc-xa wire)/root/" | wc -l)" 0
is "... has no new privileges" "$(status_line wire NoNewPrivs)" 1

stop_daemon phuc-xa
is "the node's keys are not root's any more" "$(stat -c %u "$(site_dir phuc-xa)/state/keys/link.key")" 64101
start_daemon phuc-xa
ok "a later start works too" wait_for 20 "the paths" paths_up phuc-xa 2
is "... and changes nothing in the kernel" "$(status_get phuc-xa .daemon.operations)" 0
is "the self-check finds nothing fatal" "$(status_get phuc-xa '[.self_check[] | select(.fatal and (.ok | not))] | length')" 0
country_down
done_testing
