# SPDX-License-Identifier: Apache-2.0
# snmpd beside a commune, tuyen-snmp, the modem's own snmpd, and the network centre's trap receiver. After country.sh.

SNMP_SITE=phuc-xa
TRAP_PLACE=lan-npdc-hn
TRAP_HOST=10.0.0.11
SNMP_USER="-v 3 -l authPriv -u noc -a SHA-256 -A noc-auth-phrase -x AES -X noc-priv-phrase"
SNMP_MIBS="-M $LAB_TREE/tests/lab/snmp/mibs:$LAB_TREE/packaging/mib -m TUYEN-MIB"

snmpd_start() { # NAME NAMESPACE CONFIGURATION
	mkdir -p "$1.state"
	spawn "$1" env SNMP_PERSISTENT_DIR="$LAB_DIR/$1.state" ip netns exec "$2" snmpd -f -Lo -C -c "$3" -I -ifTable_cache
}

snmp_configure() {
	mkdir -p agentx && chmod 755 agentx
	sed -e 's|^agentAddress.*|agentAddress udp:127.0.0.1:161|' \
		-e "s|^agentXSocket.*|agentXSocket $LAB_DIR/agentx/master|" \
		-e 's|^agentXPerms.*|agentXPerms 0666 0755|' "$LAB_TREE/packaging/snmpd/snmpd.conf" >node-snmpd.conf
	cat >>node-snmpd.conf <<-EOF
	createUser noc SHA-256 "noc-auth-phrase" AES "noc-priv-phrase"
	trapsess -Ci -v 3 -l authPriv -u noc-trap -a SHA-256 -A trap-auth-phrase -x AES -X trap-priv-phrase $TRAP_HOST:162
	EOF
	cat >modem-snmpd.conf <<-EOF
	agentAddress udp:192.168.100.1:161
	rouser poller priv
	sysName modem-phuc-xa
	createUser poller SHA-256 "poll-auth-phrase" AES "poll-priv-phrase"
	EOF
	cat >trapd.conf <<-EOF
	createUser noc-trap SHA-256 "trap-auth-phrase" AES "trap-priv-phrase"
	authUser log noc-trap priv
	EOF
	echo 'user poller auth SHA-256 "poll-auth-phrase" priv AES "poll-priv-phrase"' >devices.conf
	chmod 600 *.conf
}

trapd_start() {
	ip -n $TRAP_PLACE addr add $TRAP_HOST/16 dev eth0 2>/dev/null
	mkdir -p trapd.state
	spawn trapd env SNMP_PERSISTENT_DIR="$LAB_DIR/trapd.state" ip netns exec $TRAP_PLACE \
		snmptrapd -f -n -Lo -C -c trapd.conf $SNMP_MIBS udp:$TRAP_HOST:162
	wait_for 10 "snmptrapd" listening $TRAP_PLACE udp 162
}
tuyen_snmp_start() {
	spawn tuyen-snmp ip netns exec $SNMP_SITE "$LAB_BIN/tuyen-snmp" --control "$(control_of $SNMP_SITE)" \
		--agentx "unix:$LAB_DIR/agentx/master" --devices devices.conf --interval 2
}
walk() { # [OID]
	in_site $SNMP_SITE snmpwalk $SNMP_USER $SNMP_MIBS -t 3 127.0.0.1 "${1:-TUYEN-MIB::tuyenMIB}" 2>&1
}
get() { in_site $SNMP_SITE snmpget $SNMP_USER $SNMP_MIBS -Oqv -t 3 127.0.0.1 "TUYEN-MIB::$1" 2>/dev/null; }
get_is() { [ "$(get "$1")" = "$2" ]; }

snmp_up() {
	snmp_configure
	trapd_start
	snmpd_start modem-snmpd modem modem-snmpd.conf
	snmpd_start node-snmpd $SNMP_SITE node-snmpd.conf
	wait_for 10 "snmpd of $SNMP_SITE" listening $SNMP_SITE udp 161
	wait_for 10 "snmpd of the modem" listening modem udp 161
	tuyen_snmp_start
	wait_for 20 "TUYEN-MIB" get_is tuyenSiteName.0 $SNMP_SITE || wait_for 1 "TUYEN-MIB" get_is tuyenSiteName.0 "\"$SNMP_SITE\""
}
