# SPDX-License-Identifier: Apache-2.0
# One failover with the probe timers given ("50ms x 3"); prints one line of figures. See tests/lab/bench-failover.
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
probe=$1
interval=${probe%%ms*} multiplier=${probe##* }

sed "s/probe 50ms x 3/probe $probe/" "$LAB_TREE/topology/examples/first-light.topology" >bench.topology
COUNTRY_SOURCES="bench.topology $LAB_TREE/policies/examples/first-light.policy"
country_up || exit 1
stream_echo_start
stream_start phuc-xa 5
sleep 1
link_cut_after_probe phuc-xa phuc-xa ba-dinh || exit 1
wait_for 20 "the spare path" path_is phuc-xa spare || exit 1
sleep 2
stream_stop phuc-xa
cut_lost=$lost cut_outage=$outage_ms
stream_start phuc-xa 5
sleep 1
link_heal phuc-xa ba-dinh
wait_for 60 "the way back" path_is phuc-xa main || exit 1
sleep 2
stream_stop phuc-xa
country_down
echo "figures: detection_ms=$((interval * multiplier)) outage_ms=$cut_outage lost=$cut_lost lost_back=$lost"
