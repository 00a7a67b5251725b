# SPDX-License-Identifier: Apache-2.0
# The package on Debian 12 as it is used: installed by dpkg, started by systemd with all its hardening, enrolled, given a
# release, watched, killed, upgraded under load, removed. systemd is process 1, on a writable copy of this machine's files. The
# machine is phuc-xa of the example country; the other sites are in namespaces.
# init: itself
# lab: virtual
# seconds: 960
# needs: deb
set -u
. "$LAB_TREE/tests/lab/systemd.sh"

if [ "${1:-}" != inside ]; then
	copy_make || lab_dies
	quiet_down
	units_write
	systemd_become
fi

. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
kill -s RTMIN+21 1 # systemd need not tell the console what it does
site=901 name=phuc-xa
caps() { sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$1/status"; }
main_pid() { systemctl show -P MainPID "$1"; }
deb=$(deb)

ok "dpkg -i" dpkg -i "$deb" || diag_file .last 20
is "the users are there" "$(getent passwd tuyen tuyen-wire tuyen-snmp | cut -d: -f1 | xargs)" "tuyen tuyen-wire tuyen-snmp"
like "tuyen-snmp may open the control socket" "$(id -nG tuyen-snmp)" '\btuyen\b'
is "the keys' folder is the daemon's alone" "$(stat -c '%U %a' /var/lib/tuyen/keys)" "tuyen 700"
is "the unit is enabled" "$(systemctl is-enabled tuyend.service)" enabled
is "a node that is not enrolled does not start" "$(state_of tuyend)" inactive
ok "... and that is no failure" eval '! systemctl is-failed -q tuyend'

node_enrol $site $name ""
for epoch in 1 2; do release_seal $epoch; done >make.log 2>&1
ok "an enrolled node starts, and says that it is ready" systemctl restart tuyend
is "tuyend is active" "$(state_of tuyend)" active
like "tuyend --plan says what is missing" "$(tuyend --site $site --plan 2>&1)" '^error: no release yet: tuyen install'
ok "tuyen install gives it a release" tuyen install seals.1/$site.seal
ok "... which is in force" wait_for 10 "epoch 1" get_is .bundle.epoch 1
like "its devices are in the kernel" "$(ip -br link)" 'link0'
is "nothing failed in the kernel" "$(get '.daemon.last_failure // ""')" ""
is "the self-check finds nothing under all that hardening" "$(get '[.self_check[] | select(.ok | not) | .name] | join(", ")')" ""
pid=$(main_pid tuyend)
is "the kernel process has CAP_NET_ADMIN alone" "$(caps "$(pgrep -P "$pid" -x tuyend-kernel)")" 0000000000001000
is "the wire process has nothing" "$(caps "$(pgrep -P "$pid" -x tuyend-wire)")" 0000000000000000
install -m 644 seals.2/$site.seal /var/lib/tuyen/incoming/
weight_of() { cat "/sys/fs/cgroup/$1/cpu.weight"; } # GROUP
is "its processes have nice" "$(ps -o ni= -p "$pid,$(pgrep -d , -P "$pid")" | xargs)" "-15 -15 -15"
is "... and a weight of their own, beside the others'" "$(weight_of system.slice/tuyend.service) $(weight_of system.slice)" "300 100"

ok "systemctl reload" systemctl reload tuyend
is "... leaves the node's folder to the daemon" "$(stat -c %U /var/lib/tuyen /var/lib/tuyen/incoming | xargs)" "tuyen tuyen"
ok "... takes what is in the incoming folder" wait_for 10 "epoch 2" get_is .bundle.epoch 2

kill -KILL "$pid"
ok "killed, it is started again by systemd" wait_for 15 "a new life" \
	eval '[ "$(main_pid tuyend)" != 0 ] && [ "$(main_pid tuyend)" != $pid ] && active tuyend && get_is .bundle.epoch 2'
ok "... and changed nothing in the kernel" wait_for 10 "its status" get_is .daemon.operations 0
ok "tuyen-snmp starts" systemctl restart tuyen-snmp
sleep 2
is "... is active" "$(state_of tuyen-snmp)" active
is "... without any capability" "$(caps "$(main_pid tuyen-snmp)")" 0000000000000000
sleep 35
ok "the watchdog is content" active tuyend
is "... no restart since" "$(systemctl show -P NRestarts tuyend)" 1

# ---- the rest of the country, and an upgrade under load ------------------------------------------------
others="npdc-hn hanoi ba-dinh dong-da"
country_around() {
	local s
	ip netns attach phuc-xa 1 && mkdir phuc-xa.d && ln -s /var/lib/tuyen phuc-xa.d/state && ln -s /run/tuyen phuc-xa.d/run || return 1
	net_begin
	namespace carrier router
	for s in $others; do site_up "$s"; cp roster "$s.d/state/"; done
	net_end && carrier_cuts && line_of phuc-xa u-carrier u-phuc-xa ${country_public[phuc-xa]} $CARRIER_GATEWAY || return 1
	lan_up npdc-hn && lan_up phuc-xa && install_and_start 2 $others
}
repack() { # VERSION: the same package, of another version; VERSION.deb
	rm -rf repacked
	dpkg-deb -R "$deb" repacked && chmod 755 repacked repacked/DEBIAN &&
		sed -i "s/^Version: .*/Version: $1/" repacked/DEBIAN/control && dpkg-deb -Znone -b repacked "$1.deb"
}
upgraded_under_load() { # NAME VERSION
	local before
	before=$(main_pid tuyend)
	ok "$1: the package" repack "$2"
	stream_start phuc-xa 10
	spawn monitor ip -o monitor link address route rule
	spawn monitor-nft nft monitor
	sleep 1 # of the stream before
	ok "$1: dpkg -i" dpkg -i "$2.deb" || diag_file .last 20
	is "... it is there" "$(dpkg-query -W -f '${Version}' tuyen)" "$2"
	ok "... and runs" wait_for 15 "it" eval 'active tuyend && get_is .bundle.epoch 2'
	is "... by a new process" "$([ "$(main_pid tuyend)" = "$before" ] || echo yes)" yes
	sleep 3 # and after
	halt monitor; halt monitor-nft
	stream_stop phuc-xa
	at_least "... packets sent meanwhile" "$sent" 300
	is "... lost" "$lost" 0
	is "... forwarding was never off" "$(journalctl -q --no-pager -u tuyend | grep -c 'drift, repaired.*ip_forward')" 0
	is "... changes in the kernel" "$(get '.daemon | "\(.operations) \(.netlink_messages)"')" "0 0"
	# but the self-check's, which tries out what the kernel can
	is "... and nobody saw one" "$(grep -hvE ' tuyen-check@| table 569999 ' monitor.log monitor-nft.log)" ""
}
ok "the country comes up around it" country_around
ok "... with its paths" wait_for 60 "the paths" paths_up phuc-xa 2 && ok "... and the session" wait_for 30 "the session" session_up phuc-xa
stream_echo_start
echo "net.ipv4.ip_forward = 0" >/etc/sysctl.d/90-hosts.conf # as a baseline has it that was written for hosts
version=$(dpkg-query -W -f '${Version}' tuyen)
upgraded_under_load "a higher version" "$version.1"
upgraded_under_load "a lower one" "$version~1"
halt_all
ok "dpkg -i once more: an upgrade" dpkg -i "$deb"
ok "... the daemon runs" wait_for 15 "it" eval 'active tuyend && get_is .bundle.epoch 2'
is "... and changed nothing in the kernel" "$(get .daemon.operations)" 0
is "... the node's number stayed" "$(cat /etc/tuyen/node.conf)" "SITE=$site"

# ---- what an engineer decided ----------------------------------------------------------------------------
snmp_anew() { local pid; pid=$(main_pid tuyen-snmp); [ "$pid" != 0 ] && [ "$pid" != "$1" ]; }
pid=$(main_pid tuyen-snmp)
systemctl stop tuyend
kill -KILL "$pid"
ok "tuyend is stopped, and tuyen-snmp starts anew" wait_for 30 "it" snmp_anew "$pid"
is "... without it" "$(state_of tuyend)" inactive
systemctl disable --now tuyen-snmp 2>/dev/null
ok "without tuyen-snmp: dpkg -i" dpkg -i "$deb" || diag_file .last 20
is "... starts tuyend" "$(state_of tuyend)" active
is "... and leaves tuyen-snmp as it is" "$(systemctl is-enabled tuyen-snmp) $(state_of tuyen-snmp)" "disabled inactive"
systemctl mask tuyen-snmp 2>/dev/null
before=$(main_pid tuyend)
ok "tuyen-snmp masked: dpkg -i" dpkg -i "$deb" || diag_file .last 20
is "... has configured the package" "$(dpkg-query -W -f '${Status}' tuyen)" "install ok installed"
is "... and started the new tuyend" "$([ "$(main_pid tuyend)" = "$before" ] || state_of tuyend)" active

[ $lab_failed -eq 0 ] || { unit_says tuyend; unit_says tuyen-snmp; }
ok "dpkg -r" dpkg -r tuyen
is "a removed node forwards nothing" "$(ip -br link | grep -cE '^(link0|lsp|s10)')" 0
is "... nor anything else" "$(cat /proc/sys/net/ipv4/ip_forward)" 0
ok "... and keeps its keys" test -e /var/lib/tuyen/keys/link.key
ok "dpkg -P" dpkg -P tuyen
ok "... takes them too" eval '! test -e /var/lib/tuyen'
is "... and leaves nothing to start" "$(find /etc/systemd/system -path '*.wants/tuyen*')" ""
finish
