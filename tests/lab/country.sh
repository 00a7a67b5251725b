# SPDX-License-Identifier: Apache-2.0
# The example country in network namespaces. Sourced after lib.sh.
#
#	                       (lan-npdc-hn: https server, trap receiver; 10.0.0.10)
#	                          |
#	                       npdc-hn 203.0.113.1
#	                          |                        the lines are links of the policy; every site has one
#	                        hanoi 198.51.100.1         veth to the namespace "carrier", the carrier's net, which
#	                       /      \                    routes the public addresses and nothing else:
#	    ba-dinh 198.51.100.9      dong-da 198.51.100.13
#	                    |        /       |                 site: u-carrier <-> u-<site> :carrier
#	                 phuc-xa ---'     kham-thien
#	                    |   \            |
#	(lan-phuc-xa 10.9.1.10)  modem   (lan-kham-thien 10.9.2.10)
#	                    192.168.100.1
#
# A link is cut in the carrier's net, by a rule that drops what passes between the two sites: both ends keep
# their carrier, as in a real cut beyond the modem, and no other link is touched.

COUNTRY_SITES="npdc-hn hanoi ba-dinh dong-da phuc-xa kham-thien"
COUNTRY_LINKS="hanoi:npdc-hn ba-dinh:hanoi dong-da:hanoi phuc-xa:ba-dinh phuc-xa:dong-da kham-thien:dong-da"
declare -A country_id=([npdc-hn]=1 [hanoi]=101 [ba-dinh]=210 [dong-da]=211 [phuc-xa]=901 [kham-thien]=902)
declare -A country_public=([npdc-hn]=203.0.113.1 [hanoi]=198.51.100.1 [ba-dinh]=198.51.100.9
	[dong-da]=198.51.100.13 [phuc-xa]=192.0.2.91 [kham-thien]=192.0.2.92)
declare -A country_lan=([npdc-hn]=10.0.0.0/16 [phuc-xa]=10.9.1.0/24 [kham-thien]=10.9.2.0/24)
declare -A country_host=([npdc-hn]=10.0.0.10 [phuc-xa]=10.9.1.10 [kham-thien]=10.9.2.10)
CARRIER_GATEWAY=169.254.1.1
COUNTRY_SOURCES="$LAB_TREE/topology/examples/first-light.topology $LAB_TREE/policies/examples/first-light.policy"
OFFICERS="an binh"
tuyen=$LAB_BIN/tuyen tuyend=$LAB_BIN/tuyend

in_site() { local s=$1; shift; ip netns exec "$s" "$@"; }
site_dir() { echo "$LAB_DIR/$1.d"; }
control_of() { echo "$LAB_DIR/$1.d/run/control"; }

