# SPDX-License-Identifier: Apache-2.0
# The box's own network daemon starts again while traffic runs. systemd-networkd may remove rules and routes that it did not make, which
# ones depends on its version, unless it is told not to, as our package tells it.
# clock: virtual
# seconds: 900
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"

NETWORKD=/lib/systemd/systemd-networkd
TOLD=/run/systemd/networkd.conf.d/tuyen.conf
NEIGHBOURS=172.30.0.1 # an address that a file gives to each device there is
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
of_ours() { # devices whose alias says that they are tuyend's
	ip -n phuc-xa -j link | jq -r '.[] | select((.ifalias // "") | startswith("tuyen")) | .ifname'
}
managed_by_networkmanager() { # of the devices given: whom its file does not name
	local device pattern all
	IFS=';' read -r -a all <<<"$(sed -n 's/^unmanaged-devices+=//p' "$LAB_TREE/packaging/network-manager/tuyen.conf" | sed 's/interface-name://g')"
	for device; do
		for pattern in "${all[@]}"; do [[ $device != $pattern ]] || continue 2; done
		echo "$device"
	done
}
changes() { status_get phuc-xa '.daemon | "\(.operations) \(.drift_repairs)"'; }

daemon_options[phuc-xa]="--uplinks fibre=u-carrier" # so that some of its routes are on the line
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

# Debian 12's takes nothing there; what any version may: all rules, and all routes of the line's device, that are not its own.
OURS=84     # the protocol of our routes and rules
TURN_MS=100 # from the kernel's event to the end of the turn that follows it, and a gap of the stream
ours() { ip -n phuc-xa rule | grep "proto $OURS"; ip -n phuc-xa route show table all proto $OURS | sort; }
all_there() { ours | diff before -; }
ours >before
drift=$(status_get phuc-xa .daemon.drift_repairs)
stream_start phuc-xa 10
sleep 0.5 # answers come before they go
ip -n phuc-xa rule flush protocol $OURS
ip -n phuc-xa route flush table all proto $OURS dev u-carrier
ours >during
ok "all rules and routes that it might take away are back" wait_for 10 "them" all_there
sleep 1 # what is lost later would be seen
stream_stop phuc-xa
at_most "... in one turn: traffic was out, in ms" "$outage_ms" $TURN_MS
taken=$(diff before during | grep -c "^<")
at_least "... they were many" "$taken" 8
is "... and no more than they was written" $(($(status_get phuc-xa .daemon.drift_repairs) - drift)) "$taken"

# ---- whose devices they are ----
devices=$(of_ours | xargs)
is "the devices of ours" "$devices" "link0 lsp210 lsp211 s10"
is "NetworkManager is told of each, of a parallel link's, a second gateway's, and the self-check's" \
	"$(managed_by_networkmanager $devices link1 lsp210p s10-2 tuyen-check tuyen-check1)" ""
is "... and of no other" "$(managed_by_networkmanager u-carrier lan0 eth0 wlan0 link2 sit0)" "u-carrier
lan0
eth0
wlan0
link2
sit0"
cp "$LAB_TREE/packaging/networkd/tuyen.conf" $TOLD
cp "$LAB_TREE/packaging/networkd/10-tuyen.network" /run/systemd/network/
cat >/run/systemd/network/90-all.network <<-END2
[Match]
Name=*
[Network]
Address=$NEIGHBOURS/24
LinkLocalAddressing=no
END2
chmod -R a+rX /run/systemd
has_address() { ip -n phuc-xa -o -4 addr show dev "$1" | grep -q "$NEIGHBOURS/"; }
networkd_start ", and has a file for each device there is"
ok "it gives the LAN's device what the file says" wait_for 20 "the address" has_address lan0
sleep 3 # it takes one device after the other
is "... and none of ours" "$(for device in $devices; do has_address $device && echo $device; done)" ""
halt networkd
country_down
done_testing
