# SPDX-License-Identifier: Apache-2.0
# The box's own network daemon starts again while traffic runs. systemd-networkd may remove rules and routes that it did not make, which
# ones depends on its version, unless it is told not to, as our package tells it.
# clock: virtual
# seconds: 900
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

NETWORKD=/lib/systemd/systemd-networkd
TOLD=/run/systemd/networkd.conf.d/tuyen.conf
settings() { # the carrier's line is networkd's; it runs as a user of its own
	mkdir -p /run/systemd/network ${TOLD%/*} /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
	cat >/run/systemd/network/10-carrier.network <<-END2
	[Match]
	Name=u-carrier
	[Network]
	Address=$(ip -n phuc-xa -o -4 addr show dev u-carrier | awk '{print $4}')
	LinkLocalAddressing=no
	[Route]
	Gateway=$CARRIER_GATEWAY
	GatewayOnLink=yes
	END2
	cp "$LAB_TREE/packaging/networkd/tuyen.conf" $TOLD
	chmod -R a+rX /run/systemd
	chown -R systemd-network /run/systemd/netif
}
# /sys is read-only where no udev is: then it does not wait for that.
networkd_start() {
	spawn networkd ip netns exec phuc-xa sh -c "mount -o remount,ro /sys; SYSTEMD_LOG_LEVEL=debug exec $NETWORKD"
	ok "systemd-networkd has taken the line over$1" wait_for 20 "the line" line_taken
}
line_taken() { grep -q "u-carrier: State changed: configuring -> configured" networkd.log; }
changes() { status_get phuc-xa '.daemon | "\(.operations) \(.drift_repairs)"'; }

[ -x $NETWORKD ] || bail "$NETWORKD is there"
country_up || bail "the country comes up"
pass "the country comes up"
stream_echo_start
https_start
settings
networkd_start ""
ip -n phuc-xa route del default dev u-carrier proto boot # what the lab had set
sleep 2

before=$(changes)
stream_start phuc-xa 10
sleep 0.5
halt networkd
sleep 1
networkd_start " again"
sleep 3
stream_stop phuc-xa
is "it starts again, and nothing is lost" "$lost" 0
is "... and nothing had to be repaired or changed" "$(changes)" "$before"

# A box whose operator took that file away.
rm $TOLD
halt networkd
networkd_start ", and is not told"
ok "what it may have taken away is back" wait_for 15 "an answer" query_answers phuc-xa
halt networkd
country_down
done_testing
