# SPDX-License-Identifier: Apache-2.0
# Bar 7. A commune's processes use at most 16 MB together (PSS of smaps_rollup), tuyen-snmp with them.
# clock: virtual
# seconds: 960
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/snmp.sh"

country_up || bail "the country comes up"
pass "the country comes up"
snmp_up
sleep 5
pss_kb() { awk '/^Pss:/ {print $2}' "/proc/$1/smaps_rollup"; }
total=0
for p in "tuyend $(process_of phuc-xa supervisor)" "tuyend-kernel $(process_of phuc-xa kernel)" \
	"tuyend-wire $(process_of phuc-xa wire)" "tuyen-snmp $(pid_of tuyen-snmp)"; do
	set -- $p
	kb=$(pss_kb "$2")
	at_least "$1 runs, PSS in kB" "${kb:-0}" 1
	total=$((total + ${kb:-0}))
done
at_most "all together, PSS in kB" $total 16384
country_down
done_testing
