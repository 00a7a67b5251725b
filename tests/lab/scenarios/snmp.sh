# SPDX-License-Identifier: Apache-2.0
# The commune by SNMPv3 through snmpd, the modem that tuyen-snmp polls, the traps of a cut, of drift and of a release's end at the
# network centre; snmpd and tuyen-snmp may die, and BFD does not notice.
# clock: virtual
# seconds: 1200
. "$LAB_TREE/tests/lab/lib.sh"
. "$LAB_TREE/tests/lab/country.sh"
. "$LAB_TREE/tests/lab/snmp.sh"

country_up || bail "the country comes up"
pass "the country comes up"
snmp_up
like "the site's name" "$(get tuyenSiteName.0)" 'phuc-xa'
like "a link, by the neighbour's id" "$(walk TUYEN-MIB::tuyenLinkTable)" 'tuyenLinkState\.210 = INTEGER: up'
like "a path in use" "$(walk TUYEN-MIB::tuyenPathTable)" 'tuyenPathActive.*true'
like "a session" "$(walk TUYEN-MIB::tuyenSessionTable)" 'tuyenSessionState.*up'
ok "the modem's line is up" wait_for 30 "the modem" eval 'walk TUYEN-MIB::tuyenDeviceTable | grep -q "tuyenDeviceIfOperStatus.*up"'
like "... with its name" "$(walk TUYEN-MIB::tuyenDeviceTable)" 'modem-phuc-xa'
unlike "without the pass phrase nothing is answered" "$(in_site phuc-xa snmpwalk -v 3 -l authPriv -u noc -a SHA-256 -A wrong-phrase \
	-x AES -X wrong-phrase -t 1 -r 0 127.0.0.1 .1.3.6.1.4.1.32473 2>&1)" 'phuc-xa'
unlike "... nor by SNMP version 2" "$(in_site phuc-xa snmpwalk -v 2c -c public -t 1 -r 0 127.0.0.1 .1.3.6.1.4.1.32473 2>&1)" 'phuc-xa'

like "whoever may read may set nothing" "$(in_site phuc-xa snmpset $SNMP_USER $SNMP_MIBS -t 3 127.0.0.1 \
	TUYEN-MIB::tuyenSiteName.0 s other 2>&1)" 'noAccess|notWritable|authorizationError|Bad object type'

link_cut phuc-xa ba-dinh
ok "a cut link: its trap arrives at the network centre" wait_for 30 "the trap" grep -q tuyenLinkDown trapd.log
ok "... and the path's" wait_for 30 "the trap" grep -qE 'tuyenPath(Down|Switch)' trapd.log
ok "the link is down in the table" wait_for 15 "the table" eval 'get tuyenLinkState.210 | grep -q down'
link_heal phuc-xa ba-dinh
ok "mended: the trap of that arrives too" wait_for 60 "the trap" grep -q tuyenLinkUp trapd.log

wait_for 30 "both links" links_up phuc-xa 2
in_site phuc-xa ip -f mpls route del "$(status_get phuc-xa '.labels[0].in')" || bail "a label is deleted by hand"
ok "a label that a stranger deleted: the trap of its repair arrives" wait_for 30 "the trap" grep -q tuyenDriftRepaired trapd.log
like "... and names it" "$(grep tuyenDriftRepaired trapd.log)" "tuyenNotifyDriftChanges.*mpls route"
changes() { status_get phuc-xa '[.links[].changes, .paths[].changes] | add'; }
before=$(changes)
kill -STOP "$(pid_of node-snmpd)"; sleep 5; kill -CONT "$(pid_of node-snmpd)"
is "snmpd that stands still for 5 s: no link or path changes" "$(changes)" "$before"
signal_and_wait tuyen-snmp KILL
tuyen_snmp_start
ok "tuyen-snmp killed and started: the table is back" wait_for 30 "the table" eval 'get tuyenSiteName.0 | grep -q phuc-xa'
signal_and_wait node-snmpd KILL
snmpd_start node-snmpd phuc-xa node-snmpd.conf
wait_for 10 "snmpd of phuc-xa" listening phuc-xa udp 161
ok "snmpd killed and started: the table is back by itself, in 5 s" wait_for 5 "the table" eval 'get tuyenSiteName.0 | grep -q phuc-xa'
is "no link or path changed in all that" "$(changes)" "$before"

# A release is good for 90 days. The clock goes ahead alone, which WireGuard bears.
time_passes() { date -s "@$(($(date +%s) + $1))" >/dev/null; } # SECONDS
days_pass() { time_passes $(($1 * 86400)); } # DAYS
turns_pass() { wait_for 30 "what SNMP says" get_is tuyenBundleExpiry.0 "$1" && time_passes 600; } # WORD: each site tells it in its own turn
told_of_end() { grep -cE 'TUYEN-MIB::tuyenBundleExpiry(Soon|Past)' trapd.log; }
told_is() { [ "$(told_of_end)" = "$1" ]; }
end_told() { grep -qE "TUYEN-MIB::$1.*tuyenBundleEpoch.* 1[^0-9].*tuyenBundleExpires.*tuyenBundleExpiry.* $2.*tuyenBundleDaysLeft.* $3( days)?([^0-9]|$)" trapd.log; }
ok "90 days before a release's end" eval 'get_is tuyenBundleExpiry.0 distant && get_is tuyenBundleDaysLeft.0 "89 days"'
is "... nobody is told of it" "$(told_of_end)" 0
days_pass 85
ok "4 days before it, SNMP says so, and the site's turn comes" turns_pass week
ok "... to tell the network centre" wait_for 30 "the trap" end_told tuyenBundleExpirySoon week 4
days_pass 4
is "... and no session is down for that" "$(status_get phuc-xa '[.sessions[] | select(.state == "down")] | length')" 0
ok "... and on the last day" turns_pass day
ok "... that is told" wait_for 30 "the trap" end_told tuyenBundleExpirySoon day 0
days_pass 2
ok "... and when it is over" turns_pass past
ok "... that is told" wait_for 30 "the trap" end_told tuyenBundleExpiryPast past 0
sleep 12 # of the virtual clock: tuyen-snmp looks every 10 s, and for a trap that must not come there is nothing to wait for
ok "each is told once" told_is 3
signal_and_wait tuyen-snmp KILL
tuyen_snmp_start
ok "... and what is so by a tuyen-snmp that starts" wait_for 30 "the trap" told_is 4
is "no link or path changed for that" "$(changes)" "$before"
country_down
done_testing
