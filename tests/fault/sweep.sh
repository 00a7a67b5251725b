# SPDX-License-Identifier: Apache-2.0
# The kernel layer alone: a commune's bundle is applied, and one call of it fails, each in its turn: what was refused, lost or cut off
# is read again and planned again, and at no step a label is taken or a device up that is not guarded.
# clock: virtual
# seconds: 5400
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/kernel/common"
. "$LAB_TREE/tests/fault/table"

# The other release: another way for the spare path, a line of 2 Mbit/s with its queues, one class more, another gone.
other_country() {
	sed -e '/^underlay fibre/s/delay 2ms;/delay 2ms; rate 2Mbit\/s;/' -e 's/backup dong-da/backup hanoi/' \
		"$LAB_TREE/topology/examples/first-light.topology" >other.topology
	sed -e 's/class alarm { to port udp 162;/class alarm { to port udp 163;/' \
		"$LAB_TREE/policies/examples/first-light.policy" >other.policy
	mkdir -p o && "$driver" bundles o other.topology other.policy keys.source
}

driver=$LAB_TREE/build/kernel/kernel_driver
ok "every site has a bundle" compile_country
ok "... and one of another release" other_country
namespace phuc-xa
in_site phuc-xa sysctl -qw net.ipv4.ip_forward=1
"$LAB_TOOLS/fault" sweep.block new
in_site phuc-xa env LD_PRELOAD="$LAB_TOOLS/fault_preload.so" FAULT_FILE="$LAB_DIR/sweep.block" \
	"$LAB_TREE/build/fault/sweep_driver" phuc-xa.link phuc-xa.session b/phuc-xa o/phuc-xa 40 2>sweep.err | tee sweep.out | sed "s/^/# /"
code=${PIPESTATUS[0]}
while IFS='|' read -r name way often ended turns wrong; do
	[ "$often" -gt 0 ] || wrong="NEVER MET${wrong:+, $wrong}"
	ok "$name, $way, $often times" [ -z "$wrong" ]
	row "$name, $way ($often)" "guarded at each; read and planned again, the plan is empty" \
		"${wrong:-so after $((turns - 1)) more turns at most; libnftables ended the process $ended times}" \
		"$([ -z "$wrong" ] && echo ok || echo FAILED)"
done <sweep.out
is "all were walked" "$(wc -l <sweep.out) $code" "13 0"
[ $code -eq 0 ] || diag_file sweep.err 20
table_print
ip netns del phuc-xa
done_testing
