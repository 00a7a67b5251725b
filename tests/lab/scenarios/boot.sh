# SPDX-License-Identifier: Apache-2.0
# An enrolled box starts: before its lines come up, its firewall stands, and before that it forwards nothing. Who watches the line
# waits for such a moment, and what he opens in it would stay open. systemd is process 1, as in install.sh.
# init: itself
# lab: virtual
# seconds: 400
# needs: deb
set -u
. "$LAB_TREE/tests/lab/systemd.sh"
site=901 name=phuc-xa

install_and_enrol() { # the box was switched off since
	cd $copy/run/lab || return 1
	mount -t proc proc $copy/proc
	chroot $copy dpkg -i "$(deb)" && node_enrol $site $name $copy && release_seal 1 &&
		install -m 600 seals.1/$site.seal $copy/var/lib/tuyen/current.seal
	umount $copy/proc
}

watchers_write() { # units that write down what is so: before tuyend, and where a line comes up
	cat >$copy/etc/systemd/system/first.service <<-UNIT
	[Unit]
	DefaultDependencies=no
	After=systemd-sysctl.service
	Before=tuyend.service network-pre.target
	[Service]
	Type=oneshot
	ExecStart=/bin/cp /proc/sys/net/ipv4/ip_forward /run/lab/first.forwards
	UNIT
	cat >$copy/etc/systemd/system/line.service <<-UNIT
	[Unit]
	DefaultDependencies=no
	After=network-pre.target first.service
	Before=network.target
	[Service]
	Type=oneshot
	ExecStart=/bin/sh -c 'nft list table inet tuyen >/run/lab/line.firewall 2>&1; cp /proc/sys/net/ipv4/ip_forward /run/lab/line.forwards'
	ExecStart=/bin/sh -c 'ip link add line0 type veth peer name carrier0 && ip link set carrier0 up && ip address add 198.51.100.33/24 dev line0 && ip link set line0 up && ip route add default via 198.51.100.254'
	UNIT
	sed -i '/^Requires=/s/$/ first.service line.service/' $copy/etc/systemd/system/lab.target
}

if [ "${1:-}" != inside ]; then
	copy_make || lab_dies
	quiet_down
	units_write
	install_and_enrol >$copy/run/lab/make.log 2>&1
	watchers_write
	systemd_become
fi

. "$LAB_TREE/tests/lab/lib.sh"
kill -s RTMIN+21 1 # systemd need not tell the console what it does
ok "tuyend starts with the box" wait_for 60 "it" eval 'active tuyend && get_is .bundle.epoch 1' || { diag_file make.log; unit_says tuyend; }
ok "a line comes up" wait_for 30 "the line" test -s line.forwards
is "before tuyend nothing is forwarded" "$(cat first.forwards)" 0
like "when the line comes up, the firewall stands" "$(cat line.firewall)" 'chain input'
is "... and what it guards is forwarded" "$(cat line.forwards)" 1
is "nothing failed" "$(get '.daemon.last_failure // ""')" ""
finish
