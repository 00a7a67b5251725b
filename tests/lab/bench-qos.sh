# SPDX-License-Identifier: Apache-2.0
# Queries on a full line, one line of figures for each way to fill it. See tests/lab/bench-qos.
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/qos.sh"
case $1 in
rated) COUNTRY_SOURCES=$(qos_sources "rate 2Mbit\/s" bench) ;;
plain) COUNTRY_SOURCES=$(qos_sources "" bench) ;;
one-policy) COUNTRY_SOURCES=$(qos_sources "rate 2Mbit\/s" bench) && qos_one_policy ;;
esac
qos_up || exit 1
for bulk in none up down; do
	qos_measure "$1, bulk $bulk" $bulk 1000
	echo "figures: $bulk $p50_us $p90_us $p99_us $max_us $answered $sent $bulk_kbps"
done
country_down
