# SPDX-License-Identifier: Apache-2.0
# What scenarios share in which systemd is process 1, on a writable copy of this machine's files; they say "# init: itself" and
# "# lab: virtual". Sourced twice: by process 1, which makes the copy and hands over, and by the scenario inside.
#
#	copy_make; quiet_down; units_write; systemd_become		finish		state_of UNIT		active UNIT

copy=/run/copy/root

copy_make() { # only what is written costs memory
	mkdir -p /run/copy && mount -t tmpfs copy /run/copy && mkdir -p /run/copy/{up,work,root}
	mount -t overlay overlay -o lowerdir=/,upperdir=/run/copy/up,workdir=/run/copy/work $copy || return 1
	mount --rbind /dev $copy/dev
	mount -t tmpfs run $copy/run
	mkdir -p $copy/run/lab $copy/etc/systemd/system
	rm -rf $copy/etc/systemd/system/*.wants $copy/usr/sbin/policy-rc.d
	rm -f $copy/var/lib/man-db/auto-update # reading every manual page takes a while
}

quiet_down() { # what this machine starts and the scenario does not need
	local unit
	for unit in systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service systemd-networkd.service \
		systemd-resolved.service getty@tty1.service console-getty.service systemd-update-utmp.service \
		systemd-random-seed.service; do
		ln -sf /dev/null "$copy/etc/systemd/system/$unit"
	done
}

units_write() { # this scenario is started anew, with the word "inside", as a service
	cat >$copy/etc/systemd/system/lab.target <<-UNIT
	[Unit]
	Requires=multi-user.target lab.service
	UNIT
	cat >$copy/etc/systemd/system/lab.service <<-UNIT
	[Unit]
	After=basic.target
	[Service]
	Type=oneshot
	Environment=LAB_TREE=$LAB_TREE LAB_BIN=$LAB_BIN LAB_KERNEL=$LAB_KERNEL LAB_CLOCK=$LAB_CLOCK TMPDIR=/run/lab HOME=/run/lab
	ExecStart=/bin/bash $(realpath "$0") inside
	ExecStopPost=/bin/busybox poweroff -f
	StandardOutput=tty
	StandardError=inherit
	TTYPath=/dev/console
	UNIT
}

systemd_become() {
	umount /sys /proc 2>/dev/null
	exec chroot $copy /lib/systemd/systemd --unit=lab.target --show-status=0 --log-target=null --log-level=err
}

lab_dies() { echo "# lab: exit 2"; /bin/busybox poweroff -f; }

finish() { # as done_testing, but this is where the lab ends
	echo "1..$lab_tests"
	echo "# lab: exit $([ $lab_failed -eq 0 ] && echo 0 || echo 1)"
	exit 0
}

state_of() { systemctl is-active "$1"; }
active() { [ "$(state_of "$1")" = active ]; }
unit_says() { journalctl -q --no-pager -n 20 -u "$1" 2>/dev/null | sed 's/^/# /'; }
get() { tuyen status --json 2>/dev/null | jq -r "$1" 2>/dev/null; }
get_is() { [ "$(get "$1")" = "$2" ]; }
deb() { ls -t "$LAB_TREE"/build/tuyen_*.deb | head -n 1; }

node_enrol() { # SITE NAME FOLDER: the box's keys and roster, in the root that FOLDER is; every other site's keys in NAME.d
	local s
	echo "SITE=$1" >"$3/etc/tuyen/node.conf"
	cp "$LAB_TREE/topology/examples/first-light.topology" "$LAB_TREE/policies/examples/first-light.policy" .
	sed -i 's/probe 50ms x 3/probe 300ms x 3/' first-light.topology # of a real clock: a busy machine is no cut
	"$LAB_BIN/tuyen" keygen -o "$3/var/lib/tuyen/keys" --site "$2" >keys.topology
	for s in npdc-hn hanoi ba-dinh dong-da phuc-xa kham-thien; do
		[ "$s" != "$2" ] || continue
		mkdir -p "$s.d/state/incoming" "$s.d/run"
		"$LAB_BIN/tuyen" keygen -o "$s.d/state/keys" --site "$s"
	done >>keys.topology
	for s in an binh; do "$LAB_BIN/tuyen" officer new $s -o officers; done >/dev/null
	"$LAB_BIN/tuyen" roster new --threshold 2 --officer an=officers/an.pem --officer binh=officers/binh.pem -o roster >/dev/null
	install -m 644 roster "$3/var/lib/tuyen/roster"
}

release_seal() { # EPOCH: seals.EPOCH
	local o
	"$LAB_BIN/tuyen" compile first-light.* keys.topology -o "release.$1" --epoch "$1"
	for o in an binh; do "$LAB_BIN/tuyen" sign "release.$1" --officer $o --key officers/$o.key; done
	"$LAB_BIN/tuyen" seal "release.$1" --all -o "seals.$1"
}