# ---- the carrier's net ------------------------------------------------------------------
# Many lines to one ip, and namespaces in one process: each costs 20 to 40 ms in a virtual kernel. What stands between net_begin
# and net_end is gathered; outside, each is done at once.
declare -A net_lines=() # NAMESPACE: lines of ip(8) in it; "-": in the lab's own
net_names=() net_folders=() net_open=
net_begin() { net_open=yes; }
net_end() {
	local n
	net_open=
	[ ${#net_names[@]} -eq 0 ] || "$LAB_TOOLS/namespaces" "${net_names[@]}" || return 1
	[ ${#net_folders[@]} -eq 0 ] || mkdir -p "${net_folders[@]}" || return 1
	[ -z "${net_lines[-]:-}" ] || ip -batch - <<<"${net_lines[-]}" || return 1
	for n in "${!net_lines[@]}"; do
		[ "$n" = - ] || ip -n "$n" -batch - <<<"${net_lines[$n]}" || return 1
	done
	net_lines=() net_names=() net_folders=()
}
net_step() { [ -n "$net_open" ] || net_end; }
net_in() { net_lines[$1]+=$2$'\n'; } # NAMESPACE LINES

namespace() { # NAME [router]
	net_names+=("$1${2:+:router}")
	net_step
}

carrier_cuts() {
	in_site carrier nft -f - <<-NFT
	table ip cuts {
		set pairs { type ipv4_addr . ipv4_addr; }
		chain forward { type filter hook forward priority 0; ip saddr . ip daddr @pairs counter drop; }
	}
	NFT
}
carrier_up() { namespace carrier router && carrier_cuts; }

site_up() { # NAME: its namespace and its line to the carrier
	local s=$1 within=$net_open
	net_begin
	namespace "$s" router
	net_in - "link add u-carrier netns $s type veth peer name u-$s netns carrier"
	net_in carrier "addr add $CARRIER_GATEWAY/32 dev u-$s
		link set u-$s up
		route add ${country_public[$s]}/32 dev u-$s"
	net_in "$s" "addr add ${country_public[$s]}/32 dev u-carrier
		link set u-carrier up
		route add default via $CARRIER_GATEWAY dev u-carrier onlink"
	net_folders+=("$LAB_DIR/$s.d/state/keys" "$LAB_DIR/$s.d/state/incoming" "$LAB_DIR/$s.d/run")
	net_open=$within
	net_step
}

# One of a site's several lines; its default route is one of several, as leases have them.
line_of() { # SITE DEVICE CARRIER'S-DEVICE ADDRESS GATEWAY
	ip link add "$2" netns "$1" type veth peer name "$3" netns carrier
	ip -n carrier addr add "$5/32" dev "$3"
	ip -n carrier link set "$3" up
	ip -n carrier route add "$4/32" dev "$3"
	lease_of "$@"
}
lease_of() {
	ip -n "$1" link set "$2" up
	ip -n "$1" addr replace "$4/32" dev "$2"
	ip -n "$1" route append default via "$5" dev "$2" onlink metric 100
}

lan_up() { # SITE: the LAN behind it with one host
	local s=$1 base=${country_lan[$1]%.*} length=${country_lan[$1]#*/} within=$net_open
	net_begin
	namespace "lan-$s"
	net_in - "link add lan0 netns $s type veth peer name eth0 netns lan-$s"
	net_in "$s" "addr add $base.1/$length dev lan0
		link set lan0 up"
	net_in "lan-$s" "addr add ${country_host[$s]}/$length dev eth0
		link set eth0 up
		route add default via $base.1"
	net_open=$within
	net_step
}

modem_up() { # beside phuc-xa: the device that its topology names
	local within=$net_open
	net_begin
	namespace modem
	net_in - "link add modem0 netns phuc-xa type veth peer name lan0 netns modem"
	net_in modem "link add wan0 type dummy
		link set wan0 up
		addr add 192.168.100.1/24 dev lan0
		link set lan0 up"
	net_in phuc-xa "addr add 192.168.100.2/24 dev modem0
		link set modem0 up"
	net_open=$within
	net_step
}

country_net() {
	local s
	net_begin
	namespace carrier router
	for s in $COUNTRY_SITES; do site_up "$s"; done
	for s in "${!country_lan[@]}"; do lan_up "$s"; done
	modem_up
	net_end && carrier_cuts
}

country_down() {
	local s
	halt_all
	for s in $COUNTRY_SITES carrier modem $(printf "lan-%s " "${!country_lan[@]}"); do
		ip netns del "$s" 2>/dev/null
	done
	return 0
}
trap 'country_down; exit 130' INT TERM

cut_pairs() { # VERB A B
	local a=${country_public[$2]} b=${country_public[$3]}
	in_site carrier nft "$1 element ip cuts pairs { $a . $b, $b . $a }"
}
link_cut() { cut_pairs add "$1" "$2"; }
# The worst moment for a cut: just after the path in use was heard. Any other moment gives a shorter outage, by chance.
link_cut_after_probe() { # SITE A B: when the next S-BFD answer of SITE's path in use has come in
	local source
	source=$(status_get "$1" '[.paths[] | select(.active)][0].source')
	in_site "$1" timeout "$(lab_patience 10)" tcpdump -i lo -c 1 --immediate-mode -Z root -w /dev/null \
		"udp src port 7784 and dst host $source" 2>/dev/null || return 1
	link_cut "$2" "$3"
}
link_heal() { cut_pairs delete "$1" "$2"; }

# ---- officers and releases --------------------------------------------------------------
country_officers() { # two officers and the roster that names them
	local o
	mkdir -p officers
	for o in $OFFICERS; do
		"$tuyen" officer new "$o" -o officers || return 1
	done
	"$tuyen" roster new --threshold 2 $(for o in $OFFICERS; do echo "--officer $o=officers/$o.pem"; done) -o roster
}

country_keys() { # each box makes its own keys; the topology learns the public halves
	local s
	: >keys.topology
	for s in $COUNTRY_SITES; do
		"$tuyen" keygen -o "$LAB_DIR/$s.d/state/keys" --site "$s" >>keys.topology || return 1
		cp roster "$LAB_DIR/$s.d/state/roster"
	done
}

country_release() { # EPOCH [SOURCE...]: compiled, signed by both, sealed; release.EPOCH, seals.EPOCH
	local epoch=$1 o; shift
	[ $# -gt 0 ] || set -- $COUNTRY_SOURCES keys.topology
	rm -rf "release.$epoch" "seals.$epoch"
	"$tuyen" compile "$@" -o "release.$epoch" --epoch "$epoch" || return 1
	for o in $OFFICERS; do
		"$tuyen" sign "release.$epoch" --officer "$o" --key "officers/$o.key" || return 1
	done
	"$tuyen" verify "release.$epoch" --roster roster || return 1
	"$tuyen" seal "release.$epoch" --all -o "seals.$epoch"
}

install_seal() { # SITE FILE: prints what the daemon says
	"$tuyen" install "$2" --state "$(site_dir "$1")/state" --control "$(control_of "$1")"
}

install_before_start() { # SITE EPOCH
	cp "seals.$2/${country_id[$1]}.seal" "$LAB_DIR/$1.d/state/incoming/"
}

# ---- daemons ----------------------------------------------------------------------------
declare -A daemon_options=() # of a site
tuyend_words() { # SITE: words of its command, into $words
	words=(ip netns exec "$1" ${LAB_WRAPPER:-} "$tuyend" --site "${country_id[$1]}" --state "$LAB_DIR/$1.d/state"
		--run "$LAB_DIR/$1.d/run" --user 64101 --wire-user 64102 --group 64101 ${daemon_options[$1]:-})
}
tuyend_command() { local words; tuyend_words "$1"; echo "${words[@]}"; }
start_daemon() { # SITE...
	local s words folders=()
	for s; do folders+=("$LAB_DIR/$s.d"); done
	chown -R 64101:64101 "${folders[@]/%//state}"
	chmod 711 "$LAB_DIR" "${folders[@]}"
	for s; do
		tuyend_words "$s"
		spawn "$s" "${words[@]}"
	done
}
install_and_start() { # EPOCH SITE...: the release's file of each, before their daemons start
	local s epoch=$1; shift
	for s; do install_before_start "$s" "$epoch"; done
	start_daemon "$@"
}
stop_daemon() { halt "$1"; }
kill_daemon() { # SITE: all its processes at once, no chance to say goodbye
	kill -KILL $(process_of "$1" kernel) $(process_of "$1" wire) "$(pid_of "$1")" 2>/dev/null
	wait_for 5 "the end of $1" gone "$1"
}
process_of() { # SITE kernel|wire|supervisor: process id
	local pid
	pid=$(pid_of "$1") || return 1
	[ "$2" != supervisor ] || { echo "$pid"; return; }
	pgrep -P "$pid" -x "tuyend-$2"
}

status() { "$tuyen" status --control "$(control_of "$1")" --json; }
status_get() { "$LAB_TOOLS/status" "$LAB_DIR/$1.d/run/control" "$2" 2>/dev/null; }
status_is() { # SITE FILTER WANTED
	if [ -n "${collecting:-}" ]; then
		conditions+=("$LAB_DIR/$1.d/run/control" "$2" "$3")
	else
		"$LAB_TOOLS/status" 0 "$LAB_DIR/$1.d/run/control" "$2" "$3" 2>/dev/null
	fi
}
links_up() { status_is "$1" '[.links[] | select(.state == "up")] | length' "$2"; }
paths_up() { status_is "$1" '[.paths[] | select(.state == "up")] | length' "$2"; }
sessions_up() { status_is "$1" '[.sessions[] | select(.state == "up")] | length' "$2"; }
session_up() { status_is "$1" '[.sessions[] | select(.state == "up")] | length > 0' true; }
active_path() { status_get "$1" "$ACTIVE_PATH"; }
ACTIVE_PATH='.paths[] | select(.active) | .name'
path_is() { status_is "$1" "$ACTIVE_PATH" "$2"; }
status_conditions+="status_is links_up paths_up sessions_up session_up path_is "

country_daemons_up() { # all links, all paths, both communes' sessions
	wait_for 60 "the links of hanoi" links_up hanoi 3 &&
	wait_for 30 "the links of dong-da" links_up dong-da 3 &&
	wait_for 30 "the paths of phuc-xa" paths_up phuc-xa 2 &&
	wait_for 30 "the path of kham-thien" paths_up kham-thien 1 &&
	wait_for 30 "the session of phuc-xa" session_up phuc-xa &&
	wait_for 30 "the main path of phuc-xa" path_is phuc-xa main &&
	wait_for 30 "the session of kham-thien" session_up kham-thien
}

country_up() {
	local s
	country_net && country_officers >make.log 2>&1 && country_keys >>make.log 2>&1 &&
		country_release 1 >>make.log 2>&1 || { diag_file make.log 40; return 1; }
	install_and_start 1 $COUNTRY_SITES
	country_daemons_up && return 0
	country_diagnose
	return 1
}

country_diagnose() { # what a failed scenario wants to know
	local s
	for s in $COUNTRY_SITES; do
		diag_file "$s.log" 15
		alive "$s" || diag "$s: tuyend is not running"
	done
	status phuc-xa 2>&1 | jq -c '.links, .paths, .sessions, .daemon' 2>&1 | sed 's/^/# phuc-xa: /'
}

# ---- traffic ----------------------------------------------------------------------------
QUERY_TEXT="citizen 001099012345 Nguyen Van An"
https_start() { # a real HTTPS server behind the data centre's gateway
	mkdir -p www
	echo "$QUERY_TEXT" >www/citizen
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout www.key -out www.pem \
		-days 2 -subj /CN=population.example -addext subjectAltName=DNS:population.example >/dev/null 2>&1
	spawn https ip netns exec lan-npdc-hn sh -c "cd www && exec openssl s_server -quiet -WWW -accept ${country_host[npdc-hn]}:443 \
		-cert ../www.pem -key ../www.key"
	wait_for 10 "the HTTPS server" listening lan-npdc-hn tcp 443
}
listening() { in_site "$1" ss -Hln --"$2" "sport = :$3" | grep -q .; }
query() { # SITE: asks the server from the LAN behind it
	in_site "lan-$1" curl -sS --max-time "$(lab_patience 5)" --cacert www.pem \
		--resolve "population.example:443:${country_host[npdc-hn]}" https://population.example/citizen
}
query_answers() { [ "$(query "$1" 2>/dev/null)" = "$QUERY_TEXT" ]; }

# A line's device goes down under a stream: traffic takes the path "spare", and is out no longer than LIMIT.
line_goes_down() { # SITE DEVICE LIMIT_MS
	stream_start "$1" 10
	sleep 0.5
	ip -n "$1" link set "$2" down
	ok "the device of a line goes down: traffic goes by the other" wait_for 5 "the spare path" path_is "$1" spare
	sleep 1
	stream_stop "$1"
	at_most "... after the detection time, ms" "$outage_ms" "$3"
}

# A stream of numbered packets from a LAN to the data centre's and back, on the port of class "alarm".
STREAM_PORT=162
stream_echo_start() {
	spawn echo ip netns exec lan-npdc-hn "$LAB_TOOLS/stream" echo "${country_host[npdc-hn]}" $STREAM_PORT
	wait_for 10 "the echo" listening lan-npdc-hn udp $STREAM_PORT
}
stream_start() { # SITE INTERVAL_MS
	spawn "stream-$1" ip netns exec "lan-$1" "$LAB_TOOLS/stream" send "${country_host[npdc-hn]}" $STREAM_PORT "$2"
}
stream_stop() { # SITE: sets sent, answered, lost, gaps, outage_ms
	halt "stream-$1"
	sent= answered= lost= gaps= outage_ms= tail=0
	eval "$(grep -E '^sent=[0-9]+ answered=[0-9]+ lost=[0-9]+ gaps=[0-9]+ outage_ms=[0-9]+( tail=[0-9]+)?$' "stream-$1.log")"
	diag "$1: sent $sent, answered $answered, lost $lost in $gaps gaps, longest outage $outage_ms ms"
}

# ---- captures ---------------------------------------------------------------------------
capture_start() { # NAME NAMESPACE DEVICE [FILTER]
	spawn "capture-$1" ip netns exec "$2" tcpdump -i "$3" --immediate-mode -U -w "$LAB_DIR/$1.pcap" -Z root ${4:+"$4"}
	wait_for 10 "tcpdump on $3" grep -q "listening on" "capture-$1.log"
}
capture_stop() { sleep 0.3; signal_and_wait "capture-$1" INT; }
captured() { tcpdump -nr "$1.pcap" ${2:+"$2"} 2>/dev/null | wc -l; }
captured_text() { grep -aqF -- "$2" "$1.pcap"; }

# The largest segment that each host of a new connection hears of: what its SYN, or the answer, says where it arrives.
mss_of() { tcpdump -nr "$1.pcap" 2>/dev/null | sed -n 's/.*Flags \[S.*mss \([0-9]*\).*/\1/p' | sort -u | paste -sd ' '; }
connection_mss() { # SITE: at the data centre's host and at the site's
	capture_start syn-there lan-npdc-hn eth0 "tcp and src ${country_host[$1]}"
	capture_start syn-back "lan-$1" eth0 "tcp and src ${country_host[npdc-hn]}"
	query "$1" >/dev/null
	capture_stop syn-there; capture_stop syn-back
	echo "$(mss_of syn-there) $(mss_of syn-back)"
}

# An MPLS-in-IP device gives bare label stack entries, which tcpdump's own "mpls" does not take there: by offset, then.
label_is() { echo "link[0:4] & 0xfffff000 = $(($1 << 12))"; } # as a filter: the outermost label
labelled="link[0:4] >= $((16000 << 12)) and link[0:4] < $((86000 << 12))"
show_labels() { # CAPTURE COUNT: label stack and the packet under it, in words
	local words entry stack
	tcpdump -nr "$1.pcap" -xx -c "$2" 2>/dev/null | sed -n '/0x0000:/{s/.*0x0000://;N;s/\n.*0x0010://;s/  *//g;p}' |
		while read -r words; do
			stack=
			while entry=$((16#${words:0:8})) words=${words:8}; do
				stack+="$((entry >> 12)) (ttl $((entry & 255)))"
				[ $((entry >> 8 & 1)) -eq 0 ] || break
				stack+=", "
			done
			printf 'label %s: IP %d.%d.%d.%d > %d.%d.%d.%d, %d bytes\n' "$stack" \
				0x${words:24:2} 0x${words:26:2} 0x${words:28:2} 0x${words:30:2} \
				0x${words:32:2} 0x${words:34:2} 0x${words:36:2} 0x${words:38:2} $((16#${words:4:4}))
		done
}
